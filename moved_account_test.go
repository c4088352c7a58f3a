package ccpayment_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

const fastRetry = "\nretry {\n first 20ms\n max 200ms\n give_up 1m\n}"

// TestRouteAsksItsOwnAccount: an event that waits is confirmed by the route's
// account, also where the route had another one when it came: what was paid at a
// test API fulfils nothing on the live one.
func TestRouteAsksItsOwnAccount(t *testing.T) {
	box, c, testAPI := newSandbox(t, 1)
	_, _, liveAPI := newSandbox(t, 1) // it knows nothing of the payment
	s := &shop{box: box, c: c}
	site := "http://:$PORT {\n bind 127.0.0.1\n ccpayment_webhook /hook $APP {\n $WEBHOOK\n }\n}"
	accounts := "base_url " + liveAPI + "\naccount test {\n app_id " + appID + "\n app_secret " + secret + "\n base_url " + testAPI + "\n}"
	s.server = start(t, setup{
		global: adminOn, account: accounts, site: site, webhook: "account test" + fastRetry, app: status(http.StatusServiceUnavailable),
	})
	if err := box.SetWebhookURL("http://" + s.addr + "/hook"); err != nil {
		t.Fatal(err)
	}
	if err := kinds["invoice in fiat"](s, "order-1"); err != nil {
		t.Fatal(err)
	}
	if _, err := box.Pay(t.Context(), sandbox.Payment{OrderID: "order-1", Instant: true, Wait: patience}); err != nil {
		t.Fatal(err)
	}
	s.awaitState("status=Success", "retrying")
	s.load(setup{global: adminOn, account: accounts, site: site, webhook: fastRetry})
	asked := func() int { return strings.Count(s.logs(), "it knows no such record") }
	await(t, "the live API is asked", func() bool { return asked() > 0 })
	before, asks := len(s.app.received()), asked()
	s.app.answers(nil) // what the old route sent has ended: one attempt at a time
	await(t, "it is asked again", func() bool { return asked() > asks+5 })
	for _, got := range s.app.received()[before:] {
		t.Errorf("what was paid at the test API is delivered: %v", got.header)
	}
	s.awaitState("status=Success", "retrying")
}

// TestAccountRemoved: without confirming, an event of an account that is not
// configured any more is delivered all the same.
func TestAccountRemoved(t *testing.T) {
	before := setup{
		global: adminOn, site: storedSite, app: status(http.StatusServiceUnavailable),
		account: "account old {\n app_id app-old\n app_secret secret-old\n }\n", webhook: "account old" + fastRetry,
	}
	s := start(t, before)
	s.deliver(delivery{appID: "app-old", secret: "secret-old", body: deposit("r1", "Success")}).wants(t, http.StatusOK)
	s.awaitState("record_id=r1", "retrying")
	s.app.answers(nil)
	after := before
	after.account, after.webhook = "", fastRetry
	s.load(after)
	s.awaitState("record_id=r1", "delivered")
}

// TestDuplicateWithAnyStatus: that an order is there already is believed with
// whatever HTTP status it is said, and the order is found.
func TestDuplicateWithAnyStatus(t *testing.T) {
	for _, code := range []int{http.StatusInternalServerError, http.StatusFound} {
		t.Run(http.StatusText(code), func(t *testing.T) {
			box, c, base := newSandbox(t, 1)
			target, err := url.Parse(base)
			if err != nil {
				t.Fatal(err)
			}
			proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: target.Scheme, Host: target.Host})
			proxy.ModifyResponse = func(r *http.Response) error {
				body, err := io.ReadAll(r.Body)
				r.Body = io.NopCloser(bytes.NewReader(body))
				if bytes.Contains(body, []byte("11011")) {
					r.StatusCode = code
				}
				return err
			}
			front := httptest.NewServer(proxy)
			t.Cleanup(front.Close)
			if _, err := c.CreateInvoice(t.Context(), client.InvoiceRequest{OrderID: "order-1", Price: decimal.New(10, 0), PriceFiatID: "1033"}); err != nil {
				t.Fatal(err)
			}
			s := checkoutShopAt(t, &shop{box: box, c: c}, front.URL+target.Path, "", asks(cart))
			if page := s.visit(http.MethodPost, "/buy", "", nil); page.status != http.StatusOK {
				t.Errorf("%d %s", page.status, page.body)
			}
		})
	}
}

// TestBodyPlaceholder: handlers behind a pass-through route see the body that the
// app gets in {http.request.body}.
func TestBodyPlaceholder(t *testing.T) {
	for _, kind := range []string{"original", "enriched"} {
		t.Run(kind, func(t *testing.T) {
			s := start(t, setup{site: `http://:$PORT {
				bind 127.0.0.1
				ccpayment_webhook /hook {
					confirm off
					body ` + kind + `
				}
				reverse_proxy $APP {
					header_up X-Body "{http.request.body}"
				}
			}`})
			s.deliver(delivery{}).wants(t, http.StatusOK)
			if got := s.app.wants(t, 1)[0]; got.header.Get("X-Body") != got.body || got.body == "" {
				t.Errorf("the placeholder is %q, and the body %q", got.header.Get("X-Body"), got.body)
			}
		})
	}
}

// TestUnusableRequest: an event whose request cannot be made again is dead, and
// takes no order's flag with it.
func TestUnusableRequest(t *testing.T) {
	box, c, base := newSandbox(t, 1)
	s := &shop{box: box, c: c}
	s.server = start(t, setup{global: adminOn, account: "base_url " + base, site: `http://:$PORT {
		bind 127.0.0.1
		route /hook {
			rewrite * hook
			ccpayment_webhook $APP
		}
	}`})
	if err := box.SetWebhookURL("http://" + s.addr + "/hook"); err != nil {
		t.Fatal(err)
	}
	if err := kinds["invoice in fiat"](s, "order-1"); err != nil {
		t.Fatal(err)
	}
	if _, err := box.Pay(t.Context(), sandbox.Payment{OrderID: "order-1", Instant: true, Wait: patience}); err != nil {
		t.Fatal(err)
	}
	s.awaitState("status=Success", "dead")
	if line := `"fulfill":true`; strings.Contains(s.logs(), line) {
		t.Errorf("the log has %s", line)
	}
}

// TestAccountWithoutOptions: an account that is null in JSON is a mistake, and no
// panic.
func TestAccountWithoutOptions(t *testing.T) {
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
	})
	config := `{"admin":{"disabled":true},"apps":{"ccpayment":{"app_id":"a","app_secret":"b",` +
		`"store":{"module":"bolt","path":"` + t.TempDir() + `/ledger.db"},"accounts":{"x":null}}}}`
	if err := caddy.Load([]byte(config), true); err == nil || !strings.Contains(err.Error(), `account "x" is not configured`) {
		t.Errorf("%v", err)
	}
}
