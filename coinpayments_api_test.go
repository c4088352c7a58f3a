package ccpayment_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
	cpbox "github.com/seed-338f6760/caddy-ccpayment/sandbox/coinpayments"
)

// cpAPIShop is a Caddy whose apps call CoinPayments through it.
type cpAPIShop struct {
	*shop
	coins *cpbox.Sandbox
	setup setup

	mu   sync.Mutex
	made []string // the calls that reached CoinPayments: method, path, query and body
}

const cpAPISite = `http://:$PORT {
	bind 127.0.0.1
	ccpayment_webhook /cp-hook {
		account coins
		route coins
		deliver {
			reverse_proxy $APP
		}
	}
	handle_path /coins/* {
		ccpayment_api {
			account coins
			$WEBHOOK
		}
	}
	respond "another page" 418
}`

func newCPAPIShop(t *testing.T, options, site string) *cpAPIShop {
	t.Helper()
	box, err := sandbox.New(sandbox.Options{CoinPayments: cpbox.Options{ClientID: cpVectors.Client, ClientSecret: cpVectors.Secret}})
	if err != nil {
		t.Fatal(err)
	}
	s := &cpAPIShop{shop: &shop{box: box}, coins: box.CoinPayments()}
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		s.mu.Lock()
		s.made = append(s.made, strings.TrimSpace(r.Method+" "+strings.TrimPrefix(r.RequestURI, cpbox.BasePath)+" "+string(body)))
		s.mu.Unlock()
		box.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { api.Close(); box.Close() })
	s.setup = setup{
		global: adminOn,
		account: fmt.Sprintf("account coins {\n gateway coinpayments {\n client_id %s\n client_secret %s\n base_url %s\n }\n webhook_url http://127.0.0.1:$PORT/cp-hook\n api_timeout 500ms\n }",
			cpVectors.Client, cpVectors.Secret, api.URL+cpbox.BasePath),
		site: site, webhook: options,
	}
	s.server = start(t, s.setup)
	return s
}

// calls returns the calls that reached CoinPayments since it was asked last.
func (s *cpAPIShop) calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	made := s.made
	s.made = nil
	return made
}

// ask makes a call as an app does, and fails the test unless the answer has this status.
func (s *cpAPIShop) ask(method, path, body string, want int) apiReply {
	s.t.Helper()
	answer := s.callWith(method, "/coins"+path, body, http.Header{"Content-Type": {"application/json"}})
	if answer.status != want {
		s.t.Errorf("%s %s %s: %d %s, want %d", method, path, body, answer.status, answer.body, want)
	}
	return answer
}

// member returns a text in an answer.
func (a apiReply) member(t *testing.T, keys ...string) string {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(a.body), &value); err != nil {
		t.Fatalf("%s: %v", a.body, err)
	}
	for _, key := range keys {
		if list, isList := value.([]any); isList && len(list) > 0 {
			value = list[0]
		}
		object, _ := value.(map[string]any)
		value = object[key]
	}
	text, ok := value.(string)
	if !ok || text == "" {
		t.Fatalf("%s has no %v", a.body, keys)
	}
	return text
}

const cpInvoiceBody = `{"currency":"5057","items":[{"name":"A hat","quantity":{"value":1,"type":"quantity"},"amount":"49.90"}],` +
	`"amount":{"breakdown":{"subtotal":"49.90"},"total":"49.90"},"invoiceId":"order-1","poNumber":"po-1"}`

