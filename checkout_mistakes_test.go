package ccpayment_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// TestCase09_MessagesForTheDeveloper: what is wrong with a price, or another field, is
// said in the words that its developer needs, in the log and by ccpayment_api.
func TestCase09_MessagesForTheDeveloper(t *testing.T) {
	for fields, want := range map[string]string{
		``:                                         `price: it is missing`,
		`,"price":""`:                              `price: it is missing`,
		`,"price":null`:                            `price: null is neither a text nor a number`,
		`,"price":["5"]`:                           `price: [\"5\"] is neither a text nor a number`,
		`,"price":{"amount":5}`:                    `price: {\"amount\":5} is neither a text nor a number`,
		`,"price":true`:                            `price: true is neither a text nor a number`,
		`,"price":" 49.90 "`:                       `price: \" 49.90 \" has spaces around it`,
		`,"price":"49,90"`:                         `price: \"49,90\" has a comma`,
		`,"price":"1,049.90"`:                      `price: \"1,049.90\" has a comma`,
		`,"price":29.949999999999999`:              `it looks like a float, so round it`,
		`,"price":27964.000000000004`:              `it looks like a float, so round it`,
		`,"price":"0.1999999999999999"`:            `it looks like a float, so round it`,
		`,"price":0`:                               `price: it must be more than zero`,
		`,"price":"5 USD"`:                         `price: \"5 USD\" is not a decimal number such as 49.90`,
		`,"price":5,"currency":{"code":"EUR"}`:     `currency: {\"code\":\"EUR\"} is neither a text nor a number`,
		`,"price":5,"coin":["USDT"],"chain":"TRX"`: `coin: [\"USDT\"] is neither a text nor a number`,
		`,"price":5,"expires_in":"an hour"`:        `expires_in: \"an hour\" is no number of seconds`,
		`,"price":5,"expires_in":[60]`:             `expires_in: [60] is neither a text nor a number`,
	} {
		t.Run(strings.NewReplacer("{", "(", "}", ")").Replace(fields), func(t *testing.T) {
			body := `{"order_id":"order-1"` + fields + `}`
			s := shopWithAPI(t, body)
			if v := s.visit(http.MethodPost, "/buy", "", nil); v.status != http.StatusBadGateway || strings.Contains(v.body, "order-1") {
				t.Errorf("a buyer got %d %s", v.status, v.body)
			}
			if !strings.Contains(s.logs(), strings.ReplaceAll(want, `\"`, `\\\"`)) && !strings.Contains(s.logs(), want) {
				t.Errorf("the log does not say %s", want)
			}
			api := s.visit(http.MethodPost, "/api/checkout", body, http.Header{"Content-Type": {"application/json"}})
			if api.status != http.StatusBadRequest || !strings.Contains(api.body, want) {
				t.Errorf("ccpayment_api said %d %s, want %s", api.status, api.body, want)
			}
		})
	}
}

// shopWithAPI is a shop whose app responds with these terms, and has ccpayment_api.
func shopWithAPI(t *testing.T, terms string) *shop {
	t.Helper()
	box, c, base := newSandbox(t, 1)
	s := &shop{box: box, c: c}
	s.server = start(t, setup{
		global: adminOn, account: "webhook_url http://127.0.0.1:$PORT/hook\nbase_url " + base, app: asks(terms),
		site: "http://:$PORT {\n bind 127.0.0.1\n ccpayment_status /status\n handle_path /api/* {\n ccpayment_api\n }\n ccpayment_checkout\n reverse_proxy $APP\n}",
	})
	return s
}

// TestCase09_ByteOrderMark: a mark that some editors put in front of a file is no part of
// the JSON behind it.
func TestCase09_ByteOrderMark(t *testing.T) {
	s := shopWithAPI(t, "\xEF\xBB\xBF"+cart)
	if v := s.visit(http.MethodPost, "/buy", "", nil); v.status != http.StatusCreated {
		t.Errorf("the app's response: %d %s", v.status, v.body)
	}
	if v := s.visit(http.MethodPost, "/api/checkout", "\xEF\xBB\xBF"+cart, http.Header{"Content-Type": {"application/json"}}); v.status != http.StatusOK {
		t.Errorf("ccpayment_api: %d %s", v.status, v.body)
	}
}

// TestCase09_NoticeBeforeTheJSON: what the app's language wrote in front of the JSON
// reaches the log once, and no more of it than helps to find it.
func TestCase09_NoticeBeforeTheJSON(t *testing.T) {
	const notice = "<br />\n<b>Warning</b>:  Undefined variable $cart in /srv/secret/cart.php"
	s := checkoutShop(t, "", asks(notice+cart))
	for range 3 {
		if v := s.visit(http.MethodPost, "/buy", "", nil); v.status != http.StatusPaymentRequired || v.body != notice+cart {
			t.Errorf("%d %s", v.status, v.body)
		}
	}
	const begins = `"begins":"<br />\n<b>Warning</b>:  Undefined variable"`
	if logs := s.logs(); strings.Count(logs, begins[:len(`"begins":"<br />\n`)]) != 1 || strings.Contains(logs, "/srv/secret") {
		t.Errorf("the log does not have it once:\n%s", logs)
	}
}

