package test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
	cpbox "github.com/seed-338f6760/caddy-ccpayment/sandbox/coinpayments"
)

const (
	coinsID     = "dc6a16e545c34187ba21a9edbbe484a6"
	coinsSecret = "coins-secret"

	// sharedFile is of a shop whose accounts at two gateways share their orders.
	sharedFile = `{
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
		webhook_url http://127.0.0.1:{$PORT}/hook
		orders shop
		store bolt {
			path {$LEDGER}
		}
		account coins {
			gateway coinpayments {
				client_id ` + coinsID + `
				client_secret ` + coinsSecret + `
				base_url {$API}` + cpbox.BasePath + `
			}
			webhook_url http://127.0.0.1:{$PORT}/coins
			orders shop
		}
	}
}
http://127.0.0.1:{$PORT} {
	ccpayment_webhook /hook {
		DELIVER
	}
	ccpayment_webhook /coins {
		account coins
		route coins
		DELIVER
	}
	ccpayment_checkout /buy {
		account "" coins
		respond json
	}
	reverse_proxy {$APP}
}
`
	sharedDelivery = `deliver {
			reverse_proxy {$APP}
		}
		retry {
			first 50ms
			max 200ms
		}`
)

// sharedApp is the app of a shop whose orders are at two gateways. It chooses the gateway
// that a buyer asks for, and notes what it is told.
type sharedApp struct {
	mu       sync.Mutex
	fulfils  map[string][]bool // of each attempt, by the event's id
	final    map[string]bool   // the events that say that the order is paid, by their ids
	answered map[string]bool   // those that it has answered
	on       func(attempt int) // called at each attempt of those, before its response
	attempts int
}

func (a *sharedApp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/buy" {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusPaymentRequired)
		_, _ = io.WriteString(w, r.Header.Get("X-Terms"))
		return
	}
	id, status := r.Header.Get("Idempotency-Key"), r.Header.Get("Ccpayment-Status")
	a.mu.Lock()
	a.fulfils[id] = append(a.fulfils[id], r.Header.Get("Ccpayment-Fulfill") == "true")
	isFinal := status == "Success" || status == "Paid"
	if isFinal {
		a.final[id] = true
		a.attempts++
	}
	on, attempt := a.on, a.attempts
	a.mu.Unlock()
	if isFinal && on != nil {
		on(attempt)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answered[id] = true
}

// hasBoth reports whether the app has answered an event of each payment.
func (a *sharedApp) hasBoth() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := 0
	for id := range a.final {
		if a.answered[id] {
			n++
		}
	}
	return n == 2
}

// check fails the test unless one event has fulfilled the order, at each of its attempts.
func (a *sharedApp) check(t *testing.T) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	fulfilling := 0
	for id, attempts := range a.fulfils {
		for _, one := range attempts {
			if one != attempts[0] {
				t.Errorf("the attempts at %s fulfil the order and do not: %v", id, attempts)
			}
		}
		if attempts[0] {
			fulfilling++
		}
	}
	if fulfilling != 1 {
		t.Errorf("%d events fulfil the order: %v", fulfilling, a.fulfils)
	}
}

// TestSharedOrderUnderKills: of two payments of an order at two gateways, which come at
// once, one fulfils it, wherever Caddy is killed meanwhile.
func TestSharedOrderUnderKills(t *testing.T) {
	kills := map[string]func(attempt int) bool{ // whether Caddy is killed at an attempt at the app
		"at the first":       func(attempt int) bool { return attempt == 1 },
		"at the second":      func(attempt int) bool { return attempt == 2 },
		"at the first three": func(attempt int) bool { return attempt <= 3 },
		"at any of the first": func(attempt int) bool {
			return attempt <= 4 && rand.IntN(2) == 0
		},
	}
	for name, isKill := range kills {
		t.Run(name, func(t *testing.T) { testSharedOrderUnderKills(t, isKill) })
	}
}

func testSharedOrderUnderKills(t *testing.T, isKill func(attempt int) bool) {
	app := &sharedApp{fulfils: make(map[string][]bool), final: make(map[string]bool), answered: make(map[string]bool)}
	front := httptest.NewServer(app)
	defer front.Close()
	box, err := sandbox.New(sandbox.Options{
		AppID: appID, AppSecret: appSecret, Speed: 30, // a gateway is not to give up while there is no Caddy
		CoinPayments: cpbox.Options{ClientID: coinsID, ClientSecret: coinsSecret},
	})
	if err != nil {
		t.Fatal(err)
	}
	api := httptest.NewServer(box)
	defer func() { api.Close(); box.Close() }()
	s := newServer(t, strings.TrimPrefix(front.URL, "http://"))
	s.env = append(s.env, "API="+api.URL)
	file := strings.ReplaceAll(sharedFile, "DELIVER", sharedDelivery)
	s.start(file)

	if status, body := s.buys(t, "", 1); status != http.StatusCreated {
		t.Fatalf("%d %s", status, body)
	}
	var page string
	processtest.Until(t, "the order can be paid at CoinPayments", func() bool {
		status, body := s.buys(t, "coins", 600)
		page = gjson.Get(body, "checkout_url").String()
		return status == http.StatusCreated
	})
	var runs atomic.Pointer[processtest.Process]
	runs.Store(s.Process)
	app.mu.Lock()
	app.on = func(attempt int) {
		if isKill(attempt) {
			box.Hold()                                          // else the gateways may give up before there is a Caddy again
			_ = runs.Load().Cmd.Process.Signal(syscall.SIGKILL) // it may be dead already
		}
	}
	app.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() {
		if _, err := box.Pay(t.Context(), sandbox.Payment{OrderID: "order-1", Instant: true}); err != nil {
			t.Error(err)
		}
	})
	both.Go(func() {
		invoice := page[strings.LastIndex(page, "=")+1:]
		if _, err := box.CoinPayments().Pay(t.Context(), cpbox.Payment{InvoiceID: invoice, Coin: "LTC", Instant: true}); err != nil {
			t.Error(err)
		}
	})
	both.Wait()
	processtest.Until(t, "the app has taken both, and Caddy knows it", func() bool {
		if s.Gone() {
			s.Wait(t)
			s.start(file)
			runs.Store(s.Process)
		}
		box.Release(false)
		return app.hasBoth() && s.hasDelivered(t)
	})
	app.check(t)
}

// hasDelivered reports whether nothing waits in the ledger of the Caddy that runs.
func (s *server) hasDelivered(t *testing.T) bool {
	t.Helper()
	response, err := processtest.Once.Get("http://" + s.admin + "/ccpayment/status")
	if err != nil {
		return false // it was killed
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return false
	}
	waiting := false
	for _, route := range gjson.GetBytes(text, "routes").Array() {
		waiting = waiting || route.Get("pending").Int() > 0
		if route.Get("held").Int()+route.Get("dead").Int() > 0 {
			t.Fatalf("an event is not delivered: %s", text)
		}
	}
	return !waiting
}

// buys asks for the order's checkout at an account, for so many seconds.
func (s *server) buys(t *testing.T, account string, seconds int) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, strings.TrimSuffix(s.hook, "/hook")+"/buy", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Terms", fmt.Sprintf(`{"order_id":"order-1","price":"49.90","currency":"USD","account":%q,"expires_in":%d}`, account, seconds))
	response, err := processtest.Once.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}
