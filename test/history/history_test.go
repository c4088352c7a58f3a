package history

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

func key(record, status string) ledger.Key {
	return ledger.Key{
		Record: ledger.Record{AppID: "app", Type: "ApiDeposit", ID: record},
		Status: strings.ToLower(status), Risk: ledger.NotRisky,
	}
}

// sound is the history of a payment in two steps, where a crash cut off the app's
// response to the second.
func sound(passesThrough bool) History {
	h := History{PassesThrough: passesThrough, Paid: []string{"order-1"}}
	processing, success := key("1", "Processing"), key("1", "Success")
	for _, k := range []ledger.Key{processing, success} {
		h.Sent = append(
			h.Sent,
			Sent{Key: k, Order: "order-1", Digest: k.Status},
			Sent{Key: k, Order: "order-1", Digest: k.Status, Acknowledged: 2},
		)
		h.Applied = append(h.Applied, k.EventID())
	}
	again := 2
	if passesThrough {
		again = 1 // an attempt that was cut off is not counted
	}
	h.Attempts = []Attempt{
		attempt(processing, 1, 1, 10), attempt(success, 1, 1, 11), attempt(success, 2, again, 11),
	}
	h.Events = []ledger.Event{event(processing, 1, 10), event(success, again, 11)}
	h.Orders = []ledger.Order{{OwnID: "order-1", FulfilledBy: success.EventID()}}
	return h
}

func attempt(k ledger.Key, caddy, number int, seq uint64) Attempt {
	return Attempt{
		Caddy: caddy, App: 1, EventID: k.EventID(), Record: k.ID, Status: k.Status, Order: "order-1", Digest: k.Status,
		Seq: seq, Number: number, Fulfill: k.Status == "success", Yes: true,
	}
}

// event returns an event that was delivered by the last of its attempts.
func event(k ledger.Key, attempts int, seq uint64) ledger.Event {
	e := ledger.Event{Key: k, OrderID: "order-1", State: ledger.Delivered, Attempts: attempts, Seq: seq}
	for n := range attempts {
		e.Transitions = append(e.Transitions, ledger.Transition{State: ledger.Delivering, Attempt: n + 1, Seq: seq})
	}
	e.Transitions = append(e.Transitions, ledger.Transition{State: ledger.Delivered, Attempt: attempts, Seq: seq})
	return e
}

func TestSound(t *testing.T) {
	for _, passesThrough := range []bool{true, false} {
		if report := Check(sound(passesThrough)); len(report.Violations) > 0 || report.Again != 1 || report.Untraced != 0 {
			t.Errorf("of a sound history (pass-through: %t) it says %+v", passesThrough, report)
		}
	}
}

