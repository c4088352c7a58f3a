package sandbox_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seed-338f6760/caddy-ccpayment/internal/jsontest"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

const (
	appID  = "app-123"
	secret = "secret-456"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a sandbox behind a server, and a receiver of its webhooks.
type world struct {
	*sandbox.Sandbox
	t        *testing.T
	url      string
	client   *http.Client
	receiver *receiver
}

// receiver keeps the webhooks that arrive and answers them.
type receiver struct {
	mu      sync.Mutex
	hooks   []hook
	status  int
	answer  string
	blocked chan struct{} // if set, answers wait until it is closed
	server  *httptest.Server
}

type hook struct {
	Type   string
	Msg    map[string]any
	header http.Header
	body   []byte
	path   string
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	h := hook{header: req.Header, body: body, path: req.URL.Path}
	json.Unmarshal(body, &h)
	r.mu.Lock()
	r.hooks = append(r.hooks, h)
	status, answer, blocked := r.status, r.answer, r.blocked
	r.mu.Unlock()
	if blocked != nil && h.Msg["status"] == "Processing" {
		<-blocked
	}
	w.WriteHeader(status)
	io.WriteString(w, answer)
}

// answers sets what the receiver says from now on.
func (r *receiver) answers(status int, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status, r.answer = status, text
}

func (r *receiver) got() []hook {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]hook(nil), r.hooks...)
}

// statuses are those of the webhooks that arrived, in order.
func (r *receiver) statuses() string {
	var list []string
	for _, h := range r.got() {
		list = append(list, fmt.Sprint(h.Msg["status"]))
	}
	return strings.Join(list, " ")
}

// start makes a world; change may set more options.
func start(t *testing.T, change ...func(*sandbox.Options)) *world {
	t.Helper()
	r := &receiver{status: 200, answer: "Success"}
	r.server = httptest.NewServer(r)
	opts := sandbox.Options{AppID: appID, AppSecret: secret, WebhookURL: r.server.URL + "/hook"}
	for _, f := range change {
		f(&opts)
	}
	s, err := sandbox.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	w := &world{Sandbox: s, t: t, url: server.URL, client: server.Client(), receiver: r}
	t.Cleanup(func() {
		s.Close()
		server.Close()
		r.server.Close()
	})
	return w
}

// reply is an answer of the API.
type reply struct {
	HTTP int
	Code int             `json:"code"`
	Msg  string          `json:"msg"`
	Data json.RawMessage `json:"data"`
}

// signed makes a signed call.
func (w *world) signed(endpoint, body string) *http.Request {
	timestamp := strconv.FormatInt(time.Now().Unix(), 10)
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost,
		w.url+"/ccpayment/v2/"+endpoint, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Appid", appID)
	req.Header.Set("Timestamp", timestamp)
	req.Header.Set("Sign", sandbox.Sign(appID, secret, timestamp, []byte(body)))
	return req
}

func (w *world) do(req *http.Request) reply {
	w.t.Helper()
	resp, err := w.client.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	var r reply
	if err := json.NewDecoder(resp.Body).Decode(&r); err != nil {
		w.t.Fatalf("%s: no JSON: %v", req.URL.Path, err)
	}
	r.HTTP = resp.StatusCode
	return r
}

// call makes a signed call with a body.
func (w *world) call(endpoint, body string) reply {
	w.t.Helper()
	return w.do(w.signed(endpoint, body))
}

// ok makes a call that must succeed and returns its data.
func (w *world) ok(endpoint, body string) jsontest.Tree {
	w.t.Helper()
	r := w.call(endpoint, body)
	if r.Code != 10000 {
		w.t.Fatalf("%s %s: %d %s", endpoint, body, r.Code, r.Msg)
	}
	return jsontest.Read(w.t, r.Data)
}

// control calls one of the sandbox's own doors.
func (w *world) control(method, path, body string) (int, jsontest.Tree) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	resp, err := w.client.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, jsontest.Read(w.t, raw)
}

// pay makes a payment without confirmation time and waits for its webhooks.
func (w *world) pay(p sandbox.Payment) string {
	w.t.Helper()
	p.Instant, p.Wait = true, 10*time.Second
	paid, err := w.Pay(w.t.Context(), p)
	if err != nil {
		w.t.Fatal(err)
	}
	return paid.RecordID
}
