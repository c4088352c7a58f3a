package relay

import (
	"net/http"
	"testing"
	"time"
)

// TestReadRetryAfter: both forms, and what is none.
func TestReadRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"":    0,
		"0":   0,
		"120": 2 * time.Minute,
		now.Add(time.Hour).Format(http.TimeFormat):  time.Hour,
		now.Add(-time.Hour).Format(http.TimeFormat): 0,
		"-5":                   0,
		"soon":                 0,
		"99999999999999999999": 0,
		"2147483647":           2147483647 * time.Second,
	} {
		if got := readRetryAfter(value, now); got != want {
			t.Errorf("%q is %s, want %s", value, got, want)
		}
	}
}
