package ccpayment_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
	"github.com/seed-338f6760/caddy-ccpayment/store/bolt"
)

// ask calls an endpoint of the admin API and decodes its response.
func (s *server) ask(method, path, body string, want int, into any) {
	s.t.Helper()
	r, err := http.NewRequest(method, "http://"+s.admin+"/ccpayment/"+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	response, err := s.client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if response.StatusCode != want {
		s.t.Fatalf("%s %s: %d %s, want %d", method, path, response.StatusCode, text, want)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(text, into); err != nil {
		s.t.Fatalf("%s %s: %v: %s", method, path, err, text)
	}
}

type listed struct {
	Events []struct {
		ID, State, Status, Route string
		RecordID                 string `json:"record_id"`
		LastError                string `json:"last_error"`
		Attempts                 int
		Fulfill                  bool
	}
	Next string
}

func (s *server) list(query string) listed {
	s.t.Helper()
	var l listed
	s.ask(http.MethodGet, "events?"+query, "", http.StatusOK, &l)
	return l
}

// awaitState waits until the only event of the query is in the state, and
// returns its id.
func (s *server) awaitState(query, state string) string {
	s.t.Helper()
	var l listed
	await(s.t, "the event is "+state, func() bool {
		l = s.list(query)
		return len(l.Events) == 1 && l.Events[0].State == state
	})
	return l.Events[0].ID
}

const adminOn = "admin $ADMIN"

func storedShop(t *testing.T, webhook string) *shop {
	t.Helper()
	box, c, base := newSandbox(t, 1)
	s := &shop{box: box, c: c}
	site := strings.ReplaceAll(storedSite, "confirm off", "")
	s.server = start(t, setup{global: adminOn, account: "base_url " + base, site: site, webhook: webhook})
	if err := box.SetWebhookURL("http://" + s.addr + "/hook"); err != nil {
		t.Fatal(err)
	}
	return s
}

// heldPayment pays an order in a way that is held, and returns the event's id.
func (s *shop) heldPayment(p sandbox.Payment) string {
	s.t.Helper()
	if err := kinds["order in coin"](s, p.OrderID); err != nil {
		s.t.Fatal(err)
	}
	p.Instant, p.Wait = true, patience
	paid, err := s.box.Pay(s.t.Context(), p)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.awaitState("status=success&record_id="+paid.RecordID, "held")
}

func fulfils(calls []received) (keys []string) {
	for _, c := range calls {
		if c.header.Get("Ccpayment-Fulfill") != "" {
			keys = append(keys, c.header.Get("Idempotency-Key"))
		}
	}
	return keys
}

// TestReleaseThroughTheAPI: a risky payment is held, and held again on release, until
// CCPayment has cleared it or an operator accepts the risk.
func TestReleaseThroughTheAPI(t *testing.T) {
	s := storedShop(t, "")
	id := s.heldPayment(sandbox.Payment{OrderID: "order-1", Risky: true})
	before := len(s.app.received())
	if got := s.orderState("order-1"); got != "review" {
		t.Errorf("the order is %q", got)
	}
	var step struct{ State string }
	s.ask(http.MethodPost, "events/"+id+"/release", `{"reason":"try it"}`, http.StatusOK, &step)
	if step.State != "retrying" {
		t.Errorf("released it is %s", step.State)
	}
	s.awaitState("status=success&order_id=order-1", "held")
	s.app.wants(t, before)

	s.ask(http.MethodPost, "events/"+id+"/release", `{"reason":"I know them","accept":true}`, http.StatusOK, nil)
	s.awaitState("status=success&order_id=order-1", "delivered")
	got := s.app.wants(t, before+1)[before].header
	wantMoney(t, "accepted", got, map[string]string{"Confirmed": "true", "Risky": "true", "Order-State": "review", "Reason": "risky"})
	if got.Get("Ccpayment-Attempt-Reason") != "release" {
		t.Errorf("the attempt's reason is %q", got.Get("Ccpayment-Attempt-Reason"))
	}
	s.ask(http.MethodPost, "events/"+id+"/release", "", http.StatusConflict, nil)

	cleared := s.heldPayment(sandbox.Payment{OrderID: "order-2", Risky: true})
	record := s.list("status=success&order_id=order-2").Events[0].RecordID
	if err := s.box.SetRisky(record, false); err != nil {
		t.Fatal(err)
	}
	s.ask(http.MethodPost, "events/"+cleared+"/release", "", http.StatusOK, nil)
	s.awaitState("status=success&order_id=order-2", "delivered")
	all := s.app.received()
	wantMoney(t, "cleared", all[len(all)-1].header, map[string]string{"Confirmed": "true", "Order-State": "paid", "Fulfill": "true"})
}

// TestReleaseOfALatePayment: a released payment counts from then on, also when
// others of the order are settled.
func TestReleaseOfALatePayment(t *testing.T) {
	s := storedShop(t, "late hold")
	id := s.heldPayment(sandbox.Payment{OrderID: "order-1", Late: true})
	s.ask(http.MethodPost, "events/"+id+"/release", `{"reason":"still fine"}`, http.StatusOK, nil)
	s.awaitState("status=success&order_id=order-1", "delivered")
	if got := fulfils(s.app.received()); len(got) != 1 || got[0] != id {
		t.Errorf("fulfilled by %v, want %s", got, id)
	}
	var order struct {
		State       string
		FulfilledBy string `json:"fulfilled_by"`
		Timeline    []struct{ What string }
	}
	s.ask(http.MethodGet, "orders/order-1", "", http.StatusOK, &order)
	if order.State != "paid" || order.FulfilledBy != id {
		t.Errorf("the order is %+v", order)
	}
	whole := fmt.Sprint(order.Timeline)
	for _, want := range []string{"held: late", "released: still fine", "order paid, 10 of 10", "delivered"} {
		if !strings.Contains(whole, want) {
			t.Errorf("%q is not in the timeline %s", want, whole)
		}
	}
}

// TestAcceptOfALatePayment: a late payment that is accepted as it is fulfils nothing, and one that
// the gateway has cleared by then is like any other.
func TestAcceptOfALatePayment(t *testing.T) {
	s := storedShop(t, "late hold")
	late := s.heldPayment(sandbox.Payment{OrderID: "order-1", Late: true})
	cleared := s.heldPayment(sandbox.Payment{OrderID: "order-2", Risky: true})
	if err := s.box.SetRisky(s.list("status=success&order_id=order-2").Events[0].RecordID, false); err != nil {
		t.Fatal(err)
	}
	both := s.heldPayment(sandbox.Payment{OrderID: "order-3", Risky: true, Late: true})
	if err := s.box.SetRisky(s.list("status=success&order_id=order-3").Events[0].RecordID, false); err != nil {
		t.Fatal(err)
	}
	s.ask(http.MethodPost, "events/"+both+"/release", `{"reason":"I know them","accept":true}`, http.StatusOK, nil)
	await(t, "it is held as late", func() bool {
		e := s.list("status=success&order_id=order-3").Events[0]
		return e.State == "held" && strings.HasPrefix(e.LastError, "late: ")
	})
	for order, id := range map[string]string{"order-1": late, "order-2": cleared} {
		s.ask(http.MethodPost, "events/"+id+"/release", `{"reason":"I ship it by hand","accept":true}`, http.StatusOK, nil)
		s.awaitState("status=success&order_id="+order, "delivered")
	}
	if got := fulfils(s.app.received()); len(got) != 1 || got[0] != cleared {
		t.Errorf("fulfilled by %v, want %s", got, cleared)
	}
	all := s.app.received()
	for _, c := range all {
		if key := c.header.Get("Idempotency-Key"); key == late {
			wantMoney(t, "late", c.header, map[string]string{"Confirmed": "true", "Order-State": "review", "Reason": "late"})
		}
	}
}

// TestPassThroughRelease: a route without deliver has no request to deliver a
// released event on, so CCPayment is asked to send its webhook again.
func TestPassThroughRelease(t *testing.T) {
	box, c, base := newSandbox(t, 1)
	s := &shop{box: box, c: c}
	s.server = start(t, setup{global: adminOn, account: "base_url " + base, webhook: "late hold", confirm: true})
	if err := box.SetWebhookURL("http://" + s.addr + "/hook"); err != nil {
		t.Fatal(err)
	}
	id := s.heldPayment(sandbox.Payment{OrderID: "order-1", Late: true})
	var step struct{ Resent int }
	s.ask(http.MethodPost, "events/"+id+"/release", `{"reason":"still fine"}`, http.StatusOK, &step)
	if step.Resent == 0 {
		t.Error("CCPayment was not asked to send it again")
	}
	s.awaitState("status=success&order_id=order-1", "delivered")
	if got := fulfils(s.app.received()); len(got) != 1 || got[0] != id {
		t.Errorf("fulfilled by %v, want %s", got, id)
	}
}

// TestReplayThroughTheAPI: dead events are delivered again, one by one and all at once.
func TestReplayThroughTheAPI(t *testing.T) {
	s := start(t, setup{global: adminOn, site: storedSite, app: status(http.StatusGone)})
	for i := range 3 {
		s.deliver(delivery{body: fmt.Sprintf(`{"type":"ApiDeposit","msg":{"recordId":"%d","orderId":"o","status":"Success"}}`, i)}).wants(t, http.StatusOK)
	}
	await(t, "all are dead", func() bool { return len(s.list("state=dead").Events) == 3 })
	var bulk struct{ Matched, Replayed int }
	s.ask(http.MethodPost, "events/replay", `{"dry_run":true}`, http.StatusOK, &bulk)
	if bulk.Matched != 3 || bulk.Replayed != 0 {
		t.Errorf("a dry run says %+v", bulk)
	}
	s.app.wants(t, 3)
	s.app.answers(nil)
	id := s.list("record_id=1").Events[0].ID
	s.ask(http.MethodPost, "events/"+id+"/replay", `{"reason":"mended"}`, http.StatusOK, nil)
	s.awaitState("record_id=1", "delivered")
	if got := s.app.wants(t, 4)[3].header; got.Get("Idempotency-Key") != id || got.Get("Ccpayment-Attempt-Reason") != "replay" || got.Get("Ccpayment-Attempt") != "2" {
		t.Errorf("it was replayed as %v", got)
	}
	s.ask(http.MethodPost, "events/replay", `{"reason":"mended","type":"ApiDeposit"}`, http.StatusOK, &bulk)
	if bulk.Matched != 2 || bulk.Replayed != 2 {
		t.Errorf("the replay says %+v", bulk)
	}
	await(t, "all are delivered", func() bool { return len(s.list("state=delivered").Events) == 3 })
	s.app.wants(t, 6)
	s.ask(http.MethodPost, "events/replay", `{"stat":"dead"}`, http.StatusBadRequest, nil)
	s.ask(http.MethodPost, "events/"+id+"/discard", `{"reason":"x"}`, http.StatusConflict, nil)
}

// TestAdminEndpoints: a wrong request gets an error that says what to do.
func TestAdminEndpoints(t *testing.T) {
	s := start(t, setup{global: adminOn, site: storedSite})
	s.deliver(delivery{}).wants(t, http.StatusOK)
	id := s.awaitState("", "delivered")
	for _, test := range []struct {
		method, path, body string
		want               int
	}{
		{http.MethodGet, "events/" + id, "", http.StatusOK},
		{http.MethodGet, "events/" + id + "?route=webhook", "", http.StatusOK},
		{http.MethodGet, "events/" + id + "?route=other", "", http.StatusNotFound},
		{http.MethodGet, "events/00000000-0000-0000-0000-000000000000", "", http.StatusNotFound},
		{http.MethodGet, "events/nonsense", "", http.StatusNotFound},
		{http.MethodGet, "events?state=lost", "", http.StatusBadRequest},
		{http.MethodGet, "events?sate=held", "", http.StatusBadRequest},
		{http.MethodGet, "events?type=a&type=b", "", http.StatusBadRequest},
		{http.MethodGet, "events?limit=0", "", http.StatusBadRequest},
		{http.MethodGet, "events?limit=501", "", http.StatusBadRequest},
		{http.MethodGet, "events?cursor=xyz", "", http.StatusBadRequest},
		{http.MethodGet, "events?since=soon", "", http.StatusBadRequest},
		{http.MethodGet, "events?since=3h", "", http.StatusOK},
		{http.MethodGet, "events?since=yesterday", "", http.StatusOK},
		{http.MethodPost, "events", "", http.StatusMethodNotAllowed},
		{http.MethodGet, "events/" + id + "/replay", "", http.StatusMethodNotAllowed},
		{http.MethodPost, "events/" + id + "/replay", `{"why":"x"}`, http.StatusBadRequest},
		{http.MethodPost, "events/" + id + "/release", "{}", http.StatusConflict},
		{http.MethodGet, "orders/none", "", http.StatusNotFound},
		{http.MethodGet, "orders/none?account=none", "", http.StatusBadRequest},
		{http.MethodGet, "orders?color=red", "", http.StatusBadRequest},
		{http.MethodGet, "nothing", "", http.StatusNotFound},
	} {
		s.ask(test.method, test.path, test.body, test.want, nil)
	}
	var status struct {
		Routes []struct {
			Route, Mode        string
			Pending, Delivered int
		}
		LedgerBytes int `json:"ledger_bytes"`
	}
	s.ask(http.MethodGet, "status", "", http.StatusOK, &status)
	if len(status.Routes) != 1 || status.Routes[0].Delivered != 1 || status.Routes[0].Mode != "deliver" || status.LedgerBytes == 0 {
		t.Errorf("the status is %+v", status)
	}
}

// TestDoorsAfterAFailedReload: the admin endpoints still serve the running
// configuration.
func TestDoorsAfterAFailedReload(t *testing.T) {
	s := start(t, setup{global: adminOn, site: storedSite})
	s.deliver(delivery{}).wants(t, http.StatusOK)
	s.awaitState("", "delivered")
	failing := setup{global: adminOn, site: storedSite + "\nhttp://" + s.app.Listener.Addr().String() + " {\n respond 200\n}"}
	if err := caddy.Load(adapt(t, s.names.Replace(failing.caddyfile())), true); err == nil {
		t.Fatal("a port that is taken was no mistake")
	}
	s.awaitState("", "delivered")
}

// TestBackup: a copy that was taken under load knows all that was acknowledged
// before.
func TestBackup(t *testing.T) {
	s := start(t, setup{global: adminOn, site: storedSite})
	body := func(i int) string {
		return fmt.Sprintf(`{"type":"ApiDeposit","msg":{"recordId":"%d","status":"Success"}}`, i)
	}
	const n = 50
	for i := range n {
		s.deliver(delivery{body: body(i)}).wants(t, http.StatusOK)
	}
	stop := make(chan struct{})
	loaded := make(chan struct{})
	go func() {
		defer close(loaded)
		for i := n; ; i++ {
			select {
			case <-stop:
				return
			default:
				_, _ = s.tryDeliver(delivery{body: body(i)})
			}
		}
	}()
	response, err := s.client.Get("http://" + s.admin + "/ccpayment/backup")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var file bytes.Buffer
	if _, err := file.ReadFrom(response.Body); err != nil {
		t.Fatal(err)
	}
	close(stop)
	<-loaded
	path := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(path, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	store, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	page, err := store.List(t.Context(), ledger.Query{Limit: 10_000, Until: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	known := make(map[string]bool)
	for _, e := range page.Events {
		known[e.ID] = true
	}
	for i := range n {
		if !known[fmt.Sprint(i)] {
			t.Errorf("event %d is not in the copy", i)
		}
	}
}
