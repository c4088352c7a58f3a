package purchase

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shopspring/decimal"
	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/gateway/ccpayment"
	"github.com/seed-338f6760/caddy-ccpayment/internal/checkout"
	"github.com/seed-338f6760/caddy-ccpayment/internal/confirm"
	"github.com/seed-338f6760/caddy-ccpayment/internal/relay"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
	"github.com/seed-338f6760/caddy-ccpayment/test/history"
)

const (
	orderID = "order-1"
	prefix  = "t-"            // of the order's id at CCPayment
	paid    = "10.0000009001" // what ten dollars are in coins, rounded up, is worth
	hookURL = "http://shop.example/hook"
	secret  = "test-secret"
	theRun  = 1 // the one of the process, in histories

	timeout = 10 * time.Second
	apiURL  = "http://127.0.0.1/ccpayment/v2"
	// longest is when a purchase is over at the latest: long after CCPayment has sent a
	// webhook for the last time.
	longest = 3 * time.Hour
)

// shop is the process of one run, with those around it.
type shop struct {
	t      testing.TB
	way    Way
	faults *Faults
	box    *sandbox.Sandbox
	api    *api
	ledger *ledger.Ledger
	store  ledger.Store // whose calls do not fail
	route  *relay.Route
	// sessions are the checkout's, and status is what the buyer's page asks.
	sessions *checkout.Sessions
	status   checkout.StatusReader
	app      *app
	sender   *sender

	// isShown: the buyer's page has said that the order is paid.
	isShown atomic.Bool
	// calls asks CCPayment's API as the merchant does.
	calls *client.Client

	mu         sync.Mutex
	links      map[string]bool // that the buyer got
	violations []string
}

func (s *shop) violated(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.violations = append(s.violations, fmt.Sprintf(format, args...))
}

// newShop makes the process of the n-th run over a ledger.
func newShop(t testing.TB, n int64, way Way, faults *Faults, l Ledger) *shop {
	t.Helper()
	s := &shop{t: t, way: way, faults: faults, store: l.Store, links: make(map[string]bool)}
	s.app, s.sender = &app{shop: s, applied: make(map[string]bool), heard: make(map[string]bool), flagged: make(map[string]bool)}, &sender{shop: s, open: make(map[string]bool)}
	appID := fmt.Sprintf("app-%d", n)
	var err error
	s.box, err = sandbox.New(sandbox.Options{AppID: appID, AppSecret: secret, WebhookURL: hookURL, HTTPClient: &http.Client{Transport: s.sender}})
	if err != nil {
		t.Fatal(err)
	}
	s.api = &api{shop: s}
	transport := client.NewHTTPClient()
	transport.Transport.(*http.Transport).RegisterProtocol("http", s.api)
	v2, err := ccpayment.New(
		ccpayment.Config{AppID: appID, AppSecret: secret, BaseURL: apiURL},
		gateway.OpenOptions{Timeout: timeout, HTTP: transport},
	)
	if err != nil {
		t.Fatal(err)
	}
	s.calls, err = client.New(
		client.Credentials{AppID: appID, AppSecret: secret}, client.WithBaseURL(apiURL), client.WithHTTPClient(transport),
	)
	if err != nil {
		t.Fatal(err)
	}
	account := &gateway.Account{Gateway: v2, Info: v2.Info(), OrderPrefix: prefix, WebhookURL: hookURL, Budget: 4 * timeout}
	s.ledger = ledger.New(over(l, faults), time.Now)
	s.serve(account, fmt.Sprintf("webhook-%d", n))
	return s
}

