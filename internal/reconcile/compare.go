package reconcile

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// compare compares a record with the ledger.
func (k *look) compare(ctx context.Context, one gateway.Listed) error {
	n := one.Notice
	k.state.Records++
	isFinal := k.account.Info.Stage(n.Status).Final()
	var h hit
	if isFinal {
		var err error
		if h, err = k.known(ctx, one, n.Status); err != nil {
			return err
		}
		if h.stands.isKnown() {
			if err := k.learn(ctx, one, h.route); err != nil {
				return err
			}
			k.forget(n)
			return nil
		}
		if h.stands == unknown {
			if h, err = k.stuck(ctx, n); err != nil {
				return err
			}
		}
		// What carries a flag and was not taken has bound it, too: it tells nothing.
		isTold := false
		if t, _ := k.account.Info.Type(n.Type); h.stands == unknown || t.Kind == gateway.Payment {
			if isTold, err = k.isTold(ctx, n); err != nil {
				return err
			}
		}
		if isTold {
			k.forget(n)
			return nil
		}
	}
	noted := k.waits(n.Type, n.RecordID)
	isNoted := noted >= 0
	if isNoted && k.state.Waiting[noted].Dismissed != "" && k.state.Waiting[noted].Status == n.Status {
		return nil
	}
	record := ledger.LookRecord{
		Type: n.Type, ID: n.RecordID, Status: n.Status, OrderID: n.OrderID, WalletID: n.WalletID, MadeAt: one.MadeAt, Missing: isFinal,
	}
	if h.stands == beingSent { // it stays what it was, until it is known what becomes of it
		record.Missing = isNoted && k.state.Waiting[noted].Missing
		if isNoted {
			record.Why = k.state.Waiting[noted].Why
		}
		return k.wait(record)
	}
	route, isOurs, err := k.routeOf(ctx, one)
	if err != nil {
		return err
	}
	if !isOurs && (!k.Foreign || one.MadeAt.Before(k.floor) && !isNoted) {
		k.state.NotOurs++
		k.forget(n)
		return nil
	}
	if !isFinal {
		t, _ := k.account.Info.Type(n.Type)
		if order, err := k.orderOf(ctx, n, t); t.IsOrder && err == nil && order.Checkout != nil {
			return nil // it is asked for as an order
		}
		return k.wait(record)
	}
	if h.stands == givenUp && h.route.Tell != nil { // the route has changed since
		record.Why = "its event of before the route " + h.route.Name + " delivered by itself is delivered again"
		if err := k.revive(ctx, h); err != nil || !k.dryRun && strings.EqualFold(h.event.Key.Status, n.Status) {
			return err
		}
		if !k.dryRun {
			k.missed(record, h.route.Name)
		}
		return k.wait(record) // it is told once that event is, unless that told of it
	}
	return k.tell(ctx, one, record, route)
}

// revive has an event that came while its route handed on each webhook's own request delivered by
// the route as it is now: another one of its record would not carry what this one has bound.
func (k *look) revive(ctx context.Context, h hit) error {
	if k.dryRun {
		return nil
	}
	if err := k.tells.Wait(ctx); err != nil {
		return err
	}
	if err := h.route.Again(ctx, h.event, "the app has not taken it, and its route delivers by itself now"); err != nil {
		return fmt.Errorf("delivering it again: %w", err)
	}
	k.state.Told++
	return nil
}

// tell has the app told of a record that no webhook told, or notes why it cannot be.
func (k *look) tell(ctx context.Context, one gateway.Listed, record ledger.LookRecord, route *Route) error {
	name := ""
	switch {
	case route == nil:
		record.Why = "nothing names the route that is told, or it is not configured here: configure the one that it was made for, or, where there are several, name the one that is told with `route` in the option `reconcile`"
	case k.dryRun:
		record.Why = "it would be told on the route " + route.Name
	case route.Tell == nil:
		name = route.Name
		if _, ok := k.account.Gateway.(gateway.Resender); ok {
			record.Why = "it was asked for once more"
			if k.mayAskAgain(record) {
				k.again = append(k.again, record)
			}
		} else {
			record.Why = fmt.Sprintf("the route %s hands on each webhook's own request, and %s sends none again", route.Name, k.account.Info.Title)
		}
	default:
		name = route.Name
		if err := k.tells.Wait(ctx); err != nil {
			return err
		}
		switch verdict, err := route.Tell(ctx, one, k.ledger); {
		case err != nil:
			return fmt.Errorf("telling it: %w", err)
		case verdict == ledger.Accepted:
			k.state.Told++
			k.missed(record, name)
		}
		k.forget(one.Notice)
		return nil
	}
	if !k.dryRun {
		k.missed(record, name)
	}
	return k.wait(record)
}

// mayAskAgain reports whether the gateway may be asked to send a record's webhook. It is not
// asked each time that it lists one which is missing already: the app may refuse it for good.
func (k *look) mayAskAgain(record ledger.LookRecord) bool {
	i, now := k.waits(record.Type, record.ID), k.ledger.Now()
	if i < 0 || !k.state.Waiting[i].Missing || k.isTurn {
		return true
	}
	w := &k.state.Waiting[i]
	if !isOver(w.AskedAt, min(w.AskedAt.Sub(w.MadeAt)/4, waitMissing), now) {
		return false
	}
	w.AskedAt = now
	return true
}

// missed reports a record that no webhook told, unless it was before.
func (k *look) missed(record ledger.LookRecord, route string) {
	if i := k.waits(record.Type, record.ID); i < 0 || !k.state.Waiting[i].Missing {
		m := Missed{Account: k.account.Name, Route: route, Record: record}
		if r := k.account.route(route); r != nil {
			m.Account = r.account.Name
		}
		k.Missed(m)
	}
}

func (k *look) waits(typ, id string) int {
	return slices.IndexFunc(k.state.Waiting, func(w ledger.LookRecord) bool { return w.Type == typ && w.ID == id })
}

// wait notes a record that is to be asked for again, behind the others. One that waits keeps
// its turn, or a list that has it at each look would put it off each time. Where too many
// wait, it takes the place of the oldest that nobody can be told of.
func (k *look) wait(record ledger.LookRecord) error {
	if i := k.waits(record.Type, record.ID); i >= 0 {
		record.AskedAt = k.state.Waiting[i].AskedAt
		k.state.Waiting[i] = record
		return nil
	}
	record.AskedAt = k.ledger.Now()
	if len(k.state.Waiting) >= mostWaiting && !k.dryRun {
		oldest := -1
		for i, w := range k.state.Waiting {
			if (w.Missing || w.Dismissed != "") && (oldest < 0 || w.MadeAt.Before(k.state.Waiting[oldest].MadeAt)) {
				oldest = i
			}
		}
		if oldest < 0 {
			return fmt.Errorf("more than %d records wait for their end: the look goes on when there are less", mostWaiting)
		}
		k.state.Waiting = slices.Delete(k.state.Waiting, oldest, oldest+1)
		k.dropped++
	}
	k.state.Waiting = append(k.state.Waiting, record)
	return nil
}

func (k *look) forget(n gateway.Notice) {
	if i := k.waits(n.Type, n.RecordID); i >= 0 {
		k.state.Waiting = slices.Delete(k.state.Waiting, i, i+1)
	}
}
