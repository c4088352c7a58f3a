package reconcile

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/store/bolt"
)

// invoices is a gateway whose records are orders, of which none is listed again.
type invoices struct {
	gateway.Gateway
	status string
	asked  int
}

var invoicesInfo = gateway.Info{
	AccountID: "app-123",
	Types:     []gateway.Type{{Name: "Invoice", Kind: gateway.Payment, IsOrder: true}},
	Statuses:  []gateway.Status{{Name: "Unpaid", Rank: 1, Stage: gateway.Open}, {Name: "Paid", Rank: 2, Stage: gateway.Success}},
}

func (g *invoices) Grace() time.Duration { return time.Minute }

func (g *invoices) List(context.Context, time.Time, time.Time, func(context.Context) error) iter.Seq2[gateway.Listed, error] {
	return func(func(gateway.Listed, error) bool) {}
}

func (g *invoices) FindRecord(_ context.Context, n gateway.Notice) (gateway.Listed, error) {
	g.asked++
	n.Status, n.OrderID, n.Risk = g.status, "order-1", ledger.NotRisky
	return gateway.Listed{Notice: n, Body: []byte("{}")}, nil
}

// ledgerOf returns a ledger with a checkout of each of the orders, and the path of its file.
func ledgerOf(t *testing.T, now func() time.Time, orders ...string) (l *ledger.Ledger, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "ledger.db")
	l = openLedger(t, path, now)
	for _, id := range orders {
		err := l.SaveCheckout(t.Context(), ledger.Order{
			OrderID: ledger.OrderID{AppID: "app-123", ID: id}, OwnID: id,
			Checkout: &ledger.Checkout{Generations: []ledger.GatewayOrder{
				{ID: id, Ref: "invoice-of-" + id, CheckoutURL: "https://pay.example/1", ExpiresAt: now().Add(365 * 24 * time.Hour)},
			}},
		}, "made")
		if err != nil {
			t.Fatal(err)
		}
	}
	return l, path
}

func openLedger(t *testing.T, path string, now func() time.Time) *ledger.Ledger {
	t.Helper()
	store, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	l := ledger.New(store, now)
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// TestOpenOrders: an open order is asked for once a day, and what came of it is told.
func TestOpenOrders(t *testing.T) {
	now := time.Date(2026, 3, 12, 8, 30, 0, 0, time.UTC)
	l, _ := ledgerOf(t, func() time.Time { return now }, "order-1")
	g, told := &invoices{status: "Unpaid"}, 0
	account := &gateway.Account{Gateway: g, Info: invoicesInfo}
	r, err := New(Config{Grace: -1, Missed: func(Missed) {}, Looked: func(string, time.Time) {}, Logger: zap.NewNop()}, []Account{{Account: account, Routes: []Route{{
		Name: "webhook",
		Tell: func(ctx context.Context, one gateway.Listed, to *ledger.Ledger) (ledger.Verdict, error) {
			told++
			record := ledger.Record{Route: "webhook", AppID: "app-123", Type: one.Notice.Type, ID: one.Notice.RecordID}
			return to.Accept(ctx, ledger.Event{Key: ledger.Key{Record: record, Status: "paid", Risk: ledger.NotRisky}, NextReason: ledger.Backfill, ReceivedAt: now}, "")
		},
	}}}})
	if err != nil {
		t.Fatal(err)
	}
	look := func(after time.Duration, wantAsked, wantTold int) {
		t.Helper()
		now = now.Add(after)
		if _, err := r.Look(t.Context(), "", time.Time{}, false, l); err != nil {
			t.Fatal(err)
		}
		if g.asked != wantAsked || told != wantTold {
			t.Errorf("it was asked for %d times and told %d times, want %d and %d", g.asked, told, wantAsked, wantTold)
		}
	}
	look(0, 1, 0)
	look(time.Hour, 1, 0)
	g.status = "Paid"
	look(time.Hour, 1, 0)
	look(23*time.Hour, 2, 1)
	look(25*time.Hour, 3, 1)
}

// TestOpenOrdersBesideDamage: an order that is damaged in the ledger keeps none of the others
// from being asked for, and the look says that it is.
func TestOpenOrdersBesideDamage(t *testing.T) {
	now := func() time.Time { return time.Date(2026, 3, 12, 8, 30, 0, 0, time.UTC) }
	l, path := ledgerOf(t, now, "order-1", "order-2", "order-3")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(file.Update(func(tx *bbolt.Tx) error {
		orders := tx.Bucket([]byte("orders"))
		first, _ := orders.Cursor().First()
		return orders.Put(bytes.Clone(first), []byte("damaged"))
	}), file.Close())
	if err != nil {
		t.Fatal(err)
	}
	g := &invoices{status: "Unpaid"}
	r, err := New(Config{Grace: -1, Missed: func(Missed) {}, Looked: func(string, time.Time) {}, Logger: zap.NewNop()},
		[]Account{{Account: &gateway.Account{Gateway: g, Info: invoicesInfo}, Routes: []Route{{Name: "webhook"}}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Look(t.Context(), "", time.Time{}, false, openLedger(t, path, now)); !errors.Is(err, ledger.ErrDamaged) || g.asked != 2 {
		t.Errorf("%d orders were asked for, %v", g.asked, err)
	}
}
