package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/seed-338f6760/caddy-ccpayment/internal/encoding"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// damaged is a ledger with something in every bucket, of which one value is
// changed at a time.
type damaged struct {
	*Store
	event, other ledger.Change
	flag         ledger.Flag
	order        ledger.OrderID // of which the generation is one
	generation   ledger.OrderID
}

func newDamaged(t *testing.T) *damaged {
	t.Helper()
	d := &damaged{
		Store: open(t, filepath.Join(t.TempDir(), "ledger.db"), Options{}),
		event: delivered("1"), other: delivered("2"), flag: ledger.FulfillOf("app-123", "order-1"),
		order:      ledger.OrderID{AppID: "app-123", ID: "order-1"},
		generation: ledger.OrderID{AppID: "app-123", ID: "generation-2"},
	}
	d.disk.db.NoSync = true
	for _, c := range []ledger.Change{d.event, d.other} {
		if err := accept(d.Store, c); err != nil {
			t.Fatal(err)
		}
	}
	if !bindTo(t, d.Store, d.event.Event.Key, d.flag) || !bindTo(t, d.Store, d.other.Event.Key, ledger.FulfillOf("app-123", "order-2")) {
		t.Fatal("a flag is not bound")
	}
	for i, id := range []string{"order-1", "order-2"} {
		id := ledger.OrderID{AppID: "app-123", ID: id}
		if err := d.UpdateOrder(bg, id, func(o *ledger.Order) {
			o.OrderID = id
			o.Checkout = &ledger.Checkout{Generations: []ledger.GatewayOrder{{ID: fmt.Sprintf("generation-%d", 2+i)}}}
		}); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// put writes a value past the store.
func (d *damaged) put(t *testing.T, bucket, key, value []byte) {
	t.Helper()
	if err := d.disk.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Put(key, value) }); err != nil {
		t.Fatal(err)
	}
}

// isOneValue reports whether damage is told as that of one value, so that nobody
// takes the ledger for out of order.
func isOneValue(err error) bool {
	return errors.Is(err, errDamaged) && errors.Is(err, ledger.ErrDamaged)
}

