package ledger_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// versioned is a connection to a store that knows which orders have changed.
type versioned struct {
	*connection
	listens bool
	asked   atomic.Int32
}

// Keep implements [ledger.Cluster].
func (v *versioned) Keep(ctx context.Context, about ledger.Session, held []uint64) (ledger.News, error) {
	news, err := v.connection.Keep(ctx, about, held)
	news.Listens = v.listens
	return news, err
}

// OrderVersions implements [ledger.OrderVersions].
func (v *versioned) OrderVersions(ctx context.Context, ids []ledger.OrderID) ([]uint64, error) {
	v.asked.Add(1)
	versions := make([]uint64, len(ids))
	for i, id := range ids {
		order, _ := v.LoadOrder(ctx, id)
		versions[i] = uint64(len(order.Steps))
	}
	return versions, nil
}

// TestWatchElsewhere: a page that waits for an order learns of a change in another
// process, also where no hint comes, and is left alone while nothing changes.
func TestWatchElsewhere(t *testing.T) {
	order := ledger.Order{OrderID: ledger.OrderID{AppID: "app-123", ID: "1"}, Checkout: &ledger.Checkout{Generations: []ledger.GatewayOrder{{ID: "1"}}}}
	for name, c := range map[string]struct {
		store   func(*connection) ledger.Cluster
		most    int           // notices in a minute in which nothing changes
		learned time.Duration // at the latest
	}{
		"versions": {func(c *connection) ledger.Cluster { return &versioned{connection: c} }, 1, 5 * time.Second},
		"hints":    {func(c *connection) ledger.Cluster { return &versioned{connection: c, listens: true} }, 1, 25 * time.Second},
		"neither":  {func(c *connection) ledger.Cluster { return c }, 12, 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDatabase()
				a, b := join(t, c.store(d.Connect("a"))), join(t, d.Connect("b"))
				begun, notices := time.Now(), 0
				for end := time.After(time.Minute); time.Since(begun) < time.Minute; {
					changed, stop := a.Watch(order.OrderID)
					select {
					case <-changed:
						notices++
					case <-end:
					}
					stop()
				}
				if notices > c.most {
					t.Errorf("in a minute in which nothing changes it is told %d times to look", notices)
				}
				changed, stop := a.Watch(order.OrderID)
				defer stop()
				if err := b.SaveCheckout(bg, order, "made"); err != nil {
					t.Fatal(err)
				}
				begun = time.Now()
				<-changed
				if took := time.Since(begun); took > c.learned+time.Second {
					t.Errorf("it learned of the change after %s", took)
				}
			})
		})
	}
}
