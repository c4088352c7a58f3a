package gatewaytest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/checkout"
	"github.com/seed-338f6760/caddy-ccpayment/internal/confirm"
	"github.com/seed-338f6760/caddy-ccpayment/internal/relay"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/store/bolt"
)

const (
	route   = "webhook"
	prefix  = "t-"
	timeout = 10 * time.Second
)

// stand is a shop with an account at the gateway: its route, its ledger and its checkout.
// Webhooks are taken down when they arrive, and delivered when a test says so.
type stand struct {
	Features
	sandbox  Sandbox
	front    *front
	baseURL  string
	hookURL  string
	account  *gateway.Account
	store    ledger.Store
	ledger   *ledger.Ledger
	route    *relay.Route
	sessions *checkout.Sessions // nil: the gateway makes no checkouts

	mu      sync.Mutex
	ahead   time.Duration // of the clock
	arrived []webhook
	orders  int
}

// webhook is a webhook that has arrived.
type webhook struct {
	header http.Header
	body   []byte
	notice gateway.Notice
}

func newStand(t *testing.T, features Features, sandbox Sandbox) *stand {
	t.Helper()
	s := &stand{Features: features, sandbox: sandbox}
	s.front = &front{Handler: sandbox, made: features.Made, makes: make(map[string]bool)}
	api := httptest.NewServer(s.front)
	hook := httptest.NewServer(http.HandlerFunc(s.arrives))
	t.Cleanup(func() { hook.Close(); api.Close() })
	s.baseURL, s.hookURL = api.URL, hook.URL+"/hook"
	g := s.open(t, Options{AccountID: s.AccountID, Secret: s.Secret}, gateway.OpenOptions{})
	store, err := bolt.Open(filepath.Join(t.TempDir(), "ledger.db"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.store, s.ledger = store, ledger.New(store, s.now)
	t.Cleanup(func() {
		if err := s.ledger.Close(); err != nil {
			t.Error(err)
		}
	})
	s.account = &gateway.Account{Name: "test", Gateway: g, Info: g.Info(), OrderPrefix: prefix, WebhookURL: s.hookURL, Budget: 4 * timeout}
	replay := func(ctx context.Context, e ledger.Event, cause string) error {
		return s.ledger.Replay(ctx, e.Key, cause)
	}
	s.route = &relay.Route{
		Name: route, Account: s.account, Timeout: timeout, Wait: timeout,
		AccountOf: func(ledger.Event) (*gateway.Account, bool) { return s.account, true },
		Confirm: &confirm.Confirmer{
			Policy: confirm.Policy{HoldRisky: true}, Now: s.now, Routes: func() map[string]bool { return map[string]bool{route: true} },
		},
		Replay: replay, Report: func(relay.Outcome) {}, Now: s.now,
	}
	if _, ok := g.(gateway.Checkouts); !ok {
		return s
	}
	s.sessions, err = checkout.New(checkout.Config{
		Account: s.account, Replay: replay, Now: s.now, Logger: zap.NewNop(),
		Ledger: func() (*ledger.Ledger, func(), error) { return s.ledger, func() {}, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// open opens the account with other options than the stand's own account has.
func (s *stand) open(t *testing.T, o Options, with gateway.OpenOptions) gateway.Gateway {
	t.Helper()
	g, err := s.tryOpen(o, with)
	if err != nil {
		t.Fatalf("opening the account: %v", err)
	}
	return g
}

func (s *stand) tryOpen(o Options, with gateway.OpenOptions) (gateway.Gateway, error) {
	o.BaseURL = s.baseURL
	with.Account, with.WebhookURL, with.Timeout = "test", s.hookURL, timeout
	if with.Now == nil {
		with.Now = s.now
	}
	return s.sandbox.Driver(o).Open(with)
}

func (s *stand) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Add(s.ahead)
}

// advance moves the shop's clock forward.
func (s *stand) advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead += d
}

// arrives takes a webhook down, and acknowledges it.
func (s *stand) arrives(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	s.mu.Lock()
	s.arrived = append(s.arrived, webhook{header: r.Header.Clone(), body: body})
	s.mu.Unlock()
	relay.Reply{Status: http.StatusOK, Ack: s.account.Info.Ack}.Write(w)
}

// take returns the webhooks that have arrived since it was called last.
func (s *stand) take(t *testing.T) []webhook {
	t.Helper()
	s.mu.Lock()
	list := s.arrived
	s.arrived = nil
	s.mu.Unlock()
	for i, w := range list {
		if _, err := s.account.Gateway.Verify(s.request(w), time.Now()); err != nil {
			t.Fatalf("a webhook of the sandbox's does not verify: %v: %s", err, w.body)
		}
		var err error
		if list[i].notice, err = s.account.Gateway.Read(w.body); err != nil {
			t.Fatalf("reading %s: %v", w.body, err)
		}
	}
	return list
}

func (s *stand) request(w webhook) gateway.Request {
	return gateway.Request{Method: http.MethodPost, URL: s.hookURL, Header: w.header, Body: w.body}
}

// signed returns a webhook with this body that is signed now.
func (s *stand) signed(w webhook) webhook {
	w.header = s.sandbox.Sign(Signing{AccountID: s.AccountID, Secret: s.Secret, URL: s.hookURL, At: time.Now(), Body: w.body})
	return w
}

// app responds to every call in the same way, and keeps the headers that it got.
type app struct {
	status int
	called []http.Header
}

func (a *app) Deliver(_ context.Context, m relay.Message) (relay.Response, error) {
	header := make(http.Header)
	for _, f := range m.Header {
		header.Set(f.Name, f.Value)
	}
	a.called = append(a.called, header)
	return relay.Response{Status: a.status}, nil
}

// deliver has the route take a webhook, with an app that responds with the status, and
// returns the reply's status and the app's calls. Tests may call it at once.
func (s *stand) deliver(t *testing.T, w webhook, status int) (int, []http.Header) {
	t.Helper()
	if w.notice.Ping {
		return http.StatusOK, nil
	}
	event := s.route.Event(w.notice, ledger.Request{Method: http.MethodPost, URI: "/hook"}, w.body, s.now())
	behind := &app{status: status}
	reply := s.route.Receive(t.Context(), w.notice, event, behind, s.ledger)
	if reply.Status != http.StatusOK && reply.Body == s.account.Info.Ack.Body {
		t.Errorf("the reply %d acknowledges the webhook", reply.Status)
	}
	return reply.Status, behind.called
}

// deliverAll delivers webhooks one after the other, all of which must be acknowledged,
// and returns the app's calls.
func (s *stand) deliverAll(t *testing.T, list []webhook) (calls []http.Header) {
	t.Helper()
	for _, w := range list {
		status, called := s.deliver(t, w, http.StatusOK)
		if status != http.StatusOK {
			t.Fatalf("%s %s got %d", w.notice.Type, w.notice.Status, status)
		}
		calls = append(calls, called...)
	}
	return calls
}

// shops skips the test where there are no orders.
func (s *stand) shops(t *testing.T) {
	t.Helper()
	if _, ok := s.sandbox.(Seller); !ok {
		s.checksOut(t)
	}
}

// checksOut skips the test where the gateway makes no checkouts.
func (s *stand) checksOut(t *testing.T) {
	t.Helper()
	if s.sessions == nil {
		t.Skip("the gateway makes no checkouts")
	}
}

// ask returns a request for a new order.
func (s *stand) ask() checkout.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.orders++
	return checkout.Request{
		OrderID: fmt.Sprintf("order-%d", s.orders), Price: s.Price.Amount, Currency: s.Price.Currency, Coin: s.Price.Coin, Chain: s.Price.Chain,
		Product: "Müsli & Co", BuyerEmail: "jane@example.com", NotifyURL: s.hookURL,
	}
}

// buy makes an order, and returns it as the gateway has it.
func (s *stand) buy(t *testing.T) ledger.GatewayOrder {
	t.Helper()
	s.shops(t)
	if s.sessions == nil {
		id := prefix + s.ask().OrderID
		s.sandbox.(Seller).Sell(t, id, s.hookURL)
		return ledger.GatewayOrder{ID: id}
	}
	session, err := s.sessions.Open(t.Context(), s.ask())
	if err != nil {
		t.Fatalf("making an order: %v", err)
	}
	return session.GatewayOrder
}

// pay has the buyer pay an order, and returns the webhooks that came of it.
func (s *stand) pay(t *testing.T, order ledger.GatewayOrder, way Way) []webhook {
	t.Helper()
	s.sandbox.Pay(t, order.ID, way)
	return s.take(t)
}

// paid makes an order that is paid, and returns the webhooks of it. The last one tells of
// the success.
func (s *stand) paid(t *testing.T) (ledger.GatewayOrder, []webhook) {
	t.Helper()
	order := s.buy(t)
	list := s.pay(t, order, Exact)
	for len(list) > 0 && !s.isSuccess(list[len(list)-1]) {
		list = list[:len(list)-1]
	}
	if len(list) == 0 {
		t.Fatal("no webhook says that the order is paid")
	}
	return order, list
}

// isSuccess reports whether a webhook says that a payment has arrived.
func (s *stand) isSuccess(w webhook) bool {
	typ, _ := s.account.Info.Type(w.notice.Type)
	return typ.Kind == gateway.Payment && !typ.Unconfirmed && s.account.Info.Stage(w.notice.Status) == gateway.Success
}

// has reports whether the sandbox knows a way to pay.
func (s *stand) has(way Way) bool { return way == Exact || slices.Contains(s.Ways, way) }

// fulfilled returns the calls that tell the app to fulfil an order, one of each event, and
// fails the test unless they are of so many events.
func fulfilled(t *testing.T, what string, calls []http.Header, want int) (flagged []http.Header) {
	t.Helper()
	seen := make(map[string]bool)
	for _, call := range calls {
		key := call.Get("Idempotency-Key")
		if call.Get("Ccpayment-Fulfill") != "true" || seen[key] {
			continue
		}
		if seen[key] = true; call.Get("Ccpayment-Confirmed") != "true" {
			t.Errorf("%s: an event fulfils that is not confirmed", what)
		}
		flagged = append(flagged, call)
	}
	if len(flagged) != want {
		t.Errorf("%s: %d events fulfil the order, want %d: %v", what, len(flagged), want, calls)
	}
	return flagged
}
