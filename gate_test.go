package ccpayment_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// shop is a Caddy that confirms, between an app and a sandbox.
type shop struct {
	*server
	box *sandbox.Sandbox
	c   *client.Client
}

func newShop(t *testing.T, webhook string) *shop {
	t.Helper()
	box, c, base := newSandbox(t, 1)
	s := &shop{box: box, c: c}
	s.server = start(t, setup{account: "base_url " + base, webhook: webhook, confirm: true})
	if err := box.SetWebhookURL("http://" + s.addr + "/hook"); err != nil {
		t.Fatal(err)
	}
	return s
}

// kinds are the ways to make an order of ten dollars, or of ten coins.
var kinds = map[string]func(*shop, string) error{
	"invoice in fiat": func(s *shop, id string) error {
		_, err := s.c.CreateInvoice(s.t.Context(), client.InvoiceRequest{OrderID: id, Price: decimal.New(10, 0), PriceFiatID: "1033"})
		return err
	},
	"order in fiat": func(s *shop, id string) error {
		_, err := s.c.CreateDepositOrder(s.t.Context(), client.DepositOrderRequest{
			OrderID: id, CoinID: "1280", Chain: "TRX", Price: decimal.New(10, 0), FiatID: "1033",
		})
		return err
	},
	"order in coin": func(s *shop, id string) error {
		_, err := s.c.CreateDepositOrder(s.t.Context(), client.DepositOrderRequest{
			OrderID: id, CoinID: "1280", Chain: "TRX", Price: decimal.New(10, 0),
		})
		return err
	},
}

// pay makes a payment arrive, and returns what the app got of its last webhook;
// nothing if it got none.
func (s *shop) pay(p sandbox.Payment) http.Header {
	s.t.Helper()
	before := len(s.app.received())
	p.Instant, p.Wait = true, patience
	paid, err := s.box.Pay(s.t.Context(), p)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, got := range s.app.received()[before:] {
		if got.header.Get("Ccpayment-Record-Id") == paid.RecordID && got.header.Get("Ccpayment-Status") != "Processing" {
			return got.header
		}
	}
	return nil
}

// wantMoney checks the headers that an app acts upon; those not named must be
// absent.
func wantMoney(t *testing.T, what string, got http.Header, want map[string]string) {
	t.Helper()
	if got == nil {
		t.Errorf("%s: the app got nothing", what)
		return
	}
	for _, name := range []string{"Confirmed", "Fulfill", "Credit", "Payout", "Order-State", "Reason", "Risky", "Order-Late"} {
		if got.Get("Ccpayment-"+name) != want[name] {
			t.Errorf("%s: %s is %q, want %q", what, name, got.Get("Ccpayment-"+name), want[name])
		}
	}
}

// TestEightCases: the headers that the app gets for each way to pay, for each kind of
// order.
func TestEightCases(t *testing.T) {
	ten, half := decimal.New(10, 0), decimal.New(5, 0)
	paid := map[string]string{"Confirmed": "true", "Fulfill": "true", "Order-State": "paid"}
	for kind, create := range kinds {
		t.Run(kind, func(t *testing.T) {
			s := newShop(t, "")
			order := func(id string) string {
				t.Helper()
				if err := create(s, id); err != nil {
					t.Fatal(err)
				}
				return id
			}
			wantMoney(t, "exact", s.pay(sandbox.Payment{OrderID: order("exact")}), paid)

			id := order("split")
			wantMoney(t, "the first half", s.pay(sandbox.Payment{OrderID: id, Amount: half}),
				map[string]string{"Confirmed": "true", "Order-State": "partial", "Reason": "partial"})
			wantMoney(t, "the second half", s.pay(sandbox.Payment{OrderID: id}), paid)
			wantMoney(t, "once more", s.pay(sandbox.Payment{OrderID: id, Amount: half}),
				map[string]string{"Confirmed": "true", "Order-State": "overpaid", "Reason": "already_fulfilled"})

			wantMoney(t, "under", s.pay(sandbox.Payment{OrderID: order("under"), Amount: half}),
				map[string]string{"Confirmed": "true", "Order-State": "partial", "Reason": "partial"})
			wantMoney(t, "over", s.pay(sandbox.Payment{OrderID: order("over"), Amount: ten.Add(half)}),
				map[string]string{"Confirmed": "true", "Fulfill": "true", "Order-State": "overpaid"})
			wantMoney(t, "late", s.pay(sandbox.Payment{OrderID: order("late"), Late: true}),
				map[string]string{"Confirmed": "true", "Fulfill": "true", "Order-State": "paid", "Order-Late": "true"})
			wantMoney(t, "failed", s.pay(sandbox.Payment{OrderID: order("failed"), Status: "failed"}),
				map[string]string{"Confirmed": "true", "Order-State": "unpaid"})
			if got := s.pay(sandbox.Payment{OrderID: order("risky"), Risky: true}); got != nil {
				t.Errorf("a risky payment was delivered: %v", got)
			}
			if kind != "invoice in fiat" { // which takes any coin
				wantMoney(t, "wrong coin", s.pay(sandbox.Payment{OrderID: order("wrong"), Coin: "TRX", Amount: ten}),
					map[string]string{"Confirmed": "true", "Order-State": "unpaid", "Reason": "wrong_coin"})
			}
		})
	}
}

