package worlds

import (
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/simstore"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/test/history"
)

// check judges over the world.
func (w *world) check() {
	slices.SortStableFunc(w.app.calls, func(a, b *call) int { return int(a.at - b.at) })
	w.tally()
	w.checkKept()
	w.checkFences()
	w.checkFlags()
	w.checkRisky()
	w.checkPages()
	w.checkPairs()
	if !w.endless {
		w.checkArrival()
		w.checkMoney()
		w.checkHistory()
	}
}

// tally counts what the world has seen.
func (w *world) tally() {
	for _, c := range w.app.calls {
		w.seen["call, "+c.reason]++
		switch {
		case c.fulfils():
			w.seen["fulfil"]++
		case c.credits():
			w.seen["credit"]++
		case c.key.Type == gateway.OrderExpired:
			w.seen["expired"]++
		}
	}
	for _, e := range w.database.Events {
		w.seen[e.State.String()]++
	}
	for _, o := range w.database.Orders {
		if w.seen["order"]++; o.Closed != nil {
			w.seen["closed"]++
		}
	}
	w.seen["second page"] += len(w.gateway.orders) - w.seen["order"]
}

// hasApplied reports whether the app has applied an event.
func (w *world) hasApplied(key ledger.Key) bool { return slices.Contains(w.app.applied, key.EventID()) }

// checkKept: what was acknowledged is in the ledger, and what is delivered was applied.
func (w *world) checkKept() {
	for _, h := range w.hooks {
		if _, isKept := w.database.Events[h.key]; h.run > 0 && !isKept {
			w.violated("KEPT", "%s was acknowledged and is not in the ledger", nameOf(h.key))
		}
	}
	for key, e := range w.database.Events {
		if e.State == ledger.Delivered && !w.hasApplied(key) {
			w.violated("ARRIVES", "%s is delivered, and the app has not applied it", nameOf(key))
		}
	}
}

// checkFences: a process that was stopped, and whose record another has taken since, writes no
// failure of its own behind what that one wrote. A yes of the app it may bring in late.
func (w *world) checkFences() {
	if w.isSet || w.passesThrough() {
		return
	}
	for key, e := range w.database.Events {
		latest := e.ReceivedAt
		for _, t := range e.Transitions {
			if t.State == ledger.Retrying && t.At.Before(latest.Add(-time.Second)) {
				w.violated("FENCED", "%s became %s at %s, behind what happened at %s", nameOf(key), t.State, t.At.Sub(w.begun), latest.Sub(w.begun))
			}
			if t.At.After(latest) {
				latest = t.At
			}
		}
	}
}

// checkFlags: an order is fulfilled by one event, once it is paid and if it was not closed;
// and so is a deposit credited.
func (w *world) checkFlags() {
	carriers := make(map[string]ledger.Key)
	for _, c := range w.app.calls {
		of := c.key.ID
		switch p := w.gateway.payments[c.key.ID]; {
		case c.fulfils():
			of = c.header.Get("Ccpayment-Order-Id")
			if p == nil || p.of == nil || !w.isPaid(of, w.begun.Add(c.at)) {
				w.violated("PAID", "%s fulfils %s, which is not paid at %s", nameOf(c.key), of, c.at)
			}
			if o, ok := w.order(of); ok && o.Closed != nil && o.Closed.Ended && !o.Closed.Forced && o.FulfilledBy == "" {
				w.violated("CLOSED", "%s fulfils %s, which is closed", nameOf(c.key), of)
			}
		case c.credits():
			if p == nil || p.of != nil || p.last != success || p.riskAt(w.begun.Add(c.at)) != ledger.NotRisky || w.begun.Add(c.at).Before(p.doneAt) || c.header.Get("Ccpayment-Amount") != p.amount.String() {
				w.violated("PAID", "%s credits %s at %s", nameOf(c.key), c.header.Get("Ccpayment-Amount"), c.at)
			}
		default:
			continue
		}
		if w.trusts() {
			w.violated("PAID", "%s carries a flag, and nothing was confirmed", nameOf(c.key))
		}
		if first, is := carriers[of]; is && first != c.key {
			w.violated("ONE FLAG", "%s and %s carry the flag of %s", nameOf(first), nameOf(c.key), of)
		}
		carriers[of] = c.key
	}
	for _, c := range w.app.calls {
		if !c.fulfils() && !c.credits() && slices.ContainsFunc(w.app.calls, func(b *call) bool {
			return b.key == c.key && b.at < c.at && (b.fulfils() || b.credits())
		}) {
			w.violated("ONE FLAG", "%s at %s lacks the flag that it had", nameOf(c.key), c.at)
		}
	}
}

