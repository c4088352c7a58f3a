package ledgertest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// endings: the orders that end are listed by when they do, each once, for as long as they
// are to.
func endings(t *testing.T, s *store) {
	id := func(id string) ledger.OrderID { return ledger.OrderID{AppID: "app-123", ID: id} }
	ends := func(order string, at time.Time) {
		t.Helper()
		err := s.UpdateOrder(bg, id(order), func(o *ledger.Order) {
			o.OrderID = id(order)
			o.Checkout = &ledger.Checkout{EndAt: at, Generations: []ledger.GatewayOrder{{ID: order, Ref: "ref of " + order, Ended: at.IsZero()}}}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	want := func(when string, until time.Time, limit int, want ...string) {
		t.Helper()
		found, err := s.Ending(bg, until, limit)
		var ids []string
		for _, order := range found {
			ids = append(ids, order.ID)
		}
		if err != nil || !slices.Equal(ids, want) {
			t.Errorf("%s, %.40q end, %v, want %.40q", when, ids, err, want)
		}
	}
	minute := func(n int) time.Time { return start.Add(time.Duration(n) * time.Minute) }
	want("in an empty ledger", minute(60), 10)
	long := strings.Repeat("long ", 100)
	ends("one", minute(3))
	ends("two", minute(1))
	ends(long, minute(2))
	ends("never", time.Time{})
	want("before the first", minute(1).Add(-1), 10)
	want("at the first", minute(1), 10, "two")
	want("at the end", minute(60), 10, "two", long, "one")
	want("with a limit", minute(60), 2, "two", long)

	ends("two", minute(4))
	want("after one was put off", minute(60), 10, long, "one", "two")
	ends(long, time.Time{})
	want("after one has ended", minute(60), 10, "one", "two")

	// What an event says of an order does not change when it ends.
	e := event(record("1"), "Success")
	c := change(e, delivered...)
	c.Order = &ledger.Order{OrderID: id("one"), State: "paid", Paid: "10", ReadAt: start}
	s.commit(t, s.claim(t, e.Record), c)
	want("after an event", minute(60), 10, "one", "two")
	if found, err := s.Ending(bg, minute(3), 1); err != nil || len(found) != 1 || found[0].State != "paid" || !found[0].Checkout.EndAt.Equal(minute(3)) {
		t.Errorf("the order is %+v, %v", found, err)
	}

	// An update that is refused leaves it where it is.
	ends("other", minute(9))
	err := s.UpdateOrder(bg, id("two"), func(o *ledger.Order) {
		o.Checkout.EndAt = minute(1)
		o.Checkout.Generations = append(o.Checkout.Generations, ledger.GatewayOrder{ID: "other"})
	})
	if !errors.Is(err, ledger.ErrTaken) {
		t.Errorf("taking an order at the gateway from another: %v", err)
	}
	want("after an update that was refused", minute(5), 10, "one", "two")

	// The first of many are found without the others.
	for i := range 300 {
		ends(fmt.Sprint("later-", i), minute(100+i))
	}
	want("before many", minute(100), 10, "one", "two", "other", "later-0")
}
