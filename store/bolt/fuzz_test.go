package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"github.com/seed-338f6760/caddy-ccpayment/internal/encoding"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// texts cuts what the fuzzer makes up into texts, each with its length in front.
type texts []byte

func (t *texts) next() string {
	if len(*t) == 0 {
		return ""
	}
	n := min(int((*t)[0]), len(*t)-1)
	text := string((*t)[1 : 1+n])
	*t = (*t)[1+n:]
	if strings.HasSuffix(text, "*") { // longer than a key keeps
		text = strings.Repeat(text, 1+2*longest/len(text))
	}
	return text
}

func (t *texts) number() uint64 {
	var eight [8]byte
	copy(eight[:], t.next())
	return binary.BigEndian.Uint64(eight[:])
}

// time is a time as the ledger keeps it: of this epoch, to the nanosecond.
func (t *texts) time() time.Time {
	return time.Unix(0, int64(t.number()&(1<<62-1))).UTC()
}

func (t *texts) optionalTime() *time.Time {
	at := t.time()
	if at.UnixNano() == 0 {
		return nil
	}
	return &at
}

func (t *texts) event() ledger.Event {
	risk := []ledger.Risk{ledger.Risky, ledger.NotRisky, ledger.RiskUnknown}
	state := func() ledger.State { return ledger.State(t.number() >> 56 % uint64(ledger.Discarded+1)) }
	e := ledger.Event{
		Key: ledger.Key{
			Record: ledger.Record{Route: t.next(), AppID: t.next(), Type: t.next(), ID: t.next()},
			Risk:   risk[t.number()>>56%3], Status: t.next(),
		},
		Account: t.next(), Status: t.next(), OrderID: t.next(), GatewayOrderID: t.next(), Order: t.next(),
		ReferenceID: t.next(), UserID: t.next(), ReceivedAt: t.time(), State: state(), Seq: t.number(),
		Attempts: int(t.number() >> 40), NextAttemptAt: t.optionalTime(), NextReason: ledger.Reason(t.next()), DueSince: t.optionalTime(),
		CountedBy: t.next(), Failures: int(t.number() >> 40), RejectedSince: t.optionalTime(), DeliveredAt: t.optionalTime(), LastError: t.next(),
		Request: ledger.Request{
			Method: t.next(), URI: t.next(), Host: t.next(), RemoteAddr: t.next(), ContentType: t.next(), UserAgent: t.next(),
		},
	}
	if flags := t.number() >> 56; flags != 0 {
		e.Released, e.RiskAccepted, e.Request.TLS, e.Request.Stale = flags&1 != 0, flags&2 != 0, flags&4 != 0, flags&8 != 0
		if flags&16 != 0 {
			e.Confirmation = &ledger.Confirmation{
				At: t.time(), Coin: t.next(), Chain: t.next(), TxID: t.next(), Amount: t.next(), Fee: t.next(), USDPrice: t.next(),
				Risk: ledger.Risk(t.next()), OrderState: t.next(), OrderDue: t.next(), OrderPaid: t.next(), OrderCurrency: t.next(),
				OrderLate: flags&32 != 0, Fulfill: flags&64 != 0, Credit: flags&128 != 0, Payout: t.next(), Reason: t.next(),
			}
		}
	}
	for len(*t) > 0 && len(e.Transitions) < 5 {
		flags := t.number() >> 56
		step := ledger.Transition{
			At: t.time(), State: state(), Cause: t.next(), Attempt: int(t.number() >> 40), Seq: t.number(), Reason: ledger.Reason(t.next()),
			Accept: flags&1 != 0, Spared: flags&2 != 0, Rejected: flags&4 != 0,
		}
		if next := t.optionalTime(); next != nil {
			step.Next = *next
		}
		e.Transitions = append(e.Transitions, step)
	}
	return e
}

// fuzzStore is an empty ledger whose commits are not waited for.
func fuzzStore(f *testing.F) *Store {
	f.Helper()
	s := open(f, filepath.Join(f.TempDir(), "ledger.db"), Options{})
	s.disk.db.NoSync = true
	return s
}

// inTx runs fn in a transaction that leaves nothing behind.
func inTx(t *testing.T, s *Store, fn func(*bbolt.Tx)) {
	tx, err := s.disk.db.Begin(true)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
	}()
	fn(tx)
}

