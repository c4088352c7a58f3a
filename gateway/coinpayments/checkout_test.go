package coinpayments

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
	box "github.com/seed-338f6760/caddy-ccpayment/sandbox/coinpayments"
)

// world is an account at the sandbox.
type world struct {
	*V2
	*testing.T
	coins *box.Sandbox
	box   *sandbox.Sandbox

	mu     sync.Mutex
	bodies []string // of the calls that were POSTed
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t}
	var err error
	w.box, err = sandbox.New(sandbox.Options{CoinPayments: box.Options{ClientID: vectors.Client, ClientSecret: vectors.Secret}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(w.box)
	t.Cleanup(func() {
		w.box.Close()
		server.Close()
	})
	w.coins = w.box.CoinPayments()
	w.V2 = open(t, Config{BaseURL: server.URL + box.BasePath}, func(o *gateway.OpenOptions) {
		o.HTTP = &http.Client{Transport: w}
		o.Now = w.box.Now
	})
	return w
}

// RoundTrip keeps what is POSTed.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost && r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		w.mu.Lock()
		w.bodies = append(w.bodies, string(body))
		w.mu.Unlock()
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	return http.DefaultTransport.RoundTrip(r)
}

// order is one of 49.90 USD.
func (w *world) order(id string) gateway.NewOrder {
	w.Helper()
	terms, err := w.Terms(w.Context(), gateway.Price{Amount: "49.90", Currency: "USD"})
	if err != nil {
		w.Fatal(err)
	}
	return gateway.NewOrder{ID: id, Terms: terms, Product: "Müsli & Co </b>", ReturnURL: "https://shop.example.com/thanks?t=1", CloseURL: "https://shop.example.com/cart", Now: w.box.Now()}
}

func (w *world) create(o gateway.NewOrder) gateway.Checkout {
	w.Helper()
	made, err := w.Create(w.Context(), o)
	if err != nil {
		w.Fatal(err)
	}
	return made
}

// TestTerms: prices and coins are found by their symbols and ids.
func TestTerms(t *testing.T) {
	w := newWorld(t)
	const erc20, trc20 = "4:0xdac17f958d2ee523a2206206994597c13d831ec7", "9:TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
	for _, test := range []struct {
		price gateway.Price
		want  ledger.Terms
		field string // of the error
		says  string
	}{
		{gateway.Price{Amount: "49.90", Currency: "USD"}, ledger.Terms{Price: "49.9", CoinID: "5057"}, "", ""},
		{gateway.Price{Amount: "1", Currency: "eur"}, ledger.Terms{Price: "1", CoinID: "5195"}, "", ""},
		{gateway.Price{Amount: "1", Currency: "fiat:5195"}, ledger.Terms{Price: "1", CoinID: "5195"}, "", ""},
		{gateway.Price{Amount: "0.00000001", Currency: "BTC"}, ledger.Terms{Price: "0.00000001", CoinID: "1"}, "", ""},
		{gateway.Price{Amount: "1", Currency: "coin:" + strings.ToUpper(erc20[:4]) + erc20[4:]}, ledger.Terms{Price: "1", CoinID: erc20}, "", ""},
		{gateway.Price{Amount: "1", Currency: "USD", Coin: "USDT", Chain: "ETH"}, ledger.Terms{Price: "1", CoinID: "5057", PayCoinID: erc20, Chain: "ETH"}, "", ""},
		{gateway.Price{Amount: "1", Currency: "USD", Coin: "USDT", Chain: "TRX"}, ledger.Terms{Price: "1", CoinID: "5057", PayCoinID: trc20, Chain: "TRX"}, "", ""},
		{gateway.Price{Amount: "1", Currency: "USD", Coin: "coin:" + trc20, Chain: "9"}, ledger.Terms{Price: "1", CoinID: "5057", PayCoinID: trc20, Chain: "9"}, "", ""},
		{gateway.Price{Amount: "1", Currency: "USD", Coin: "LTC"}, ledger.Terms{Price: "1", CoinID: "5057", PayCoinID: "2"}, "", ""},
		{gateway.Price{Amount: "1", Currency: "USD", Coin: "LTC", Chain: "BTC"}, ledger.Terms{}, "chain", "LTC"},
		{gateway.Price{Amount: "1", Currency: "USD", Coin: "coin:" + strings.ToLower(trc20), Chain: "TRX"}, ledger.Terms{}, "chain", "no"},
		{gateway.Price{Amount: "1", Currency: "USD", Coin: "USDT"}, ledger.Terms{}, "coin", "USDT.TRC20"},
		{gateway.Price{Amount: "1", Currency: "USD", Chain: "BTC"}, ledger.Terms{}, "chain", "without a coin"},
		{gateway.Price{Amount: "1", Currency: "US"}, ledger.Terms{}, "currency", "USD"},
		{gateway.Price{Amount: "1", Currency: "fiat:1"}, ledger.Terms{}, "currency", "no currency"},
		{gateway.Price{Amount: "49.901", Currency: "USD"}, ledger.Terms{}, "price", "more than 2 decimals"},
		{gateway.Price{Amount: "1.5", Currency: "JPY"}, ledger.Terms{}, "price", "more than 0 decimals"},
	} {
		got, err := w.Terms(t.Context(), test.price)
		var wrong *gateway.FieldError
		if test.field != "" && (!errors.As(err, &wrong) || wrong.Field != test.field || !strings.Contains(wrong.Problem, test.says)) {
			t.Errorf("%+v: %v, want that of %s, which names %s", test.price, err, test.field, test.says)
		}
		if test.field == "" && (err != nil || got.Terms != test.want) {
			t.Errorf("%+v: %+v, %v, want %+v", test.price, got.Terms, err, test.want)
		}
	}
}

