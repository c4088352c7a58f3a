package crash

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
	"github.com/seed-338f6760/caddy-ccpayment/store/bolt"
	"github.com/seed-338f6760/caddy-ccpayment/test/history"
)

const (
	appID     = "test-app"
	appSecret = "test-secret"
	price     = 10 // of every order, in coins
)

var credentials = client.Credentials{AppID: appID, AppSecret: appSecret}

// The Caddyfile leaves to the environment what differs between two runs.
const (
	caddyfile = `{
	admin {$ADMIN}
	auto_https off
	persist_config off
	log {
		level WARN
	}
	ccpayment {
		app_id ` + appID + `
		app_secret ` + appSecret + `
		base_url {$API}/ccpayment/v2
		store bolt {
			path {$LEDGER}
		}
	}
}
http://127.0.0.1:{$PORT} {
	header X-Run {$CRASH_RUN}
	respond /ready 200
	ccpayment_webhook /hook {
		token test-token
		CONFIRM
		HANDOVER
	}
	PROXY
}
`
	proxy = `reverse_proxy {$APP} {
			header_up X-Run {$CRASH_RUN}
		}`
	deliver = `deliver {
			` + proxy + `
		}
		retry {
			first 100ms
			max 500ms
		}`
)

// mode is a way of delivery.
type mode struct {
	name          string
	passesThrough bool
	// trusts: nothing is confirmed with CCPayment, and nothing fulfils.
	trusts bool
}

var modes = []mode{
	{name: "pass-through", passesThrough: true},
	{name: "store-and-forward"},
	{name: "pass-through, confirm off", passesThrough: true, trusts: true},
	{name: "store-and-forward, confirm off", trusts: true},
}

// shop is a Caddy between an app with an inbox and a CCPayment whose retries come two hundred times as fast.
type shop struct {
	t *testing.T
	mode
	ledger, inbox string
	admin, hook   string
	caddy, app    *process
	box           *sandbox.Sandbox
	api           *client.Client
	outbox        *outbox

	mu     sync.Mutex
	paid   []string     // orders
	awaits []ledger.Key // what must be sent before all has settled
}

func newShop(t *testing.T, m mode) *shop {
	t.Helper()
	dir, ports := t.TempDir(), processtest.Ports(t, 3)
	s := &shop{
		t: t, mode: m, outbox: newOutbox(),
		ledger: filepath.Join(dir, "ledger.db"), inbox: filepath.Join(dir, "inbox"),
		admin: net.JoinHostPort(loopback, ports[0]), hook: "http://" + net.JoinHostPort(loopback, ports[1]) + "/hook",
	}
	s.startSandbox()

	confirm, background, rest := "confirm on", deliver, ""
	if m.trusts {
		confirm = "confirm off"
	}
	if m.passesThrough {
		background, rest = "", proxy
	}
	config := strings.NewReplacer("CONFIRM", confirm, "HANDOVER", background, "PROXY", rest)
	file := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(file, []byte(config.Replace(caddyfile)), 0o600); err != nil {
		t.Fatal(err)
	}
	app := net.JoinHostPort(loopback, ports[2])
	s.caddy.t, s.caddy.ready = t, strings.Replace(s.hook, "/hook", "/ready", 1)
	s.caddy.args = []string{binary, "run", "--config", file, "--adapter", "caddyfile"}
	s.caddy.env = append(s.caddy.env, "ADMIN="+s.admin, "PORT="+ports[1], "LEDGER="+s.ledger, "APP="+app,
		"XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	s.app = &process{
		t: t, args: []string{os.Args[0]}, ready: "http://" + app,
		env: []string{inboxVariable + "=" + s.inbox, addressVariable + "=" + app},
	}
	t.Cleanup(func() {
		for _, p := range []*process{s.caddy, s.app} {
			if p.Process != nil {
				p.kill()
				if t.Failed() {
					t.Logf("%s ended with:\n%s", p.args[0], p.Output.Tail())
				}
			}
		}
	})
	s.app.start()
	return s
}

