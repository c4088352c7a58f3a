// Package static tests the example as it is shipped.
package static

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/seed-338f6760/caddy-ccpayment/internal/browser"
	"github.com/seed-338f6760/caddy-ccpayment/internal/stage"
)

const linkSecret = "a secret for links"

func run(t *testing.T) stage.Stage {
	t.Helper()
	return stage.Run(t, "examples/static/Caddyfile", map[string]string{
		"CCPAYMENT_LINK_SECRET": linkSecret, "SITE_URL": "http://127.0.0.1:$PORT", "SITE_LISTEN": ":$PORT", "SITE_BIND": "127.0.0.1",
	})
}

// TestDonating: who donates any amount in the bounds is thanked once it is
// there.
func TestDonating(t *testing.T) {
	tab := browser.New(t)
	watch := browser.Watch(t, tab)
	browser.Viewport(t, tab, 390, 780)
	browser.Scheme(t, tab, "light")
	s := run(t)
	press := func(selector string) {
		t.Helper()
		if _, err := chromedp.RunResponse(tab, chromedp.Click(chromedp.CSS(selector))); err != nil {
			t.Fatalf("%s: %v", selector, err)
		}
	}
	browser.Do(t, tab, chromedp.Navigate(s.Site))
	browser.Screenshot(t, tab, "static-donate")
	browser.Do(t, tab, chromedp.SetValue(chromedp.ID("amount"), "12.50"))
	press("#donate")
	if price := browser.Eval[string](t, tab, `document.querySelector(".price").innerText`); !strings.HasSuffix(price, "12.50 USD") {
		t.Fatalf("the hosted page asks for %q", price)
	}
	browser.Do(t, tab, chromedp.Click(chromedp.CSS(`label:has([value="1280/TRX"])`)))
	press(".picker button")
	press("#pay-exact")
	browser.WaitFor(t, tab, `document.querySelector("[role=status]")?.textContent === "Paid"`)
	press("main a.button.primary")
	browser.WaitFor(t, tab, `document.getElementById("state")?.textContent === "It has arrived. You are keeping the light on."`)
	browser.Screenshot(t, tab, "static-thanks")
	if problems := watch.Problems(); len(problems) > 0 {
		t.Errorf("the browser complained: %q", problems)
	}
	browser.Do(t, tab, chromedp.Navigate("about:blank"))
}

// TestWhatIsRefused: amounts out of the bounds and links that were changed lead
// nowhere, with a page that says why.
func TestWhatIsRefused(t *testing.T) {
	s := run(t)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	visit := func(method, path, form string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, s.Site+path, strings.NewReader(form))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Accept", "text/html")
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		var page strings.Builder
		if err := answer.Write(&page); err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, page.String()
	}
	link := func(price string) string {
		values := []string{stage.AppID, "bill-1", "120.00", "USD", "4102444800", "Glass", "", "", "", "", ""}
		mac := hmac.New(sha256.New, []byte(linkSecret))
		mac.Write([]byte(strings.Join(values, "\n")))
		return "/pay?" + url.Values{
			"order_id": {"bill-1"}, "price": {price}, "currency": {"USD"}, "valid_until": {"4102444800"}, "product": {"Glass"},
			"sig": {hex.EncodeToString(mac.Sum(nil))},
		}.Encode()
	}

	if code, page := visit(http.MethodGet, link("120.00"), ""); code != http.StatusSeeOther || !strings.Contains(page, "Location: "+s.Gateway.URL+"/i/") {
		t.Errorf("a link was answered %d %s", code, page)
	}
	for path, want := range map[string]struct {
		code int
		text string
	}{
		link("1.20"):   {http.StatusForbidden, "The payment page cannot be opened"},
		"/donate?x=0":  {http.StatusBadRequest, "That amount does not work"},
		"/nothing":     {http.StatusNotFound, ""},
		"/thanks.html": {http.StatusMethodNotAllowed, ""},
	} {
		if code, page := visit(http.MethodPost, path, "amount=0.5"); code != want.code || !strings.Contains(page, want.text) {
			t.Errorf("%s was answered %d %s", path, code, page)
		}
	}
}