// TestCreate: an invoice is made with what the contract says, and is found again.
func TestCreate(t *testing.T) {
	w := newWorld(t)
	o := w.order("shop-order-1")
	made := w.create(o)
	if made.Ref == "" || !strings.Contains(made.URL, made.Ref) || made.ExpiresAt.Before(o.Now.Add(300*24*time.Hour)) {
		t.Errorf("%+v", made)
	}
	var body struct {
		Currency, InvoiceID, PONumber, SuccessURL, CancelURL string
		Items                                                []struct{ Name, Amount string }
		Amount                                               struct {
			Breakdown struct{ Subtotal string }
			Total     string
		}
		CustomData map[string]string
		Webhooks   []struct {
			NotificationsURL string
			Notifications    []string
		}
		Payment json.RawMessage
	}
	text := w.bodies[0]
	if err := json.Unmarshal([]byte(text), &body); err != nil {
		t.Fatal(err)
	}
	if body.Currency != "5057" || body.InvoiceID != "shop-order-1" || body.CustomData["order_id"] != "shop-order-1" || len(body.PONumber) != 16 ||
		len(body.Items) != 1 || body.Items[0].Name != o.Product || body.Items[0].Amount != "49.90" || body.Amount.Breakdown.Subtotal != "49.90" || body.Amount.Total != "49.90" ||
		body.SuccessURL != o.ReturnURL || body.CancelURL != o.CloseURL || body.Payment != nil ||
		len(body.Webhooks) != 1 || body.Webhooks[0].NotificationsURL != hookURL || len(body.Webhooks[0].Notifications) < 6 {
		t.Errorf("asked for %s", text)
	}
	if _, err := w.Create(t.Context(), o); !errors.Is(err, gateway.ErrDuplicate) {
		t.Errorf("made again: %v", err)
	}
	found, err := w.Find(t.Context(), o.ID, o.Terms.Terms)
	if err != nil || len(found) != 1 || found[0].Ref != made.Ref || found[0].URL != "https://checkout.coinpayments.com/checkout/?invoice-id="+made.Ref {
		t.Errorf("found %+v, %v", found, err)
	}
	for name, other := range map[string]gateway.NewOrder{
		"a generation": {ID: gateway.NewGeneration(o.ID), Terms: o.Terms},
		"other terms":  {ID: o.ID, Terms: gateway.Terms{Terms: ledger.Terms{Price: "49.91", CoinID: "5057"}}},
		"a part of it": {ID: "shop-order", Terms: o.Terms},
	} {
		if found, err := w.Find(t.Context(), other.ID, other.Terms.Terms); !errors.Is(err, gateway.ErrNotFound) {
			t.Errorf("%s: found %+v, %v", name, found, err)
		}
	}
	for _, by := range []*ledger.GatewayOrder{nil, {ID: o.ID}, {ID: o.ID, Ref: made.Ref}} {
		order, err := w.Order(t.Context(), o.ID, by)
		if err != nil || order.Ref != made.Ref || order.Terms != (ledger.Terms{Price: "49.9", CoinID: "5057"}) || !order.Due.Due.Equal(decimal.RequireFromString("49.90")) {
			t.Errorf("by %+v: %+v, %v", by, order, err)
		}
	}
	if _, err := w.Order(t.Context(), "shop-order", nil); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("an order that is none: %v", err)
	}
}

