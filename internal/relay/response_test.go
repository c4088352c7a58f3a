package relay

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
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

// TestCase11_HowLong: what the app calls wrong is given up after an hour, 422 like any other
// 4xx, and 410 alone at once.
func TestCase11_HowLong(t *testing.T) {
	hour := ledger.Again{Rejected: time.Hour}
	for status, want := range map[int]ledger.Again{
		302: hour, 400: hour, 401: hour, 403: hour, 404: hour, 405: hour, 419: hour, 422: hour, 451: hour, 499: hour,
		410: {Never: true}, 409: {Spared: true}, 429: {}, 500: {}, 502: {}, 503: {},
	} {
		if got := (&Route{Now: time.Now}).again(status, nil); got != want {
			t.Errorf("%d: %+v, want %+v", status, got, want)
		}
	}
}

// TestClosedWithoutAnAnswer: what Go calls EOF is said in words.
func TestClosedWithoutAnAnswer(t *testing.T) {
	closed := &CallError{Status: http.StatusBadGateway, Err: fmt.Errorf("the transport: %w", io.EOF)}
	failed := (&Route{Now: time.Now}).judge(ledger.Event{}, Response{}, closed)
	if failed == nil || failed.Error() != "the app closed the connection without an answer" || !failed.unreached {
		t.Errorf("%+v", failed)
	}
}
