package test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/client"
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
	// lies, if set, answers in place of CCPayment what Caddy asks it.
	lies atomic.Pointer[lie]
	// doomed is the Caddy that the app kills next, if any.
	doomed atomic.Pointer[process]
}

// newShop starts one that hands over in the background, or passes through.
func newShop(t *testing.T, stores bool) *shop {
	t.Helper()
	return newShopAt(t, stores, newServer)
}

// newShopAt starts one at a place that is found for the app.
func newShopAt(t *testing.T, stores bool, place func(t *testing.T, app string) *server) *shop {
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
	s.server = place(t, s.app.url)
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

// lie is what somebody says in place of CCPayment.
type lie func(w http.ResponseWriter, r *http.Request)

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
	until(s.t, "the app has said yes to "+recordID, func() bool {
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

// kill ends the Caddy that is doomed, once.
func (s *shop) kill(w http.ResponseWriter, _ call) {
	if doomed := s.doomed.Swap(nil); doomed != nil {
		doomed.signal(s.t, syscall.SIGKILL)
		panic(http.ErrAbortHandler) // nobody is there for an answer
	}
}

var ways = map[string]bool{"pass-through": false, "store-and-forward": true}

// TestKilledCarrier kills Caddy while the app handles the event that tells it to
// fulfil the order.
func TestKilledCarrier(t *testing.T) {
	for name, stores := range ways {
		t.Run(name, func(t *testing.T) {
			s := newShop(t, stores)
			s.app.meets = func(w http.ResponseWriter, c call) {
				if c.fulfill {
					s.kill(w, c)
				}
			}
			s.order("order-1")
			s.doomed.Store(s.process)
			record := s.pay("order-1")
			<-s.ended
			s.start(s.config)

			calls := s.succeeded(record)
			if len(calls) != 2 {
				t.Fatalf("the app was called %d times: %+v", len(calls), calls)
			}
			cut, again := calls[0], calls[1]
			if cut.yes != 0 || cut.attempt != 1 || cut.attemptReason != "initial" {
				t.Errorf("the first attempt was %+v", cut)
			}
			want := call{attempt: 1, attemptReason: "retry"} // in pass-through it is not counted
			if stores {
				want = call{attempt: 2, attemptReason: "retry"}
			}
			if again.key != cut.key || !again.fulfill || again.attempt != want.attempt || again.attemptReason != want.attemptReason {
				t.Errorf("after %+v came %+v", cut, again)
			}
			for range 2 {
				for _, c := range s.succeeded(s.pay("order-1")) {
					if c.fulfill || c.reason != "already_fulfilled" {
						t.Errorf("a further payment was %+v", c)
					}
				}
			}
			s.stop()
		})
	}
}

// TestKilledAtTheYes kills Caddy around the moment in which the app says yes.
// Whether Caddy has learned of it or not, an order has one event that fulfils it.
func TestKilledAtTheYes(t *testing.T) {
	const orders = 4
	for name, stores := range ways {
		t.Run(name, func(t *testing.T) {
			s := newShop(t, stores)
			s.app.meets = func(_ http.ResponseWriter, c call) {
				if !c.fulfill {
					return
				}
				if doomed := s.doomed.Swap(nil); doomed != nil {
					// From before the answer to after the commit.
					time.AfterFunc(rand.N(15*time.Millisecond), func() { doomed.signal(s.t, syscall.SIGKILL) })
				}
			}
			for round := range *kills {
				s.doomed.Store(s.process)
				var records []string
				for n := range orders {
					id := fmt.Sprintf("order-%d-%d", round, n)
					s.order(id)
					// Each would do for it.
					records = append(records, s.pay(id), s.pay(id))
				}
				<-s.ended
				s.start(s.config)
				for _, record := range records {
					s.succeeded(record)
				}
			}
			s.stop()

			carriers := make(map[string]string) // of each order
			again := 0
			for key, calls := range s.app.keys() {
				again += len(calls) - 1
				for _, c := range calls {
					if c.fulfill != calls[0].fulfill {
						t.Errorf("%s of %s has Fulfill on some attempts only: %+v", key, c.order, calls)
					}
					if c.fulfill {
						if other, ok := carriers[c.order]; ok && other != key {
							t.Errorf("%s and %s both fulfil %s", other, key, c.order)
						}
						carriers[c.order] = key
					}
				}
			}
			if len(carriers) != *kills*orders {
				t.Errorf("%d of %d orders were fulfilled", len(carriers), *kills*orders)
			}
			if stores { // in pass-through, an attempt that was cut off leaves no trace
				checkRecords(t, s.app.received())
			}
			t.Logf("%d orders with two payments each, %d kills, %d attempts made again", *kills*orders, *kills, again)
		})
	}
}