// TestPlanted: the checker finds each violation that is put into a sound history.
func TestPlanted(t *testing.T) {
	processing, success := key("1", "Processing").EventID(), key("1", "Success").EventID()
	for name, planted := range map[string]struct {
		promise Promise
		plant   func(*History)
		// in is the mode that it is a violation in; empty: both.
		in string
	}{
		"lost from the ledger": {Kept, func(h *History) { h.Events = h.Events[:1] }, ""},
		"still on its way":     {Settles, func(h *History) { h.Events[1].State = ledger.Retrying }, ""},
		"dead":                 {Settles, func(h *History) { h.Events[1].State = ledger.Dead }, ""},
		"held without a reason": {Settles, func(h *History) {
			h.Events[1].State, h.Applied = ledger.Held, h.Applied[:1]
		}, ""},
		"never applied": {Arrives, func(h *History) { h.Applied = h.Applied[:1] }, ""},
		"acknowledged and never handed over": {Arrives, func(h *History) {
			h.Events[1].State, h.Applied, h.Attempts = ledger.Retrying, h.Applied[:1], h.Attempts[:1]
		}, ""},
		"superseded by nothing": {Arrives, func(h *History) {
			h.Events[1].State, h.Applied = ledger.Superseded, h.Applied[:1]
		}, ""},
		"applied twice": {Once, func(h *History) { h.Applied = append(h.Applied, success) }, ""},
		"handed over twice in one run": {Spared, func(h *History) {
			h.Attempts[2].Caddy = 1
		}, ""},
		"handed over after it was acknowledged": {Spared, func(h *History) { h.Sent[3].Acknowledged = 1 }, "pass-through"},
		"an attempt that the ledger does not know": {Counted, func(h *History) {
			h.Events[1].Transitions = h.Events[1].Transitions[1:]
		}, "store-and-forward"},
		"an attempt after the last": {Counted, func(h *History) {
			h.Attempts = append(h.Attempts, attempt(key("1", "Success"), 3, 3, 11))
		}, ""},
		"attempts that count down": {Counted, func(h *History) { h.Attempts[1].Number = 3 }, ""},
		"the same number twice":    {Counted, func(h *History) { h.Attempts[2].Number = 1 }, "store-and-forward"},
		"a sequence that falls":    {Counted, func(h *History) { h.Attempts[1].Seq = 12 }, ""},
		"a sequence that changes":  {Counted, func(h *History) { h.Attempts[2].Seq, h.Events[1].Seq = 12, 12 }, "store-and-forward"},
		"Processing after Success": {InOrder, func(h *History) {
			h.Attempts = []Attempt{h.Attempts[1], h.Attempts[2], h.Attempts[0]}
			h.Attempts[2].Caddy = 2
		}, ""},
		"Success with a lower sequence": {InOrder, func(h *History) { h.Attempts[0].Seq, h.Events[0].Seq = 12, 12 }, ""},
		"two of one sequence":           {InOrder, func(h *History) { h.Attempts[0].Seq, h.Events[0].Seq = 11, 11 }, ""},
		"two carriers":                  {FulfilsOnce, func(h *History) { h.Attempts[0].Fulfill = true }, ""},
		"Fulfill on the first attempt only": {FulfilsOnce, func(h *History) {
			h.Attempts[2].Fulfill = false
		}, ""},
		"Fulfill on the second attempt only": {FulfilsOnce, func(h *History) { h.Attempts[1].Fulfill = false }, ""},
		"paid and not fulfilled": {Fulfils, func(h *History) {
			h.Attempts[1].Fulfill, h.Attempts[2].Fulfill = false, false
		}, ""},
		"fulfilled and not paid": {Fulfils, func(h *History) { h.Paid = nil }, ""},
		"fulfilled by another than the ledger says": {Fulfils, func(h *History) {
			h.Orders[0].FulfilledBy = processing
		}, ""},
		"the carrier was not applied": {Fulfils, func(h *History) { h.Applied = h.Applied[:1] }, ""},
		"an event of nobody in the ledger": {Nothing, func(h *History) {
			h.Events = append(h.Events, event(key("2", "Success"), 1, 1))
		}, ""},
		"an event of nobody at the app": {Nothing, func(h *History) {
			h.Attempts = append(h.Attempts, attempt(key("2", "Success"), 1, 1, 1))
		}, ""},
		"another body":    {Nothing, func(h *History) { h.Attempts[0].Digest = "else" }, ""},
		"another order":   {Nothing, func(h *History) { h.Attempts[0].Order = "order-2" }, ""},
		"another status":  {Nothing, func(h *History) { h.Attempts[0].Status = "Failed" }, ""},
		"a yes of nobody": {Nothing, func(h *History) { h.Attempts[0].Yes = false }, ""},
		"applied from nowhere": {Nothing, func(h *History) {
			h.Applied = append(h.Applied, key("2", "Success").EventID())
		}, ""},
	} {
		for mode, passesThrough := range map[string]bool{"pass-through": true, "store-and-forward": false} {
			if planted.in != "" && planted.in != mode {
				continue
			}
			h := sound(passesThrough)
			planted.plant(&h)
			report := Check(h)
			if !slices.ContainsFunc(report.Violations, func(v Violation) bool { return v.Promise == planted.promise }) {
				t.Errorf("%s, %s: found is %+v, and not %q", mode, name, report.Violations, planted.promise)
			}
		}
	}
}