// checkRisky: what is risky is handed over as paid only where an operator let it go as such.
func (w *world) checkRisky() {
	for _, c := range w.app.calls {
		p := w.gateway.payments[c.key.ID]
		isRisky := p != nil && p.riskAt(w.begun.Add(c.at)) == ledger.Risky
		if isRisky && c.key.Status == success && !w.accepted[p.id] && !w.trusts() {
			w.violated("RISKY", "%s is handed over at %s, and nobody has accepted it", nameOf(c.key), c.at)
		}
		if isRisky && (c.fulfils() || c.credits()) {
			w.violated("RISKY", "%s has a flag at %s", nameOf(c.key), c.at)
		}
	}
}

// checkPages: an order is payable on one page at a time, and nobody is told that it has expired
// for long after it was paid, or once it was closed.
func (w *world) checkPages() {
	for _, a := range w.gateway.orders {
		for _, b := range w.gateway.orders {
			isTwin := !w.isSet && a != b && a.terms == b.terms && strings.HasPrefix(b.id, a.id)
			if isTwin && b.madeAt.Before(a.expiry) {
				w.violated("PAGES", "%s was made at %s, and %s can be paid until %s", b.id, b.madeAt.Sub(w.begun), a.id, a.expiry.Sub(w.begun))
			}
		}
	}
	for _, c := range w.app.calls {
		if c.key.Type != gateway.OrderExpired {
			continue
		}
		own := c.header.Get("Ccpayment-Order-Id")
		before := w.begun.Add(c.at - 3*time.Minute) // which is longer than the gateway's records lag
		if o, _ := w.order(own); w.isPaid(own, before) || o.Closed != nil && o.Closed.Ended && o.Closed.At.Before(before) {
			w.violated("EXPIRED", "the app is told at %s that %s has expired, which is paid or closed", c.at, own)
		}
	}
}

// order is an order as the ledger has it, by the app's id.
func (w *world) order(own string) (ledger.Order, bool) {
	o, ok := w.database.Orders[ledger.OrderID{AppID: accountID, ID: own}]
	return o, ok
}

// isPaid reports whether one of the app's orders is paid by a time.
func (w *world) isPaid(own string, at time.Time) bool {
	o, _ := w.order(own)
	sum := decimal.Zero
	for _, g := range o.GatewayOrders() {
		if s := w.gateway.orders[g.ID]; s != nil {
			sum = sum.Add(s.paid(w.holdsLate(), o.Released, at))
		}
	}
	return sum.GreaterThanOrEqual(decimal.RequireFromString(price))
}

// checkPairs: of a record nothing is at the app twice at a time, or after a later status, and
// an event is not handed over again after its yes was recorded, unless an operator asked.
func (w *world) checkPairs() {
	for i, c := range w.app.calls {
		for _, b := range w.app.calls[:i] {
			if b.key.Record != c.key.Record {
				continue
			}
			isDisturbed := b.isCut || w.mayRepeat(b) || b.by.wasDisturbed(b.at, min(c.at, b.answered+10*time.Second))
			isFrozen := b.by.stops.Touch(b.at, c.at) || b.by.wasKilled(b.at, c.at)
			if (b.answered == 0 || c.at < b.answered) && !isFrozen && !b.isCut {
				w.violated("ALONE", "%s by %s at %s while %s by %s from %s to %s", nameOf(c.key), c.by.name, c.at, nameOf(b.key), b.by.name, b.at, b.answered)
			}
			if b.key == c.key && b.yes && !isDisturbed {
				w.violated("ONCE", "%s by %s at %s after the yes to %s at %s", nameOf(c.key), c.by.name, c.at, b.by.name, b.answered)
			}
			if b.key == c.key && c.number <= b.number && !b.isCut && !w.passesThrough() {
				w.violated("COUNTED", "%s attempt %d at %s after %d at %s", nameOf(c.key), c.number, c.at, b.number, b.at)
			}
			if b.key != c.key && b.yes && !isDisturbed && rank(b.key) > rank(c.key) && c.reason != string(ledger.Replay) {
				w.violated("IN ORDER", "%s by %s at %s after %s was delivered at %s", nameOf(c.key), c.by.name, c.at, nameOf(b.key), b.answered)
			}
		}
	}
}

