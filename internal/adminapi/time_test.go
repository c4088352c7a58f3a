package adminapi

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

// Case 27: times as people and queries write them.
func TestCase27_Times(t *testing.T) {
	zone := time.FixedZone("CET", 3600)
	now := time.Date(2026, 11, 29, 15, 30, 0, 0, zone)
	for text, want := range map[string]string{
		"2026-11-29T12:00:00+02:00": "2026-11-29T10:00:00Z",
		"2026-11-29T12:00:00 02:00": "2026-11-29T10:00:00Z", // the plus of a query
		"2026-11-29 12:00:00+02:00": "2026-11-29T10:00:00Z",
		"2026-11-29T12:00:00-02:00": "2026-11-29T14:00:00Z",
		"2026-11-29T12:00:00.5Z":    "2026-11-29T12:00:00.5Z",
		"2026-11-29T12:00Z":         "2026-11-29T12:00:00Z",
		"2026-11-29T12:00 02:00":    "2026-11-29T10:00:00Z",
		"2026-11-29T12:00:00":       "2026-11-29T11:00:00Z",
		"2026-11-29 12:00":          "2026-11-29T11:00:00Z",
		"2026-11-29":                "2026-11-28T23:00:00Z",
		"today":                     "2026-11-28T23:00:00Z",
		"Yesterday":                 "2026-11-27T23:00:00Z",
		"1d":                        "2026-11-28T14:30:00Z",
		"1d12h":                     "2026-11-28T02:30:00Z",
		"3h":                        "2026-11-29T11:30:00Z",
		" 3h":                       "2026-11-29T11:30:00Z", // from +3h
		"-3h":                       "2026-11-29T11:30:00Z",
		"":                          "0001-01-01T00:00:00Z",
	} {
		got, err := ReadTime("since", text, now)
		if err != nil || got.UTC().Format(time.RFC3339Nano) != want {
			t.Errorf("%q is %s, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"tomorrow", "d", "-1d", "1d1d", "99999999d", "1d-3h", "2026-13-01", "2026-11-29T12:00:00 0200", "2026-11-29T", "12:00"} {
		if got, err := ReadTime("since", text, now); err == nil || !strings.Contains(err.Error(), "since: ") || !strings.Contains(err.Error(), "zone is in CET") {
			t.Errorf("%q is %s, %v", text, got, err)
		}
	}
}

// TestTimesTooFarAway: ledgers count in nanoseconds, which reach from 1678 to 2262.
func TestTimesTooFarAway(t *testing.T) {
	for _, text := range []string{"9999-12-31", "2262-04-12", "1600-01-01", "2999-12-31T00:00:00Z"} {
		if at, err := ReadTime("until", text, time.Now().UTC()); err == nil || !strings.Contains(err.Error(), "too far away") {
			t.Errorf("%s is %s, %v", text, at, err)
		}
	}
	if _, err := ReadTime("until", "2262-04-11", time.Now().UTC()); err != nil {
		t.Error(err)
	}
}

// Case 27: what the admin endpoint reads without a zone is in UTC, whatever the
// machine's is.
func TestCase27_QueriesAreInUTC(t *testing.T) {
	local := time.Local
	t.Cleanup(func() { time.Local = local })
	time.Local = time.FixedZone("far", 11*3600)
	values, err := url.ParseQuery("since=2026-11-29&until=2026-11-29T12:00:00+02:00")
	if err != nil {
		t.Fatal(err)
	}
	q, err := queryOf(values, "limit", "cursor")
	if err != nil || q.Since.UTC() != time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC) || q.Until.UTC() != time.Date(2026, 11, 29, 10, 0, 0, 0, time.UTC) {
		t.Errorf("from %s until %s, %v", q.Since, q.Until, err)
	}
	if _, err := queryOf(url.Values{"since": {"soon"}}); err == nil || !strings.Contains(err.Error(), "zone is in UTC") {
		t.Error(err)
	}
}
