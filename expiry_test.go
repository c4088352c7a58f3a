package ccpayment_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// expirySite is a shop whose app is told of orders that expire, where $TYPES says so.
const expirySite = `http://:$PORT {
	bind 127.0.0.1
	ccpayment_webhook /hook $APP {
		$TYPES
		retry {
			first 20ms
			max 60ms
			give_up 10m
		}
	}
	ccpayment_checkout
	reverse_proxy $APP
}`

const tellsExpiry = "types ApiDeposit OrderExpired\nstatuses Processing Success"

type expiryShop struct {
	consoleShop
	setup setup
	down  atomic.Bool // the app takes no events
	ids   int
}

func newExpiryShop(t *testing.T, types string) *expiryShop {
	t.Helper()
	box, c, base := newSandbox(t, 1)
	e := &expiryShop{}
	e.setup = setup{
		global: adminOn, account: "webhook_url http://127.0.0.1:$PORT/hook\nbase_url " + base,
		app: func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path != "/hook":
				asks(r.Header.Get("X-Terms"))(w, r)
			case e.down.Load():
				w.WriteHeader(http.StatusInternalServerError)
			}
		},
	}
	s := &shop{box: box, c: c}
	s.server = start(t, e.with(types))
	e.consoleShop = consoleShop{s}
	return e
}

func (s *expiryShop) with(types string) setup {
	changed := s.setup
	changed.site = strings.Replace(expirySite, "$TYPES", types, 1)
	return changed
}

// opens shows the checkout of an order of ten dollars for a second, or for an hour.
func (s *expiryShop) opens(order string, seconds int) {
	s.t.Helper()
	terms := fmt.Sprintf(`{"order_id":%q,"price":"10","currency":"USD","expires_in":%d}`, order, seconds)
	if got := s.visit(http.MethodPost, "/buy", "", http.Header{"X-Terms": {terms}}); got.status != http.StatusCreated {
		s.t.Fatalf("%s: %d %s", order, got.status, got.body)
	}
}

// expires waits until an order has expired.
func (s *expiryShop) expires(order string) {
	s.t.Helper()
	await(s.t, order+" has expired", func() bool {
		var o struct {
			Generations []struct {
				ExpiresAt time.Time `json:"expires_at"`
			}
		}
		s.ask(http.MethodGet, "orders/"+order, "", http.StatusOK, &o)
		return time.Now().After(o.Generations[len(o.Generations)-1].ExpiresAt)
	})
}

// looks has Caddy look at what has expired, which a new configuration does first, and
// returns once it has told of an order that expires only then.
func (s *expiryShop) looks(types string) {
	s.t.Helper()
	s.ids++
	last := fmt.Sprint("last-", s.ids)
	s.opens(last, 1)
	s.expires(last)
	s.load(s.with(types))
	await(s.t, "the app is told of "+last+", and of those before", func() bool {
		var status struct{ Routes []struct{ Pending int } }
		s.ask(http.MethodGet, "status", "", http.StatusOK, &status)
		return len(s.told(last)) == 1 && status.Routes[0].Pending == 0
	})
}

// told are the calls of the app that an order has expired.
func (s *expiryShop) told(order string) (calls []received) {
	for _, call := range s.hooks() {
		if call.header.Get("Ccpayment-Type") == "OrderExpired" && call.header.Get("Ccpayment-Order-Id") == order {
			calls = append(calls, call)
		}
	}
	return calls
}

// TestOrderExpired: the app is told once of each checkout of an order that nobody has paid
// when it expires, and of a payment that comes all the same as ever.
func TestOrderExpired(t *testing.T) {
	s := newExpiryShop(t, tellsExpiry)
	s.opens("order-1", 1)
	s.opens("half", 2)
	half := decimal.New(5, 0)
	if _, err := s.box.Pay(t.Context(), sandbox.Payment{OrderID: "half", Amount: half, Instant: true, Wait: patience}); err != nil {
		t.Fatal(err)
	}
	s.expires("order-1")
	s.expires("half")
	s.looks(tellsExpiry)
	s.looks(tellsExpiry)
	calls := s.told("order-1")
	if len(calls) != 1 {
		t.Fatalf("the app was told %d times: %+v", len(calls), calls)
	}
	calls[0].says(t, map[string]string{
		"Ccpayment-Kind": "other", "Ccpayment-Status": "Unpaid", "Ccpayment-Record-Id": "order-1", "Ccpayment-Gateway": "ccpayment",
		"Ccpayment-Confirmed": "true", "Ccpayment-Order-State": "expired", "Ccpayment-Order-Amount-Due": "10",
		"Ccpayment-Order-Amount-Paid": "0", "Ccpayment-Order-Currency": "USD", "Ccpayment-Fulfill": "", "Ccpayment-Risky": "", "Ccpayment-Attempt": "1",
	})
	var body struct {
		Type string
		Msg  struct {
			OrderID, Status, Price, Currency string
			ExpiresAt                        time.Time
		}
	}
	if err := json.Unmarshal([]byte(calls[0].body), &body); err != nil || body.Type != "OrderExpired" || body.Msg.OrderID != "order-1" ||
		body.Msg.Status != "Unpaid" || body.Msg.Price != "10" || body.Msg.Currency != "USD" || time.Now().Before(body.Msg.ExpiresAt) {
		t.Errorf("%s, %v", calls[0].body, err)
	}
	if calls := s.told("half"); len(calls) != 1 || calls[0].header.Get("Ccpayment-Status") != "Partial" || calls[0].header.Get("Ccpayment-Order-State") != "partial" {
		t.Errorf("of the half: %+v", calls)
	}

	// Opened again, it expires again.
	s.opens("order-1", 1)
	s.expires("order-1")
	s.looks(tellsExpiry)
	again := s.told("order-1")
	if len(again) != 2 || again[1].header.Get("Idempotency-Key") == again[0].header.Get("Idempotency-Key") {
		t.Fatalf("opened again, the app was told %d times: %+v", len(again), again)
	}
	s.payAll("order-1")
	await(t, "the late payment fulfils it", func() bool { return len(fulfils(s.hooks())) == 1 })
	s.looks(tellsExpiry)
	if n := len(s.told("order-1")); n != 2 {
		t.Errorf("paid, the app was told %d times", n)
	}
}

