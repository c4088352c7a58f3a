package postgres

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/internal/postgrestest"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// TestOrdersMadeAtOnce: several Caddys that see an order for the first time at once all
// record what they saw.
func TestOrdersMadeAtOnce(t *testing.T) {
	server := postgrestest.Shared(t)
	schema := server.Schema(t)
	var stores []*Store
	for range 4 {
		stores = append(stores, member(t, Options{URL: server.URL(), Schema: schema, NoListen: true}))
	}
	for n := range 300 {
		id := ledger.OrderID{AppID: "app", ID: fmt.Sprint("order-", n)}
		var all sync.WaitGroup
		start := make(chan struct{})
		for at, s := range stores {
			all.Go(func() {
				<-start
				err := s.UpdateOrder(bg, id, func(o *ledger.Order) {
					o.OrderID, o.Released = id, append(o.Released, fmt.Sprint(at))
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		close(start)
		all.Wait()
		o, err := stores[0].LoadOrder(bg, id)
		slices.Sort(o.Released)
		if err != nil || !slices.Equal(o.Released, []string{"0", "1", "2", "3"}) {
			t.Errorf("of %s is recorded what these saw: %v, %v", id.ID, o.Released, err)
		}
	}
}
