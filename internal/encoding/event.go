package encoding

import (
	"encoding/binary"
	"fmt"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// The value of an event is a header of fixed length, which is all that most
// deliveries need; the key of the event where the store has it nowhere else; the
// other fields of the event; and a checksum.
const (
	headerVersion = 1
	// withOrderAppID is the version of events whose order is not their account's own.
	withOrderAppID = 2
	// HeaderSize is the length of the header.
	HeaderSize = 1 + 1 + 4 + 8 + 8 // version, state, attempts, seq, received at
)

// EncodeEvent returns the value of an event, without its body, that is to stand under
// the key at. WithKey says whether the event's own key is part of it.
func EncodeEvent(at []byte, e *ledger.Event, withKey bool) ([]byte, error) {
	c := coder{value: make([]byte, 0, 512)}
	c.version = headerVersion
	if e.OrderAppID != "" {
		c.version = withOrderAppID
	}
	c.value = append(c.value, c.version, byte(e.State))
	c.value = binary.BigEndian.AppendUint32(c.value, uint32(e.Attempts))
	c.value = binary.BigEndian.AppendUint64(c.value, e.Seq)
	c.time(&e.ReceivedAt)
	keyFields(&c, &e.Key, withKey)
	eventFields(&c, e)
	if c.err != nil {
		return nil, fmt.Errorf("encoding event %s: %w", e.EventID(), c.err)
	}
	return binary.BigEndian.AppendUint32(c.value, checksum(at, c.value)), nil
}

// DecodeEvent reads an event without its body. Its key is the one that is given,
// unless the value has it.
func DecodeEvent(at, value []byte, key ledger.Key) (ledger.Event, error) {
	e := ledger.Event{Key: key}
	summary, fields, err := ReadHeader(at, value)
	if err != nil {
		return e, err
	}
	e.State, e.Attempts, e.Seq, e.ReceivedAt = summary.State, summary.Attempts, summary.Seq, summary.ReceivedAt
	c := newReader(fields)
	c.version = value[0]
	keyFields(c, &e.Key, false)
	eventFields(c, &e)
	return e, c.end()
}

// ReadHeader checks a value, and returns what its header says and the fields that
// follow it.
func ReadHeader(at, value []byte) (ledger.Summary, []byte, error) {
	whole, ok := Unseal(at, value)
	if !ok || len(whole) < HeaderSize {
		return ledger.Summary{}, nil, ledger.ErrDamaged
	}
	if err := checkVersion(whole, headerVersion, withOrderAppID); err != nil {
		return ledger.Summary{}, nil, err
	}
	return ledger.Summary{
		State:      ledger.State(whole[1]),
		Attempts:   int(binary.BigEndian.Uint32(whole[2:])),
		Seq:        binary.BigEndian.Uint64(whole[6:]),
		ReceivedAt: readTime(whole[14:]),
	}, whole[HeaderSize:], nil
}

// ReadKey reads the event's key from the fields that follow the header; where they
// have none, it stays as it is.
func ReadKey(fields []byte, key *ledger.Key) error {
	c := newReader(fields)
	keyFields(c, key, false)
	if c.err != nil {
		return fmt.Errorf("%w: %w", ledger.ErrDamaged, c.err)
	}
	return nil
}

// keyFields are those of an event's key, where they are present.
func keyFields(c *coder, k *ledger.Key, present bool) {
	c.flag(&present)
	if !present {
		return
	}
	c.text(&k.Route)
	c.text(&k.AppID)
	c.text(&k.Type)
	c.text(&k.ID)
	c.text((*string)(&k.Risk))
	c.text(&k.Status)
}

// eventFields are an event's, in the order in which they stand in the value.
func eventFields(c *coder, e *ledger.Event) {
	c.text(&e.Account)
	c.text(&e.Status)
	c.text(&e.OrderID)
	c.text(&e.GatewayOrderID)
	c.text(&e.Order)
	if c.version >= withOrderAppID {
		c.text(&e.OrderAppID)
	}
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
	c.flags(&r.Stale, &isForwarded) // the second came later: values from before have only the first
	if !isForwarded {
		return
	}
	c.text(&r.Forwarded.For)
	c.text(&r.Forwarded.Proto)
	c.text(&r.Forwarded.Host)
	c.text(&r.Forwarded.ClientIP)
}
