package sandbox_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// visitor fetches pages without a browser.
type visitor struct {
	*world
	header http.Header
}

// fetch makes a request and does not follow redirects. A form makes it a POST.
func (v *visitor) fetch(path string, form url.Values) (*http.Response, string) {
	v.t.Helper()
	method := http.MethodGet
	if form != nil {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(v.t.Context(), method, v.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for name, values := range v.header {
		req.Header[name] = values
	}
	req.Host = v.header.Get("Host")
	resp, err := v.client.Transport.RoundTrip(req)
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return resp, string(body)
}

// visiting makes a visitor and an invoice, whose path it returns.
func visiting(t *testing.T, product string) (*visitor, string) {
	t.Helper()
	v := &visitor{world: start(t), header: http.Header{}}
	data := v.ok("createInvoiceUrl", `{"orderId":"order-1","price":"24.90","priceFiatId":"1033","product":"`+product+`"}`)
	return v, strings.TrimPrefix(data.Str("invoiceUrl"), v.url)
}

func TestPagesThatAreNotThere(t *testing.T) {
	v, invoice := visiting(t, "Tea")
	other := strings.Replace(invoice, "/i/", "/c/", 1)
	for _, path := range []string{"/i/guess", "/c/guess", other} {
		resp, body := v.fetch(path, nil)
		if resp.StatusCode != 404 || !strings.Contains(body, "No such checkout") {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
		resp, _ = v.fetch(path+"/pay", url.Values{"pay": {"exact"}})
		if resp.StatusCode != 404 {
			t.Errorf("paying %s: %d", path, resp.StatusCode)
		}
	}
	// An order without a hosted page is not found by guessing an empty token.
	v.ok("createAppOrderDepositAddress", `{"orderId":"order-2","coinId":1280,"chain":"TRX","price":"10"}`)
	if resp, _ := v.fetch("/c/", nil); resp.StatusCode != 404 {
		t.Errorf("no token: %d", resp.StatusCode)
	}
	v.Reset()
	if resp, _ := v.fetch(invoice, nil); resp.StatusCode != 404 {
		t.Errorf("after a reset: %d", resp.StatusCode)
	}
}

func TestHeadersOfPages(t *testing.T) {
	v, invoice := visiting(t, "Tea")
	v.header.Set("Accept", "text/html,*/*")
	for _, path := range []string{"/", invoice, "/i/guess"} {
		resp, body := v.fetch(path, nil)
		if got := resp.Header.Get("Content-Security-Policy"); !strings.Contains(got, "default-src 'none'") {
			t.Errorf("%s: policy %q", path, got)
		}
		if resp.Header.Get("Referrer-Policy") != "no-referrer" || resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", path, resp.Header)
		}
		for _, asset := range []string{`href="/assets/page.`, `src="/assets/page.`} {
			_, after, found := strings.Cut(body, asset)
			name, _, _ := strings.Cut(after, `"`)
			if !found {
				t.Fatalf("%s: no %s", path, asset)
			}
			if resp, _ := v.fetch("/assets/page."+name, nil); resp.StatusCode != 200 {
				t.Errorf("%s: asset %s: %d", path, name, resp.StatusCode)
			}
		}
	}
}

func TestFrontPageIsForBrowsersOfThisMachine(t *testing.T) {
	v, invoice := visiting(t, "Tea")
	resp, body := v.fetch("/", nil)
	if resp.StatusCode != 200 || !strings.HasPrefix(body, `{"`) || resp.Header.Get("Vary") != "Accept" {
		t.Errorf("without HTML: %d %s", resp.StatusCode, body)
	}
	v.header.Set("Accept", "text/html")
	if _, body = v.fetch("/", nil); !strings.Contains(body, invoice) || !strings.Contains(body, v.url+"/ccpayment/v2") {
		t.Errorf("front page: %s", body)
	}
	// A name that was made to resolve to this machine learns no order's page.
	v.header.Set("Host", "evil.example")
	if resp, body = v.fetch("/", nil); resp.StatusCode != 403 || strings.Contains(body, invoice) {
		t.Errorf("another host: %d", resp.StatusCode)
	}
}

// Of each webhook the front page lists the latest try only.
func TestFrontPageListsTries(t *testing.T) {
	v, _ := visiting(t, "Tea")
	v.receiver.answers(500, "no")
	v.pay(sandbox.Payment{OrderID: "order-1"})
	v.Advance(40 * time.Second)
	v.header.Set("Accept", "text/html")
	_, body := v.fetch("/", nil)
	if strings.Count(body, "ApiDeposit") != 2 || strings.Count(body, "attempt 2") != 2 || strings.Count(body, "Will retry") != 2 {
		t.Errorf("while it fails: %s", between(body, `id="deliveries"`, "</section>"))
	}
	v.receiver.answers(200, "Success")
	v.Advance(time.Hour)
	if _, body = v.fetch("/", nil); strings.Count(body, "attempt 3") != 2 || strings.Count(body, "Acknowledged") != 2 {
		t.Errorf("once it works: %s", between(body, `id="deliveries"`, "</section>"))
	}
}

func TestFormsThatAreRefused(t *testing.T) {
	v, invoice := visiting(t, "Tea")
	refused := func(path string, form url.Values, says string) {
		t.Helper()
		resp, body := v.fetch(invoice+path, form)
		if resp.StatusCode != 422 || !strings.Contains(body, says) {
			t.Errorf("%s %v: %d, and not %q", path, form, resp.StatusCode, says)
		}
	}
	refused("/coin", url.Values{}, "Choose a coin and a network.")
	refused("/coin", url.Values{"with": {"1280/BTC"}}, "There is no such coin on BTC.")
	refused("/coin", url.Values{"with": {"7/<b>"}}, "There is no such coin on &lt;b&gt;.")
	refused("/coin", url.Values{"with": {"1150/XLM"}}, "deposits on XLM are halted.")

	if resp, _ := v.fetch(invoice+"/coin", url.Values{"with": {"1280/TRX"}}); resp.StatusCode != 303 || resp.Header.Get("Location") != invoice {
		t.Fatalf("choosing: %d to %q", resp.StatusCode, resp.Header.Get("Location"))
	}
	refused("/pay", url.Values{}, "There is no such way to pay.")
	refused("/pay", url.Values{"pay": {"custom"}}, "Amount: ")
	custom := func(amount, with string) url.Values {
		return url.Values{"pay": {"custom"}, "amount": {amount}, "with": {with}}
	}
	for _, amount := range []string{"0", "-1", "1e9", "12,5", "0.0000001", strings.Repeat("9", 99), `"><script>`} {
		refused("/pay", custom(amount, "1280/TRX"), "Amount: ")
	}
	refused("/pay", custom("7", "0/TRX"), "Coin: ")
	// What was typed is still there.
	refused("/pay", custom("12,5", "1482/TRX"), `value="12,5"`)
	refused("/pay", custom("12,5", "1482/TRX"), `<option value="1482/TRX" selected>`)
	if got := len(v.receiver.got()); got != 0 {
		t.Errorf("%d webhooks of payments that were refused", got)
	}
	large := url.Values{"pay": {"exact"}, "amount": {strings.Repeat("9", 20<<10)}}
	if resp, _ := v.fetch(invoice+"/pay", large); resp.StatusCode != 400 {
		t.Errorf("a form of 20 KiB: %d", resp.StatusCode)
	}
}

func TestFormsOfOtherSites(t *testing.T) {
	for name, c := range map[string]struct {
		header map[string]string
		status int
	}{
		"the page itself":        {map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "null"}, 303},
		"without Sec-Fetch-Site": {map[string]string{"Origin": "null"}, 303},
		"no browser":             {nil, 303},
		"another site":           {map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, 403},
		"another site, hidden":   {map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "null"}, 403},
		"a sibling":              {map[string]string{"Sec-Fetch-Site": "same-site", "Origin": "null"}, 403},
		"an old browser":         {map[string]string{"Origin": "https://evil.example"}, 403},
		"another name":           {map[string]string{"Host": "evil.example"}, 403},
	} {
		v, invoice := visiting(t, "Tea")
		for key, value := range c.header {
			v.header.Set(key, value)
		}
		for path, form := range map[string]url.Values{"/coin": {"with": {"1280/TRX"}}, "/pay": {"pay": {"exact"}}} {
			if resp, _ := v.fetch(invoice+path, form); resp.StatusCode != c.status {
				t.Errorf("%s: %s: %d, want %d", name, path, resp.StatusCode, c.status)
			}
		}
		view, err := v.Checkout(token(invoice))
		if err != nil {
			t.Fatal(err)
		}
		if done := view.Due != nil || len(view.Payments) > 0; done != (c.status == 303) {
			t.Errorf("%s: something happened: %v", name, done)
		}
	}
}

