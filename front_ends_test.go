package ccpayment_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestCase06_FrontEnds: each front-end is sent to the checkout page in the way that it
// follows, is not shown JSON, and goes back to the shop in the same way once the order
// is paid.
func TestCase06_FrontEnds(t *testing.T) {
	s := checkoutShop(t, "", asks(cart))
	url := s.visit(http.MethodPost, "/buy", "", nil).answer.CheckoutURL
	if url == "" {
		t.Fatal("there is no checkout")
	}
	const document = "text/html,application/xhtml+xml,*/*;q=0.8"
	refresh := func(url string) string {
		return `<turbo-stream action="append" targets="head"><template><meta http-equiv="refresh" content="0;url=` + url + `"></template></turbo-stream>` + "\n"
	}
	clients := map[string]struct {
		header http.Header
		status int
		name   string // of the header with the page; empty: it is in the body
		body   func(url string) string
	}{
		"a form":                   {http.Header{"Sec-Fetch-Mode": {"navigate"}, "Accept": {document}}, 303, "Location", nil},
		"a form, on plain http":    {http.Header{"Accept": {document}}, 303, "Location", nil},
		"a WebView, on plain http": {http.Header{"Accept": {document}, "X-Requested-With": {"com.shop.app"}}, 303, "Location", nil},
		"htmx":                     {http.Header{"Hx-Request": {"true"}, "Accept": {"*/*"}, "Sec-Fetch-Mode": {"cors"}}, 200, "Hx-Redirect", nil},
		"htmx, on plain http":      {http.Header{"Hx-Request": {"true"}, "Accept": {"text/html, */*"}}, 200, "Hx-Redirect", nil},
		"Inertia": {
			http.Header{"X-Inertia": {"true"}, "Accept": {"text/html, application/xhtml+xml"}, "X-Requested-With": {"XMLHttpRequest"}},
			409, "X-Inertia-Location", nil,
		},
		"Turbo": {
			http.Header{"Accept": {"text/vnd.turbo-stream.html, text/html, application/xhtml+xml"}, "Sec-Fetch-Mode": {"cors"}}, 200, "", refresh,
		},
		"a frame of Turbo's, on plain http": {http.Header{"Accept": {"text/html, application/xhtml+xml"}, "Turbo-Frame": {"cart"}}, 200, "", refresh},
	}
	check := func(when, want string) {
		for name, c := range clients {
			v := s.visit(http.MethodPost, "/buy", "", c.header)
			if v.status != c.status || c.name != "" && v.header.Get(c.name) != want || c.body != nil && v.body != c.body(want) {
				t.Errorf("%s, %s: %d %v %s", name, when, v.status, v.header, v.body)
			}
			isStream := v.header.Get("Content-Type") == "text/vnd.turbo-stream.html; charset=utf-8"
			if c.name != "" && v.body != "" || isStream != (c.body != nil) || v.header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s, %s, got %v %q", name, when, v.header, v.body)
			}
		}
	}
	check("before it is paid", url)
	for name, header := range map[string]http.Header{
		"fetch":                          {"Sec-Fetch-Mode": {"cors"}, "Accept": {"*/*"}},
		"fetch, on plain http":           {"Accept": {"*/*"}},
		"axios, on plain http":           {"Accept": {"application/json, text/plain, */*"}},
		"jQuery, on plain http":          {"Accept": {"*/*"}, "X-Requested-With": {"XMLHttpRequest"}},
		"jQuery for HTML, on plain http": {"Accept": {"text/html, */*; q=0.01"}, "X-Requested-With": {"XMLHttpRequest"}},
	} {
		if v := s.visit(http.MethodPost, "/buy", "", header); v.status != 200 || v.answer.CheckoutURL != url || v.header.Get("Location") != "" {
			t.Errorf("%s got %d %v %s", name, v.status, v.header, v.body)
		}
	}
	for name, header := range map[string]http.Header{
		"Turbo": {"X-Sec-Purpose": {"prefetch"}}, "htmx": {"Hx-Request": {"true"}, "Hx-Preloaded": {"true"}}, "Chromium": {"Sec-Purpose": {"prefetch;prerender"}},
	} {
		if v := s.visit(http.MethodGet, "/buy", "", header); v.status != http.StatusMethodNotAllowed {
			t.Errorf("%s, ahead of a visit: %d", name, v.status)
		}
	}
	token := s.visit(http.MethodPost, "/buy", "", nil).answer.Token
	s.payAll("order-1")
	await(t, "the order is fulfilled", func() bool { return s.orderState("order-1") == "paid" })
	check("after it is paid", "https://shop.example/thanks?t="+token)
}

