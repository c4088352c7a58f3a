package ccpayment_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
	cpbox "github.com/seed-338f6760/caddy-ccpayment/sandbox/coinpayments"
)

// sharedShop is a shop that sells for CCPayment and for CoinPayments, as the sandbox plays
// both, and whose app chooses one of them for each buyer.
type sharedShop struct {
	cpShop
	base   string // of the sandbox
	setup  setup
	before func(*http.Request) // is called before the sandbox has a call; nil: nothing
	then   func(*http.Request) // is called before the sandbox's answer to a call is sent; nil: nothing
}

const sharedSite = `http://:$PORT {
	bind 127.0.0.1
	ccpayment_webhook /hook {
		$ROUTE
	}
	ccpayment_webhook /cp-hook {
		account coins
		route coins
		$ROUTE
	}
	ccpayment_status /status
	ccpayment_status /coins-status {
		account coins
	}
	ccpayment_checkout /only-ccpayment {
		respond json
	}
	ccpayment_checkout /only-coins {
		account coins
		respond json
	}
	ccpayment_checkout /buy {
		account "" coins
		respond json
	}
	reverse_proxy $APP
}`

const sharedRoute = `deliver {
			reverse_proxy $APP
		}
		retry {
			first 20ms
			max 60ms
			give_up 10m
		}`

// newSharedShop starts the shop; orders is the option that both accounts have.
func newSharedShop(t *testing.T, orders string) *sharedShop {
	t.Helper()
	shop := &sharedShop{}
	var err error
	shop.box, err = sandbox.New(sandbox.Options{
		AppID: appID, AppSecret: secret, CoinPayments: cpbox.Options{ClientID: cpVectors.Client, ClientSecret: cpVectors.Secret},
	})
	if err != nil {
		t.Fatal(err)
	}
	api := httptest.NewServer(shop)
	t.Cleanup(func() { api.Close(); shop.box.Close() })
	shop.coins, shop.base = shop.box.CoinPayments(), api.URL
	connections := coinpayments.NewHTTPClient()
	t.Cleanup(connections.CloseIdleConnections)
	shop.api, err = coinpayments.New(coinpayments.Credentials{ClientID: cpVectors.Client, ClientSecret: cpVectors.Secret},
		coinpayments.WithBaseURL(api.URL+cpbox.BasePath), coinpayments.WithHTTPClient(connections))
	if err != nil {
		t.Fatal(err)
	}
	shop.setup = setup{
		global: adminOn,
		account: fmt.Sprintf(`base_url %s/ccpayment/v2
		webhook_url http://127.0.0.1:$PORT/hook
		$ORDERS
		account coins {
			gateway coinpayments {
				client_id %s
				client_secret %s
				base_url %s
			}
			webhook_url http://127.0.0.1:$PORT/cp-hook
			order_prefix coins-
			$ORDERS
		}`, api.URL, cpVectors.Client, cpVectors.Secret, api.URL+cpbox.BasePath),
		site: strings.ReplaceAll(sharedSite, "$ROUTE", sharedRoute), app: shop.serve,
	}
	shop.server = start(t, shop.with(orders))
	return shop
}

// with is the shop's configuration with another group of orders.
func (s *sharedShop) with(orders string) setup {
	changed := s.setup
	changed.account = strings.ReplaceAll(changed.account, "$ORDERS", orders)
	if orders == "" { // then a directive may name one account only
		changed.site = strings.Replace(changed.site, `account "" coins`, "", 1)
	}
	return changed
}

// ServeHTTP is the sandbox.
func (s *sharedShop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	before, then := s.before, s.then
	s.mu.Unlock()
	if before != nil {
		before(r)
	}
	s.box.ServeHTTP(w, r)
	if then != nil {
		then(r)
	}
}

// serve is the app.
func (s *sharedShop) serve(w http.ResponseWriter, r *http.Request) {
	switch terms := r.Header.Get("X-Terms"); {
	case terms != "":
		asks(terms)(w, r)
	case r.URL.Path != "/hook":
		s.cpShop.serve(w, r)
	}
}

// buysAt asks for the order's checkout at an account, for so many seconds; see buys.
func (s *sharedShop) buysAt(account string, seconds, status int) string {
	s.t.Helper()
	s.asks(fmt.Sprintf(`{"order_id":"order-1","price":"49.90","currency":"USD","account":%q,"expires_in":%d}`, account, seconds))
	return s.buys(status)
}

