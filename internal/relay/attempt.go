package relay

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/confirm"
	"github.com/seed-338f6760/caddy-ccpayment/internal/failpoint"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// unconfirmedError is why an event could not be confirmed now.
type unconfirmedError struct{ cause error }

func (e *unconfirmedError) Error() string { return e.cause.Error() }
func (e *unconfirmedError) Unwrap() error { return e.cause }

// attempt confirms an event, sends it to the app once, records the outcome and
// reports it. It goes on when the sender hangs up.
func (r *Route) attempt(ctx context.Context, n gateway.Notice, app App, attempt *ledger.Attempt, l *ledger.Ledger) Outcome {
	ctx = context.WithoutCancel(ctx)
	o := r.try(ctx, n, app, attempt, l)
	r.end(ctx, o, l)
	if o.Kind == Delivered && o.Finding != nil {
		r.settleAgain(ctx, o, attempt, l)
	}
	return o
}

// end reports an outcome. Of a dead event it says whether the event carries its
// order's Fulfill flag: then no other event fulfils the order.
func (r *Route) end(ctx context.Context, o Outcome, l *ledger.Ledger) {
	if e := o.Event; o.Became == ledger.Dead && e.GatewayOrderID != "" {
		holds, err := l.Holds(ctx, e.Key, []ledger.Flag{e.InOrder().Fulfill()})
		if err != nil {
			o.Err = fmt.Errorf("%w (and whether it fulfils its order cannot be read: %w)", o.Err, err)
		}
		o.Fulfills = err == nil && holds[0]
	}
	o.Age = l.Now().Sub(o.Event.ReceivedAt)
	r.Report(o)
}

// errPanicked is what copies of a webhook learn whose attempt panicked.
var errPanicked error = &failure{cause: errors.New("handing over panicked")}

// try makes the attempt. On a route without App a panic goes on to the server, and
// the next copy of the webhook makes a new attempt.
func (r *Route) try(ctx context.Context, n gateway.Notice, app App, attempt *ledger.Attempt, l *ledger.Ledger) (o Outcome) {
	if r.App == nil {
		defer func() {
			_, _ = attempt.Finish(ctx, ledger.Ending{Failure: errPanicked})
		}()
	}
	o = outcomeOf(attempt, 0, nil)
	failpoint.Reach("claimed")
	asking, cancel := context.WithTimeout(ctx, r.Account.Budget)
	defer cancel()
	err := r.nameByRecord(asking, n, &attempt.Event, l)
	if err == nil {
		err = r.sureOfOrder(asking, &attempt.Event, l)
	}
	o.Event = attempt.Event
	var held *confirm.HeldError
	var unconfirmed *unconfirmedError
	switch {
	case errors.As(err, &held):
		o.Kind, o.Err = Held, held
		o.finish(ctx, attempt, ledger.Ending{State: ledger.Held, Failure: err})
		return o
	case errors.As(err, &unconfirmed):
		o.Kind, o.Err = Unconfirmed, unconfirmed
		o.finish(ctx, attempt, ledger.Ending{State: ledger.Retrying, Failure: err, Untried: true})
		return o
	case err != nil:
		o.Kind, o.Err = Unavailable, err
		_, _ = attempt.Finish(ctx, ledger.Ending{Failure: err}) // nothing was sent, and nothing is recorded
		return o
	}
	var sending ledger.Sending
	if r.confirms(attempt.Event) {
		var isFinished bool
		if sending, isFinished = r.confirm(asking, n, attempt, l, &o); isFinished {
			return o
		}
	}
	if r.bind(ctx, attempt, sending, l, &o) {
		return o
	}
	ending := ledger.Ending{State: ledger.Delivered}
	if o.Finding != nil {
		o.Confirmation = o.Finding.Confirmation()
		ending.Confirmation, ending.Order = o.Confirmation, o.Finding.View()
	}
	failpoint.Reach("bound")
	f := r.deliver(ctx, app, attempt, &o)
	ending.Answer = o.Answer
	if f != nil {
		o.Kind, o.Err = Failed, f
		ending.State, ending.Failure, ending.Again = ledger.Retrying, f, f.again
		o.finish(ctx, attempt, ending)
		return o
	}
	failpoint.Reach("answered")
	o.Kind = Delivered
	if o.finish(ctx, attempt, ending); o.Kind == Delivered {
		failpoint.Reach("delivered")
	}
	return o
}

