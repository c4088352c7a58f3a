package checkout

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/settle"
	"github.com/seed-338f6760/caddy-ccpayment/store/bolt"
)

// invoice is an order at a namer.
type invoice struct {
	id, ref  string // ours, and the gateway's
	order    gateway.Order
	unlisted int // how often it is still not found
}

// namer is a gateway that names orders itself, and makes one for each call.
type namer struct {
	fakeGateway
	invoices []*invoice
	calls    []string // the id of each call
	finds    int

	// What becomes of the next call.
	before, after error // that it fails with, before and after the order is made
	dies          bool  // the process dies with it
	unlisted      int   // how often the order is not found
	findErr       error // of each look
	readErr       error // of each reading of an order
}

// killed is the panic of a process that dies.
const killed = "the process is killed"

func (g *namer) Create(_ context.Context, o gateway.NewOrder) (gateway.Checkout, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	before, after, dies, unlisted := g.before, g.after, g.dies, g.unlisted
	g.before, g.after, g.dies, g.unlisted = nil, nil, false, 0
	g.calls = append(g.calls, o.ID)
	if before != nil {
		return gateway.Checkout{}, before
	}
	made := g.add(o.ID, o.Terms.Terms, o.Expires)
	made.unlisted = unlisted
	if dies {
		panic(killed)
	}
	if after != nil {
		return gateway.Checkout{}, after
	}
	return made.checkout(), nil
}

func (g *namer) add(id string, terms ledger.Terms, expires time.Time) *invoice {
	made := &invoice{id: id, ref: fmt.Sprint("ref-", len(g.invoices)+1)}
	made.order = gateway.Order{
		Ref: made.ref, Currency: "USD", Terms: terms, CheckoutURL: "https://pay.example/" + made.ref,
		Due: settle.Order{Due: decimal.RequireFromString(terms.Price), ExpiresAt: expires},
	}
	g.invoices = append(g.invoices, made)
	return made
}

func (i *invoice) found() gateway.FoundOrder {
	return gateway.FoundOrder{Ref: i.ref, URL: i.order.CheckoutURL, ExpiresAt: i.order.Due.ExpiresAt}
}

func (i *invoice) checkout() gateway.Checkout {
	return gateway.Checkout{Ref: i.ref, URL: i.order.CheckoutURL, ExpiresAt: i.order.Due.ExpiresAt}
}

// Find implements [gateway.Finder].
func (g *namer) Find(_ context.Context, id string, _ ledger.Terms) (found []gateway.FoundOrder, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.finds++; g.findErr != nil {
		return nil, g.findErr
	}
	for _, made := range g.invoices {
		switch {
		case made.id != id:
		case made.unlisted > 0:
			made.unlisted--
		default:
			one := made.found()
			if len(found) == 0 {
				one.ExpiresAt = time.Time{} // which it does not keep
			}
			found = append(found, one)
		}
	}
	if len(found) == 0 {
		err = fmt.Errorf("looking for %s: %w", id, gateway.ErrNotFound)
	}
	return found, err
}

func (g *namer) Order(_ context.Context, id string, made *ledger.GatewayOrder) (gateway.Order, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.readErr != nil {
		return gateway.Order{}, g.readErr
	}
	for _, i := range g.invoices {
		if made != nil && made.Ref == i.ref || made == nil && id == i.id {
			order := i.order
			order.Payments = slices.Clone(order.Payments)
			return order, nil
		}
	}
	return gateway.Order{}, gateway.ErrNotFound
}

// pays adds a payment to an invoice, by the number of its making.
func (g *namer) pays(n int, amount string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	order := &g.invoices[n-1].order
	order.Payments = append(order.Payments, gateway.OrderPayment{Payment: settle.Payment{
		RecordID: fmt.Sprintf("record-%d-%d", n, len(order.Payments)), Amount: decimal.RequireFromString(amount), Finished: true, Clean: true,
	}})
}

// stand is a shop at a namer, with a clock of its own.
type stand struct {
	*shop
	account *gateway.Account
	gateway *namer
	mu      sync.Mutex
	now     time.Time
}

