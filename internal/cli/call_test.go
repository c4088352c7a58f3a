package cli

import (
	"strings"
	"testing"
)

// TestKnowEndpoint: the endpoints with the fewest mistakes are named, and those
// that begin like it.
func TestKnowEndpoint(t *testing.T) {
	for typed, want := range map[string]string{
		"getCoinList":     "",
		"getCoinLst":      "is it getCoinList?",
		"GETCOINLIST":     "is it getCoinList?",
		"swpa":            "is it swap?",
		"getUserWithdraw": "is it getUserWithdrawRecord, getUserWithdrawRecordList?",
		"frobnicate":      "call --help lists them",
	} {
		err := knowEndpoint(typed)
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasSuffix(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", typed, err, want)
		}
	}
}
