package ccpayment_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/seed-338f6760/caddy-ccpayment/internal/browser"
)

// TestCloseInABrowser: an order is closed from its page on a phone, without scripts, once a
// reason is given; the form fits, and axe finds nothing.
func TestCloseInABrowser(t *testing.T) {
	axe := axeScript(t)
	s := newCloseShop(t)
	s.buys("order-1")
	ctx := browser.New(t)
	browser.Viewport(t, ctx, 360, 800)
	page := "http://" + s.addr + "/alice/order?id=order-1"
	for _, scheme := range []string{"light", "dark"} {
		browser.Scheme(t, ctx, scheme)
		browser.Do(t, ctx, chromedp.Navigate(page))
		browser.Eval[int](t, ctx, `document.querySelectorAll("details").forEach(d => d.open = true); 0`)
		for what, problem := range map[string]string{"it overflows": consoleOverflows, "it has targets below 44 px": consoleCramped} {
			if got := browser.Eval[string](t, ctx, problem); got != "" {
				t.Errorf("%s: %s: %s", scheme, what, got)
			}
		}
		browser.Eval[int](t, ctx, axe+";"+axeFindings+";0")
		browser.WaitFor(t, ctx, `window.found !== undefined`)
		if got := browser.Eval[string](t, ctx, `window.found`); got != "" {
			t.Errorf("%s: %s", scheme, got)
		}
	}
	browser.DisableScripts(t, ctx)
	browser.Do(t, ctx, chromedp.Navigate(page))
	browser.Do(t, ctx, chromedp.Click(".action summary"), chromedp.Click("#close-reason"), chromedp.KeyEvent(kb.Enter))
	if got := browser.Eval[bool](t, ctx, `document.querySelector("#close-reason").matches(":invalid")`); !got {
		t.Error("no reason is asked for")
	}
	browser.Do(t, ctx, chromedp.KeyEvent("sold out"))
	if _, err := chromedp.RunResponse(ctx, chromedp.KeyEvent(kb.Enter)); err != nil {
		t.Fatal(err)
	}
	if got := browser.Eval[string](t, ctx, `document.querySelector("main").textContent`); !strings.Contains(got, "The order is closed.") || !strings.Contains(got, "sold out (alice)") {
		t.Errorf("the page says %q", got)
	}
	if got := s.buys("order-1"); got.status != http.StatusGone {
		t.Errorf("its checkout is %d %s", got.status, got.body)
	}
}
