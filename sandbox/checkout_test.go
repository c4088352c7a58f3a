package sandbox_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

func token(url string) string { return url[strings.LastIndex(url, "/")+1:] }

func TestCheckoutOfAnInvoice(t *testing.T) {
	w := start(t, func(o *sandbox.Options) { o.Speed = 1000 })
	page := token(w.ok("createInvoiceUrl", `{"orderId":"inv-1","price":"20","priceFiatId":"1033","product":"Tea",
		"returnUrl":"https://shop.example/r","closeUrl":"https://shop.example/c"}`).Str("invoiceUrl"))
	view, err := w.Checkout(page)
	if err != nil {
		t.Fatal(err)
	}
	if view.OrderID != "inv-1" || !view.Invoice || view.Due != nil || view.Symbol != "USD" || view.Product != "Tea" ||
		view.Expired || view.ReturnURL != "https://shop.example/r" || view.CloseURL != "https://shop.example/c" {
		t.Errorf("%+v", view)
	}
	for _, c := range view.Choices {
		if c.Chain == "XLM" || c.Symbol == "FTT" || c.Symbol == "LUNC" || !c.Amount.IsPositive() {
			t.Errorf("offered: %+v", c)
		}
	}
	view, err = w.ChooseCoin(page, 1482, "TRX")
	if err != nil {
		t.Fatal(err)
	}
	due := *view.Due
	if due.Symbol != "TRX" || due.Address[0] != 'T' || due.Amount.Mul(due.Rate).LessThan(dec("20")) {
		t.Errorf("%+v", due)
	}
	// The rate holds, whatever the price does.
	w.SetPrice(1482, dec("100"))
	if view, _ = w.Checkout(page); !view.Due.Amount.Equal(due.Amount) {
		t.Errorf("due %s, was %s", view.Due.Amount, due.Amount)
	}
	if _, err := w.PayScenario(t.Context(), page, sandbox.ScenarioUnder); err != nil {
		t.Fatal(err)
	}
	processtest.Until(t, "half of it", func() bool {
		view, _ = w.Checkout(page)
		return view.Paid.GreaterThanOrEqual(dec("10")) && view.Paid.LessThan(dec("10.1"))
	})
	if _, err := w.PayScenario(t.Context(), page, sandbox.ScenarioExact); err != nil {
		t.Fatal(err)
	}
	processtest.Until(t, "all of it", func() bool {
		view, _ = w.Checkout(page)
		return view.Paid.GreaterThanOrEqual(view.Total) && view.Paid.LessThan(dec("20.1"))
	})
	if len(view.Payments) != 2 || !view.Due.Amount.IsZero() {
		t.Errorf("%+v", view.Payments)
	}
	for _, wrong := range []struct {
		id    int64
		chain string
	}{{7, "TRX"}, {1482, "BTC"}, {1150, "XLM"}, {1701, "ETH"}} {
		if _, err := w.ChooseCoin(page, wrong.id, wrong.chain); err == nil {
			t.Errorf("coin %d on %s was taken", wrong.id, wrong.chain)
		}
	}
	w.Advance(25 * time.Hour)
	if view, _ = w.Checkout(page); !view.Expired {
		t.Error("not expired after a day")
	}
	if _, err := w.ChooseCoin(page, 1280, "TRX"); err == nil {
		t.Error("an invoice that has expired takes a coin")
	}
	if _, err := w.Checkout("guess"); !errors.Is(err, sandbox.ErrNoCheckout) {
		t.Error(err)
	}
}

func TestCheckoutScenarios(t *testing.T) {
	for scenario, want := range map[string]struct {
		amount, status      string
		risky, late, counts bool
	}{
		sandbox.ScenarioExact:     {"10", "Success", false, false, true},
		sandbox.ScenarioUnder:     {"5", "Success", false, false, true},
		sandbox.ScenarioOver:      {"15", "Success", false, false, true},
		sandbox.ScenarioLate:      {"10", "Success", false, true, true},
		sandbox.ScenarioRisky:     {"10", "Success", true, false, true},
		sandbox.ScenarioFailed:    {"10", "Failed", false, false, true},
		sandbox.ScenarioWrongCoin: {"42.16806511", "Success", false, false, false},
	} {
		w := start(t, func(o *sandbox.Options) { o.Speed = 1000 })
		page := token(w.ok("createAppOrderDepositAddress",
			`{"orderId":"dep-1","coinId":1280,"chain":"TRX","price":"10","generateCheckoutURL":true}`).Str("checkoutUrl"))
		if _, err := w.PayScenario(t.Context(), page, scenario); err != nil {
			t.Fatal(err)
		}
		var p sandbox.CheckoutPayment
		processtest.Until(t, scenario, func() bool {
			view, _ := w.Checkout(page)
			p = view.Payments[0]
			return p.Status == want.status
		})
		if !p.Amount.Round(4).Equal(dec(want.amount).Round(4)) || p.Risky != want.risky || p.Late != want.late ||
			p.Counts != want.counts {
			t.Errorf("%s: %+v", scenario, p)
		}
	}
	w := start(t)
	page := token(w.ok("createInvoiceUrl", `{"orderId":"inv-1","price":"2","priceFiatId":"1033"}`).Str("invoiceUrl"))
	for _, scenario := range []string{"steal", sandbox.ScenarioUnder, sandbox.ScenarioWrongCoin} {
		if _, err := w.PayScenario(t.Context(), page, scenario); err == nil {
			t.Errorf("%s without a coin was done", scenario)
		}
	}
	// An order without a hosted page has none to be found.
	w.ok("createAppOrderDepositAddress", `{"orderId":"dep-2","coinId":1280,"chain":"TRX","price":"10"}`)
}
