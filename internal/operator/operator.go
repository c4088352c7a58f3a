// Package operator does what the people who run the ledger can do with its events,
// and reports how its routes stand.
package operator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/checkout"
	"github.com/seed-338f6760/caddy-ccpayment/internal/reconcile"
	"github.com/seed-338f6760/caddy-ccpayment/internal/secrets"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Operator works on the ledger of one configuration.
type Operator struct {
	Ledger *ledger.Ledger
	// Routes are those of the configuration.
	Routes []Route
	// Account returns the merchant account of this name; empty: the default one.
	Account func(name string) (*gateway.Account, error)
	// Checkouts are the accounts' checkout sessions.
	Checkouts *checkout.Registry
	// LastConfirmedAt is when a gateway last confirmed an event; nil: it has not
	// since the configuration was loaded.
	LastConfirmedAt *time.Time
	// Secrets returns how those stand that are read from files; nil: there are none.
	Secrets func() []secrets.Status
	// Reconciler compares the accounts' records with the ledger.
	Reconciler *reconcile.Reconciler
	// Refusals are those of this process; nil: there are none.
	Refusals *Refusals
	Now      func() time.Time
	// Logger is the configuration's.
	Logger *zap.Logger
}

// AccountOf returns the account that an event came for. One that is called otherwise by now
// is known by its id at the gateway, among those of the routes.
func (o *Operator) AccountOf(e ledger.Event) (*gateway.Account, error) {
	account, err := o.Account(e.Account)
	if err == nil && account.Info.AccountID == e.AppID {
		return account, nil
	}
	for account := range o.routed {
		if account.Info.AccountID == e.AppID {
			return account, nil
		}
	}
	if err == nil {
		err = fmt.Errorf("%s has another id at its gateway than the event's", account.Label())
	}
	return nil, err
}

// routed yields the accounts of the routes, and those that share their orders.
func (o *Operator) routed(yield func(*gateway.Account) bool) {
	for _, route := range o.Routes {
		account, err := o.Account(route.Account)
		if err != nil {
			continue
		}
		for _, one := range account.Group() {
			if !yield(one) {
				return
			}
		}
	}
}

// Result is what an operator's step did to an event.
type Result struct {
	Key   ledger.Key
	State ledger.State
	// Resent is how many webhooks the gateway will send again, where the route is
	// pass-through; nil: it was not asked.
	Resent *int
	// Warning says why the gateway will not, although it should; empty: it will.
	Warning string
}

// longestWait is how long a step waits for an attempt of the record that is in
// flight.
const longestWait = 10 * time.Second

// Replay makes an event due once more, with its id; see [ledger.Ledger.Replay].
func (o *Operator) Replay(ctx context.Context, key ledger.Key, reason string, seen ...ledger.Seen) (Result, error) {
	return o.step(ctx, key, func(ctx context.Context) error { return o.Ledger.Replay(ctx, key, reason, seen...) })
}

// Release makes a held event due; see [ledger.Ledger.Release].
func (o *Operator) Release(ctx context.Context, key ledger.Key, reason string, accept bool, seen ...ledger.Seen) (Result, error) {
	return o.step(ctx, key, func(ctx context.Context) error { return o.Ledger.Release(ctx, key, reason, accept, seen...) })
}

// Discard makes an event final without a delivery; see [ledger.Ledger.Discard].
func (o *Operator) Discard(ctx context.Context, key ledger.Key, reason string, force bool, seen ...ledger.Seen) (Result, error) {
	return o.step(ctx, key, func(ctx context.Context) error { return o.Ledger.Discard(ctx, key, reason, force, seen...) })
}

// ReplayOne replays an event within ten seconds. The error is also what
// [Result.Warning] says.
func (o *Operator) ReplayOne(ctx context.Context, key ledger.Key, reason string) error {
	ctx, cancel := context.WithTimeout(ctx, longestWait)
	defer cancel()
	result, err := o.Replay(ctx, key, reason)
	if err == nil && result.Warning != "" {
		return errors.New(result.Warning)
	}
	return err
}

