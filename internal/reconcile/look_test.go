package reconcile

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/store/bolt"
)

// lists is a gateway that lists payouts, at the times that they have.
type lists struct {
	gateway.Gateway
	made map[string]time.Time
	away bool
	asks int
}

func (g *lists) Grace() time.Duration { return time.Minute }

func (g *lists) List(_ context.Context, from, to time.Time, _ func(context.Context) error) iter.Seq2[gateway.Listed, error] {
	return func(yield func(gateway.Listed, error) bool) {
		if g.asks++; g.away {
			yield(gateway.Listed{}, errors.New("it is away"))
			return
		}
		for id, at := range g.made {
			one := gateway.Listed{Notice: gateway.Notice{Type: "Payout", RecordID: id, Status: "Success", Risk: ledger.NotRisky}, MadeAt: at}
			if !at.Before(from) && !at.After(to) && !yield(one, nil) {
				return
			}
		}
	}
}

func (g *lists) FindRecord(_ context.Context, n gateway.Notice) (gateway.Listed, error) {
	n.Status, n.Risk = "Success", ledger.NotRisky
	return gateway.Listed{Notice: n, MadeAt: g.made[n.RecordID]}, nil
}

// TestOneBadRecord: a record that cannot be told keeps none of the others from the app, and is
// looked at again until it can be; a gateway that is away is not asked again and again.
func TestOneBadRecord(t *testing.T) {
	store, err := bolt.Open(filepath.Join(t.TempDir(), "ledger.db"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 12, 8, 30, 0, 0, time.UTC)
	l := ledger.New(store, func() time.Time { return now })
	t.Cleanup(func() { _ = l.Close() })
	g, told, isBad := &lists{made: map[string]time.Time{}}, []string(nil), true
	account := &gateway.Account{Gateway: g, Info: gateway.Info{
		AccountID: "app-123", Types: []gateway.Type{{Name: "Payout", Kind: gateway.Payout}},
		Statuses: []gateway.Status{{Name: "Success", Rank: 1, Stage: gateway.Success}},
	}}
	tell := func(ctx context.Context, one gateway.Listed, to *ledger.Ledger) (ledger.Verdict, error) {
		if isBad && one.Notice.RecordID == "bad" {
			return 0, errors.New("its order is damaged")
		}
		told = append(told, one.Notice.RecordID)
		record := ledger.Record{Route: "webhook", AppID: "app-123", Type: "Payout", ID: one.Notice.RecordID}
		return to.Accept(ctx, ledger.Event{Key: ledger.Key{Record: record, Status: "success", Risk: ledger.NotRisky}, NextReason: ledger.Backfill, ReceivedAt: now}, "")
	}
	r, err := New(Config{Grace: -1, Foreign: true, Missed: func(Missed) {}, Looked: func(string, time.Time) {}, Logger: zap.NewNop()},
		[]Account{{Account: account, Routes: []Route{{Name: "webhook", Tell: tell}}}})
	if err != nil {
		t.Fatal(err)
	}
	look := func(wantTold int, wantError string) ledger.Look {
		t.Helper()
		state, err := r.Look(t.Context(), "", time.Time{}, false, l)
		if len(told) != wantTold || fmt.Sprint(err) != wantError && !strings.Contains(fmt.Sprint(err), wantError) || err != nil && state.LastError == "" {
			t.Errorf("the look is %+v, %v, and told %q; want %d, %s", state, err, told, wantTold, wantError)
		}
		return state
	}
	look(0, "<nil>")
	began := now
	for hour := range 5 {
		g.made[fmt.Sprint("good-", hour)] = began.Add(time.Duration(hour)*time.Hour + 2*time.Minute)
	}
	g.made["bad"] = began.Add(time.Hour)
	now = began.Add(6 * time.Hour)
	aside := look(5, `the record "bad": telling it: its order is damaged`)
	if got := missing(aside); !aside.To.After(began.Add(5*time.Hour)) || fmt.Sprint(got) != "[bad]" {
		t.Errorf("%q are missing, up to %s", got, aside.To)
	}
	now = now.Add(2 * time.Hour)
	look(5, "its order is damaged")
	g.away = true
	before := g.asks
	now = now.Add(30 * 24 * time.Hour)
	if look(5, "more went wrong, 10 times"); g.asks-before > mostInARow {
		t.Errorf("a gateway that is away was asked %d times", g.asks-before)
	}
	g.away, isBad = false, false
	now = now.Add(24 * time.Hour)
	if healed := look(6, "<nil>"); !healed.To.After(began.Add(6*time.Hour)) || healed.LastError != "" {
		t.Errorf("at the end the look is %+v", healed)
	}
	if slices.Sort(told); len(slices.Compact(told)) != 6 {
		t.Errorf("told was %q", told)
	}
}
