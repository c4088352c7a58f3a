package ccpayment_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

const checkoutSite = `http://:$PORT {
	bind 127.0.0.1
	ccpayment_webhook /hook $APP
	ccpayment_status /status
	ccpayment_checkout {
		$WEBHOOK
	}
	reverse_proxy $APP
}`

// checkoutShop is a shop whose orders are made by Caddy.
func checkoutShop(t *testing.T, checkout string, app http.HandlerFunc) *shop {
	t.Helper()
	box, c, base := newSandbox(t, 1)
	return checkoutShopAt(t, &shop{box: box, c: c}, base, checkout, app)
}

// checkoutShopAt is a checkoutShop that finds CCPayment's API at base.
func checkoutShopAt(t *testing.T, s *shop, base, checkout string, app http.HandlerFunc) *shop {
	t.Helper()
	site := checkoutSite
	if strings.Contains(checkout, "{host}") { // which takes a site with a name
		site = strings.Replace(site, "http://:", "http://127.0.0.1:", 1)
	}
	s.server = start(t, setup{
		global: adminOn, account: "webhook_url http://127.0.0.1:$PORT/hook\nbase_url " + base,
		site: site, webhook: checkout, app: app,
	})
	s.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return s
}

// asks responds to every request but webhooks with 402 and the JSON.
func asks(terms string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hook" {
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Add("Set-Cookie", "cart=1")
		w.WriteHeader(http.StatusPaymentRequired)
		_, _ = io.WriteString(w, terms)
	}
}

type visit struct {
	status int
	header http.Header
	body   string
	answer struct {
		OrderID     string `json:"order_id"`
		CheckoutURL string `json:"checkout_url"`
		Token       string `json:"status_token"`
		Price       string
		Currency    string
		Address     string
		Amount      string
		Coin        string
		Chain       string
		Error       struct{ Code, Message string }
	}
}

// visit asks the site as a program, or, with a header, as a browser.
func (s *shop) visit(method, path, body string, header http.Header) visit {
	s.t.Helper()
	v, err := s.tryVisit(s.t.Context(), method, path, body, header)
	if err != nil {
		s.t.Fatal(err)
	}
	return v
}

