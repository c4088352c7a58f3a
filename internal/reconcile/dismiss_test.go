package reconcile

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

func (p *payroll) state() ledger.Look {
	p.t.Helper()
	state, err := p.State(p.t.Context(), "", p.ledger)
	if err != nil {
		p.t.Fatal(err)
	}
	return state
}

// missing are the ids of the records that nobody can be told of.
func missing(look ledger.Look) (ids []string) {
	for _, w := range look.Waiting {
		if w.Missing {
			ids = append(ids, w.ID)
		}
	}
	return ids
}

// TestDismiss: a record that a person has settled is missing no more, however often it is
// listed again, and nobody is told of it.
func TestDismiss(t *testing.T) {
	g := &payouts{made: make(map[string]time.Time)}
	p := newPayroll(t, Config{Grace: -1, Back: 30 * 24 * time.Hour}, g)
	tell := p.accounts[0].Routes[0].Tell
	p.accounts[0].Routes[0].Tell = nil // the route hands on each webhook's own request
	g.made["settled"], g.made["open"] = p.now.Add(time.Hour), p.now.Add(time.Hour)
	p.now = p.now.Add(3 * time.Hour)
	if got := missing(p.look(time.Time{})); len(got) != 2 {
		t.Fatalf("%q are missing", got)
	}
	if _, err := p.Dismiss(t.Context(), "", "settled", "by hand", p.ledger); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"settled", "unknown"} {
		if _, err := p.Dismiss(t.Context(), "", id, "by hand", p.ledger); !errors.Is(err, ErrNotWaiting) {
			t.Errorf("dismissing %s: %v", id, err)
		}
	}
	for range 2 {
		p.now = p.now.Add(2 * time.Hour)
		if got := missing(p.look(time.Time{})); fmt.Sprint(got) != "[open]" {
			t.Errorf("%q are missing", got)
		}
	}
	p.accounts[0].Routes[0].Tell = tell
	p.look(p.now.Add(-24 * time.Hour))
	p.wantTold("with a route", "open")
	p.now = p.now.Add(100 * 24 * time.Hour)
	if got := p.look(time.Time{}); len(got.Waiting) != 0 {
		t.Errorf("for ever it keeps %+v", got.Waiting)
	}
}

// TestManyMissing: where more wait than are kept, the look goes on all the same, and the oldest
// that nobody can be told of are let go.
func TestManyMissing(t *testing.T) {
	g := &payouts{made: make(map[string]time.Time)}
	p := newPayroll(t, Config{Grace: -1}, g)
	p.accounts[0].Routes[0].Tell = nil
	state, began := p.state(), p.now
	for i := range mostWaiting {
		state.Waiting = append(state.Waiting, ledger.LookRecord{
			Type: "Payout", ID: fmt.Sprint("old-", i), Status: "Success", MadeAt: began.Add(time.Duration(-i) * time.Second), AskedAt: began.Add(3 * time.Hour), Missing: i%1000 == 999,
		})
	}
	if err := p.ledger.SaveLook(t.Context(), state); err != nil {
		t.Fatal(err)
	}
	g.made["new"] = began.Add(time.Hour)
	p.now = began.Add(3 * time.Hour)
	look := p.look(time.Time{})
	if look.LastError != "" || !look.To.After(began.Add(2*time.Hour)) || len(look.Waiting) != mostWaiting {
		t.Errorf("%d wait, up to %s: %s", len(look.Waiting), look.To, look.LastError)
	}
	if kept := missing(look); len(kept) != 10 || kept[8] != "old-8999" || kept[9] != "new" {
		t.Errorf("%q are missing", kept)
	}
}
