package checkout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/postgrestest"
	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

func (s *stand) closes(t *testing.T, force bool) ledger.Order {
	t.Helper()
	order, err := s.Close(t.Context(), CloseRequest{OrderID: "order-1", Reason: "sold out", Force: force})
	if err != nil || order.Closed == nil {
		t.Fatalf("%+v, %v", order.Closed, err)
	}
	return order
}

// wantOpen fails the test unless closing the order is refused, and the order is open then.
func (s *stand) wantOpen(t *testing.T, status int, code string) {
	t.Helper()
	_, err := s.Close(t.Context(), CloseRequest{OrderID: "order-1", Reason: "sold out"})
	var refused *Error
	if !errors.As(err, &refused) || refused.Status != status || refused.Code != code {
		t.Errorf("%v, want %d %s", err, status, code)
	}
	if order := s.order(t); order.Closed != nil {
		t.Errorf("it is closed: %+v", order.Closed)
	}
}

func (s *stand) order(t *testing.T) ledger.Order {
	t.Helper()
	order, err := s.ledger.Order(t.Context(), ledger.OrderID{AppID: fuzzAppID, ID: "shop-order-1"})
	if err != nil {
		t.Fatal(err)
	}
	return order
}

// bind binds the order's flag to an event, as an attempt does, and reports whether the event
// carries it.
func (s *stand) bind(t *testing.T, record string) bool {
	t.Helper()
	return s.bindTo(t, s.order(t).OrderID, record)
}

func (s *stand) bindTo(t *testing.T, id ledger.OrderID, record string) bool {
	t.Helper()
	key := ledger.Key{Record: ledger.Record{Route: "shop", AppID: fuzzAppID, Type: "Invoice", ID: record}, Status: "paid", Risk: ledger.NotRisky}
	var bound []bool
	processtest.Until(t, "the flag can be bound", func() bool { // a busy process may have no session
		claim, err := s.store.Claim(t.Context(), key.Record, time.Minute)
		if err == nil {
			bound, err = s.store.Bind(t.Context(), claim, ledger.Change{Event: ledger.Event{Key: key}}, []ledger.Flag{id.Fulfill()})
		}
		if err == nil {
			err = s.store.Unlock(t.Context(), claim)
		}
		return err == nil
	})
	return bound[0]
}

// TestClose: a closed order is ended at the gateway, has no checkout any more, at whatever
// price, and no event ever carries its flag. Closing it once more changes nothing.
func TestClose(t *testing.T) {
	s, g := newEndable(t)
	if _, err := s.Close(t.Context(), CloseRequest{OrderID: "order-1"}); !isStatus(err, 404) {
		t.Errorf("an order that nobody knows: %v", err)
	}
	s.open(t, "10")
	if order := s.closes(t, false); !order.Closed.Ended || order.Closed.Reason != "sold out" || order.State != "unpaid" {
		t.Errorf("%+v is %s", order.Closed, order.State)
	}
	if !slices.Equal(g.ended, []string{"ref-1"}) || !s.generations(t)[0].Ended {
		t.Errorf("ended: %q", g.ended)
	}
	s.wantRefused(t, at("10"), 410, "closed")
	s.wantRefused(t, at("12"), 410, "closed")
	s.wantMade(t, 1)
	if s.bind(t, "late") {
		t.Error("an event fulfils a closed order")
	}
	before := s.order(t)
	if again := s.closes(t, true); again.Closed.Reason != before.Closed.Reason || again.Closed.Forced || len(again.Steps) != len(before.Steps) {
		t.Errorf("closed once more it is %+v", again.Closed)
	}
	if status := Status(before, s.clock()); status.State != "closed" || status.Fulfilled {
		t.Errorf("%+v", status)
	}
	s.wantEnding(t, 0)
}

func isStatus(err error, status int) bool {
	var refused *Error
	return errors.As(err, &refused) && refused.Status == status
}

