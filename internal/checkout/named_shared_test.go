package checkout

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/postgrestest"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/store/postgres"
)

func TestMain(m *testing.M) { os.Exit(postgrestest.Main(m)) }

// restless is a namer that loses answers, lists orders late and has processes die.
type restless struct{ namer }

func (g *restless) Create(ctx context.Context, o gateway.NewOrder) (gateway.Checkout, error) {
	g.mu.Lock()
	g.unlisted = rand.IntN(2)
	switch rand.IntN(6) {
	case 0:
		g.before = gateway.ErrOutcomeUnknown
	case 1:
		g.after = gateway.ErrOutcomeUnknown
	case 2:
		g.dies = true
	case 3:
		g.before = gateway.ErrBusy
	}
	g.mu.Unlock()
	return g.namer.Create(ctx, o)
}

// sharing returns the ledger of another process in a schema, and its store.
func sharing(t *testing.T, url, schema string) (*ledger.Ledger, ledger.Store) {
	t.Helper()
	store, err := postgres.Open(postgres.Options{URL: url, Schema: schema, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	postgrestest.UntilUsable(t, store)
	l := ledger.New(store, time.Now)
	ctx, stop := context.WithCancel(context.Background())
	shares := make(chan struct{})
	go func() {
		defer close(shares)
		l.Share(ctx, func() ledger.Session { return ledger.Session{} }, func(error) {})
	}()
	t.Cleanup(func() {
		stop()
		<-shares
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l, store
}

// TestNamedOrderOfMany: an order has one checkout, whichever of several processes is asked
// for it, and whatever becomes of the calls.
func TestNamedOrderOfMany(t *testing.T) {
	server := postgrestest.Shared(t)
	schema := server.Schema(t)
	g := new(restless)
	var processes []*Sessions
	for range 3 {
		l, _ := sharing(t, server.URL(), schema)
		s, err := New(Config{
			Account: &gateway.Account{
				Gateway: g, Budget: 10 * time.Second,
				Info: gateway.Info{Title: "PayNamer", AccountID: fuzzAppID, Limits: DefaultInfo.Limits},
			},
			Ledger: func() (*ledger.Ledger, func(), error) { return l, func() {}, nil },
			Now:    time.Now, Logger: zap.NewNop(),
		})
		if err != nil {
			t.Fatal(err)
		}
		s.findPause, s.makeAgain = time.Millisecond, time.Millisecond
		processes = append(processes, s)
	}
	const orders = 8
	var all sync.WaitGroup
	for i := range 3 * orders {
		all.Go(func() {
			s, id := processes[i%3], fmt.Sprint("order-", i%orders)
			for {
				err := survive(func() error {
					_, err := s.Open(t.Context(), Request{OrderID: id, Price: "10", Currency: "USD"})
					return err
				})
				var refused *Error
				switch {
				case err == nil:
					return
				case errors.Is(err, errKilled):
				case !errors.As(err, &refused) || refused.Status < 503:
					t.Errorf("%s: %v", id, err)
					return
				}
			}
		})
	}
	all.Wait()
	made := make(map[string]int)
	for _, i := range g.invoices {
		made[i.id]++
	}
	if len(made) != orders || len(g.invoices) != orders {
		t.Errorf("of %d orders there are %v, by %d calls", orders, made, len(g.calls))
	}
}

var errKilled = errors.New(killed)

// survive returns errKilled where the process dies that f stands for.
func survive(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errKilled
		}
	}()
	return f()
}
