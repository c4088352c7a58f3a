package ccpayment_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// notes is a handler of Caddy's events that remembers ours.
type notes struct{}

type noted struct {
	name string
	data map[string]any
}

var allNotes struct {
	sync.Mutex
	list  []noted
	panic bool
}

func init() { caddy.RegisterModule(notes{}) }

func (notes) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "events.handlers.test_notes", New: func() caddy.Module { return new(notes) }}
}

func (*notes) UnmarshalCaddyfile(*caddyfile.Dispenser) error { return nil }

func (*notes) Handle(_ context.Context, e caddy.Event) error {
	if !strings.HasPrefix(e.Name(), "ccpayment_") {
		return nil
	}
	allNotes.Lock()
	defer allNotes.Unlock()
	allNotes.list = append(allNotes.list, noted{e.Name(), maps.Clone(e.Data)})
	if allNotes.panic {
		panic("a listener's mistake")
	}
	return nil
}

// takeNotes forgets what was noted before, of this test's server or another's.
func takeNotes(t *testing.T, panics bool) {
	t.Helper()
	allNotes.Lock()
	defer allNotes.Unlock()
	allNotes.list, allNotes.panic = nil, panics
}

// notesOf are what was noted of one name, oldest first.
func notesOf(name string) (data []map[string]any) {
	allNotes.Lock()
	defer allNotes.Unlock()
	for _, n := range allNotes.list {
		if n.name == name {
			data = append(data, n.data)
		}
	}
	return data
}

func wantNote(t *testing.T, name string, want map[string]any) {
	t.Helper()
	await(t, name, func() bool { return len(notesOf(name)) > 0 })
	got := notesOf(name)
	if len(got) != 1 {
		t.Fatalf("%s was emitted %d times: %v", name, len(got), got)
	}
	for key, value := range want {
		if text := fmt.Sprint(got[0][key]); text != fmt.Sprint(value) && !(key == "cause" && strings.HasPrefix(text, fmt.Sprint(value))) {
			t.Errorf("%s says %s %q, want %q", name, key, text, value)
		}
	}
	known := []string{"event_id", "account", "route", "type", "status", "record_id", "order_id", "cause", "fulfill", "reason", "client_ip", "order_state"}
	for key := range got[0] {
		if !slices.Contains(known, key) {
			t.Errorf("%s tells %s", name, key)
		}
	}
}

// TestEvents: Caddy's option `events` hears what becomes of money.
func TestEvents(t *testing.T) {
	box, c, base := newSandbox(t, 1)
	s := &shop{box: box, c: c}
	takeNotes(t, false)
	s.server = start(t, setup{
		global: "events {\n on * test_notes\n }", account: "base_url " + base, confirm: true,
		site: strings.Replace(storedSite, "confirm off", "route shop", 1),
	})
	if err := box.SetWebhookURL("http://" + s.addr + "/hook"); err != nil {
		t.Fatal(err)
	}
	order := func(id string) string {
		t.Helper()
		if err := kinds["order in coin"](s, id); err != nil {
			t.Fatal(err)
		}
		return id
	}
	s.pay(sandbox.Payment{OrderID: order("half"), Amount: decimal.New(5, 0)})
	await(t, "the part is delivered", func() bool { return len(notesOf("ccpayment_delivered")) > 0 })
	if got := notesOf("ccpayment_order_paid"); len(got) != 0 {
		t.Errorf("a part pays an order: %v", got)
	}

	takeNotes(t, false)
	s.pay(sandbox.Payment{OrderID: order("paid")})
	wantNote(t, "ccpayment_order_paid", map[string]any{"route": "shop", "account": "", "type": "ApiDeposit", "status": "Success", "order_id": "paid"})

	takeNotes(t, false)
	s.pay(sandbox.Payment{OrderID: order("risky"), Risky: true})
	await(t, "it is held", func() bool { return len(notesOf("ccpayment_held")) > 0 })
	for _, held := range notesOf("ccpayment_held") {
		if held["order_id"] != "risky" || !strings.HasPrefix(fmt.Sprint(held["cause"]), "risky: ") {
			t.Errorf("held is %v", held)
		}
	}

	takeNotes(t, false)
	s.app.answers(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Ccpayment-Fulfill") == "true" {
			w.WriteHeader(http.StatusGone)
		}
	})
	s.pay(sandbox.Payment{OrderID: order("dead")})
	wantNote(t, "ccpayment_dead", map[string]any{"order_id": "dead", "fulfill": true, "cause": "the app answered 410"})
	if got := notesOf("ccpayment_order_paid"); len(got) != 0 {
		t.Errorf("an order that the app refused is told of: %v", got)
	}
}

// TestRejectedEvents: a flood is reported once a second, however many handlers the
// route has.
func TestRejectedEvents(t *testing.T) {
	takeNotes(t, false)
	s := start(t, setup{global: "events {\n on ccpayment_rejected test_notes\n }"})
	for range 5 {
		s.deliver(delivery{secret: "wrong"}).wants(t, http.StatusUnauthorized)
	}
	got := notesOf("ccpayment_rejected")
	if len(got) == 0 || len(got) > 2 || got[0]["reason"] != "bad_signature" || got[0]["client_ip"] != "127.0.0.1" || got[0]["route"] != "webhook" {
		t.Errorf("told were %v", got)
	}
	for range 2 {
		s.deliver(delivery{}).wants(t, http.StatusOK)
	}
	if len(notesOf("ccpayment_delivered")) != 0 {
		t.Error("a listener is told of what it did not ask for")
	}
}

// TestListenersMistake: what a listener does is not the event's fault.
func TestListenersMistake(t *testing.T) {
	for name, site := range map[string]string{"pass-through": "", "store-and-forward": storedSite} {
		t.Run(name, func(t *testing.T) {
			takeNotes(t, true)
			s := start(t, setup{global: "events {\n on * test_notes\n }", site: site})
			s.deliver(delivery{}).wants(t, http.StatusOK)
			wantNote(t, "ccpayment_delivered", map[string]any{"record_id": "r1", "order_id": "o-r1"})
			await(t, "the log has it", func() bool { return strings.Contains(s.logs(), "a handler of Caddy's events panicked") })
			s.deliver(delivery{secret: "wrong"}).wants(t, http.StatusUnauthorized)
			s.deliver(delivery{}).wants(t, http.StatusOK)
			s.app.wants(t, 1)
		})
	}
}

// TestEventsFromTheStart: a delivery right after Caddy's start reaches the listeners.
func TestEventsFromTheStart(t *testing.T) {
	usual := func(token string) setup {
		return setup{global: "events {\n on * test_notes\n }", site: storedSite, webhook: "token " + token + "\nretry {\nfirst 20ms\n}"}
	}
	first := usual("one")
	first.app = func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer two" {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}
	s := start(t, first)
	for n := range 10 {
		s.deliver(delivery{body: deposit(fmt.Sprint("r", n), "Success")}).wants(t, http.StatusOK)
	}
	takeNotes(t, false)
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	s.load(usual("two"))
	await(t, "all are delivered and told of", func() bool { return len(notesOf("ccpayment_delivered")) == 10 })
}