// TestNotToClose: an order is not closed that is paid, that a payment may be on its way to,
// or of which the gateway does not say so; and one of which a part is paid is.
func TestNotToClose(t *testing.T) {
	s, g := newEndable(t)
	s.open(t, "10")
	g.readErr = gateway.ErrBusy
	s.wantOpen(t, 503, "busy")
	g.readErr = nil
	g.paying = []string{"ref-1"} // which the gateway's list of payments does not show yet
	s.wantOpen(t, 409, "under_way")
	g.paying = nil
	if again := s.open(t, "10"); again.IsNew || again.Ref != "ref-1" { // it goes on as it was
		t.Errorf("%+v", again)
	}
	g.pays(1, "4")
	g.invoices[0].order.Payments[0].Finished = false
	s.wantOpen(t, 409, "under_way")
	g.invoices[0].order.Payments[0].Finished = true
	s.wantOpen(t, 409, "under_way") // by the gateway's word, which has a part of it
	if order := s.closes(t, true); order.State != "partial" || order.Paid != "4" || order.Checkout.Latest().Ended {
		t.Errorf("%s, %s paid", order.State, order.Paid)
	}

	s, g = newEndable(t)
	s.open(t, "10")
	g.pays(1, "10")
	s.wantOpen(t, 409, "paid")
	if order := s.closes(t, true); !order.Closed.Forced || order.State != "paid" || !order.IsClosed() {
		t.Errorf("by force it is %+v, %s", order.Closed, order.State)
	}
	if s.bind(t, "late") {
		t.Error("an event fulfils it")
	}
	s.wantRefused(t, at("10"), 410, "closed")

	s, _ = newEndable(t)
	s.open(t, "10")
	if !s.bind(t, "first") { // and its attempt has not ended yet
		t.Fatal("the event does not carry the flag")
	}
	s.wantOpen(t, 409, "paid")
	s.closes(t, true)
	if !s.bind(t, "first") {
		t.Error("closing by force took the flag from its event")
	}
}

// TestPaidWhileClosing: where the flag is bound to an event after the gateway was asked, the
// order is open again.
func TestPaidWhileClosing(t *testing.T) {
	s, g := newEndable(t)
	s.open(t, "10")
	g.onCancel = func() { s.bind(t, "first") }
	s.wantOpen(t, 409, "paid")
}

// TestCloseAfterACrash: what a process that died has left of a closing is done in the
// background: the order is ended at the gateway, and its flag kept.
func TestCloseAfterACrash(t *testing.T) {
	s, g := newEndable(t)
	s.open(t, "10")
	if _, err := s.ledger.CloseOrder(t.Context(), s.order(t).OrderID, "sold out", false); err != nil {
		t.Fatal(err)
	}
	s.wantRefused(t, at("10"), 410, "closed")
	held, unlock, err := s.ledger.Lock(t.Context(), s.order(t).CheckoutLock(), time.Minute, time.Second)
	if err != nil || held == nil {
		t.Fatal(err)
	}
	s.turn(t)
	if len(g.ended) > 0 {
		t.Error("it is ended while somebody is at the order")
	}
	unlock()
	g.err = errors.New("no route")
	s.turn(t)
	if order := s.order(t); order.Closed == nil || order.Checkout.EndAt.IsZero() {
		t.Errorf("%+v, to end at %s", order.Closed, order.Checkout.EndAt)
	}
	if s.bind(t, "late") {
		t.Error("an event fulfils it")
	}
	g.err = nil
	s.pass(time.Hour)
	s.turn(t)
	if order := s.order(t); !order.Closed.Ended || !slices.Equal(g.ended, []string{"ref-1"}) {
		t.Errorf("%+v, ended: %q", order.Closed, g.ended)
	}
	s.wantEnding(t, 0)

	// A buyer who pays meanwhile does not open it again: nobody knows who was told.
	s, g = newEndable(t)
	s.open(t, "10")
	if _, err := s.ledger.CloseOrder(t.Context(), s.order(t).OrderID, "sold out", false); err != nil {
		t.Fatal(err)
	}
	g.pays(1, "10")
	s.turn(t)
	if order := s.order(t); !order.Closed.Ended || order.State != "paid" || s.bind(t, "late") {
		t.Errorf("%+v, %s", order.Closed, order.State)
	}

	// The app asks again, because it got no answer.
	s, g = newEndable(t)
	s.open(t, "10")
	if _, err := s.ledger.CloseOrder(t.Context(), s.order(t).OrderID, "sold out", false); err != nil {
		t.Fatal(err)
	}
	if order := s.closes(t, false); !order.Closed.Ended || !slices.Equal(g.ended, []string{"ref-1"}) {
		t.Errorf("%+v, ended: %q", order.Closed, g.ended)
	}
}

// hanging is a gateway that makes orders, and answers nothing else.
type hanging struct{ *endable }

func (hanging) Cancel(ctx context.Context, _ ledger.GatewayOrder) error {
	<-ctx.Done()
	return ctx.Err()
}

func (hanging) Order(ctx context.Context, _ string, _ *ledger.GatewayOrder) (gateway.Order, error) {
	<-ctx.Done()
	return gateway.Order{}, ctx.Err()
}