// Replayed is what a replay of many events did.
type Replayed struct {
	// Matched is how many events the query selects, Replayed how many of them were
	// replayed.
	Matched, Replayed int
	// Warnings say of each of the others why it was not, after its id.
	Warnings []string
}

// listed is how many events are read at once.
const listed = 500

// ReplayAll replays every event that the query selects. With dryRun it only counts
// them. The query's limit is not heeded.
func (o *Operator) ReplayAll(ctx context.Context, query ledger.Query, reason string, dryRun bool) (Replayed, error) {
	var result Replayed
	err := o.Each(ctx, query, func(e ledger.Event) error {
		result.Matched++
		if dryRun {
			return nil
		}
		if err := o.ReplayOne(ctx, e.Key, reason); err != nil {
			result.Warnings = append(result.Warnings, e.EventID()+": "+err.Error())
			return nil
		}
		result.Replayed++
		return nil
	})
	return result, err
}

// step takes an event through a step of the ledger.
func (o *Operator) step(ctx context.Context, key ledger.Key, do func(context.Context) error) (Result, error) {
	waiting, cancel := context.WithTimeout(ctx, longestWait)
	defer cancel()
	if err := do(waiting); err != nil {
		return Result{Key: key}, err
	}
	return o.afterStep(ctx, key)
}

// afterStep has the gateway send the record's webhook again where an event is due
// now on a pass-through route: such a route delivers on the webhook's own request.
func (o *Operator) afterStep(ctx context.Context, key ledger.Key) (Result, error) {
	e, err := o.Ledger.Load(ctx, key)
	result := Result{Key: key, State: e.State}
	if err != nil || e.State != ledger.Retrying || o.delivers(key.Route) {
		return result, err
	}
	count, err := o.resend(ctx, e)
	if err != nil {
		result.Warning = "the event is due, and waits for its next copy: " + err.Error()
		return result, nil
	}
	result.Resent = &count
	return result, nil
}

// resend asks the gateway of an event's account for the webhooks of its record.
func (o *Operator) resend(ctx context.Context, e ledger.Event) (int, error) {
	account, err := o.AccountOf(e)
	if err != nil {
		return 0, fmt.Errorf("the gateway could not be asked to send it again: %w", err)
	}
	count, err := resendFrom(ctx, account, e)
	if err != nil {
		return 0, fmt.Errorf("%s could not be asked to send it again: %w", account.Info.Title, err)
	}
	return count, nil
}

// resendFrom asks for the hour in which the record was made. That is about when
// the first webhook arrived, or else when the payment did.
func resendFrom(ctx context.Context, account *gateway.Account, e ledger.Event) (int, error) {
	title := account.Info.Title
	if !e.HasID() {
		return 0, errors.New("it has no record id")
	}
	resender, ok := account.Gateway.(gateway.Resender)
	if !ok {
		return 0, fmt.Errorf("%s sends no webhook again", title)
	}
	ctx, cancel := context.WithTimeout(ctx, account.Budget)
	defer cancel()
	made := []time.Time{e.ReceivedAt}
	record, err := account.Gateway.Record(ctx, gateway.Notice{Type: e.Type, RecordID: e.ID})
	if err == nil && !record.ArrivedAt.IsZero() {
		made = append(made, record.ArrivedAt)
	}
	for _, at := range made {
		from := at.Add(-50 * time.Minute)
		count, err := resender.Resend(ctx, gateway.ResendRequest{
			From: from, To: from.Add(time.Hour), Type: e.Type, RecordIDs: []string{e.ID},
		})
		if err != nil {
			return 0, explain(title, err)
		}
		if count > 0 {
			return count, nil
		}
	}
	return 0, fmt.Errorf("%s finds no such webhook: send it again from its console", title)
}

// explain adds to a gateway's refusal what to do about it.
func explain(title string, err error) error {
	var refused *gateway.RefusedError
	switch {
	case errors.Is(err, gateway.ErrNotFound):
		return fmt.Errorf("%s's records are behind: it knows no such webhooks", title)
	case errors.As(err, &refused):
		return fmt.Errorf("asking %s for the webhooks: %w (%s)", title, err, refused.Hint)
	default:
		return fmt.Errorf("asking %s for the webhooks: %w", title, err)
	}
}
