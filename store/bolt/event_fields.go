package bolt

import (
	"encoding/binary"
	"fmt"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// A value in the events bucket is a header of fixed length, which is all that
// most deliveries need; the fields of the event that its key and the header do
// not have; and a checksum.
const (
	headerVersion = 1
	headerSize    = 1 + 1 + 4 + 8 + 8 // version, state, attempts, seq, received at
)

// encodeEvent returns the value of an event under its key in the bucket.
func encodeEvent(key []byte, e *ledger.Event) ([]byte, error) {
	c := coder{value: make([]byte, 0, 512)}
	c.value = append(c.value, headerVersion, byte(e.State))
	c.value = binary.BigEndian.AppendUint32(c.value, uint32(e.Attempts))
	c.value = binary.BigEndian.AppendUint64(c.value, e.Seq)
	c.time(&e.ReceivedAt)
	longKey(&c, &e.Key)
	eventFields(&c, e)
	if c.err != nil {
		return nil, fmt.Errorf("encoding event %s: %w", e.EventID(), c.err)
	}
	return seal(key, c.value), nil
}

// decodeEvent reads an event without its body. The key of an event is that of
// the value, where it is too long to be kept in the bucket's.
func decodeEvent(bucketKey, value []byte, key ledger.Key) (ledger.Event, error) {
	e := ledger.Event{Key: key}
	summary, fields, err := readHeader(bucketKey, value)
	if err != nil {
		return e, err
	}
	e.State, e.Attempts, e.Seq, e.ReceivedAt = summary.State, summary.Attempts, summary.Seq, summary.ReceivedAt
	c := newReader(fields)
	longKey(c, &e.Key)
	eventFields(c, &e)
	if err := c.end(); err != nil {
		return e, fmt.Errorf("%w: %v", unreadable(bucketKey), err)
	}
	return e, nil
}

// readHeader checks a value, and returns what its header says and the fields
// that follow it.
func readHeader(key, value []byte) (ledger.Summary, []byte, error) {
	whole, ok := unseal(key, value)
	if !ok || len(whole) < headerSize || whole[0] != headerVersion {
		return ledger.Summary{}, nil, unreadable(key)
	}
	return ledger.Summary{
		State:      ledger.State(whole[1]),
		Attempts:   int(binary.BigEndian.Uint32(whole[2:])),
		Seq:        binary.BigEndian.Uint64(whole[6:]),
		ReceivedAt: readTime(whole[14:]),
	}, whole[headerSize:], nil
}

// unreadable says which event cannot be read.
func unreadable(key []byte) error {
	parts, ok := splitKey(key)
	if !ok || len(parts) != 6 {
		return fmt.Errorf("%w: the event with the key %q", errDamagedValue, key)
	}
	k := keyOf(parts)
	return fmt.Errorf("%w: %s of record %s, status %q", errDamagedValue, k.Type, k.ID, k.Status)
}

// longKey has the key of an event where the bucket's has only a digest of a part
// of it.
func longKey(c *coder, k *ledger.Key) {
	isLong := max(len(k.Route), len(k.AppID), len(k.Type), len(k.ID), len(k.Risk), len(k.Status)) > longest
	c.flag(&isLong)
	if !isLong {
		return
	}
	c.text(&k.Route)
	c.text(&k.AppID)
	c.text(&k.Type)
	c.text(&k.ID)
	c.text((*string)(&k.Risk))
	c.text(&k.Status)
}

// eventFields are an event's, in the order in which they stand in the file.
func eventFields(c *coder, e *ledger.Event) {
	c.text(&e.Account)
	c.text(&e.Status)
	c.text(&e.OrderID)
	c.text(&e.GatewayOrderID)
	c.text(&e.Order)
	c.text(&e.ReferenceID)
	c.text(&e.UserID)
	optional(c, &e.NextAttemptAt, (*coder).time)
	c.text((*string)(&e.NextReason))
	optional(c, &e.DueSince, (*coder).time)
	c.text(&e.CountedBy)
	c.integer(&e.Failures)
	optional(c, &e.RejectedSince, (*coder).time)
	c.flag(&e.Released)
	c.flag(&e.RiskAccepted)
	optional(c, &e.Confirmation, confirmationFields)
	optional(c, &e.DeliveredAt, (*coder).time)
	c.text(&e.LastError)
	list(c, &e.Transitions, transitionFields)
	requestFields(c, &e.Request)
}

func confirmationFields(c *coder, f *ledger.Confirmation) {
	c.time(&f.At)
	c.text(&f.Coin)
	c.text(&f.Chain)
	c.text(&f.TxID)
	c.text(&f.Amount)
	c.text(&f.Fee)
	c.text(&f.USDPrice)
	c.text((*string)(&f.Risk))
	c.text(&f.OrderState)
	c.text(&f.OrderDue)
	c.text(&f.OrderPaid)
	c.text(&f.OrderCurrency)
	c.flag(&f.OrderLate)
	c.flag(&f.Fulfill)
	c.flag(&f.Credit)
	c.text(&f.Payout)
	c.text(&f.Reason)
}

func transitionFields(c *coder, t *ledger.Transition) {
	c.time(&t.At)
	c.octet((*byte)(&t.State))
	c.text(&t.Cause)
	c.integer(&t.Attempt)
	c.number(&t.Seq)
	c.time(&t.Next)
	c.text((*string)(&t.Reason))
	c.flag(&t.Accept)
	c.flag(&t.Spared)
	c.flag(&t.Rejected)
}

func requestFields(c *coder, r *ledger.Request) {
	c.text(&r.Method)
	c.text(&r.URI)
	c.text(&r.Host)
	c.text(&r.RemoteAddr)
	c.flag(&r.TLS)
	c.text(&r.ContentType)
	c.text(&r.UserAgent)
	isForwarded := r.Forwarded != (ledger.Forwarded{})
	c.flags(&r.Stale, &isForwarded) // the second came later: files from before have only the first
	if !isForwarded {
		return
	}
	c.text(&r.Forwarded.For)
	c.text(&r.Forwarded.Proto)
	c.text(&r.Forwarded.Host)
	c.text(&r.Forwarded.ClientIP)
}
