package history

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Report is what a history shows.
type Report struct {
	Violations []Violation
	// Again is how many attempts repeat an event after a crash, or after the app's no.
	Again int
	// Untraced is how often a lower status came after a higher one in the one way
	// that is known and described: in pass-through an attempt at the higher one
	// that a crash cut off, even after the app's response, leaves no trace. While the clock
	// is set its sequence may be too high for what follows.
	Untraced int
	// Carried is how often a lower status came after a higher one because it carries the
	// flag, with the sequence that it had before: no other event would have the flag.
	Carried int
}

// Check judges a history.
func Check(h History) Report {
	c := &check{
		History: h, sent: make(map[string][]Sent), events: make(map[string]ledger.Event), records: make(map[ledger.Record][]string),
		attempts: make(map[string][]Attempt), applied: make(map[string]int),
	}
	for _, s := range h.Sent {
		id := s.Key.EventID()
		c.sent[id] = append(c.sent[id], s)
	}
	for _, e := range h.Events {
		c.events[e.EventID()] = e
		c.records[e.Record] = append(c.records[e.Record], e.EventID())
	}
	c.Attempts = slices.Clone(h.Attempts)
	if !h.Shared {
		// What the app got late from a run of Caddy that had ended was sent before
		// what the next run sent.
		slices.SortStableFunc(c.Attempts, func(a, b Attempt) int { return cmp.Compare(a.Caddy, b.Caddy) })
	}
	for _, a := range c.Attempts {
		c.attempts[a.EventID] = append(c.attempts[a.EventID], a)
	}
	for _, id := range h.Applied {
		c.applied[id]++
	}
	c.invented()
	c.arrival()
	for _, id := range sorted(c.attempts) {
		c.repeats(id, c.attempts[id])
	}
	c.order()
	c.fulfilment()
	return c.report
}

type check struct {
	History
	sent     map[string][]Sent // by event id, as are the following
	events   map[string]ledger.Event
	records  map[ledger.Record][]string // the ids of each one's events
	attempts map[string][]Attempt
	applied  map[string]int
	report   Report
}

func (c *check) broken(p Promise, format string, args ...any) {
	c.report.Violations = append(c.report.Violations, Violation{p, fmt.Sprintf(format, args...)})
}

// invented looks for events that nobody sent.
func (c *check) invented() {
	for _, id := range sorted(c.events) {
		if len(c.sent[id]) == 0 {
			c.broken(Nothing, "the ledger has %s, which nobody sent", c.name(id))
		}
	}
	for _, a := range c.Attempts {
		if !slices.ContainsFunc(c.sent[a.EventID], func(s Sent) bool {
			return s.Key.ID == a.Record && s.Key.Status == strings.ToLower(a.Status) && s.Order == a.Order && s.Digest == a.Digest
		}) {
			c.broken(Nothing, "the app was handed %+v, which nobody sent so", a)
		}
	}
	for _, id := range sorted(c.applied) {
		if len(c.attempts[id]) == 0 {
			c.broken(Nothing, "the app applied %s, which it was not handed", c.name(id))
		}
	}
}

// arrival looks at what became of each event.
func (c *check) arrival() {
	for _, id := range sorted(c.applied) {
		if n := c.applied[id]; n > 1 {
			c.broken(Once, "%s was applied %d times", c.name(id), n)
		}
	}
	for _, id := range sorted(c.sent) {
		run := acknowledged(c.sent[id])
		e, known := c.events[id]
		if run > 0 && !known {
			c.broken(Kept, "%s was acknowledged by run %d, and the ledger does not have it", c.name(id), run)
		}
		if run > 0 && c.applied[id] == 0 && !c.mayBeUnapplied(e) {
			c.broken(Arrives, "%s was acknowledged by run %d, and not applied: it is %s", c.name(id), run, e.State)
		}
	}
	for _, id := range sorted(c.events) {
		e := c.events[id]
		if !e.State.Finished() && !isHeld(e) {
			c.broken(Settles, "%s is %s: %s", c.name(id), e.State, e.LastError)
		}
		if e.State == ledger.Delivered && c.applied[id] == 0 {
			c.broken(Arrives, "the ledger calls %s delivered, and the app has not applied it", c.name(id))
		}
	}
}

