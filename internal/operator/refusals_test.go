package operator

import (
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/store/bolt"
)

// TestBudgets: what is left of the gateway's retries is that of the oldest event that was
// refused on a route and not taken since, here or by another process.
func TestBudgets(t *testing.T) {
	store, err := bolt.Open(filepath.Join(t.TempDir(), "ledger.db"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	l := ledger.New(store, time.Now)
	t.Cleanup(func() { _ = l.Close() })
	now := time.Now()
	const half = 30 * time.Minute
	event := func(record string, ago time.Duration) ledger.Event {
		return ledger.Event{
			Key:        ledger.Key{Record: ledger.Record{Route: "shop", AppID: "app", Type: "ApiDeposit", ID: record}, Status: "success", Risk: ledger.NotRisky},
			ReceivedAt: now.Add(-ago), Body: []byte("{}"),
		}
	}
	var r Refusals
	want := func(when string, refused int, left time.Duration) {
		t.Helper()
		b := r.Budgets(t.Context(), now, l)["shop"]
		if b.Refused != refused || b.Left(now).Round(time.Second) != left {
			t.Errorf("%s: %+v, of which %s is left", when, b, b.Left(now))
		}
	}
	want("at first", 0, 0)
	one, two := event("1", 20*time.Minute), event("2", 10*time.Minute)
	r.Answered(t.Context(), one, http.StatusServiceUnavailable, "failed", half, l)
	r.Answered(t.Context(), two, http.StatusBadGateway, "failed", half, nil)
	r.Answered(t.Context(), event("1", 0), http.StatusBadGateway, "failed", half, l) // the gateway's next try
	want("with two", 2, 10*time.Minute)
	r.Answered(t.Context(), one, http.StatusOK, "failed", half, l)
	want("once the first was taken", 1, 20*time.Minute)

	// Another process has taken a copy.
	if _, err := l.Accept(t.Context(), two, ""); err != nil {
		t.Fatal(err)
	}
	want("while it is still to be delivered", 1, 20*time.Minute)
	if err := l.Discard(t.Context(), two.Key, "a test", false); err != nil {
		t.Fatal(err)
	}
	want("once it was dealt with", 0, 0)

	// The ledger has when the first webhook came, before this process began.
	old := event("3", 40*time.Minute)
	if _, err := l.Accept(t.Context(), old, ""); err != nil {
		t.Fatal(err)
	}
	r.Answered(t.Context(), event("3", 0), http.StatusBadGateway, "failed", half, l)
	want("with one that was given up", 1, 0)
	now = now.Add(25 * time.Hour)
	want("a day later", 0, 0)

	r.Answered(t.Context(), event("4", 0), http.StatusBadGateway, "failed", 0, l)
	if b := r.Budgets(t.Context(), now, l)["shop"]; b.Refused != 1 || !b.Until.IsZero() {
		t.Errorf("without a schedule: %+v", b)
	}
	if text := inWords(r.Budgets(t.Context(), now, nil), now); text == "" {
		t.Error("nothing to say")
	}
	for i := range mostRefusals + 10 {
		r.Answered(t.Context(), event(fmt.Sprint("many-", i), 0), http.StatusServiceUnavailable, "failed", half, nil)
	}
	if len(r.events) > mostRefusals {
		t.Errorf("it keeps %d", len(r.events))
	}
}
