package relay

import (
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/confirm"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Kind says how an attempt ended, or what went wrong between attempts.
type Kind uint8

const (
	// Delivered: the app acknowledged the event, and the ledger has recorded it.
	Delivered Kind = iota + 1
	// Failed: the app did not acknowledge the event, or could not be reached.
	Failed
	// Held: the event waits for an operator; Err is a [confirm.HeldError].
	Held
	// Pointless: what the event tells is over, and it is superseded.
	Pointless
	// Unconfirmed: the gateway's records do not agree yet, or could not be read.
	Unconfirmed
	// Undeliverable: the event's body is gone or cannot be read, and the event is dead.
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
	// Unsettled: an order may be paid although no event told the app to fulfil it, and
	// the event could not be replayed.
	Unsettled
)

// Outcome is the result of an attempt, or what went wrong between attempts. Replies,
// log lines, metrics and Caddy's events are all made from it.
type Outcome struct {
	Kind    Kind
	Event   ledger.Event
	EventID string
	// Attempt is the attempt's number.
	Attempt int
	// Finding is what the gateway's records say of the event; nil: it was not
	// confirmed.
	Finding *confirm.Finding
	// Confirmation is what was confirmed and sent to the app; nil: nothing.
	Confirmation *ledger.Confirmation
	// Err is why the event was not delivered.
	Err error
	// Became is the event's state in the ledger from now on; None where it could not
	// be recorded.
	Became ledger.State
	// Fulfills: the event is dead, and only it would tell the app to fulfil its order.
	Fulfills bool
	// Called: the app was called. Took is how long the call took.
	Called bool
	Took   time.Duration
	// Age is how long ago the event was received, by the ledger's clock.
	Age time.Duration
	// Answer is what the app answered; nil: nothing that is to be kept.
	Answer *ledger.Answer
	// IsPage: the app's 2xx is a web page, though any 2xx is an acknowledgement.
	IsPage bool
	// NotAck is how the body of a 2xx response begins that is not what [Route.Ack] asks
	// for; nil: there was none.
	NotAck *string
	// Stack is the stack of a panic.
	Stack []byte
}

func outcomeOf(attempt *ledger.Attempt, kind Kind, err error) Outcome {
	return Outcome{Kind: kind, Event: attempt.Event, EventID: attempt.Event.EventID(), Attempt: attempt.Number, Err: err}
}

// contact reports whether the attempt reached the app, and the error of recording its
// outcome.
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
