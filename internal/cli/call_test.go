package cli

import (
	"strings"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/gateway/ccpayment"
)

// TestNoEndpoint: the endpoints with the fewest mistakes are named, and those
// that begin like it.
func TestNoEndpoint(t *testing.T) {
	endpoints := new(ccpayment.V2).Endpoints()
	for typed, want := range map[string]string{
		"getCoinLst":      "is it getCoinList?",
		"GETCOINLIST":     "is it getCoinList?",
		"swpa":            "is it swap?",
		"getUserWithdraw": "is it getUserWithdrawRecord, getUserWithdrawRecordList?",
		"frobnicate":      "call --help says which there are",
	} {
		err := noEndpoint("CCPayment", endpoints, typed)
		if !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v, want %q", typed, err, want)
		}
	}
}