// TestCoinPaymentsAPIGroups: each route is let through by one group, and by no other; and
// what moves money out, by the group that says so.
func TestCoinPaymentsAPIGroups(t *testing.T) {
	groups := []string{"read", "deposit", "withdraw", "wallet", "webhook"}
	site := "http://:$PORT {\n bind 127.0.0.1\n"
	for _, group := range groups {
		site += "handle_path /coins/" + group + "/* {\n ccpayment_api {\n account coins\n allow " + group + "\n cache off\n }\n }\n"
	}
	s := newCPAPIShop(t, "", site+"}")
	counts := make(map[string]int)
	for _, route := range coinpayments.Routes() {
		var through []string
		for _, group := range groups {
			path := strings.NewReplacer("{", "", "}", "").Replace(route.Pattern)
			answer := s.callWith(route.Method, "/coins/"+group+path, "", http.Header{"Content-Type": {"application/json"}})
			reached := len(s.calls()) > 0
			if refused := answer.status == http.StatusForbidden && answer.Code == 90403; refused == reached {
				t.Errorf("%s of %s: %d %s; it reached CoinPayments: %t", route, group, answer.status, answer.body, reached)
			}
			if reached {
				through = append(through, group)
			}
		}
		want := "read"
		switch _, path, _ := strings.Cut(route.Pattern, "/merchant/"); {
		case route.Method == http.MethodGet || strings.HasSuffix(path, "consolidation-preview"):
		case strings.Contains(path, "/spend/") || strings.Contains(path, "consolidation/{to}") || path == "clients/access-control":
			want = "withdraw"
		case strings.Contains(path, "webhook"):
			want = "webhook"
		case path == "wallets":
			want = "wallet"
		default:
			want = "deposit"
		}
		if len(through) != 1 || through[0] != want {
			t.Errorf("%s is let through by %v, want %s", route, through, want)
		}
		counts[want]++
	}
	if counts["withdraw"] < 10 || counts["deposit"] < 8 || counts["webhook"] < 7 {
		t.Errorf("there are %v", counts)
	}
}

// TestCoinPaymentsAPICalls: a call is signed, reaches the route as it was written, and
// CoinPayments' answer is returned, a refusal too. Metrics and log name the route, and not
// what it is about.
func TestCoinPaymentsAPICalls(t *testing.T) {
	s := newCPAPIShop(t, "", cpAPISite)
	const refusals = `caddy_ccpayment_api_requests_total{account="coins",code="404",endpoint="GET /api/v2/merchant/invoices/{id}"}`
	before := s.scrape()[refusals]
	made := s.ask("POST", "/api/v2/merchant/invoices", cpInvoiceBody, 200)
	id := made.member(t, "invoices", "id")
	hook := `{"webhooks":[{"notificationsUrl":"http://127.0.0.1:` + port(s.addr) + `/cp-hook","notifications":["invoiceCreated","invoicePending","invoicePaid","invoiceCompleted","invoiceCancelled","invoiceTimedOut"]}],`
	// A confirmation may have asked already.
	if got := slices.DeleteFunc(s.calls(), func(call string) bool { return strings.HasPrefix(call, "GET ") }); len(got) != 1 || got[0] != "POST /api/v2/merchant/invoices "+hook+cpInvoiceBody[1:] {
		t.Errorf("CoinPayments was asked %q", got)
	}
	s.gets(1)[0].says(t, map[string]string{"Ccpayment-Status": "Unpaid", "Ccpayment-Order-Id": "order-1"})
	s.calls()

	for _, c := range []struct{ target, reaches string }{
		{"/api/v2/merchant/invoices/" + id + "?include_full_details=true", ""},
		{"/api/v2/merchant/invoices?q=order-1&limit=5&from=2020-01-01T00%3A00%3A00Z", ""},
		{"/api/v1/merchant/invoices/" + id, ""},
		{"/api/v2/merchant/%69nvoices/" + id, "/api/v2/merchant/invoices/" + id}, // an encoded letter is the letter
	} {
		answer := s.ask("GET", c.target, "", 200)
		if c.reaches == "" {
			c.reaches = c.target
		}
		if got := s.calls(); len(got) != 1 || got[0] != "GET "+c.reaches || !strings.Contains(answer.body, id) ||
			!strings.HasPrefix(answer.header.Get("Content-Type"), "application/json") {
			t.Errorf("%s: CoinPayments was asked %q and answered %s", c.target, got, answer.body)
		}
	}

	refused := s.ask("GET", "/api/v2/merchant/invoices/2008d68d-0f66-44ec-8500-68d054b882b9", "", 404)
	if refused.Code != 0 || refused.header.Get("Content-Type") != "application/problem+json" || refused.member(t, "title") != "Not Found" || refused.member(t, "detail") == "" {
		t.Errorf("a refusal: %s", refused.body)
	}
	if wrong := s.ask("POST", "/api/v2/merchant/invoices", `{"currency":"nope"}`, 400); wrong.Code != 0 || !strings.Contains(wrong.body, `"errors":{`) {
		t.Errorf("a body that CoinPayments refuses: %s", wrong.body)
	}
	s.ask("POST", "/api/v1/merchant/invoices/"+id+"/cancel", "", 204)
	if answer := s.ask("GET", "/api/v2/merchant/invoices/"+id, "", 200); !strings.Contains(answer.body, `"cancelled"`) {
		t.Errorf("the invoice was not cancelled: %s", answer.body)
	}

	for _, line := range []string{
		`"msg":"called CoinPayments","endpoint":"POST /api/v2/merchant/invoices","order_id":"po-1","outcome":"done"`,
		`"endpoint":"POST /api/v2/merchant/invoices","order_id":"","outcome":"refused: 400 Bad Request"`,
		`"endpoint":"POST /api/v1/merchant/invoices/{id}/cancel","order_id":"` + id + `","outcome":"done"`,
	} {
		if !strings.Contains(s.logs(), line) {
			t.Errorf("the log lacks %s", line)
		}
	}
	for series := range s.scrape() {
		if strings.Contains(series, id) || strings.Contains(series, "68d054b882b9") {
			t.Errorf("a series is about one invoice: %s", series)
		}
	}
	if n := s.scrape()[refusals] - before; n != 1 {
		t.Errorf("%v calls of a route that were refused", n)
	}
}