// serve makes the account's route, checkout and status page.
func (s *shop) serve(account *gateway.Account, name string) {
	replay := func(ctx context.Context, e ledger.Event, cause string) error {
		return s.ledger.Replay(ctx, e.Key, cause)
	}
	s.route = &relay.Route{
		Name: name, Account: account, Timeout: timeout, Wait: timeout,
		AccountOf: func(ledger.Event) (*gateway.Account, bool) { return account, true },
		Confirm: &confirm.Confirmer{
			Policy: confirm.Policy{HoldRisky: true}, Now: time.Now, Routes: func() map[string]bool { return map[string]bool{name: true} },
		},
		Replay: replay, Report: s.report, Now: time.Now,
	}
	if !s.way.PassesThrough {
		s.route.App = s.app
		s.route.Retry = ledger.Plan{First: 5 * time.Second, Max: time.Minute, GiveUp: 72 * time.Hour}
	}
	acquire := func() (*ledger.Ledger, func(), error) { return s.ledger, func() {}, nil }
	var err error
	s.sessions, err = checkout.New(checkout.Config{Account: account, Ledger: acquire, Replay: replay, Now: time.Now, Logger: zap.NewNop()})
	if err != nil {
		s.t.Fatal(err)
	}
	s.status = checkout.StatusReader{Account: account, Ledger: acquire}
}

// report notes what must not come of any fault.
func (s *shop) report(o relay.Outcome) {
	switch o.Kind {
	case relay.Panicked, relay.Undeliverable, relay.Damaged, relay.Held, relay.Pointless:
		s.violated("the attempt at %s came to kind %d: %v\n%s", o.EventID, o.Kind, o.Err, o.Stack)
	}
}

// play plays the purchase, and returns once everything has settled, or cannot any more.
func (s *shop) play() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var background sync.WaitGroup
	address := s.ownAddress()
	s.faults.count(true)
	background.Go(func() {
		s.ledger.Share(ctx, func() ledger.Session {
			return ledger.Session{Name: "test", Routes: []ledger.SessionRoute{{Name: s.route.Name, Confirms: true}}}
		}, func(error) {})
	})
	if s.route.App != nil {
		background.Go(func() { s.route.Run(ctx, s.ledger) })
	}
	if s.way.TopsUp {
		s.pay(sandbox.Payment{Address: address, Amount: decimal.New(10, 0)})
		s.isShown.Store(true) // there is no page
	} else if order, ok := s.click(); ok {
		s.click()
		s.pay(sandbox.Payment{OrderID: order})
		background.Go(s.watchPage)
	}
	s.settle()
	s.faults.count(false)
	cancel()
	background.Wait()
	s.sender.copies.Wait()
	s.box.Close()
}

// pay makes a payment arrive.
func (s *shop) pay(p sandbox.Payment) {
	if _, err := s.box.Pay(context.Background(), p); err != nil {
		s.violated("the buyer cannot pay: %v", err)
	}
}

// ownAddress returns the address of a user's own.
func (s *shop) ownAddress() string {
	address, err := s.calls.PermanentAddress(context.Background(), client.AddressRequest{ReferenceID: "user-1", Chain: "TRX"})
	if err != nil {
		s.t.Fatal(err)
	}
	return address.Address
}

// click has the buyer click on "pay" until there is a link, and returns the order's id at
// CCPayment.
func (s *shop) click() (id string, ok bool) {
	var last error
	for range 200 {
		session, err := s.sessions.Open(context.Background(), checkout.Request{
			OrderID: orderID, Price: "10", Currency: "USD", Product: "A book", NotifyURL: hookURL,
		})
		var failure *checkout.Error
		switch {
		case err == nil:
			s.mu.Lock()
			defer s.mu.Unlock()
			s.links[session.CheckoutURL] = true
			return session.ID, true
		case !errors.As(err, &failure) || failure.Status < http.StatusInternalServerError:
			s.violated("the buyer is told: %v", err)
			return "", false
		}
		last = err
		time.Sleep(5 * time.Second)
	}
	s.violated("the buyer gets no link: %v", last)
	return "", false
}

// watchPage asks for the order's status, as the buyer's page does, until the order is paid.
func (s *shop) watchPage() {
	for began := time.Now(); time.Since(began) < longest; {
		view, err := s.status.Read(context.Background(), orderID, checkout.LongestWait)
		if err == nil && view.Fulfilled {
			if view.State != "paid" {
				s.violated("the page says %+v", view)
			}
			s.isShown.Store(true)
			return
		}
		if err != nil {
			time.Sleep(2 * time.Second)
		}
	}
	s.violated("the buyer's page never says that the order is paid")
}

