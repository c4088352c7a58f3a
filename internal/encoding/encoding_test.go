package encoding

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// place is the key that an event's value stands under.
func place(key ledger.Key) []byte { return []byte(key.EventID()) }

// fillIn gives every field below v a value that no other one has, and every list
// two of them.
func fillIn(t testing.TB, v reflect.Value, n *int64) {
	t.Helper()
	*n++
	if at, ok := v.Addr().Interface().(*time.Time); ok {
		*at = time.Unix(*n, *n).UTC()
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("text %d", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(*n)
	case reflect.Uint8:
		v.SetUint(uint64(*n % 256))
	case reflect.Uint64:
		v.SetUint(uint64(*n))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fillIn(t, v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fillIn(t, v.Index(0), n)
		fillIn(t, v.Index(1), n)
	case reflect.Struct:
		for i := range v.NumField() {
			fillIn(t, v.Field(i), n)
		}
	default:
		t.Fatalf("no value is known for a %s", v.Type())
	}
}

// everything is an event in which nothing is absent.
func everything(t testing.TB) ledger.Event {
	t.Helper()
	var e ledger.Event
	var n int64
	fillIn(t, reflect.ValueOf(&e).Elem(), &n)
	e.Body, e.BodyDamaged = nil, false // which is kept elsewhere
	return e
}

// A field that somebody adds to an event and forgets here would be lost.
func TestEveryFieldIsKept(t *testing.T) {
	for name, want := range map[string]ledger.Event{"Everything": everything(t), "Nothing": {}} {
		t.Run(name, func(t *testing.T) {
			at := place(want.Key)
			for _, withKey := range []bool{false, true} {
				value, err := EncodeEvent(at, &want, withKey)
				if err != nil {
					t.Fatal(err)
				}
				key := want.Key
				if withKey {
					key = ledger.Key{}
				}
				got, err := DecodeEvent(at, value, key)
				if err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("%v\ngot  %+v\nwant %+v", err, got, want)
				}
				summary, fields, err := ReadHeader(at, value)
				if err != nil || summary.State != want.State || summary.Seq != want.Seq || !summary.ReceivedAt.Equal(want.ReceivedAt) {
					t.Errorf("the header says %+v, %v", summary, err)
				}
				if err := ReadKey(fields, &key); err != nil || key != want.Key {
					t.Errorf("the key is %+v, %v", key, err)
				}
			}
		})
	}
}

// An event from before there was Forwarded ends with the flag Stale.
func TestFieldsFromBefore(t *testing.T) {
	for _, stale := range []bool{false, true} {
		want := everything(t)
		want.Request.Stale, want.Request.Forwarded = stale, ledger.Forwarded{}
		key := place(want.Key)
		value, err := EncodeEvent(key, &want, true)
		if err != nil {
			t.Fatal(err)
		}
		whole, _ := Unseal(key, value)
		var last byte
		if stale {
			last = 1
		}
		if whole[len(whole)-1] != last {
			t.Errorf("without Forwarded, an event ends with %d", whole[len(whole)-1])
		}
		if got, err := DecodeEvent(key, value, want.Key); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%v: got %+v\nwant %+v", err, got, want)
		}
	}
}

