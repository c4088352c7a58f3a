package operator

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// List returns a page of the events that the query selects, newest first. Of a query with
// an EventID it reads no others.
func (o *Operator) List(ctx context.Context, query ledger.Query) (ledger.Page, error) {
	if query.EventID == "" {
		return o.Ledger.List(ctx, query)
	}
	var page ledger.Page
	keys, err := o.Ledger.Find(ctx, query.EventID)
	if err != nil {
		return page, err
	}
	for _, key := range keys {
		e, err := o.Ledger.Load(ctx, key)
		if err != nil {
			return page, err
		}
		e.Body = nil // as in every list
		isWithin := !e.ReceivedAt.Before(query.Since) && (query.Until.IsZero() || e.ReceivedAt.Before(query.Until))
		if isWithin && query.Matches(e) {
			page.Events = append(page.Events, e)
		}
	}
	return page, nil
}

// ErrStop, returned by the function that [Operator.Each] or [Operator.EachPage] calls, ends
// the list.
var ErrStop = errors.New("enough")

// Each calls a function with every event that the query selects, newest first, a page at
// a time. The query's limit is not heeded.
func (o *Operator) Each(ctx context.Context, query ledger.Query, do func(ledger.Event) error) error {
	return o.EachPage(ctx, query, func(events []ledger.Event) error {
		for _, e := range events {
			if err := do(e); err != nil {
				return err
			}
		}
		return nil
	})
}

// EachPage is Each for a function that takes a page at a time.
func (o *Operator) EachPage(ctx context.Context, query ledger.Query, do func([]ledger.Event) error) error {
	query.Limit = listed
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		page, err := o.List(ctx, query)
		if err != nil {
			return err
		}
		if err := do(page.Events); errors.Is(err, ErrStop) {
			return nil
		} else if err != nil {
			return err
		}
		if query.Cursor = page.Next; query.Cursor == "" {
			return nil
		}
	}
}

// EachOrder calls a function with every order that the query selects, by their ids, a page
// at a time. The query's limit is not heeded. Orders that cannot be read are left out, and
// the error, in the end, says which is the first, and how many more.
func (o *Operator) EachOrder(ctx context.Context, query ledger.OrderQuery, do func(ledger.Order) error) error {
	query.Limit = listed
	var damaged error
	unread := 0
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		page, err := o.Ledger.Orders(ctx, query)
		if err != nil {
			return err
		}
		for _, order := range page.Orders {
			if err := do(order); err != nil {
				return err
			}
		}
		if unread += len(page.Damaged); damaged == nil && unread > 0 {
			damaged = page.Damaged[0]
		}
		if query.Cursor = page.Next; query.Cursor == "" {
			if unread > 1 {
				damaged = fmt.Errorf("%w; and %d more cannot be read", damaged, unread-1)
			}
			return damaged
		}
	}
}

// IsPayment reports whether the event is the word that a payment, deposit or payout has
// come to its good end, as the gateway's records confirm it. Each record has one. Where no
// gateway is configured any more that knows the event's status, every confirmed amount is a
// payment, so that none is lost.
func (o *Operator) IsPayment(e ledger.Event) bool {
	if e.Confirmation == nil || e.Confirmation.Amount == "" {
		return false
	}
	if account, err := o.AccountOf(e); err == nil {
		return account.Info.Stage(e.Status) == gateway.Success
	}
	for account := range o.routed { // which may be at the same gateway
		if stage := account.Info.Stage(e.Status); account.Info.Confirms(e.Type) && stage != gateway.Unknown {
			return stage == gateway.Success
		}
	}
	return e.Confirmation.Payout != "failed"
}

// Carries returns of each of the events the flags that are bound to it: what no other event
// tells the app.
func (o *Operator) Carries(ctx context.Context, events ...ledger.Event) ([][]ledger.Flag, error) {
	var of []ledger.Holding
	for _, e := range events {
		for _, flag := range e.Flags() {
			of = append(of, ledger.Holding{Key: e.Key, Flag: flag})
		}
	}
	holds, err := o.Ledger.HoldsMany(ctx, of)
	if err != nil {
		return nil, err
	}
	carried := make([][]ledger.Flag, len(events))
	for i, e := range events {
		for _, flag := range e.Flags() {
			if holds[0] {
				carried[i] = append(carried[i], flag)
			}
			holds = holds[1:]
		}
	}
	return carried, nil
}
