package relay

import (
	"context"
	"errors"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// workers is how many events of a route are delivered at once.
const workers = 32

// Run delivers what is due on the route to its App, now and as it becomes due,
// until the context ends and the attempts in flight have ended.
func (r *Route) Run(ctx context.Context, l *ledger.Ledger) {
	l.Dispatch(ctx, ledger.Dispatcher{
		Route: r.Name, Plan: r.Retry, Lease: r.lease(), Workers: workers, Direct: r.Trust, Rank: r.Account.Info.Rank,
		Work:   func(attempt *ledger.Attempt) (ledger.Contact, error) { return r.work(attempt, l) },
		Failed: func(err error) { r.Report(Outcome{Kind: Stalled, Err: err}) },
		Damaged: func(eventID string, err error) {
			r.Report(Outcome{Kind: Damaged, EventID: eventID, Err: err})
		},
	})
}

// work makes one attempt in the background. It reads the event's body by the gateway
// that sent it, which need not be the route's any more.
func (r *Route) work(attempt *ledger.Attempt, l *ledger.Ledger) (ledger.Contact, error) {
	ctx := context.Background()
	switch e := attempt.Event; {
	case e.BodyDamaged:
		return r.bury(ctx, attempt, errors.New("its body is damaged in the ledger: ask CCPayment to send it again"), l)
	case e.Body == nil:
		return r.bury(ctx, attempt, errors.New("its body was pruned after the retention time: ask CCPayment to send it again"), l)
	}
	a, ok := r.AccountOf(attempt.Event)
	if !ok {
		return r.strand(ctx, attempt, l)
	}
	n, err := a.Gateway.Read(attempt.Event.Body)
	if err != nil {
		return r.bury(ctx, attempt, err, l)
	}
	return r.attempt(ctx, a, n, r.App, attempt, l).contact()
}

// bury makes an event dead that cannot be sent: its body is gone, damaged or
// unreadable.
func (r *Route) bury(ctx context.Context, attempt *ledger.Attempt, failure error, l *ledger.Ledger) (ledger.Contact, error) {
	o := Outcome{Kind: Undeliverable, Event: attempt.Event, EventID: attempt.Event.EventID(), Attempt: attempt.Number, Err: failure}
	if _, err := attempt.Sent(ctx, ledger.Sending{}); err != nil {
		o.Kind, o.Err = Unavailable, err
	} else {
		o.finish(ctx, attempt, ledger.Ending{State: ledger.Retrying, Failure: failure, Again: ledger.Again{Never: true}})
	}
	r.end(ctx, o, l)
	return o.contact()
}

// strand ends the attempt at an event whose account is not configured any more. The
// event stays due: it can be confirmed once the account is back.
func (r *Route) strand(ctx context.Context, attempt *ledger.Attempt, l *ledger.Ledger) (ledger.Contact, error) {
	o := Outcome{
		Kind: Unconfirmed, Event: attempt.Event, EventID: attempt.Event.EventID(), Attempt: attempt.Number,
		Err: &unconfirmedError{errors.New("the account that it came for is not configured any more")},
	}
	o.finish(ctx, attempt, ledger.Ending{State: ledger.Retrying, Failure: o.Err, Untried: true})
	r.end(ctx, o, l)
	return o.contact()
}
