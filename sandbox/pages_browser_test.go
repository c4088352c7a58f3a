package sandbox_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/seed-338f6760/caddy-ccpayment/internal/browser"
	"github.com/seed-338f6760/caddy-ccpayment/internal/jsontest"
	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// buyer is somebody with a browser in front of an order's page.
type buyer struct {
	*world
	tab   context.Context
	order string
}

// visit creates an order with an endpoint and opens its page.
func visit(t *testing.T, tab context.Context, endpoint, body string) *buyer {
	t.Helper()
	b := &buyer{world: start(t), tab: tab, order: "bb-2026-00417"}
	data := b.ok(endpoint, `{"orderId":"`+b.order+`","product":"Two bags of Ethiopia Guji",`+
		`"returnUrl":"https://shop.example/thanks","closeUrl":"https://shop.example/basket",`+body+`}`)
	// The page stops asking the sandbox before that is closed.
	t.Cleanup(func() { browser.Do(t, tab, chromedp.Navigate("about:blank")) })
	b.open(data.Str("invoiceUrl") + data.Str("checkoutUrl"))
	return b
}

// invoice opens the page of an invoice over 24.90 USD.
func visitInvoice(t *testing.T, tab context.Context) *buyer {
	t.Helper()
	return visit(t, tab, "createInvoiceUrl", `"price":"24.90","priceFiatId":"1033"`)
}

// visitDeposit opens the page of a deposit order, whose coin is fixed.
func visitDeposit(t *testing.T, tab context.Context) *buyer {
	t.Helper()
	return visit(t, tab, "createAppOrderDepositAddress",
		`"price":"24.90","fiatId":"1033","coinId":1280,"chain":"TRX","generateCheckoutURL":true`)
}

func (b *buyer) open(url string) {
	b.t.Helper()
	browser.Do(b.t, b.tab, chromedp.Navigate(url))
}

// press clicks on what a selector finds and waits for the page that follows.
func (b *buyer) press(selector string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.tab, 20*time.Second)
	defer cancel()
	if _, err := chromedp.RunResponse(ctx, chromedp.Click(chromedp.CSS(selector))); err != nil {
		b.t.Fatalf("%s: %v", selector, err)
	}
}

// pick chooses USDT on Tron.
func (b *buyer) pick() {
	b.t.Helper()
	browser.Do(b.t, b.tab, chromedp.Click(chromedp.CSS(`label:has([value="1280/TRX"])`)))
	b.press(".picker button")
}

// reads is the text of what a selector finds.
func (b *buyer) reads(selector string) string {
	b.t.Helper()
	return browser.Eval[string](b.t, b.tab, fmt.Sprintf(`document.querySelector(%q)?.textContent ?? ""`, selector))
}

// sees checks the state that the page shows, without waiting.
func (b *buyer) sees(state string) {
	b.t.Helper()
	if got := b.reads("[role=status]"); got != state {
		b.t.Errorf("the page says %q, want %q", got, state)
	}
}

// awaits waits until the page shows a state by itself.
func (b *buyer) awaits(state string) {
	b.t.Helper()
	browser.WaitFor(b.t, b.tab, fmt.Sprintf(`document.querySelector("[role=status]")?.textContent === %q`, state))
}

// told checks that the webhook of the last status reached the shop.
func (b *buyer) told(status string) {
	b.t.Helper()
	processtest.Until(b.t, "the webhook "+status, func() bool {
		got := b.receiver.got()
		last := got[len(got)-1]
		return last.Type == "ApiDeposit" && last.Msg["orderId"] == b.order && last.Msg["status"] == status
	})
}

func (b *buyer) info() jsontest.Tree { return b.ok("getInvoiceOrderInfo", `{"orderId":"`+b.order+`"}`) }

// shown reads an amount with its unit, such as that on a button.
func (b *buyer) shown(selector string) (amount, unit string) {
	b.t.Helper()
	amount, unit, _ = strings.Cut(b.reads(selector), " ")
	return amount, unit
}

func TestPayingInABrowser(t *testing.T) {
	tab := browser.New(t)
	browser.Viewport(t, tab, 1280, 800)
	browser.Scheme(t, tab, "light")
	watch := browser.Watch(t, tab)
	for name, drive := range map[string]func(*testing.T, context.Context){
		"exactly": payExactly, "in two parts": payInParts, "too much": payTooMuch,
		"late by the clock": payLateByClock, "late by the button": payLateByButton,
		"flagged as risky": payRisky, "failing on the network": payFailing,
		"in the wrong coin": payWrongCoin, "another amount": payCustom,
	} {
		t.Run(name, func(t *testing.T) { drive(t, tab) })
	}
	// The browser logs the answer to a form that was refused.
	expected := func(problem string) bool { return strings.Contains(problem, "status of 422") }
	if got := slices.DeleteFunc(watch.Problems(), expected); len(got) > 0 {
		t.Errorf("the browser complained: %q", got)
	}
}

