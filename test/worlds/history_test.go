package worlds

import (
	"slices"
	"strings"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/test/history"
)

// checkHistory has the judge of the programs judge what it knows of: deposits, and orders with
// one payment, of which nobody took a step on any, and to which the app always said yes.
func (w *world) checkHistory() {
	if w.passesThrough() {
		return
	}
	h := history.History{Shared: true, Cuts: w.allCuts()}
	for key, e := range w.database.Events {
		if w.isPlain(key) {
			h.Events = append(h.Events, e)
		}
	}
	for _, o := range w.database.Orders {
		h.Orders = append(h.Orders, o)
	}
	w.addSent(&h)
	ids := make(map[string]bool)
	for _, c := range w.app.calls {
		if !w.isPlain(c.key) {
			continue
		}
		ids[c.id] = true
		a := history.Attempt{
			Caddy: c.run, App: 1, At: w.begun.Add(c.at), EventID: c.id, Record: c.key.ID, Status: c.key.Status, Order: c.order, Digest: c.digest,
			Seq: c.seq, Number: c.number, Reason: c.reason, Fulfill: c.fulfils(), Yes: c.yes,
		}
		if c.answered > 0 {
			a.Answered = w.begun.Add(c.answered)
		}
		h.Attempts = append(h.Attempts, a)
	}
	for _, id := range w.app.applied {
		if ids[id] {
			h.Applied = append(h.Applied, id)
		}
	}
	for _, v := range history.Check(h).Violations {
		w.violated("HISTORY "+strings.ToUpper(string(v.Promise)), "%s", v.Text)
	}
}

// isPlain reports whether an event is of a deposit, or of an order with one payment in time,
// nobody took a step on it, and each of the app's answers arrived and was yes.
func (w *world) isPlain(key ledger.Key) bool {
	p := w.gateway.payments[key.ID]
	isCut := func(c *call) bool { return c.key.ID == key.ID && c.isCut }
	if p == nil || p.risky || w.steps[p.id] || slices.ContainsFunc(w.app.calls, isCut) {
		return false
	}
	if p.of == nil {
		return true
	}
	o, _ := w.order(p.of.own)
	return !w.steps[p.of.own] && len(o.GatewayOrders()) == 1 && len(p.of.payments) == 1 && p.madeAt.Before(p.of.expiry)
}

// addSent adds the webhooks, and what the gateway tells without.
func (w *world) addSent(h *history.History) {
	for _, s := range w.hooks {
		if w.isPlain(s.key) {
			h.Sent = append(h.Sent, sentOf(s.payment, s.key, s.digest, s.run, s.at))
		}
	}
	for _, p := range w.gateway.payments {
		if key := keyOf(p, p.last, time.Now()); w.isPlain(key) {
			h.Sent = append(h.Sent, sentOf(p, key, digest(p.body(p.last, time.Now())), 0, time.Time{}))
			if p.of != nil && !w.trusts() && w.isPaid(p.of.own, time.Now()) {
				h.Paid = append(h.Paid, p.of.id)
			}
		}
	}
}

func sentOf(p *payment, key ledger.Key, digest string, run int, at time.Time) history.Sent {
	key.Route = ""
	s := history.Sent{Key: key, Digest: digest, Acknowledged: run, At: at}
	if p.of != nil {
		s.Order = p.of.id
	}
	return s
}

// allCuts are the moments that were noted, and the faults that were planned.
func (w *world) allCuts() []history.Cut {
	cuts := slices.Clone(w.cuts)
	for run, p := range w.runs {
		for _, s := range slices.Concat(p.stops, p.cuts) {
			cuts = append(cuts, history.Cut{Caddy: run + 1, From: w.begun.Add(s.From), To: w.begun.Add(s.Until)})
		}
		for _, at := range p.kills {
			cuts = append(cuts, history.Cut{Caddy: run + 1, From: w.begun.Add(at), To: w.begun.Add(at)})
		}
	}
	return cuts
}