// TestCoinPaymentsAPIMoney: what moves money is let through only where it is named, and
// the log says of it no more than which request it was.
func TestCoinPaymentsAPIMoney(t *testing.T) {
	const address = "mtxASJZHNmGeUPQ3DxLvJeKja6Lh7TcJM9"
	s := newCPAPIShop(t, "allow read deposit wallet withdraw", cpAPISite)
	wallet := s.ask("POST", "/api/v2/merchant/wallets", `{"currency":"1002","label":"out"}`, 200).member(t, "walletId")
	if err := s.coins.Credit(wallet, decimal.RequireFromString("5")); err != nil {
		t.Fatal(err)
	}
	made := s.ask("POST", "/api/v2/merchant/wallets/"+wallet+"/addresses", "", 200)
	if got, want := s.calls(), `{"notificationUrl":"http://127.0.0.1:`+port(s.addr)+`/cp-hook"}`; !strings.HasSuffix(got[len(got)-1], want) || !strings.Contains(made.body, "networkAddress") {
		t.Errorf("CoinPayments was asked %q, and answered %s", got, made.body)
	}
	spend := s.ask("POST", "/api/v2/merchant/wallets/"+wallet+"/spend/request", `{"toAddress":"`+address+`","toCurrency":"1002","amount":"1.2345"}`, 200).member(t, "spendRequestId")
	if err := s.box.SetFaults(sandbox.Fault{Endpoint: "coinpayments/confirmSpendingFunds", Drop: "after"}); err != nil {
		t.Fatal(err)
	}
	s.calls()
	lost := s.ask("POST", "/api/v2/merchant/wallets/"+wallet+"/spend/confirmation", `{"spendRequestId":"`+spend+`"}`, 504)
	if lost.Code != 90504 || string(lost.Data) != `{"reference":"`+spend+`"}` || !strings.Contains(lost.Msg, spend) || len(s.calls()) != 1 {
		t.Errorf("a confirmation whose answer was lost: %s", lost.body)
	}
	if answer := s.ask("GET", "/api/v2/merchant/wallets/"+wallet+"/transaction?spendRequestId="+spend, "", 200); !strings.Contains(answer.body, address) {
		t.Errorf("looked up: %s", answer.body)
	}
	endpoint := `"endpoint":"POST /api/v2/merchant/wallets/{id}/spend/confirmation","order_id":"` + spend + `","outcome":"unknown"`
	if log := s.logs(); !strings.Contains(log, endpoint) || strings.Contains(log, address) || strings.Contains(log, "1.2345") || strings.Contains(log, cpVectors.Secret) {
		t.Errorf("the log is %s", log)
	}

	s = newCPAPIShop(t, `allow read deposit "POST /api/v2/merchant/wallets/{id}/spend/request"`, cpAPISite)
	s.ask("POST", "/api/v2/merchant/wallets/"+wallet+"/spend/request", `{}`, 404) // CoinPayments knows no such wallet
	for _, path := range []string{
		"/api/v1/merchant/wallets/w/spend/request", "/api/v2/merchant/wallets/w/spend/confirmation",
		"/api/v3/merchant/wallets/w/1/spend/request", "/api/v2/merchant/wallets/w/consolidation/v", "/api/v1/merchant/clients/access-control",
	} {
		s.calls()
		if answer := s.ask("POST", path, `{}`, 403); !strings.Contains(answer.Msg, "`allow withdraw`") || len(s.calls()) > 0 {
			t.Errorf("%s: %s", path, answer.body)
		}
	}
}

