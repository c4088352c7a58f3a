package ccpayment_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
	cpbox "github.com/seed-338f6760/caddy-ccpayment/sandbox/coinpayments"
)

// TestSharedOrderPaidTwice: of one order's pages at two gateways, both of which are paid at
// once, one payment fulfils it, and the app is told that the other is one too many.
func TestSharedOrderPaidTwice(t *testing.T) {
	s := newSharedShop(t, "orders shop")
	s.expires()
	page := s.buysAt("coins", 600, http.StatusCreated)
	var both sync.WaitGroup
	both.Go(func() {
		if err := s.paysAtCCPayment(); err != nil {
			t.Error(err)
		}
	})
	both.Go(func() { s.pays(page, "") })
	both.Wait()
	s.twice()
	if code := s.buysAt("", 600, http.StatusConflict); code != "paid" {
		t.Errorf("asked for once more: %s", code)
	}
	order, err := s.order()
	if err != nil || len(order.Generations) != 2 || order.Generations[0].Account != "" || order.Generations[1].Account != "coins" || order.Generations[1].ID != "coins-order-1" {
		t.Errorf("%+v: %v", order, err)
	}
}

// TestSharedOrderLate: a payment that comes long after the order was fulfilled by one at the
// other gateway fulfils nothing, also in another configuration.
func TestSharedOrderLate(t *testing.T) {
	s := newSharedShop(t, "orders shop")
	s.expires()
	s.pays(s.buysAt("coins", 600, http.StatusCreated), "")
	s.hears("the order is paid", hasStatus("Paid")).says(t, map[string]string{"Ccpayment-Fulfill": "true", "Ccpayment-Order-State": "paid"})
	again := s.with("orders shop")
	again.site = strings.ReplaceAll(again.site, "give_up 10m", "give_up 20m")
	s.load(again)
	if err := s.paysAtCCPayment(); err != nil {
		t.Fatal(err)
	}
	s.twice()
}

