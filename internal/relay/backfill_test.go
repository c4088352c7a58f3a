package relay_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/confirm"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// TestBackfilledRequest: a backfilled event is sent as the route's latest webhook was. That is
// looked for in the ledger's latest events only, however many other routes have.
func TestBackfilledRequest(t *testing.T) {
	account := &gateway.Account{Info: gateway.Info{AccountID: "app-123", Types: []gateway.Type{{Name: "Payout", Kind: gateway.Payout}}}}
	route, l := newMoneyRoute(t, account, confirm.Policy{})
	route.App = new(answering)
	n, at := 0, time.Now()
	receive := func(name string) {
		t.Helper()
		n++
		e := ledger.Event{
			Key:     ledger.Key{Record: ledger.Record{Route: name, AppID: "app-123", Type: "Payout", ID: fmt.Sprint(name, n)}, Status: "success"},
			Request: ledger.Request{Method: "POST", Host: "came.example", URI: "/" + name}, ReceivedAt: at.Add(time.Duration(n) * time.Millisecond),
		}
		if _, err := l.Accept(t.Context(), e, ""); err != nil {
			t.Fatal(err)
		}
	}
	backfilled := func(record string) string {
		t.Helper()
		route.Now = func() time.Time { return at.Add(time.Duration(n) * time.Millisecond) }
		notice := gateway.Notice{Type: "Payout", RecordID: record, Status: "Success", Risk: ledger.NotRisky}
		if _, err := route.Backfill(t.Context(), gateway.Listed{Notice: notice, Body: []byte("{}")}, "https://shop.example/hook", l); err != nil {
			t.Fatal(err)
		}
		key := ledger.Key{Record: ledger.Record{Route: "webhook", AppID: "app-123", Type: "Payout", ID: record}, Status: strings.ToLower(notice.Status), Risk: notice.Risk}
		e, err := l.Load(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		return e.Request.Host + e.Request.URI
	}
	receive("webhook")
	for range 10 {
		receive("other")
	}
	if got := backfilled("early"); got != "came.example/webhook" {
		t.Errorf("the request is like %s", got)
	}
	for range 150 {
		receive("other")
	}
	if got := backfilled("late"); got != "shop.example/hook" {
		t.Errorf("behind many others, the request is like %s", got)
	}
}
