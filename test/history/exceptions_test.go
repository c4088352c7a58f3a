package history

import (
	"slices"
	"testing"
)

// TestClockSet: where the clock was set, an attempt that left no trace may have a higher
// sequence than what follows; else it may not.
func TestClockSet(t *testing.T) {
	h := sound(true)
	h.Attempts[1].Seq, h.ClockSet = 3601, true // the first attempt at Success
	if report := Check(h); len(report.Violations) > 0 {
		t.Errorf("of an attempt that left no trace it says %+v", report.Violations)
	}
	for name, change := range map[string]func(*History){
		"the clock was not set": func(h *History) { h.ClockSet = false },
		"in one run":            func(h *History) { h.Attempts[2].Caddy = 1 },
		"in store-and-forward":  func(h *History) { h.PassesThrough = false },
		"with a trace": func(h *History) {
			h.Events[1].Transitions = slices.Clone(h.Events[1].Transitions)
			h.Events[1].Transitions[0].Seq = 3601
		},
	} {
		h := h
		h.Attempts, h.Events = slices.Clone(h.Attempts), slices.Clone(h.Events)
		change(&h)
		if report := Check(h); !found(report, Counted) {
			t.Errorf("%s: found is %+v", name, report.Violations)
		}
	}
}

// carried is a history in which CoinPayments' Completed comes between two attempts at the
// status that carries the flag.
func carried(passesThrough bool) History {
	h, completed := sound(passesThrough), key("1", "Completed")
	h.Sent = append(h.Sent, Sent{Key: completed, Order: "order-1", Digest: completed.Status, Acknowledged: 2})
	h.Applied = append(h.Applied, completed.EventID())
	h.Events = append(h.Events, event(completed, 1, 12))
	h.Attempts = slices.Insert(h.Attempts, 2, attempt(completed, 2, 1, 12))
	return h
}

// TestCarried: what carries the flag comes after a later status with its sequence of
// before, and nothing else does.
func TestCarried(t *testing.T) {
	for _, passesThrough := range []bool{true, false} {
		if report := Check(carried(passesThrough)); len(report.Violations) > 0 || report.Carried != 1 {
			t.Errorf("of the exception (pass-through: %t) it says %+v", passesThrough, report)
		}
		for name, change := range map[string]func(*History){
			"without the flag": func(h *History) { h.Attempts[1].Fulfill, h.Attempts[3].Fulfill = false, false },
			"without an attempt before": func(h *History) {
				h.Attempts = slices.Delete(h.Attempts, 1, 2)
				h.Attempts[2].Number, h.Events[1].Transitions = 1, h.Events[1].Transitions[:1]
			},
			"with a higher sequence": func(h *History) { h.Attempts[3].Seq, h.Events[1].Seq = 13, 13 },
		} {
			h := carried(passesThrough)
			change(&h)
			if report := Check(h); !found(report, InOrder) {
				t.Errorf("%s: found is %+v", name, report.Violations)
			}
		}
	}
}

// TestOvertook: a later run gives an event a sequence right above that of a lower status, and
// no other.
func TestOvertook(t *testing.T) {
	overtook := func() History {
		h := sound(false)
		h.Attempts[2].Seq, h.Events[1].Seq = 31, 31
		h.Attempts[0].Seq, h.Events[0].Seq = 30, 30
		h.Attempts[0], h.Attempts[1] = h.Attempts[1], h.Attempts[0]
		h.Attempts[1].Caddy = 2
		h.Events[0].Transitions = slices.Clone(h.Events[0].Transitions)
		for i := range h.Events[0].Transitions {
			h.Events[0].Transitions[i].Seq = 30
		}
		h.Events[1].Transitions = slices.Clone(h.Events[1].Transitions)
		h.Events[1].Transitions[1].Seq = 31
		return h
	}
	if report := Check(overtook()); found(report, Counted) {
		t.Errorf("of the exception it says %+v", report.Violations)
	}
	for name, change := range map[string]func(*History){
		"in one run":     func(h *History) { h.Attempts[2].Caddy = 1 },
		"above nobody's": func(h *History) { h.Attempts[2].Seq, h.Events[1].Seq, h.Events[1].Transitions[1].Seq = 32, 32, 32 },
		"a lower one":    func(h *History) { h.Attempts[2].Seq, h.Events[1].Seq, h.Events[1].Transitions[1].Seq = 10, 10, 10 },
	} {
		h := overtook()
		change(&h)
		if report := Check(h); !found(report, Counted) {
			t.Errorf("%s: found is %+v", name, report.Violations)
		}
	}
}

// TestCancelledAfterPaid: the app is not told that an invoice was cancelled after it was paid.
func TestCancelledAfterPaid(t *testing.T) {
	for _, status := range []string{"Cancelled", "TimedOut", "Draft"} {
		h, late := sound(false), key("1", status)
		h.Sent = append(h.Sent, Sent{Key: late, Order: "order-1", Digest: late.Status, Acknowledged: 2})
		h.Applied = append(h.Applied, late.EventID())
		h.Events = append(h.Events, event(late, 1, 12))
		h.Attempts = append(h.Attempts, attempt(late, 2, 1, 12))
		if report := Check(h); !found(report, InOrder) {
			t.Errorf("%s after Success: found is %+v", status, report.Violations)
		}
	}
}