// mayBeUnapplied reports whether the app need not have got the event.
func (c *check) mayBeUnapplied(e ledger.Event) bool {
	switch e.State {
	case ledger.Held:
		return isHeld(e)
	case ledger.Superseded:
		for _, id := range c.records[e.Record] {
			if other := c.events[id]; rank(other) > rank(e) && (c.applied[id] > 0 || isHeld(other)) {
				return true
			}
		}
	}
	return false
}

// isHeld reports whether the event waits for an operator, as it should.
func isHeld(e ledger.Event) bool { return e.State == ledger.Held && e.Risk != ledger.NotRisky }

// repeats looks at the attempts of one event, in their order.
func (c *check) repeats(id string, attempts []Attempt) {
	e := c.events[id]
	for i, a := range attempts {
		if !c.PassesThrough && !c.inHistory(e, a) {
			c.broken(Counted, "the ledger does not have attempt %d of %s, with sequence %d", a.Number, c.name(id), a.Seq)
		}
		if i == 0 {
			continue
		}
		before := attempts[i-1]
		c.report.Again++
		switch {
		case before.App != a.App, before.No:
		case !c.Shared && before.Caddy == a.Caddy:
			c.broken(Spared, "%s was handed over twice in run %d", c.name(id), a.Caddy)
		case c.Shared && !c.cutOff(before, a):
			c.broken(Spared, "%s was handed over by run %d at %s, answered at %s, and by run %d at %s, and nothing cut the first off",
				c.name(id), before.Caddy, clock(before.At), clock(before.Answered), a.Caddy, clock(a.At))
		}
		// A request that met a dead app may be sent again as the same attempt.
		same := c.PassesThrough || before.Caddy == a.Caddy && before.App != a.App
		if a.Number < before.Number || a.Number == before.Number && !same {
			c.broken(Counted, "attempt %d of %s came after attempt %d", a.Number, c.name(id), before.Number)
		}
		// Another machine has given it its place without a look at the other events.
		mayGrow := c.PassesThrough || c.Shared && before.Caddy != a.Caddy || c.overtook(before, a)
		if a.Seq < before.Seq && !c.wasAhead(before, a) || a.Seq > before.Seq && !mayGrow {
			c.broken(Counted, "%s had sequence %d, and then %d", c.name(id), before.Seq, a.Seq)
		}
	}
	last := attempts[len(attempts)-1]
	switch run, at := acknowledged(c.sent[id]), acknowledgedAt(c.sent[id]); {
	case !c.PassesThrough || run == 0:
	case c.Shared && last.At.After(at):
		c.broken(Spared, "%s was acknowledged at %s, and handed over by run %d at %s", c.name(id), clock(at), last.Caddy, clock(last.At))
	case !c.Shared && last.Caddy > run:
		c.broken(Spared, "%s was acknowledged by run %d, and handed over by run %d", c.name(id), run, last.Caddy)
	}
	if e.State == ledger.Delivered && !last.Yes {
		c.broken(Nothing, "the ledger calls %s delivered, and the app did not say yes", c.name(id))
	}
	if e.State == ledger.Delivered && (last.Number != e.Attempts || last.Seq != e.Seq) && !c.isEarlierYes(e, attempts) {
		c.broken(Counted, "%s was delivered by attempt %d with sequence %d, and the app last got attempt %d with %d",
			c.name(id), e.Attempts, e.Seq, last.Number, last.Seq)
	}
}

// cutOff reports whether something may have kept the attempt's outcome from being
// recorded before the other attempt came.
func (c *check) cutOff(a, later Attempt) bool {
	return slices.ContainsFunc(c.Cuts, func(cut Cut) bool {
		return (cut.Caddy == a.Caddy || cut.Caddy == 0) && !cut.From.After(later.At) &&
			(cut.To.IsZero() || !cut.To.Before(a.At)) &&
			(a.Answered.IsZero() || cut.From.Before(a.Answered.Add(longestRecording)))
	})
}

// longestRecording is how long after the app's answer a cut may still have kept it from
// being recorded, on a machine that has much else to do.
const longestRecording = 10 * time.Second

