package postgres

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/postgrestest"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// TestOlderReadings: an older reading of an order that is committed later does not
// replace a newer one, however far this machine's clock is from the database's, by which
// they were read.
func TestOlderReadings(t *testing.T) {
	server := postgrestest.Shared(t)
	s := member(t, Options{URL: server.URL(), Schema: server.Schema(t)})
	s.sql.readOrders = strings.ReplaceAll(s.sql.readOrders, "clock_timestamp()", "clock_timestamp() + interval '90 seconds'")
	database := time.Now().Add(90 * time.Second)
	id := ledger.OrderID{AppID: "a", ID: "1"}
	commit := func(event, state string, read time.Time) {
		c := one(event, ledger.Delivering, ledger.Delivered)
		c.Order = &ledger.Order{OrderID: id, State: state, ReadAt: read}
		claim, err := s.Claim(bg, c.Event.Record, time.Minute)
		if err == nil {
			err = s.Commit(bg, claim, []ledger.Change{c})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	commit("1", "paid", database)
	commit("2", "partial", database.Add(-5*time.Second))
	if o, err := s.LoadOrder(bg, id); err != nil || o.State != "paid" {
		t.Errorf("the order is %s, %v", o.State, err)
	}
}

// TestOrderVersions: which orders have changed is asked at once.
func TestOrderVersions(t *testing.T) {
	server := postgrestest.Shared(t)
	asked := 0
	s := member(t, Options{URL: server.URL(), Schema: server.Schema(t), counted: func(method string) {
		if method == "OrderVersions" {
			asked++
		}
	}})
	ids := []ledger.OrderID{{AppID: "a", ID: "1"}, {AppID: "a", ID: "2"}, {AppID: "b", ID: "1"}}
	versions := func() []uint64 {
		t.Helper()
		got, err := s.OrderVersions(bg, ids)
		if err != nil || len(got) != len(ids) {
			t.Fatalf("%v, %v", got, err)
		}
		return got
	}
	update := func(id ledger.OrderID) {
		t.Helper()
		if err := s.UpdateOrder(bg, id, func(o *ledger.Order) { o.OrderID = id }); err != nil {
			t.Fatal(err)
		}
	}
	if got := versions(); !slices.Equal(got, []uint64{0, 0, 0}) {
		t.Errorf("of orders that nobody knows: %v", got)
	}
	update(ids[0])
	update(ids[2])
	before := versions()
	if before[0] == 0 || before[1] != 0 || before[2] == 0 {
		t.Errorf("of new orders: %v", before)
	}
	update(ids[2])
	if after := versions(); after[0] != before[0] || after[1] != 0 || after[2] == before[2] {
		t.Errorf("when one has changed: %v, before %v", after, before)
	}
	if asked != 3 {
		t.Errorf("it asked %d times", asked)
	}
}
