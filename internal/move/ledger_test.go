package move

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

var (
	start = time.Date(2026, 1, 31, 12, 0, 0, 123456789, time.UTC)
	// What is odd in keys: zero bytes, bytes that are no text, and what is longer than
	// a store keeps.
	odd  = "a\x00b\xff\x00\x01'; drop"
	long = strings.Repeat("long\x00", 200)
)

func event(id string) ledger.Event {
	return ledger.Event{
		Key:     ledger.Key{Record: ledger.Record{Route: "webhook", AppID: "app", Type: "ApiDeposit", ID: id}, Status: "success", Risk: ledger.NotRisky},
		Account: "default", Status: "Success", OrderID: "own-" + id, GatewayOrderID: "shop-" + id, ReferenceID: "ref", UserID: "user",
		ReceivedAt: start,
		Request: ledger.Request{
			Method: "POST", URI: "/hook?" + odd, Host: "shop.example", RemoteAddr: "192.0.2.1:1", TLS: true, Stale: true,
			Forwarded: ledger.Forwarded{For: "192.0.2.9", ClientIP: "192.0.2.9"},
		},
		Body: []byte("body of " + id),
	}
}

// accept stores an event, which takes further steps at once.
func accept(t testing.TB, s ledger.Store, e ledger.Event, steps ...ledger.Transition) {
	t.Helper()
	c := ledger.Change{Event: e, Transitions: append([]ledger.Transition{{At: e.ReceivedAt, State: ledger.Received, Next: e.ReceivedAt}}, steps...)}
	check(t, s.Accept(bg, e.Key, func(*ledger.Event) *ledger.Change { return &c }))
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ownFlags are what the events of makeLedger may have.
var ownFlags = []ledger.Flag{
	ledger.FulfillOf("app", "shop-delivered"), ledger.CreditOf(event("delivered").Record), ledger.PayoutOf(event(odd).Record),
	ledger.FulfillOf("app", long), ledger.CreditOf(event(long).Record), ledger.FulfillOf("app", odd), ledger.FulfillOf("app", "free"),
	ledger.FulfillOf("app", "of-none"), ledger.SharedOrder("shop shared", "shared").Fulfill(), ledger.SharedOrder("shop "+long, long).Fulfill(),
	{Name: "made", AppID: "app", ID: "address " + odd},
}

func bind(t testing.TB, s ledger.Store, key ledger.Key, flags ...ledger.Flag) {
	t.Helper()
	claim, err := s.Claim(bg, key.Record, time.Minute)
	check(t, err)
	bound, err := s.Bind(bg, claim, ledger.Change{Event: ledger.Event{Key: key}}, flags)
	check(t, err)
	check(t, s.Unlock(bg, claim))
	if slices.Contains(bound, false) {
		t.Fatalf("not bound: %v", bound)
	}
}

// makeLedger makes a ledger that has everything that there is in one.
func makeLedger(t testing.TB, s ledger.Store) {
	t.Helper()
	at := start.Add(time.Second)
	tries := func(n int) (steps []ledger.Transition) {
		for i := range n {
			steps = append(steps, ledger.Transition{At: at, State: ledger.Delivering, Attempt: i + 1, Seq: 7 + uint64(i)},
				ledger.Transition{At: at, State: ledger.Retrying, Attempt: i + 1, Next: at.Add(time.Hour), Cause: "the app answered 500 " + odd, Rejected: true})
		}
		return steps
	}
	accept(t, s, event("received"))
	accept(t, s, event("retrying"), tries(3)...)
	accept(t, s, event("held"), ledger.Transition{At: at, State: ledger.Held, Cause: "risky"})
	accept(t, s, event("dead"), append(tries(2), ledger.Transition{At: at, State: ledger.Dead, Attempt: 2, Cause: "given up"})...)
	accept(t, s, event("superseded"), ledger.Transition{At: at, State: ledger.Superseded})
	accept(t, s, event("ignored"), ledger.Transition{At: at, State: ledger.Ignored, Cause: "filtered"})
	accept(t, s, event("discarded"), ledger.Transition{At: at, State: ledger.Discarded})
	accept(t, s, event("damaged body"))
	confirmed := event("confirmed")
	c := ledger.Change{
		Event: confirmed, Transitions: []ledger.Transition{{At: at, State: ledger.Received, Next: at}, {At: at, State: ledger.Confirming}},
		Confirmation: &ledger.Confirmation{At: at, Coin: "USDT", Chain: "TRX", TxID: "5f2b", Amount: "10", Fee: "1", USDPrice: "1", Fulfill: true, OrderState: "paid"},
		Order: &ledger.Order{
			OrderID: ledger.OrderID{AppID: "app", ID: "shop-confirmed"}, Account: "default", OwnID: "own-confirmed", State: "paid", Paid: "10", ReadAt: at,
			Payments: []ledger.OrderPayment{{RecordID: "r", Verdict: "counts", Amount: "10"}}, Events: []ledger.OrderEvent{{Route: "webhook", Type: "ApiDeposit"}},
		},
	}
	check(t, s.Accept(bg, confirmed.Key, func(*ledger.Event) *ledger.Change { return &c }))

	accept(t, s, event("delivered"), ledger.Transition{At: at, State: ledger.Delivering, Attempt: 1, Seq: 1}, ledger.Transition{At: at, State: ledger.Delivered, Attempt: 1})
	bind(t, s, event("delivered").Key, ownFlags[0], ownFlags[1])
	pruned, err := s.Prune(bg, start.Add(time.Minute), 100)
	check(t, err)
	if pruned == 0 {
		t.Fatal("nothing was pruned")
	}
	// Finished later: its body is still there.
	accept(t, s, event("kept"), ledger.Transition{At: at, State: ledger.Delivering, Attempt: 1, Seq: 1}, ledger.Transition{At: at, State: ledger.Delivered, Attempt: 1})
	// Several events of a record, other routes, odd and long keys.
	processing := event("kept")
	processing.Key.Status, processing.Status = "processing", "Processing"
	accept(t, s, processing, ledger.Transition{At: at, State: ledger.Superseded})
	risky := event("kept")
	risky.Risk, risky.Body = ledger.Risky, []byte{}
	accept(t, s, risky)
	other := event(odd)
	other.Route, other.Body = "route "+odd, []byte(odd)
	accept(t, s, other)
	accept(t, s, event(odd))
	bind(t, s, event(odd).Key, ownFlags[2], ownFlags[5])
	huge := event(long)
	huge.Route, huge.Key.Status, huge.GatewayOrderID, huge.Body = "route "+long, long, long, []byte(strings.Repeat("x", 300_000))
	accept(t, s, huge, tries(120)...) // a history that is cut
	bind(t, s, huge.Key, ownFlags[3])
	credit := event(long)
	accept(t, s, credit)
	bind(t, s, credit.Key, ownFlags[4])
	bind(t, s, event("in no ledger").Key, ownFlags[7])
	// As [ledger.Ledger.NoteMade] does.
	bind(t, s, ledger.Key{Record: ledger.Record{Route: "webhook", AppID: "app", Type: "#made", ID: "address " + odd}, Risk: ledger.NotRisky, Status: "made"}, ownFlags[10])
	check(t, s.SaveLook(bg, ledger.Look{
		AppID: "app", Since: at, From: at, To: at.Add(time.Hour), LookedAt: at, Told: 2, OrdersNext: "next",
		Waiting: []ledger.LookRecord{{Type: "ApiDeposit", ID: odd, Status: "Success", MadeAt: at, AskedAt: at, Missing: true, Why: "no route"}},
	}))

	for _, o := range []struct {
		id          string
		generations []string
	}{{"order", nil}, {"generations", []string{"generations", "generations-2", "g" + odd, "g" + long}}, {odd, []string{odd + "2"}}, {long, []string{long, long + "2"}}} {
		id := ledger.OrderID{AppID: "app", ID: o.id}
		check(t, s.UpdateOrder(bg, id, func(order *ledger.Order) {
			*order = ledger.Order{
				OrderID: id, Account: "default", OwnID: "own", State: "processing", Due: "10", Currency: "USDT", Late: true, ReadAt: at,
				Released: []string{odd}, FulfilledBy: "x", Steps: []ledger.OrderStep{{At: at, State: "processing", Cause: odd}},
			}
			if o.generations != nil {
				order.Checkout = &ledger.Checkout{Terms: ledger.Terms{Price: "10", FiatID: "1"}, Symbol: "USDT"}
			}
			for _, g := range o.generations {
				order.Checkout.Generations = append(order.Checkout.Generations, ledger.GatewayOrder{ID: g, CreatedAt: at, CheckoutURL: "https://x/" + odd, Memo: odd})
			}
		}))
	}

	// Those that accounts share, of which keys have the whole name or a digest of it.
	for _, own := range []string{"shared", long} {
		id := ledger.SharedOrder("shop "+own, own)
		e := event("of " + own)
		e.SetOrder(id)
		accept(t, s, e)
		bind(t, s, e.Key, id.Fulfill())
		check(t, s.UpdateOrder(bg, id, func(order *ledger.Order) {
			*order = ledger.Order{
				OrderID: id, OwnID: own, Events: []ledger.OrderEvent{{Route: e.Route, AppID: e.AppID, Type: e.Type, RecordID: e.ID}},
				Payments: []ledger.OrderPayment{{AppID: e.AppID, RecordID: e.ID, Verdict: "counts", Amount: "10"}},
				Checkout: &ledger.Checkout{Terms: ledger.Terms{Price: "10", Unit: "fiat:USD"}, Generations: []ledger.GatewayOrder{
					{AppID: "app-one", ID: "at both " + own}, {AppID: "app-two", ID: "at both " + own, Ref: "ref " + own},
				}},
			}
		}))
	}
}

// spoil changes the values in a bucket of a ledger's file that pick picks.
func spoil(t testing.TB, file, bucket string, pick func(key []byte) bool) {
	t.Helper()
	db, err := bbolt.Open(file, 0o600, nil)
	check(t, err)
	defer db.Close()
	n := 0
	check(t, db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte(bucket))
		found := make(map[string][]byte)
		_ = b.ForEach(func(k, v []byte) error {
			if pick(k) {
				found[string(k)] = slices.Clone(v)
			}
			return nil
		})
		for k, v := range found {
			n++
			v[0] ^= 0x40
			if err := b.Put([]byte(k), v); err != nil {
				return err
			}
		}
		return nil
	}))
	if n == 0 {
		t.Fatalf("nothing in %s was spoiled", bucket)
	}
}