// startSandbox plays CCPayment.
func (s *shop) startSandbox() {
	s.t.Helper()
	box, err := sandbox.New(sandbox.Options{
		AppID: appID, AppSecret: appSecret, WebhookURL: s.hook, Speed: 200,
		HTTPClient: &http.Client{Transport: s.outbox, Timeout: 10 * time.Second},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	server := httptest.NewServer(box)
	connections := client.NewHTTPClient()
	s.t.Cleanup(func() {
		server.Close()
		box.Close()
		connections.CloseIdleConnections()
		s.outbox.transport.CloseIdleConnections()
	})
	s.box, s.caddy = box, &process{env: []string{"API=" + server.URL}}
	s.api, err = client.New(credentials, client.WithBaseURL(server.URL+"/ccpayment/v2"), client.WithHTTPClient(connections))
	if err != nil {
		s.t.Fatal(err)
	}
}

// order makes an order. It is to be paid in full if isPaid.
func (s *shop) order(id string, isPaid bool) error {
	_, err := s.api.CreateDepositOrder(context.Background(), client.DepositOrderRequest{
		OrderID: id, CoinID: "1280", Chain: "TRX", Price: decimal.New(price, 0),
	})
	if isPaid && !s.trusts {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.paid = append(s.paid, id)
	}
	return err
}

// pay makes a payment arrive, whose webhooks follow.
func (s *shop) pay(p sandbox.Payment) (recordID string, err error) {
	paid, err := s.box.Pay(context.Background(), p)
	if err != nil {
		return "", err
	}
	if p.Status != "processing" {
		s.await(paid.RecordID, p)
	}
	return paid.RecordID, nil
}

// await has the payment's last status be waited for.
func (s *shop) await(recordID string, p sandbox.Payment) ledger.Key {
	key := ledger.Key{
		Record: ledger.Record{AppID: appID, Type: "ApiDeposit", ID: recordID}, Status: "success", Risk: ledger.NotRisky,
	}
	if p.Status != "" {
		key.Status = p.Status
	}
	if p.Risky {
		key.Risk = ledger.Risky
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.awaits = append(s.awaits, key)
	return key
}

// allSent reports whether the sandbox has sent the last status of every payment.
func (s *shop) allSent() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.awaits) > 0 && s.outbox.isSent(s.awaits[0]) {
		s.awaits = s.awaits[1:]
	}
	return len(s.awaits) == 0
}

// resending is the condition, and at each hundredth time has sent again what
// CCPayment may have given up, as an operator asks for it.
func (s *shop) resending(condition func() bool) func() bool {
	polls := 0
	return func() bool {
		if polls++; polls%100 == 0 {
			for _, body := range s.outbox.unacknowledged() {
				_ = s.outbox.copy(s.hook, body) // the next round asks again
			}
		}
		return condition()
	}
}

// settle waits until everything was sent, acknowledged and delivered.
func (s *shop) settle() {
	s.t.Helper()
	processtest.Until(s.t, "everything was sent and acknowledged", s.resending(func() bool {
		_, open := s.outbox.count()
		return open == 0 && s.allSent()
	}))
	processtest.Until(s.t, "nothing is pending", func() bool {
		n, known := s.pending()
		return known && n == 0
	})
}

// pending asks Caddy how many events are on their way. Right after its start it
// may not know yet.
func (s *shop) pending() (n uint64, known bool) {
	s.t.Helper()
	response, err := processtest.Once.Get("http://" + s.admin + "/ccpayment/status")
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	var status struct{ Routes []struct{ Pending uint64 } }
	if err := json.NewDecoder(response.Body).Decode(&status); err != nil {
		s.t.Fatal(err)
	}
	for _, route := range status.Routes {
		n += route.Pending
	}
	return n, response.StatusCode == http.StatusOK
}

// history stops Caddy and collects what all three have written down.
func (s *shop) history() history.History {
	s.t.Helper()
	s.caddy.stop()
	h := history.History{PassesThrough: s.passesThrough, Sent: s.outbox.log(), Paid: s.paid}
	var err error
	if h.Attempts, h.Applied, err = readApp(s.inbox); err != nil {
		s.t.Fatal(err)
	}
	store, err := bolt.Open(s.ledger, bolt.Options{LockTimeout: 5 * time.Second})
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	for cursor := ""; ; {
		page, err := store.List(s.t.Context(), ledger.Query{Limit: 1000, Cursor: cursor})
		if err != nil {
			s.t.Fatal(err)
		}
		h.Events = append(h.Events, page.Events...)
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	for cursor := ""; ; {
		page, err := store.Orders(s.t.Context(), ledger.OrderQuery{Limit: 1000, AnyAccount: true, Cursor: cursor})
		if err != nil {
			s.t.Fatal(err)
		}
		h.Orders = append(h.Orders, page.Orders...)
		if cursor = page.Next; cursor == "" {
			return h
		}
	}
}

// check judges the history.
func check(t *testing.T, h history.History) history.Report {
	t.Helper()
	report := history.Check(h)
	for i, v := range report.Violations {
		if i == 20 {
			t.Errorf("and %d more", len(report.Violations)-i)
			break
		}
		t.Errorf("not kept: %s: %s", v.Promise, v.Text)
	}
	return report
}