// mayRepeat reports whether an event that was delivered may be delivered again: somebody asked
// for it, or its outcome could not be stored.
func (w *world) mayRepeat(b *call) bool {
	from, until := w.begun.Add(b.at), w.begun.Add(b.answered+10*time.Second)
	isReplayed := slices.ContainsFunc(w.database.Replays, func(r simstore.Replay) bool { return r.Key == b.key && !r.At.Before(from) })
	return isReplayed || slices.ContainsFunc(w.cuts, func(c history.Cut) bool {
		began := from
		if c.Caddy == 0 { // which takes the lease that the process has had since then
			began = w.begun.Add(b.claimed)
		}
		return (c.Caddy == 0 || c.Caddy == b.run) && !c.From.Before(began) && c.From.Before(until)
	})
}

func rank(k ledger.Key) int {
	if k.Status == processing {
		return 2
	}
	return 3
}

// wasDisturbed reports whether the process may not have been able to store something.
func (p *process) wasDisturbed(from, until time.Duration) bool {
	return p.stops.Touch(from, until) || p.cuts.Touch(from, until) || p.wasKilled(from, until)
}

func (p *process) wasKilled(from, until time.Duration) bool {
	return slices.ContainsFunc(p.kills, func(at time.Duration) bool { return at >= from && at <= until })
}

// checkArrival: what was acknowledged has come to its end, and so has all that no webhook told.
func (w *world) checkArrival() {
	for key, e := range w.database.Events {
		o, _ := w.order(e.OrderID)
		isUnsure := key.Type == gateway.OrderExpired && e.State == ledger.Retrying && w.hasHeld(o) // until an operator decides
		switch {
		case e.State == ledger.Held && w.mayHold(e), isUnsure, e.State.Finished(): // Dead is not
		case !w.mustArrive(key):
		default:
			w.violated("SETTLES", "%s is %s: %s", nameOf(key), e.State, e.LastError)
		}
		if e.State == ledger.Superseded && key.Type != gateway.OrderExpired && !w.wasSuperseded(key) {
			w.violated("ARRIVES", "%s is superseded by nothing", nameOf(key))
		}
	}
	for _, p := range w.gateway.payments {
		key := keyOf(p, p.last, time.Now())
		e, isKept := w.database.Events[key]
		switch {
		case !isKept:
			w.violated("MISSED", "%s is %s at the gateway, and the ledger does not know", p.id, p.last)
		case e.State == ledger.Discarded, e.State == ledger.Held, !w.mustArrive(key):
		case !w.hasApplied(key):
			w.violated("ARRIVES", "%s is %s, and the app has not applied it: %s", nameOf(key), e.State, e.LastError)
		}
	}
}

// mustArrive reports whether an event is to come to its end by itself: where the sender waits
// for the app, its tries are the tries, and whoever replays or releases an event is told
// whether the gateway sends it again. What was acknowledged since then is to arrive.
func (w *world) mustArrive(key ledger.Key) bool {
	var last time.Time
	for _, r := range w.database.Replays {
		if r.Key == key {
			last = r.At
		}
	}
	return !w.passesThrough() || slices.ContainsFunc(w.hooks, func(h *hook) bool { return h.key == key && h.run > 0 && h.at.After(last) })
}

