package ccpayment_test

import (
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/internal/adminapi"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

const namedSite = `http://:$PORT {
	bind 127.0.0.1
	ccpayment_webhook /hook $APP
	ccpayment_status /status
	handle_path /api/* {
		ccpayment_api
	}
	ccpayment_checkout
	reverse_proxy $APP
}`

func namedSetup(base, prefix, ledger string) setup {
	return setup{
		global: adminOn, site: namedSite, store: "store bolt {\n path $DIR/" + ledger + "\n }",
		account: prefix + "webhook_url http://127.0.0.1:$PORT/hook\nbase_url " + base,
		// The app asks for the terms that the page names.
		app: func(w http.ResponseWriter, r *http.Request) { asks(r.URL.Query().Get("terms"))(w, r) },
	}
}

// namedShop is a shop that orders under the ids that its pages name.
func namedShop(t *testing.T, prefix string) (s *shop, base string) {
	t.Helper()
	box, c, base := newSandbox(t, 1)
	s = &shop{box: box, c: c}
	s.server = start(t, namedSetup(base, prefix, "ledger.db"))
	return s, base
}

// buy orders for a price and returns the checkout.
func (s *shop) buy(id, price string) visit {
	s.t.Helper()
	terms, err := json.Marshal(map[string]string{"order_id": id, "price": price, "return_url": "https://shop.example/thanks"})
	if err != nil {
		s.t.Fatal(err)
	}
	return s.visit(http.MethodPost, "/buy?terms="+url.QueryEscape(string(terms)), "", nil)
}

type namedOrder struct {
	OrderID        string `json:"order_id"`
	GatewayOrderID string `json:"gateway_order_id"`
	State          string
	Generations    []struct{ ID string }
}

// orderNamed asks the admin endpoint for an order by the app's id.
func (s *shop) orderNamed(id string) namedOrder {
	s.t.Helper()
	return s.orderOf("", id)
}

// orderOf is orderNamed for an account that is named.
func (s *shop) orderOf(account, id string) (o namedOrder) {
	s.t.Helper()
	admin := adminapi.Client{Do: func(method, uri string, body io.Reader) (*http.Response, error) {
		r, err := http.NewRequest(method, "http://"+s.admin+uri, body)
		if err != nil {
			return nil, err
		}
		return s.client.Do(r)
	}}
	answer, err := admin.Order(id, account)
	if err == nil {
		err = json.Unmarshal(answer, &o)
	}
	if err != nil {
		s.t.Fatalf("order %q: %v: %s", id, err, answer)
	}
	return o
}

// fulfilledIDs are the order ids that the app was told to fulfil, decoded.
func (s *shop) fulfilledIDs() (ids []string) {
	for _, got := range s.app.received() {
		if got.header.Get("Ccpayment-Fulfill") == "" {
			continue
		}
		id, err := url.PathUnescape(got.header.Get("Ccpayment-Order-Id"))
		if err != nil {
			s.t.Errorf("the order id %q cannot be decoded", got.header.Get("Ccpayment-Order-Id"))
		}
		ids = append(ids, id)
	}
	return ids
}

var takenByCCPayment = regexp.MustCompile(`^shop-[A-Za-z0-9_.:-]{1,43}$`)

// TestCase08_OrderIDs: whatever a shop calls its order, it is made, paid and fulfilled
// under that name, everywhere.
func TestCase08_OrderIDs(t *testing.T) {
	for i, id := range []string{
		"7", "#1001", "INV/2024/001", "order 7", strings.Repeat("f", 64), "Bestellung-Ä7", "注文7", " 7 ", "50%", "%41", "a&b=c?d#e+f", `"7"`, "<7>",
		"..", ".", "/", "a//b/", "../7", "buyer@shop.example", "\u202e7", "x.abcdefghijklmnopqrstuvwxyz", strings.Repeat("💶", 128),
	} {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			s, _ := namedShop(t, "order_prefix shop-\n")
			made := s.buy(id, "10")
			if made.status != http.StatusCreated || made.answer.OrderID != id {
				t.Fatalf("%d %s\n%s", made.status, made.body, s.logs())
			}
			if again := s.buy(id, "10"); again.status != http.StatusOK || again.answer.CheckoutURL != made.answer.CheckoutURL {
				t.Errorf("asked again: %d %s", again.status, again.body)
			}
			repriced := s.buy(id, "20")
			order := s.orderNamed(id)
			if repriced.status != http.StatusCreated || len(order.Generations) != 2 || order.OrderID != id || !takenByCCPayment.MatchString(order.GatewayOrderID) {
				t.Fatalf("with another price: %d %s, %+v", repriced.status, repriced.body, order)
			}
			s.payAll(order.Generations[1].ID)
			await(t, "it is paid", func() bool { return s.orderNamed(id).State == "paid" })
			await(t, "it is fulfilled", func() bool { return len(s.fulfilledIDs()) > 0 })
			s.payAll(order.GatewayOrderID)
			await(t, "it is paid twice", func() bool { return s.orderNamed(id).State == "overpaid" })
			if got := s.fulfilledIDs(); len(got) != 1 || got[0] != id {
				t.Errorf("fulfilled: %q", got)
			}

			var status struct {
				OrderID   string `json:"order_id"`
				Fulfilled bool
			}
			for _, where := range []string{"/status?t=" + url.QueryEscape(made.answer.Token), "/api/orders?order_id=" + url.QueryEscape(id)} {
				v := s.visit(http.MethodGet, where, "", nil)
				if err := json.Unmarshal([]byte(v.body), &status); err != nil || status.OrderID != id || !status.Fulfilled {
					t.Errorf("%s: %d %s", where, v.status, v.body)
				}
			}
			await(t, "both payments are delivered", func() bool {
				return len(s.list("state=delivered&status=success&order_id="+url.QueryEscape(id)).Events) == 2
			})
			body, _ := json.Marshal(map[string]string{"order_id": id, "price": "20"})
			if again := s.call("/api/checkout", string(body)); again.status != http.StatusConflict || !strings.Contains(again.Msg, "paid") {
				t.Errorf("asked by the app: %d %s", again.status, again.body)
			}
			for line := range strings.Lines(s.logs()) {
				if strings.Contains(id, "@") && strings.Contains(line, id) && !strings.Contains(line, `"level":"debug"`) { // Caddy's own
					t.Errorf("the buyer's address is in the log: %s", line)
				}
			}
		})
	}
}

