package ccpayment_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
)

// cpVectors are what is known of CoinPayments' signatures and webhooks.
var cpVectors = func() (v struct {
	Secret, Client, URL, Paid, Wallet string
	URLWithQuery                      string `json:"url_query"`
	LegacyBody                        string `json:"legacy_body"`
	LegacyHMAC                        string `json:"legacy_hmac"`
},
) {
	text, err := os.ReadFile("client/coinpayments/testdata/vectors.json")
	if err == nil {
		err = json.Unmarshal(text, &v)
	}
	if err != nil {
		panic(err)
	}
	return v
}()

const (
	cpInvoice     = "2008d68d-0f66-44ec-8500-68d054b882b9"
	cpTransaction = "407ee3f9-4d8d-4ebe-8b82-39704906f931"
	cpWallet      = "5ff25090-4f3a-4cc4-a187-59fce3f4e501"
)

// cpAPI is CoinPayments' API, which answers signed calls as a test says.
type cpAPI struct {
	*httptest.Server
	t *testing.T

	mu      sync.Mutex
	answers map[string]cpAnswer // by method and path, without the query
	calls   []cpCall
	secret  string // of the integration now
}

type cpAnswer struct {
	status int
	body   string
	hold   chan struct{} // if set, the answer comes once it is closed
}

type cpCall struct{ route, query, body string }

func newCPAPI(t *testing.T) *cpAPI {
	a := &cpAPI{t: t, answers: make(map[string]cpAnswer), secret: cpVectors.Secret}
	a.Server = httptest.NewServer(a)
	t.Cleanup(a.Close)
	return a
}