func put(t *testing.T, tx *bbolt.Tx, bucket, key, value []byte) {
	if err := tx.Bucket(bucket).Put(key, value); err != nil {
		t.Fatal(err)
	}
}

// FuzzEventOnDisk: an event that is written is read back as it was, whatever
// texts are in it, and found by its key and by its place among those due.
func FuzzEventOnDisk(f *testing.F) {
	usual := strings.Fields("webhook app-123 ApiDeposit 20240312 \x01 success shop Success order-1 shop-order-1 order-1 ref-1 user-1 \x17\x00\x00\x00\x00\x00\x00\x01 \x04 \x00\x01 \x00\x00\x00\x01 \x17\x00 retry \x18\x00 p1 \x00\x00\x00\x02 \x16\x00 \x19\x00 timeout POST /hook shop.example 54.150.123.157:80 application/json Go \xff \x17\x01 USDT TRX txid 0.1 0 1.0003 false paid 49.9 49.9 USD sent partial \x01 \x17\x02 \x01 received \x00\x00\x00\x01 \x00\x01 replay \x17\x03")
	seed := func(change map[int]string) []byte {
		var data []byte
		for i, text := range usual {
			if other, ok := change[i]; ok {
				text = other
			}
			data = append(append(data, byte(len(text))), text...)
		}
		return data
	}
	f.Add(seed(nil))
	f.Add(seed(map[int]string{3: "", 4: "\x02", 5: ""}))
	f.Add(seed(map[int]string{0: "a\x00", 1: "\x00\xff", 3: "#\x00\x01", 5: "\x00"}))
	f.Add(seed(map[int]string{3: "long*", 5: "long*", 8: "*"}))
	f.Add(seed(map[int]string{0: "*", 2: "*", 24: "\u2028<&>\"\\"}))
	f.Add([]byte{})
	s := fuzzStore(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		in := texts(data)
		event := in.event()
		key := eventKey(event.Key)
		value, err := encodeEvent(key, &event)
		if err != nil {
			t.Fatal(err)
		}
		inTx(t, s, func(tx *bbolt.Tx) {
			put(t, tx, eventsBucket, key, value)
			got, err := readEventAt(tx, key)
			if err != nil || !reflect.DeepEqual(got, event) {
				t.Fatalf("%v\nread    %+v\nwritten %+v", err, got, event)
			}
			if got, err := readKey(tx, key); err != nil || got != event.Key {
				t.Fatalf("%q has the key %+v, want %+v: %v", key, got, event.Key, err)
			}
			list, err := readRecord(tx, event.Record)
			want := ledger.Summary{Key: event.Key, State: event.State, Attempts: event.Attempts, Seq: event.Seq, ReceivedAt: event.ReceivedAt}
			if err != nil || len(list) != 1 || list[0] != want {
				t.Fatalf("%+v, %v, want %+v", list, err, want)
			}
			other := event.Key
			other.Record.ID += "\x00"
			if list, err := readRecord(tx, other.Record); err != nil || len(list) != 0 {
				t.Fatalf("the record %q has events of %q: %v", other.ID, event.ID, err)
			}
			if parts, ok := splitKey(key); !ok || len(parts) != 6 {
				t.Fatalf("the key %q has the parts %v", key, parts)
			}
			if due := dueKey(event.Route, event.NextAttemptAt, key); (due == nil) != (event.NextAttemptAt == nil) {
				t.Fatalf("%q is where it is due", due)
			}
		})
	})
}

// FuzzDamagedEvent: bytes on disk that are no event are an error that says so,
// and never a panic, even where their checksum is right; what is read is read
// again as it was once written anew.
func FuzzDamagedEvent(f *testing.F) {
	event := delivered("20240312").Event
	long := event
	long.Key.Status, long.ID = strings.Repeat("s", 300), strings.Repeat("i", 300)
	for _, e := range []ledger.Event{event, long} {
		key := eventKey(e.Key)
		sealed, err := encodeEvent(key, &e)
		if err != nil {
			f.Fatal(err)
		}
		value := sealed[:len(sealed)-encoding.SumSize]
		f.Add(key, value)
		f.Add(key, value[:encoding.HeaderSize])
		f.Add(key, value[:len(value)-1])
		f.Add(key[:len(key)-1], value)
		f.Add(key, bytes.Replace(value, []byte("POST"), []byte("PUT"), 1))
	}
	f.Add([]byte{0, partEnd}, append([]byte{1}, make([]byte, encoding.HeaderSize)...))
	f.Add([]byte("key"), []byte{})
	s := fuzzStore(f)
	f.Fuzz(func(t *testing.T, key, value []byte) {
		if len(key) == 0 || len(key) > bbolt.MaxKeySize {
			return // bbolt has none such
		}
		for _, value := range [][]byte{value, encoding.Seal(key, value)} {
			inTx(t, s, func(tx *bbolt.Tx) { checkDamaged(t, tx, key, value) })
		}
	})
}

