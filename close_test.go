package ccpayment_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
	cpbox "github.com/seed-338f6760/caddy-ccpayment/sandbox/coinpayments"
)

// closeSite is a shop whose app, and whose people, can close its orders.
const closeSite = `http://:$PORT {
	bind 127.0.0.1
	ccpayment_webhook /hook $APP
	ccpayment_status /status
	ccpayment_checkout
	handle_path /api/* {
		ccpayment_api
	}
	handle_path /alice/* {
		ccpayment_console {
			user alice
		}
	}
	handle_path /rita/* {
		ccpayment_console {
			user rita
			access read
		}
	}
	reverse_proxy $APP
}`

func newCloseShop(t *testing.T) consoleShop {
	t.Helper()
	box, c, base := newSandbox(t, 1)
	s := &shop{box: box, c: c}
	s.server = start(t, setup{
		global: adminOn, account: "webhook_url http://127.0.0.1:$PORT/hook\nbase_url " + base, site: closeSite,
		app: func(w http.ResponseWriter, r *http.Request) { asks(r.Header.Get("X-Terms"))(w, r) },
	})
	return consoleShop{s}
}

// buys asks for the checkout of an order of ten dollars.
func (s consoleShop) buys(order string) visit {
	s.t.Helper()
	return s.visit(http.MethodPost, "/buy", "", http.Header{"X-Terms": {fmt.Sprintf(`{"order_id":%q,"price":"10","currency":"USD"}`, order)}})
}

