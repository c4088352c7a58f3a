package postgres

import (
	"fmt"
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
		for _, s := range stores {
			all.Go(func() {
				<-start
				if err := s.UpdateOrder(bg, id, func(o *ledger.Order) { o.OrderID = id }); err != nil {
					t.Error(err)
				}
			})
		}
		close(start)
		all.Wait()
	}
}