// untraced is the known exception: in pass-through a crash cut the app's response to
// a Success off, which does not fulfil, and the Processing came first afterwards.
func untraced() History {
	h := sound(true)
	processing, success := key("1", "Processing"), key("1", "Success")
	h.Paid, h.Orders = nil, nil
	h.Attempts = []Attempt{attempt(success, 1, 1, 10), attempt(processing, 2, 1, 11), attempt(success, 2, 1, 12)}
	h.Events = []ledger.Event{event(processing, 1, 11), event(success, 1, 12)}
	for i := range h.Attempts {
		h.Attempts[i].Fulfill = false
	}
	return h
}

// TestUntraced: the exception is allowed, and nothing that is only like it.
func TestUntraced(t *testing.T) {
	if report := Check(untraced()); len(report.Violations) > 0 || report.Untraced != 1 {
		t.Errorf("of the exception it says %+v", report)
	}
	failed := untraced() // an attempt that the app did not get was before both
	failed.Attempts[1].Seq, failed.Attempts[1].Number = 9, 2
	failed.Events[0] = event(key("1", "Processing"), 2, 9)
	if report := Check(failed); len(report.Violations) > 0 || report.Untraced != 1 {
		t.Errorf("of the exception with a place of before it says %+v", report)
	}
	for name, change := range map[string]func(*History){
		"in store-and-forward": func(h *History) { h.PassesThrough = false },
		"without a crash":      func(h *History) { h.Attempts[1].Caddy = 1 },
		"acknowledged before": func(h *History) {
			h.Sent[3].Acknowledged = 1
		},
		"with a trace": func(h *History) {
			h.Attempts[2].Seq, h.Events[1].Seq = 10, 10
		},
		"with a lower sequence, that it did not have before": func(h *History) { h.Attempts[1].Seq, h.Events[0].Seq = 9, 9 },
	} {
		h := untraced()
		change(&h)
		report := Check(h)
		if !slices.ContainsFunc(report.Violations, func(v Violation) bool { return v.Promise == InOrder }) {
			t.Errorf("%s: found is %+v", name, report.Violations)
		}
	}
}

// TestExplained: what is no violation, although it looks like one.
func TestExplained(t *testing.T) {
	overtaken := func(h *History) { // a Processing that its Success has overtaken
		h.Events[0] = ledger.Event{Key: key("1", "Processing"), State: ledger.Superseded}
		h.Attempts, h.Applied = h.Attempts[1:], h.Applied[1:]
	}
	for name, change := range map[string]func(*History){
		"overtaken": overtaken,
		"a request of the first run that the app read last": func(h *History) {
			h.Attempts = []Attempt{h.Attempts[0], h.Attempts[2], h.Attempts[1]}
		},
		"repeated to an app that was killed": func(h *History) {
			h.Attempts[2].Caddy, h.Attempts[2].App = 1, 2
		},
		"repeated because the app said no": func(h *History) {
			h.Attempts[2].Caddy, h.Attempts[1].Yes, h.Attempts[1].No = 1, false, true
		},
	} {
		for _, passesThrough := range []bool{true, false} {
			h := sound(passesThrough)
			change(&h)
			if report := Check(h); len(report.Violations) > 0 {
				t.Errorf("%s (pass-through: %t): found is %+v", name, passesThrough, report.Violations)
			}
		}
	}
}

// start is when the attempts of a shared history begin.
var start = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// shared is the history of the same payment at two machines that share the ledger: the
// second run, which had the Success first, was killed while the app had it, and the
// first, on another machine, went on with it. The third begins on the second machine.
func shared(passesThrough bool) History {
	h := sound(passesThrough)
	h.Shared = true
	h.Cuts = []Cut{{Caddy: 2, From: start.Add(11 * time.Second)}}
	for i, run := range []int{1, 2, 1} {
		h.Attempts[i].Caddy = run
		h.Attempts[i].At = start.Add(time.Duration(i*10) * time.Second)
		h.Attempts[i].Answered = h.Attempts[i].At.Add(5 * time.Second)
	}
	for i, at := range map[int]time.Duration{1: 6 * time.Second, 3: 26 * time.Second} {
		h.Sent[i].Acknowledged, h.Sent[i].At = 1, start.Add(at)
	}
	return h
}

