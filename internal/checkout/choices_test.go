package checkout

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/postgrestest"
	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/store/postgres"
)

// slow is a namer whose first look-up of terms, and whose making of orders, wait.
type slow struct {
	namer
	once          sync.Once
	reached, gate chan struct{} // nil: it does not wait
	making        chan struct{} // nil: it does not wait
}

func (g *slow) Terms(ctx context.Context, p gateway.Price) (gateway.Terms, error) {
	if g.gate != nil {
		g.once.Do(func() { close(g.reached); <-g.gate })
	}
	return g.namer.Terms(ctx, p)
}

func (g *slow) Create(ctx context.Context, o gateway.NewOrder) (gateway.Checkout, error) {
	if g.making != nil {
		<-g.making
	}
	return g.namer.Create(ctx, o)
}

// wantMade fails the test unless so many orders are at the gateway, after so many calls.
func (g *slow) wantMade(t *testing.T, orders, calls int) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.invoices) != orders || len(g.calls) != calls {
		t.Errorf("%d orders were made by %d calls, want %d by %d", len(g.invoices), len(g.calls), orders, calls)
	}
}

// process is one of those that share a ledger, and have an account at each of two gateways.
type process struct {
	Choices
	ledger *ledger.Ledger
}

func newProcess(t *testing.T, server *postgrestest.Server, schema string, now func() time.Time, one, two gateway.Gateway) *process {
	t.Helper()
	l := newLedger(t, server, schema, now)
	registry := NewRegistry(Config{Ledger: func() (*ledger.Ledger, func(), error) { return l, func() {}, nil }, Now: now, Logger: zap.NewNop()})
	accounts := []*gateway.Account{accountAt("one", one), accountAt("two", two)}
	gateway.ShareOrders(accounts)
	choices, err := registry.NewChoices(accounts...)
	if err != nil {
		t.Fatal(err)
	}
	return &process{choices, l}
}

// accountAt is an account whose orders others share.
func accountAt(name string, g gateway.Gateway) *gateway.Account {
	return &gateway.Account{
		Name: name, Gateway: g, Orders: "shop", Budget: time.Minute,
		Info: gateway.Info{Title: "PayNamer", AccountID: "app-" + name, Limits: DefaultInfo.Limits},
	}
}

// newLedger opens the ledger that processes share.
func newLedger(t *testing.T, server *postgrestest.Server, schema string, now func() time.Time) *ledger.Ledger {
	t.Helper()
	store, err := postgres.Open(postgres.Options{URL: server.URL(), Schema: schema, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	postgrestest.UntilUsable(t, store)
	l := ledger.New(store, now)
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// share keeps the process's session until it is stopped.
func (p *process) share() (stop func()) { return keep(p.ledger) }

// keep keeps this process's session at a ledger until it is stopped.
func keep(l *ledger.Ledger) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.Share(ctx, func() ledger.Session { return ledger.Session{} }, func(error) {})
	}()
	return func() { cancel(); <-done }
}

// tenth is a request of an order that costs 10.
var tenth = Request{OrderID: "order-1", Price: "10", Currency: "USD"}

// wantCode fails the test unless an error has this code.
func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var refused *Error
	if !errors.As(err, &refused) || refused.Code != code {
		t.Errorf("%v, want %q", err, code)
	}
}

// TestAccountAfterLostSession: an order is made at one account also where a process loses
// its session while it makes the order, and goes on with a new one.
func TestAccountAfterLostSession(t *testing.T) {
	server := postgrestest.Shared(t)
	schema := server.Schema(t)
	one, two := &slow{reached: make(chan struct{}), gate: make(chan struct{})}, new(slow)
	a, b := newProcess(t, server, schema, time.Now, one, two), newProcess(t, server, schema, time.Now, one, two)
	stop := a.share()
	defer b.share()()
	var all sync.WaitGroup
	all.Go(func() {
		_, err := a.Choices[0].Open(t.Context(), tenth)
		wantCode(t, err, "other_account")
	})
	<-one.reached
	stop() // it is cut off from the database
	if _, err := b.Choices[1].Open(t.Context(), tenth); err != nil {
		t.Error(err)
	}
	defer a.share()()
	close(one.gate)
	all.Wait()
	one.wantMade(t, 0, 0)
	two.wantMade(t, 1, 1)
}

