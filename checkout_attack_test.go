package ccpayment_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// front is a proxy between Caddy and a sandbox's API. It records the calls, and a
// test may respond in the sandbox's stead.
type front struct {
	http.Handler
	mu      sync.Mutex
	asked   []asked
	instead func(w http.ResponseWriter, endpoint string) bool
}

type asked struct{ endpoint, body string }

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	endpoint := path.Base(r.URL.Path)
	f.mu.Lock()
	f.asked = append(f.asked, asked{endpoint, string(body)})
	instead := f.instead
	f.mu.Unlock()
	if instead == nil || !instead(w, endpoint) {
		f.Handler.ServeHTTP(w, r)
	}
}

// answers sets the handler that responds in the sandbox's stead; nil: none.
func (f *front) answers(instead func(w http.ResponseWriter, endpoint string) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.instead = instead
}

// of returns the bodies that an endpoint was asked with.
func (f *front) of(endpoint string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var bodies []string
	for _, a := range f.asked {
		if a.endpoint == endpoint {
			bodies = append(bodies, a.body)
		}
	}
	return bodies
}

const guardedSite = `http://:$PORT {
	bind 127.0.0.1
	header X-Shop open
	ccpayment_webhook /hook $APP
	ccpayment_status /status
	ccpayment_checkout {
		$WEBHOOK
	}
	reverse_proxy $APP
	handle_errors {
		respond "the shop's page: {err.status_code} {http.ccpayment.error} {http.ccpayment.gateway_code}."
	}
}`

func guarded(base, checkout string) setup {
	return setup{
		global:  adminOn + "\nservers {\n trusted_proxies static 127.0.0.0/8\n }",
		account: "webhook_url http://127.0.0.1:$PORT/hook\napi_timeout 500ms\nbase_url " + base,
		site:    guardedSite, webhook: checkout,
	}
}

// guardedShop is a shop whose API calls go through a front.
func guardedShop(t *testing.T, checkout string, app http.HandlerFunc) (*shop, *front, setup) {
	t.Helper()
	box, c, _ := newSandbox(t, 1)
	f := &front{Handler: box}
	api := httptest.NewServer(f)
	t.Cleanup(api.Close)
	s, config := &shop{box: box, c: c}, guarded(api.URL+"/ccpayment/v2", checkout)
	config.app = app
	s.server = start(t, config)
	s.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return s, f, config
}