func (s *shop) tryVisit(ctx context.Context, method, path, body string, header http.Header) (visit, error) {
	var v visit
	r, err := http.NewRequestWithContext(ctx, method, "http://"+s.addr+path, strings.NewReader(body))
	if err != nil {
		return v, err
	}
	for name, values := range header {
		r.Header[name] = values
	}
	response, err := s.client.Do(r)
	if err != nil {
		return v, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	v.status, v.header, v.body = response.StatusCode, response.Header, string(text)
	_ = json.Unmarshal(text, &v.answer)
	return v, err
}

var navigates = http.Header{"Sec-Fetch-Mode": {"navigate"}}

const cart = `{"order_id":"order-1","price":"10","currency":"USD","return_url":"https://shop.example/thanks"}`

// payAll pays what the order's latest checkout asks for.
func (s *shop) payAll(gatewayID string) {
	s.t.Helper()
	if _, err := s.box.Pay(s.t.Context(), sandbox.Payment{OrderID: gatewayID, Instant: true, Wait: patience}); err != nil {
		s.t.Fatal(err)
	}
}

// TestCheckoutOfAnAnswer: the app's 402 becomes a checkout, its payment fulfils
// the app's order, and the buyer's page hears of it.
func TestCheckoutOfAnAnswer(t *testing.T) {
	for name, test := range map[string]struct{ terms, coin string }{
		"invoice":       {cart, ""},
		"deposit order": {`{"order_id":"order-1","price":10,"currency":"USD","coin":"USDT","chain":"TRX"}`, "USDT"},
	} {
		t.Run(name, func(t *testing.T) {
			s := checkoutShop(t, "", asks(test.terms))
			made := s.visit(http.MethodPost, "/buy", "", nil)
			if made.status != http.StatusCreated || made.answer.OrderID != "order-1" || made.answer.Price != "10" ||
				made.answer.Currency != "USD" || made.answer.Coin != test.coin || made.header.Get("Set-Cookie") != "cart=1" {
				t.Fatalf("%d %s", made.status, made.body)
			}
			again := s.visit(http.MethodPost, "/buy", "", nil)
			if again.status != http.StatusOK || again.answer.CheckoutURL != made.answer.CheckoutURL {
				t.Errorf("asked again: %d %s", again.status, again.body)
			}
			page := s.visit(http.MethodGet, "/buy", "", navigates)
			if page.status != http.StatusSeeOther || page.header.Get("Location") != made.answer.CheckoutURL ||
				page.header.Get("Cache-Control") != "no-store" || page.header.Get("Referrer-Policy") != "no-referrer" || page.body != "" {
				t.Errorf("a browser got %d %v %q", page.status, page.header, page.body)
			}

			shown := make(chan visit, 1)
			go func() {
				v, _ := s.tryVisit(t.Context(), http.MethodGet, "/status?wait=20s&t="+made.answer.Token, "", nil)
				shown <- v
			}()
			s.payAll("order-1")
			if v := <-shown; !strings.Contains(v.body, `"state":"p`) { // processing, or paid at once
				t.Errorf("the status page got %d %s", v.status, v.body)
			}
			await(t, "the order is fulfilled", func() bool {
				v := s.visit(http.MethodGet, "/status?t="+made.answer.Token, "", nil)
				return strings.Contains(v.body, `"fulfilled":true`)
			})
			paid := s.visit(http.MethodPost, "/buy", "", nil)
			if paid.status != http.StatusConflict || paid.answer.Error.Code != "paid" {
				t.Errorf("asked after it was paid: %d %s", paid.status, paid.body)
			}
		})
	}
}

// TestOneCheckoutForAll: 200 at once make one order, with one call to CCPayment.
func TestOneCheckoutForAll(t *testing.T) {
	box, c, _ := newSandbox(t, 1)
	api, base := watch(t, box)
	s := checkoutShopAt(t, &shop{box: box, c: c}, base, "", asks(cart))
	var wg sync.WaitGroup
	var mu sync.Mutex
	pages, news := make(map[string]int), 0
	for range 200 {
		wg.Go(func() {
			v, err := s.tryVisit(t.Context(), http.MethodPost, "/buy", "", nil)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			pages[v.answer.CheckoutURL]++
			if v.status == http.StatusCreated {
				news++
			}
		})
	}
	wg.Wait()
	if len(pages) != 1 || news != 1 || strings.Count(s.logs(), "made an order") != 1 {
		t.Errorf("200 requests got %d checkouts, %d of them new: %v", len(pages), news, pages)
	}
	if calls := api.calls(); calls["createInvoiceUrl"] != 1 {
		t.Errorf("they made the calls %v", calls)
	}
}

// TestGenerations: changed terms, and the rest of a partly paid order, make a new
// order at CCPayment; to the app it is one order still.
func TestGenerations(t *testing.T) {
	for _, kind := range []string{"", `,"coin":"USDT","chain":"TRX"`} {
		t.Run("kind"+kind, func(t *testing.T) {
			var mu sync.Mutex
			price := "10"
			s := checkoutShop(t, "", func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				terms := fmt.Sprintf(`{"order_id":"order-1","price":%q,"currency":"USD"%s}`, price, kind)
				mu.Unlock()
				asks(terms)(w, r)
			})
			first := s.visit(http.MethodPost, "/buy", "", nil)
			mu.Lock()
			price = "20"
			mu.Unlock()
			second := s.visit(http.MethodPost, "/buy", "", nil)
			if second.status != http.StatusCreated || second.answer.CheckoutURL == first.answer.CheckoutURL || second.answer.Price != "20" {
				t.Fatalf("with other terms: %d %s", second.status, second.body)
			}
			id := s.latestGeneration("order-1")
			if _, err := s.box.Pay(t.Context(), sandbox.Payment{OrderID: id, Amount: s.half(id), Instant: true, Wait: patience}); err != nil {
				t.Fatal(err)
			}
			await(t, "half is paid", func() bool { return s.orderState("order-1") == "partial" })
			mu.Lock()
			price = "21"
			mu.Unlock()
			rest := s.visit(http.MethodPost, "/buy", "", nil)
			if rest.status != http.StatusCreated || rest.answer.Price != "11" && rest.answer.Price != "11.01" { // half a coin's worth is no whole cent
				t.Fatalf("the rest: %d %s", rest.status, rest.body)
			}
			if got := fulfils(s.app.received()); len(got) != 0 {
				t.Errorf("fulfilled by %v", got)
			}
			s.payAll(s.latestGeneration("order-1"))
			await(t, "all is paid", func() bool { return s.orderState("order-1") == "paid" })
			await(t, "a webhook that fulfils", func() bool { return len(fulfils(s.app.received())) == 1 })
			last := s.app.received()[len(s.app.received())-1].header
			if last.Get("Ccpayment-Order-Id") != "order-1" {
				t.Errorf("the app got order %q", last.Get("Ccpayment-Order-Id"))
			}

			// The first order at CCPayment is still open, and who pays it too pays too much.
			s.payAll("order-1")
			await(t, "too much is paid", func() bool { return s.orderState("order-1") == "overpaid" })
			if got := fulfils(s.app.received()); len(got) != 1 {
				t.Errorf("fulfilled by %v", got)
			}
		})
	}
}

