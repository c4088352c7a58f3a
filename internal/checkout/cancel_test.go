package checkout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/postgrestest"
	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/internal/simstore"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// endable is a namer at which orders can be ended.
type endable struct {
	*namer
	ended  []string // the gateway's ids of those that were
	paying []string // of those that a buyer is about to pay
	err    error    // of each call
	// onCancel, if set, is called first.
	onCancel func()
}

// Cancel implements [gateway.Canceler].
func (g *endable) Cancel(_ context.Context, made ledger.GatewayOrder) error {
	if g.onCancel != nil {
		g.onCancel()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.IndexFunc(g.invoices, func(i *invoice) bool { return i.ref == made.Ref })
	switch {
	case g.err != nil:
		return g.err
	case i < 0:
		return fmt.Errorf("there is no order %q", made.Ref)
	case len(g.invoices[i].order.Payments) > 0 || slices.Contains(g.paying, made.Ref):
		return fmt.Errorf("%s: %w", made.Ref, gateway.ErrPaying)
	}
	g.ended = append(g.ended, made.Ref)
	return nil
}

func newEndable(t *testing.T) (*stand, *endable) {
	t.Helper()
	s := newStand(t)
	g := &endable{namer: s.gateway}
	s.account = &gateway.Account{Gateway: g, OrderPrefix: "shop-", Budget: time.Minute, Info: s.account.Info}
	s.Sessions = s.another(t)
	return s, g
}

func (s *stand) wantRefused(t *testing.T, r Request, status int, code string) {
	t.Helper()
	if e := s.refuse(t, r); e.Status != status || e.Code != code {
		t.Errorf("%+v, want %d %s", e, status, code)
	}
}

// TestNewTerms: where an order at the gateway can be ended, it is before the next one is
// made, and there is no next one while a buyer may pay it.
func TestNewTerms(t *testing.T) {
	s, g := newEndable(t)
	s.open(t, "10")
	g.paying = []string{"ref-1"}
	s.wantRefused(t, at("12"), 409, "under_way")
	g.paying, g.err = nil, errors.New("no route")
	s.wantRefused(t, at("12"), 503, "busy")
	if e := s.refuse(t, at("12")); e.RetryAfter <= 0 {
		t.Errorf("%+v", e)
	}
	s.wantMade(t, 1)
	if again := s.open(t, "10"); again.IsNew || again.Ref != "ref-1" { // it goes on as it was
		t.Errorf("%+v", again)
	}
	g.err = nil
	if session := s.open(t, "12"); session.Ref != "ref-2" || session.Price != "12" {
		t.Errorf("%+v", session)
	}
	if session := s.open(t, "10"); session.Ref != "ref-3" { // what was ended is not shown again
		t.Errorf("%+v", session)
	}
	if !slices.Equal(g.ended, []string{"ref-1", "ref-2"}) {
		t.Errorf("ended: %q", g.ended)
	}
	g.pays(3, "4")
	s.wantRefused(t, at("12"), 409, "partly_paid")
	s.wantRefused(t, at("4"), 409, "paid")
	s.wantMade(t, 3)

	s, g = newEndable(t)
	s.open(t, "10")
	g.pays(1, "10") // and no webhook has come yet
	s.wantRefused(t, at("9"), 409, "paid")
	s.wantMade(t, 1)
}

// TestRaisedToWhatIsSentBack: where the gateway sends back what is too much, that pays nothing of a
// price which was raised after it was paid.
func TestRaisedToWhatIsSentBack(t *testing.T) {
	s, g := newEndable(t)
	s.open(t, "10")
	g.invoices[0].order.Due.Refunds = true
	g.pays(1, "20")
	if e := s.refuse(t, at("20")); e.Code == "paid" {
		t.Errorf("%+v", e)
	}
	order, err := s.store.LoadOrder(t.Context(), ledger.OrderID{AppID: fuzzAppID, ID: "shop-order-1"})
	if err != nil || order.Checkout.Terms.Price != "10" {
		t.Errorf("the price is %+v, %v", order.Checkout, err)
	}
}

// TestTooManyTerms: an order that has had as many pages as one may have within a day, or in
// all, is refused before its page is ended, and goes on as it was. What was ended long ago
// does not keep it from another one.
func TestTooManyTerms(t *testing.T) {
	s, g := newEndable(t)
	for made := 1; made <= mostGatewayOrders; made++ {
		s.open(t, fmt.Sprint(made))
		if made%mostInADay > 0 {
			continue
		}
		s.pass(time.Hour)
		e := s.refuse(t, at("1000"))
		if left := 23 * time.Hour; e.Status != 409 || e.Code != "too_many_terms" || made < mostGatewayOrders && e.RetryAfter != left {
			t.Fatalf("after %d: %+v", made, e)
		}
		latest := fmt.Sprint("ref-", made)
		if again := s.open(t, fmt.Sprint(made)); again.IsNew || again.Ref != latest || slices.Contains(g.ended, latest) {
			t.Fatalf("%+v, ended: %q", again, g.ended)
		}
		s.pass(23 * time.Hour)
	}
	s.pass(24 * time.Hour)
	if e := s.refuse(t, at("1000")); e.Status != 409 || e.Code != "too_many_terms" || e.RetryAfter != 0 {
		t.Errorf("%+v", e)
	}
}

// TestEndedHalfway: what was ended before something went wrong is not shown to a buyer
// again, and not ended again.
func TestEndedHalfway(t *testing.T) {
	s, g := newEndable(t)
	g.after, g.unlisted = gateway.ErrOutcomeUnknown, 2
	s.wantInDoubt(t)
	g.mu.Lock()
	g.add("shop-order-1", ledger.Terms{Price: "10", FiatID: "1"}, time.Time{})
	g.mu.Unlock()
	if session := s.open(t, "10"); len(s.generations(t)) != 2 || session.Ref != s.generations(t)[1].Ref {
		t.Fatalf("%+v, %+v", session, s.generations(t))
	}
	g.paying = []string{s.generations(t)[1].Ref}
	s.wantRefused(t, at("12"), 409, "under_way")
	if made := s.generations(t); !made[0].Ended || made[1].Ended {
		t.Errorf("%+v", made)
	}
	g.paying = nil
	if session := s.open(t, "12"); session.Ref != "ref-3" || len(g.ended) != 2 {
		t.Errorf("%+v, ended: %q", session, g.ended)
	}
}

// TestExpired: an order that has expired is ended at the gateway before another one is
// made, and a partly paid one goes on as it is.
func TestExpired(t *testing.T) {
	s, g := newEndable(t)
	hour := Request{OrderID: "order-1", Price: "10", Currency: "USD", Expires: time.Hour}
	open := func() Session {
		t.Helper()
		session, err := s.Open(t.Context(), hour)
		if err != nil {
			t.Fatal(err)
		}
		return session
	}
	open()
	s.pass(time.Hour)
	g.paying = []string{"ref-1"}
	s.wantRefused(t, hour, 409, "under_way")
	g.paying = nil
	if session := open(); session.Ref != "ref-2" || !slices.Equal(g.ended, []string{"ref-1"}) {
		t.Errorf("%+v, ended: %q", session, g.ended)
	}
	g.pays(2, "3")
	if session := open(); session.Ref != "ref-2" || session.Price != "10" {
		t.Errorf("%+v", session)
	}
	s.pass(time.Hour)
	s.wantRefused(t, hour, 409, "partly_paid")
	s.wantMade(t, 2)
}

// turn ends what has expired, as the background does once a minute.
func (s *stand) turn(t *testing.T) {
	t.Helper()
	if err := endAll(t.Context(), []*Sessions{s.Sessions}, s.ledger); err != nil {
		t.Fatal(err)
	}
}

// wantEnding fails the test unless so many orders are on the list of those that end.
func (s *stand) wantEnding(t *testing.T, n int) {
	t.Helper()
	list, err := s.store.Ending(t.Context(), s.clock().Add(1000*time.Hour), 1000)
	if err != nil || len(list) != n {
		t.Errorf("%d orders are to end, %v, want %d", len(list), err, n)
	}
}

// TestEnding: orders that expire are ended at the gateway in the background, each once,
// and what fails is tried again.
func TestEnding(t *testing.T) {
	s, g := newEndable(t)
	const n = 250
	for i := range n {
		r := Request{OrderID: fmt.Sprint("order-", i), Price: "10", Currency: "USD", Expires: time.Hour}
		if i == 7 {
			r.Expires = 2 * time.Hour
		}
		if _, err := s.Open(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	s.turn(t)
	if len(g.ended) > 0 {
		t.Fatalf("ended before they expired: %q", g.ended)
	}
	s.wantEnding(t, n)
	g.paying = []string{"ref-2", "ref-4"}
	g.pays(3, "10")
	s.pass(time.Hour)
	s.turn(t)
	if len(g.ended) != n-4 {
		t.Errorf("%d ended", len(g.ended))
	}
	g.pays(4, "10")
	s.turn(t)
	s.wantEnding(t, 4) // nothing is asked again before its time
	err := s.store.UpdateOrder(t.Context(), ledger.OrderID{AppID: fuzzAppID, ID: "shop-order-2"}, func(o *ledger.Order) { o.State = "paid" })
	if err != nil {
		t.Fatal(err)
	}
	g.paying = nil
	s.pass(10 * time.Minute)
	s.turn(t)
	if len(g.ended) != n-3 || !slices.Contains(g.ended, "ref-2") {
		t.Errorf("%d ended", len(g.ended))
	}
	s.wantEnding(t, 2) // the one that expires later, and the one that is paid and not confirmed
	g.err = errors.New("no route")
	s.pass(50 * time.Minute)
	s.turn(t)
	g.err = nil
	s.pass(10 * time.Minute)
	s.turn(t)
	if len(g.ended) != n-2 {
		t.Errorf("%d ended", len(g.ended))
	}
	s.wantEnding(t, 1)
	seen := make(map[string]bool)
	for _, ref := range g.ended {
		if seen[ref] {
			t.Errorf("%s was ended twice", ref)
		}
		seen[ref] = true
	}
	// What cannot be ended is given up in the end.
	for range 60 {
		s.pass(24 * time.Hour)
		s.turn(t)
	}
	s.wantEnding(t, 0)
}

// TestEndingOfDrafts: an order that was made by a process that died is found and ended,
// and one that was never made is forgotten.
func TestEndingOfDrafts(t *testing.T) {
	s, g := newEndable(t)
	hour := Request{OrderID: "order-1", Price: "10", Currency: "USD", Expires: time.Hour}
	g.dies = true
	if err := survive(func() error { _, err := s.Open(t.Context(), hour); return err }); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	g.before = gateway.ErrOutcomeUnknown
	hour.OrderID = "order-2"
	s.wantRefused(t, hour, 504, "unreachable")
	s.turn(t)
	if s.wantEnding(t, 2); len(g.ended) > 0 {
		t.Errorf("ended: %q", g.ended)
	}
	s.pass(10 * time.Minute)
	s.turn(t)
	if made := s.generations(t); len(made) != 1 || made[0].Ref != "ref-1" || made[0].Ended {
		t.Errorf("%+v", made)
	}
	s.wantEnding(t, 1)
	s.pass(time.Hour)
	s.turn(t)
	if made := s.generations(t); !made[0].Ended || !slices.Equal(g.ended, []string{"ref-1"}) {
		t.Errorf("%+v", made)
	}
	s.wantEnding(t, 0)
}

// TestEndingOfTwins: of two orders that came of one call, the one that nobody is shown is
// ended at once.
func TestEndingOfTwins(t *testing.T) {
	s, g := newEndable(t)
	s.open(t, "10")
	g.mu.Lock()
	g.add("shop-order-1", ledger.Terms{Price: "10", FiatID: "1"}, time.Time{})
	twin := g.invoices[1].checkout()
	g.mu.Unlock()
	order, err := s.ledger.Order(t.Context(), ledger.OrderID{AppID: fuzzAppID, ID: "shop-order-1"})
	if err != nil {
		t.Fatal(err)
	}
	order.Checkout.Generations[0] = asMade(order.Checkout.Generations[0], twin)
	if err := s.save(t.Context(), order, "a late answer", s.ledger); err != nil {
		t.Fatal(err)
	}
	s.pass(time.Minute)
	s.turn(t)
	if again := s.open(t, "10"); again.Ref != "ref-2" || !slices.Equal(g.ended, []string{"ref-1"}) {
		t.Errorf("%+v, ended: %q", again, g.ended)
	}
	s.wantEnding(t, 0)
}

// TestEndingInTheBackground: what has expired is ended as soon as a configuration works,
// if one of its accounts is at a gateway where that can be. The orders of an account that
// is not configured wait.
func TestEndingInTheBackground(t *testing.T) {
	s, g := newEndable(t)
	registry := NewRegistry(Config{Now: s.clock, Logger: zap.NewNop(), Ledger: func() (*ledger.Ledger, func(), error) { return s.ledger, func() {}, nil }})
	if registry.Ending([]*gateway.Account{{Gateway: records{}}}) != nil {
		t.Error("there is work where no order is made")
	}
	if _, err := s.Open(t.Context(), Request{OrderID: "order-1", Price: "10", Currency: "USD", Expires: time.Hour}); err != nil {
		t.Fatal(err)
	}
	s.pass(time.Hour)
	run := func(account *gateway.Account, until func() bool) {
		t.Helper()
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			registry.Ending([]*gateway.Account{account})(ctx, s.ledger)
		}()
		processtest.Until(t, "what is to end has ended", until)
		stop()
		<-done
	}
	dueNow := func() bool {
		list, err := s.store.Ending(t.Context(), s.clock(), 10)
		return err != nil || len(list) > 0
	}
	stranger := *s.account
	stranger.Info.AccountID = "another"
	run(&stranger, func() bool { return !dueNow() })
	s.wantEnding(t, 1)
	s.pass(time.Hour)
	run(s.account, func() bool { return !dueNow() })
	s.wantEnding(t, 0)
	if !slices.Equal(g.ended, []string{"ref-1"}) {
		t.Errorf("ended: %q", g.ended)
	}
}

// TestEndingElsewhere: a process that lacks an order's account does not keep the one that has
// it from ending the order.
func TestEndingElsewhere(t *testing.T) {
	server := postgrestest.Shared(t)
	schema := server.Schema(t)
	process := func(account *gateway.Account) (*Sessions, *ledger.Ledger) {
		l := newLedger(t, server, schema, time.Now)
		s, err := New(Config{
			Account: account, Ledger: func() (*ledger.Ledger, func(), error) { return l, func() {}, nil }, Now: time.Now, Logger: zap.NewNop(),
		})
		if err != nil {
			t.Fatal(err)
		}
		return s, l
	}
	turn := func(s *Sessions, l *ledger.Ledger) {
		t.Helper()
		if err := endAll(t.Context(), []*Sessions{s}, l); err != nil {
			t.Fatal(err)
		}
	}
	g := &endable{namer: new(namer)}
	has, ours := process(accountAt("one", g))
	lacks, theirs := process(accountAt("two", &endable{namer: new(namer)}))
	defer keep(ours)()
	defer keep(theirs)()
	if _, err := has.Open(t.Context(), Request{OrderID: "order-1", Price: "10", Currency: "USD", Expires: time.Second}); err != nil {
		t.Fatal(err)
	}
	processtest.Until(t, "the order has expired, and both have a session", func() bool {
		orders, _, err := theirs.EndingNow(t.Context(), 1)
		return err == nil && len(orders) == 1 && len(theirs.Others()) == 1 && len(ours.Others()) == 1
	})
	turn(lacks, theirs)
	turn(has, ours)
	if !slices.Equal(g.ended, []string{"ref-1"}) {
		t.Errorf("ended: %q", g.ended)
	}
}

// halfReadable is a store that cannot read order-0, and cannot write order-1 and order-2.
type halfReadable struct{ ledger.Store }

func (h halfReadable) Ending(ctx context.Context, until time.Time, limit int) ([]ledger.Order, error) {
	list, err := h.Store.Ending(ctx, until, limit)
	return slices.DeleteFunc(list, func(o ledger.Order) bool { return o.OwnID == "order-0" }), err
}

func (h halfReadable) UpdateOrder(ctx context.Context, id ledger.OrderID, update func(*ledger.Order)) error {
	switch id.ID {
	case "shop-order-1":
		return ledger.ErrDamaged
	case "shop-order-2":
		return errors.New("no room")
	}
	return h.Store.UpdateOrder(ctx, id, update)
}

// TestEndingBesideDamaged: orders that cannot be read or written keep no other from its end.
func TestEndingBesideDamaged(t *testing.T) {
	s, g := newEndable(t)
	const n = 150
	for i := range n {
		r := Request{OrderID: fmt.Sprint("order-", i), Price: "10", Currency: "USD", Expires: time.Hour}
		if _, err := s.Open(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	s.pass(time.Hour)
	l := ledger.New(halfReadable{s.store}, s.clock)
	if err := endAll(t.Context(), []*Sessions{s.Sessions}, l); err == nil {
		t.Error("nobody is told of it")
	}
	if len(g.ended) != n-1 {
		t.Errorf("%d of %d were ended", len(g.ended), n-1)
	}
}

// ahead is a store that is shared, whose clock may be set.
type ahead struct {
	ledger.Cluster
	by atomic.Int64
}

// Keep implements [ledger.Cluster].
func (a *ahead) Keep(ctx context.Context, about ledger.Session, held []uint64) (ledger.News, error) {
	news, err := a.Cluster.Keep(ctx, about, held)
	news.Now = news.Now.Add(time.Duration(a.by.Load()))
	return news, err
}

// TestEndingWhileTheClockIsWrong: what the clock was set forward by gives up no order that is
// to be ended.
func TestEndingWhileTheClockIsWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &ahead{Cluster: simstore.New(time.Now).Connect("a")}
		l := ledger.New(store, time.Now)
		ctx, stop := context.WithCancel(t.Context())
		var shares sync.WaitGroup
		defer shares.Wait()
		defer stop()
		shares.Go(func() { l.Share(ctx, func() ledger.Session { return ledger.Session{} }, func(error) {}) })
		time.Sleep(time.Minute)
		due := l.Now()
		for _, by := range []time.Duration{endsFor + time.Hour, 0} {
			store.by.Store(int64(by))
			time.Sleep(time.Minute)
			now := l.Now()
			if again, isLast := endLater(due, now, l); isLast || !again.After(now) || again.Sub(now) > longestPause {
				t.Errorf("after %s it is tried again at %s; not at all: %t", now.Sub(due), again, isLast)
			}
		}
		if _, isLast := endLater(due.Add(-3*endsFor), l.Now(), l); !isLast {
			t.Error("it is never given up")
		}
	})
}