// TestCoinPaymentsAPIUnknown: a call that changes something is sent once, and the app
// learns what to look up.
func TestCoinPaymentsAPIUnknown(t *testing.T) {
	s := newCPAPIShop(t, "", cpAPISite)
	for i, fault := range []sandbox.Fault{{Drop: "after"}, {Drop: "before"}, {HTTPStatus: 500}, {HTTPStatus: 503}, {HTTPStatus: 302}} {
		fault.Endpoint = "coinpayments/createInvoice"
		if err := s.box.SetFaults(fault); err != nil {
			t.Fatal(err)
		}
		answer := s.ask("POST", "/api/v2/merchant/invoices", strings.Replace(cpInvoiceBody, "po-1", fmt.Sprintf("po-%d", i), 1), 504)
		var data struct {
			Reference string
			Code      int
		}
		if err := json.Unmarshal(answer.Data, &data); err != nil || answer.Code != 90504 || data.Reference != fmt.Sprintf("po-%d", i) || data.Code != fault.HTTPStatus {
			t.Errorf("%+v: %s", fault, answer.body)
		}
		sent := slices.DeleteFunc(s.calls(), func(call string) bool { return strings.HasPrefix(call, "GET ") }) // which confirm an event
		if len(sent) != 1 {
			t.Errorf("%+v: sent %q", fault, sent)
		}
	}
	// What only asks is asked again.
	if err := s.box.SetFaults(sandbox.Fault{Endpoint: "coinpayments/listInvoices", HTTPStatus: 500}); err != nil {
		t.Fatal(err)
	}
	s.ask("GET", "/api/v2/merchant/invoices", "", 200)
	// And a refusal is none that is unknown.
	if err := s.box.SetFaults(sandbox.Fault{Endpoint: "coinpayments/createInvoice", HTTPStatus: 429, RetryAfter: 1}); err != nil {
		t.Fatal(err)
	}
	if answer := s.ask("POST", "/api/v2/merchant/invoices", cpInvoiceBody, 429); answer.header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After is %q", answer.header.Get("Retry-After"))
	}
}

