package main

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// kept is what Caddy's ledger has of an event.
type kept struct {
	ID     string `json:"id"`
	Status string `json:"status"`
	State  string `json:"state"`
}

// onItsWay reports whether the event's first attempt has yet to end.
func (k kept) onItsWay() bool {
	return k.State == "received" || k.State == "confirming" || k.State == "delivering"
}

// ledger asks Caddy's admin endpoint for events, newest first.
func (d *demo) ledger(ctx context.Context, filter url.Values) ([]kept, error) {
	var list struct {
		Events []kept `json:"events"`
	}
	err := d.admin(ctx, http.MethodGet, "events?"+filter.Encode(), "", &list)
	return list.Events, err
}

// stateOf waits until the latest Success of an order is in the state that is
// wanted, and returns the state that it was in at last; empty: there is none.
func (d *demo) stateOf(ctx context.Context, order, want string) (state string, err error) {
	waited := d.caddy.until(ctx, patience, func(ctx context.Context) bool {
		var events []kept
		if events, err = d.ledger(ctx, url.Values{"order_id": {d.orderID(order)}, "status": {"success"}}); err != nil {
			return false
		}
		state = ""
		if len(events) > 0 {
			state = events[0].State
		}
		return state == want
	})
	if waited != nil && (err != nil || ctx.Err() != nil) {
		return "", errors.Join(err, ctx.Err())
	}
	return state, nil
}

// patience is longer than anything here takes, but for what goes wrong.
const patience = 30 * time.Second

// dealtWith waits until Caddy has tried to deliver the first webhook of a
// record, if it was not lost on its way.
func (d *demo) dealtWith(ctx context.Context, recordID string) error {
	return d.caddy.until(ctx, patience, func(ctx context.Context) bool {
		sent, err := d.deliveries(ctx, recordID)
		if err != nil || len(sent) == 0 {
			return false
		}
		events, err := d.ledger(ctx, url.Values{"record_id": {recordID}})
		arrived := sent[0].HTTPStatus == http.StatusOK
		return err == nil && (!arrived || len(events) > 0 && !events[0].onItsWay())
	})
}

// accept releases the held Success of an order although it is risky, as an
// operator would who knows the buyer.
func (d *demo) accept(ctx context.Context, order string) error {
	events, err := d.ledger(ctx, url.Values{"order_id": {d.orderID(order)}, "status": {"success"}})
	if err != nil {
		return err
	}
	var step struct{}
	return d.admin(ctx, http.MethodPost, "events/"+events[0].ID+"/release", `{"accept":true,"reason":"we know the buyer"}`, &step)
}

// admin talks to Caddy's admin endpoint.
func (d *demo) admin(ctx context.Context, method, what, body string, answer any) error {
	request, err := http.NewRequestWithContext(ctx, method, "http://"+d.adminAddr+"/ccpayment/"+what, strings.NewReader(body))
	if err != nil {
		return err
	}
	return d.ask(request, answer)
}