func TestHostileProducts(t *testing.T) {
	v, invoice := visiting(t, `</title><script>alert(1)</script>\"><img src=x onerror=alert(1)>`)
	v.header.Set("Accept", "text/html")
	for _, path := range []string{invoice, "/"} {
		if _, body := v.fetch(path, nil); strings.Contains(body, "<script>") || strings.Contains(body, "<img") ||
			!strings.Contains(body, "&lt;script&gt;") {
			t.Errorf("%s: %s", path, body)
		}
	}
}

// Rounding up to the coin's last digit is nobody's overpayment, in any coin.
func TestEveryCoinPaysExactly(t *testing.T) {
	v, _ := visiting(t, "Tea")
	v.header.Set("Accept", "text/html")
	for i, price := range []string{`"price":"0.01","priceFiatId":"1033"`, `"price":"24.90","priceFiatId":"1036"`, `"price":"123456.7","priceCoinId":1864`, `"price":"0.00012345","priceCoinId":1027`} {
		first := v.ok("createInvoiceUrl", `{"orderId":"probe-`+string(rune('a'+i))+`",`+price+`}`).Str("invoiceUrl")
		view, err := v.Checkout(token(first))
		if err != nil {
			t.Fatal(err)
		}
		for j, choice := range view.Choices {
			id := "order-" + string(rune('a'+i)) + "-" + string(rune('a'+j))
			page := v.ok("createInvoiceUrl", `{"orderId":"`+id+`",`+price+`}`).Str("invoiceUrl")
			if _, err := v.ChooseCoin(token(page), choice.CoinID, choice.Chain); err != nil {
				t.Fatal(err)
			}
			v.pay(sandbox.Payment{OrderID: id})
			if _, body := v.fetch(strings.TrimPrefix(page, v.url), nil); !strings.Contains(body, `role="status" aria-live="polite">Paid<`) {
				t.Errorf("%s in %s on %s is not simply paid: %s", price, choice.Symbol, choice.Chain, between(body, `role="status"`, "</section>"))
			}
		}
	}
}