// TestCoinPaymentsAPIPaths: a route has one path. A path that only looks like it, that
// cleaning would turn into it, or that two readers take for two routes, reaches nothing.
func TestCoinPaymentsAPIPaths(t *testing.T) {
	s := newCPAPIShop(t, "allow read deposit withdraw wallet webhook", cpAPISite)
	const wallets = "/coins/api/v2/merchant/wallets"
	for _, target := range []string{
		"GET /coins/api/v2/merchant/invoices/", "GET /coins//api/v2/merchant/invoices", "GET //coins/api/v2/merchant/invoices", "GET /coins/api//v2/merchant/invoices",
		"GET /coins/api/v2/merchant/invoices/.", "GET /coins/api/v2/merchant/invoices/..", "GET /coins/api/v2/./merchant/invoices", "GET /coins/x/../api/v2/merchant/invoices",
		"GET /coins/api/v2/merchant/invoices/%2e", "GET /coins/api/v2/merchant/invoices/%2E%2e/invoices", "GET /coins/api/v2/merchant/invoices/a/%2e%2e/b",
		"GET /coins/api/v2/merchant/invoices/%252e%252e", "GET /coins/api/v2/merchant%2finvoices", "GET /coins/api%2Fv2/merchant/invoices", "GET /coins%2fapi/v2/merchant/invoices",
		"GET /coins/api/v2/merchant/invoices/a%2fpayouts", "GET /coins/api/v2/merchant/invoices/a%5cb", `GET /coins/api/v2/merchant/invoices/a\b`,
		"GET /coins/api/v2/merchant/invoices/a%00", "GET /coins/api/v2/merchant/invoices/a%250a",
		"GET /coins/API/v2/merchant/invoices", "GET /coins/api/V2/merchant/invoices", "GET /coins/api/v2/merchant/Invoices", "GET " + wallets + "/Count",
		"GET /coins/api/v4/merchant/invoices", "GET /coins/api/v2/merchant/invoices/a/b", "GET /coins/v2/merchant/invoices", "GET /coins/api/v2/merchant", "GET /coins/",
		"GET /coins/http://evil.example/api/v2/merchant/invoices", "GET /coins/@evil.example/api/v2/merchant/invoices", "GET /coins/checkout/", "GET /coins/orders",
		"POST " + wallets + "/consolidation/addresses", "POST " + wallets + "/Consolidation/addresses", "POST " + wallets + "/%63onsolidation/addresses",
		"POST " + wallets + "/Consolidation/w", "POST " + wallets + "/w/spend/Request", "POST " + wallets + "/w/addresses/../spend/request",
	} {
		answer := s.sendRaw(target + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 0\r\n\r\n")
		ours := answer.status == http.StatusNotFound && strings.Contains(answer.body, `"code":90404`)
		if !ours && answer.status != http.StatusTeapot && answer.status != http.StatusBadRequest && answer.status != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d %s", target, answer.status, answer.body)
		}
	}
	if got := s.calls(); len(got) > 0 {
		t.Errorf("CoinPayments was asked %q", got)
	}
	// An id may have what a URL escapes, and goes out escaped in one way.
	s.ask("GET", "/api/v2/currencies/4%3A0xdac17f958d2ee523a2206206994597c13d831ec7", "", 200)
	s.ask("GET", "/api/v2/merchant/invoices/%C3%A4%20%3F%23", "", 404)
	if got := s.calls(); !slices.Equal(got, []string{"GET /api/v2/currencies/4:0xdac17f958d2ee523a2206206994597c13d831ec7", "GET /api/v2/merchant/invoices/%C3%A4%20%3F%23"}) {
		t.Errorf("CoinPayments was asked %q", got)
	}
}