// TestSharedOrderMoves: the page at CoinPayments is ended before there is one at CCPayment,
// and there is none while a payment of it is under way.
func TestSharedOrderMoves(t *testing.T) {
	s := newSharedShop(t, "orders shop")
	first := s.buysAt("coins", 600, http.StatusCreated)
	if _, err := s.api.CreatePayment(t.Context(), invoiceOf(first), "jane@example.com"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.api.PaymentDetails(t.Context(), invoiceOf(first), "2"); err != nil {
		t.Fatal(err)
	}
	if code := s.buysAt("", 600, http.StatusConflict); code != "under_way" {
		t.Errorf("while a payment may come: %s", code)
	}
	if err := s.coins.TimeOut(invoiceOf(first), true); err != nil { // the payment
		t.Fatal(err)
	}
	page := s.buysAt("", 600, http.StatusCreated)
	if invoice, err := s.api.Invoice(t.Context(), invoiceOf(first)); err != nil || !invoice.Status.Is(coinpayments.InvoiceCancelled) {
		t.Errorf("the page at CoinPayments is %s: %v", invoice.Status, err)
	}
	if again := s.buysAt("", 600, http.StatusOK); again != page {
		t.Errorf("the page is %s, and then %s", page, again)
	}
	if code := s.buysAt("coins", 600, http.StatusConflict); code != "other_account" {
		t.Errorf("while it can be paid at CCPayment: %s", code)
	}
	if err := s.paysAtCCPayment(); err != nil {
		t.Fatal(err)
	}
	s.hears("the order is paid", hasStatus("Success")).says(t, map[string]string{
		"Ccpayment-Fulfill": "true", "Ccpayment-Order-State": "paid", "Ccpayment-Order-Amount-Due": "49.9", "Ccpayment-Order-Currency": "USD",
	})
	s.fulfilled(1)
}

// TestSharedOrderNotMade: where the page at CoinPayments was ended, and CCPayment then refuses
// to make one, a buyer who comes back gets another one at CoinPayments.
func TestSharedOrderNotMade(t *testing.T) {
	s := newSharedShop(t, "orders shop")
	first := s.buysAt("coins", 600, http.StatusCreated)
	if err := s.box.SetFaults(sandbox.Fault{Endpoint: "createInvoiceUrl", Code: 12002, Times: -1}); err != nil {
		t.Fatal(err)
	}
	s.buysAt("", 600, http.StatusBadGateway)
	if order, err := s.order(); err != nil || len(order.Generations) != 1 || !order.Generations[0].Ended {
		t.Errorf("%+v: %v", order, err)
	}
	second := s.buysAt("coins", 600, http.StatusCreated)
	if again := s.buysAt("coins", 600, http.StatusOK); again != second || second == first {
		t.Errorf("the pages are %s, %s, and %s", first, second, again)
	}
	s.pays(second, "")
	s.hears("the order is paid", hasStatus("Paid")).says(t, map[string]string{"Ccpayment-Fulfill": "true", "Ccpayment-Order-State": "paid"})
	s.fulfilled(1)
}

// TestSharedOrderAtOnce: tabs that ask for one order at both gateways at once get the page
// of one of them.
func TestSharedOrderAtOnce(t *testing.T) {
	s := newSharedShop(t, "orders shop")
	var all sync.WaitGroup
	var mu sync.Mutex
	pages := make(map[string]int)
	for i := range 12 {
		all.Go(func() {
			terms := fmt.Sprintf(`{"order_id":"order-1","price":"49.90","account":%q}`, []string{"", "coins"}[i%2])
			reply, err := s.asksFor("/buy", terms)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil && (reply.status == http.StatusCreated || reply.status == http.StatusOK):
				var made struct {
					URL string `json:"checkout_url"`
				}
				if err := json.Unmarshal([]byte(reply.body), &made); err != nil {
					t.Error(err)
				}
				pages[made.URL]++
			case err != nil || !strings.Contains(reply.body, "other_account"):
				t.Errorf("%d %s, %v", reply.status, reply.body, err)
			}
		})
	}
	all.Wait()
	order, err := s.order()
	if err != nil {
		t.Fatal(err)
	}
	open := 0
	for _, g := range order.Generations {
		if !g.Ended {
			open++
		}
	}
	if open != 1 {
		t.Errorf("%d pages can be paid: %+v", open, order)
	}
}

// TestSharedOrderOfTwoDirectives: the accounts share their orders, also where each has a
// directive of its own.
func TestSharedOrderOfTwoDirectives(t *testing.T) {
	s := newSharedShop(t, "orders shop")
	for i, want := range []struct {
		path, code string
		status     int
	}{{"/only-coins", "", 201}, {"/only-ccpayment", "", 201}, {"/only-coins", "other_account", 409}, {"/only-ccpayment", "", 200}} {
		made, err := s.asksFor(want.path, `{"order_id":"order-1","price":"49.90"}`)
		if err != nil || made.status != want.status || !strings.Contains(made.body, want.code) {
			t.Errorf("call %d: %+v, %v", i, made, err)
		}
	}
	order, err := s.order()
	if err != nil || len(order.Generations) != 2 || !order.Generations[0].Ended || order.Generations[1].Ended {
		t.Errorf("%+v: %v", order, err)
	}
}

// TestSharedOrderFromBefore: an order that was opened before the accounts shared it stays
// the order that it was, at both.
func TestSharedOrderFromBefore(t *testing.T) {
	s := newSharedShop(t, "")
	s.buysAt("", 1, http.StatusCreated)
	s.load(s.with("orders shop"))
	s.hasExpired()
	page := s.buysAt("coins", 600, http.StatusCreated)
	if err := s.paysAtCCPayment(); err != nil {
		t.Fatal(err)
	}
	s.hears("the order is paid", hasStatus("Success")).says(t, map[string]string{"Ccpayment-Fulfill": "true", "Ccpayment-Order-State": "paid"})
	order, err := s.order()
	if err != nil || len(order.Generations) != 2 || order.Generations[0].Account != "" || order.Generations[1].Account != "coins" {
		t.Errorf("%+v: %v", order, err)
	}
	s.pays(page, "")
	s.twice()
}