// asksFor asks for a checkout with these terms.
func (s *sharedShop) asksFor(path, terms string) (reply, error) {
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, "http://"+s.addr+path, nil)
	if err != nil {
		return reply{}, err
	}
	request.Header.Set("X-Terms", terms)
	response, err := s.client.Do(request)
	if err != nil {
		return reply{}, err
	}
	return readReply(response)
}

// expires opens the order's checkout at CCPayment, and waits until it has expired there.
func (s *sharedShop) expires() {
	s.t.Helper()
	s.buysAt("", 1, http.StatusCreated)
	s.hasExpired()
}

// hasExpired waits until the order has expired at CCPayment.
func (s *sharedShop) hasExpired() {
	s.t.Helper()
	await(s.t, "the order has expired at CCPayment", func() bool {
		order, _ := s.order()
		return len(order.Generations) == 1 && time.Now().After(order.Generations[0].ExpiresAt)
	})
}

// sharedOrder is what the admin endpoint shows of the order.
type sharedOrder struct {
	State       string
	Paid        string `json:"amount_paid"`
	FulfilledBy string `json:"fulfilled_by"`
	Generations []struct {
		ID, Account string
		Ended       bool
		ExpiresAt   time.Time `json:"expires_at"`
	}
	Payments []struct {
		AppID   string `json:"app_id"`
		Verdict string
	}
}

func (s *sharedShop) order() (order sharedOrder, err error) {
	response, err := s.client.Get("http://" + s.admin + "/ccpayment/orders/order-1")
	if err != nil {
		return order, err
	}
	defer response.Body.Close()
	return order, json.NewDecoder(response.Body).Decode(&order)
}

// askedState is the state of the only order that is exported as one that has expired.
func (s *sharedShop) askedState() string {
	var row struct{ State string }
	s.ask(http.MethodGet, "export/orders?format=jsonl&state=expired", "", http.StatusOK, &row)
	return row.State
}

// paysAtCCPayment pays the order there, late or not.
func (s *sharedShop) paysAtCCPayment() error {
	_, err := s.box.Pay(s.t.Context(), sandbox.Payment{OrderID: "order-1", Instant: true, Wait: patience})
	return err
}

// makesInvoice makes an invoice of the order at CoinPayments, as an app does by itself.
func (s *sharedShop) makesInvoice(id string) (invoice string, err error) {
	price := decimal.RequireFromString("49.90")
	made, err := s.api.CreateInvoice(s.t.Context(), coinpayments.InvoiceRequest{
		Currency: "5057", InvoiceID: id, Items: []coinpayments.Item{{Name: "x", Amount: price}}, Amount: coinpayments.InvoiceAmount{Total: price},
		Webhooks: []coinpayments.InvoiceWebhook{{NotificationsURL: "http://" + s.addr + "/cp-hook", Notifications: coinpayments.Notifications()}},
	})
	return made.ID, err
}

// makesOrder makes an invoice of the order at CCPayment, as an app does by itself.
func (s *sharedShop) makesOrder(id string) {
	s.t.Helper()
	api, err := client.New(client.Credentials{AppID: appID, AppSecret: secret}, client.WithBaseURL(s.base+"/ccpayment/v2"))
	if err != nil {
		s.t.Fatal(err)
	}
	_, err = api.CreateInvoice(s.t.Context(), client.InvoiceRequest{
		OrderID: id, Price: decimal.RequireFromString("49.90"), PriceFiatID: "1033", NotifyURL: "http://" + s.addr + "/hook",
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// twice waits until the app was told of both payments, and fails the test unless one of
// them fulfils the order.
func (s *sharedShop) twice() {
	s.t.Helper()
	second := s.hears("the second is not to be fulfilled", func(h http.Header) bool { return h.Get("Ccpayment-Reason") == "already_fulfilled" })
	second.says(s.t, map[string]string{"Ccpayment-Order-Id": "order-1", "Ccpayment-Order-State": "overpaid", "Ccpayment-Order-Amount-Due": "49.9"})
	if paid := second.header.Get("Ccpayment-Order-Amount-Paid"); !strings.HasPrefix(paid, "99.8") { // a coin's rate leaves noise
		s.t.Errorf("%s are paid", paid)
	}
	s.fulfilled(1)
	var order sharedOrder
	await(s.t, "both payments stand in the ledger", func() bool {
		order, _ = s.order()
		return len(order.Payments) == 2 && order.FulfilledBy != ""
	})
	if order.State != "overpaid" || order.Payments[0].AppID == order.Payments[1].AppID {
		s.t.Errorf("%+v", order)
	}
}
