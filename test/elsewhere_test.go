package test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/internal/postgrestest"
	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// twoCaddys share a ledger in a database, and serve different routes of one account:
// the first the route one, the second the others. The sandbox sends no webhooks: the test
// does.
type twoCaddys struct {
	t             *testing.T
	first, second *server
	box           *sandbox.Sandbox
	api           *client.Client
	refuses       atomic.Bool                 // whether the app does
	last          atomic.Pointer[http.Header] // what it got
}

func newTwoCaddys(t *testing.T) *twoCaddys {
	t.Helper()
	c := &twoCaddys{t: t}
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.last.Store(&r.Header)
		if c.refuses.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	t.Cleanup(app.Close)
	var err error
	if c.box, err = sandbox.New(sandbox.Options{AppID: appID, AppSecret: appSecret}); err != nil {
		t.Fatal(err)
	}
	api := httptest.NewServer(c.box)
	t.Cleanup(func() { api.Close(); c.box.Close() })
	base := api.URL + "/ccpayment/v2"
	if c.api, err = client.New(client.Credentials{AppID: appID, AppSecret: appSecret}, client.WithBaseURL(base)); err != nil {
		t.Fatal(err)
	}
	database := postgrestest.Start(t)
	start := func(routes string) *server {
		s := newServer(t, app.URL)
		usual := onDatabase(database.URL())
		global := strings.Replace(strings.TrimSuffix(usual, site), "ccpayment {", "ccpayment {\nbase_url "+base, 1)
		s.start(global + "http://127.0.0.1:{$PORT} {\n" + routes + "reverse_proxy {$APP}\n}\n")
		return s
	}
	route := func(name, option string) string {
		return fmt.Sprintf("ccpayment_webhook /%s {\nroute %[1]s\ntoken %s\n%s\n}\n", name, token, option)
	}
	c.first = start(route("one", ""))
	c.second = start(route("two", "") + route("filtered", "types UserDeposit") + route("unasked", "confirm off"))
	for _, s := range []*server{c.first, c.second} {
		processtest.Until(t, "each knows of the other's routes", func() bool {
			out, _ := s.command("ccpayment", "status", "--address", s.admin)
			return strings.Contains(out, "elsewhere")
		})
	}
	return c
}

// arrive makes a payment of an order arrive, of so many coins; 0: the rest.
func (c *twoCaddys) arrive(order string, coins int64) (recordID string) {
	c.t.Helper()
	paid, err := c.box.Pay(c.t.Context(), sandbox.Payment{OrderID: order, Amount: decimal.New(coins, 0), Instant: true, Wait: 10 * time.Second})
	if err != nil {
		c.t.Fatal(err)
	}
	return paid.RecordID
}

// notify delivers the webhook of an order's payment to the Caddy that serves the route,
// and returns what the app got of it.
func (c *twoCaddys) notify(route, order, recordID string, want int) http.Header {
	c.t.Helper()
	at := c.second
	if route == "one" {
		at = c.first
	}
	c.last.Store(new(http.Header))
	body := `{"type":"ApiDeposit","msg":{"recordId":"` + recordID + `","orderId":"` + order + `","coinId":1280,"status":"Success","isFlaggedAsRisky":false}}`
	a, err := deliver(c.t.Context(), processtest.Once, strings.TrimSuffix(at.hook, "hook")+route, event{body: body}, appSecret)
	if err != nil || a.status != want {
		c.t.Fatalf("the webhook of record %s on %s: %d %q, %v, want %d", recordID, route, a.status, a.text, err, want)
	}
	return *c.last.Load()
}

// TestRestIsToComeElsewhere: a part of an order that the app may have leaves Fulfill to
// the rest while that is still to come on a route that confirms, whichever Caddy serves
// it, and to nobody else: a payment whose webhook came on another's route that gives no
// Fulfill does not come again.
func TestRestIsToComeElsewhere(t *testing.T) {
	t.Parallel()
	c := newTwoCaddys(t)
	for i, test := range []struct {
		before, comes string
		isLeft        bool
		isGone        bool // the second Caddy, meanwhile
	}{
		{"", "two", true, false},
		{"two", "two", true, false}, // where the API does not answer at first
		{"filtered", "one", false, false},
		{"unasked", "one", false, false},
		{"filtered", "one", false, true},
	} {
		order := fmt.Sprint("order-", i)
		_, err := c.api.CreateDepositOrder(t.Context(), client.DepositOrderRequest{OrderID: order, CoinID: "1280", Chain: "TRX", Price: decimal.New(10, 0)})
		if err != nil {
			t.Fatal(err)
		}
		c.refuses.Store(true)
		part := c.arrive(order, 5)
		c.notify("one", order, part, http.StatusBadGateway)
		c.refuses.Store(false)
		rest := c.arrive(order, 0)
		switch test.before {
		case "":
		case test.comes:
			if err := c.box.SetFaults(sandbox.Fault{Endpoint: "getAppOrderInfo", Code: 11003}); err != nil {
				t.Fatal(err)
			}
			c.notify(test.before, order, rest, http.StatusServiceUnavailable)
			c.box.ClearFaults()
		default:
			c.notify(test.before, order, rest, http.StatusOK)
		}
		if test.isGone {
			c.second.stop()
			processtest.Until(t, "the first knows that nobody serves the others", func() bool {
				out, _ := c.first.command("ccpayment", "status", "--address", c.first.admin)
				return !strings.Contains(out, "elsewhere")
			})
		}
		fulfils := func(header http.Header) bool { return header.Get("Ccpayment-Fulfill") == "true" }
		first := fulfils(c.notify("one", order, part, http.StatusOK))
		second := fulfils(c.notify(test.comes, order, rest, http.StatusOK))
		if first == test.isLeft || second != test.isLeft {
			t.Errorf("%+v: the part fulfils the order: %t, and the rest: %t", test, first, second)
		}
	}
}
