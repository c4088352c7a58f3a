package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/seed-338f6760/caddy-ccpayment/internal/browser"
	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/internal/stage"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// buyer is somebody with a browser in front of the shop.
type buyer struct {
	t    *testing.T
	tab  context.Context
	look look
	site string
	shop *journal

	sandbox *sandbox.Sandbox
	gateway *httptest.Server
}

// look is how the pages are shown.
type look struct {
	scheme string
	width  int64
}

// open starts the shop behind Caddy, with the configuration that is shipped and
// the sandbox in the gateways' place, and visits it.
func open(t *testing.T, tab context.Context, as look) *buyer {
	t.Helper()
	browser.Scheme(t, tab, as.scheme)
	browser.Viewport(t, tab, as.width, 780)
	j, err := openJournal(filepath.Join(t.TempDir(), "journal.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	app := httptest.NewServer(newHandler(j, "token", 0))
	t.Cleanup(app.Close)
	running := stage.Run(t, "Caddyfile.example", map[string]string{
		"SHOP_TOKEN": "token", "SHOP_URL": "http://127.0.0.1:$PORT", "SHOP_LISTEN": ":$PORT", "SHOP_BIND": "127.0.0.1",
		"SHOP_UPSTREAM": app.Listener.Addr().String(),
	})
	b := &buyer{t: t, tab: tab, look: as, site: running.Site, shop: j, sandbox: running.Sandbox, gateway: running.Gateway}
	// The page stops asking Caddy before that ends. It may be about to load anew
	// by itself, which ends this navigation or is ended by it.
	t.Cleanup(func() { _, _ = chromedp.Run(tab, chromedp.Navigate("about:blank")) })
	browser.Do(t, tab, chromedp.Navigate(b.site))
	return b
}

// press clicks on what a selector finds and waits for the page that follows.
func (b *buyer) press(selector string) {
	b.t.Helper()
	if _, err := chromedp.RunResponse(b.tab, chromedp.Click(chromedp.CSS(selector))); err != nil {
		b.t.Fatalf("%s: %v", selector, err)
	}
}

// fill puts a cap and two mugs into the cart, and goes to where one chooses how to pay.
func (b *buyer) fill() {
	b.t.Helper()
	browser.Do(b.t, b.tab, chromedp.SetValue(chromedp.CSS("[name=cap]"), "1"), chromedp.SetValue(chromedp.CSS("[name=mug]"), "2"))
	b.press("#buy")
}

// The buttons that choose a gateway.
const (
	ccpayment    = `button[name=account][value=""]`
	coinpayments = `button[name=account][value="coins"]`
)

// order buys, and picks a coin on CCPayment's page.
func (b *buyer) order() {
	b.t.Helper()
	b.fill()
	b.choose(ccpayment, "1280/TRX")
}

// choose chooses a gateway, and picks a coin on its page.
func (b *buyer) choose(gateway, coin string) {
	b.t.Helper()
	b.press(gateway)
	b.pick(coin)
}

// pick picks a coin on a gateway's page.
func (b *buyer) pick(coin string) {
	b.t.Helper()
	if price := b.reads(".price"); !strings.HasSuffix(price, "78.90 USD") {
		b.t.Fatalf("the hosted page asks for %q", price)
	}
	browser.Do(b.t, b.tab, chromedp.Click(chromedp.CSS(fmt.Sprintf(`label:has([value=%q])`, coin))))
	b.press(".picker button")
}

// beside opens the page that the buyer is sent back to in a second tab, as
// somebody does who looks there while paying. The account is where.
func (b *buyer) beside(account string) *buyer {
	b.t.Helper()
	id := b.shop.all()[0]
	answer, err := http.PostForm(b.site+"/buy", url.Values{"order": {id}, "account": {account}})
	if err != nil {
		b.t.Fatal(err)
	}
	defer answer.Body.Close()
	var checkout struct {
		Token string `json:"status_token"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&checkout); err != nil {
		b.t.Fatal(err)
	}
	tab := browser.Tab(b.t, b.tab)
	browser.Scheme(b.t, tab, b.look.scheme)
	browser.Viewport(b.t, tab, b.look.width, 780)
	browser.Do(b.t, tab, chromedp.Navigate(b.site+"/orders/"+id+"?account="+account+"&t="+checkout.Token))
	b.t.Cleanup(func() { browser.Do(b.t, tab, chromedp.Navigate("about:blank")) })
	return &buyer{t: b.t, tab: tab, look: b.look, site: b.site, shop: b.shop}
}

// reads is the visible text of what a selector finds first.
func (b *buyer) reads(selector string) string {
	b.t.Helper()
	return browser.Eval[string](b.t, b.tab, fmt.Sprintf(`[...document.querySelectorAll(%q)].filter(e => e.checkVisibility())[0]?.innerText ?? ""`, selector))
}

// awaits waits until the page shows a heading by itself.
func (b *buyer) awaits(heading string) {
	b.t.Helper()
	browser.WaitFor(b.t, b.tab, fmt.Sprintf(`[...document.querySelectorAll("h1, [role=status]")].some(e => e.checkVisibility() && e.textContent === %q)`, heading))
}

// shipped are the orders that the shop has sent.
func (b *buyer) shipped() (ids []string) {
	for _, e := range b.shop.seen() {
		if e.Done != "" {
			ids = append(ids, e.Done)
		}
	}
	return ids
}

func (b *buyer) returns() {
	b.t.Helper()
	b.press("main a.button.primary")
}

func TestBuyingInABrowser(t *testing.T) {
	tab := browser.New(t)
	watch := browser.Watch(t, tab)
	for name, as := range map[string]look{"desktop": {"light", 1280}, "phone": {"dark", 390}} {
		t.Run("exactly, "+name, func(t *testing.T) { payExactly(t, tab, as, name) })
	}
	t.Run("in two parts", func(t *testing.T) { payInParts(t, tab) })
	t.Run("flagged as risky", func(t *testing.T) { payRisky(t, tab) })
	t.Run("an empty cart", func(t *testing.T) {
		b := open(t, tab, look{"light", 390})
		b.press("#buy")
		if got := b.reads("[role=alert]"); got != "Sorry: your cart is empty." {
			t.Errorf("says %q", got)
		}
		browser.Screenshot(t, tab, "shop-empty")
	})
	// The browser logs the answer to a form that was refused.
	expected := func(problem string) bool {
		return strings.Contains(problem, "status of 422")
	}
	if got := slices.DeleteFunc(watch.Problems(), expected); len(got) > 0 {
		t.Errorf("the browser complained: %q", got)
	}
	for _, address := range watch.Requests() {
		if !strings.HasPrefix(address, "http://127.0.0.1:") && !strings.HasPrefix(address, "about:") && !strings.HasPrefix(address, "data:") {
			t.Errorf("a page loads %s", address)
		}
	}
}

func payExactly(t *testing.T, tab context.Context, as look, size string) {
	b := open(t, tab, as)
	browser.Screenshot(t, tab, "shop-products-"+size)
	b.order()
	browser.Screenshot(t, tab, "shop-hosted-"+size)
	waiting := b.beside("")
	waiting.awaits("Waiting for your payment")
	browser.Screenshot(t, waiting.tab, "shop-waiting-"+size)
	b.press("#pay-exact")
	waiting.awaits("Your payment is on its way")
	browser.Screenshot(t, waiting.tab, "shop-processing-"+size)
	waiting.awaits("Thank you, it is paid")
	b.awaits("Paid")
	b.returns()
	b.awaits("Thank you, it is paid")
	browser.Screenshot(t, tab, "shop-paid-"+size)
	if got := b.shipped(); len(got) != 1 {
		t.Errorf("the shop did %q", got)
	}
	if b.reads("#pay") != "" {
		t.Error("a paid order can be paid again")
	}
	browser.Do(t, tab, chromedp.Navigate(b.site+"/inbox"))
	browser.Screenshot(t, tab, "shop-inbox-"+size)
}

func payInParts(t *testing.T, tab context.Context) {
	b := open(t, tab, look{"light", 390})
	b.order()
	waiting := b.beside("")
	b.press("#pay-less")
	waiting.awaits("A part has arrived")
	if got := waiting.reads("[data-for=partial] p"); got != "39.45 USD of 78.90 USD. Please pay the rest." {
		t.Errorf("says %q", got)
	}
	browser.Screenshot(t, waiting.tab, "shop-partial")
	if got := b.shipped(); got != nil {
		t.Errorf("for a part the shop %q", got)
	}
	waiting.press("#pay")
	waiting.press("#pay-exact")
	waiting.awaits("Paid")
	waiting.returns()
	waiting.awaits("Thank you, it is paid")
	if got := b.shipped(); len(got) != 1 {
		t.Errorf("the shop did %q", got)
	}
}

func payRisky(t *testing.T, tab context.Context) {
	b := open(t, tab, look{"light", 390})
	b.order()
	waiting := b.beside("")
	b.press("#pay-risky")
	waiting.awaits("Your payment is being checked")
	browser.Screenshot(t, waiting.tab, "shop-review")
	if waiting.reads("#pay") != "" {
		t.Error("the buyer is asked to pay again")
	}
	if got := b.shipped(); got != nil {
		t.Errorf("for a risky payment the shop %q", got)
	}
}

// TestBuyingAtCoinPayments: the same shop, at the other gateway.
func TestBuyingAtCoinPayments(t *testing.T) {
	tab := browser.New(t)
	watch := browser.Watch(t, tab)
	for name, as := range map[string]look{"desktop": {"light", 1280}, "phone": {"dark", 360}} {
		t.Run("exactly, "+name, func(t *testing.T) { payCoins(t, tab, as, name) })
	}
	t.Run("too little", func(t *testing.T) { payCoinsTooLittle(t, tab) })
	t.Run("too little in the end", func(t *testing.T) { payCoinsTooLittleInTheEnd(t, tab) })
	if got := watch.Problems(); len(got) > 0 {
		t.Errorf("the browser complained: %q", got)
	}
}

// payCoins: the buyer chooses CoinPayments, and the same shop ships.
func payCoins(t *testing.T, tab context.Context, as look, size string) {
	b := open(t, tab, as)
	b.fill()
	b.awaits("How do you want to pay?")
	if wide := browser.Eval[int](t, tab, "document.documentElement.scrollWidth"); wide > int(as.width) {
		t.Errorf("the page is %d pixels wide", wide)
	}
	browser.Screenshot(t, tab, "shop-choose-"+size)
	b.choose(coinpayments, litecoin)
	browser.Screenshot(t, tab, "shop-coins-hosted-"+size)
	waiting := b.beside("coins")
	waiting.awaits("Waiting for your payment")
	b.press("#pay-exact")
	waiting.awaits("Thank you, it is paid")
	b.awaits("Paid")
	browser.Screenshot(t, tab, "shop-coins-paid-"+size)
	b.returns()
	b.awaits("Thank you, it is paid")
	if got := b.shipped(); len(got) != 1 {
		t.Errorf("the shop did %q", got)
	}
	for _, e := range b.shop.seen() {
		if e.Gateway != "coinpayments" || e.Kind != "payment" {
			t.Errorf("the shop was told of %s and %s", e.Gateway, e.Kind)
		}
	}
	browser.Do(t, tab, chromedp.Navigate(b.site+"/inbox"))
	browser.Screenshot(t, tab, "shop-coins-inbox-"+size)
}

// litecoin is a coin of CoinPayments' that is worth something.
const litecoin = "2"

// payCoinsTooLittle: what is too little ships nothing and goes back to the buyer, who pays
// anew on the same page.
func payCoinsTooLittle(t *testing.T, tab context.Context) {
	b := open(t, tab, look{"light", 390})
	b.fill()
	b.choose(coinpayments, litecoin)
	b.press("#pay-less")
	b.awaits("Partly paid")
	browser.Screenshot(t, tab, "shop-coins-partly")
	b.press(".leave a")
	b.looksAgainUntil("Your payment is on its way")
	browser.Screenshot(t, tab, "shop-coins-on-its-way")
	b.hourIsOver(true)
	if got := b.shipped(); got != nil {
		t.Errorf("for too little the shop %q", got)
	}
	b.press("#pay")
	b.pick(litecoin)
	browser.Screenshot(t, tab, "shop-coins-anew")
	b.press("#pay-exact")
	b.awaits("Paid")
	b.returns()
	b.awaits("Thank you, it is paid")
	if got := b.shipped(); len(got) != 1 {
		t.Errorf("the shop did %q", got)
	}
	for _, e := range b.shop.seen() {
		if e.Fulfill && e.Reason != "gateway_refunds" {
			t.Errorf("the shop is not told that CoinPayments sends money back: %+v", e)
		}
	}
	browser.Do(t, tab, chromedp.Navigate(b.site+"/inbox"))
	browser.Screenshot(t, tab, "shop-coins-inbox-refunded")
}

// payCoinsTooLittleInTheEnd: where the invoice ends with too little, the shop is told that
// the money goes back, and so is the buyer, who pays anew by another invoice.
func payCoinsTooLittleInTheEnd(t *testing.T, tab context.Context) {
	b := open(t, tab, look{"light", 390})
	b.fill()
	b.choose(coinpayments, litecoin)
	b.press("#pay-less")
	b.awaits("Partly paid")
	b.press(".leave a")
	b.looksAgainUntil("Your payment is on its way")
	b.hourIsOver(false)
	b.looksAgainUntil("It was too little")
	browser.Screenshot(t, tab, "shop-coins-returned")
	refunds := func(e event) bool { return e.Reason == "gateway_refunds" && !e.Fulfill }
	if all := b.shop.seen(); !slices.ContainsFunc(all, refunds) || b.shipped() != nil {
		t.Errorf("the shop was told %+v", all)
	}
	b.press("#pay")
	b.pick(litecoin)
	b.press("#pay-exact")
	b.awaits("Paid")
	b.returns()
	b.awaits("Thank you, it is paid")
	if got := b.shipped(); len(got) != 1 {
		t.Errorf("the shop did %q", got)
	}
}

// hourIsOver ends the time of the order's payment at CoinPayments, or of the whole
// invoice, so that the money of it goes back.
func (b *buyer) hourIsOver(payment bool) {
	b.t.Helper()
	coins, order := b.sandbox.CoinPayments(), b.shop.all()[0]
	if err := coins.TimeOut(order, payment); err != nil {
		b.t.Fatal(err)
	}
	if err := coins.Refund(order); err != nil {
		b.t.Fatal(err)
	}
}

// TestElsewhere: an order is paid at the gateway at which it was opened first.
func TestElsewhere(t *testing.T) {
	tab := browser.New(t)
	b := open(t, tab, look{"light", 390})
	b.fill()
	choice := browser.Eval[string](t, tab, "location.href")
	b.press(ccpayment)
	browser.Do(t, tab, chromedp.Navigate(choice))
	b.press(coinpayments)
	b.awaits("You have begun to pay elsewhere")
	browser.Screenshot(t, tab, "shop-elsewhere")
	browser.Do(t, tab, chromedp.Navigate(choice))
	b.choose(ccpayment, "1280/TRX")
	b.press("#pay-exact")
	b.awaits("Paid")
}

// TestBuyingWithoutScripts: the order's page tells what the shop has heard, and
// a link looks again.
func TestBuyingWithoutScripts(t *testing.T) {
	tab := browser.New(t)
	browser.DisableScripts(t, tab)
	b := open(t, tab, look{"light", 390})
	b.order()
	id := b.shop.all()[0]
	b.press("#pay-less")
	b.awaits("Partly paid")
	b.press(".leave a")
	if got := browser.Eval[string](t, tab, "location.href"); got != b.site+"/orders/"+id+"?account=" {
		t.Errorf("who leaves the hosted page comes to %s", got)
	}
	b.looksAgainUntil("A part has arrived")
	browser.Screenshot(t, tab, "shop-partial-no-scripts")
	b.press("#pay")
	b.press("#pay-exact")
	b.awaits("Paid")
	b.returns()
	b.looksAgainUntil("Thank you, it is paid")
	browser.Screenshot(t, tab, "shop-paid-no-scripts")
}

// looksAgainUntil presses the link until the page has a heading.
func (b *buyer) looksAgainUntil(heading string) {
	b.t.Helper()
	processtest.Until(b.t, "the page says "+heading, func() bool {
		if strings.Contains(b.reads("main"), heading) {
			return true
		}
		b.press("#reload")
		return false
	})
}

// TestNoCheckout: what a buyer sees when CCPayment is away.
func TestNoCheckout(t *testing.T) {
	tab := browser.New(t)
	b := open(t, tab, look{"light", 390})
	b.gateway.Close()
	b.fill()
	b.press(ccpayment)
	b.awaits("The payment page cannot be opened")
	if got := b.reads(".small"); got != "unreachable" {
		t.Errorf("the word is %q", got)
	}
	browser.Screenshot(t, tab, "shop-no-checkout")
}