func (s *shop) orderState(id string) string {
	s.t.Helper()
	var order struct{ State string }
	s.ask(http.MethodGet, "orders/"+id, "", http.StatusOK, &order)
	return order.State
}

// latestGeneration returns CCPayment's id of the latest order made for the app's.
func (s *shop) latestGeneration(id string) string {
	s.t.Helper()
	var order struct {
		Generations []struct{ ID string }
	}
	s.ask(http.MethodGet, "orders/"+id, "", http.StatusOK, &order)
	return order.Generations[len(order.Generations)-1].ID
}

// half is half of what an order asks for, in the coin that the sandbox pays in.
func (s *shop) half(id string) decimal.Decimal {
	s.t.Helper()
	if order, err := s.c.DepositOrder(s.t.Context(), id); err == nil {
		return order.AmountToPay.Div(decimal.New(2, 0)).Truncate(6)
	}
	invoice, err := s.c.Invoice(s.t.Context(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	return invoice.Price.Div(decimal.New(2, 0))
}

// TestUnusableAnswers: a response of the app's with wrong terms is an error that the
// log explains; one that asks for no checkout passes.
func TestUnusableAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		terms string
		want  int
		log   string
	}{
		"price zero":        {`{"order_id":"order-1","price":"0"}`, 502, "price: it must be more than zero"},
		"price negative":    {`{"order_id":"order-1","price":"-1"}`, 502, "price: it must be more than zero"},
		"price huge":        {`{"order_id":"order-1","price":1e20000000}`, 502, "price: "},
		"price in words":    {`{"order_id":"order-1","price":"ten"}`, 502, "price: "},
		"price too fine":    {`{"order_id":"order-1","price":"9.999"}`, 502, "more than 2 decimals"},
		"no price":          {`{"order_id":"order-1"}`, 502, "price: "},
		"unknown currency":  {`{"order_id":"order-1","price":"10","currency":"USX"}`, 502, "currency: "},
		"unknown coin":      {`{"order_id":"order-1","price":"10","coin":"USDX","chain":"TRX"}`, 502, "coin: "},
		"unknown chain":     {`{"order_id":"order-1","price":"10","coin":"USDT","chain":"TRY"}`, 502, "chain: "},
		"order id bad":      {`{"order_id":"order\n1","price":"10"}`, 502, "order_id: "},
		"order id long":     {`{"order_id":"` + strings.Repeat("1", 129) + `","price":"10"}`, 502, "order_id: "},
		"return javascript": {`{"order_id":"order-1","price":"10","return_url":"javascript:alert(1)"}`, 502, "return_url: "},
		"return relative":   {`{"order_id":"order-1","price":"10","return_url":"//evil.example"}`, 502, "return_url: "},
		"return backslash":  {`{"order_id":"order-1","price":"10","return_url":"https:\\\\evil.example"}`, 502, "return_url: "},
		"return long":       {`{"order_id":"order-1","price":"10","return_url":"https://shop.example/` + strings.Repeat("x", 150) + `"}`, 502, "at most 150"},
		"a key twice":       {`{"order_id":"order-1","price":"10","price":"1"}`, 502, "stands in it twice"},
		"no JSON":           {`{"order_id":"order-1"`, 402, "a response that says it is JSON is not"},
		"too large":         {`{"order_id":"order-1","price":"10","x":"` + strings.Repeat("x", 64<<10) + `"}`, 402, ""},
		"expires in words":  {`{"order_id":"order-1","price":"10","expires_in":"soon"}`, 502, "expires_in"},
		"no order id":       {`{"error":"log in first"}`, 402, ""},
		"a list":            {`["order-1"]`, 402, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := checkoutShop(t, "", asks(test.terms))
			v := s.visit(http.MethodPost, "/buy", "", nil)
			if v.status != test.want {
				t.Errorf("got %d %s, want %d", v.status, v.body, test.want)
			}
			if test.want == 402 && v.body != test.terms {
				t.Errorf("the app's own answer came as %q", v.body)
			}
			if test.want == 502 && strings.Contains(v.body, "order-1") {
				t.Errorf("the app's answer reached the buyer: %s", v.body)
			}
			if !strings.Contains(s.logs(), test.log) {
				t.Errorf("the log does not say %q", test.log)
			}
		})
	}
}

