// Package frontends tries each front-end of docs/front-ends.md in a browser.
package frontends

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/seed-338f6760/caddy-ccpayment/internal/browser"
	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/internal/stage"
)

// shop is the example, with an app and a page on another origin.
type shop struct {
	stage.Stage
	front string // the other origin
}

func run(t *testing.T) shop {
	t.Helper()
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(http.FileServer(http.Dir(here)))
	t.Cleanup(front.Close)
	var carts atomic.Int64
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		returnURL := "http://" + r.Host + "/pages/form.html"
		if origin := r.Header.Get("Origin"); origin == front.URL {
			w.Header().Set("Access-Control-Allow-Origin", origin)
			w.Header().Set("Access-Control-Allow-Credentials", "true")
			w.Header().Set("Vary", "Origin")
			returnURL = origin + "/pages/elsewhere.html?shop=http://" + r.Host
		}
		w.WriteHeader(http.StatusPaymentRequired)
		_, _ = fmt.Fprintf(w, `{"order_id":"cart-%d","price":"10.00","product":"A cap","return_url":%q}`, carts.Add(1), returnURL)
	}))
	t.Cleanup(app.Close)
	s := stage.Run(t, "examples/front-ends/Caddyfile", map[string]string{
		"SITE_URL": "http://127.0.0.1:$PORT", "SITE_LISTEN": ":$PORT", "SITE_BIND": "127.0.0.1",
		"SHOP_UPSTREAM": app.Listener.Addr().String(), "FRONT_ORIGIN": front.URL, "CHECKOUT_HOSTS": "http://127.0.0.1:*",
	})
	return shop{Stage: s, front: front.URL}
}

// visit opens a page and clicks on a button or link.
func visit(t *testing.T, tab context.Context, page, button string) {
	t.Helper()
	browser.Do(t, tab, chromedp.Navigate(page))
	browser.WaitFor(t, tab, `document.readyState === "complete"`)
	browser.Do(t, tab, chromedp.Click(chromedp.CSS(button)))
}

// atCheckout waits for the checkout page.
func (s shop) atCheckout(t *testing.T, tab context.Context) {
	t.Helper()
	browser.WaitFor(t, tab, fmt.Sprintf(`location.origin === %q && document.querySelector(".price")?.innerText.endsWith("10.00 USD")`, s.Gateway.URL))
}

// TestCase06_FrontEndsInABrowser: with each library, a click leads to the checkout page,
// and the browser has nothing to complain about.
func TestCase06_FrontEndsInABrowser(t *testing.T) {
	s := run(t)
	tab := browser.New(t)
	watch := browser.Watch(t, tab)
	browser.Viewport(t, tab, 600, 600)
	browser.Scheme(t, tab, "light")
	for _, test := range [][2]string{
		{"form", "#buy"},
		{"fetch", "#buy"},
		{"xhr", "#buy"},
		{"htmx", "#buy"},
		{"inertia", "#buy"},
		{"turbo", "#buy"},
		{"turbo", "#framed"},
		{"turbo", "#link"},
		{"turbo", "#framed-link"},
	} {
		before := len(watch.Problems())
		visit(t, tab, s.Site+"/pages/"+test[0]+".html", test[1])
		s.atCheckout(t, tab)
		browser.Screenshot(t, tab, "front-end-"+test[0]+strings.TrimPrefix(test[1], "#"))
		problems := slices.DeleteFunc(watch.Problems()[before:], func(problem string) bool {
			return test[0] == "inertia" && strings.Contains(problem, "409 (Conflict)") // what Inertia asks for
		})
		if len(problems) > 0 {
			t.Errorf("%v: the browser complained: %q", test, problems)
		}
	}
	browser.Do(t, tab, chromedp.Navigate("about:blank"))
}

// TestCase06_FormAction: a page whose form-action does not name the checkout page's host
// does not get there.
func TestCase06_FormAction(t *testing.T) {
	s := run(t)
	tab := browser.New(t)
	watch := browser.Watch(t, tab)
	visit(t, tab, s.Site+"/pages/strict.html", "#buy")
	processtest.Until(t, "the browser complains", func() bool { return len(watch.Problems()) > 0 })
	if problems := watch.Problems(); !strings.Contains(problems[0], "form-action") {
		t.Errorf("the browser said %q", problems)
	}
	if at := browser.Eval[string](t, tab, `location.origin`); at != s.Site {
		t.Errorf("the buyer is at %s", at)
	}
}

// TestCase05_AnotherOrigin: an app on another origin gets to the checkout page, and sees
// there and back how its order stands.
func TestCase05_AnotherOrigin(t *testing.T) {
	s := run(t)
	tab := browser.New(t)
	watch := browser.Watch(t, tab)
	browser.Viewport(t, tab, 600, 600)
	browser.Scheme(t, tab, "light")
	visit(t, tab, s.front+"/pages/elsewhere.html?shop="+url.QueryEscape(s.Site), "#buy")
	s.atCheckout(t, tab)
	press := func(selector string) {
		t.Helper()
		if _, err := chromedp.RunResponse(tab, chromedp.Click(chromedp.CSS(selector))); err != nil {
			t.Fatalf("%s: %v", selector, err)
		}
	}
	browser.Do(t, tab, chromedp.Click(chromedp.CSS(`label:has([value="1280/TRX"])`)))
	press(".picker button")
	press("#pay-exact")
	browser.WaitFor(t, tab, `document.querySelector("[role=status]")?.textContent === "Paid"`)
	press("main a.button.primary")
	browser.WaitFor(t, tab, fmt.Sprintf(`location.origin === %q && document.getElementById("state").textContent === "paid"`, s.front))
	browser.Screenshot(t, tab, "front-end-elsewhere-paid")
	if problems := watch.Problems(); len(problems) > 0 {
		t.Errorf("the browser complained: %q", problems)
	}
	browser.Do(t, tab, chromedp.Navigate("about:blank"))
}
