package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

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
	long := everything(t)
	long.Key.ID = strings.Repeat("long", longest)
	for name, want := range map[string]ledger.Event{"Everything": everything(t), "Nothing": {}, "LongKey": long} {
		t.Run(name, func(t *testing.T) {
			at := eventKey(want.Key)
			value, err := encodeEvent(at, &want)
			if err != nil {
				t.Fatal(err)
			}
			key := want.Key
			key.ID = key.ID[:min(len(key.ID), longest)]
			got, err := decodeEvent(at, value, key)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

// An event of a file from before there was Forwarded ends with the flag Stale.
func TestFieldsFromBefore(t *testing.T) {
	for _, stale := range []bool{false, true} {
		want := everything(t)
		want.Request.Stale, want.Request.Forwarded = stale, ledger.Forwarded{}
		key := eventKey(want.Key)
		value, err := encodeEvent(key, &want)
		if err != nil {
			t.Fatal(err)
		}
		whole, _ := unseal(key, value)
		var last byte
		if stale {
			last = 1
		}
		if whole[len(whole)-1] != last {
			t.Errorf("without Forwarded, an event ends with %d", whole[len(whole)-1])
		}
		if got, err := decodeEvent(key, value, want.Key); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%v: got %+v\nwant %+v", err, got, want)
		}
	}
}

func TestEveryFieldOfAnOrderIsKept(t *testing.T) {
	var whole ledger.Order
	var n int64
	fillIn(t, reflect.ValueOf(&whole).Elem(), &n)
	for name, want := range map[string]ledger.Order{"Everything": whole, "Nothing": {}} {
		t.Run(name, func(t *testing.T) {
			value, err := encodeOrder(orderKey(want.OrderID), &want)
			if err != nil {
				t.Fatal(err)
			}
			got, err := decodeOrder(orderKey(want.OrderID), value)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
			for i := range value {
				changed := bytes.Clone(value)
				changed[i] ^= 0x81
				if _, err := decodeOrder(orderKey(want.OrderID), changed); !errors.Is(err, errDamaged) {
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
	key := eventKey(e.Key)
	value, err := encodeEvent(key, &e)
	if err != nil {
		t.Fatal(err)
	}
	damaged := func(value []byte, what string, at int) {
		t.Helper()
		if _, err := decodeEvent(key, value, e.Key); !errors.Is(err, errDamaged) {
			t.Errorf("%s at %d: %v", what, at, err)
		}
	}
	for i := range value {
		changed := bytes.Clone(value)
		changed[i] ^= 0x81
		damaged(changed, "changed", i)
		damaged(value[:i], "cut off", i)
		if i < len(value)-sumSize {
			damaged(seal(key, value[:i]), "cut off and sealed", i)
		}
	}
	whole, _ := unseal(key, value)
	for i := range whole {
		for _, b := range []byte{0, 1, 0x7f, 0x80, 0xff} {
			changed := bytes.Clone(whole)
			changed[i] = b
			if _, err := decodeEvent(key, seal(key, changed), e.Key); err != nil && !errors.Is(err, errDamaged) {
				t.Errorf("changed to %#x at %d: %v", b, i, err)
			}
		}
	}
	huge := append(bytes.Clone(whole[:headerSize]), 0)
	huge = binary.AppendUvarint(huge, 1<<62) // the length of the first text
	damaged(seal(key, huge), "a text of 2^62 bytes", 0)
}

func BenchmarkEvent(b *testing.B) {
	e := delivered("20240312000000000000000000000001").Event
	if err := e.Apply(delivered("1").Transitions); err != nil {
		b.Fatal(err)
	}
	key := eventKey(e.Key)
	value, err := encodeEvent(key, &e)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("Encode", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(value)))
		for b.Loop() {
			if _, err := encodeEvent(key, &e); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Decode", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(value)))
		for b.Loop() {
			if _, err := decodeEvent(key, value, e.Key); err != nil {
				b.Fatal(err)
			}
		}
	})
}