// TestCloseAtAHangingGateway: a closed order at a gateway that does not answer is tried again
// later, and keeps no other order from its end.
func TestCloseAtAHangingGateway(t *testing.T) {
	s, g := newEndable(t)
	open := func(id string) {
		t.Helper()
		if _, err := s.Open(t.Context(), Request{OrderID: id, Price: "10", Currency: "USD", Expires: time.Hour}); err != nil {
			t.Fatal(err)
		}
	}
	healthy, info := s.Sessions, s.account.Info
	open("order-2")
	info.AccountID = "another"
	s.account = &gateway.Account{Name: "hangs", Gateway: hanging{&endable{namer: new(namer)}}, Budget: time.Second / 5, Info: info}
	s.Sessions = s.another(t)
	open("order-1")
	id := ledger.OrderID{AppID: "another", ID: "order-1"}
	if _, err := s.ledger.CloseOrder(t.Context(), id, "sold out", false); err != nil {
		t.Fatal(err)
	}
	s.pass(time.Hour)
	if err := endAll(t.Context(), []*Sessions{s.Sessions, healthy}, s.ledger); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(g.ended, []string{"ref-1"}) {
		t.Errorf("ended at the other: %q", g.ended)
	}
	order, err := s.ledger.Order(t.Context(), id)
	if err != nil || order.Closed == nil || order.Closed.Ended || !order.Checkout.EndAt.After(s.clock()) {
		t.Errorf("%+v, to end at %s, %v", order.Closed, order.Checkout.EndAt, err)
	}
	if s.bindTo(t, id, "late") {
		t.Error("an event fulfils it")
	}
}

// TestUnsureClosing: an order stays closed while the gateway cannot be asked once more.
func TestUnsureClosing(t *testing.T) {
	s, g := newEndable(t)
	s.open(t, "10")
	g.onCancel = func() { g.readErr = gateway.ErrBusy }
	if order := s.closes(t, false); order.Closed.Ended {
		t.Errorf("%+v", order.Closed)
	}
	if s.bind(t, "late") {
		t.Error("an event fulfils it")
	}
	g.mu.Lock()
	g.readErr = nil
	g.mu.Unlock()
	s.pass(time.Hour)
	s.turn(t)
	if order := s.order(t); !order.Closed.Ended || len(g.ended) != 1 {
		t.Errorf("%+v, ended: %q", order.Closed, g.ended)
	}
}

// TestCloseWhereOrdersEndByThemselves: at a gateway that ends no order, a closed one stays
// payable there and has no checkout here.
func TestCloseWhereOrdersEndByThemselves(t *testing.T) {
	s := newShop(t)
	s.open(t, "10")
	s.gateway.pay("shop-order-1", "r1", "4") // a part keeps no order open
	order, err := s.Close(t.Context(), CloseRequest{OrderID: "order-1", Reason: "sold out"})
	if err != nil || order.State != "partial" || order.Paid != "4" {
		t.Errorf("%+v, %v", order, err)
	}
	if err != nil || !order.Closed.Ended || order.Checkout.Latest().Ended || !order.Checkout.EndAt.IsZero() {
		t.Errorf("%+v, %v", order, err)
	}
	if e := s.refuse(t, at("10")); e.Status != 410 || e.Code != "closed" {
		t.Errorf("%+v", e)
	}
}

// pausing is a gateway that makes an order only once it may.
type pausing struct {
	*endable
	making, may chan struct{}
}

func (g *pausing) Create(ctx context.Context, o gateway.NewOrder) (gateway.Checkout, error) {
	g.making <- struct{}{}
	<-g.may
	return g.endable.Create(ctx, o)
}

// TestCloseWhileACheckoutIsMade: of a checkout that is being made while the order is closed,
// nothing is left: the closing waits for it, and ends it.
func TestCloseWhileACheckoutIsMade(t *testing.T) {
	s, g := newEndable(t)
	late := &pausing{endable: g, making: make(chan struct{}), may: make(chan struct{})}
	s.account = &gateway.Account{Gateway: late, OrderPrefix: "shop-", Budget: time.Minute, Info: s.account.Info}
	s.Sessions = s.another(t)
	for name, sessions := range map[string]*Sessions{"here": s.Sessions, "in another configuration": s.another(t)} {
		id := "order-" + name
		opened := make(chan error)
		go func() {
			_, err := s.Open(t.Context(), Request{OrderID: id, Price: "10", Currency: "USD"})
			opened <- err
		}()
		<-late.making
		closed := make(chan error)
		go func() {
			order, err := sessions.Close(t.Context(), CloseRequest{OrderID: id, Reason: "sold out"})
			if err == nil && !order.Checkout.Latest().Ended {
				err = fmt.Errorf("its page is open: %+v", order.Checkout.Latest())
			}
			closed <- err
		}()
		late.may <- struct{}{}
		if err := <-opened; err != nil {
			t.Errorf("%s: opening: %v", name, err)
		}
		if err := <-closed; err != nil {
			t.Errorf("%s: closing: %v", name, err)
		}
		if _, err := s.Open(t.Context(), Request{OrderID: id, Price: "10", Currency: "USD"}); !isStatus(err, 410) {
			t.Errorf("%s: opened again: %v", name, err)
		}
	}
}