// TestCoinPaymentsAPIRequests: a request that no app would send is refused before
// CoinPayments is called.
func TestCoinPaymentsAPIRequests(t *testing.T) {
	s := newCPAPIShop(t, "allow read deposit wallet webhook", cpAPISite)
	const invoices, hooks = "/api/v2/merchant/invoices", "/api/v1/merchant/clients/c/webhooks"
	asJSON := http.Header{"Content-Type": {"application/json"}}
	for name, test := range map[string]struct {
		method, path, body string
		header             http.Header
		want               int
		says               string
	}{
		"PUT":                       {"PUT", invoices, "{}", asJSON, 405, "use GET or POST"},
		"HEAD's like":               {"PATCH", invoices, "{}", asJSON, 405, "use GET or POST"},
		"GET of a cancel":           {"GET", "/api/v1/merchant/invoices/a/cancel", "", nil, 405, "use POST"},
		"DELETE of all":             {"DELETE", hooks, "", nil, 405, "use GET or POST"},
		"GET of the checkout":       {"GET", "/checkout", "", nil, 405, "use POST"},
		"a page's":                  {"POST", invoices, "{}", http.Header{"Content-Type": {"application/json"}, "Origin": {"https://evil.example"}}, 403, "browser"},
		"through a proxy":           {"GET", invoices, "", http.Header{"X-Forwarded-For": {"127.0.0.1"}}, 403, "only apps on this machine"},
		"a form":                    {"POST", invoices, "{}", http.Header{"Content-Type": {"text/plain"}}, 415, "application/json"},
		"a body with GET":           {"GET", invoices, "{}", asJSON, 400, "GET takes no body"},
		"a list":                    {"POST", invoices, "[1]", asJSON, 400, "not a JSON object"},
		"too large":                 {"POST", invoices, `{"a":"` + strings.Repeat("x", 1<<20) + `"}`, asJSON, 413, "larger"},
		"a key twice":               {"POST", invoices, `{"amount":1,"amount":2}`, asJSON, 400, "stands twice"},
		"a key twice, by case":      {"POST", invoices, `{"amount":1,"Amount":2}`, asJSON, 400, "stands twice"},
		"a key twice, within":       {"POST", invoices, `{"a":[{"b":1,"b":2}]}`, asJSON, 400, "stands twice"},
		"a broken query":            {"GET", invoices + "?a=%zz", "", nil, 400, "the query"},
		"webhooks":                  {"POST", invoices, `{"webhooks":[{"notificationsUrl":"https://evil.example/"}]}`, asJSON, 403, "webhooks is not allowed here"},
		"webhooks, by case":         {"POST", invoices, `{"WebHooks":[]}`, asJSON, 403, "webhooks is not allowed here"},
		"webhooks, escaped":         {"POST", invoices, `{"w\u0065bhooks":null}`, asJSON, 403, "webhooks is not allowed here"},
		"a button's":                {"POST", invoices + "/buy-now-button", `{"ipnUrl":"https://evil.example/"}`, asJSON, 403, "ipnUrl is not allowed here"},
		"a wallet's":                {"POST", "/api/v2/merchant/wallets", `{"webhookUrl":"https://evil.example/"}`, asJSON, 403, "webhookUrl is not allowed here"},
		"an address's":              {"POST", "/api/v2/merchant/wallets/w/addresses", `{"notificationUrl":"https://evil.example/"}`, asJSON, 403, "notificationUrl is not allowed here"},
		"another for the wallet":    {"PUT", "/api/v3/merchant/wallets/w/1/webhook", `{"notificationUrl":"https://evil.example/"}`, asJSON, 403, "notificationUrl is not allowed here"},
		"another of the merchant's": {"POST", hooks, `{"notificationsUrl":"https://evil.example/","notifications":["invoicePaid"]}`, asJSON, 403, "notificationsUrl is not allowed here"},
		"where the money goes":      {"POST", invoices, `{"payoutOverrides":[{"address":"x"}]}`, asJSON, 403, "payoutOverrides is not allowed here"},
		"a payout":                  {"POST", "/api/v2/merchant/wallets/w/spend/request", `{}`, asJSON, 403, "`allow withdraw`"},
	} {
		t.Run(name, func(t *testing.T) {
			answer := s.callWith(test.method, "/coins"+test.path, test.body, test.header)
			if answer.status != test.want || answer.Code != 90000+test.want || !strings.Contains(answer.Msg, test.says) {
				t.Errorf("%d %s, want %d", answer.status, answer.body, test.want)
			}
			if test.want == 405 && strings.Join(answer.header.Values("Allow"), " or ") != strings.TrimPrefix(test.says, "use ") {
				t.Errorf("Allow is %q", answer.header.Values("Allow"))
			}
		})
	}
	if got := s.calls(); len(got) > 0 {
		t.Errorf("CoinPayments was asked %q", got)
	}
	// Without a URL of its own, a call gets the account's.
	s.ask("PUT", "/api/v2/merchant/wallets/w/webhook", "{}", 404)
	s.ask("POST", "/api/v1/merchant/clients/"+cpVectors.Client+"/webhooks", `{"notifications":["invoicePaid"]}`, 200)
	for _, call := range s.calls() {
		if !strings.Contains(call, `Url":"http://127.0.0.1:`+port(s.addr)+`/cp-hook"`) {
			t.Errorf("CoinPayments was asked %s", call)
		}
	}
	// And may name one, or where money goes, where that is allowed.
	s = newCPAPIShop(t, "allow read deposit withdraw notify_url", cpAPISite)
	s.ask("POST", "/api/v2/merchant/invoices", strings.Replace(cpInvoiceBody, "{", `{"payoutOverrides":[],"webhooks":[],`, 1), 200)
}