func checkDamaged(t *testing.T, tx *bbolt.Tx, key, value []byte) {
	put(t, tx, eventsBucket, key, value)
	if _, err := readSummary(key, value); err != nil && !errors.Is(err, errDamaged) {
		t.Fatalf("%q: %v", value, err)
	}
	if _, err := readKey(tx, key); err != nil && !errors.Is(err, errDamaged) {
		t.Fatalf("%q: %v", key, err)
	}
	event, err := readEventAt(tx, key)
	if err != nil {
		if !errors.Is(err, errDamaged) {
			t.Fatalf("%q: %v", value, err)
		}
		return
	}
	if _, err := readRecord(tx, event.Record); err != nil && !errors.Is(err, errDamaged) {
		t.Fatalf("%+v: %v", event.Record, err)
	}
	at := eventKey(event.Key)
	again, err := encodeEvent(at, &event)
	if err != nil {
		return // a time that only a damaged file has
	}
	put(t, tx, eventsBucket, at, again)
	got, err := readEventAt(tx, at)
	if err != nil || !reflect.DeepEqual(got, event) {
		t.Fatalf("%v\nread    %+v\nwritten %+v", err, got, event)
	}
}

// FuzzDamagedList: one entry of any bucket that is nonsense makes no door of the
// store panic, and what it then answers is an error that says so.
func FuzzDamagedList(f *testing.F) {
	event := delivered("20240312").Event
	key, id := eventKey(event.Key), uuid.MustParse(event.EventID())
	body := bodyKey(event.ReceivedAt, key)
	sealed, err := encodeEvent(key, &event)
	if err != nil {
		f.Fatal(err)
	}
	orderID := ledger.OrderID{AppID: "app-123", ID: "order-1"}
	order := orderKey(orderID)
	sealedOrder, err := encoding.EncodeOrder(order, &ledger.Order{OrderID: orderID, Checkout: &ledger.Checkout{}})
	if err != nil {
		f.Fatal(err)
	}
	value, whole := sealed[:len(sealed)-encoding.SumSize], sealedOrder[:len(sealedOrder)-encoding.SumSize]
	flag := ledger.FulfillOf(orderID.AppID, orderID.ID)
	due := append(append(appendPart(nil, "webhook"), timeKey(time.Unix(1, 0))...), key...)
	f.Add(byte(0), body, id[:])
	f.Add(byte(0), []byte("short"), id[:])
	f.Add(byte(1), due, []byte{})
	f.Add(byte(1), append(appendPart(nil, "webhook"), 1), []byte{})
	f.Add(byte(2), append(appendPart(nil, "webhook"), 4), binary.BigEndian.AppendUint64(nil, 7))
	f.Add(byte(2), []byte{0}, []byte{})
	f.Add(byte(3), order, whole)
	f.Add(byte(3), order, whole[:len(whole)-1])
	f.Add(byte(4), order, order)
	f.Add(byte(5), body, []byte("{}"))
	f.Add(byte(5), []byte("short"), []byte("{}"))
	f.Add(byte(6), key, value)
	f.Add(byte(7), flagKey(flag), key)
	listed := [][]byte{receivedBucket, dueBucket, countsBucket, ordersBucket, generationsBucket, bodiesBucket, eventsBucket, flagsBucket}
	s := fuzzStore(f)
	f.Fuzz(func(t *testing.T, bucket byte, key, value []byte) {
		if len(key) == 0 || len(key) > bbolt.MaxKeySize {
			return
		}
		name := listed[int(bucket)%len(listed)]
		for _, value := range [][]byte{value, encoding.Seal(key, value)} {
			if err := s.disk.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(name).Put(key, value) }); err != nil {
				t.Fatal(err)
			}
			for door, err := range ask(s, event.Key, flag) {
				// A panic that the store catches has the runtime's words in it.
				if err != nil && (strings.Contains(err.Error(), "runtime error") || !errors.Is(err, errDamaged) && !errors.Is(err, ledger.ErrNotFound)) {
					t.Errorf("%s, with %q: %q in %s: %v", door, key, value, name, err)
				}
			}
		}
		if err := s.disk.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(name).Delete(key) }); err != nil {
			t.Fatal(err)
		}
	})
}