// wasSuperseded reports whether a later status of the record has come.
func (w *world) wasSuperseded(key ledger.Key) bool {
	for other := range w.database.Events {
		if other.Record == key.Record && (rank(other) > rank(key) || other.Status == key.Status && key.Risk == ledger.Risky && other.Risk == ledger.NotRisky) {
			return true
		}
	}
	return false
}

// mayHold reports whether an event may wait for an operator: its order was closed, or its
// payment came late or is risky.
func (w *world) mayHold(e ledger.Event) bool {
	o, ok := w.order(e.OrderID)
	p := w.gateway.payments[e.ID]
	isLate := p != nil && p.of != nil && w.holdsLate() && p.madeAt.After(p.of.expiry)
	return isLate || e.Risk == ledger.Risky && !w.trusts() || ok && o.Closed != nil
}

// checkMoney: each order that is paid is fulfilled, and each deposit credited.
func (w *world) checkMoney() {
	if w.trusts() {
		return
	}
	told := make(map[string]bool)
	for _, c := range w.app.calls {
		isApplied := slices.Contains(w.app.applied, c.id)
		switch {
		case isApplied && c.fulfils():
			told[c.header.Get("Ccpayment-Order-Id")] = true
		case isApplied && c.credits():
			told[c.key.ID] = true
		}
	}
	for i := range orders {
		o, ok := w.order(ownID(i))
		isOpen := ok && o.Closed == nil && !w.isDiscarded(o) && !slices.ContainsFunc(o.Events, func(e ledger.OrderEvent) bool { return !w.mustArrive(e.Key(o.AppID)) })
		isPaid := w.isPaid(ownID(i), time.Now())
		isHeld := slices.ContainsFunc(o.Events, func(e ledger.OrderEvent) bool { // also where another one of its record was released
			return e.Risk == ledger.NotRisky && w.database.Events[e.Key(o.AppID)].State == ledger.Held
		})
		if isOpen && isPaid && !isHeld && !told[ownID(i)] {
			w.violated("FULFILLED", "%s is paid, and the app was not told to fulfil it", ownID(i))
		}
		if isOpen && !isPaid && !w.passesThrough() && w.isOver(o) && !w.hasApplied(w.expiredKey(o)) {
			w.violated("EXPIRED", "%s has expired, and the app was not told", ownID(i))
		}
	}
	for _, p := range w.gateway.payments {
		key := keyOf(p, success, time.Now())
		isDue := p.of == nil && key.Risk == ledger.NotRisky && p.last == success && w.mustArrive(key) && w.database.Events[key].State != ledger.Discarded
		if isDue && !told[p.id] {
			w.violated("CREDITED", "%s was received, and not credited", p.id)
		}
	}
}

// isOver reports whether an order has expired some time before the end.
func (w *world) isOver(o ledger.Order) bool {
	return !w.isSet && o.Checkout != nil && o.Checkout.Latest().ExpiresAt.Before(w.begun.Add(ends-5*time.Minute)) && !w.mayHold(ledger.Event{OrderID: o.OwnID}) && !w.hasHeld(o) &&
		!slices.ContainsFunc(o.Events, func(e ledger.OrderEvent) bool { return w.accepted[e.RecordID] }) // nobody knows whether that pays it
}

// hasHeld reports whether an event of the order waits for an operator: then it is not known
// yet whether the order is paid.
func (w *world) hasHeld(o ledger.Order) bool {
	return slices.ContainsFunc(o.Events, func(e ledger.OrderEvent) bool { return w.database.Events[e.Key(o.AppID)].State == ledger.Held })
}

// expiredKey is the key of the event that an order has expired.
func (w *world) expiredKey(o ledger.Order) ledger.Key {
	return ledger.Key{
		Record: ledger.Record{Route: routeName, AppID: accountID, Type: gateway.OrderExpired, ID: o.Checkout.LatestMade().ID}, Risk: ledger.NotRisky,
	}
}

// isDiscarded reports whether an operator has thrown an event of the order away.
func (w *world) isDiscarded(o ledger.Order) bool {
	for _, e := range w.database.Events {
		if e.OrderID == o.OwnID && e.State == ledger.Discarded {
			return true
		}
	}
	return false
}