// meetDeadApp adds an attempt at the Success that failed without the app, before the yes to
// those that the app got was recorded.
func meetDeadApp(h *History) {
	failed := ledger.Transition{State: ledger.Delivering, Attempt: 1, Seq: 13}
	refused := failed
	refused.State = ledger.Retrying
	h.Events[1].Seq = 13
	h.Events[1].Transitions = slices.Insert(h.Events[1].Transitions, 0, failed, refused)
}

// beginMore adds an attempt at the Success that was begun, and that the app did not get,
// before the yes to the last that it got was recorded.
func beginMore(h *History) {
	e := &h.Events[1]
	e.Attempts++
	e.Transitions = slices.Insert(e.Transitions, len(e.Transitions)-1, ledger.Transition{State: ledger.Delivering, Attempt: e.Attempts, Seq: e.Seq})
}

// found reports whether the promise is among those that a report calls broken.
func found(report Report, promise Promise) bool {
	return slices.ContainsFunc(report.Violations, func(v Violation) bool { return v.Promise == promise })
}

// TestShared: a history of several machines is sound where a cut explains each attempt
// that was made again.
func TestShared(t *testing.T) {
	for name, change := range map[string]func(*History){
		"killed":  func(*History) {},
		"stopped": func(h *History) { h.Cuts[0].To = start.Add(30 * time.Second) },
		"stopped before the app read it": func(h *History) {
			h.Cuts[0] = Cut{Caddy: 2, From: start.Add(9 * time.Second), To: start.Add(30 * time.Second)}
		},
		"the database was away": func(h *History) {
			h.Cuts[0] = Cut{From: start.Add(11 * time.Second), To: start.Add(15 * time.Second)}
		},
		"to an app that was killed": func(h *History) { h.Cuts, h.Attempts[2].App = nil, 2 },
		"before the app had answered": func(h *History) {
			h.Attempts[1].Answered = start.Add(22 * time.Second)
		},
		"and the first yes is recorded": func(h *History) {
			if h.PassesThrough { // in store-and-forward each attempt is counted
				h.Attempts[2].Seq = 12
				h.Cuts = append(h.Cuts, Cut{Caddy: 1, From: start.Add(21 * time.Second), To: start.Add(30 * time.Second)})
			}
		},
		"and one after it met a dead app before the yes was recorded": func(h *History) {
			if h.PassesThrough {
				meetDeadApp(h)
				h.Cuts = append(h.Cuts, Cut{Caddy: 1, From: start.Add(21 * time.Second), To: start.Add(30 * time.Second)})
			}
		},
		"and one after it was begun and not made before the yes was recorded": func(h *History) {
			beginMore(h)
			h.Cuts = append(h.Cuts, Cut{Caddy: 1, From: start.Add(21 * time.Second), To: start.Add(30 * time.Second)})
		},
		"with another place": func(h *History) {
			h.Attempts[2].Seq, h.Events[1].Seq = 12, 12
			for i := range h.Events[1].Transitions {
				if step := &h.Events[1].Transitions[i]; step.Attempt == h.Attempts[2].Number {
					step.Seq = 12
				}
			}
		},
	} {
		for _, passesThrough := range []bool{true, false} {
			h := shared(passesThrough)
			change(&h)
			if report := Check(h); len(report.Violations) > 0 || report.Again != 1 || report.Untraced != 0 {
				t.Errorf("%s (pass-through: %t): found is %+v", name, passesThrough, report)
			}
		}
	}
}