// ask asks at every door of the store that only reads, and at Prune.
func ask(s *Store, key ledger.Key, flag ledger.Flag) map[string]error {
	_, listErr := s.List(bg, ledger.Query{Limit: 1})
	_, stateErr := s.List(bg, ledger.Query{Limit: 1, State: ledger.Dead, Since: time.Unix(1, 0)})
	_, findErr := s.Find(bg, key.EventID())
	due, dueErr := s.Due(bg, key.Route, time.Time{}, 1)
	if dueErr == nil && len(due) > 0 {
		dueErr = due[0].Err
	}
	_, countErr := s.Counts(bg)
	_, ordersErr := s.Orders(bg, ledger.OrderQuery{AnyAccount: true, Limit: 1})
	_, orderErr := s.OrderOf(bg, ledger.OrderID{AppID: flag.AppID, ID: flag.ID})
	_, bodiesErr := s.Prune(bg, time.Unix(1<<33, 0), 10)
	_, flagErr := s.Holds(bg, key, []ledger.Flag{flag})
	_, loadErr := s.Load(bg, key)
	return map[string]error{
		"List": listErr, "List of a state": stateErr, "Find": findErr, "Due": dueErr, "Counts": countErr,
		"Orders": ordersErr, "OrderOf": orderErr, "Prune": bodiesErr, "Holds": flagErr, "Load": loadErr,
	}
}

// FuzzCursor: a cursor is refused or continues the list, and pages together are
// the list, each event once.
func FuzzCursor(f *testing.F) {
	event := delivered("3").Event
	f.Add("", byte(1))
	f.Add("00", byte(3))
	f.Add("zz", byte(2))
	f.Add(strings.Repeat("ff", 20), byte(7))
	f.Add(fmt.Sprintf("%x", bodyKey(event.ReceivedAt, eventKey(event.Key))), byte(1))
	f.Add(fmt.Sprintf("%x", orderKey(ledger.OrderID{AppID: "a", ID: "2"})), byte(1))
	s := fuzzStore(f)
	const all = 7
	for i := range all {
		if err := commit(s, delivered(fmt.Sprint(i))); err != nil {
			f.Fatal(err)
		}
		id := ledger.OrderID{AppID: "a", ID: fmt.Sprint(i)}
		if err := s.UpdateOrder(bg, id, func(o *ledger.Order) { o.OrderID = id }); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, cursor string, size byte) {
		limit := 1 + int(size)%all
		events, orders := 0, 0
		for next, page := cursor, 0; page == 0 || next != ""; page++ {
			list, err := s.List(bg, ledger.Query{Cursor: next, Limit: limit})
			if err != nil && (page > 0 || !errors.Is(err, ledger.ErrCursor)) {
				t.Fatalf("page %d after %q: %v", page, next, err)
			}
			events, next = events+len(list.Events), list.Next
			if len(list.Events) > limit || events > all {
				t.Fatalf("%d events after %q", events, cursor)
			}
		}
		for next, page := cursor, 0; page == 0 || next != ""; page++ {
			list, err := s.Orders(bg, ledger.OrderQuery{AnyAccount: true, Cursor: next, Limit: limit})
			if err != nil && (page > 0 || !errors.Is(err, ledger.ErrCursor)) {
				t.Fatalf("page %d after %q: %v", page, next, err)
			}
			orders, next = orders+len(list.Orders), list.Next
			if len(list.Orders) > limit || orders > all {
				t.Fatalf("%d orders after %q", orders, cursor)
			}
		}
		if cursor == "" && (events != all || orders != all) {
			t.Fatalf("all pages have %d events and %d orders", events, orders)
		}
	})
}