// TestNoExpiry: nobody is told of an order that was opened before a route named it, that is
// paid, or that a payment is on its way to.
func TestNoExpiry(t *testing.T) {
	s := newExpiryShop(t, "")
	s.opens("before", 1)
	s.load(s.with(tellsExpiry))
	for _, order := range []string{"paid", "going"} {
		s.opens(order, 2)
	}
	s.payAll("paid")
	going, err := s.box.Pay(t.Context(), sandbox.Payment{OrderID: "going", Status: "processing", Instant: true, Wait: patience})
	if err != nil {
		t.Fatal(err)
	}
	for _, order := range []string{"before", "paid", "going"} {
		s.expires(order)
	}
	s.looks(tellsExpiry)
	if err := s.box.Finish(going.RecordID, "success"); err != nil {
		t.Fatal(err)
	}
	await(t, "both are fulfilled", func() bool { return len(fulfils(s.hooks())) == 2 })
	s.looks(tellsExpiry)
	for _, order := range []string{"before", "paid", "going"} {
		if calls := s.told(order); len(calls) > 0 {
			t.Errorf("the app was told of %q: %+v", order, calls)
		}
	}
}

// TestPointlessExpiry: where the order is open again before the app could be told, it is not.
func TestPointlessExpiry(t *testing.T) {
	s := newExpiryShop(t, tellsExpiry)
	s.opens("order-1", 1)
	s.expires("order-1")
	s.down.Store(true)
	s.load(s.with(tellsExpiry))
	await(t, "the app has refused it", func() bool { return len(s.told("order-1")) > 0 })
	s.opens("order-1", 3600)
	s.awaitState("type=OrderExpired&order_id=order-1", "superseded")
	s.down.Store(false)
	before := len(s.told("order-1"))
	s.looks(tellsExpiry)
	if n := len(s.told("order-1")); n != before {
		t.Errorf("the app was told %d times after it was opened again", n-before)
	}
}

// TestExpiryOfAnotherShop: of two shops with one account at CCPayment, the app of that one is
// told of an expiry whose order it is.
func TestExpiryOfAnotherShop(t *testing.T) {
	box, c, base := newSandbox(t, 1)
	s := &shop{box: box, c: c}
	each := func(text string) string {
		return strings.ReplaceAll(text, "$SHOP", "a") + strings.ReplaceAll(text, "$SHOP", "b")
	}
	shops := setup{
		global: adminOn,
		account: each("account $SHOP {\n app_id " + appID + "\n app_secret " + secret + "\n base_url " + base +
			"\n webhook_url http://127.0.0.1:$PORT/$SHOP-hook\n order_prefix shop-$SHOP-\n}\n"),
		site: "http://:$PORT {\n bind 127.0.0.1\n" + each(`ccpayment_webhook /$SHOP-hook $APP {
				account $SHOP
				route $SHOP
				types ApiDeposit OrderExpired
			}
			handle_path /$SHOP/* {
				ccpayment_checkout {
					account $SHOP
				}
				reverse_proxy $APP
			}
		`) + "}",
		app: func(w http.ResponseWriter, r *http.Request) {
			if terms := r.Header.Get("X-Terms"); terms != "" {
				asks(terms)(w, r)
			}
		},
	}
	s.server = start(t, shops)
	for _, name := range []string{"a", "b"} {
		terms := fmt.Sprintf(`{"order_id":"order-of-%s","price":"10","currency":"USD","expires_in":1}`, name)
		if got := s.visit(http.MethodPost, "/"+name+"/buy", "", http.Header{"X-Terms": {terms}}); got.status != http.StatusCreated {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	e := &expiryShop{consoleShop: consoleShop{s}}
	e.expires("order-of-a?account=a")
	e.expires("order-of-b?account=b")
	s.load(shops) // which looks at once
	told := make(map[string]string)
	await(t, "both are told", func() bool {
		for _, call := range s.app.received() {
			if call.header.Get("Ccpayment-Type") == "OrderExpired" {
				told[call.header.Get("Ccpayment-Order-Id")] = call.uri
			}
		}
		return len(told) == 2
	})
	if told["order-of-a"] != "/a-hook" || told["order-of-b"] != "/b-hook" || len(s.list("").Events) != 2 {
		t.Errorf("told: %v, of %+v", told, s.list("").Events)
	}
}

// TestExpiryAlone: who names OrderExpired and no type of payments is warned at load, because
// the app gets no payment then.
func TestExpiryAlone(t *testing.T) {
	for types, isWarned := range map[string]bool{"types OrderExpired": true, tellsExpiry: false} {
		s := newExpiryShop(t, types)
		if got := strings.Contains(s.logs(), "no type of payments"); got != isWarned {
			t.Errorf("%s: warned is %v", types, got)
		}
	}
}