// TestPlantedShared: the checker finds what no cut explains.
func TestPlantedShared(t *testing.T) {
	success := key("1", "Success")
	for name, planted := range map[string]struct {
		promise Promise
		plant   func(*History)
		in      string
	}{
		"again without a cut":        {Spared, func(h *History) { h.Cuts = nil }, ""},
		"again, and another was cut": {Spared, func(h *History) { h.Cuts[0].Caddy = 1 }, ""},
		"again before the cut":       {Spared, func(h *History) { h.Cuts[0].From = start.Add(21 * time.Second) }, ""},
		"again after a cut that was over": {Spared, func(h *History) {
			h.Cuts[0] = Cut{Caddy: 2, From: start.Add(time.Second), To: start.Add(9 * time.Second)}
		}, ""},
		"again long after the answer": {Spared, func(h *History) {
			h.Attempts[1].Answered = h.Attempts[1].At
			h.Cuts[0].From = h.Attempts[2].At
		}, ""},
		"again in the same run": {Spared, func(h *History) { h.Attempts[1].Caddy = 1 }, ""},
		"again after it was acknowledged": {Spared, func(h *History) {
			h.Sent[3].At = start.Add(19 * time.Second)
		}, "pass-through"},
		"two of a record at a time": {Alone, func(h *History) { h.Attempts[0].Answered = start.Add(11 * time.Second) }, ""},
		"two of an event at a time": {Alone, func(h *History) {
			h.Cuts, h.Attempts[1].Answered = nil, start.Add(21*time.Second)
		}, ""},
		"another place in the same run": {Counted, func(h *History) {
			h.Attempts[1].Caddy, h.Cuts[0].Caddy, h.Attempts[1].Seq = 1, 1, 10
		}, "store-and-forward"},
		"a place that falls":                    {Counted, func(h *History) { h.Attempts[1].Seq = 12 }, ""},
		"a place that the ledger does not have": {Counted, func(h *History) { h.Attempts[1].Seq = 10 }, "store-and-forward"},
		"the same number twice":                 {Counted, func(h *History) { h.Attempts[2].Number = 1 }, "store-and-forward"},
		"the first yes is recorded, and the last was not cut off": {Counted, func(h *History) {
			h.Attempts[2].Seq = 12
		}, ""},
		"one after it met a dead app, and the yes was not held up":         {Counted, meetDeadApp, "pass-through"},
		"one after it was begun and not made, and the yes was not held up": {Counted, beginMore, ""},
		"a number that was skipped, and the yes was held up": {Counted, func(h *History) {
			h.Events[1].Attempts++
			h.Cuts = append(h.Cuts, Cut{Caddy: 1, From: start.Add(21 * time.Second), To: start.Add(30 * time.Second)})
		}, "store-and-forward"},
		"the yes to one that the app did not get": {Counted, func(h *History) {
			meetDeadApp(h)
			h.Cuts = append(h.Cuts, Cut{Caddy: 1, From: start.Add(21 * time.Second), To: start.Add(30 * time.Second)})
			h.Events[1].Transitions[len(h.Events[1].Transitions)-1].Seq = 13
		}, "pass-through"},
		"an attempt after the last": {Counted, func(h *History) {
			late := attempt(success, 3, 3, 11)
			late.At = start.Add(time.Hour)
			h.Attempts = append(h.Attempts, late)
		}, ""},
		"Processing after Success": {InOrder, func(h *History) {
			h.Attempts = []Attempt{h.Attempts[1], h.Attempts[2], h.Attempts[0]}
			h.Attempts[2].At = start.Add(time.Hour)
		}, ""},
		"lost from the ledger":        {Kept, func(h *History) { h.Events = h.Events[:1] }, ""},
		"still on its way":            {Settles, func(h *History) { h.Events[1].State = ledger.Retrying }, ""},
		"never applied":               {Arrives, func(h *History) { h.Applied = h.Applied[:1] }, ""},
		"applied twice":               {Once, func(h *History) { h.Applied = append(h.Applied, success.EventID()) }, ""},
		"two carriers":                {FulfilsOnce, func(h *History) { h.Attempts[0].Fulfill = true }, ""},
		"Fulfill on one machine only": {FulfilsOnce, func(h *History) { h.Attempts[2].Fulfill = false }, ""},
		"another body":                {Nothing, func(h *History) { h.Attempts[0].Digest = "else" }, ""},
	} {
		for mode, passesThrough := range map[string]bool{"pass-through": true, "store-and-forward": false} {
			if planted.in != "" && planted.in != mode {
				continue
			}
			h := shared(passesThrough)
			planted.plant(&h)
			if report := Check(h); !found(report, planted.promise) {
				t.Errorf("%s, %s: found is %+v, and not %q", mode, name, report.Violations, planted.promise)
			}
		}
	}
}

