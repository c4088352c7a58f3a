package coinpayments_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/seed-338f6760/caddy-ccpayment/internal/browser"
)

// press clicks on what a selector finds and waits for the page that follows.
func press(t *testing.T, tab context.Context, selector string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(tab, 20*time.Second)
	defer cancel()
	if _, err := chromedp.RunResponse(ctx, chromedp.Click(chromedp.CSS(selector))); err != nil {
		t.Fatalf("%s: %v", selector, err)
	}
}

// TestPayingInABrowser: a buyer pays too little and then the rest, with scripts, and
// without on a phone.
func TestPayingInABrowser(t *testing.T) {
	for name, scripts := range map[string]bool{"desktop": true, "phone": false} {
		t.Run(name, func(t *testing.T) {
			w := start(t)
			tab := browser.New(t)
			watch := browser.Watch(t, tab)
			browser.Scheme(t, tab, map[bool]string{true: "light", false: "dark"}[scripts])
			browser.Viewport(t, tab, map[bool]int64{true: 1280, false: 375}[scripts], 800)
			if !scripts {
				browser.DisableScripts(t, tab)
			}
			b := w.visit("cp-2026-0042")
			// The page stops asking the sandbox before that is closed.
			t.Cleanup(func() { browser.Do(t, tab, chromedp.Navigate("about:blank")) })
			state := func(want string) {
				t.Helper()
				browser.WaitFor(t, tab, fmt.Sprintf(`document.querySelector("[role=status]")?.textContent === %q`, want))
			}
			browser.Do(t, tab, chromedp.Navigate(b.url+b.page))
			state("Waiting for payment")
			browser.Screenshot(t, tab, "cp-picker-"+name)
			browser.Do(t, tab, chromedp.Click(chromedp.CSS(`label:has([value="1002"])`)))
			press(t, tab, ".picker button")
			browser.Screenshot(t, tab, "cp-waiting-"+name)
			press(t, tab, "#pay-less")
			state("Processing")
			browser.Screenshot(t, tab, "cp-processing-"+name)
			state("Partly paid")
			browser.Screenshot(t, tab, "cp-partly-"+name)
			press(t, tab, "#pay-more")
			state("Overpaid")
			browser.Screenshot(t, tab, "cp-overpaid-"+name)
			if got := browser.Eval[string](t, tab, `document.querySelector("main a.button").href`); got != "https://shop.example/thanks?o=1" {
				t.Errorf("the way back leads to %q", got)
			}
			browser.Do(t, tab, chromedp.Navigate(b.url))
			browser.Screenshot(t, tab, "cp-front-"+name)
			press(t, tab, ".rows a")
			state("Overpaid")
			if got := watch.Problems(); len(got) > 0 {
				t.Errorf("the browser complained: %q", got)
			}
		})
	}
}
