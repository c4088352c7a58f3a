package test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// shop is a Caddy that confirms, between an app and a CCPayment whose retries
// come a hundred times as fast.
type shop struct {
	*server
	app    *receiver
	box    *sandbox.Sandbox
	client *client.Client
	config string
	// lies, if set, responds instead of CCPayment to Caddy's calls.
	lies atomic.Pointer[http.HandlerFunc]
}

// newShop starts a shop that delivers in the background, or passes through.
func newShop(t *testing.T, stores bool) *shop {
	t.Helper()
	return newShopAt(t, stores, newServer)
}

// newShopAt starts a shop with the server that serverFor makes for the app.
func newShopAt(t *testing.T, stores bool, serverFor func(t *testing.T, app string) *server) *shop {
	t.Helper()
	box, err := sandbox.New(sandbox.Options{AppID: appID, AppSecret: appSecret, Speed: 100})
	if err != nil {
		t.Fatal(err)
	}
	s := &shop{app: newReceiver(t), box: box, config: site}
	api := httptest.NewServer(s)
	t.Cleanup(func() { api.Close(); box.Close() })
	base := api.URL + "/ccpayment/v2"
	connections := client.NewHTTPClient()
	t.Cleanup(connections.CloseIdleConnections)
	c, err := client.New(client.Credentials{AppID: appID, AppSecret: appSecret}, client.WithBaseURL(base), client.WithHTTPClient(connections))
	if err != nil {
		t.Fatal(err)
	}

	s.client = c
	s.app.comes()
	s.server = serverFor(t, s.app.url)
	if stores {
		s.config = stored
	}
	s.config = strings.Replace(globals, "ccpayment {", "ccpayment {\n\t\tbase_url "+base, 1) + strings.Replace(s.config, "confirm off", "confirm on", 1)
	if err := box.SetWebhookURL(s.hook); err != nil {
		t.Fatal(err)
	}
	s.start(s.config)
	return s
}

// ServeHTTP is CCPayment's API, unless something is wrong with it.
func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if lies := s.lies.Load(); lies != nil && strings.Contains(r.URL.Path, "/ccpayment/v2/get") {
		(*lies)(w, r)
		return
	}
	s.box.ServeHTTP(w, r)
}

// pay makes a payment of the order's whole price arrive, whatever was paid
// before. Its webhooks follow.
func (s *shop) pay(orderID string) (recordID string) {
	s.t.Helper()
	paid, err := s.box.Pay(s.t.Context(), sandbox.Payment{OrderID: orderID, Amount: decimal.New(10, 0), Instant: true})
	if err != nil {
		s.t.Fatal(err)
	}
	return paid.RecordID
}

func (s *shop) order(id string) {
	s.t.Helper()
	_, err := s.client.CreateDepositOrder(s.t.Context(), client.DepositOrderRequest{
		OrderID: id, CoinID: "1280", Chain: "TRX", Price: decimal.New(10, 0),
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// succeeded waits for the app's yes to the Success of the record, and returns
// all calls that it took.
func (s *shop) succeeded(recordID string) (calls []call) {
	s.t.Helper()
	processtest.Until(s.t, "the app has said yes to "+recordID, func() bool {
		calls = nil
		for _, c := range s.app.received() {
			if c.record == recordID && c.status == "Success" {
				calls = append(calls, c)
			}
		}
		return len(calls) > 0 && calls[len(calls)-1].yes > 0
	})
	return calls
}

// ways are the ways of delivery, and whether events are stored and delivered in the
// background.
var ways = map[string]bool{"pass-through": false, "store-and-forward": true}