// TestCloseByTheApp: an order that the app closes has no checkout any more; what is paid of
// it all the same is held, and fulfils nothing, whatever an operator does.
func TestCloseByTheApp(t *testing.T) {
	s := newCloseShop(t)
	token := s.buys("order-1").answer.Token
	if got := s.visit(http.MethodDelete, "/api/orders/nobody", "", nil); got.status != http.StatusNotFound {
		t.Errorf("an order that there is not: %d %s", got.status, got.body)
	}
	for range 2 { // it may ask again
		got := s.visit(http.MethodDelete, "/api/orders/order-1", "", nil)
		if got.status != http.StatusOK || !strings.Contains(got.body, `"state":"closed"`) || got.answer.CheckoutURL != "" {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
	if got := s.buys("order-1"); got.status != http.StatusGone || got.answer.Error.Code != "closed" {
		t.Errorf("its checkout is %d %s", got.status, got.body)
	}
	if got := s.visit(http.MethodGet, "/status?t="+token, "", nil); !strings.Contains(got.body, `"state":"closed"`) {
		t.Errorf("its status is %s", got.body)
	}

	s.payAll("order-1")
	id := s.awaitState("status=success", "held")
	if cause := s.list("status=success").Events[0].LastError; !strings.HasPrefix(cause, "closed: ") {
		t.Errorf("it is held because of %q", cause)
	}
	if state := s.orderState("order-1"); state != "closed" {
		t.Errorf("the order is %s", state)
	}
	var listed struct{ Orders []any }
	if s.ask(http.MethodGet, "orders?state=closed", "", http.StatusOK, &listed); len(listed.Orders) != 1 {
		t.Errorf("%d orders are closed", len(listed.Orders))
	}
	s.ask(http.MethodPost, "events/"+id+"/release", `{"reason":"try it"}`, http.StatusOK, nil)
	s.awaitState("status=success", "held")
	s.ask(http.MethodPost, "events/"+id+"/release", `{"reason":"we have one more","accept":true}`, http.StatusOK, nil)
	s.awaitState("status=success", "delivered")
	calls := s.hooks()
	wantMoney(t, "accepted", calls[len(calls)-1].header, map[string]string{"Confirmed": "true", "Order-State": "closed", "Reason": "closed"})
	if got := fulfils(calls); len(got) > 0 {
		t.Errorf("fulfilled by %q", got)
	}
}

// hooks are the calls of the app about events.
func (s consoleShop) hooks() (calls []received) {
	for _, call := range s.app.received() {
		if call.uri == "/hook" {
			calls = append(calls, call)
		}
	}
	return calls
}

// TestNotToBeClosed: an order that is paid, or that a payment is on its way to, is closed
// only by force, which the app does not have.
func TestNotToBeClosed(t *testing.T) {
	s := newCloseShop(t)
	s.buys("order-1")
	going, err := s.box.Pay(t.Context(), sandbox.Payment{OrderID: "order-1", Status: "processing", Instant: true, Wait: patience})
	if err != nil {
		t.Fatal(err)
	}
	refused := func(code string) {
		t.Helper()
		if got := s.visit(http.MethodDelete, "/api/orders/order-1", "", nil); got.status != http.StatusConflict || !strings.Contains(got.body, code) {
			t.Errorf("%d %s, want %s", got.status, got.body, code)
		}
		s.ask(http.MethodPost, "orders/order-1/close", `{"reason":"sold out"}`, http.StatusConflict, nil)
		if got := s.buys("order-1"); got.status == http.StatusGone {
			t.Errorf("its checkout is %d", got.status)
		}
	}
	refused("under_way")
	if err := s.box.Finish(going.RecordID, "success"); err != nil {
		t.Fatal(err)
	}
	await(t, "it is fulfilled", func() bool { return len(fulfils(s.hooks())) == 1 })
	refused("paid")
	s.ask(http.MethodPost, "orders/order-1/close", `{}`, http.StatusBadRequest, nil)
	s.ask(http.MethodPost, "orders/nobody/close", `{"reason":"x"}`, http.StatusNotFound, nil)
	var order struct {
		State  string
		Closed struct {
			Reason string
			Forced bool
		}
	}
	s.ask(http.MethodPost, "orders/order-1/close", `{"reason":"refunded","force":true}`, http.StatusOK, &order)
	if order.State != "paid" || order.Closed.Reason != "refunded" || !order.Closed.Forced {
		t.Errorf("%+v", order)
	}
}

// TestPaidWhileItIsClosed: an order that is paid while it is being ended at the gateway, whose
// refusal comes or is lost, stays open, and its payment fulfils it.
func TestPaidWhileItIsClosed(t *testing.T) {
	t.Run("refused", func(t *testing.T) { testPaidWhileItIsClosed(t, false) })
	t.Run("the answer is lost", func(t *testing.T) { testPaidWhileItIsClosed(t, true) })
}

func testPaidWhileItIsClosed(t *testing.T, isLost bool) {
	t.Helper()
	s := newSharedShop(t, "orders shop")
	invoice := invoiceOf(s.buysAt("coins", 3600, http.StatusCreated))
	var once sync.Once
	began, paid := make(chan bool), make(chan bool)
	s.mu.Lock()
	s.before = func(r *http.Request) {
		if r.Method == http.MethodGet || !strings.Contains(r.URL.Path, "/invoices/"+invoice) {
			return
		}
		once.Do(func() {
			close(began)
			<-paid
			if isLost {
				panic(http.ErrAbortHandler)
			}
		})
	}
	s.mu.Unlock()
	var buyer sync.WaitGroup
	buyer.Go(func() {
		defer close(paid)
		<-began
		if _, err := s.coins.Pay(t.Context(), cpbox.Payment{OrderID: "coins-order-1", Instant: true}); err != nil {
			t.Error(err)
		}
		s.awaitState("status=paid", "retrying")
	})
	var refused struct{ Error string }
	s.ask(http.MethodPost, "orders/order-1/close?account=", `{"reason":"sold out"}`, http.StatusConflict, &refused)
	buyer.Wait()
	if !strings.Contains(refused.Error, "under way") {
		t.Errorf("closing it is refused as %q", refused.Error)
	}
	s.awaitState("status=paid", "delivered")
	s.fulfilled(1)
}

// TestCloseFromTheConsole: the order's page closes it, with a reason that stands in its
// history with who gave it, and for whoever may only look it does not.
func TestCloseFromTheConsole(t *testing.T) {
	s := newCloseShop(t)
	s.buys("order/1")
	page := "/order?id=order%2F1"
	s.view("/alice"+page, `action="./order"`, "What is paid all the same is held")
	if got := s.view("/rita" + page); strings.Contains(got, "<form") {
		t.Error("who may only look has a form")
	}
	if got := s.post("/rita/order", "id", "order/1", "reason", "sold out"); got.status != http.StatusForbidden {
		t.Errorf("who may only look closes it: %d", got.status)
	}
	if got := s.post("/alice/order", "id", "order/1", "account", "", "reason", " "); got.status != http.StatusBadRequest {
		t.Errorf("without a reason: %d %s", got.status, got.body)
	}
	got := s.post("/alice/order", "id", "order/1", "account", "", "reason", "sold out")
	if got.status != http.StatusSeeOther {
		t.Fatalf("%d %s", got.status, got.body)
	}
	closed := s.view("/alice/"+got.header.Get("Location"), "The order is closed.", "sold out (alice)", "closed</span>")
	if strings.Contains(closed, `action="./order"`) {
		t.Error("a closed order can be closed")
	}
	if got := s.buys("order/1"); got.status != http.StatusGone {
		t.Errorf("its checkout is %d %s", got.status, got.body)
	}

	s.buys("order-2")
	s.post("/alice/order", "id", "order-2", "account", "", "reason", "sold out")
	s.payAll("order-2")
	s.awaitState("status=success", "held")
	if held := s.view("/alice/held", "although its order was closed", "Accept it", "Discard"); strings.Contains(held, "Release</summary>") {
		t.Error("it can be released, and would be held again")
	}
}

// TestCloseSharedOrder: an order that several accounts share is closed at all of them, and
// ended where that is possible.
func TestCloseSharedOrder(t *testing.T) {
	s := newSharedShop(t, "orders shop")
	page := s.buysAt("coins", 3600, http.StatusCreated)
	var order struct {
		State       string
		Generations []struct{ Ended bool }
	}
	s.ask(http.MethodPost, "orders/order-1/close?account=", `{"reason":"sold out"}`, http.StatusOK, &order)
	if order.State != "closed" || len(order.Generations) != 1 || !order.Generations[0].Ended {
		t.Errorf("%+v", order)
	}
	invoice, err := s.api.Invoice(t.Context(), invoiceOf(page))
	if err != nil || !strings.EqualFold(string(invoice.Status), "cancelled") {
		t.Errorf("at CoinPayments it is %s, %v", invoice.Status, err)
	}
	for _, account := range []string{"", "coins"} {
		if code := s.buysAt(account, 3600, http.StatusGone); code != "closed" {
			t.Errorf("at %q it is %s", account, code)
		}
	}
	text, _ := json.Marshal(order)
	if s.fulfilled(0); strings.Contains(s.logs(), `"level":"error"`) {
		t.Errorf("%s: %s", text, s.logs())
	}
}