// TestSharedOrderStatus: the status page of either account shows the order, by the token
// that it got at either.
func TestSharedOrderStatus(t *testing.T) {
	s := newSharedShop(t, "orders shop")
	var tokens []string
	for _, account := range []string{"coins", ""} {
		s.asks(fmt.Sprintf(`{"order_id":"order-1","price":"49.90","account":%q}`, account))
		response, err := s.client.Get("http://" + s.addr + "/buy")
		if err != nil {
			t.Fatal(err)
		}
		var made struct {
			Token string `json:"status_token"`
		}
		err = json.NewDecoder(response.Body).Decode(&made)
		response.Body.Close()
		if err != nil || made.Token == "" {
			t.Fatalf("%+v: %v", made, err)
		}
		tokens = append(tokens, made.Token)
	}
	if err := s.paysAtCCPayment(); err != nil {
		t.Fatal(err)
	}
	s.hears("the order is paid", hasStatus("Success"))
	for _, page := range []string{"/status", "/coins-status"} {
		for _, token := range tokens {
			await(t, "the order is paid on "+page, func() bool {
				response, err := s.client.Get("http://" + s.addr + page + "?t=" + token)
				if err != nil {
					t.Fatal(err)
				}
				reply, err := readReply(response)
				return err == nil && strings.Contains(reply.body, `"state":"paid"`) && strings.Contains(reply.body, `"fulfilled":true`)
			})
		}
	}
}

// TestSharedOrderElsewhere: an order that the app makes at both gateways by itself is
// fulfilled once, too.
func TestSharedOrderElsewhere(t *testing.T) {
	s := newSharedShop(t, "orders shop")
	// At CoinPayments its id has the account's prefix.
	invoice, err := s.makesInvoice("coins-order-1")
	if err != nil {
		t.Fatal(err)
	}
	s.pays("="+invoice, "")
	s.hears("the order is paid", hasStatus("Paid")).says(t, map[string]string{"Ccpayment-Fulfill": "true", "Ccpayment-Order-Id": "order-1"})
	if code := s.buysAt("", 600, http.StatusConflict); code != "paid" {
		t.Errorf("its checkout at CCPayment: %s", code)
	}
	s.makesOrder("order-1")
	if err := s.paysAtCCPayment(); err != nil {
		t.Fatal(err)
	}
	s.hears("it is paid again", hasStatus("Success")).says(t, map[string]string{"Ccpayment-Fulfill": "", "Ccpayment-Reason": "already_fulfilled"})
	s.fulfilled(1)
}

// TestSharedOrderWhileDelivered: an order of the app's own, whose payment is being delivered
// while its account comes to share its orders, gets no page at another account.
func TestSharedOrderWhileDelivered(t *testing.T) {
	s := newSharedShop(t, "")
	only := func(orders string) setup { // the order is written when the attempt ends
		c := s.with(orders)
		c.site = strings.Replace(c.site, "ccpayment_webhook /hook {", "ccpayment_webhook /hook {\n\t\tstatuses success", 1)
		return c
	}
	again := only("orders shop")
	again.site = strings.Replace(again.site, "ccpayment_status /status", "respond /shared 204\n\tccpayment_status /status", 1)
	s.load(only(""))
	answered := make(chan struct{})
	answer := sync.OnceFunc(func() { close(answered) })
	defer answer()
	s.app.answers(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hook" {
			<-answered
			return
		}
		s.serve(w, r)
	})
	s.makesOrder("order-1")
	if err := s.paysAtCCPayment(); err != nil {
		t.Fatal(err)
	}
	s.hears("it is being delivered", hasStatus("Success")).says(t, map[string]string{"Ccpayment-Fulfill": "true"})
	loaded := make(chan error, 1)
	go func() { loaded <- caddy.Load(adapt(t, s.names.Replace(again.caddyfile())), true) }()
	await(t, "the accounts share their orders", func() bool {
		reply, err := s.asksFor("/shared", "")
		return err == nil && reply.status == http.StatusNoContent
	})
	if code := s.buysAt("coins", 600, http.StatusConflict); code != "paid" {
		t.Errorf("its checkout at CoinPayments: %s", code)
	}
	answer()
	if err := <-loaded; err != nil {
		t.Fatal(err)
	}
	s.fulfilled(1)
}

