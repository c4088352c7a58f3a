package coinpayments_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"go.uber.org/goleak"

	"github.com/seed-338f6760/caddy-ccpayment/internal/jsontest"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox/coinpayments"
)

const (
	clientID = "dc6a16e545c34187ba21a9edbbe484a5"
	secret   = "b3JkaW5hcnkgdGV4dCwgbm90IGRlY29kZWQgYmFzZTY0IQ=="
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a sandbox behind a server, and a receiver of its webhooks.
type world struct {
	*coinpayments.Sandbox
	t        *testing.T
	box      *sandbox.Sandbox
	url      string // the server's
	client   *http.Client
	receiver *receiver
}

// receiver keeps the webhooks that arrive and answers them.
type receiver struct {
	mu     sync.Mutex
	hooks  []hook
	status int
	server *httptest.Server
}

type hook struct {
	ID        string         `json:"id"`
	Type      string         `json:"type"`
	Timestamp string         `json:"timestamp"`
	Invoice   map[string]any `json:"invoice"`
	header    http.Header
	body      []byte
	url       string
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	h := hook{header: req.Header, body: body, url: "http://" + req.Host + req.RequestURI}
	json.Unmarshal(body, &h)
	r.mu.Lock()
	r.hooks = append(r.hooks, h)
	status := r.status
	r.mu.Unlock()
	w.WriteHeader(status)
	io.WriteString(w, "OK")
}

// answers sets the receiver's status from now on.
func (r *receiver) answers(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

func (r *receiver) got() []hook {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]hook(nil), r.hooks...)
}

// types are those of the webhooks that arrived, in order; "InvoicePending×6" is six in a
// row.
func (r *receiver) types() string {
	var list []string
	last, count := "", 0
	flush := func() {
		if count > 1 {
			last += fmt.Sprint("×", count)
		}
		if count > 0 {
			list = append(list, last)
		}
	}
	for _, h := range r.got() {
		if h.Type != last || count == 0 {
			flush()
			last, count = h.Type, 0
		}
		count++
	}
	flush()
	return strings.Join(list, " ")
}

// hears waits until the webhooks of these types have arrived, in order and no others.
func (w *world) hears(types string) {
	w.t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for w.receiver.types() != types {
		if time.Now().After(deadline) {
			w.t.Fatalf("webhooks %q, want %q", w.receiver.types(), types)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// start makes a world; change may set more options.
func start(t *testing.T, change ...func(*sandbox.Options)) *world {
	t.Helper()
	r := &receiver{status: 200}
	r.server = httptest.NewServer(r)
	opts := sandbox.Options{CoinPayments: coinpayments.Options{ClientID: clientID, ClientSecret: secret}}
	for _, f := range change {
		f(&opts)
	}
	box, err := sandbox.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(box)
	w := &world{Sandbox: box.CoinPayments(), t: t, box: box, url: server.URL, client: server.Client(), receiver: r}
	t.Cleanup(func() {
		box.Close()
		server.Close()
		r.server.Close()
	})
	return w
}

// reply is an answer of the API.
type reply struct {
	status int
	header http.Header
	jsontest.Tree
}

// signed makes a signed call of a path behind /coinpayments/api.
func (w *world) signed(method, path, body string) *http.Request {
	w.t.Helper()
	url, stamp := w.url+coinpayments.BasePath+"/api"+path, time.Now().UTC().Format("2006-01-02T15:04:05")
	req, err := http.NewRequestWithContext(w.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("X-CoinPayments-Client", clientID)
	req.Header.Set("X-CoinPayments-Timestamp", stamp)
	req.Header.Set("X-CoinPayments-Signature", sign(secret, method, url, clientID, stamp, body))
	return req
}

func (w *world) do(req *http.Request) reply {
	w.t.Helper()
	resp, err := w.client.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, _ := io.ReadAll(resp.Body)
	got := reply{status: resp.StatusCode, header: resp.Header}
	if len(raw) > 0 {
		got.Tree = jsontest.Read(w.t, raw)
	}
	return got
}

// call makes a signed call.
func (w *world) call(method, path, body string) reply {
	w.t.Helper()
	return w.do(w.signed(method, path, body))
}

// open makes a call without a signature.
func (w *world) open(method, path, body string) reply {
	w.t.Helper()
	req := w.signed(method, path, body)
	for _, name := range []string{"X-CoinPayments-Client", "X-CoinPayments-Timestamp", "X-CoinPayments-Signature"} {
		req.Header.Del(name)
	}
	return w.do(req)
}

// ok makes a call that must succeed.
func (w *world) ok(method, path, body string) jsontest.Tree {
	w.t.Helper()
	r := w.call(method, path, body)
	if r.status < 200 || r.status > 299 {
		w.t.Fatalf("%s %s %s: %d %s", method, path, body, r.status, r.Text("detail"))
	}
	return r.Tree
}

// control makes a control call that must succeed.
func (w *world) control(path, body string) jsontest.Tree {
	w.t.Helper()
	r := w.controls("POST", path, body)
	if r.status != 200 {
		w.t.Fatalf("%s %s: %s", path, body, r.Text("error"))
	}
	return r.Tree
}

// controls makes a control call.
func (w *world) controls(method, path, body string) reply {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+"/sandbox/"+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	return w.do(req)
}

// hookURL is where the receiver is, with a query, as shops register it.
func (w *world) hookURL() string { return w.receiver.server.URL + "/cp-hook?shop=7" }

// everything are all notifications, as a JSON array.
const everything = `["invoiceCreated","invoicePending","invoicePaid","invoiceCompleted","invoiceCancelled","invoiceTimedOut"]`

// body is that of an invoice over 49.90 USD, with more fields.
func (w *world) body(order, more string) string {
	return `{"currency":"5057","items":[{"name":"Cap","quantity":{"value":1,"type":"quantity"},"amount":"49.90"}],` +
		`"amount":{"breakdown":{"subtotal":"49.90"},"total":"49.90"},"invoiceId":"` + order + `",` +
		`"customData":{"order_id":"` + order + `"},` +
		`"webhooks":[{"notificationsUrl":"` + w.hookURL() + `","notifications":` + everything + `}]` + more + `}`
}

// invoice makes an invoice over 49.90 USD and returns its id.
func (w *world) invoice(order string) string {
	w.t.Helper()
	return w.ok("POST", "/v2/merchant/invoices", w.body(order, "")).Str("invoices.0.id")
}

// get is an invoice as the API answers it.
func (w *world) get(id string) jsontest.Tree {
	w.t.Helper()
	return w.ok("GET", "/v2/merchant/invoices/"+id, "")
}

// pay makes a payment without confirmation time and waits for its webhooks.
func (w *world) pay(p coinpayments.Payment) coinpayments.Paid {
	w.t.Helper()
	p.Instant, p.Wait = true, 10*time.Second
	paid, err := w.Pay(w.t.Context(), p)
	if err != nil {
		w.t.Fatal(err)
	}
	return paid
}

func dec(text string) decimal.Decimal { return decimal.RequireFromString(text) }

// jsonOf is a webhook's body.
func jsonOf(t *testing.T, h hook) jsontest.Tree { return jsontest.Read(t, h.body) }