// Whatever bit of a value is flipped, and wherever a value of the bucket turns up
// that belongs under another key, nobody is told what was not written.
func TestDamagedBits(t *testing.T) {
	d := newDamaged(t)
	same := func(got, want any) error {
		if fmt.Sprint(got) != fmt.Sprint(want) {
			return fmt.Errorf("got %v, want %v", got, want)
		}
		return nil
	}
	key := d.event.Event.Key
	for _, test := range []struct {
		bucket []byte
		// ask returns whether the damage is told, and how the answer is wrong.
		ask func() (told bool, wrong error)
	}{
		{eventsBucket, func() (bool, error) {
			e, err := d.Load(bg, key)
			return isOneValue(err), same(e.State, ledger.Delivered)
		}},
		{bodiesBucket, func() (bool, error) {
			e, err := d.Load(bg, key)
			return err == nil && e.BodyDamaged && e.Body == nil, same(string(e.Body), string(d.event.Event.Body))
		}},
		{flagsBucket, func() (bool, error) {
			held, err := d.Holds(bg, key, []ledger.Flag{d.flag})
			return isOneValue(err), same(held, []bool{true})
		}},
		{ordersBucket, func() (bool, error) {
			o, err := d.LoadOrder(bg, d.order)
			return isOneValue(err), same(o.OrderID, d.order)
		}},
		{generationsBucket, func() (bool, error) {
			o, err := d.OrderOf(bg, d.generation)
			return isOneValue(err), same(o.OrderID, d.order)
		}},
		{receivedBucket, func() (bool, error) {
			found, err := d.Find(bg, key.EventID())
			return isOneValue(err), same(found, []ledger.Key{key})
		}},
		{countsBucket, func() (bool, error) {
			counts, err := d.Counts(bg)
			return errors.Is(err, errDamaged), same(counts, []ledger.Count{{Route: key.Route, State: ledger.Delivered, N: 2}})
		}},
	} {
		var at, value, others []byte
		if err := d.disk.db.View(func(tx *bbolt.Tx) error {
			cursor := tx.Bucket(test.bucket).Cursor()
			k, v := cursor.First()
			at, value = bytes.Clone(k), bytes.Clone(v)
			_, v = cursor.Next()
			others = bytes.Clone(v)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		changes := [][]byte{others, {}, make([]byte, encoding.SumSize)}
		for bit := range 8 * len(value) {
			flipped := bytes.Clone(value)
			flipped[bit/8] ^= 1 << (bit % 8)
			changes = append(changes, flipped)
		}
		for i, changed := range changes {
			d.put(t, test.bucket, at, changed)
			if told, wrong := test.ask(); !told {
				t.Errorf("%s, change %d is not told: %v", test.bucket, i, wrong)
				break
			}
		}
		d.put(t, test.bucket, at, value)
		if _, wrong := test.ask(); wrong != nil {
			t.Errorf("%s, undamaged: %v", test.bucket, wrong)
		}
	}
}

// A flag whose holder cannot be read is bound to nobody else.
func TestDamagedFlagIsNotFree(t *testing.T) {
	d := newDamaged(t)
	d.put(t, flagsBucket, flagKey(d.flag), []byte("damaged"))
	claim, err := d.Claim(bg, d.other.Event.Record, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	change := ledger.Change{Event: ledger.Event{Key: d.other.Event.Key}}
	if bound, err := d.Bind(bg, claim, change, []ledger.Flag{d.flag}); !isOneValue(err) || slices.Contains(bound, true) {
		t.Errorf("bound: %v, %v", bound, err)
	}
}

// A damaged body is replaced by that of a copy, where the event still needs one.
func TestCopyMendsTheBody(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "ledger.db"), Options{})
	c := delivered("1")
	at := c.Event.ReceivedAt
	body := bodyKey(at, eventKey(c.Event.Key))
	for _, steps := range [][]ledger.Transition{
		{{At: at, State: ledger.Received}, {At: at, State: ledger.Delivering, Attempt: 1, Seq: 1}, {At: at, State: ledger.Dead}},
		{{At: at, State: ledger.Retrying, Next: at}}, // a copy came
	} {
		c.Transitions = steps
		if err := s.Accept(bg, c.Event.Key, func(*ledger.Event) *ledger.Change { return &c }); err != nil {
			t.Fatal(err)
		}
		if steps[0].State == ledger.Received {
			(&damaged{Store: s}).put(t, bodiesBucket, body, []byte(`{"amount":"9999"}`))
		}
	}
	if e, err := s.Load(bg, c.Event.Key); err != nil || e.BodyDamaged || !bytes.Equal(e.Body, c.Event.Body) {
		t.Errorf("the body is %q, damaged: %v, %v", e.Body, e.BodyDamaged, err)
	}
}

// A count that is damaged keeps no event out.
func TestDamagedCount(t *testing.T) {
	d := newDamaged(t)
	d.put(t, countsBucket, append(appendPart(nil, "webhook"), byte(ledger.Delivered)), []byte("damaged"))
	if err := accept(d.Store, delivered("3")); err != nil {
		t.Error(err)
	}
	if counts, err := d.Counts(bg); !errors.Is(err, errDamaged) {
		t.Errorf("%v, %v", counts, err)
	}
}

// TestPruneBesideDamage: bodies are deleted although the event of an older one is damaged.
func TestPruneBesideDamage(t *testing.T) {
	d := newDamaged(t)
	var first []byte
	if err := d.disk.db.View(func(tx *bbolt.Tx) error {
		k, _ := tx.Bucket(eventsBucket).Cursor().First()
		first = bytes.Clone(k)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	d.put(t, eventsBucket, first, []byte("damaged"))
	if n, err := d.Prune(bg, time.Now().Add(time.Hour), 10); n != 1 || err != nil {
		t.Errorf("%d bodies were deleted, %v", n, err)
	}
}

// TestOrdersBesideDamage: a list of orders goes on after one that is damaged, and tells of it.
func TestOrdersBesideDamage(t *testing.T) {
	d := newDamaged(t)
	d.put(t, ordersBucket, orderKey(d.order), []byte("damaged"))
	var orders []ledger.Order
	var damaged []error
	query := ledger.OrderQuery{AnyAccount: true, Limit: 1}
	for range 2 {
		page, err := d.Orders(bg, query)
		if err != nil || len(page.Orders)+len(page.Damaged) != 1 {
			t.Fatalf("%+v, %v", page, err)
		}
		orders, damaged = append(orders, page.Orders...), append(damaged, page.Damaged...)
		query.Cursor = page.Next
	}
	if query.Cursor != "" || len(orders) != 1 || orders[0].ID != "order-2" || len(damaged) != 1 || !isOneValue(damaged[0]) {
		t.Errorf("%+v and %v, and then %q", orders, damaged, query.Cursor)
	}
}

// TestOrdersOutOfOrder: a list of orders that a damaged key would send round, or past others,
// ends with an error.
func TestOrdersOutOfOrder(t *testing.T) {
	for name, first := range map[string]byte{"smaller": 0, "larger": 0xff} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "ledger.db")
			s := open(t, path, Options{})
			var ids [3]ledger.OrderID
			for i := range ids {
				ids[i] = ledger.OrderID{AppID: "app-123", ID: fmt.Sprint("order-", i)}
				if err := s.UpdateOrder(bg, ids[i], func(o *ledger.Order) { o.OrderID = ids[i] }); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			key := orderKey(ids[1])
			wrong := append([]byte{first}, key[1:]...)
			if err := os.WriteFile(path, bytes.ReplaceAll(content, key, wrong), 0o600); err != nil {
				t.Fatal(err)
			}
			s = open(t, path, Options{})
			query, pages := ledger.OrderQuery{AnyAccount: true, Limit: 1}, 0
			for err == nil {
				var page ledger.OrderPage
				page, err = s.Orders(bg, query)
				if pages++; err == nil && page.Next == "" || pages > len(ids) {
					t.Fatalf("the list ends after %d pages as if it were whole", pages)
				}
				query.Cursor = page.Next
			}
			if !errors.Is(err, errDamaged) && !errors.Is(err, ledger.ErrCursor) {
				t.Errorf("%v, want %v", err, errDamaged)
			}
		})
	}
}