// TestCreateInCoin: the payment of an invoice in a fixed coin is begun with it.
func TestCreateInCoin(t *testing.T) {
	w := newWorld(t)
	o := w.order("order-1")
	o.PayCoinID, o.Chain = "2", "LTC"
	o.BuyerEmail = "jane@example.com"
	w.create(o)
	if body := w.bodies[len(w.bodies)-1]; !strings.Contains(body, `"payment":{"refundEmail":"jane@example.com","paymentCurrency":"2"}`) {
		t.Errorf("asked for %s", body)
	}
}

// TestCancel: an invoice is cancelled only where no buyer may be about to pay it.
func TestCancel(t *testing.T) {
	w := newWorld(t)
	begin := func(id string) ledger.GatewayOrder {
		made := ledger.GatewayOrder{ID: id, Ref: w.create(w.order(id)).Ref}
		if _, err := w.Client().CreatePayment(t.Context(), made.Ref, "jane@example.com"); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Client().PaymentDetails(t.Context(), made.Ref, "2"); err != nil {
			t.Fatal(err)
		}
		return made
	}
	unpaid := ledger.GatewayOrder{ID: "order-1", Ref: w.create(w.order("order-1")).Ref}
	for range 2 {
		if err := w.Cancel(t.Context(), unpaid); err != nil {
			t.Errorf("an unpaid one: %v", err)
		}
	}
	begun, paying := begin("order-2"), begin("order-3")
	for name, made := range map[string]ledger.GatewayOrder{"begun": begun, "paying": paying} {
		if name == "paying" {
			if _, err := w.coins.Pay(t.Context(), box.Payment{OrderID: made.ID, Status: "processing", Instant: true}); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Cancel(t.Context(), made); !errors.Is(err, gateway.ErrPaying) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.box.Advance(61 * time.Minute)
	if err := w.Cancel(t.Context(), begun); err != nil {
		t.Errorf("begun an hour ago: %v", err)
	}
	paid := ledger.GatewayOrder{ID: "order-4", Ref: w.create(w.order("order-4")).Ref}
	if _, err := w.coins.Pay(t.Context(), box.Payment{OrderID: "order-4", Coin: "LTC", Instant: true}); err != nil {
		t.Fatal(err)
	}
	if err := w.Cancel(t.Context(), paid); !errors.Is(err, gateway.ErrPaying) {
		t.Errorf("a paid one: %v", err)
	}
	if err := w.coins.TimeOut(w.create(w.order("order-5")).Ref, false); err != nil {
		t.Fatal(err)
	}
	if err := w.Cancel(t.Context(), ledger.GatewayOrder{Ref: w.mustFind("order-5")}); err != nil {
		t.Errorf("one that timed out: %v", err)
	}
}

func (w *world) mustFind(id string) string {
	w.Helper()
	o := w.order(id)
	found, err := w.Find(w.Context(), o.ID, o.Terms.Terms)
	if err != nil {
		w.Fatal(err)
	}
	return found[0].Ref
}

// TestCancelIsSlow: an invoice that is not cancelled yet when the call returns is asked for
// again, and a payment that came first wins.
func TestCancelIsSlow(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		then string
		want error
	}{"cancelled": {"cancelled", nil}, "timed out": {"timedOut", nil}, "paid": {"paid", gateway.ErrPaying}, "pending": {"pending", gateway.ErrPaying}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := 0
			server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				status := "unpaid"
				if asked++; asked > 3 {
					status = test.then
				}
				if r.Method == http.MethodGet {
					io.WriteString(rw, `{"id":"1","status":"`+status+`","currency":{"id":"5057"},"amount":{"total":"1"}}`)
				}
			}))
			defer server.Close()
			err := open(t, Config{BaseURL: server.URL}).Cancel(t.Context(), ledger.GatewayOrder{Ref: "1"})
			if !errors.Is(err, test.want) || test.want == nil && err != nil {
				t.Errorf("%v, want %v", err, test.want)
			}
		})
	}
}
