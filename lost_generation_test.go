package ccpayment_test

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// release releases an event.
func (s *shop) release(event string) {
	s.t.Helper()
	s.ask(http.MethodPost, "events/"+event+"/release", `{"reason":"a test"}`, http.StatusOK, nil)
}

// backup makes a copy of the ledger and returns its name in the shop's folder.
func (s *shop) backup() string {
	s.t.Helper()
	response, err := s.client.Get("http://" + s.admin + "/ccpayment/backup")
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	copied, err := io.ReadAll(response.Body)
	if err == nil {
		err = os.WriteFile(filepath.Join(s.dir, "restored.db"), copied, 0o600)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return "restored.db"
}

// TestGenerationLost: a payment of a generation that the ledger has lost is held, and not
// delivered as that of an order which the app never made. Once the order's checkout was
// opened again, it is released as the order's.
func TestGenerationLost(t *testing.T) {
	for _, own := range []string{"order-1", "#1001"} {
		for name, ledgerAfter := range map[string]func(*shop) string{
			"new ledger": func(*shop) string { return "new.db" },
			"backup":     (*shop).backup,
		} {
			t.Run(name+" "+own, func(t *testing.T) {
				s, base := namedShop(t, "order_prefix shop-\n")
				s.buy(own, "10")
				restored := ledgerAfter(s)
				s.buy(own, "20")
				generation := s.orderNamed(own).Generations[1].ID
				s.load(namedSetup(base, "order_prefix shop-\n", restored))
				s.payAll(generation)
				event := s.awaitState("status=success&order_id="+generation, "held")
				e := s.list("status=success").Events[0]
				if !strings.HasPrefix(e.LastError, "mismatch: the ledger has lost which of the app's orders is \""+generation) {
					t.Errorf("held for %q", e.LastError)
				}
				if name == "new ledger" { // an operator who releases too early has the event held again
					s.release(event)
					s.awaitState("status=success&order_id="+generation, "held")
				}
				s.wantFulfilled()
				if v := s.buy(own, "10"); v.status != http.StatusOK {
					t.Fatalf("opened again: %d %s", v.status, v.body)
				}
				s.release(event)
				s.awaitState("status=success&order_id="+url.QueryEscape(own), "delivered")
				s.wantFulfilled(own)
				order := s.orderNamed(own)
				if order.State != "overpaid" || len(order.Generations) != 2 || order.Generations[1].ID != order.GatewayOrderID {
					t.Errorf("the order is %+v", order)
				}
				for _, got := range s.app.received() {
					if id, err := url.PathUnescape(got.header.Get("Ccpayment-Order-Id")); err != nil || id != "" && id != own {
						t.Errorf("the app got an event of %q, %v", id, err)
					}
				}
			})
		}
	}
}

// TestElsewhereLikeAGeneration: an order that the app made at CCPayment itself is known by
// its id there, whatever that looks like, unless it could be one that the ledger has lost.
func TestElsewhereLikeAGeneration(t *testing.T) {
	s, _ := namedShop(t, "order_prefix shop-\n")
	if err := s.box.SetWebhookURL("http://" + s.addr + "/hook"); err != nil {
		t.Fatal(err)
	}
	order := func(id string) {
		if _, err := s.c.CreateInvoice(t.Context(), client.InvoiceRequest{OrderID: id, Price: decimal.New(10, 0), PriceFiatID: "1033"}); err != nil {
			t.Fatal(err)
		}
	}
	order("shop-my-basketball")
	s.payAll("shop-my-basketball")
	s.awaitState("status=success&order_id=my-basketball", "delivered")
	order("shop-my")
	order("shop-my-volleyball")
	s.payAll("shop-my-volleyball")
	s.awaitState("status=success&order_id=shop-my-volleyball", "held")
	s.wantFulfilled("my-basketball")
	if v := s.buy("my-basketball", "10"); v.status != http.StatusConflict || v.answer.Error.Code != "taken" {
		t.Errorf("%d %s", v.status, v.body)
	}
}

// TestAccountRenamed: an order is the app's under the id that its checkout was asked for,
// also where the account or its prefix is called otherwise since.
func TestAccountRenamed(t *testing.T) {
	named := func(name, prefix string) func(base string) setup {
		return func(base string) setup {
			s := namedSetup(base, "", "ledger.db")
			of := " {\n account " + name + "\n }"
			s.account = "account " + name + " {\n app_id " + appID + "\n app_secret " + secret + "\n" + prefix + "base_url " + base + "\n webhook_url http://127.0.0.1:$PORT/hook\n}"
			s.site = strings.NewReplacer("/hook $APP", "/hook $APP"+of, "ccpayment_api", "ccpayment_api"+of,
				"ccpayment_status /status", "ccpayment_status /status"+of, "ccpayment_checkout", "ccpayment_checkout"+of).Replace(s.site)
			return s
		}
	}
	prefixed := func(prefix string) func(base string) setup {
		return func(base string) setup { return namedSetup(base, prefix, "ledger.db") }
	}
	for name, test := range map[string]struct {
		before, after func(base string) setup
		state         string
	}{
		"another name":             {prefixed(""), named("main", ""), "delivered"},
		"another name, one prefix": {named("shop", "order_prefix shop-\n"), named("main", "order_prefix shop-\n"), "delivered"},
		"another prefix":           {prefixed("order_prefix shop-\n"), prefixed("order_prefix store-\n"), "delivered"},
		"a prefix less":            {prefixed("order_prefix shop-\n"), prefixed(""), "delivered"},
		"a prefix more":            {prefixed(""), prefixed("order_prefix shop-\n"), "delivered"},
		// It may be another shop's that is not configured any more.
		"another name and prefix": {named("shop", "order_prefix shop-\n"), named("main", "order_prefix store-\n"), "held"},
		// It is another shop's.
		"another account and prefix": {prefixed("order_prefix shop-\n"), named("main", "order_prefix store-\n"), "ignored"},
	} {
		for _, own := range []string{"cart-7", "#1001"} {
			t.Run(name+" "+own, func(t *testing.T) {
				box, c, base := newSandbox(t, 1)
				s := &shop{box: box, c: c}
				before := test.before(base)
				s.server = start(t, before)
				s.buy(own, "10")
				s.buy(own, "20")
				account := ""
				if strings.HasPrefix(before.account, "account shop") {
					account = "shop"
				}
				generations := s.orderOf(account, own).Generations
				s.load(test.after(base))
				for _, g := range generations {
					s.payAll(g.ID)
				}
				if test.state == "delivered" {
					s.awaitDelivered(2)
					s.wantFulfilled(own)
					return
				}
				for _, g := range generations {
					s.awaitState("status=success&order_id="+g.ID, test.state)
				}
				s.wantFulfilled()
			})
		}
	}
}

// TestOldOrderAndNew: where an order is open under two ids at CCPayment, as after the
// prefix was changed, the payments of one of them fulfil it.
func TestOldOrderAndNew(t *testing.T) {
	s, base := namedShop(t, "order_prefix shop-\n")
	s.buy("cart-7", "10")
	s.load(namedSetup(base, "order_prefix store-\n", "ledger.db"))
	if v := s.buy("cart-7", "10"); v.status != http.StatusCreated {
		t.Fatalf("%d %s", v.status, v.body)
	}
	s.payAll("shop-cart-7")
	s.awaitState("status=success&order_id=shop-cart-7", "held")
	s.payAll("store-cart-7")
	s.awaitDelivered(1)
	s.wantFulfilled("cart-7")
}

// TestOtherShopsOrder: of several shops on one CCPayment account each gets its own orders,
// whichever route their webhooks come in on. What only the ledger knows to be another
// shop's, because this one has no prefix, is held.
func TestOtherShopsOrder(t *testing.T) {
	for name, test := range map[string]struct{ ours, theirs, state string }{
		"apart":       {"order_prefix eu-", "order_prefix us-", "ignored"},
		"overlapping": {"", "order_prefix eu-", "held"}, // an account without a prefix takes all for its own
	} {
		t.Run(name, func(t *testing.T) {
			box, c, base := newSandbox(t, 1)
			s := &shop{box: box, c: c}
			account := func(name, prefix string) string {
				return "account " + name + " {\n app_id " + appID + "\n app_secret " + secret + "\n " + prefix + "\n base_url " + base + "\n webhook_url http://127.0.0.1:$PORT/hook/ours\n}\n"
			}
			s.server = start(t, setup{
				global: adminOn, account: account("ours", test.ours) + account("theirs", test.theirs),
				app: func(w http.ResponseWriter, r *http.Request) { asks(r.URL.Query().Get("terms"))(w, r) },
				site: `http://:$PORT {
					bind 127.0.0.1
					ccpayment_webhook /hook/ours $APP {
						account ours
						route ours
					}
					ccpayment_webhook /hook/theirs $APP {
						account theirs
						route theirs
					}
					ccpayment_checkout {
						account theirs
					}
					reverse_proxy $APP
				}`,
			})
			s.buy("7", "10")
			s.buy("7", "20")
			for _, g := range s.orderOf("theirs", "7").Generations {
				s.payAll(g.ID)
				s.awaitState("status=success&order_id="+g.ID, test.state)
			}
			s.wantFulfilled()
		})
	}
}

// TestPayoutLikeAGeneration: a payout has its own id, also where an order at CCPayment has
// the same.
func TestPayoutLikeAGeneration(t *testing.T) {
	s, _ := namedShop(t, "")
	if err := s.box.SetWebhookURL("http://" + s.addr + "/hook"); err != nil {
		t.Fatal(err)
	}
	s.buy("order-1", "10")
	s.buy("order-1", "20")
	user, err := s.c.UserDepositAddress(t.Context(), client.UserAddressRequest{UserID: "user-1", Chain: "TRX"})
	if err != nil {
		t.Fatal(err)
	}
	s.pay(sandbox.Payment{Address: user.Address, Amount: decimal.New(90, 0), Coin: "USDT"})
	for _, id := range []string{s.orderNamed("order-1").Generations[1].ID, "order-2-abcdefghij"} {
		if _, err := s.c.UserWithdraw(t.Context(), client.UserWithdrawalRequest{
			UserID: "user-1", OrderID: id, CoinID: "1280", Chain: "TRX", Address: "TRPKg7eGMy9aZS2RumSPeWoyVkDqTVwLgL", Amount: decimal.New(10, 0),
		}); err != nil {
			t.Fatal(err)
		}
		s.box.Advance(time.Minute)
		await(t, "the app learns of payout "+id, func() bool {
			for _, got := range s.app.received() {
				if got.header.Get("Ccpayment-Payout") == "sent" && got.header.Get("Ccpayment-Order-Id") == id {
					return true
				}
			}
			return false
		})
	}
}