// between is the text from one mark up to another.
func between(text, from, to string) string {
	_, text, _ = strings.Cut(text, from)
	text, _, _ = strings.Cut(text, to)
	return text
}

func TestChangingTheCoin(t *testing.T) {
	v, invoice := visiting(t, "Tea")
	v.fetch(invoice+"/coin", url.Values{"with": {"1280/TRX"}})
	_, body := v.fetch(invoice, nil)
	if !strings.Contains(body, `href="`+invoice+`?change=1"`) || strings.Contains(body, `class="picker"`) {
		t.Errorf("the page cannot change the coin: %s", body)
	}
	if _, body = v.fetch(invoice+"?change=1", nil); !strings.Contains(body, `value="1280/TRX" required checked`) {
		t.Error("the picker does not show the choice")
	}
	v.fetch(invoice+"/coin", url.Values{"with": {"1140/XRP"}})
	if _, body = v.fetch(invoice, nil); !strings.Contains(body, "With this memo") {
		t.Error("the page of XRP asks for no memo")
	}
	// Once the time is up, the page asks for nothing and offers no other coin.
	v.Advance(25 * time.Hour)
	if _, body = v.fetch(invoice+"?change=1", nil); !strings.Contains(body, "The time is up") || strings.Contains(body, `class="picker"`) {
		t.Errorf("after expiry: %s", body)
	}
	if resp, _ := v.fetch(invoice+"/coin", url.Values{"with": {"1280/TRX"}}); resp.StatusCode != 422 {
		t.Errorf("choosing after expiry: %d", resp.StatusCode)
	}
}