// TestConfirmedRecords: deposits without an order are credited once, and
// withdrawals booked once.
func TestConfirmedRecords(t *testing.T) {
	s := newShop(t, "")
	address, err := s.c.PermanentAddress(t.Context(), client.AddressRequest{ReferenceID: "buyer-1", Chain: "TRX"})
	if err != nil {
		t.Fatal(err)
	}
	credited := map[string]string{"Confirmed": "true", "Credit": "true"}
	got := s.pay(sandbox.Payment{Address: address.Address, Amount: decimal.New(3, 0), Coin: "USDT"})
	wantMoney(t, "a direct deposit", got, credited)
	for name, want := range map[string]string{
		"Ccpayment-Amount": "3", "Ccpayment-Coin": "USDT", "Ccpayment-Chain": "TRX", "Ccpayment-Fee": "0.015",
		"Ccpayment-Usd-Price": "1.0001", "Ccpayment-Reference-Id": "buyer-1",
	} {
		if got.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, got.Get(name), want)
		}
	}
	user, err := s.c.UserDepositAddress(t.Context(), client.UserAddressRequest{UserID: "user-1", Chain: "TRX"})
	if err != nil {
		t.Fatal(err)
	}
	wantMoney(t, "a user's deposit", s.pay(sandbox.Payment{Address: user.Address, Amount: decimal.New(30, 0), Coin: "USDT"}), credited)

	recordID, err := s.c.UserWithdraw(t.Context(), client.UserWithdrawalRequest{
		UserID: "user-1", OrderID: "out-1", CoinID: "1280", Chain: "TRX",
		Address: "TRPKg7eGMy9aZS2RumSPeWoyVkDqTVwLgL", Amount: decimal.New(10, 0),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.box.Advance(time.Minute)
	for _, got := range s.app.received() {
		if got.header.Get("Ccpayment-Record-Id") != recordID {
			continue
		}
		want := map[string]string{"Confirmed": "true"}
		if got.header.Get("Ccpayment-Status") == "Success" {
			want["Payout"] = "sent"
		}
		wantMoney(t, "a withdrawal, "+got.header.Get("Ccpayment-Status"), got.header, want)
	}
}

// TestUnconfirmedIsNotMoney: whatever CCPayment's API does instead of agreeing,
// nothing is delivered, and nothing is lost: the retry is.
func TestUnconfirmedIsNotMoney(t *testing.T) {
	for name, fault := range map[string]sandbox.Fault{
		"HTTP 500":           {HTTPStatus: http.StatusInternalServerError, Times: -1},
		"HTML":               {HTTPStatus: http.StatusOK, Times: -1},
		"rate limit":         {Code: 11004, Times: -1},
		"a blocked address":  {Code: 12002, Times: -1},
		"unknown record":     {Code: 11003, Times: -1},
		"cut connections":    {Drop: "before", Times: -1},
		"answers that hang":  {DelayMS: 2_500, Times: -1}, // longer than all tries; the sandbox sees each to its end
		"an account blocked": {Code: 12000, Times: -1},
	} {
		t.Run(name, func(t *testing.T) {
			box, c, base := newSandbox(t, 1)
			s := &shop{box: box, c: c}
			s.server = start(t, setup{account: "api_timeout 500ms\nbase_url " + base, confirm: true})
			if err := box.SetWebhookURL("http://" + s.addr + "/hook"); err != nil {
				t.Fatal(err)
			}
			if err := kinds["invoice in fiat"](s, "order-1"); err != nil {
				t.Fatal(err)
			}
			fault.Endpoint = "*"
			if err := box.SetFaults(fault); err != nil {
				t.Fatal(err)
			}
			if got := s.pay(sandbox.Payment{OrderID: "order-1"}); got != nil {
				t.Fatalf("delivered: %v", got)
			}
			for _, d := range box.Deliveries() {
				if d.HTTPStatus != http.StatusServiceUnavailable {
					t.Errorf("%s was answered %d %q", d.Status, d.HTTPStatus, d.Answer)
				}
			}
			s.app.wants(t, 0)
			box.ClearFaults()
			box.Advance(30 * time.Second)
			calls := s.app.received()
			if len(calls) == 0 {
				t.Fatal("the retry was not delivered")
			}
			last := calls[len(calls)-1].header
			wantMoney(t, "the retry", last, map[string]string{"Confirmed": "true", "Fulfill": "true", "Order-State": "paid"})
			if last.Get("Ccpayment-Attempt") != "1" {
				t.Errorf("attempts that never reached the app are counted: %s", last.Get("Ccpayment-Attempt"))
			}
		})
	}
}

// TestContradictionsAreHeld: a webhook that says other than the record is not
// delivered, nor asked for again.
func TestContradictionsAreHeld(t *testing.T) {
	s := newShop(t, "")
	if err := kinds["order in coin"](s, "order-1"); err != nil {
		t.Fatal(err)
	}
	record := s.pay(sandbox.Payment{OrderID: "order-1"}).Get("Ccpayment-Record-Id")
	n := len(s.app.received())
	const good = `{"type":"ApiDeposit","msg":{"recordId":"$R","orderId":"order-1","coinId":1280,"coinSymbol":"USDT","status":"Success","isFlaggedAsRisky":false}}`
	for what, change := range map[string][2]string{
		"another coin":   {"1280", "1482"},
		"another order":  {"order-1", "order-2"},
		"failed instead": {"Success", "Failed"},
		"risky":          {"false", "true"},
	} {
		body := strings.Replace(strings.ReplaceAll(good, "$R", record), change[0], change[1], 1)
		// A coin or an order is no part of an event's key: the record was delivered.
		if change[0] == "1280" || change[0] == "order-1" {
			body = strings.Replace(body, "Success", "Rejected", 1)
		}
		s.deliver(delivery{body: body}).wants(t, http.StatusOK)
		if len(s.app.received()) != n {
			t.Errorf("%s was delivered", what)
		}
	}
	if logs := s.logs(); !strings.Contains(logs, "holding an event") || !strings.Contains(logs, "mismatch") {
		t.Error("the log does not say what is held")
	}
}

// TestBehind: CCPayment's APIs may lag its webhooks.
func TestBehind(t *testing.T) {
	s := newShop(t, "")
	if err := kinds["order in coin"](s, "order-1"); err != nil {
		t.Fatal(err)
	}
	paid, err := s.box.Pay(t.Context(), sandbox.Payment{OrderID: "order-1", Status: "processing"})
	if err != nil {
		t.Fatal(err)
	}
	await(t, "the Processing", func() bool { return len(s.app.received()) == 1 })
	early := `{"type":"ApiDeposit","msg":{"recordId":"` + paid.RecordID + `","orderId":"order-1","coinId":1280,"status":"Success","isFlaggedAsRisky":false}}`
	s.deliver(delivery{body: early}).wants(t, http.StatusServiceUnavailable)
	s.app.wants(t, 1)
	if err := s.box.Finish(paid.RecordID, "success"); err != nil {
		t.Fatal(err)
	}
	await(t, "the Success", func() bool { return len(s.app.received()) == 2 })
	wantMoney(t, "the Success", s.app.received()[1].header, map[string]string{"Confirmed": "true", "Fulfill": "true", "Order-State": "paid"})
}

// TestPolicies: what the operator chose about risk, lateness and shortfalls.
func TestPolicies(t *testing.T) {
	s := newShop(t, "risky forward\nlate hold\naccept_underpaid 1%")
	order := func(id string) string {
		if err := kinds["order in coin"](s, id); err != nil {
			t.Fatal(err)
		}
		return id
	}
	wantMoney(t, "risky", s.pay(sandbox.Payment{OrderID: order("risky"), Risky: true}),
		map[string]string{"Confirmed": "true", "Risky": "true", "Order-State": "review", "Reason": "risky"})
	if got := s.pay(sandbox.Payment{OrderID: order("late"), Late: true}); got != nil {
		t.Errorf("a late payment was delivered: %v", got)
	}
	wantMoney(t, "a little short", s.pay(sandbox.Payment{OrderID: order("short"), Amount: decimal.RequireFromString("9.9")}),
		map[string]string{"Confirmed": "true", "Fulfill": "true", "Order-State": "paid"})
	wantMoney(t, "too short", s.pay(sandbox.Payment{OrderID: order("shorter"), Amount: decimal.RequireFromString("9.89")}),
		map[string]string{"Confirmed": "true", "Order-State": "partial", "Reason": "partial"})
}

// TestOneCoinTwoNames: CCPayment lists a coin as POL and writes MATIC in its
// records; its id is one.
func TestOneCoinTwoNames(t *testing.T) {
	s := newShop(t, "")
	_, err := s.c.CreateDepositOrder(t.Context(), client.DepositOrderRequest{
		OrderID: "order-1", CoinID: "1329", Chain: "POLYGON", Price: decimal.New(10, 0),
	})
	if err != nil {
		t.Fatal(err)
	}
	got := s.pay(sandbox.Payment{OrderID: "order-1"})
	wantMoney(t, "POL", got, map[string]string{"Confirmed": "true", "Fulfill": "true", "Order-State": "paid"})
	if got.Get("Ccpayment-Coin") != "MATIC" {
		t.Errorf("the coin is %q", got.Get("Ccpayment-Coin"))
	}
}

// TestSlowAPI: an invoice takes three calls, each of which may take as long as
// api_timeout allows.
func TestSlowAPI(t *testing.T) {
	box, c, base := newSandbox(t, 1)
	s := &shop{box: box, c: c}
	s.server = start(t, setup{account: "api_timeout 800ms\nbase_url " + base, confirm: true})
	if err := box.SetWebhookURL("http://" + s.addr + "/hook"); err != nil {
		t.Fatal(err)
	}
	if err := kinds["invoice in fiat"](s, "order-1"); err != nil {
		t.Fatal(err)
	}
	if err := box.SetFaults(sandbox.Fault{Endpoint: "*", DelayMS: 500, Times: -1}); err != nil {
		t.Fatal(err)
	}
	wantMoney(t, "an invoice", s.pay(sandbox.Payment{OrderID: "order-1"}),
		map[string]string{"Confirmed": "true", "Fulfill": "true", "Order-State": "paid"})
}

// TestConfirmedPlaceholders: a Caddyfile routes on the same facts as the app.
func TestConfirmedPlaceholders(t *testing.T) {
	box, c, base := newSandbox(t, 1)
	s := &shop{box: box, c: c}
	s.server = start(t, setup{account: "base_url " + base, site: `http://:$PORT {
		bind 127.0.0.1
		ccpayment_webhook /hook {
			confirm on
			risky forward
		}
		reverse_proxy $APP {
			header_up X-Facts "{http.ccpayment.risky} {http.ccpayment.order_state} {http.ccpayment.fulfill} {http.ccpayment.amount}"
		}
	}`})
	if err := box.SetWebhookURL("http://" + s.addr + "/hook"); err != nil {
		t.Fatal(err)
	}
	if err := kinds["order in coin"](s, "order-1"); err != nil {
		t.Fatal(err)
	}
	clean := s.pay(sandbox.Payment{OrderID: "order-1"})
	if got := clean.Get("X-Facts"); got != "false paid true 10" {
		t.Errorf("the placeholders are %q", got)
	}
	// The webhook calls it clean, and the record does not.
	if err := kinds["order in coin"](s, "order-2"); err != nil {
		t.Fatal(err)
	}
	s.app.answers(status(http.StatusInternalServerError))
	record := s.pay(sandbox.Payment{OrderID: "order-2", Amount: decimal.New(5, 0)}).Get("Ccpayment-Record-Id")
	if err := box.SetRisky(record, true); err != nil {
		t.Fatal(err)
	}
	s.app.answers(nil)
	box.Advance(30 * time.Second)
	calls := s.app.received()
	last := calls[len(calls)-1].header
	if last.Get("Ccpayment-Risky") != "true" || !strings.HasPrefix(last.Get("X-Facts"), "true review ") {
		t.Errorf("the header says %q, the placeholders %q", last.Get("Ccpayment-Risky"), last.Get("X-Facts"))
	}
}
