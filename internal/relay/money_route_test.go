package relay_test

import (
	"context"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/confirm"
	"github.com/seed-338f6760/caddy-ccpayment/internal/relay"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/store/bolt"
)

// newMoneyRoute returns a route of an account, and its ledger.
func newMoneyRoute(t *testing.T, account *gateway.Account, policy confirm.Policy) (*relay.Route, *ledger.Ledger) {
	t.Helper()
	store, err := bolt.Open(filepath.Join(t.TempDir(), "ledger.db"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	l := ledger.New(store, time.Now)
	return &relay.Route{
		Name: "webhook", Account: account, Timeout: 30 * time.Second, Wait: 10 * time.Second,
		AccountOf: func(ledger.Event) (*gateway.Account, bool) { return account, true },
		Confirm: &confirm.Confirmer{
			Policy: policy, Now: time.Now, Routes: func() map[string]bool { return map[string]bool{"webhook": true} },
		},
		Replay: func(ctx context.Context, e ledger.Event, cause string) error { return l.Replay(ctx, e.Key, cause) },
		Report: func(relay.Outcome) {},
		Now:    time.Now,
	}, l
}

// answering is an app that responds 200 or 500, and keeps the headers that it got.
type answering struct {
	yes    bool
	called []http.Header
}

func (a *answering) Deliver(_ context.Context, m relay.Message) (relay.Response, error) {
	header := make(http.Header)
	for _, f := range m.Header {
		header.Set(f.Name, f.Value)
	}
	a.called = append(a.called, header)
	if !a.yes {
		return relay.Response{Status: http.StatusInternalServerError}, nil
	}
	return relay.Response{Status: http.StatusOK}, nil
}

// take has a route take a webhook, with an app that responds 200 or 500, and returns the
// reply's status and the headers of the app's calls.
func take(route *relay.Route, l *ledger.Ledger, r gateway.Request, now time.Time, yes bool) (status int, calls []http.Header) {
	g := route.Account.Gateway
	if _, err := g.Verify(r, now); err != nil {
		panic(err)
	}
	n, err := g.Read(r.Body)
	if err != nil {
		panic(err)
	}
	event := route.Event(n, ledger.Request{Method: http.MethodPost, URI: "/hook"}, r.Body, now)
	app := &answering{yes: yes}
	reply := route.Receive(context.Background(), n, event, app, l)
	return reply.Status, app.called
}