// TestSharedOrderUnread: a payment of the whole price fulfils its order, also while the page
// at the other account, which was ended, cannot be read. One of a part waits.
func TestSharedOrderUnread(t *testing.T) {
	for _, status := range []int{http.StatusNotFound, http.StatusUnauthorized, http.StatusServiceUnavailable} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			s := newSharedShop(t, "orders shop")
			s.buysAt("coins", 600, http.StatusCreated)
			s.buysAt("", 600, http.StatusCreated)
			if err := s.box.SetFaults(sandbox.Fault{Endpoint: "coinpayments/findInvoice", HTTPStatus: status, Times: -1}); err != nil {
				t.Fatal(err)
			}
			if err := s.paysAtCCPayment(); err != nil {
				t.Fatal(err)
			}
			s.hears("the order is paid", hasStatus("Success")).says(t, map[string]string{"Ccpayment-Fulfill": "true", "Ccpayment-Order-State": "paid"})
		})
	}
	t.Run("Part", func(t *testing.T) {
		s := newSharedShop(t, "orders shop")
		s.buysAt("coins", 600, http.StatusCreated)
		s.buysAt("", 600, http.StatusCreated)
		if err := s.box.SetFaults(sandbox.Fault{Endpoint: "coinpayments/findInvoice", HTTPStatus: http.StatusServiceUnavailable, Times: -1}); err != nil {
			t.Fatal(err)
		}
		part := sandbox.Payment{OrderID: "order-1", Coin: "USDT", Amount: decimal.New(40, 0), Instant: true, Wait: patience}
		if _, err := s.box.Pay(t.Context(), part); err != nil {
			t.Fatal(err)
		}
		s.awaitState("status=success", "retrying")
		s.box.ClearFaults()
		s.hears("a part is paid", hasStatus("Success")).says(t, map[string]string{"Ccpayment-Fulfill": "", "Ccpayment-Order-State": "partial"})
	})
}

// TestSharedOrderOpenAgain: an order of which the page was cancelled is unpaid, and not expired,
// once it has another page.
func TestSharedOrderOpenAgain(t *testing.T) {
	s := newSharedShop(t, "orders shop")
	page := s.buysAt("coins", 600, http.StatusCreated)
	if err := s.api.CancelInvoice(t.Context(), invoiceOf(page)); err != nil {
		t.Fatal(err)
	}
	s.hears("it is cancelled", hasStatus("Cancelled")).says(t, map[string]string{"Ccpayment-Order-State": "expired"})
	await(t, "the order is expired", func() bool {
		order, err := s.order()
		return err == nil && order.State == "expired"
	})
	s.asks(`{"order_id":"order-1","price":"50","currency":"USD","account":"coins","expires_in":600}`)
	s.buys(http.StatusCreated)
	if order, err := s.order(); err != nil || order.State != "unpaid" {
		t.Errorf("opened again: %+v, %v", order, err)
	}
}