// TestCase08_ByPath: an id whose path is clean is found by it, percent-encoded or not.
func TestCase08_ByPath(t *testing.T) {
	s, _ := namedShop(t, "")
	for _, id := range []string{"#1001", "INV/2024/001", "order 7", "50%", "Ä"} {
		s.buy(id, "10")
		if v := s.visit(http.MethodGet, "/api/orders/"+url.PathEscape(id), "", nil); v.status != http.StatusOK || v.answer.OrderID != id {
			t.Errorf("%s: %d %s", id, v.status, v.body)
		}
	}
}

// TestCase08_OthersOrder: ids that are nearly the same are different orders, and the id
// that CCPayment has for one order gives nobody its payments.
func TestCase08_OthersOrder(t *testing.T) {
	s, _ := namedShop(t, "")
	s.buy("Ä 7", "10")
	made := s.orderNamed("Ä 7").GatewayOrderID
	for _, other := range []string{"ä 7", "A\u0308 7", "Ä 7 ", made} {
		if v := s.buy(other, "10"); v.status != http.StatusCreated || v.answer.OrderID != other || s.orderNamed(other).GatewayOrderID == made {
			t.Errorf("%q: %d %s", other, v.status, v.body)
		}
	}
	s.payAll(made)
	await(t, "one is fulfilled", func() bool { return len(s.fulfilledIDs()) == 1 })
	if got := s.fulfilledIDs(); got[0] != "Ä 7" {
		t.Errorf("fulfilled: %q", got)
	}
	if o := s.orderNamed(made); o.State != "unpaid" {
		t.Errorf("%+v", o)
	}
	// One that CCPayment takes is the same there.
	s.buy("Order-1", "10")
	if o := s.orderNamed("Order-1"); o.GatewayOrderID != "Order-1" {
		t.Errorf("%+v", o)
	}
}

// TestCase08_LedgerLost: without the ledger nothing says which order a payment is of.
// It is held until the order's checkout was opened once more.
func TestCase08_LedgerLost(t *testing.T) {
	s, base := namedShop(t, "order_prefix shop-\n")
	s.buy("#1001", "10")
	id := s.orderNamed("#1001").GatewayOrderID
	s.load(namedSetup(base, "order_prefix shop-\n", "new.db"))
	s.payAll(id)
	event := s.awaitState("status=success&order_id="+id, "held")
	if e := s.list("status=success").Events[0]; !strings.HasPrefix(e.LastError, "mismatch: the ledger has lost which of the app's orders is \""+id) {
		t.Errorf("%+v", e)
	}
	s.ask(http.MethodPost, "events/"+event+"/release", `{"reason":"a test"}`, http.StatusOK, nil)
	s.awaitState("status=success&order_id="+id, "held")
	if got := s.app.received(); len(got) > 2 || len(s.fulfilledIDs()) > 0 { // the two that asked for a checkout, of the app
		for _, r := range got {
			if r.header.Get("Ccpayment-Type") != "" {
				t.Errorf("the app got %v", r.header)
			}
		}
	}
	if v := s.buy("#1001", "10"); v.status != http.StatusConflict || v.answer.Error.Code != "paid" {
		t.Fatalf("%d %s", v.status, v.body)
	}
	s.ask(http.MethodPost, "events/"+event+"/release", `{"reason":"a test"}`, http.StatusOK, nil)
	s.awaitState("status=success&order_id="+url.QueryEscape("#1001"), "delivered")
	if got := s.fulfilledIDs(); len(got) != 1 || got[0] != "#1001" {
		t.Errorf("fulfilled: %q", got)
	}

	// An order that is not paid yet is found, and not made again.
	made := s.buy("#1002", "10")
	s.load(namedSetup(base, "order_prefix shop-\n", "newer.db"))
	if v := s.buy("#1002", "10"); v.status != http.StatusOK || v.answer.CheckoutURL != made.answer.CheckoutURL || v.answer.OrderID != "#1002" {
		t.Errorf("%d %s", v.status, v.body)
	}
	s.payAll(s.orderNamed("#1002").GatewayOrderID)
	await(t, "it is fulfilled", func() bool { return len(s.fulfilledIDs()) == 2 })
}