func (s *stand) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *stand) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

func newStand(t *testing.T) *stand {
	t.Helper()
	store, err := bolt.Open(filepath.Join(t.TempDir(), "ledger.db"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := &stand{shop: &shop{store: store}, gateway: new(namer), now: time.Date(2026, 3, 12, 8, 30, 0, 0, time.UTC)}
	s.ledger = ledger.New(store, s.clock)
	t.Cleanup(func() { _ = s.ledger.Close() })
	s.account = &gateway.Account{
		Gateway: s.gateway, OrderPrefix: "shop-", Budget: time.Minute,
		Info: gateway.Info{Title: "PayNamer", AccountID: fuzzAppID, Limits: DefaultInfo.Limits},
	}
	s.Sessions = s.another(t)
	return s
}

// another returns the sessions of another process, or of this one after a crash.
func (s *stand) another(t *testing.T) *Sessions {
	t.Helper()
	sessions, err := New(Config{
		Account: s.account,
		Ledger:  func() (*ledger.Ledger, func(), error) { return s.ledger, func() {}, nil },
		Now:     s.clock, Logger: zap.NewNop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	sessions.findPause = time.Millisecond
	return sessions
}

// dies opens a session in a process that dies meanwhile, and goes on in another one.
func (s *stand) dies(t *testing.T, price string) {
	t.Helper()
	func() {
		defer func() {
			if p := recover(); fmt.Sprint(p)[:len(killed)] != killed {
				t.Fatalf("it did not die: %v", p)
			}
		}()
		_, _ = s.Open(t.Context(), Request{OrderID: "order-1", Price: price, Currency: "USD"})
	}()
	s.Sessions = s.another(t)
}

// at is a request of the order, at a price.
func at(price string) Request { return Request{Price: price, Currency: "USD"} }

// wantMade fails the test unless so many orders are at the gateway.
func (s *stand) wantMade(t *testing.T, n int) {
	t.Helper()
	s.gateway.mu.Lock()
	defer s.gateway.mu.Unlock()
	if len(s.gateway.invoices) != n {
		t.Fatalf("%d orders were made by %q, want %d", len(s.gateway.invoices), s.gateway.calls, n)
	}
}

// wantInDoubt fails the test unless nobody can say whether the order was made.
func (s *stand) wantInDoubt(t *testing.T) {
	t.Helper()
	if e := s.refuse(t, at("10")); e.Status != 504 || e.Code != "unreachable" || !errors.Is(e.Cause, gateway.ErrOutcomeUnknown) {
		t.Fatalf("%+v", e)
	}
}

func (s *stand) generations(t *testing.T) []ledger.GatewayOrder {
	t.Helper()
	order, err := s.ledger.Order(t.Context(), ledger.OrderID{AppID: fuzzAppID, ID: "shop-order-1"})
	if err != nil {
		t.Fatal(err)
	}
	return order.Checkout.Generations
}

// TestNamedOrder: an order has one checkout also where the gateway makes one for each
// call, and the ledger has the gateway's id of it.
func TestNamedOrder(t *testing.T) {
	s := newStand(t)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { s.open(t, "10") })
	}
	all.Wait()
	s.wantMade(t, 1)
	if again := s.open(t, "10"); again.IsNew || again.CheckoutURL != "https://pay.example/ref-1" || again.Ref != "ref-1" || again.ID != "shop-order-1" {
		t.Errorf("%+v", again)
	}
	if s.gateway.finds > 0 {
		t.Errorf("an order that nobody made was looked for %d times", s.gateway.finds)
	}
}

// TestLostAnswer: an order of which the answer was lost is looked for before another one
// is made.
func TestLostAnswer(t *testing.T) {
	lost := fmt.Errorf("timeout: %w", gateway.ErrOutcomeUnknown)
	t.Run("Listed", func(t *testing.T) {
		s := newStand(t)
		s.gateway.after = lost
		if session := s.open(t, "10"); !session.IsNew || session.Ref != "ref-1" {
			t.Errorf("%+v", session)
		}
		s.wantMade(t, 1)
	})
	t.Run("ListedAtTheSecondLook", func(t *testing.T) {
		s := newStand(t)
		s.gateway.after, s.gateway.unlisted = errors.New("the connection broke"), 1
		s.open(t, "10")
		s.wantMade(t, 1)
	})
	t.Run("ListedLater", func(t *testing.T) {
		s := newStand(t)
		s.gateway.after, s.gateway.unlisted = lost, 4
		s.wantInDoubt(t)
		s.Sessions = s.another(t)
		s.wantInDoubt(t)
		if session := s.open(t, "10"); session.IsNew || session.CheckoutURL != "https://pay.example/ref-1" {
			t.Errorf("%+v", session)
		}
		s.wantMade(t, 1)
	})
	t.Run("NeverMade", func(t *testing.T) {
		s := newStand(t)
		s.gateway.before = lost
		s.wantInDoubt(t)
		s.pass(59 * time.Second)
		s.wantInDoubt(t)
		s.pass(2 * time.Second)
		if session := s.open(t, "10"); !session.IsNew {
			t.Errorf("%+v", session)
		}
		if s.wantMade(t, 1); !slices.Equal(s.gateway.calls, []string{"shop-order-1", "shop-order-1"}) {
			t.Errorf("called with %q", s.gateway.calls)
		}
	})
	t.Run("NotToBeSeen", func(t *testing.T) {
		s := newStand(t)
		s.gateway.after, s.gateway.findErr = lost, errors.New("no route")
		s.wantInDoubt(t)
		s.pass(time.Hour)
		if e := s.refuse(t, at("10")); e.Status != 504 || e.Code != "unreachable" {
			t.Errorf("%+v", e)
		}
		s.gateway.findErr = nil
		s.open(t, "10")
		s.wantMade(t, 1)
	})
}

// TestKilledBetween: a process that dies between its commit and the call, or the call and
// its commit, leaves what the next one finds.
func TestKilledBetween(t *testing.T) {
	t.Run("BeforeTheCall", func(t *testing.T) {
		s := newStand(t)
		// As if it had died after its commit.
		order := ledger.Order{OrderID: ledger.OrderID{AppID: fuzzAppID, ID: "shop-order-1"}, OwnID: "order-1", Checkout: &ledger.Checkout{
			Terms: ledger.Terms{Price: "10", FiatID: "1"}, Symbol: "USD",
			Generations: []ledger.GatewayOrder{{ID: "shop-order-1", Terms: ledger.Terms{Price: "10", FiatID: "1"}}},
		}}
		if _, err := s.ledger.SaveDraft(t.Context(), order, nil, "a checkout"); err != nil {
			t.Fatal(err)
		}
		s.wantInDoubt(t)
		s.wantMade(t, 0)
		s.pass(time.Minute)
		s.open(t, "10")
		s.wantMade(t, 1)
		if made := s.generations(t); len(made) != 1 || made[0].ID != "shop-order-1" || made[0].Ref != "ref-1" || made[0].Ended {
			t.Errorf("%+v", made)
		}
	})
	t.Run("AfterTheCall", func(t *testing.T) {
		s := newStand(t)
		s.gateway.dies = true
		s.dies(t, "10")
		if session := s.open(t, "10"); session.IsNew || session.Ref != "ref-1" {
			t.Errorf("%+v", session)
		}
		s.wantMade(t, 1)
	})
	t.Run("AndTheTermsChange", func(t *testing.T) {
		s := newStand(t)
		s.gateway.dies, s.gateway.unlisted = true, 2
		s.dies(t, "10")
		if e := s.refuse(t, at("12")); e.Status != 504 || e.Code != "unreachable" {
			t.Fatalf("%+v", e)
		}
		s.gateway.pays(1, "4")
		if session := s.open(t, "12"); !session.IsNew || session.Ref != "ref-2" || session.Price != "8" {
			t.Errorf("%+v", session)
		}
		s.wantMade(t, 2)
		if made := s.generations(t); len(made) != 2 || made[0].Ref != "ref-1" || made[0].Terms.Price != "10" || made[1].Terms.Price != "8" {
			t.Errorf("%+v", made)
		}
	})
	t.Run("AndThePaymentCounts", func(t *testing.T) {
		s := newStand(t)
		s.gateway.dies = true
		s.dies(t, "10")
		s.gateway.pays(1, "10")
		if e := s.refuse(t, at("10")); e.Code != "paid" {
			t.Errorf("%+v", e)
		}
		s.wantMade(t, 1)
	})
}

// TestTwins: where the gateway has made two orders of a call after all, both are known,
// and the payments of both count.
func TestTwins(t *testing.T) {
	s := newStand(t)
	s.gateway.after, s.gateway.unlisted = gateway.ErrOutcomeUnknown, 6
	s.wantInDoubt(t)
	s.pass(2 * time.Minute)
	s.gateway.after, s.gateway.unlisted = gateway.ErrOutcomeUnknown, 2 // it is listed later than anybody waits
	s.wantInDoubt(t)
	s.wantMade(t, 2)
	s.open(t, "10")
	made := s.generations(t)
	if len(made) != 2 || made[0].Ref == made[1].Ref || made[0].ID != "shop-order-1/"+made[0].Ref || made[1].ID != "shop-order-1" {
		t.Fatalf("%+v", made)
	}
	s.gateway.pays(1, "4")
	s.gateway.pays(2, "5")
	if session := s.open(t, "12"); session.Price != "3" {
		t.Errorf("%+v", session)
	}
	s.gateway.pays(1, "6")
	if e := s.refuse(t, at("11")); e.Code != "paid" {
		t.Errorf("%+v", e)
	}
}

// TestLateAnswer: an answer that comes after another process has made the order once more
// does not take the other's order from the ledger.
func TestLateAnswer(t *testing.T) {
	s := newStand(t)
	s.open(t, "10")
	order, err := s.ledger.Order(t.Context(), ledger.OrderID{AppID: fuzzAppID, ID: "shop-order-1"})
	if err != nil {
		t.Fatal(err)
	}
	late := order.Checkout.Generations[0]
	late.Ref, late.CheckoutURL = "ref-2", "https://pay.example/ref-2"
	for range 2 {
		order.Checkout.Generations = []ledger.GatewayOrder{late}
		if err := s.ledger.SaveCheckout(t.Context(), order, "a late answer"); err != nil {
			t.Fatal(err)
		}
	}
	if made := s.generations(t); len(made) != 2 || made[0].Ref != "ref-1" || made[1].Ref != "ref-2" || made[0].ID == made[1].ID {
		t.Errorf("%+v", made)
	}
	// And neither does one that has only been begun.
	order.Checkout.Generations = []ledger.GatewayOrder{{ID: "shop-order-1", Terms: late.Terms}}
	if err := s.ledger.SaveCheckout(t.Context(), order, "a refusal"); err != nil {
		t.Fatal(err)
	}
	if made := s.generations(t); made[len(made)-1].Ref != "ref-2" {
		t.Errorf("%+v", made)
	}
	if _, err := s.ledger.SaveDraft(t.Context(), order, nil, "a draft"); !errors.Is(err, ledger.ErrChanged) {
		t.Errorf("a draft of an order that has one: %v", err)
	}
}

// TestRefusedDraft: an order that the gateway refuses to make was not made, so that the
// next call comes at once, with the same id, whatever it costs by then.
func TestRefusedDraft(t *testing.T) {
	s := newStand(t)
	for i, refusal := range []error{gateway.ErrBusy, gateway.WrongField("product", "it is odd"), &gateway.RefusedError{Code: "1", Err: errors.New("no")}} {
		s.gateway.before = refusal
		if e := s.refuse(t, at(fmt.Sprint(20+i))); !errors.Is(e, refusal) {
			t.Errorf("%+v", e)
		}
	}
	s.open(t, "10")
	s.wantMade(t, 1)
	if made := s.generations(t); len(made) != 1 || made[0].ID != "shop-order-1" || s.gateway.finds > 0 {
		t.Errorf("%+v, looked for %d times", made, s.gateway.finds)
	}
}
