package ledger

import "time"

// Change takes one event through transitions, of which there is at least one.
type Change struct {
	// Event is the event; of one that the store has already, only its key counts,
	// and its body where the store's was pruned, or is damaged, and the event is
	// not finished.
	Event Event
	// Transitions are applied in order.
	Transitions []Transition
	// Confirmation, if set, replaces what the event has.
	Confirmation *Confirmation
	// Order, if set, is merged into the order that it names, by a clock that agrees
	// with that of its ReadAt to within a minute; see [Order.Merge].
	Order *Order
	// Answer, if set, is kept with the event.
	Answer *Answer
}

// Write is what a [Change] comes to on disk. A store computes it with
// [Change.Write] and writes what it says, so that no store has rules of its own.
type Write struct {
	// Event is the event from now on. Its Body is not to be looked at.
	Event Event
	// IsNew: the store does not have the event yet.
	IsNew bool
	// Body is to be written as the event's; nil: what the store has stays.
	Body []byte
	// Before is the state that the event was in; None where it is new.
	Before State
	// DueBefore and DueAfter are when the event was due and is due now; nil: not at
	// all.
	DueBefore, DueAfter *time.Time
	// Order, if set, is to be merged into the order that it names; see
	// [Write.MergeOrder].
	Order *Order
	// Answer, if set, is to be written in its slot of the event's.
	Answer *Answer
}

// Write computes what the change comes to. Known is the event as the store has it,
// without its body, or nil. The function hasBody reports whether the store still
// has the event's body and can read it; it is called only where that matters. An
// error means that the change is refused, and nothing is to be written.
func (c Change) Write(known *Event, hasBody func() (bool, error)) (Write, error) {
	w := Write{Event: c.Event, IsNew: known == nil, Body: c.Event.Body, Order: c.Order}
	if known != nil {
		w.Event, w.Body = *known, nil
		w.Before, w.DueBefore = known.State, known.NextAttemptAt
		// Which order it is may be found later, or since its account shares its orders.
		isFound := known.GatewayOrderID == "" && c.Event.GatewayOrderID != ""
		if isFound {
			w.Event.GatewayOrderID = c.Event.GatewayOrderID
		}
		isShared := known.OrderAppID == "" && c.Event.OrderAppID != ""
		if isFound || isShared || known.OrderID == "" && known.GatewayOrderID != "" {
			w.Event.OrderID, w.Event.Order, w.Event.OrderAppID = c.Event.OrderID, c.Event.Order, c.Event.OrderAppID
		}
	}
	if c.Confirmation != nil {
		w.Event.Confirmation = c.Confirmation
	}
	if known != nil && c.Delivers() && known.isAskedFor(c.Event) {
		c.Transitions = nil // the app's yes is to what it was sent before
	}
	if err := w.Event.Apply(c.Transitions); err != nil {
		return Write{}, err
	}
	w.DueAfter = w.Event.NextAttemptAt
	if n := len(c.Transitions); n > 0 && w.Event.State == c.Transitions[n-1].State { // else the outcome comes too late
		w.Answer = c.Answer
	}
	// A copy brings back the body of an event that was finished and pruned, or one
	// that is damaged.
	if known != nil && c.Event.Body != nil && !w.Event.State.Finished() {
		has, err := hasBody()
		if err != nil {
			return Write{}, err
		}
		if !has {
			w.Body = c.Event.Body
		}
	}
	return w, nil
}

// CountChange is by how much the number of a route's events in a state changes.
type CountChange struct {
	State State
	By    int
}

// Counts returns how the numbers of the event's route change.
func (w Write) Counts() []CountChange {
	switch {
	case w.IsNew:
		return []CountChange{{w.Event.State, 1}}
	case w.Before == w.Event.State:
		return nil
	default:
		return []CountChange{{w.Before, -1}, {w.Event.State, 1}}
	}
}

// MergeOrder returns the order as it is to be written. Known is the order that
// [Write.Order] names as the store has it, with the earlier writes of the same
// commit, or the zero value; now is the time of the commit.
func (w Write) MergeOrder(known Order, now time.Time) Order {
	known.Merge(*w.Order, now)
	return known
}

// Delivers reports whether the change ends in Delivered.
func (c Change) Delivers() bool {
	return c.Transitions[len(c.Transitions)-1].State == Delivered
}