// TestSharedOrderBeingReplaced: that a page was ended to make another one does not let the
// order expire, also where its webhook is quicker than the answer to the call that ended it.
func TestSharedOrderBeingReplaced(t *testing.T) {
	s := newSharedShop(t, "orders shop")
	s.buysAt("coins", 600, http.StatusCreated)
	answer := make(chan struct{})
	release := sync.OnceFunc(func() { close(answer) })
	s.mu.Lock()
	s.then = func(r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/cancel") {
			<-answer
		}
	}
	s.mu.Unlock()
	var bought sync.WaitGroup
	defer bought.Wait()
	defer release()
	bought.Go(func() {
		reply, err := s.asksFor("/buy", `{"order_id":"order-1","price":"49.90","account":""}`)
		if err != nil || reply.status != http.StatusCreated {
			t.Errorf("%d %s, %v", reply.status, reply.body, err)
		}
	})
	await(t, "the event waits for the checkout", func() bool {
		list := s.list("status=cancelled").Events
		return len(list) == 1 && strings.Contains(list[0].LastError, "a checkout of it is being made")
	})
	release()
	bought.Wait()
	s.hears("it is cancelled", hasStatus("Cancelled")).says(t, map[string]string{"Ccpayment-Order-State": "unpaid"})
	if order, err := s.order(); err != nil || order.State != "unpaid" || len(order.Generations) != 2 {
		t.Errorf("%+v: %v", order, err)
	}
}

// TestOrdersByState: orders are listed by the state that they are in, also where that is so
// only because time has passed.
func TestOrdersByState(t *testing.T) {
	s := newSharedShop(t, "orders shop")
	s.buysAt("coins", 5, http.StatusCreated)
	in := func(state string) bool {
		var list struct {
			Orders []struct {
				OrderID string `json:"order_id"`
				State   string
			}
		}
		s.ask(http.MethodGet, "orders?state="+state, "", http.StatusOK, &list)
		return len(list.Orders) == 1 && list.Orders[0].OrderID == "order-1" && list.Orders[0].State == state
	}
	if !in("unpaid") || in("expired") {
		t.Error("the order can be paid, and is not listed so")
	}
	s.hears("the page is open", hasStatus("Unpaid")) // and stands in the ledger as unpaid
	await(t, "the order is listed as expired, and nowhere else", func() bool { return in("expired") && !in("unpaid") })
	if state := s.askedState(); state != "expired" {
		t.Errorf("it is exported as %q", state)
	}
}

// TestSharedOrderInTestCoins: an order that was paid in coins which are worth nothing gets
// another page that takes money.
func TestSharedOrderInTestCoins(t *testing.T) {
	for _, price := range []string{"40", "49.90", "60"} {
		s := newSharedShop(t, "orders shop")
		page := s.buysAt("coins", 600, http.StatusCreated)
		if _, err := s.coins.Pay(t.Context(), cpbox.Payment{InvoiceID: invoiceOf(page), Coin: "LTCT", Instant: true, Wait: patience}); err != nil {
			t.Fatal(err)
		}
		s.hears("it is paid in test coins", func(h http.Header) bool { return h.Get("Ccpayment-Reason") == "test_coin" })
		s.awaitState("status=paid", "delivered")
		s.asks(fmt.Sprintf(`{"order_id":"order-1","price":%q,"currency":"USD","account":"coins","expires_in":600}`, price))
		again := s.buys(http.StatusCreated)
		s.pays(again, "")
		s.hears("it is paid", func(h http.Header) bool { return h.Get("Ccpayment-Fulfill") == "true" })
		s.fulfilled(1)
	}
}

// TestNotShared: a directive that names accounts which do not share their orders is a
// mistake, and the error says what to do.
func TestNotShared(t *testing.T) {
	_, account := second(t)
	s := start(t, setup{account: account})
	for _, options := range [][2]string{{"", ""}, {"orders shop", ""}, {"orders shop", "orders other"}} {
		bad := setup{
			account: options[0] + "\n" + strings.Replace(account, "orders shop", options[1], 1),
			site:    "http://:$PORT {\n ccpayment_checkout {\n account \"\" coins\n }\n}",
		}
		err := caddy.Load(adapt(t, s.names.Replace(bad.caddyfile())), true)
		if err == nil || !strings.Contains(err.Error(), "give both the option `orders <name>`") {
			t.Errorf("%q: %v", options, err)
		}
	}
}