// TestVersions: what no accounts share is written as programs read it that know of no such
// orders.
func TestVersions(t *testing.T) {
	e := everything(t)
	var whole ledger.Order
	var n int64
	fillIn(t, reflect.ValueOf(&whole).Elem(), &n)
	version := func(value []byte, err error) byte {
		if err != nil {
			t.Fatal(err)
		}
		return value[0]
	}
	if v := version(EncodeEvent(nil, &e, true)); v != withOrderAppID {
		t.Errorf("a shared order's event has version %d", v)
	}
	e.OrderAppID = ""
	if v := version(EncodeEvent(nil, &e, true)); v != headerVersion {
		t.Errorf("an event has version %d", v)
	}
	if v := version(EncodeOrder(nil, &whole)); v != withClosing {
		t.Errorf("a closed order has version %d", v)
	}
	shared := whole
	shared.Closed = nil
	for i := range shared.Checkout.Generations {
		shared.Checkout.Generations[i].Tells = false
	}
	if v := version(EncodeOrder(nil, &shared)); v != withAccounts {
		t.Errorf("a shared order has version %d", v)
	}
	shared.Checkout.Generations[0].Tells = true
	if v := version(EncodeOrder(nil, &shared)); v != withClosing {
		t.Errorf("an order that tells when it expires has version %d", v)
	}
	plain := shared
	plain.Checkout = &ledger.Checkout{Generations: []ledger.GatewayOrder{{ID: "1", Ref: "2"}}}
	plain.Payments, plain.Events = []ledger.OrderPayment{{RecordID: "1"}}, []ledger.OrderEvent{{RecordID: "1"}}
	if v := version(EncodeOrder(nil, &plain)); v != withRefs {
		t.Errorf("an order has version %d", v)
	}
	for what, set := range map[string]func(*ledger.Order){
		"a unit":           func(o *ledger.Order) { o.Checkout.Terms.Unit = "fiat:USD" },
		"a generation's":   func(o *ledger.Order) { o.Checkout.Generations[0].Terms.Unit = "fiat:USD" },
		"another account":  func(o *ledger.Order) { o.Checkout.Generations[0].AppID = "app" },
		"an account's pay": func(o *ledger.Order) { o.Payments[0].AppID = "app" },
		"an event's":       func(o *ledger.Order) { o.Events[0].AppID = "app" },
	} {
		checkout := *plain.Checkout
		checkout.Generations = slices.Clone(checkout.Generations)
		one := ledger.Order{Checkout: &checkout, Payments: slices.Clone(plain.Payments), Events: slices.Clone(plain.Events)}
		if set(&one); version(EncodeOrder(nil, &one)) != withAccounts {
			t.Errorf("an order with %s is written without it", what)
		}
	}
}

// TestLaterVersions: what a later version has written is not called damaged.
func TestLaterVersions(t *testing.T) {
	e := everything(t)
	at := place(e.Key)
	event, err := EncodeEvent(at, &e, true)
	if err != nil {
		t.Fatal(err)
	}
	order, err := EncodeOrder(at, &ledger.Order{})
	if err != nil {
		t.Fatal(err)
	}
	later := func(value []byte, latest byte) []byte {
		whole, _ := Unseal(at, value)
		return Seal(at, append([]byte{latest + 1}, append(whole[1:], "a new field"...)...))
	}
	if _, err := DecodeEvent(at, later(event, withOrderAppID), e.Key); !errors.Is(err, ledger.ErrLater) || errors.Is(err, ledger.ErrDamaged) {
		t.Errorf("an event: %v", err)
	}
	if _, err := DecodeOrder(at, later(order, withClosing)); !errors.Is(err, ledger.ErrLater) || errors.Is(err, ledger.ErrDamaged) {
		t.Errorf("an order: %v", err)
	}
}

func TestEveryFieldOfAnOrderIsKept(t *testing.T) {
	var whole ledger.Order
	var n int64
	fillIn(t, reflect.ValueOf(&whole).Elem(), &n)
	for name, want := range map[string]ledger.Order{"Everything": whole, "Nothing": {}} {
		t.Run(name, func(t *testing.T) {
			value, err := EncodeOrder([]byte(want.ID), &want)
			if err != nil {
				t.Fatal(err)
			}
			got, err := DecodeOrder([]byte(want.ID), value)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
			for i := range value {
				changed := bytes.Clone(value)
				changed[i] ^= 0x81
				if _, err := DecodeOrder([]byte(want.ID), changed); !errors.Is(err, ledger.ErrDamaged) {
					t.Errorf("changed at %d: %v", i, err)
				}
			}
		})
	}
}

