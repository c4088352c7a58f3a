package relay

import (
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/confirm"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Kind is what an outcome is of.
type Kind uint8

const (
	// Delivered: the app said yes, and the ledger has written it down.
	Delivered Kind = iota + 1
	// Failed: the app did not say yes.
	Failed
	// Held: the event waits for an operator; Err is a [confirm.HeldError].
	Held
	// Unconfirmed: the gateway's records do not agree yet, or could not be read.
	Unconfirmed
	// Undeliverable: there is nothing that could be sent to the app.
	Undeliverable
	// Panicked: something in the attempt panicked.
	Panicked
	// Unavailable: the ledger cannot be used, and nothing is acknowledged.
	Unavailable
	// Stalled: the ledger cannot be used, and events wait. There is no event.
	Stalled
	// Damaged: the ledger cannot read an event, which waits while others go on.
	// Only EventID is set, and that only where it can be read.
	Damaged
	// Unsettled: an order may be paid without a word to the app, and the event could
	// not be replayed.
	Unsettled
)

// Outcome is what came of an attempt. Answers, log lines, metrics and Caddy's
// events are all made from it.
type Outcome struct {
	Kind    Kind
	Event   ledger.Event
	EventID string
	// Attempt is the attempt's number.
	Attempt int
	// Finding is what the gateway's records say; nil where they were not asked.
	Finding *confirm.Finding
	// Confirmation is what the app learnt of it; nil: nothing.
	Confirmation *ledger.Confirmation
	// Err is why it was not delivered.
	Err error
	// Became is the event's state in the ledger from now on; None where it could not
	// be recorded.
	Became ledger.State
	// Fulfills: the event is dead, and only it would tell the app to fulfil its order.
	Fulfills bool
	// Called: the app was called, which took this long.
	Called bool
	Took   time.Duration
	// Stack is where it panicked.
	Stack []byte
}

// contact is what the outcome says about whether the app can be reached, and the
// error of recording it.
func (o Outcome) contact() (ledger.Contact, error) {
	switch o.Kind {
	case Unavailable:
		return ledger.Untried, o.Err
	case Delivered, Panicked:
		return ledger.Reached, nil
	case Failed:
		if f, ok := o.Err.(*failure); ok && f.unreached {
			return ledger.Unreached, nil
		}
		return ledger.Reached, nil
	default:
		return ledger.Untried, nil
	}
}