// TestSharedOrderAsksForTheRest: a page for the rest of one price is not the page of a
// lower price of which a part is paid at the other gateway.
func TestSharedOrderAsksForTheRest(t *testing.T) {
	s := newSharedShop(t, "orders shop")
	s.asks(`{"order_id":"order-1","price":"100","currency":"USD","account":"","expires_in":2}`)
	s.buys(http.StatusCreated)
	pay := sandbox.Payment{OrderID: "order-1", Coin: "USDT", Amount: decimal.RequireFromString("40"), Instant: true, Wait: patience}
	if _, err := s.box.Pay(t.Context(), pay); err != nil {
		t.Fatal(err)
	}
	await(t, "a part is paid", func() bool { o, _ := s.order(); return o.State == "partial" })
	s.hasExpired()
	total := func(price string) string {
		s.asks(`{"order_id":"order-1","price":"` + price + `","currency":"USD","account":"coins","expires_in":600}`)
		invoice, err := s.api.Invoice(t.Context(), invoiceOf(s.buys(http.StatusCreated)))
		if err != nil {
			t.Fatal(err)
		}
		return invoice.Amount.Total.String()
	}
	o, _ := s.order()
	due, paid := decimal.RequireFromString("100"), decimal.RequireFromString(o.Paid)
	rest := total("100")
	if want := due.Sub(paid).RoundUp(2).String(); rest != want {
		t.Fatalf("of 100 %s are left, and the page asks for %s", want, rest)
	}
	if got, want := total(rest), decimal.RequireFromString(rest).Sub(paid).RoundUp(2).String(); got != want {
		t.Errorf("of %s %s are left, and the page asks for %s", rest, want, got)
	}
}

// TestSharedOrderOverAReload: a checkout that the configuration before is still making
// keeps the next one from making another at the other gateway.
func TestSharedOrderOverAReload(t *testing.T) {
	s := newSharedShop(t, "orders shop")
	if err := s.box.SetFaults(sandbox.Fault{Endpoint: "createInvoiceUrl", DelayMS: 3000}); err != nil {
		t.Fatal(err)
	}
	first := make(chan reply, 1)
	go func() {
		r, err := s.asksFor("/buy", `{"order_id":"order-1","price":"49.90","account":""}`)
		if err != nil {
			t.Error(err)
		}
		first <- r
	}()
	await(t, "the page is being made", func() bool { return len(s.box.Faults()) == 0 })
	again := s.with("orders shop")
	again.site = strings.ReplaceAll(again.site, "give_up 10m", "give_up 20m")
	loaded := make(chan error, 1)
	go func() { loaded <- caddy.Load(adapt(t, s.names.Replace(again.caddyfile())), true) }()
	var second reply
	await(t, "the next configuration answers", func() (answers bool) {
		var err error
		second, err = s.asksFor("/only-coins", `{"order_id":"order-1","price":"49.90","account":"coins"}`)
		return err == nil
	})
	if one := <-first; one.status == http.StatusCreated && second.status == http.StatusCreated {
		t.Errorf("both pages can be paid: %s and %s", one.body, second.body)
	}
	if err := <-loaded; err != nil {
		t.Error(err)
	}
}

// TestNotConfirmed: an account whose payments are never confirmed cannot share its orders.
func TestNotConfirmed(t *testing.T) {
	s := start(t, setup{})
	bad := setup{account: "account old {\n gateway ccpayment_v1 {\n app_id a\n app_secret b\n }\n orders shop\n}"}
	err := caddy.Load(adapt(t, s.names.Replace(bad.caddyfile())), true)
	if err == nil || !strings.Contains(err.Error(), `account "old": orders: `) || !strings.Contains(err.Error(), "leave it out") {
		t.Errorf("%v", err)
	}
}