// TestCase08_MadeElsewhere: an order that the app made at CCPayment under its own id
// stays what it is, and is never a second order of that name.
func TestCase08_MadeElsewhere(t *testing.T) {
	s, _ := namedShop(t, "order_prefix shop-\n")
	if err := s.box.SetWebhookURL("http://" + s.addr + "/hook"); err != nil {
		t.Fatal(err)
	}
	elsewhere := func(id string) {
		t.Helper()
		_, err := s.c.CreateInvoice(t.Context(), client.InvoiceRequest{OrderID: id, Price: decimal.New(10, 0), PriceFiatID: "1033"})
		if err != nil {
			t.Fatal(err)
		}
	}
	elsewhere("shop-#1001")
	s.payAll("shop-#1001")
	await(t, "it is fulfilled", func() bool { return cmp.Or(s.fulfilledIDs()...) == "#1001" })
	if o := s.orderNamed("#1001"); o.OrderID != "#1001" || o.GatewayOrderID != "shop-#1001" || o.State != "paid" {
		t.Errorf("%+v", o)
	}
	if v := s.buy("#1001", "10"); v.status != http.StatusConflict || v.answer.Error.Code != "taken" {
		t.Errorf("%d %s", v.status, v.body)
	}
	// The other way round.
	s.buy("#1002", "10")
	elsewhere("shop-#1002")
	s.payAll("shop-#1002")
	s.awaitState("status=success&order_id="+url.QueryEscape("#1002"), "held")
	s.payAll(s.orderNamed("#1002").GatewayOrderID)
	await(t, "the checkout's is fulfilled", func() bool { return len(s.fulfilledIDs()) == 2 })
	if e := s.list("status=success&state=held").Events; len(e) != 1 || !strings.Contains(e[0].LastError, "the payment is of another order with its id") {
		t.Errorf("%+v", e)
	}
}

// TestCase08_Payout: a payout has its own ids, whatever an order is called.
func TestCase08_Payout(t *testing.T) {
	s, _ := namedShop(t, "order_prefix shop-\n")
	if err := s.box.SetWebhookURL("http://" + s.addr + "/hook"); err != nil {
		t.Fatal(err)
	}
	s.buy("#1001", "10")
	user, err := s.c.UserDepositAddress(t.Context(), client.UserAddressRequest{UserID: "user-1", Chain: "TRX"})
	if err != nil {
		t.Fatal(err)
	}
	s.pay(sandbox.Payment{Address: user.Address, Amount: decimal.New(90, 0), Coin: "USDT"})
	for _, id := range []string{"#1001", "x.rvlqwhmpoqzpuqrm4cde3jp4xz"} {
		_, err = s.c.UserWithdraw(t.Context(), client.UserWithdrawalRequest{
			UserID: "user-1", OrderID: "shop-" + id, CoinID: "1280", Chain: "TRX",
			Address: "TRPKg7eGMy9aZS2RumSPeWoyVkDqTVwLgL", Amount: decimal.New(10, 0),
		})
		if err != nil {
			t.Fatal(err)
		}
		s.box.Advance(time.Minute)
		await(t, "the app learns of payout "+id, func() bool {
			return slices.ContainsFunc(s.app.received(), func(got received) bool {
				return got.header.Get("Ccpayment-Payout") == "sent" && got.header.Get("Ccpayment-Order-Id") == id
			})
		})
	}
}

// TestCase08_LongPrefix: where the prefix is the reason, the log says so.
func TestCase08_LongPrefix(t *testing.T) {
	s, _ := namedShop(t, "order_prefix "+strings.Repeat("p", 30)+"\n")
	if v := s.buy("7", "10"); v.status != http.StatusCreated {
		t.Errorf("an id that has room: %d %s", v.status, v.body)
	}
	if v := s.buy("#7", "10"); v.status != http.StatusBadGateway || v.answer.Error.Code != "bad_terms" {
		t.Errorf("%d %s", v.status, v.body)
	}
	if want := "shorten order_prefix to 20"; !strings.Contains(s.logs(), want) {
		t.Errorf("the log does not say %q", want)
	}
}