// isEarlierYes reports whether the ledger has the yes to an attempt that was cut off, and
// nothing of those after it that the app got, which were cut off, too: in pass-through
// they leave no trace, and the machine that got the yes writes it once it can. One that
// another machine began meanwhile, and that met a dead app, leaves its higher sequence; and
// one that it could not know to have begun, and so did not make, its higher number.
func (c *check) isEarlierYes(e ledger.Event, attempts []Attempt) bool {
	var delivery ledger.Transition
	for _, t := range e.Transitions {
		if t.State == ledger.Delivered {
			delivery = t
		}
	}
	i := slices.IndexFunc(attempts, func(a Attempt) bool {
		return a.Yes && a.Number == delivery.Attempt && a.Seq == delivery.Seq
	})
	return c.Shared && i >= 0 && (c.PassesThrough || hasBegun(e, delivery.Attempt)) && !slices.ContainsFunc(attempts[i:], func(a Attempt) bool {
		return !c.cutOff(a, Attempt{At: a.At.Add(longestRecording)})
	})
}

// hasBegun reports whether the ledger has each attempt at the event after one as begun.
func hasBegun(e ledger.Event, after int) bool {
	for n := after + 1; n <= e.Attempts; n++ {
		isBegun := func(t ledger.Transition) bool { return t.State == ledger.Delivering && t.Attempt == n }
		if !slices.ContainsFunc(e.Transitions, isBegun) {
			return false
		}
	}
	return true
}

// inHistory reports whether the ledger has recorded the attempt.
func (c *check) inHistory(e ledger.Event, a Attempt) bool {
	if c.Shared { // an event may get another place at another machine
		return e.Seq >= a.Seq && slices.ContainsFunc(e.Transitions, func(t ledger.Transition) bool {
			return t.State == ledger.Delivering && t.Attempt == a.Number && t.Seq == a.Seq
		})
	}
	return slices.ContainsFunc(e.Transitions, func(t ledger.Transition) bool {
		return t.State == ledger.Delivering && t.Attempt == a.Number && (e.Seq == a.Seq || e.Seq > a.Seq && t.Seq == a.Seq)
	})
}

// overtook reports whether a later run gave the event a sequence right above that of a lower
// status, which was handed over between its attempts.
func (c *check) overtook(before, later Attempt) bool {
	return later.Caddy > before.Caddy && slices.ContainsFunc(c.records[c.events[later.EventID].Record], func(id string) bool {
		e := c.events[id]
		return id != later.EventID && e.Seq+1 == later.Seq && rank(e) < rankOf(later.Status)
	})
}

// order looks at the attempts of each record.
func (c *check) order() {
	records := make(map[string][]Attempt)
	for _, a := range c.Attempts {
		records[a.Record] = append(records[a.Record], a)
	}
	for _, record := range sorted(records) {
		attempts := records[record]
		for i, later := range attempts {
			for _, before := range attempts[:i] {
				c.pair(before, later)
			}
		}
	}
}

// pair looks at two attempts of a record, in their order.
func (c *check) pair(before, later Attempt) {
	if c.Shared && before.App == later.App && before.Answered.After(later.At) && !c.cutOff(before, later) {
		c.broken(Alone, "%s of %s came from run %d at %s, and %s from run %d at %s, before the first was answered at %s",
			before.Status, before.Record, before.Caddy, clock(before.At), later.Status, later.Caddy, clock(later.At), clock(before.Answered))
	}
	if before.EventID == later.EventID {
		return
	}
	if before.Seq == later.Seq {
		c.broken(InOrder, "%s and %s of %s have the same sequence", before.Status, later.Status, before.Record)
	}
	switch a, b := rankOf(before.Status), rankOf(later.Status); {
	case a == 0 || b == 0 || a == b:
	case a > b && c.leftNoTrace(before, later):
		c.report.Untraced++
	case a > b && later.Fulfill && later.Seq < before.Seq && (c.hadItsPlace(later) || c.keptItsPlace(later)):
		c.report.Carried++ // what carries a flag is not overtaken, and keeps its place
	case a > b:
		c.broken(InOrder, "%s of %s was handed over by run %d with sequence %d%s, after %s by run %d with %d%s, which the ledger has with %d "+
			"and which run %d acknowledged%s", later.Status, later.Record, later.Caddy, later.Seq, when(later.At),
			before.Status, before.Caddy, before.Seq, when(before.At), c.events[before.EventID].Seq,
			acknowledged(c.sent[before.EventID]), when(acknowledgedAt(c.sent[before.EventID])))
	case a < b && before.Seq > later.Seq && c.wasAhead(before, later):
		c.report.Untraced++
	case a < b && before.Seq > later.Seq:
		c.broken(InOrder, "%s of %s has sequence %d, and %s after it has %d",
			before.Status, before.Record, before.Seq, later.Status, later.Seq)
	}
}