func (a *cpAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	route := r.Method + " " + r.URL.Path
	a.mu.Lock()
	a.calls = append(a.calls, cpCall{route, r.URL.RawQuery, string(body)})
	answer, isThere := a.answers[route]
	secret := a.secret
	a.mu.Unlock()
	signed := coinpayments.Sign(coinpayments.Credentials{ClientID: cpVectors.Client, ClientSecret: secret},
		r.Method, a.URL+r.URL.RequestURI(), r.Header.Get(coinpayments.HeaderTimestamp), body)
	switch isOpen := strings.HasPrefix(r.URL.Path, "/api/v2/currencies"); {
	case !isOpen && r.Header.Get(coinpayments.HeaderSignature) != signed:
		answer = cpAnswer{status: http.StatusUnauthorized, body: `{"title":"Unauthorized"}`}
	case !isThere:
		answer = cpAnswer{status: http.StatusNotFound, body: `{"title":"Not Found"}`}
	}
	if answer.hold != nil {
		select {
		case <-answer.hold:
		case <-r.Context().Done():
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(answer.status)
	io.WriteString(w, answer.body)
}

// says sets how a route is answered from now on.
func (a *cpAPI) says(route string, status int, body string) {
	a.answer(route, cpAnswer{status, body, nil})
}

func (a *cpAPI) answer(route string, answer cpAnswer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answers[route] = answer
}

// called returns the calls of a route.
func (a *cpAPI) called(route string) []cpCall {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(a.calls), func(c cpCall) bool { return c.route != route })
}

const cpGetInvoice = "GET /api/v2/merchant/invoices/" + cpInvoice

// has answers for the invoice of the tests: 49.90 USD for order-1, paid so much in ETH.
// The options change the members of the invoice.
func (a *cpAPI) has(status, paid string, change ...func(invoice map[string]any)) {
	a.says(cpGetInvoice, http.StatusOK, cpInvoiceIs(status, paid, change...))
}

func cpInvoiceIs(status, paid string, change ...func(invoice map[string]any)) string {
	invoice := map[string]any{
		"id": cpInvoice, "invoiceId": "order-1", "invoiceIdSuffix": nil, "status": status,
		"currency":   map[string]any{"id": "5057", "symbol": "USD", "decimalPlaces": 2},
		"amount":     map[string]any{"breakdown": map[string]any{"subtotal": "49.90"}, "total": "49.90"},
		"customData": map[string]any{"order_id": "order-1"}, "expires": "2099-01-01T00:00:00Z", "payments": []any{},
	}
	if paid != "" {
		invoice["payments"] = []any{cpPayment("confirmed", paid, nil)}
	}
	for _, f := range change {
		f(invoice)
	}
	text, _ := json.Marshal(invoice)
	return string(text)
}

// cpPayment is a payment of 49.90 USD at 4990 USD per ETH, of which so much was paid.
func cpPayment(state, paid string, change map[string]any) map[string]any {
	payment := map[string]any{
		"paymentCurrencyId": "4", "paymentCurrencySymbol": "ETH", "nativeCurrencyId": "5057", "nativeCurrencySymbol": "USD",
		"expectedAmount": "0.01", "nativeExpectedAmount": "49.90", "actualAmount": map[bool]string{true: "0.01", false: "0.0098"}[paid == "49.90"],
		"nativeActualAmount": paid, "paymentAddress": "0xA11", "state": state, "isActive": true,
		"pendingAt": "2026-01-15T09:20:00.0000000+00:00", "confirmedAt": "2026-01-15T09:29:00Z",
	}
	maps.Copy(payment, change)
	return payment
}

func cpPayments(payments ...any) func(map[string]any) {
	return func(invoice map[string]any) { invoice["payments"] = payments }
}

// cpSite is a site with a route of an account at CoinPayments.
const cpSite = `http://:$PORT {
	bind 127.0.0.1
	ccpayment_webhook /cp-hook {
		account coins
		route coins
		deliver {
			reverse_proxy $APP
		}
		retry {
			first 20ms
			max 60ms
			give_up 10m
		}
		$WEBHOOK
	}
}`

// cpSetup is a configuration with an account at CoinPayments.
func (a *cpAPI) setup(webhook, account string) setup {
	return setup{
		account: fmt.Sprintf(`account coins {
			gateway coinpayments {
				client_id %s
				client_secret %s
				base_url %s
			}
			webhook_url %s
			api_timeout 5s
			%s
		}`, cpVectors.Client, cpVectors.Secret, a.URL, cpVectors.URL, account),
		webhook: webhook, site: cpSite, confirm: true,
	}
}

// cpDelivery is a webhook of CoinPayments', or an attacker's. An empty field is as
// CoinPayments has it.
type cpDelivery struct {
	path, url, client, signs, secret, timestamp, body string
	signature                                         string
	header                                            http.Header // set last; a header without values is removed
}

func (d cpDelivery) withDefaults() cpDelivery {
	for _, option := range []struct {
		field *string
		value string
	}{
		{&d.path, "/cp-hook"},
		{&d.url, cpVectors.URL},
		{&d.client, cpVectors.Client},
		{&d.secret, cpVectors.Secret},
		{&d.timestamp, coinpayments.Timestamp(time.Now())},
		{&d.body, cpVectors.Paid},
	} {
		if *option.field == "" {
			*option.field = option.value
		}
	}
	if d.signs == "" {
		d.signs = d.client
	}
	if d.signature == "" {
		d.signature = coinpayments.Sign(coinpayments.Credentials{ClientID: d.signs, ClientSecret: d.secret}, http.MethodPost, d.url, d.timestamp, []byte(d.body))
	}
	return d
}

// hook delivers a webhook of CoinPayments' and fails the test unless the answer has this
// status.
func (s *server) hook(d cpDelivery, status int) {
	s.t.Helper()
	d = d.withDefaults()
	request, err := http.NewRequest(http.MethodPost, "http://"+s.addr+d.path, strings.NewReader(d.body))
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header = http.Header{
		"Content-Type": {"application/json"}, "User-Agent": {"CoinPayments"},
		http.CanonicalHeaderKey(coinpayments.HeaderClient):    {d.client},
		http.CanonicalHeaderKey(coinpayments.HeaderTimestamp): {d.timestamp},
		http.CanonicalHeaderKey(coinpayments.HeaderSignature): {d.signature},
	}
	for name, values := range d.header {
		request.Header[name] = values
	}
	response, err := s.client.Do(request)
	if err != nil {
		s.t.Fatalf("delivering: %v", err)
	}
	reply, err := readReply(response)
	if err != nil {
		s.t.Fatalf("delivering: %v", err)
	}
	if reply.status != status {
		s.t.Fatalf("answer %d %q, want %d", reply.status, reply.body, status)
	}
	if isOK := reply.body == "OK"; isOK != (status == http.StatusOK) {
		s.t.Errorf("answer %d has the body %q", reply.status, reply.body)
	}
}

// gets waits until the app was called n times, and returns the calls.
func (s *server) gets(n int) []received {
	s.t.Helper()
	await(s.t, fmt.Sprintf("the app is called %d times", n), func() bool { return len(s.app.received()) >= n })
	return s.app.wants(s.t, n)
}

// says fails the test unless a call of the app has these headers; an empty one is not
// there.
func (r received) says(t *testing.T, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if got := r.header.Get(name); got != value {
			t.Errorf("%s is %q, want %q", name, got, value)
		}
	}
}

// cpState is the state of the events of the invoice of the tests, with the cause of the
// last step, once one of them stands in the log.
func (s *server) waitsHeld(cause string) {
	s.t.Helper()
	await(s.t, "an event is held as "+cause, func() bool { return strings.Contains(s.logs(), cause) })
}

// cpNotice is a notice about the invoice of the tests, with ids of its own.
func cpNotice(typ, state string) string {
	return strings.NewReplacer("InvoicePaid", typ, `"state":"Paid"`, fmt.Sprintf(`"state":%q`, state),
		"5f0d4f0cc1a24d6bb0d3a6c1b8e0a001", fmt.Sprintf("%032x", time.Now().UnixNano())).Replace(cpVectors.Paid)
}
