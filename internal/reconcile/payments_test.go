package reconcile

import (
	"context"
	"iter"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/settle"
	"github.com/seed-338f6760/caddy-ccpayment/store/bolt"
)

// payments is a gateway whose records are payments of orders, of which none is listed.
type payments struct {
	gateway.Gateway
	paid  []string // the order's payments, of five dollars each
	asked int
}

func (g *payments) Grace() time.Duration { return time.Minute }

func (g *payments) List(context.Context, time.Time, time.Time, func(context.Context) error) iter.Seq2[gateway.Listed, error] {
	return func(func(gateway.Listed, error) bool) {}
}

func (g *payments) FindRecord(_ context.Context, n gateway.Notice) (gateway.Listed, error) {
	if !slices.Contains(g.paid, n.RecordID) {
		return gateway.Listed{}, gateway.ErrNotFound
	}
	n.Status, n.OrderID, n.Risk = "Success", "order-1", ledger.NotRisky
	return gateway.Listed{Notice: n, Body: []byte("{}")}, nil
}

func (g *payments) Order(_ context.Context, id string, made *ledger.GatewayOrder) (gateway.Order, error) {
	g.asked++
	order := gateway.Order{Terms: made.Terms, Currency: "USD", Due: settle.Order{Due: decimal.New(10, 0)}}
	for _, record := range g.paid {
		order.Payments = append(order.Payments, gateway.OrderPayment{
			Payment: settle.Payment{RecordID: record, Amount: decimal.New(5, 0), Finished: true, Clean: true}, Risk: ledger.NotRisky,
		})
	}
	return order, nil
}

// TestPaymentsOfOpenOrders: the payments of an open order are asked for once a day, until it
// has expired for a week; one that the ledger lacks is told, and where all are
// there and the gateway has it as paid, an event is delivered once more, once.
func TestPaymentsOfOpenOrders(t *testing.T) {
	store, err := bolt.Open(filepath.Join(t.TempDir(), "ledger.db"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 12, 8, 30, 0, 0, time.UTC)
	l := ledger.New(store, func() time.Time { return now })
	t.Cleanup(func() { _ = l.Close() })
	id := ledger.OrderID{AppID: "app-123", ID: "order-1"}
	terms := ledger.Terms{Price: "10", FiatID: "1033"}
	if err := l.SaveCheckout(t.Context(), ledger.Order{
		OrderID: id, OwnID: "order-1", Checkout: &ledger.Checkout{
			Terms: terms, Symbol: "USD", Generations: []ledger.GatewayOrder{{ID: "order-1", Terms: terms, CheckoutURL: "https://pay.example/1", ExpiresAt: now.Add(48 * time.Hour)}},
		},
	}, "made"); err != nil {
		t.Fatal(err)
	}
	g, told, again := &payments{}, []string(nil), 0
	account := &gateway.Account{Gateway: g, Info: gateway.Info{
		AccountID: "app-123", Types: []gateway.Type{{Name: "Payment", Kind: gateway.Payment}},
		Statuses: []gateway.Status{{Name: "Processing", Rank: 1, Stage: gateway.Open}, {Name: "Success", Rank: 2, Stage: gateway.Success}},
	}}
	tell := func(ctx context.Context, one gateway.Listed, to *ledger.Ledger) (ledger.Verdict, error) {
		told = append(told, one.Notice.RecordID)
		record := ledger.Record{Route: "webhook", AppID: "app-123", Type: one.Notice.Type, ID: one.Notice.RecordID}
		e := ledger.Event{Key: ledger.Key{Record: record, Status: "success", Risk: ledger.NotRisky}, Status: "Success", NextReason: ledger.Backfill, ReceivedAt: now, OrderID: "order-1", GatewayOrderID: "order-1"}
		e.SetOrder(id)
		if _, err := to.Accept(ctx, e, ""); err != nil {
			return 0, err
		}
		return ledger.Accepted, deliver(ctx, to, e)
	}
	replay := func(ctx context.Context, e ledger.Event, cause string) error {
		again++
		if err := l.Replay(ctx, e.Key, cause); err != nil {
			return err
		}
		return deliver(ctx, l, e)
	}
	r, err := New(Config{Grace: -1, Missed: func(Missed) {}, Looked: func(string, time.Time) {}, Logger: zap.NewNop()},
		[]Account{{Account: account, Routes: []Route{{Name: "webhook", Tell: tell, Again: replay}}}})
	if err != nil {
		t.Fatal(err)
	}
	look := func(what string, after time.Duration, wantAsked, wantTold, wantAgain int) {
		t.Helper()
		now = now.Add(after)
		if _, err := r.Look(t.Context(), "", time.Time{}, false, l); err != nil {
			t.Fatal(err)
		}
		if g.asked != wantAsked || len(told) != wantTold || again != wantAgain {
			t.Errorf("%s: the order was asked for %d times, %q were told, and %d again; want %d, %d and %d", what, g.asked, told, again, wantAsked, wantTold, wantAgain)
		}
	}
	look("nothing is paid", 0, 1, 0, 0)
	g.paid = []string{"one"}
	look("an hour later", time.Hour, 1, 0, 0)
	look("half is paid", 24*time.Hour, 2, 1, 0)
	look("half is told", 24*time.Hour, 4, 1, 0) // and its order was read whole
	g.paid = []string{"one", "two"}
	look("the rest is paid", 24*time.Hour, 5, 2, 0)
	look("all is told", 24*time.Hour, 7, 2, 1)
	look("all was told again", 24*time.Hour, 8, 2, 1)
	look("it has expired for long", 5*24*time.Hour, 8, 2, 1)
}

// deliver makes the attempt of an event, which an app takes.
func deliver(ctx context.Context, l *ledger.Ledger, e ledger.Event) error {
	_, attempt, err := l.Begin(ctx, e, ledger.Options{Rank: func(string) int { return 2 }})
	if err != nil {
		return err
	}
	if _, err = attempt.Sent(ctx, ledger.Sending{}); err == nil {
		_, err = attempt.Finish(ctx, ledger.Ending{State: ledger.Delivered, Order: &ledger.Order{
			OrderID: e.InOrder(), OwnID: e.OrderID, Events: []ledger.OrderEvent{{Route: e.Route, Type: e.Type, RecordID: e.ID, Status: e.Key.Status, Risk: e.Risk}},
		}})
	}
	return err
}
