package relay_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	cp "github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/gateway/coinpayments"
	"github.com/seed-338f6760/caddy-ccpayment/internal/confirm"
	"github.com/seed-338f6760/caddy-ccpayment/internal/relay"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// coinsGate is a route over a real ledger, between CoinPayments and an app, without a
// network.
type coinsGate struct {
	route  *relay.Route
	ledger *ledger.Ledger
	coins  *coins
	ids    int // made so far, and webhooks sent
}

func (g *coinsGate) RoundTrip(r *http.Request) (*http.Response, error) { return g.coins.RoundTrip(r) }

var coinsCredentials = cp.Credentials{ClientID: coinsClient, ClientSecret: "secret-456"}

func newCoinsGate(t *testing.T, policy confirm.Policy, testing bool) *coinsGate {
	t.Helper()
	g := &coinsGate{}
	const timeout = 10 * time.Second
	v2, err := coinpayments.New(
		coinpayments.Config{ClientID: coinsClient, ClientSecret: coinsCredentials.ClientSecret, BaseURL: "http://127.0.0.1/coinpayments"},
		gateway.OpenOptions{Timeout: timeout, HTTP: &http.Client{Transport: g}, WebhookURL: coinsHook},
	)
	if err != nil {
		t.Fatal(err)
	}
	account := &gateway.Account{Gateway: v2, Info: v2.Info(), Budget: 4 * timeout, Testing: testing}
	g.route, g.ledger = newMoneyRoute(t, account, policy)
	return g
}

func (g *coinsGate) newID(kind string) string {
	g.ids++
	return fmt.Sprintf("%s%09d", kind, g.ids)
}

// deliver sends one signed webhook, with an app that responds 200 or 500, and returns
// what was sent, the reply's status and the headers of the app's calls.
func (g *coinsGate) deliver(e coinsNotice, yes bool) (body string, status int, calls []http.Header) {
	g.ids++
	now := time.Now()
	body = e.body(g.ids)
	timestamp, header := cp.Timestamp(now), make(http.Header)
	header.Set(cp.HeaderClient, coinsClient)
	header.Set(cp.HeaderTimestamp, timestamp)
	header.Set(cp.HeaderSignature, cp.Sign(coinsCredentials, http.MethodPost, coinsHook, timestamp, []byte(body)))
	r := gateway.Request{Method: http.MethodPost, URL: coinsHook, Header: header, Body: []byte(body)}
	status, calls = take(g.route, g.ledger, r, now, yes)
	return body, status, calls
}
