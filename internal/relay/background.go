package relay

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"runtime/debug"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// workers is how many events of a route are delivered at once.
const workers = 32

// Run delivers what is due on the route to its App, now and as it becomes due,
// until the context ends and the attempts in flight have ended.
func (r *Route) Run(ctx context.Context, l *ledger.Ledger) {
	l.Dispatch(ctx, ledger.Dispatcher{
		Route: r.Name, Plan: r.Retry, Lease: r.lease(), Workers: workers, Direct: r.Trust, Rank: r.rank,
		Work:   func(attempt *ledger.Attempt) (ledger.Contact, error) { return r.work(attempt, l) },
		Failed: func(err error) { r.Report(Outcome{Kind: Stalled, Err: err}) },
		Damaged: func(eventID string, err error) {
			r.Report(Outcome{Kind: Damaged, EventID: eventID, Err: err})
		},
	})
}

// work makes one attempt in the background. Whatever panics in it fails the attempt.
func (r *Route) work(attempt *ledger.Attempt, l *ledger.Ledger) (contact ledger.Contact, err error) {
	ctx := context.Background()
	defer func() {
		if p := recover(); p != nil {
			o := outcomeOf(attempt, Panicked, &failure{cause: fmt.Errorf("handing over panicked: %v", p)})
			o.Stack = debug.Stack()
			o.finish(ctx, attempt, ledger.Ending{State: ledger.Retrying, Failure: o.Err})
			r.end(ctx, o, l)
			contact, err = o.contact()
		}
	}()
	n, err := r.reread(attempt.Event)
	var other *otherGatewayError
	switch {
	case errors.As(err, &other):
		return r.postpone(ctx, attempt, other, l)
	case err != nil:
		return r.bury(ctx, attempt, err, l)
	}
	return r.attempt(ctx, n, r.App, attempt, l).contact()
}

// otherGatewayError: an event came from another gateway than the route's, which
// cannot confirm it.
type otherGatewayError struct{ came, is string }

func (e *otherGatewayError) Error() string {
	return fmt.Sprintf("it came for an account at %s, and the route has one at %s now", e.came, e.is)
}

// reread reads a stored event's body by the gateway that it came from. What the
// route's account makes of it, as of every event of the route, is another matter.
func (r *Route) reread(e ledger.Event) (gateway.Notice, error) {
	switch {
	case e.BodyDamaged:
		return gateway.Notice{}, fmt.Errorf("its body is damaged in the ledger: ask %s to send it again", r.Account.Info.Title)
	case e.Body == nil:
		return gateway.Notice{}, fmt.Errorf("its body was pruned after the retention time: ask %s to send it again", r.Account.Info.Title)
	}
	if _, err := url.ParseRequestURI(e.Request.URI); err != nil {
		return gateway.Notice{}, fmt.Errorf("the event's request cannot be made again: %w", err)
	}
	if e.Type == gateway.OrderExpired { // whose body is ours
		return gateway.Notice{Type: e.Type, Status: e.Status, RecordID: e.ID, OrderID: e.GatewayOrderID, Risk: ledger.NotRisky}, nil
	}
	from, ok := r.AccountOf(e)
	if !ok {
		from = r.Account
	}
	if came, is := from.Info, r.Account.Info; came.Name != is.Name && r.confirms(e) {
		return gateway.Notice{}, &otherGatewayError{came.Title, is.Title}
	}
	return from.Gateway.Read(e.Body)
}

// bury makes an event dead that cannot be sent: its body is gone, damaged or
// unreadable.
func (r *Route) bury(ctx context.Context, attempt *ledger.Attempt, failure error, l *ledger.Ledger) (ledger.Contact, error) {
	o := outcomeOf(attempt, Undeliverable, failure)
	if _, err := attempt.Sent(ctx, ledger.Sending{}); err != nil {
		o.Kind, o.Err = Unavailable, err
	} else {
		o.finish(ctx, attempt, ledger.Ending{State: ledger.Retrying, Failure: failure, Again: ledger.Again{Never: true}})
	}
	r.end(ctx, o, l)
	return o.contact()
}

// postpone ends the attempt at an event that cannot be confirmed on this route. It is
// retried as long as any event.
func (r *Route) postpone(ctx context.Context, attempt *ledger.Attempt, failure error, l *ledger.Ledger) (ledger.Contact, error) {
	o := outcomeOf(attempt, Unconfirmed, &unconfirmedError{failure})
	o.finish(ctx, attempt, ledger.Ending{State: ledger.Retrying, Failure: o.Err, Untried: true})
	r.end(ctx, o, l)
	return o.contact()
}