// TestCoinPaymentsAPIOwnEndpoints: an app gets a checkout page's address to return, and
// asks for the order until it is paid.
func TestCoinPaymentsAPIOwnEndpoints(t *testing.T) {
	s := newCPAPIShop(t, "", cpAPISite)
	made := s.ask("POST", "/checkout", `{"order_id":"order-1","price":"49.90","currency":"USD"}`, 201)
	page := made.member(t, "checkout_url")
	if again := s.ask("POST", "/checkout", `{"order_id":"order-1","price":"49.90","currency":"USD"}`, 200); again.member(t, "checkout_url") != page {
		t.Errorf("asked again: %s", again.body)
	}
	if state := s.ask("GET", "/orders/order-1", "", 200).member(t, "state"); state != "unpaid" {
		t.Errorf("before it is paid it is %s", state)
	}
	if _, err := s.coins.Pay(t.Context(), cpbox.Payment{InvoiceID: invoiceOf(page), Coin: "LTC", Instant: true, Wait: patience}); err != nil {
		t.Fatal(err)
	}
	await(t, "the order is paid", func() bool { return s.ask("GET", "/orders/order-1", "", 200).member(t, "state") == "paid" })
	if refused := s.ask("POST", "/checkout", `{"order_id":"order-1","price":"49.90","currency":"USD"}`, 409); refused.Code != 90409 {
		t.Errorf("paid: %s", refused.body)
	}
	if err := s.box.SetFaults(sandbox.Fault{Endpoint: "coinpayments/createInvoice", HTTPStatus: 400}); err != nil {
		t.Fatal(err)
	}
	s.ask("POST", "/checkout", `{"order_id":"order-2","price":"49.90"}`, 502)
}

// TestCoinPaymentsAPICache: lists of CoinPayments' are asked for once, for each query.
func TestCoinPaymentsAPICache(t *testing.T) {
	s := newCPAPIShop(t, "", cpAPISite)
	var answers []string
	for range 2 {
		for _, target := range []string{"/api/v2/currencies", "/api/v2/currencies?types=fiat", "/api/v1/currencies/conversions", "/api/v2/merchant/invoices", "/api/v2/rates?from=1&to=5057"} {
			answers = append(answers, s.ask("GET", target, "", 200).body)
		}
	}
	if answers[0] != answers[5] || answers[0] == answers[1] {
		t.Error("a list was not the same again, or that of another query")
	}
	count := make(map[string]int)
	for _, call := range s.calls() {
		count[strings.TrimPrefix(call, "GET /api/")]++
	}
	want := map[string]int{"v2/currencies": 1, "v2/currencies?types=fiat": 1, "v1/currencies/conversions": 1, "v2/merchant/invoices": 2, "v2/rates?from=1&to=5057": 2}
	for target, n := range want {
		if count[target] != n {
			t.Errorf("%s was asked for %d times, want %d", target, count[target], n)
		}
	}
}