// TestCase05_StatusOnAnotherOrigin: pages of the origins that `cors` names may ask for the
// order's state, with a preflight and for errors too; others, and by default, may not.
func TestCase05_StatusOnAnotherOrigin(t *testing.T) {
	const shop, evil = "https://front.example", "https://front.example.evil.example"
	for cors, want := range map[string]map[string]string{
		"": {shop: "", evil: ""},
		"cors https://other.example {env.SHOP_ORIGIN}": {shop: shop, evil: "", "null": "", "": ""},
		"cors *": {shop: "*", evil: "*", "": ""},
	} {
		t.Run(strings.Fields(cors + " none")[0], func(t *testing.T) {
			t.Setenv("SHOP_ORIGIN", "https://Front.example")
			s := corsShop(t, cors)
			token := s.visit(http.MethodPost, "/buy", "", nil).answer.Token
			for origin, allowed := range want {
				header := http.Header{}
				if origin != "" {
					header.Set("Origin", origin)
				}
				for path, status := range map[string]int{"/status?t=" + token: 200, "/status?t=x": 404, "/status?wait=x&t=" + token: 400} {
					v := s.visit(http.MethodGet, path, "", header)
					if v.status != status || v.header.Get("Access-Control-Allow-Origin") != allowed {
						t.Errorf("%s from %q: %d %v", path, origin, v.status, v.header)
					}
					if credentials := v.header.Get("Access-Control-Allow-Credentials"); (credentials == "true") != (allowed == shop) {
						t.Errorf("%s from %q may send cookies: %q", path, origin, credentials)
					}
					if hasVary := v.header.Get("Vary") == "Origin"; hasVary != (cors != "") {
						t.Errorf("%s from %q varies by %q", path, origin, v.header.Get("Vary"))
					}
				}
				header.Set("Access-Control-Request-Method", "GET")
				header.Set("Access-Control-Request-Headers", "x-trace")
				v := s.visit(http.MethodOptions, "/status?t="+token, "", header)
				if isYes := v.status == 204 && v.header.Get("Access-Control-Allow-Headers") == "x-trace" &&
					v.header.Get("Access-Control-Allow-Methods") == "GET, HEAD"; isYes != (allowed != "") || !isYes && v.status != 405 {
					t.Errorf("a preflight from %q: %d %v", origin, v.status, v.header)
				}
			}
		})
	}
}

// corsShop is a shop whose status has these options.
func corsShop(t *testing.T, options string) *shop {
	t.Helper()
	box, c, base := newSandbox(t, 1)
	s := &shop{box: box, c: c}
	s.server = start(t, setup{
		account: "base_url " + base, app: asks(cart),
		site: "http://:$PORT {\n bind 127.0.0.1\n ccpayment_status /status {\n" + options + "\n}\n ccpayment_checkout\n reverse_proxy $APP\n}",
	})
	return s
}

// TestCase05_WrongOrigins: an origin that no browser sends is refused at load.
func TestCase05_WrongOrigins(t *testing.T) {
	for _, origin := range []string{
		"shop.example", "https://shop.example/", "https://shop.example/path", "https://shop.example:443", "http://shop.example:80",
		"https://*.shop.example/x", "null", "https://", "{env.CCPAYMENT_TEST_UNSET}", "https://a@shop.example",
	} {
		if err := validate(t, t.TempDir(), "ccpayment_status", "cors "+origin, nil); err == nil || !strings.Contains(err.Error(), "cors") {
			t.Errorf("%s: %v", origin, err)
		}
	}
}

// TestCase07_ReturnURL: the shop's own query reaches its page byte for byte, with the
// status token behind it under a name that is free; or without one.
func TestCase07_ReturnURL(t *testing.T) {
	const page = "https://shop.example/thanks"
	for own, want := range map[string]string{
		"":                         "?t=TOKEN",
		"?":                        "?t=TOKEN",
		"?page=2":                  "?page=2&t=TOKEN",
		"?t=42":                    "?t=42&ccpayment_t=TOKEN",
		"?%74=42":                  "?%74=42&ccpayment_t=TOKEN",
		"?t[]=1&t[]=2":             "?t[]=1&t[]=2&ccpayment_t=TOKEN",
		"?a=1;t=2":                 "?a=1;t=2&ccpayment_t=TOKEN",
		"?expires=1&signature=abc": "?expires=1&signature=abc&t=TOKEN",
		"?z=1&a=2&z=%7E&empty&=x":  "?z=1&a=2&z=%7E&empty&=x&t=TOKEN",
		"?q=%zz&k=1":               "?q=%zz&k=1&t=TOKEN",
		"?a=1;b=2":                 "?a=1;b=2&t=TOKEN",
		"?a=1#/cart?x=1":           "?a=1&t=TOKEN#/cart?x=1",
		"?t=1&ccpayment_t=old":     "?t=1&ccpayment_t=TOKEN",
	} {
		t.Run(own, func(t *testing.T) {
			s := checkoutShop(t, "", asks(`{"order_id":"order-1","price":"10","return_url":"`+page+own+`"}`))
			v := s.visit(http.MethodPost, "/buy", "", nil)
			if v.status != http.StatusCreated {
				t.Fatalf("%d %s", v.status, v.body)
			}
			if got, want := s.page(v).ReturnURL, page+strings.ReplaceAll(want, "TOKEN", v.answer.Token); got != want {
				t.Errorf("the buyer returns to %s, want %s", got, want)
			}
			back, err := url.Parse(s.page(v).ReturnURL)
			if err != nil {
				t.Fatal(err)
			}
			if status := s.visit(http.MethodGet, "/status?"+strings.ReplaceAll(back.RawQuery, ";", "%3B"), "", nil); status.status != http.StatusOK {
				t.Errorf("ccpayment_status with the page's own query: %d %s", status.status, status.body)
			}
		})
	}
	s := checkoutShop(t, "status_token off", asks(`{"order_id":"order-1","price":"10","return_url":"`+page+`?signature=abc"}`))
	if v := s.visit(http.MethodPost, "/buy", "", nil); s.page(v).ReturnURL != page+"?signature=abc" || v.answer.Token == "" {
		t.Errorf("with status_token off the buyer returns to %s: %s", s.page(v).ReturnURL, v.body)
	}
}