// finish records the attempt's end. A failure to record it becomes the outcome.
func (o *Outcome) finish(ctx context.Context, attempt *ledger.Attempt, ending ledger.Ending) {
	var err error
	if o.Became, err = attempt.Finish(ctx, ending); err != nil {
		o.Kind, o.Err = Unavailable, err
	}
}

// bind binds what the event carries to it, and lets the finding know. Where the event must
// not be sent now, bind finishes the attempt, and the outcome says why.
func (r *Route) bind(ctx context.Context, attempt *ledger.Attempt, s ledger.Sending, l *ledger.Ledger, o *Outcome) (isFinished bool) {
	carries, err := attempt.Sent(ctx, s)
	if err != nil {
		o.Kind, o.Err = Unavailable, err
		return true
	}
	if o.Finding == nil {
		return false
	}
	if o.Finding.Sent(carries); carries {
		return false
	}
	err = r.Confirm.Meanwhile(ctx, o.Finding, attempt.Event, l)
	var held *confirm.HeldError
	switch {
	case errors.As(err, &held):
		o.Kind, o.Err = Held, held
		o.finish(ctx, attempt, ledger.Ending{State: ledger.Held, Failure: held, Order: o.Finding.View()})
	case errors.Is(err, confirm.ErrPointless):
		o.Kind, o.Err = Pointless, err
		o.finish(ctx, attempt, ledger.Ending{State: ledger.Superseded, Failure: err, Order: o.Finding.View()})
	case errors.Is(err, confirm.ErrClosing), errors.Is(err, confirm.ErrBehind):
		o.Kind, o.Err = Unconfirmed, &unconfirmedError{err}
		o.finish(ctx, attempt, ledger.Ending{State: ledger.Retrying, Failure: o.Err, Untried: true})
	case err != nil:
		o.Kind, o.Err = Unavailable, err
		_, _ = attempt.Finish(ctx, ledger.Ending{Failure: err}) // nothing was sent
	}
	return err != nil
}

// confirm confirms the event with the gateway and returns what the event carries to
// the app. Where the event must not be sent now, confirm finishes the attempt, and
// the outcome says why.
func (r *Route) confirm(ctx context.Context, n gateway.Notice, attempt *ledger.Attempt, l *ledger.Ledger, o *Outcome) (s ledger.Sending, isFinished bool) {
	e, begun := attempt.Event, r.Now()
	f, err := r.Confirm.Confirm(ctx, r.Account, n, e, l)
	var held *confirm.HeldError
	switch {
	case errors.As(err, &held):
		o.Kind, o.Err = Held, held
		o.finish(ctx, attempt, ledger.Ending{State: ledger.Held, Failure: err, AskedAt: begun, Order: f.View()})
		return s, true
	case errors.Is(err, confirm.ErrPointless):
		o.Kind, o.Err = Pointless, err
		o.finish(ctx, attempt, ledger.Ending{State: ledger.Superseded, Failure: err, AskedAt: begun, Order: f.View()})
		return s, true
	case errors.Is(err, ledger.ErrLater): // it waits for a Caddy of that version
		o.Kind, o.Err = Unavailable, err
		_, _ = attempt.Finish(ctx, ledger.Ending{Failure: err})
		return s, true
	case err != nil:
		o.Kind, o.Err = Unconfirmed, &unconfirmedError{err}
		o.finish(ctx, attempt, ledger.Ending{State: ledger.Retrying, Failure: o.Err, Untried: true, AskedAt: begun})
		return s, true
	}
	failpoint.Reach("confirmed")
	o.Finding = f
	if s, err = r.Confirm.Sending(ctx, f, e, l); err != nil {
		o.Kind, o.Err = Unavailable, err
		_, _ = attempt.Finish(ctx, ledger.Ending{Failure: err}) // nothing was sent, and nothing is recorded
		return s, true
	}
	s.AskedAt = begun
	return s, false
}

// settleAgain replays an event that was delivered without its order's flag although
// the order is paid; see [confirm.Confirmer.Unsettled].
func (r *Route) settleAgain(ctx context.Context, o Outcome, attempt *ledger.Attempt, l *ledger.Ledger) {
	cause, err := r.Confirm.Unsettled(ctx, o.Finding, attempt.Event, l)
	switch {
	case err != nil || cause == "":
	case cause == confirm.PaidMeanwhile && attempt.Reason == ledger.Replay:
		err = errors.New("a replay did not settle it") // and replays must not go on for ever
	default:
		err = r.Replay(ctx, attempt.Event, cause)
	}
	if err != nil {
		r.Report(Outcome{Kind: Unsettled, Event: attempt.Event, EventID: o.EventID, Err: err})
	}
}