// TestOtherAnswersPass: a response that is not a 402 with JSON passes untouched.
func TestOtherAnswersPass(t *testing.T) {
	s := checkoutShop(t, "", func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/html":
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusPaymentRequired)
			_, _ = io.WriteString(w, cart)
		case "/stream":
			_, _ = io.WriteString(w, "first\n")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		default:
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, cart)
		}
	})
	for path, want := range map[string]int{"/html": 402, "/json": 200} {
		if v := s.visit(http.MethodGet, path, "", nil); v.status != want || v.body != cart {
			t.Errorf("%s: %d %q", path, v.status, v.body)
		}
	}
	if v := s.visit(http.MethodHead, "/json", "", nil); v.status != 200 {
		t.Errorf("HEAD: %d", v.status)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.addr+"/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := s.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	line := make([]byte, len("first\n"))
	if _, err := io.ReadFull(response.Body, line); err != nil || string(line) != "first\n" {
		t.Errorf("the stream began with %q, %v", line, err)
	}
}

// TestFixedPrice: the configuration's price is a buyer's only one.
func TestFixedPrice(t *testing.T) {
	s := checkoutShop(t, "price 25\ncurrency EUR\nproduct T-shirt\nreturn_url https://{host}/thanks\nlimit 3/1h", nil)
	v := s.visit(http.MethodPost, "/buy?price=1&order_id=other", "price=1", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
	if v.status != http.StatusCreated || v.answer.Price != "25" || v.answer.Currency != "EUR" || len(v.answer.OrderID) != 36 {
		t.Errorf("%d %s", v.status, v.body)
	}
	for _, method := range []string{http.MethodGet, http.MethodPut} {
		if v := s.visit(method, "/buy", "", nil); v.status != http.StatusMethodNotAllowed || v.header.Get("Allow") != "POST" {
			t.Errorf("%s: %d, Allow %q", method, v.status, v.header.Get("Allow"))
		}
	}
	for range 2 {
		s.visit(http.MethodPost, "/buy", "", nil)
	}
	if v := s.visit(http.MethodPost, "/buy", "", nil); v.status != http.StatusTooManyRequests || v.header.Get("Retry-After") == "" {
		t.Errorf("the fourth order: %d", v.status)
	}
}

// TestDonation: the buyer names the amount, within bounds.
func TestDonation(t *testing.T) {
	for _, currency := range []string{"USD", "EUR"} {
		s := checkoutShop(t, "buyer_price amount 5 500\ncurrency "+currency+"\nlimit off", nil)
		form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
		for amount, want := range map[string]int{
			"5": 201, "12.50": 201, "500": 201, "4.99": 400, "500.01": 400, "-5": 400, "": 400, "1e3": 400, "5e0": 400, "12.505": 400, "0x10": 400,
		} {
			if v := s.visit(http.MethodPost, "/give", "amount="+url.QueryEscape(amount), form); v.status != want {
				t.Errorf("%q in %s: %d %s, want %d", amount, currency, v.status, v.body, want)
			}
		}
	}
}

// TestStatusTokens: only the order's own token opens it.
func TestStatusTokens(t *testing.T) {
	s := checkoutShop(t, "", asks(cart))
	made := s.visit(http.MethodPost, "/buy", "", nil)
	token := made.answer.Token
	if v := s.visit(http.MethodGet, "/status?t="+token, "", nil); v.status != 200 || v.header.Get("Cache-Control") != "no-store" ||
		!strings.Contains(v.body, `"state":"unpaid","amount_due":"10","amount_paid":"0","currency":"USD"`) {
		t.Errorf("%d %s", v.status, v.body)
	}
	for _, wrong := range []string{"", "x", token[:len(token)-2], "A" + token[1:], token + "A", token + "="} {
		if v := s.visit(http.MethodGet, "/status?t="+wrong, "", nil); v.status != http.StatusNotFound && wrong != token {
			t.Errorf("%q: %d %s", wrong, v.status, v.body)
		}
	}
	begun := time.Now()
	if v := s.visit(http.MethodGet, "/status?wait=300ms&t="+token, "", nil); v.status != 200 || time.Since(begun) < 300*time.Millisecond {
		t.Errorf("after %s: %d", time.Since(begun), v.status)
	}
	if v := s.visit(http.MethodPost, "/status?t="+token, "", nil); v.status != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", v.status)
	}
}

// TestStatusWaitsForTheExpiry: that an order has expired is a change of its state, although
// nothing happens to it then.
func TestStatusWaitsForTheExpiry(t *testing.T) {
	s := checkoutShop(t, "", asks(`{"order_id":"order-1","price":"10","currency":"USD","expires_in":5}`))
	made := s.visit(http.MethodPost, "/buy", "", nil)
	begun := time.Now()
	v := s.visit(http.MethodGet, "/status?wait=50s&t="+made.answer.Token, "", nil)
	if took := time.Since(begun); !strings.Contains(v.body, `"state":"expired"`) || took > 40*time.Second {
		t.Errorf("after %s: %d %s", took, v.status, v.body)
	}
}