func payExactly(t *testing.T, tab context.Context) {
	b := visitInvoice(t, tab)
	b.sees("Waiting for payment")
	if got := b.reads(".price"); !strings.HasSuffix(got, "24.90 USD") {
		t.Errorf("price %q", got)
	}
	browser.Screenshot(t, tab, "pay-picker")
	b.pick()
	if amount, unit := b.shown(".amount"); amount != "24.897511" || unit != "USDT" {
		t.Errorf("due %s %s", amount, unit)
	}
	browser.Screenshot(t, tab, "pay-waiting")
	b.press("#pay-exact")
	b.sees("Processing")
	browser.Screenshot(t, tab, "pay-processing")
	b.awaits("Paid")
	b.told("Success")
	b.info().Expect(t, map[string]string{
		"paidList.0.status": `"Success"`, "paidList.0.paidAmount": `"24.897511"`, "paidList.0.coinSymbol": `"USDT"`,
		"paidList.0.isFlaggedAsRisky": `false`, "paidList.0.recordId": `"` + b.reads(".payments p:last-child code") + `"`,
	})
	if got := browser.Eval[string](t, tab, `document.querySelector("main a.button").href`); got != "https://shop.example/thanks" {
		t.Errorf("the way back leads to %q", got)
	}
	browser.Screenshot(t, tab, "pay-exact")

	browser.Do(t, tab, chromedp.Navigate(b.url))
	if got := b.reads(".rows"); !strings.Contains(got, b.order) || !strings.Contains(got, "Paid") {
		t.Errorf("the front page lists %q", got)
	}
	if got := b.reads(".deliveries"); strings.Count(got, "Acknowledged") != 2 {
		t.Errorf("the front page lists the webhooks %q", got)
	}
	if got := b.reads("body"); strings.Contains(got, secret) {
		t.Error("the front page tells the secret")
	}
	browser.Screenshot(t, tab, "overview")
	b.press(".rows a")
	b.sees("Paid")
}

func payInParts(t *testing.T, tab context.Context) {
	b := visitInvoice(t, tab)
	b.pick()
	less, _ := b.shown("#pay-less small")
	b.press("#pay-less")
	b.awaits("Partly paid")
	rest, _ := b.shown(".amount")
	if sum := dec(less).Add(dec(rest)); sum.LessThan(dec("24.89")) || sum.GreaterThan(dec("24.9")) || !strings.Contains(b.reads(".progress"), "12.45 USD") {
		t.Errorf("paid %s, asks for %s; %s", less, rest, b.reads(".progress"))
	}
	browser.Screenshot(t, tab, "pay-little")
	b.press("#pay-exact")
	b.awaits("Paid")
	b.told("Success")
	b.info().Expect(t, map[string]string{"paidList.0.paidAmount": `"` + less + `"`, "paidList.1.paidAmount": `"` + rest + `"`})
	browser.Screenshot(t, tab, "pay-rest")
}

func payTooMuch(t *testing.T, tab context.Context) {
	b := visitInvoice(t, tab)
	b.pick()
	more, _ := b.shown("#pay-more small")
	b.press("#pay-more")
	b.awaits("Overpaid")
	if got := b.reads(".excess"); !strings.HasPrefix(got, "12.45 USD") {
		t.Errorf("says %q", got)
	}
	b.info().Expect(t, map[string]string{"paidList.0.paidAmount": `"` + more + `"`})
	browser.Screenshot(t, tab, "pay-much")
}

func payLateByClock(t *testing.T, tab context.Context) {
	b := visitInvoice(t, tab)
	b.pick()
	page := browser.Eval[string](t, tab, `location.href`)
	b.Advance(25 * time.Hour)
	b.open(page)
	b.sees("Expired")
	if b.reads("#address") != "" {
		t.Error("an expired page still asks for a payment")
	}
	browser.Screenshot(t, tab, "pay-expired")
	b.press("#pay-exact")
	b.awaits("Paid")
	if got := b.reads(".payments"); !strings.Contains(got, "after the time was up") {
		t.Errorf("payments: %s", got)
	}
	info := b.info()
	if info.At("paidList.0.arrivedAt").Value == nil || info.Text("paidList.0.arrivedAt") <= info.Text("expiredAt") {
		t.Errorf("arrived at %s, expired at %s", info.Text("paidList.0.arrivedAt"), info.Text("expiredAt"))
	}
	// A week later nobody watches the address, and nothing can be paid.
	b.Advance(8 * 24 * time.Hour)
	b.open(page)
	if b.reads("#pay-exact") != "" {
		t.Error("the buyer can still pay")
	}
}