func has(part string) func([]byte) bool {
	return func(key []byte) bool { return strings.Contains(string(key), part) }
}

// contents is all that a store shows of its ledger.
type contents struct {
	Events []ledger.Event
	Found  map[string][]ledger.Key
	Due    map[string][]ledger.Due
	Counts []ledger.Count
	Claims map[ledger.Record][]ledger.Summary
	Orders []ledger.Order
	Of     map[string]string
	Bound  []bool
	Look   ledger.Look
	Holds  map[ledger.Key][]bool
}

func contentsOf(t testing.TB, s ledger.Store) contents {
	t.Helper()
	c := contents{Found: map[string][]ledger.Key{}, Due: map[string][]ledger.Due{}, Claims: map[ledger.Record][]ledger.Summary{}, Of: map[string]string{}, Holds: map[ledger.Key][]bool{}}
	byKey := func(a, b ledger.Key) int { return cmp.Compare(fmt.Sprintf("%q", a), fmt.Sprintf("%q", b)) }
	for query := (ledger.Query{Limit: 50}); ; {
		page, err := s.List(bg, query)
		check(t, err)
		for _, listed := range page.Events {
			e, err := s.Load(bg, listed.Key)
			check(t, err)
			c.Events = append(c.Events, e)
		}
		if query.Cursor = page.Next; page.Next == "" {
			break
		}
	}
	slices.SortFunc(c.Events, func(a, b ledger.Event) int { return byKey(a.Key, b.Key) })
	var err error
	for _, e := range c.Events {
		found, err := s.Find(bg, e.EventID())
		check(t, err)
		slices.SortFunc(found, byKey)
		c.Found[e.EventID()] = found
		if c.Due[e.Route] == nil {
			due, err := s.Due(bg, e.Route, time.Time{}, 1_000_000)
			check(t, err)
			slices.SortFunc(due, func(a, b ledger.Due) int { return cmp.Or(a.At.Compare(b.At), byKey(a.Key, b.Key)) })
			c.Due[e.Route] = due
		}
		if c.Claims[e.Record] == nil {
			if shared, ok := s.(ledger.Cluster); ok { // reading may take longer than a session lives
				_, err := shared.Keep(bg, ledger.Session{}, nil)
				check(t, err)
			}
			claim, err := s.Claim(bg, e.Record, time.Minute)
			check(t, err)
			check(t, s.Unlock(bg, claim))
			slices.SortFunc(claim.Events, func(a, b ledger.Summary) int { return byKey(a.Key, b.Key) })
			c.Claims[e.Record] = claim.Events
		}
		if c.Holds[e.Key], err = s.Holds(bg, e.Key, ownFlags); err != nil {
			t.Fatal(err)
		}
	}
	c.Counts, err = s.Counts(bg)
	check(t, err)
	for i, count := range c.Counts {
		if count.Route == "route "+long { // bolt has a digest in its place
			sum := sha256.Sum256([]byte(count.Route))
			c.Counts[i].Route = hex.EncodeToString(sum[:])
		}
	}
	slices.SortFunc(c.Counts, func(a, b ledger.Count) int {
		return cmp.Or(cmp.Compare(a.Route, b.Route), cmp.Compare(a.State, b.State))
	})
	c.Bound, err = s.Bound(bg, ownFlags)
	check(t, err)
	if c.Look, err = s.LoadLook(bg, "app"); err != nil && !errors.Is(err, ledger.ErrNotFound) {
		t.Fatal(err)
	}
	page, err := s.Orders(bg, ledger.OrderQuery{AnyAccount: true, Limit: 1000})
	check(t, err)
	c.Orders = page.Orders
	slices.SortFunc(c.Orders, func(a, b ledger.Order) int { return cmp.Compare(a.ID, b.ID) })
	for _, order := range c.Orders {
		ids := []ledger.OrderID{order.OrderID}
		if order.Checkout != nil {
			for _, g := range order.Checkout.Generations {
				ids = append(ids, ledger.OrderID{AppID: order.AppOf(g.AppID), ID: g.ID})
			}
		}
		for _, id := range ids {
			of, err := s.OrderOf(bg, id)
			if err != nil && !errors.Is(err, ledger.ErrNotFound) {
				t.Fatal(err)
			}
			c.Of[id.AppID+" "+id.ID] = of.ID
		}
	}
	return c
}

// same checks that two ledgers are the same.
func same(t testing.TB, got, want contents) {
	t.Helper()
	a, b := reflect.ValueOf(got), reflect.ValueOf(want)
	for i := range a.NumField() {
		if !reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
			t.Errorf("%s are\n%.3000q\nwant\n%.3000q", a.Type().Field(i).Name, fmt.Sprintf("%+v", a.Field(i)), fmt.Sprintf("%+v", b.Field(i)))
		}
	}
}
