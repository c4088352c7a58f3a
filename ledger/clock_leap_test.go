package ledger

import (
	"testing"
	"time"
)

// TestLeaps: what a clock was set forward by does not count for what was noted
// before, and counts for what comes after.
func TestLeaps(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	now := start.Add(3 * time.Hour)
	c := &clock{now: func() time.Time { return now }, leaps: []leap{
		{from: start, by: time.Hour}, {from: start.Add(2 * time.Hour), by: 30 * time.Minute},
	}}
	plan := Plan{First: time.Second, Max: time.Second, GiveUp: time.Hour}
	for _, test := range []struct{ received, end time.Duration }{
		{-time.Minute, 150*time.Minute - time.Minute}, // both leaps
		{90 * time.Minute, 3 * time.Hour},             // the second
		{150 * time.Minute, 210 * time.Minute},        // none
	} {
		received := start.Add(test.received)
		if got := c.after(received, plan.GiveUp).Sub(start); got != test.end {
			t.Errorf("an hour from %s ends at %s, want %s", test.received, got, test.end)
		}
		for _, at := range []time.Duration{test.end - time.Second, test.end} {
			dead := plan.next(Event{ReceivedAt: received}, start.Add(at), Again{}, c).IsZero()
			if dead != (at == test.end) {
				t.Errorf("received at %s, at %s it is given up: %t", test.received, at, dead)
			}
		}
	}
	if got := now.Sub(c.before(time.Hour)); got != 150*time.Minute {
		t.Errorf("an hour has passed since %s ago", got)
	}
}

// TestNoLeap: time that passes is none, and is not reported.
func TestNoLeap(t *testing.T) {
	now := time.Now() // with a monotonic reading
	c := &clock{now: func() time.Time { return now }, onSet: func(by time.Duration) { t.Errorf("it was set by %s", by) }}
	for _, passed := range []time.Duration{0, time.Second, 10 * time.Hour} {
		now = now.Add(passed)
		if got := c.read(); !got.Equal(now) {
			t.Error("it tells another time")
		}
	}
	if len(c.leaps) != 0 {
		t.Errorf("%d leaps", len(c.leaps))
	}
}
