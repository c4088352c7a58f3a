package reconcile

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// TestGivenUpByTheGateway: what the app did not take for as long as the gateway sent it is
// missing, although the ledger has its event, until the app has taken it.
func TestGivenUpByTheGateway(t *testing.T) {
	g := &payouts{made: make(map[string]time.Time)}
	p := newPayroll(t, Config{Grace: -1}, g)
	p.accounts[0].Info.Retries = 30 * time.Minute
	p.accounts[0].Routes[0].Tell = nil // the route hands on each webhook's own request
	g.made["refused"] = p.now.Add(time.Minute)
	p.now = p.now.Add(2 * time.Minute)
	attempt := func(ending ledger.Ending) {
		t.Helper()
		key := ledger.Key{Record: ledger.Record{Route: "webhook", AppID: "app-123", Type: "Payout", ID: "refused"}, Status: "success", Risk: ledger.NotRisky}
		verdict, attempt, err := p.ledger.Begin(t.Context(), ledger.Event{Key: key, ReceivedAt: p.now}, ledger.Options{Lease: time.Minute, Rank: func(string) int { return 1 }})
		if err != nil || verdict != ledger.Deliver {
			t.Fatalf("%v, %v", verdict, err)
		}
		if _, err := attempt.Sent(t.Context(), ledger.Sending{}); err != nil {
			t.Fatal(err)
		}
		if _, err := attempt.Finish(t.Context(), ending); err != nil {
			t.Fatal(err)
		}
	}
	refuse := func() { attempt(ledger.Ending{State: ledger.Retrying, Failure: errors.New("500")}) }
	refuse()
	for _, step := range []struct {
		after time.Duration
		do    func()
		want  string
	}{
		{30 * time.Minute, refuse, "[]"},
		{10 * time.Minute, nil, "[]"}, // it is listed, and may still be being sent
		{40 * time.Minute, nil, "[refused]"},
		{2 * time.Hour, nil, "[refused]"},
		{time.Hour, func() { attempt(ledger.Ending{State: ledger.Delivered}) }, "[]"},
	} {
		if p.now = p.now.Add(step.after); step.do != nil {
			step.do()
		}
		if got := fmt.Sprint(missing(p.look(time.Time{}))); got != step.want {
			t.Errorf("after %s %s are missing, want %s", step.after, got, step.want)
		}
	}
}

// TestFactsHaveNoAddress: some shops use the buyer's address as an order's id.
func TestFactsHaveNoAddress(t *testing.T) {
	m := Missed{Account: "", Record: ledger.LookRecord{Type: "Payment", ID: "1", OrderID: "buyer@example.com", Status: "Success"}}
	if got := m.Facts()["gateway_order_id"]; got != "REDACTED" {
		t.Errorf("the facts have %q", got)
	}
}