// Whatever one byte of a value becomes, and wherever it ends, the value is called
// damaged: by its checksum, or where that happens to be right, by what is missing.
func TestDamagedValues(t *testing.T) {
	e := everything(t)
	key := place(e.Key)
	value, err := EncodeEvent(key, &e, true)
	if err != nil {
		t.Fatal(err)
	}
	damaged := func(value []byte, what string, at int) {
		t.Helper()
		if _, err := DecodeEvent(key, value, e.Key); !errors.Is(err, ledger.ErrDamaged) {
			t.Errorf("%s at %d: %v", what, at, err)
		}
	}
	for i := range value {
		changed := bytes.Clone(value)
		changed[i] ^= 0x81
		damaged(changed, "changed", i)
		damaged(value[:i], "cut off", i)
		if i < len(value)-SumSize {
			damaged(Seal(key, value[:i]), "cut off and sealed", i)
		}
	}
	whole, _ := Unseal(key, value)
	for i := range whole {
		for _, b := range []byte{0, 1, 0x7f, 0x80, 0xff} {
			changed := bytes.Clone(whole)
			changed[i] = b
			isLater := i == 0 && b > withOrderAppID
			if _, err := DecodeEvent(key, Seal(key, changed), e.Key); errors.Is(err, ledger.ErrLater) != isLater || err != nil && !isLater && !errors.Is(err, ledger.ErrDamaged) {
				t.Errorf("changed to %#x at %d: %v", b, i, err)
			}
		}
	}
	huge := append(bytes.Clone(whole[:HeaderSize]), 0) // no key
	huge = binary.AppendUvarint(huge, 1<<62)           // the length of the first text
	damaged(Seal(key, huge), "a text of 2^62 bytes", 0)
}

func BenchmarkEvent(b *testing.B) {
	e := everything(b)
	key := place(e.Key)
	value, err := EncodeEvent(key, &e, true)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("Encode", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(value)))
		for b.Loop() {
			if _, err := EncodeEvent(key, &e, true); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Decode", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(value)))
		for b.Loop() {
			if _, err := DecodeEvent(key, value, e.Key); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// FuzzEvent: bytes that are no event are an error that says so, and never a panic,
// even where their checksum is right; what is read is read again as it was once
// written anew.
func FuzzEvent(f *testing.F) {
	e := everything(f)
	at := place(e.Key)
	for _, withKey := range []bool{false, true} {
		value, err := EncodeEvent(at, &e, withKey)
		if err != nil {
			f.Fatal(err)
		}
		whole, _ := Unseal(at, value)
		f.Add(at, whole)
		f.Add(at, whole[:HeaderSize])
		f.Add(at, whole[:len(whole)-1])
		f.Add(at[1:], value)
	}
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(t *testing.T, at, value []byte) {
		for _, value := range [][]byte{value, Seal(at, value)} {
			event, err := DecodeEvent(at, value, e.Key)
			if err != nil {
				if !errors.Is(err, ledger.ErrDamaged) && !errors.Is(err, ledger.ErrLater) {
					t.Fatalf("%q: %v", value, err)
				}
				continue
			}
			again, err := EncodeEvent(at, &event, true)
			if err != nil {
				continue // a time that only a damaged value has
			}
			if got, err := DecodeEvent(at, again, ledger.Key{}); err != nil || !reflect.DeepEqual(got, event) {
				t.Fatalf("%v\nread    %+v\nwritten %+v", err, got, event)
			}
		}
	})
}

// FuzzOrder is [FuzzEvent] for orders.
func FuzzOrder(f *testing.F) {
	var o ledger.Order
	var n int64
	fillIn(f, reflect.ValueOf(&o).Elem(), &n)
	at := []byte(o.ID)
	value, err := EncodeOrder(at, &o)
	if err != nil {
		f.Fatal(err)
	}
	whole, _ := Unseal(at, value)
	f.Add(at, whole)
	f.Add(at, whole[:len(whole)-1])
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(t *testing.T, at, value []byte) {
		for _, value := range [][]byte{value, Seal(at, value)} {
			order, err := DecodeOrder(at, value)
			if err != nil {
				if !errors.Is(err, ledger.ErrDamaged) && !errors.Is(err, ledger.ErrLater) {
					t.Fatalf("%q: %v", value, err)
				}
				continue
			}
			again, err := EncodeOrder(at, &order)
			if err != nil {
				continue
			}
			if got, err := DecodeOrder(at, again); err != nil || !reflect.DeepEqual(got, order) {
				t.Fatalf("%v\nread    %+v\nwritten %+v", err, got, order)
			}
		}
	})
}