// TestUntracedShared: the known exception holds for several machines, too, and nothing
// that is only like it.
func TestUntracedShared(t *testing.T) {
	untracedShared := func() History {
		h := untraced()
		h.Shared = true
		h.Cuts = []Cut{{Caddy: 2, From: start.Add(time.Second)}}
		for i, run := range []int{2, 1, 1} {
			h.Attempts[i].Caddy, h.Attempts[i].At = run, start.Add(time.Duration(i*20)*time.Second)
			h.Attempts[i].Answered = h.Attempts[i].At.Add(time.Millisecond)
		}
		for i, at := range map[int]time.Duration{1: 30 * time.Second, 3: 50 * time.Second} {
			h.Sent[i].Acknowledged, h.Sent[i].At = 1, start.Add(at)
		}
		return h
	}
	if report := Check(untracedShared()); len(report.Violations) > 0 || report.Untraced != 1 {
		t.Errorf("of the exception it says %+v", report)
	}
	superseded := untracedShared() // by what CoinPayments says last
	last := key("1", "Completed")
	superseded.Sent = append(superseded.Sent, Sent{Key: last, Order: superseded.Sent[0].Order, Digest: last.Status})
	superseded.Attempts[2] = attempt(last, 1, 1, 12)
	superseded.Attempts[2].At, superseded.Attempts[2].Fulfill = start.Add(time.Minute), false
	superseded.Events[1].State, superseded.Events[1].Seq, superseded.Events[1].Transitions = ledger.Superseded, 0, nil
	superseded.Events = append(superseded.Events, event(last, 1, 12))
	superseded.Applied = append(superseded.Applied, last.EventID())
	if report := Check(superseded); len(report.Violations) > 0 || report.Untraced != 1 {
		t.Errorf("where a higher one superseded it, it says %+v", report)
	}
	// The machine that got the yes lives, and writes it late.
	lateYes := func() History {
		h := untracedShared()
		h.Attempts = h.Attempts[:2]
		h.Attempts[1].Seq, h.Attempts[1].Number = 9, 2
		h.Events = []ledger.Event{event(key("1", "Processing"), 2, 9), event(key("1", "Success"), 1, 10)}
		return h
	}
	if report := Check(lateYes()); len(report.Violations) > 0 || report.Untraced != 1 {
		t.Errorf("of a yes that is written late it says %+v", report)
	}
	unknown := lateYes()
	unknown.Attempts[0].Yes = false
	if report := Check(unknown); !found(report, InOrder) {
		t.Errorf("where the app said no: found is %+v", report.Violations)
	}
	for name, change := range map[string]func(*History){
		"in store-and-forward": func(h *History) { h.PassesThrough = false },
		"without a cut":        func(h *History) { h.Cuts = nil },
		"acknowledged before":  func(h *History) { h.Sent[3].At = start.Add(19 * time.Second) },
		"with a trace":         func(h *History) { h.Attempts[2].Seq, h.Events[1].Seq = 10, 10 },
		"not again": func(h *History) {
			h.Attempts, h.Events[1].Seq = h.Attempts[:2], 10
		},
	} {
		h := untracedShared()
		change(&h)
		if report := Check(h); !found(report, InOrder) {
			t.Errorf("%s: found is %+v", name, report.Violations)
		}
	}
}