// settle waits until everything that was sent is acknowledged, every event is finished,
// and the buyer knows.
func (s *shop) settle() {
	pause := time.Second
	for began := time.Now(); time.Since(began) < longest; pause = min(2*pause, time.Minute) {
		time.Sleep(pause)
		synctest.Wait()
		s.faults.count(false) // while nothing else is done
		events, err := eventsOf(s.store, s.route.Name)
		s.faults.count(true)
		isOpen := func(e ledger.Event) bool { return !e.State.Finished() }
		if err == nil && s.isShown.Load() && s.sender.isDone() && !slices.ContainsFunc(events, isOpen) {
			return
		}
	}
	s.violated("it never settles: the page %t, the sender %t", s.isShown.Load(), s.sender.isDone())
}

// eventsOf returns a route's events.
func eventsOf(store ledger.Store, route string) ([]ledger.Event, error) {
	page, err := store.List(context.Background(), ledger.Query{Route: route, Limit: 1000})
	return page.Events, err
}

// judge closes the ledger, opens what is left, and looks for broken promises.
func (s *shop) judge(l Ledger) {
	if err := s.ledger.Close(); err != nil {
		s.violated("closing the ledger: %v", err)
	}
	left, err := l.Reopen()
	if err != nil {
		s.violated("opening the ledger that is left: %v", err)
		return
	}
	defer func() {
		if err := left.Close(); err != nil {
			s.violated("closing what was left: %v", err)
		}
	}()
	h := history.History{
		PassesThrough: s.way.PassesThrough, Shared: true, Cuts: s.faults.hits, Sent: s.sender.sent,
		Attempts: s.app.attempts, Applied: s.app.appliedOnce, Paid: []string{orderID},
	}
	if h.Events, err = eventsOf(left, s.route.Name); err != nil {
		s.violated("reading the events: %v", err)
	}
	if s.way.TopsUp {
		h.Paid = nil
		if want := "10"; s.app.credited.String() != want {
			s.violated("%s was credited, and %s paid", s.app.credited, want)
		}
	} else {
		h.Orders = []ledger.Order{s.judgeOrder(left)}
	}
	s.judgeFlags(left, h.Events)
	for _, v := range history.Check(h).Violations {
		s.violated("not kept: %s: %s", v.Promise, v.Text)
	}
}

// judgeFlags looks whether those events are bound to a flag that told the app to fulfil or
// to credit, and no others: what is not bound another event may tell, too.
func (s *shop) judgeFlags(left ledger.Store, events []ledger.Event) {
	for _, e := range events {
		holds, err := left.Holds(context.Background(), e.Key, e.Flags())
		if err != nil {
			s.violated("reading the flags of %s: %v", e.EventID(), err)
		}
		if is := slices.Contains(holds, true); is != s.app.flagged[e.EventID()] {
			s.violated("%s of %s is bound to a flag: %t, and told the app so: %t", e.Status, e.Record.ID, is, s.app.flagged[e.EventID()])
		}
	}
}

// judgeOrder looks at the order that is left, and returns it.
func (s *shop) judgeOrder(left ledger.Store) ledger.Order {
	order, err := left.LoadOrder(context.Background(), s.route.Account.OrderIDs(orderID)[0])
	if err != nil {
		s.violated("reading the order: %v", err)
	}
	if len(s.links) != 1 || s.api.made != 1 {
		s.violated("CCPayment has %d orders, and the buyer got %d links", s.api.made, len(s.links))
	}
	if view := checkout.Status(order, time.Now()); view.State != "paid" || view.AmountPaid != paid || !view.Fulfilled {
		s.violated("in the end the status is %+v", view)
	}
	if s.app.credited.Sign() != 0 {
		s.violated("a payment of an order was credited")
	}
	return order
}
