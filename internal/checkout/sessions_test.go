package checkout

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/settle"
	"github.com/seed-338f6760/caddy-ccpayment/store/bolt"
)

// records is a gateway that makes no checkouts.
type records struct{ gateway.Gateway }

// fakeGateway makes orders in USD.
type fakeGateway struct {
	records

	mu     sync.Mutex
	orders map[string]gateway.Order
	made   []gateway.NewOrder
	err    error // of making the next order
	lost   bool  // the next order is made all the same
	// onCreate, if set, is called first.
	onCreate func()
}

func (g *fakeGateway) Key(purpose string) []byte {
	return gateway.DeriveKey("secret", fuzzAppID, purpose)
}

func (g *fakeGateway) Terms(_ context.Context, p gateway.Price) (gateway.Terms, error) {
	if p.Currency != "USD" {
		return gateway.Terms{}, gateway.WrongField("currency", "there is only USD")
	}
	amount, err := gateway.ParseAmount(p.Amount, fiatDecimals, "fiat")
	return gateway.Terms{Terms: ledger.Terms{Price: amount.String(), FiatID: "1"}, Amount: amount, Symbol: "USD", Fiat: true, Decimals: fiatDecimals}, err
}

func (g *fakeGateway) Create(_ context.Context, o gateway.NewOrder) (gateway.Checkout, error) {
	if g.onCreate != nil {
		g.onCreate()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	err := g.err
	if g.err = nil; err != nil && !g.lost {
		return gateway.Checkout{}, err
	}
	if _, taken := g.orders[o.ID]; taken {
		return gateway.Checkout{}, &gateway.RefusedError{Code: "11011", Err: gateway.ErrDuplicate}
	}
	expires := o.Expires
	if expires.IsZero() {
		expires = o.Now.Add(time.Hour)
	}
	page := "https://pay.example/" + o.ID
	g.orders[o.ID] = gateway.Order{
		Due: settle.Order{Due: o.Amount, ExpiresAt: expires}, Currency: "USD", Terms: o.Terms.Terms, CheckoutURL: page,
	}
	g.made = append(g.made, o)
	return gateway.Checkout{URL: page, ExpiresAt: expires}, err
}

func (g *fakeGateway) Order(_ context.Context, id string, _ *ledger.GatewayOrder) (gateway.Order, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	order, ok := g.orders[id]
	if !ok {
		return order, &gateway.RefusedError{Code: "11003", Err: gateway.ErrNotFound}
	}
	return order, nil
}

func (g *fakeGateway) pay(id, record, amount string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	order := g.orders[id]
	order.Payments = append(order.Payments, gateway.OrderPayment{Payment: settle.Payment{
		RecordID: record, Amount: decimal.RequireFromString(amount), ArrivedAt: time.Now(), Finished: true, Clean: true,
	}})
	g.orders[id] = order
}

// shop is the sessions of an account at a fake gateway.
type shop struct {
	*Sessions
	gateway  *fakeGateway
	ledger   *ledger.Ledger
	store    ledger.Store
	replayed []string
}

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{gateway: &fakeGateway{orders: make(map[string]gateway.Order)}}
	info := gateway.Info{
		Title: "PayFake", AccountID: fuzzAppID, Limits: DefaultInfo.Limits,
		Statuses: []gateway.Status{{Name: "Success", Rank: 1, Stage: gateway.Success}},
	}
	store, err := bolt.Open(filepath.Join(t.TempDir(), "ledger.db"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.store, s.ledger = store, ledger.New(store, time.Now)
	t.Cleanup(func() { _ = s.ledger.Close() })
	s.Sessions, err = New(Config{
		Account: &gateway.Account{Gateway: s.gateway, Info: info, OrderPrefix: "shop-", Budget: time.Minute},
		Ledger:  func() (*ledger.Ledger, func(), error) { return s.ledger, func() {}, nil },
		Replay: func(_ context.Context, e ledger.Event, cause string) error {
			s.replayed = append(s.replayed, e.Key.Record.ID+": "+cause)
			return nil
		},
		Now: time.Now, Logger: zap.NewNop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *shop) open(t *testing.T, price string) Session {
	t.Helper()
	session, err := s.Open(t.Context(), Request{OrderID: "order-1", Price: price, Currency: "USD"})
	if err != nil {
		t.Fatalf("at %s: %v", price, err)
	}
	return session
}

// refuse opens a session and returns the error.
func (s *shop) refuse(t *testing.T, r Request) *Error {
	t.Helper()
	if r.OrderID == "" {
		r.OrderID = "order-1"
	}
	session, err := s.Open(t.Context(), r)
	var refused *Error
	if !errors.As(err, &refused) {
		t.Fatalf("%+v: %+v, %v", r, session, err)
	}
	return refused
}

// TestNoCheckouts: an account whose gateway makes no checkouts has no sessions.
func TestNoCheckouts(t *testing.T) {
	_, err := New(Config{Account: &gateway.Account{Gateway: records{}, Info: gateway.Info{Title: "PayFake"}}})
	if err == nil || err.Error() != "PayFake makes no checkouts" {
		t.Error(err)
	}
}

// TestCase08_NoID: behind some prefixes there is no order id at all.
func TestCase08_NoID(t *testing.T) {
	_, err := New(Config{Account: &gateway.Account{
		Gateway: &fakeGateway{}, Info: gateway.Info{Title: "PayFake", Limits: DefaultInfo.Limits}, OrderPrefix: strings.Repeat("p", 48),
	}})
	if err == nil || err.Error() != "order_prefix has 48 characters, and PayFake takes order ids of at most 48" {
		t.Error(err)
	}
}

// TestOneSession: an order has one checkout, however often and at once it is
// asked for, and for one caller at most it is new.
func TestOneSession(t *testing.T) {
	s := newShop(t)
	var all sync.WaitGroup
	var mu sync.Mutex
	isNew := 0
	for range 50 {
		all.Go(func() {
			session := s.open(t, "10")
			mu.Lock()
			defer mu.Unlock()
			if session.IsNew {
				isNew++
			}
			if session.CheckoutURL != "https://pay.example/shop-order-1" || session.OrderID != "order-1" || session.Price != "10" {
				t.Errorf("%+v", session)
			}
			if id, ok := s.ReadStatusToken(session.Token); !ok || id != "order-1" {
				t.Errorf("the token opens %q, %t", id, ok)
			}
		})
	}
	all.Wait()
	if len(s.gateway.made) != 1 || isNew != 1 || len(s.locks.locks) != 0 {
		t.Errorf("%d orders made, %d are new, %d locks stay", len(s.gateway.made), isNew, len(s.locks.locks))
	}
}

// TestOpenMeanwhile: who asks for what is open does not wait for a call that makes something
// else of the order; and who has waited for one that made the same has made nothing.
func TestOpenMeanwhile(t *testing.T) {
	s := newShop(t)
	made := s.open(t, "10")
	isMaking, goesOn := make(chan struct{}), make(chan struct{})
	s.gateway.onCreate = func() { isMaking <- struct{}{}; <-goesOn }
	limits, err := ParseLimit("1/1h", time.ParseDuration)
	if err != nil {
		t.Fatal(err)
	}
	dearer := func(client string) Request {
		return Request{OrderID: "order-1", Price: "12", Currency: "USD", Limits: limits, Client: client}
	}
	var all sync.WaitGroup
	all.Go(func() {
		if session, err := s.Open(t.Context(), dearer("first")); err != nil || !session.IsNew {
			t.Errorf("the first call: %+v, %v", session, err)
		}
	})
	<-isMaking
	if again := s.open(t, "10"); again.IsNew || again.CheckoutURL != made.CheckoutURL {
		t.Errorf("meanwhile: %+v", again)
	}
	all.Go(func() {
		if session, err := s.Open(t.Context(), dearer("second")); err != nil || session.IsNew {
			t.Errorf("the second call: %+v, %v", session, err)
		}
	})
	processtest.Until(t, "the second has come to the order's lock", func() bool {
		s.locks.mu.Lock()
		defer s.locks.mu.Unlock()
		return s.locks.locks["order-1"].users == 2
	})
	s.gateway.onCreate = nil
	close(goesOn)
	all.Wait()
	if _, err := s.Open(t.Context(), Request{OrderID: "order-2", Price: "10", Currency: "USD", Limits: limits, Client: "second"}); err != nil {
		t.Errorf("the second client's own order: %v", err)
	}
	if len(s.gateway.made) != 3 {
		t.Errorf("%d orders were made", len(s.gateway.made))
	}
}

// TestFirstMistake: of several mistakes the first is reported.
func TestFirstMistake(t *testing.T) {
	s := newShop(t)
	far := strings.Repeat("x", 200)
	wrong := Request{
		OrderID: "an\nid", Price: "0", Currency: "EUR", Expires: 11 * 24 * time.Hour,
		ReturnURL: "https://shop.example/" + far, CloseURL: "ftp://shop.example", NotifyURL: "https://a@shop.example",
	}
	for _, step := range []struct {
		cause string
		mend  func()
	}{
		{`order_id: "an\nid" has a control character, such as a line break`, func() { wrong.OrderID = strings.Repeat("ä", 129) }},
		{"order_id: it has 129 characters, and may have 128", func() { wrong.OrderID = "order-1\ufffd" }},
		{"order_id: \"order-1\ufffd\" is not whole in UTF-8", func() { wrong.OrderID = "order-1" }},
		{"currency: there is only USD", func() { wrong.Currency = "USD" }},
		{"price: it must be more than zero", func() { wrong.Price = "1" }},
		{"expires_in: it must be at most 240h0m0s", func() { wrong.Expires = time.Hour }},
		{"return_url: it has 221 characters; PayFake takes at most 150", func() { wrong.ReturnURL = "" }},
		{`close_url: "ftp://shop.example" is not an http or https address`, func() { wrong.CloseURL = "" }},
		{`notify_url: "https://a@shop.example" is not an http or https address`, func() { wrong.NotifyURL = "" }},
	} {
		e := s.refuse(t, wrong)
		if e.Status != http.StatusBadGateway || e.Code != "bad_terms" || e.Cause.Error() != step.cause {
			t.Errorf("%d %s: %v, want %s", e.Status, e.Code, e.Cause, step.cause)
		}
		step.mend()
	}
	wrong.Product, wrong.BuyerEmail = strings.Repeat("ä", 130), "nobody"
	wrong.ReturnURL = "https://shop.example/thanks"
	if _, err := s.Open(t.Context(), wrong); err != nil {
		t.Fatal(err)
	}
	made := s.gateway.made[0]
	if made.Product != strings.Repeat("ä", 120) || made.BuyerEmail != "" || !strings.HasPrefix(made.ReturnURL, "https://shop.example/thanks?t=") {
		t.Errorf("%+v", made)
	}
}

// TestGatewayErrors: a gateway's errors in making an order become the same errors of
// ours, whichever gateway it is.
func TestGatewayErrors(t *testing.T) {
	for _, c := range []struct {
		err  error
		want Error
	}{
		{gateway.WrongField("product", "it is odd"), Error{Status: 502, Code: "bad_terms", Text: "the order's terms cannot be used"}},
		{fmt.Errorf("making: %w", gateway.ErrOutcomeUnknown), Error{
			Status: 504, Code: "unreachable", Text: "PayFake did not answer: asked again, the order is found or made",
		}},
		{gateway.ErrBusy, Error{Status: 503, Code: "busy", Text: "PayFake is busy: try again in a moment", RetryAfter: 5 * time.Second}},
		{&gateway.RefusedError{Code: "11004", Err: gateway.ErrBusy}, Error{
			Status: 503, Code: "busy", Text: "PayFake is busy: try again in a moment", RetryAfter: 5 * time.Second, GatewayCode: "11004",
		}},
		{&gateway.RefusedError{Code: "12003", Hint: "enable the API", Err: errors.New("no")}, Error{
			Status: 502, Code: "refused", Text: "the order could not be made at PayFake", GatewayCode: "12003",
		}},
		{&gateway.RefusedError{Code: "19999", Hint: "ask", Err: fmt.Errorf("19999: odd: %w", gateway.ErrOutcomeUnknown)}, Error{ // case 29
			Status: 504, Code: "unreachable", Text: "PayFake gave no clear answer: asked again, the order is found or made", GatewayCode: "19999",
		}},
		{errors.New("no route"), Error{Status: 504, Code: "unreachable", Text: "PayFake could not be reached"}},
	} {
		s := newShop(t)
		s.gateway.err = c.err
		got := *s.refuse(t, Request{Price: "10", Currency: "USD"})
		if !errors.Is(got.Cause, c.err) {
			t.Errorf("%v: the cause is %v", c.err, got.Cause)
		}
		if c.want.Code == "refused" && got.Cause.Error() != "no (enable the API)" {
			t.Errorf("%v: the cause is %v", c.err, got.Cause)
		}
		if got.Cause = nil; got != c.want {
			t.Errorf("%v: %+v, want %+v", c.err, got, c.want)
		}
	}
}

// TestLostOrder: an order that the gateway made and the ledger never heard of is
// found, if it is the one that is asked for.
func TestLostOrder(t *testing.T) {
	s := newShop(t)
	s.gateway.err, s.gateway.lost = gateway.ErrOutcomeUnknown, true
	s.refuse(t, Request{Price: "10", Currency: "USD"})
	e := s.refuse(t, Request{Price: "11", Currency: "USD"})
	if e.Status != http.StatusConflict || e.Code != "taken" || e.Text != "the order's id is taken at PayFake by an order with other terms" {
		t.Errorf("%+v", e)
	}
	if session := s.open(t, "10"); session.IsNew || session.CheckoutURL != "https://pay.example/shop-order-1" || session.ExpiresAt.IsZero() {
		t.Errorf("%+v", session)
	}

	s = newShop(t)
	s.gateway.err = &gateway.RefusedError{Code: "11011", Err: gateway.ErrDuplicate}
	e = s.refuse(t, Request{Price: "10", Currency: "USD"})
	if e.Code != "taken" || e.Text != "the order's id is taken at PayFake by something else" {
		t.Errorf("%+v", e)
	}
}

// TestRest: a partly paid order gets a session for the rest. An order whose price falls
// to what is paid is paid, and the event of a payment is replayed to the app.
func TestRest(t *testing.T) {
	s := newShop(t)
	first := s.open(t, "10")
	s.gateway.pay(first.ID, "record-1", "4")
	rest := s.open(t, "12")
	if !rest.IsNew || rest.Price != "8" || !strings.HasPrefix(rest.ID, "shop-order-1-") {
		t.Errorf("%+v", rest)
	}
	id := ledger.OrderID{AppID: fuzzAppID, ID: "shop-order-1"}
	event := ledger.Event{
		Key:            ledger.Key{Record: ledger.Record{Route: "default", AppID: fuzzAppID, Type: "Payment", ID: "record-1"}, Status: "success", Risk: ledger.NotRisky},
		GatewayOrderID: id.ID, OrderID: "order-1", ReceivedAt: time.Now(), Status: "Success",
	}
	if _, err := s.ledger.Accept(t.Context(), event, ""); err != nil {
		t.Fatal(err)
	}
	err := s.store.UpdateOrder(t.Context(), id, func(o *ledger.Order) {
		o.State, o.Events = "underpaid", []ledger.OrderEvent{{
			Route: "default", Type: "Payment", RecordID: "record-1", Status: "success", Risk: ledger.NotRisky,
		}}
	})
	if err != nil {
		t.Fatal(err)
	}
	// An event that is still to be delivered for the first time finds the new
	// price by itself; one that was delivered, or will be again, does not.
	for _, price := range []string{"4", "3.5"} {
		if e := s.refuse(t, Request{Price: price, Currency: "USD"}); e.Code != "paid" || e.Status != http.StatusConflict {
			t.Errorf("%+v", e)
		}
		if err := s.ledger.Replay(t.Context(), event.Key, "as if it had failed"); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.replayed) != 1 || s.replayed[0] != "record-1: the price is 3.5 USD now, which is paid" {
		t.Errorf("replayed: %q", s.replayed)
	}
}

// TestRestIsMadeUpFor: where Caddy has saved a lower price, and ended before the replay, the next
// click has the event replayed, and those after it do not.
func TestRestIsMadeUpFor(t *testing.T) {
	s := newShop(t)
	first := s.open(t, "10")
	s.gateway.pay(first.ID, "record-1", "4")
	id := ledger.OrderID{AppID: fuzzAppID, ID: "shop-order-1"}
	event := ledger.Event{
		Key:            ledger.Key{Record: ledger.Record{Route: "default", AppID: fuzzAppID, Type: "Payment", ID: "record-1"}, Status: "success", Risk: ledger.NotRisky},
		GatewayOrderID: id.ID, OrderID: "order-1", ReceivedAt: time.Now(), Status: "Success",
	}
	err := s.store.UpdateOrder(t.Context(), id, func(o *ledger.Order) {
		o.Checkout.Terms.Price = "4"
		o.State, o.Events = "partial", []ledger.OrderEvent{{
			Route: "default", Type: "Payment", RecordID: "record-1", Status: "success", Risk: ledger.NotRisky,
		}}
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, due := range []string{"10", "4"} {
		change := ledger.Change{
			Event: event, Confirmation: &ledger.Confirmation{OrderState: "partial", OrderDue: due, OrderPaid: "4", OrderCurrency: "USD"},
			Transitions: []ledger.Transition{
				{At: event.ReceivedAt, State: ledger.Delivering, Attempt: 1, Seq: 1},
				{At: event.ReceivedAt, State: ledger.Delivered, Attempt: 1},
			},
		}
		if err := s.store.Accept(t.Context(), event.Key, func(*ledger.Event) *ledger.Change { return &change }); err != nil {
			t.Fatal(err)
		}
		if e := s.refuse(t, Request{Price: "4", Currency: "USD"}); e.Code != "paid" {
			t.Errorf("%+v", e)
		}
	}
	if len(s.replayed) != 1 || s.replayed[0] != "record-1: the price is 4 USD now, which is paid" {
		t.Errorf("replayed: %q", s.replayed)
	}
}

// TestOthersOrder: no order is opened at the gateway that another order's payments are of.
// One that was made under an id that gets a stand-in by now stays what it was.
func TestOthersOrder(t *testing.T) {
	s := newShop(t)
	save := func(account, own string, generations ...string) {
		t.Helper()
		order := ledger.Order{
			OrderID: ledger.OrderID{AppID: fuzzAppID, ID: generations[0]}, Account: account, OwnID: own,
			Checkout: &ledger.Checkout{Terms: ledger.Terms{Price: "10", FiatID: "1"}},
		}
		for _, id := range generations {
			order.Checkout.Generations = append(order.Checkout.Generations, ledger.GatewayOrder{ID: id, Terms: order.Checkout.Terms, CheckoutURL: "https://pay.example/" + id})
		}
		if err := s.ledger.SaveCheckout(t.Context(), order, "as if it were sold"); err != nil {
			t.Fatal(err)
		}
	}
	save("another", "shop", "shop", "shop-basketball") // of another shop's, which has no prefix
	save("", "shop-7", "shop-7")                       // from before there was a prefix
	for _, own := range []string{"basketball", "7"} {
		e := s.refuse(t, Request{OrderID: own, Price: "10", Currency: "USD"})
		if e.Status != http.StatusConflict || e.Code != "taken" || e.Text != "the order's id is taken at PayFake by another order" {
			t.Errorf("%s: %+v", own, e)
		}
	}
	save("", "my-basketball", "shop-my-basketball")
	session, err := s.Open(t.Context(), Request{OrderID: "my-basketball", Price: "10", Currency: "USD"})
	if err != nil || session.IsNew || session.ID != "shop-my-basketball" || session.OrderID != "my-basketball" {
		t.Errorf("%+v, %v", session, err)
	}
	if len(s.gateway.made) > 0 {
		t.Errorf("made at the gateway: %+v", s.gateway.made)
	}

	// Without room for a stand-in, and without the ledger, nothing says whose it is.
	s = newShop(t)
	s.account.OrderPrefix = strings.Repeat("p", 21)
	s.gateway.orders[s.account.OrderPrefix+"my-basketball"] = gateway.Order{Terms: ledger.Terms{Price: "10", FiatID: "1"}}
	e := s.refuse(t, Request{OrderID: "my-basketball", Price: "10", Currency: "USD"})
	if e.Code != "taken" || e.Text != "the order's id is taken at PayFake by an order that may be another's" {
		t.Errorf("%+v", e)
	}
}

// TestCheckHost: a buyer is sent to a gateway's hosts, and nowhere else.
func TestCheckHost(t *testing.T) {
	hosts := []string{"pay.example", ".pay.example", "127.0.0.1"}
	for link, want := range map[string]bool{
		"https://pay.example/1": true, "https://a.b.pay.example/1": true, "https://PAY.example:8443/1": true, "http://127.0.0.1/1": true,
		"http://pay.example/1": false, "https://evilpay.example/1": false, "https://u@pay.example/1": false, "https://pay.example.evil/1": false,
		"//pay.example/1": false, "https:///1": false, "https://pay.example/\\": false, "https://pay.example/ä": false, "javascript:1": false, "": false,
	} {
		err := CheckHost(link, hosts, "PayFake")
		var refused *Error
		if (err == nil) != want || err != nil && (!errors.As(err, &refused) || refused.Code != "bad_checkout") {
			t.Errorf("%s: %v", link, err)
		}
	}
}

// TestStatusWaits: a page that waits learns of the order's change, and one that
// does not wait how it stands.
func TestStatusWaits(t *testing.T) {
	s := newShop(t)
	reader := StatusReader{Account: s.account, Ledger: s.Sessions.ledger}
	if _, err := reader.Read(t.Context(), "order-1", time.Minute); !errors.Is(err, ledger.ErrNotFound) {
		t.Error(err)
	}
	s.open(t, "10")
	view, err := reader.Read(t.Context(), "order-1", 0)
	if err != nil || view.OrderID != "order-1" || view.State != "unpaid" || view.AmountDue != "10" || view.Currency != "USD" {
		t.Errorf("%+v, %v", view, err)
	}
	done := make(chan StatusView)
	go func() {
		view, err := reader.Read(context.WithoutCancel(t.Context()), "order-1", time.Minute)
		if err != nil {
			t.Error(err)
		}
		done <- view
	}()
	for { // until it watches, and then once more
		s.open(t, "12")
		s.open(t, "13")
		select {
		case view := <-done:
			if view.AmountDue != "12" && view.AmountDue != "13" {
				t.Errorf("%+v", view)
			}
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}
