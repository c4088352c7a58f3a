package ledgertest

import (
	"reflect"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// closings: that an order was closed stays with it, whatever events say of it later, and a
// flag that is kept from all events is bound to none, although no event holds it.
func closings(t *testing.T, s *store) {
	id := ledger.OrderID{AppID: "app-123", ID: "order-1"}
	closing := ledger.Closing{At: start, Reason: "sold out (alice)", Forced: true, Ended: true}
	err := s.UpdateOrder(bg, id, func(o *ledger.Order) {
		o.OrderID, o.OwnID, o.State, o.Closed = id, "order-1", "unpaid", &closing
	})
	if err != nil {
		t.Fatal(err)
	}
	e := event(record("1"), "Success")
	c := change(e, delivered...)
	c.Order = &ledger.Order{OrderID: id, State: "partial", Paid: "4", ReadAt: start.Add(time.Minute)}
	s.commit(t, s.claim(t, e.Record), c)
	order, err := s.LoadOrder(bg, id)
	if err != nil || order.Closed == nil || !reflect.DeepEqual(*order.Closed, closing) || order.State != "partial" || order.Paid != "4" {
		t.Errorf("%+v, closed %+v, %v", order, order.Closed, err)
	}
	for state, want := range map[string]int{"closed": 1, "partial": 0, "": 1} {
		page, err := s.Orders(bg, ledger.OrderQuery{State: state, AnyAccount: true, Limit: 10})
		if err != nil || len(page.Orders) != want {
			t.Errorf("%d orders are %q, %v", len(page.Orders), state, err)
		}
	}

	nobody := ledger.Key{Record: ledger.Record{AppID: id.AppID, Type: "#closing", ID: id.ID}}
	flags := []ledger.Flag{id.Fulfill()}
	bind := func(key ledger.Key) bool {
		t.Helper()
		claim := s.claim(t, key.Record)
		bound, err := s.Bind(bg, claim, ledger.Change{Event: ledger.Event{Key: key}}, flags)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Unlock(bg, claim); err != nil {
			t.Fatal(err)
		}
		return bound[0]
	}
	if !bind(nobody) || bind(e.Key) || !bind(nobody) {
		t.Error("a flag that was kept is an event's")
	}
	if bound, err := s.Bound(bg, flags); err != nil || !bound[0] {
		t.Errorf("the flag is bound: %v, %v", bound, err)
	}
	if counts, err := s.Counts(bg); err != nil || len(counts) != 1 {
		t.Errorf("a flag that was kept counts as an event: %+v, %v", counts, err)
	}
}