// TestCheckoutThatLostItsLock: an order at the gateway that a process made which had lost
// its lock, and which comes into the ledger after the order was closed, is ended, and no
// buyer is sent there.
func TestCheckoutThatLostItsLock(t *testing.T) {
	s, g := newEndable(t)
	s.open(t, "10")
	stale := s.order(t)
	s.closes(t, false)
	g.mu.Lock()
	late := g.add("shop-order-1-late", ledger.Terms{Price: "12", FiatID: "1"}, time.Time{})
	g.mu.Unlock()
	stale.Checkout.Generations = append(stale.Checkout.Generations, asMade(ledger.GatewayOrder{
		ID: late.id, Terms: ledger.Terms{Price: "12", FiatID: "1"}, CreatedAt: s.clock(),
	}, late.checkout()))
	if err := s.save(t.Context(), stale, "a late answer", s.ledger); !isStatus(err, 410) {
		t.Errorf("%v", err)
	}
	draft := stale
	draft.Checkout.Generations[1].Ref, draft.Checkout.Generations[1].CheckoutURL = "", ""
	if _, err := s.ledger.SaveDraft(t.Context(), draft, s.generations(t), "making it"); !errors.Is(err, ledger.ErrOrderClosed) {
		t.Errorf("a draft of a closed order: %v", err)
	}
	s.turn(t)
	if !slices.Equal(g.ended, []string{"ref-1", "ref-2"}) {
		t.Errorf("ended: %q", g.ended)
	}
	s.wantEnding(t, 0)
}

// TestCloseAmongMany: of processes that share a ledger some open an order, some close it, and
// in one its payment arrives. In the end it is closed, with its pages ended and its flag
// kept, or it is fulfilled.
func TestCloseAmongMany(t *testing.T) {
	server := postgrestest.Shared(t)
	schema := server.Schema(t)
	g := &endable{namer: new(namer)}
	info := gateway.Info{Title: "PayNamer", AccountID: fuzzAppID, Limits: DefaultInfo.Limits}
	var processes []*stand
	for range 2 {
		l, store := sharing(t, server.URL(), schema)
		s := &stand{shop: &shop{store: store, ledger: l}, account: &gateway.Account{Gateway: g, Budget: 20 * time.Second, Info: info}}
		var err error
		s.Sessions, err = New(Config{
			Account: s.account, Now: time.Now, Logger: zap.NewNop(),
			Ledger: func() (*ledger.Ledger, func(), error) { return l, func() {}, nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		s.findPause, s.makeAgain = time.Millisecond, time.Millisecond
		processes = append(processes, s)
	}
	for i := range 10 {
		id := fmt.Sprint("order-", i)
		order := ledger.OrderID{AppID: fuzzAppID, ID: id}
		if _, err := processes[0].Open(t.Context(), Request{OrderID: id, Price: "10", Currency: "USD"}); err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		var closed error
		var fulfils bool
		all.Go(func() {
			_, err := processes[1].Open(t.Context(), Request{OrderID: id, Price: "12", Currency: "USD"})
			if err != nil && !isStatus(err, 410) && !isStatus(err, 409) && !isStatus(err, 503) {
				t.Errorf("opening it: %v", err)
			}
		})
		all.Go(func() {
			for closed = Unavailable(nil); isStatus(closed, 503); { // it asks again
				_, closed = processes[0].Close(t.Context(), CloseRequest{OrderID: id, Reason: "sold out"})
			}
		})
		if i%2 == 0 {
			all.Go(func() { fulfils = processes[1].bindTo(t, order, "record-"+id) })
		}
		all.Wait()
		got, err := processes[1].ledger.Order(t.Context(), order)
		switch {
		case err != nil || fulfils != isStatus(closed, 409) || fulfils != (got.Closed == nil):
			t.Fatalf("an event fulfils it: %t, closing: %v, %+v, %v", fulfils, closed, got.Closed, err)
		case fulfils:
			continue
		case closed != nil || !got.Closed.Ended || processes[0].bindTo(t, order, "later-"+id):
			t.Errorf("%v, %+v", closed, got.Closed)
		}
		for _, made := range got.Checkout.Generations {
			if !made.Ended {
				t.Errorf("%+v can be paid", made)
			}
		}
	}
}