// TestCase10_StrangersQuery: what a visitor's query puts into optional fields makes no
// order fail: the field, or that part of it, is left out, and the log says so.
func TestCase10_StrangersQuery(t *testing.T) {
	long := strings.Repeat("fbclid=IwAR0123456789&", 10)
	nearly := strings.Repeat("x", 100) // there is room for it, but not for the token beside it
	for name, test := range map[string]struct{ options, query, returnURL, product, warning string }{
		"a query that fits":      {"return_url http://{host}/thanks?{query}", "page=2", "/thanks?page=2&t=", "", ""},
		"a long query":           {"return_url http://{host}/thanks?lang=en&{query}", long, "/thanks?lang=en&t=", "", "left out of return_url"},
		"no room for the token":  {"return_url http://{host}/thanks?{query}", nearly, "/thanks?t=", "", "left out of return_url"},
		"a path":                 {"return_url http://{host}/{query.to}", "to=a%20b%0d%0a" + nearly, "/?t=", "", "left out of return_url"},
		"another alphabet":       {"return_url http://{host}/{query.to}", "to=%D1%82", "/?t=", "", "left out of return_url"},
		"close_url":              {"close_url http://{host}/{query.to}\nreturn_url http://{host}/thanks", "to=%0d%0a", "/thanks?t=", "", "left out of close_url"},
		"line breaks":            {`product "Tea {query.p}"`, "p=green%0d%0aX-Evil:%201%00", "", "Tea green X-Evil: 1", "left out"},
		"no character":           {`product "Tea {query.p}"`, "p=%ff%fegreen", "", "Tea  green", "left out"},
		"an e-mail that is none": {"buyer_email {query.mail}", "mail=%0d%0aBcc:%20x@shop.example", "", "", "left out"},
		"the fragment of an SPA": {"return_url http://{host}/#/thanks?{query}", long, "/?t=", "", "left out of return_url"},
	} {
		t.Run(name, func(t *testing.T) {
			s := checkoutShop(t, "price 5\nlimit off\n"+test.options, nil)
			v := s.visit(http.MethodPost, "/buy?"+test.query, "", nil)
			if v.status != http.StatusCreated {
				t.Fatalf("%d %s", v.status, v.body)
			}
			page := s.page(v)
			if test.returnURL != "" && !strings.HasPrefix(page.ReturnURL, "http://127.0.0.1"+test.returnURL) {
				t.Errorf("the buyer returns to %q, want %q", page.ReturnURL, test.returnURL)
			}
			if test.product != "" && page.Product != test.product {
				t.Errorf("the page sells %q, want %q", page.Product, test.product)
			}
			if logs := s.logs(); test.warning == "" && strings.Contains(logs, "left out") || !strings.Contains(logs, test.warning) {
				t.Errorf("the log does not say %q", test.warning)
			}
		})
	}
}

// TestReturnWithoutTheToken: where there is no room for the token, the buyer comes back all the
// same to where the directive says.
func TestReturnWithoutTheToken(t *testing.T) {
	order := strings.Repeat("order-", 20)
	s := checkoutShop(t, "return_url http://{host}/thanks\nlimit off", asks(`{"order_id":"`+order+`","price":"10","currency":"USD"}`))
	page := s.page(s.visit(http.MethodPost, "/buy", "", nil))
	if page.ReturnURL != "http://127.0.0.1/thanks" || strings.Contains(s.logs(), "left out") {
		t.Errorf("the buyer returns to %q", page.ReturnURL)
	}
}

// page returns the checkout page that a visit was sent to.
func (s *shop) page(v visit) sandbox.Checkout {
	s.t.Helper()
	page, err := s.box.Checkout(v.answer.CheckoutURL[strings.LastIndexByte(v.answer.CheckoutURL, '/')+1:])
	if err != nil {
		s.t.Fatal(err)
	}
	return page
}

// fails is a handler that writes a response and fails then, as one does whose app broke off.
type fails struct{}

func init() {
	caddy.RegisterModule(fails{})
	httpcaddyfile.RegisterHandlerDirective("test_fail", func(httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) { return fails{}, nil })
}

func (fails) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.test_fail", New: func() caddy.Module { return new(fails) }}
}

func (fails) ServeHTTP(w http.ResponseWriter, _ *http.Request, _ caddyhttp.Handler) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusPaymentRequired)
	_, _ = w.Write([]byte(`{"order_id":`))
	return caddyhttp.Error(http.StatusBadGateway, errors.New("the app broke off"))
}