// TestHostileGateway: where somebody else responds as CCPayment, no buyer is sent to a
// page of theirs or sees what they said.
func TestHostileGateway(t *testing.T) {
	agrees := func(link string) func(w http.ResponseWriter) {
		data, _ := json.Marshal(map[string]string{"invoiceUrl": link})
		return func(w http.ResponseWriter) { fmt.Fprintf(w, `{"code":10000,"msg":"success","data":%s}`, data) }
	}
	tests := map[string]func(w http.ResponseWriter){
		"HTML": func(w http.ResponseWriter) { _, _ = io.WriteString(w, "<html>evil.example</html>") },
		"a redirect": func(w http.ResponseWriter) {
			w.Header().Set("Location", "https://evil.example/")
			w.WriteHeader(http.StatusFound)
		},
		"a redirect of the call": func(w http.ResponseWriter) {
			w.Header().Set("Location", "https://evil.example/")
			w.WriteHeader(http.StatusTemporaryRedirect)
		},
		"a gigabyte": func(w http.ResponseWriter) {
			chunk := []byte(strings.Repeat(" ", 1<<20))
			for range 1 << 10 {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		},
		"no answer": func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
	}
	for _, link := range []string{
		"https://evil.example/pay", "https://evilccpayment.com/", "https://ccpayment.com.evil.example/", "http://ccpayment.com/pay",
		"https://user:password@ccpayment.com/pay", "https://ccpayment.com@evil.example/", "https://ccpayment.com:443@evil.example/",
		`https:\\evil.example/`, `https://ccpayment.com\@evil.example/`, `https://evil.example\.ccpayment.com/`, "//evil.example/",
		"https:evil.example", "https:///evil.example", "javascript:alert(1)", "data:text/html,x", "", "/pay", "https://evil.example#.ccpayment.com",
		"https://evil.example?.ccpayment.com", "https://evil.example／.ccpayment.com/", "https://ccpayment.com/\r\nLocation: https://evil.example", "https://ccpayment.com\t/",
	} {
		tests[link] = agrees(link)
	}
	s, f, _ := guardedShop(t, "price 10", nil)
	for name, answer := range tests {
		t.Run(name, func(t *testing.T) {
			f.answers(func(w http.ResponseWriter, endpoint string) bool {
				if endpoint == "createInvoiceUrl" {
					answer(w)
				}
				return endpoint == "createInvoiceUrl"
			})
			for kind, header := range map[string]http.Header{
				"browser": {"Sec-Fetch-Mode": {"navigate"}, "X-Forwarded-For": {address()}}, "program": {"X-Forwarded-For": {address()}},
			} {
				v := s.visit(http.MethodPost, "/buy", "", header)
				if v.status != http.StatusBadGateway && v.status != http.StatusGatewayTimeout || v.header.Get("Location") != "" {
					t.Errorf("a %s got %d, Location %q", kind, v.status, v.header.Get("Location"))
				}
				if strings.Contains(v.body, "evil") || v.answer.CheckoutURL != "" {
					t.Errorf("a %s was told %s", kind, v.body)
				}
			}
		})
	}
}

var addresses = struct {
	sync.Mutex
	last int
}{}

// address is a client's that no other has.
func address() string {
	addresses.Lock()
	defer addresses.Unlock()
	addresses.last++
	return fmt.Sprintf("198.51.%d.%d", addresses.last/250, addresses.last%250+1)
}

// TestWebhookAddressIsOurs: no request can choose the URL that an order's webhooks are
// sent to, whatever the source of the terms.
func TestWebhookAddressIsOurs(t *testing.T) {
	signed := link("order_id=order-1", "price=10", "currency=USD", "valid_until=4000000000", "coin=USDT", "chain=TRX")
	for name, test := range map[string]struct{ checkout, path, endpoint string }{
		"answer": {"", "/buy", "createInvoiceUrl"},
		"link":   {"link_secret " + linkSecret, "/buy?" + signed, "createAppOrderDepositAddress"},
		"price":  {"price 10", "/buy?notify_url=http://evil.example/&notifyUrl=http://evil.example/", "createInvoiceUrl"},
	} {
		t.Run(name, func(t *testing.T) {
			s, f, _ := guardedShop(t, test.checkout, asks(cart))
			r, err := http.NewRequest(http.MethodPost, "http://"+s.addr+test.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Host = "evil.example"
			r.Header = http.Header{"X-Forwarded-Host": {"evil.example"}, "Forwarded": {"host=evil.example"}}
			response, err := s.client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := readReply(response)
			if err != nil || answer.status != http.StatusCreated {
				t.Fatalf("%d %s, %v", answer.status, answer.body, err)
			}
			for _, body := range f.of(test.endpoint) {
				if want := `"notifyUrl":"http://127.0.0.1:` + port(s.addr) + `/hook"`; !strings.Contains(body, want) || strings.Contains(body, "evil") {
					t.Errorf("CCPayment was asked with %s, want %s", body, want)
				}
			}
		})
	}
}

// TestNothingAheadOfTheBuyer: what looks, and what fetches ahead, makes no order.
func TestNothingAheadOfTheBuyer(t *testing.T) {
	signed := link("order_id=order-1", "price=10", "currency=USD", "valid_until=4000000000")
	for name, test := range map[string]struct{ checkout, path string }{
		"answer": {"", "/buy"}, "link": {"link_secret " + linkSecret, "/buy?" + signed}, "price": {"price 10\nmethods GET POST", "/buy"},
	} {
		t.Run(name, func(t *testing.T) {
			s, f, _ := guardedShop(t, test.checkout, asks(cart))
			s.visit(http.MethodHead, test.path, "", navigates)
			preflight := s.visit(http.MethodOptions, test.path, "", http.Header{"Origin": {"https://evil.example"}, "Access-Control-Request-Method": {"POST"}})
			if strings.Contains(preflight.body, "checkout_url") {
				t.Errorf("OPTIONS: %d %s", preflight.status, preflight.body)
			}
			for _, header := range []http.Header{
				{"Sec-Purpose": {"prefetch"}}, {"Sec-Purpose": {"prefetch;prerender"}}, {"Purpose": {"prefetch"}}, {"X-Moz": {"prefetch"}}, {"X-Purpose": {"preview"}},
			} {
				header.Set("Sec-Fetch-Mode", "navigate")
				if v := s.visit(http.MethodGet, test.path, "", header); v.status != http.StatusMethodNotAllowed || !strings.Contains(v.body, "405 bad_method") {
					t.Errorf("%v: %d %s", header, v.status, v.body)
				}
			}
			if made := f.of("createInvoiceUrl"); len(made) > 0 {
				t.Errorf("orders were made: %v", made)
			}
			if v := s.visit(http.MethodGet, test.path, "", navigates); v.status != http.StatusSeeOther || v.header.Get("X-Shop") != "open" {
				t.Errorf("the buyer got %d %v", v.status, v.header)
			}
		})
	}
}

// TestLimitOfAnAddress: an address makes so many new orders; asking for one
// again is free, and an IPv6 client's network is one address.
func TestLimitOfAnAddress(t *testing.T) {
	s, _, _ := guardedShop(t, "link_secret "+linkSecret+"\nlimit 2/1h", nil)
	ask := func(order, from string) int {
		t.Helper()
		signed := link("order_id="+order, "price=10", "currency=USD", "valid_until=4000000000")
		return s.visit(http.MethodGet, "/buy?"+signed, "", http.Header{"X-Forwarded-For": {from}}).status
	}
	for i, step := range []struct {
		order, from string
		want        int
	}{
		{"order-1", "198.51.100.1", 201},
		{"order-2", "198.51.100.1", 201},
		{"order-3", "198.51.100.1", 429},
		{"order-1", "198.51.100.1", 200},
		{"order-2", "198.51.100.1", 200},
		{"order-1", "198.51.100.1", 200},
		{"order-3", "198.51.100.2", 201},
		{"order-3", "198.51.100.1", 200},
		{"order-4", "2001:db8::1", 201},
		{"order-5", "2001:db8::2", 201},
		{"order-6", "2001:db8::3:4", 429},
		{"order-6", "2001:db8:0:1::1", 201},
	} {
		if got := ask(step.order, step.from); got != step.want {
			t.Errorf("step %d, %s from %s: %d, want %d", i+1, step.order, step.from, got, step.want)
		}
	}
}

// TestLedgerLost: an order that only CCPayment remembers is found there, and
// used only if it is the one that is asked for.
func TestLedgerLost(t *testing.T) {
	for name, kind := range map[string]string{"invoice": "", "deposit order": `,"coin":"USDT","chain":"TRX"`} {
		t.Run(name, func(t *testing.T) {
			terms := `{"order_id":"order-1","price":"10","currency":"USD"` + kind + `}`
			s, f, config := guardedShop(t, "", asks(terms))
			made := s.visit(http.MethodPost, "/buy", "", nil)
			if made.status != http.StatusCreated {
				t.Fatalf("%d %s", made.status, made.body)
			}
			lose := func(file string) {
				t.Helper()
				config.store = "store bolt {\n path $DIR/" + file + "\n }"
				s.load(config)
			}
			lose("second.db")
			var again visit
			await(t, "Caddy answers after the reload", func() (ok bool) {
				var err error
				again, err = s.tryVisit(t.Context(), http.MethodPost, "/buy", "", nil)
				return err == nil
			})
			if again.status != http.StatusOK || again.answer.CheckoutURL != made.answer.CheckoutURL || again.answer.Address != made.answer.Address || again.answer.Amount != made.answer.Amount {
				t.Errorf("found again: %d %s, made as %s", again.status, again.body, made.body)
			}
			for i, other := range []string{
				`{"order_id":"order-1","price":"1","currency":"USD"` + kind + `}`, `{"order_id":"order-1","price":"10","currency":"EUR"` + kind + `}`,
				`{"order_id":"order-1","price":"10","currency":"USD","coin":"USDT","chain":"ETH"}`,
			} {
				lose(fmt.Sprintf("other-%d.db", i))
				s.app.answers(asks(other))
				await(t, "the other terms are refused", func() bool {
					v, err := s.tryVisit(t.Context(), http.MethodPost, "/buy", "", nil)
					if err == nil && (v.status != http.StatusConflict || v.answer.Error.Code != "taken") {
						t.Fatalf("%s: %d %s", other, v.status, v.body)
					}
					return err == nil
				})
			}
			s.app.answers(asks(terms))
			if _, err := s.box.Pay(t.Context(), sandbox.Payment{OrderID: "order-1", Instant: true, Wait: patience}); err != nil {
				t.Fatal(err)
			}
			lose("last.db")
			await(t, "the paid order is refused", func() bool {
				v, err := s.tryVisit(t.Context(), http.MethodPost, "/buy", "", nil)
				if err == nil && (v.status != http.StatusConflict || v.answer.Error.Code != "paid") {
					t.Fatalf("%d %s", v.status, v.body)
				}
				return err == nil
			})
			if n := len(f.of("createInvoiceUrl")) + len(f.of("createAppOrderDepositAddress")); n > 6 {
				t.Errorf("CCPayment was asked %d times for an order", n)
			}
		})
	}
}

// TestGatewayTrouble: where CCPayment refuses or does not respond, a program gets our
// error, a browser the shop's page, and the log says what to do.
func TestGatewayTrouble(t *testing.T) {
	for name, test := range map[string]struct {
		fault      sandbox.Fault
		want       int
		word, code string // the code as the shop's page has it
		log        string
	}{
		"busy":           {sandbox.Fault{Code: 11004}, 503, "busy", "11004", "11004 RateLimit"},
		"too frequent":   {sandbox.Fault{Code: 11018}, 503, "busy", "11018", "11018 FrequentOperation"},
		"not listed":     {sandbox.Fault{Code: 12002}, 502, "refused", "12002", "add this machine's public IP address to the list"},
		"clock":          {sandbox.Fault{Code: 11006}, 502, "refused", "11006", "set this machine's clock"},
		"secret":         {sandbox.Fault{Code: 11005}, 502, "refused", "11005", "check the app id and the app secret"},
		"in test mode":   {sandbox.Fault{Code: 14022}, 502, "refused", "14022", "14022 TestModeLimitAmount"},
		"nobody's code":  {sandbox.Fault{Code: 19999}, 504, "unreachable", "19999", "19999"}, // case 29
		"out of order":   {sandbox.Fault{HTTPStatus: 500}, 504, "unreachable", "", "HTTP 500"},
		"cut off":        {sandbox.Fault{Drop: "before"}, 504, "unreachable", "", "EOF"},
		"hangs too long": {sandbox.Fault{DelayMS: 60_000}, 504, "unreachable", "", "deadline exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			s, _, _ := guardedShop(t, "price 10", nil)
			if v := s.visit(http.MethodPost, "/buy", "", nil); v.status != http.StatusCreated { // the symbols are known from now on
				t.Fatalf("%d %s", v.status, v.body)
			}
			test.fault.Endpoint, test.fault.Times = "createInvoiceUrl", -1
			if err := s.box.SetFaults(test.fault); err != nil {
				t.Fatal(err)
			}
			v := s.visit(http.MethodPost, "/buy", "", nil)
			if v.status != test.want || v.answer.Error.Code != test.word || (v.header.Get("Retry-After") != "") != (test.want == 503) {
				t.Errorf("a program got %d %s, Retry-After %q", v.status, v.body, v.header.Get("Retry-After"))
			}
			page := s.visit(http.MethodPost, "/buy", "", navigates)
			if want := fmt.Sprintf("the shop's page: %d %s %s.", test.want, test.word, test.code); page.status != test.want || page.body != want {
				t.Errorf("a browser got %d %q, want %q", page.status, page.body, want)
			}
			if !strings.Contains(s.logs(), test.log) {
				t.Errorf("the log does not say %q", test.log)
			}
			s.box.ClearFaults()
			if v := s.visit(http.MethodPost, "/buy", "", nil); v.status != http.StatusCreated {
				t.Errorf("afterwards: %d %s", v.status, v.body)
			}
		})
	}
}

// TestPaidGoesBack: a browser that asks for a paid order goes back to the page
// that the order names, with the status token, by which the page learns it.
func TestPaidGoesBack(t *testing.T) {
	s, _, _ := guardedShop(t, "", asks(cart))
	made := s.visit(http.MethodPost, "/buy", "", nil)
	s.payAll("order-1")
	await(t, "it is paid", func() bool { return s.orderState("order-1") == "paid" })
	page := s.visit(http.MethodGet, "/buy", "", navigates)
	if want := "https://shop.example/thanks?t=" + made.answer.Token; page.status != http.StatusSeeOther || page.header.Get("Location") != want {
		t.Errorf("%d to %q, want %q", page.status, page.header.Get("Location"), want)
	}
}

// TestWrongEmail: an address that is none costs no order, and the log names the
// order and not the address.
func TestWrongEmail(t *testing.T) {
	const wrong = "buyer at example.com"
	s, f, _ := guardedShop(t, "", asks(`{"order_id":"order-1","price":"10","buyer_email":"`+wrong+`"}`))
	if v := s.visit(http.MethodPost, "/buy", "", nil); v.status != http.StatusCreated {
		t.Errorf("%d %s", v.status, v.body)
	}
	if body := f.of("createInvoiceUrl")[0]; strings.Contains(body, wrong) {
		t.Errorf("CCPayment was asked with %s", body)
	}
	if logs := s.logs(); !strings.Contains(logs, `"the buyer's e-mail address is none, and was left out","order_id":"order-1"`) || strings.Contains(logs, wrong) {
		t.Error("the log does not warn of it, or names it")
	}
}