func payLateByButton(t *testing.T, tab context.Context) {
	b := visitInvoice(t, tab)
	b.pick()
	b.press("#pay-late")
	b.awaits("Paid")
	b.told("Success")
	if got := b.reads(".payments"); !strings.Contains(got, "after the time was up") {
		t.Errorf("payments: %s", got)
	}
	browser.Screenshot(t, tab, "pay-late")
}

func payRisky(t *testing.T, tab context.Context) {
	b := visitInvoice(t, tab)
	b.pick()
	b.press("#pay-risky")
	b.awaits("In review")
	b.told("Success")
	b.info().Expect(t, map[string]string{"paidList.0.isFlaggedAsRisky": `true`, "paidList.0.status": `"Success"`})
	if got := b.balance(1280); got != "0" {
		t.Errorf("the merchant was credited with %s", got)
	}
	browser.Screenshot(t, tab, "pay-risky")
	// Cleared later, it counts.
	record := b.reads(".payments p:last-child code")
	if err := b.SetRisky(record, false); err != nil {
		t.Fatal(err)
	}
	b.open(browser.Eval[string](t, tab, `location.href`))
	b.sees("Paid")
}

func payFailing(t *testing.T, tab context.Context) {
	b := visitInvoice(t, tab)
	b.pick()
	b.press("#pay-fail")
	b.awaits("Payment failed")
	b.told("Failed")
	b.info().Expect(t, map[string]string{"paidList.0.status": `"Failed"`, "totalPaidValue": `"0"`})
	browser.Screenshot(t, tab, "pay-failed")
	b.press("#pay-exact")
	b.awaits("Paid")
}

func payWrongCoin(t *testing.T, tab context.Context) {
	b := visitDeposit(t, tab)
	b.press("#pay-wrong")
	b.sees("Processing")
	b.awaits("Waiting for payment")
	b.told("Success")
	if got := b.reads(".payments"); !strings.Contains(got, "TRX") || !strings.Contains(got, "not the coin asked for") {
		t.Errorf("payments: %s", got)
	}
	b.ok("getAppOrderInfo", `{"orderId":"`+b.order+`"}`).Expect(t, map[string]string{"paidList": `[]`})
	record := b.ok("getAppDepositRecord", `{"recordId":"`+b.reads(".payments p:last-child code")+`"}`)
	record.Expect(t, map[string]string{"record.coinSymbol": `"TRX"`, "record.status": `"Success"`})
	browser.Screenshot(t, tab, "pay-wrong-coin")
	b.press("#pay-exact")
	b.awaits("Paid")
}

func payCustom(t *testing.T, tab context.Context) {
	b := visitInvoice(t, tab)
	if b.pick(); b.reads("#pay-wrong") != "" {
		t.Error("a coin is wrong for an invoice, which takes them all")
	}
	browser.Do(t, tab, chromedp.SendKeys(chromedp.ID("custom-amount"), "12,5"))
	b.press("#pay-custom")
	if got := b.reads("#custom-error"); !strings.HasPrefix(got, "Amount: must be a plain decimal number") {
		t.Errorf("says %q", got)
	}
	browser.Screenshot(t, tab, "pay-refused")
	browser.Do(t, tab, chromedp.SetValue(chromedp.ID("custom-amount"), "0.01"),
		chromedp.SetValue(chromedp.ID("custom-with"), "1161/ETH"))
	b.press("#pay-custom")
	b.awaits("Overpaid")
	b.info().Expect(t, map[string]string{"paidList.0.paidAmount": `"0.01"`, "paidList.0.coinSymbol": `"ETH"`})
}

func TestPayingWithoutScripts(t *testing.T) {
	tab := browser.New(t)
	browser.DisableScripts(t, tab)
	b := visitInvoice(t, tab)
	b.pick()
	b.press("#pay-exact")
	b.sees("Processing")
	b.awaits("Paid")
	b.told("Success")
}

// A payment that somebody else makes is noticed by the page.
func TestThePageNoticesAPayment(t *testing.T) {
	tab := browser.New(t)
	b := visitInvoice(t, tab)
	b.pick()
	b.pay(sandbox.Payment{OrderID: b.order})
	b.awaits("Paid")
}