// leftNoTrace is the known exception: a crash cut the attempt at the higher
// status off, nothing of it was recorded or acknowledged, and the lower one
// comes from a later run. The lower one has a higher sequence, or the one of an
// attempt before that failed. The higher one, or one that supersedes it, has then followed
// with a sequence above both. Where its machine lives, it may have written the app's yes
// late instead: the app has the higher sequence then, and knows the lower status for an
// earlier one.
func (c *check) leftNoTrace(higher, lower Attempt) bool {
	run := acknowledged(c.sent[higher.EventID])
	isCutOff, wasUnanswered := lower.Caddy > higher.Caddy, run == 0 || run > higher.Caddy
	if c.Shared {
		isCutOff, wasUnanswered = c.cutOff(higher, lower), run == 0 || acknowledgedAt(c.sent[higher.EventID]).After(lower.At)
	}
	known := c.events[higher.EventID].Seq
	follows := slices.ContainsFunc(c.records[c.events[higher.EventID].Record], func(id string) bool {
		e := c.events[id]
		return rank(e) >= rankOf(higher.Status) && e.Seq > max(higher.Seq, lower.Seq) && c.applied[id] > 0
	})
	isLateYes := c.Shared && higher.Yes && known == higher.Seq && known > lower.Seq
	return c.PassesThrough && isCutOff && (lower.Seq > higher.Seq || c.hadItsPlace(lower)) && (follows || isLateYes) && wasUnanswered
}

// hadItsPlace reports whether the ledger has an attempt before that one with its sequence.
func (c *check) hadItsPlace(a Attempt) bool {
	return slices.ContainsFunc(c.events[a.EventID].Transitions, func(t ledger.Transition) bool {
		return t.Seq == a.Seq && t.Attempt < a.Number
	})
}

// keptItsPlace reports whether the app got the event before, with the same sequence.
func (c *check) keptItsPlace(a Attempt) bool {
	first := c.attempts[a.EventID][0]
	return first != a && first.Seq == a.Seq
}

// wasAhead is the same exception while the clock is set: the sequence of an attempt that
// left no trace is from a clock that was ahead, so that nobody knows of it when the next
// attempt or status gets a lower one.
func (c *check) wasAhead(before, later Attempt) bool {
	hasTrace := slices.ContainsFunc(c.events[before.EventID].Transitions, func(t ledger.Transition) bool { return t.Seq == before.Seq })
	return c.ClockSet && c.PassesThrough && later.Caddy > before.Caddy && !hasTrace
}

// Rank orders CCPayment's statuses of a record, and CoinPayments' of an invoice, in lower
// case: an event of a higher rank supersedes those of a lower one. An unknown status has
// none.
func Rank(status string) int {
	switch status {
	case "waitingapproval", "unpaid", "draft", "scheduled":
		return 1
	case "pending", "processing", "cancelled", "cancelling", "timedout", "deleted":
		return 2
	case "success", "failed", "rejected", "paid":
		return 3
	case "completed":
		return 4
	default:
		return 0
	}
}

func rank(e ledger.Event) int  { return Rank(e.Key.Status) }
func rankOf(status string) int { return Rank(strings.ToLower(status)) }

func (c *check) name(id string) string {
	if sent := c.sent[id]; len(sent) > 0 {
		return fmt.Sprintf("%s of %s (%s)", sent[0].Key.Status, sent[0].Key.ID, id)
	}
	return id
}

// acknowledged returns the first run that acknowledged the event; 0: none.
func acknowledged(sent []Sent) int {
	first := 0
	for _, s := range sent {
		if s.Acknowledged > 0 && (first == 0 || s.Acknowledged < first) {
			first = s.Acknowledged
		}
	}
	return first
}

// acknowledgedAt returns when the event was first acknowledged; zero: never.
func acknowledgedAt(sent []Sent) (first time.Time) {
	for _, s := range sent {
		if s.Acknowledged > 0 && (first.IsZero() || s.At.Before(first)) {
			first = s.At
		}
	}
	return first
}

// when says when it was, where that is known.
func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return " at " + clock(t)
}

func clock(t time.Time) string { return t.Format("15:04:05.000") }

func sorted[T any](m map[string]T) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
