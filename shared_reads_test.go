package ccpayment_test

import (
	"bytes"
	"maps"
	"net/http"
	"net/http/httptest"
	"path"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// watchedAPI is the API of a sandbox. It counts the calls, and lets a test hold
// back or change a response that the sandbox has given already.
type watchedAPI struct {
	box *sandbox.Sandbox

	mu     sync.Mutex
	counts map[string]int
	change func(endpoint string, answer []byte) []byte
}

// newWatchedShop starts a Caddy that confirms with a watched API.
func newWatchedShop(t *testing.T) (*shop, *watchedAPI) {
	t.Helper()
	box, c, _ := newSandbox(t, 1)
	api, base := watch(t, box)
	s := &shop{box: box, c: c}
	s.server = start(t, setup{account: "base_url " + base, confirm: true})
	if err := box.SetWebhookURL("http://" + s.addr + "/hook"); err != nil {
		t.Fatal(err)
	}
	return s, api
}

// watch returns the sandbox's API, watched, and where it listens.
func watch(t *testing.T, box *sandbox.Sandbox) (api *watchedAPI, base string) {
	t.Helper()
	api = &watchedAPI{box: box, counts: make(map[string]int)}
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	return api, server.URL + "/ccpayment/v2"
}

func (a *watchedAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	endpoint := path.Base(r.URL.Path)
	answer := httptest.NewRecorder()
	a.box.ServeHTTP(answer, r)
	body := answer.Body.Bytes()
	a.mu.Lock()
	a.counts[endpoint]++
	change := a.change
	a.mu.Unlock()
	if change != nil {
		body = change(endpoint, body)
	}
	_, _ = w.Write(body)
}

// changes sets how responses are changed from now on; nil: not at all.
func (a *watchedAPI) changes(change func(endpoint string, answer []byte) []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.change = change
}

// calls returns how often each endpoint was called since the last time.
func (a *watchedAPI) calls() map[string]int {
	a.mu.Lock()
	defer a.mu.Unlock()
	counts := a.counts
	a.counts = make(map[string]int)
	return counts
}

// payments makes payments of one coin each, whose Processing is delivered.
func (s *shop) payments(orderID string, n int) (recordIDs []string) {
	s.t.Helper()
	for range n {
		paid, err := s.box.Pay(s.t.Context(), sandbox.Payment{OrderID: orderID, Amount: decimal.New(1, 0), Status: "processing"})
		if err != nil {
			s.t.Fatal(err)
		}
		recordIDs = append(recordIDs, paid.RecordID)
	}
	for _, record := range recordIDs {
		await(s.t, "the Processing is acknowledged", func() bool { return len(deliveriesOf(s.box, record, "Processing")) == 1 })
	}
	return recordIDs
}

func (s *shop) finish(recordID string) {
	s.t.Helper()
	if err := s.box.Finish(recordID, "success"); err != nil {
		s.t.Fatal(err)
	}
}

// TestPaymentsShareReads: payments of one order that arrive while it is being
// read share the next read. The response in flight does not have them yet: by it the
// order would look behind the webhooks.
func TestPaymentsShareReads(t *testing.T) {
	const n = 20
	s, api := newWatchedShop(t)
	if err := kinds["order in coin"](s, "order-1"); err != nil {
		t.Fatal(err)
	}
	records := s.payments("order-1", n)
	entered, released := make(chan struct{}, n), make(chan struct{})
	release := sync.OnceFunc(func() { close(released) })
	defer release()
	api.changes(func(endpoint string, answer []byte) []byte {
		if endpoint == "getAppOrderInfo" {
			entered <- struct{}{}
			<-released
		}
		return answer
	})
	api.calls()
	s.finish(records[0])
	get(t, entered)
	for _, record := range records[1:] {
		s.finish(record)
	}
	await(t, "all payments wait for the order", func() bool {
		return goroutinesIn("ccpayment.(*V2).Order", "net/http.(*Transport)") == n
	})
	release()
	for _, record := range records {
		await(t, "the Success is answered", func() bool { return len(deliveriesOf(s.box, record, "Success")) == 1 })
		if try := deliveriesOf(s.box, record, "Success")[0]; !try.OK {
			t.Errorf("the Success of %s was delivered as %+v", record, try)
		}
	}
	if got, want := api.calls(), map[string]int{"getAppDepositRecord": n, "getAppOrderInfo": 2}; !maps.Equal(got, want) {
		t.Errorf("the calls are %v, want %v", got, want)
	}
	fulfilled := 0
	for _, got := range s.app.received()[n:] {
		if got.header.Get("Ccpayment-Fulfill") != "" {
			fulfilled++
		}
	}
	if fulfilled != 1 {
		t.Errorf("%d payments fulfil the order", fulfilled)
	}
}

// TestKindIsRemembered: orders of the kind that the last one was cost one call,
// and those of the other kind are found all the same.
func TestKindIsRemembered(t *testing.T) {
	s, api := newWatchedShop(t)
	for i, step := range []struct {
		kind            string
		orders, invoice int
	}{
		{"invoice in fiat", 1, 2}, // its Processing and its Success
		{"invoice in fiat", 0, 2},
		{"order in coin", 2, 1},
		{"order in fiat", 2, 0},
	} {
		id := "order-" + strconv.Itoa(i)
		if err := kinds[step.kind](s, id); err != nil {
			t.Fatal(err)
		}
		api.calls()
		wantMoney(t, id, s.pay(sandbox.Payment{OrderID: id}), map[string]string{"Confirmed": "true", "Fulfill": "true", "Order-State": "paid"})
		got := api.calls()
		if got["getAppOrderInfo"] != step.orders || got["getInvoiceOrderInfo"] != step.invoice {
			t.Errorf("%s, %s, took the calls %v", id, step.kind, got)
		}
	}
}

// TestUnknownRisks: where the order's list does not have the risks of its other
// payments, their records are asked for, four at a time.
func TestUnknownRisks(t *testing.T) {
	const n = 9
	s, api := newWatchedShop(t)
	if err := kinds["order in coin"](s, "order-1"); err != nil {
		t.Fatal(err)
	}
	records := s.payments("order-1", n)
	before := len(s.app.received())
	for _, record := range records[1:] {
		s.finish(record)
	}
	await(t, "all but one Success", func() bool { return len(s.app.received()) == before+n-1 })
	if err := s.box.SetRisky(records[1], true); err != nil {
		t.Fatal(err)
	}

	var listed atomic.Bool
	var together atomic.Int64
	four := make(chan struct{})
	release := sync.OnceFunc(func() { close(four) })
	defer release()
	api.changes(func(endpoint string, answer []byte) []byte {
		switch {
		case endpoint == "getAppOrderInfo":
			listed.Store(true)
			for _, flag := range []string{"true", "false"} {
				answer = bytes.ReplaceAll(answer, []byte(`"isFlaggedAsRisky":`+flag), []byte(`"isFlaggedAsRisky":null`))
			}
		case endpoint == "getAppDepositRecord" && listed.Load():
			now := together.Add(1)
			if now >= 4 {
				release()
			}
			if now > 4 {
				t.Errorf("%d records are asked for at once", now)
			}
			<-four
			together.Add(-1)
		}
		return answer
	})
	api.calls()
	s.finish(records[0])
	await(t, "the last Success", func() bool { return len(s.app.received()) == before+n })
	last := s.app.received()[before+n-1].header
	wantMoney(t, "the last payment", last, map[string]string{"Confirmed": "true", "Order-State": "review", "Reason": "review"})
	if got := last.Get("Ccpayment-Order-Amount-Paid"); got != "8" {
		t.Errorf("paid are %s coins, want 8: one payment is risky", got)
	}
	if got := api.calls(); got["getAppDepositRecord"] != n {
		t.Errorf("the calls are %v", got)
	}
}