// TestClocksOfProcesses: an order expires by the clock of the ledger that processes share,
// whatever their own show: they would make it again and again else.
func TestClocksOfProcesses(t *testing.T) {
	server := postgrestest.Shared(t)
	schema := server.Schema(t)
	one := new(slow)
	behind := func() time.Time { return time.Now().Add(-40 * time.Minute) }
	a, b := newProcess(t, server, schema, behind, one, one), newProcess(t, server, schema, time.Now, one, one)
	defer a.share()()
	defer b.share()()
	request := tenth
	request.Expires = 30 * time.Minute
	for i, p := range []*process{a, b, a, b} {
		session, err := p.Choices[0].Sessions.Open(t.Context(), request)
		if left := time.Until(session.ExpiresAt); err != nil || left < 28*time.Minute || left > 31*time.Minute {
			t.Errorf("call %d: the order expires in %s: %v", i, left, err)
		}
		status := StatusReader{Account: p.Choices[0].Account(), Ledger: p.Choices[0].ledger}
		if view, err := status.Read(t.Context(), "order-1", 0); err != nil || view.State != "unpaid" {
			t.Errorf("call %d: %+v: %v", i, view, err)
		}
	}
	one.wantMade(t, 1, 1)
}

// TestAccountThatRefuses: an order that its gateway refuses to make may be made at another
// account, and stays there.
func TestAccountThatRefuses(t *testing.T) {
	server := postgrestest.Shared(t)
	one, two := new(slow), new(slow)
	p := newProcess(t, server, server.Schema(t), time.Now, one, two)
	defer p.share()()
	one.before = gateway.ErrBusy
	_, err := p.Choices[0].Open(t.Context(), tenth)
	wantCode(t, err, "busy")
	if _, err = p.Choices[1].Open(t.Context(), tenth); err != nil {
		t.Fatal(err)
	}
	order, err := p.ledger.Order(t.Context(), ledger.SharedOrder("shop", "order-1"))
	if err != nil || order.Account != "two" {
		t.Errorf("the order is at %q: %v", order.Account, err)
	}
	_, err = p.Choices[0].Open(t.Context(), tenth)
	wantCode(t, err, "other_account")
	one.wantMade(t, 0, 1)
	two.wantMade(t, 1, 1)
	// What may have been made stays.
	two.before = gateway.ErrOutcomeUnknown
	next := tenth
	next.OrderID = "order-2"
	p.Choices[1].findPause = time.Millisecond
	_, err = p.Choices[1].Open(t.Context(), next)
	wantCode(t, err, "unreachable")
	_, err = p.Choices[0].Open(t.Context(), next)
	wantCode(t, err, "unreachable")
}

// TestTabsAtSeveralAccounts: tabs that ask for one order at once share one call, also where
// the app may choose the account.
func TestTabsAtSeveralAccounts(t *testing.T) {
	server := postgrestest.Shared(t)
	one, two := &slow{making: make(chan struct{})}, new(slow)
	p := newProcess(t, server, server.Schema(t), time.Now, one, two)
	defer p.share()()
	one.before = gateway.ErrBusy
	const tabs = 10
	var all sync.WaitGroup
	for range tabs {
		all.Go(func() {
			_, err := p.Choices[0].Open(t.Context(), tenth)
			wantCode(t, err, "busy")
		})
	}
	processtest.Until(t, "each has come to the order's lock", func() bool {
		locks := p.Choices[0].locks
		locks.mu.Lock()
		defer locks.mu.Unlock()
		lock := locks.locks["order-1"]
		return lock != nil && lock.users == tabs
	})
	close(one.making)
	all.Wait()
	one.wantMade(t, 0, 1)
	// And a tab gets what is there while the order's locks are held elsewhere.
	if _, err := p.Choices[0].Open(t.Context(), tenth); err != nil {
		t.Fatal(err)
	}
	_, unlock, err := p.ledger.Lock(t.Context(), ledger.Record{AppID: "orders:shop", Type: "#checkout", ID: "order-1"}, time.Minute, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if again, err := p.Choices[0].Open(t.Context(), tenth); err != nil || again.IsNew {
		t.Errorf("%+v: %v", again, err)
	}
}

// late is a context whose deadline has passed while the process was stopped, so that its
// timers have not run yet.
type late struct{ context.Context }

func (late) Deadline() (time.Time, bool) { return time.Now().Add(-time.Nanosecond), true }

// TestStoppedBeforeTheCall: a process that was stopped right before the call that makes an
// order does not make it when it wakes, because another may have.
func TestStoppedBeforeTheCall(t *testing.T) {
	server := postgrestest.Shared(t)
	one := new(slow)
	p := newProcess(t, server, server.Schema(t), time.Now, one, one)
	defer p.share()()
	held, unlock, err := p.ledger.Lock(t.Context(), ledger.Record{Type: "#checkout", ID: "order-1"}, time.Minute, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	wanted := wanted{Request: tenth, terms: gateway.Terms{Terms: ledger.Terms{Price: "10", FiatID: "1"}}}
	next := ledger.GatewayOrder{ID: "order-1"}
	_, err = p.Choices[0].create(late{held}, next, wanted, p.ledger)
	wantCode(t, err, "unavailable")
	one.wantMade(t, 0, 0)
	if _, err := p.Choices[0].create(held, next, wanted, p.ledger); err != nil {
		t.Error(err)
	}
	one.wantMade(t, 1, 1)
}