// TestBrokenResponse: of a response that broke off, nobody says that it is no JSON.
func TestBrokenResponse(t *testing.T) {
	box, c, base := newSandbox(t, 1)
	s := &shop{box: box, c: c}
	s.server = start(t, setup{account: "base_url " + base, site: "http://:$PORT {\n bind 127.0.0.1\n route {\n ccpayment_checkout\n test_fail\n }\n}"})
	if v := s.visit(http.MethodPost, "/buy", "", nil); v.status != http.StatusBadGateway || v.body != "" {
		t.Errorf("%d %q", v.status, v.body)
	}
	if strings.Contains(s.logs(), "says it is JSON") {
		t.Error("the log blames the app's JSON")
	}
}

// TestNoAddressInTheLog: what is logged of a response or a request has no e-mail address.
func TestNoAddressInTheLog(t *testing.T) {
	for name, test := range map[string]struct {
		options, visit, says string
		app                  http.HandlerFunc
	}{
		"not JSON":      {"", "/buy/buyer@mail.example", "says it is JSON is not", asks("the order of buyer@mail.example is gone")},
		"cut off":       {"", "/buy", "says it is JSON is not", asks("the order of somebody is gone: buyer@mail.example")},
		"no order id":   {"", "/buy/buyer@mail.example", "it has no order id", asks(`{"price":"10"}`)},
		"not even type": {"", "/buy/buyer@mail.example", "it is not JSON, is too large, or is encoded", says(http.StatusPaymentRequired, cart)},
		"a path":        {"price 5\nreturn_url http://{host}/{query.to}", "/buy?to=buyer%40mail.example%D1%82", "a part of the checkout request was left out", nil},
		"a query":       {"price 5\nreturn_url http://{host}/%zz?{query}", "/buy?from=buyer%40mail.example", "a part of the checkout request was left out", nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := checkoutShop(t, test.options, test.app)
			s.visit(http.MethodPost, test.visit, "", nil)
			if !strings.Contains(s.logs(), test.says) {
				t.Errorf("the log does not say %q:\n%s", test.says, s.logs())
			}
			for line := range strings.Lines(s.logs()) {
				if strings.Contains(line, "http.handlers.ccpayment_checkout") || strings.Contains(line, `"ccpayment"`) {
					if strings.Contains(line, "mail.example") || strings.Contains(line, "buyer@") {
						t.Errorf("the log has the address: %s", line)
					}
				}
			}
		})
	}
}

// TestAmountIsNotQuoted: what a buyer wrote for an amount stands in no page of the shop.
func TestAmountIsNotQuoted(t *testing.T) {
	box, c, base := newSandbox(t, 1)
	s := &shop{box: box, c: c}
	s.server = start(t, setup{account: "base_url " + base, site: `http://:$PORT {
		bind 127.0.0.1
		ccpayment_checkout /give {
			buyer_price amount 5 500
		}
		handle_errors {
			respond "<p>{err.message}</p>"
		}
	}`})
	for _, amount := range []string{"<script>alert(1)</script>", "4<b>", "5.001", "501", "-7777"} {
		for _, mode := range []string{"navigate", "cors"} {
			v := s.visit(http.MethodPost, "/give", "amount="+url.QueryEscape(amount), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Sec-Fetch-Mode": {mode}})
			if v.status != http.StatusBadRequest || strings.Contains(v.body, amount) || strings.ContainsAny(strings.NewReplacer("<p>", "", "</p>", "").Replace(v.body), "<>") ||
				!strings.Contains(v.body, "name an amount from 5 to 500 with at most 2 decimals, such as 5") {
				t.Errorf("%s, %s: %d %s", amount, mode, v.status, v.body)
			}
		}
	}
}

// TestReturnURLIsResolvedOnce: what is known at load is read then, and not for each buyer.
func TestReturnURLIsResolvedOnce(t *testing.T) {
	t.Setenv("CCPAYMENT_TEST_RETURN", "thanks")
	s := checkoutShop(t, "price 5\nreturn_url http://{host}/{env.CCPAYMENT_TEST_RETURN}?from={path}\nclose_url http://{host}/{env.CCPAYMENT_TEST_RETURN}", nil)
	t.Setenv("CCPAYMENT_TEST_RETURN", "later")
	page := s.page(s.visit(http.MethodPost, "/buy", "", nil))
	if !strings.HasPrefix(page.ReturnURL, "http://127.0.0.1/thanks?from=/buy&t=") || page.CloseURL != "http://127.0.0.1/thanks" {
		t.Errorf("the buyer returns to %q, and leaves to %q", page.ReturnURL, page.CloseURL)
	}
}
