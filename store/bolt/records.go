package bolt

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"github.com/seed-338f6760/caddy-ccpayment/internal/encoding"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// longest is how many bytes of a key's part are kept as they are. CCPayment's
// ids are at most 64; what is longer is replaced by its digest, because bbolt
// limits a key.
const longest = 256

// What follows a zero byte in a key.
const (
	partEnd   = 1    // a part ends
	digestEnd = 2    // a part ends that is the digest of a long one
	zeroByte  = 0xff // the zero byte is the part's own
)

// appendPart appends a part of a key so that no two lists of parts have the
// same bytes, and that lists with the same beginning stand together.
func appendPart(key []byte, part string) []byte {
	end := byte(partEnd)
	if len(part) > longest {
		sum := sha256.Sum256([]byte(part))
		part, end = hex.EncodeToString(sum[:]), digestEnd
	}
	for i := range len(part) {
		key = append(key, part[i])
		if part[i] == 0 {
			key = append(key, zeroByte)
		}
	}
	return append(key, 0, end)
}

func recordKey(r ledger.Record) []byte {
	key := make([]byte, 0, 128)
	for _, part := range []string{r.Route, r.AppID, r.Type, r.ID} {
		key = appendPart(key, part)
	}
	return key
}

func eventKey(k ledger.Key) []byte {
	return appendPart(appendPart(recordKey(k.Record), string(k.Risk)), k.Status)
}

// bodyKey orders bodies by when they were received, so that old ones stand first.
func bodyKey(receivedAt time.Time, eventKey []byte) []byte {
	return append(appendTime(make([]byte, 0, timeSize+len(eventKey)), receivedAt), eventKey...)
}

// timeSize is the length of a time in a key.
const timeSize = 8

func appendTime(key []byte, t time.Time) []byte {
	return binary.BigEndian.AppendUint64(key, uint64(max(t.UnixNano(), 0)))
}

func timeKey(t time.Time) []byte { return appendTime(nil, t) }

// readRecord returns the summaries of a record's events.
func readRecord(tx *bbolt.Tx, record ledger.Record) ([]ledger.Summary, error) {
	var events []ledger.Summary
	prefix := recordKey(record)
	cursor := tx.Bucket(eventsBucket).Cursor()
	for k, v := cursor.Seek(prefix); bytes.HasPrefix(k, prefix); k, v = cursor.Next() {
		summary, fields, err := encoding.ReadHeader(k, v)
		if err != nil {
			return nil, unreadable(k, err)
		}
		parts, ok := splitKey(k[len(prefix):])
		if !ok || len(parts) != 2 {
			return nil, unreadable(k, ledger.ErrDamaged)
		}
		summary.Key = ledger.Key{Record: record, Risk: ledger.Risk(parts[0].text), Status: parts[1].text}
		if parts[0].digest || parts[1].digest {
			if err := encoding.ReadKey(fields, &summary.Key); err != nil {
				return nil, unreadable(k, err)
			}
		}
		events = append(events, summary)
	}
	return events, nil
}

// part is one part of a key, or its digest.
type part struct {
	text   string
	digest bool
}

// splitKey reads the parts of a key.
func splitKey(key []byte) ([]part, bool) {
	parts := make([]part, 0, 6) // as many as an event's key has
	hasZeros := false           // of the part's own
	for from, i := 0, 0; ; i += 2 {
		n := bytes.IndexByte(key[i:], 0)
		if n < 0 {
			return parts, from == len(key)
		}
		i += n
		switch {
		case i+1 < len(key) && key[i+1] == zeroByte:
			hasZeros = true
		case i+1 < len(key) && (key[i+1] == partEnd || key[i+1] == digestEnd):
			text := string(key[from:i])
			if hasZeros {
				text = strings.ReplaceAll(text, "\x00\xff", "\x00")
			}
			parts = append(parts, part{text, key[i+1] == digestEnd})
			from, hasZeros = i+2, false
		default:
			return nil, false
		}
	}
}

// encodeEvent returns the value of an event under its key in the bucket. The event's
// own key is part of it where the bucket's has only a digest of a part of it.
func encodeEvent(key []byte, e *ledger.Event) ([]byte, error) {
	k := e.Key
	isLong := max(len(k.Route), len(k.AppID), len(k.Type), len(k.ID), len(k.Risk), len(k.Status)) > longest
	return encoding.EncodeEvent(key, e, isLong)
}

// decodeEvent reads an event without its body. The key of an event is that of
// the value, where it is too long to be kept in the bucket's.
func decodeEvent(bucketKey, value []byte, key ledger.Key) (ledger.Event, error) {
	e, err := encoding.DecodeEvent(bucketKey, value, key)
	if err != nil {
		return e, unreadable(bucketKey, err)
	}
	return e, nil
}

// readSummary returns what the header of a value says.
func readSummary(key, value []byte) (ledger.Summary, error) {
	summary, _, err := encoding.ReadHeader(key, value)
	if err != nil {
		return summary, unreadable(key, err)
	}
	return summary, nil
}

// unreadable says which event cannot be read, and why: [ledger.ErrDamaged] or
// [ledger.ErrLater].
func unreadable(key []byte, err error) error {
	why := valueError(err)
	parts, ok := splitKey(key)
	if !ok || len(parts) != 6 {
		return fmt.Errorf("%w: the event with the key %q", why, key)
	}
	k := keyOf(parts)
	return fmt.Errorf("%w: %s of record %s, status %q", why, k.Type, k.ID, k.Status)
}

// readEvent returns an event without its body.
func readEvent(tx *bbolt.Tx, key ledger.Key) (ledger.Event, error) {
	at := eventKey(key)
	value := tx.Bucket(eventsBucket).Get(at)
	if value == nil {
		return ledger.Event{Key: key}, ledger.ErrNotFound
	}
	return decodeEvent(at, value, key)
}

// readEventAt returns the event of a key in the events bucket.
func readEventAt(tx *bbolt.Tx, key []byte) (ledger.Event, error) {
	value := tx.Bucket(eventsBucket).Get(key)
	if value == nil {
		return ledger.Event{}, ledger.ErrNotFound
	}
	parts, ok := splitKey(key)
	if !ok || len(parts) != 6 {
		return ledger.Event{}, unreadable(key, ledger.ErrDamaged)
	}
	return decodeEvent(key, value, keyOf(parts))
}

// readKey returns an event's key, from its bytes where it has no digest in it.
func readKey(tx *bbolt.Tx, key []byte) (ledger.Key, error) {
	parts, ok := splitKey(key)
	if !ok || len(parts) != 6 || slices.ContainsFunc(parts, func(p part) bool { return p.digest }) {
		event, err := readEventAt(tx, key)
		return event.Key, err
	}
	return keyOf(parts), nil
}

func keyOf(parts []part) ledger.Key {
	return ledger.Key{
		Record: ledger.Record{Route: parts[0].text, AppID: parts[1].text, Type: parts[2].text, ID: parts[3].text},
		Risk:   ledger.Risk(parts[4].text), Status: parts[5].text,
	}
}

// findEvent returns the event that stands under a key, without its body, or nil.
func findEvent(tx *bbolt.Tx, at []byte, key ledger.Key) (*ledger.Event, error) {
	value := tx.Bucket(eventsBucket).Get(at)
	if value == nil {
		return nil, nil
	}
	event, err := decodeEvent(at, value, key)
	return &event, err
}

// readBody returns the body of a key in the bodies bucket, nil where there is
// none, and whether it is damaged. That costs the body and not the event: a copy
// of it brings another.
func readBody(tx *bbolt.Tx, key []byte) (body []byte, damaged bool) {
	err := guard(func() error {
		sealed := tx.Bucket(bodiesBucket).Get(key)
		if sealed == nil {
			return nil
		}
		whole, ok := encoding.Unseal(key, sealed)
		if !ok {
			return errDamaged
		}
		body = bytes.Clone(whole)
		return nil
	})
	return body, err != nil
}

// finishedBodies returns the keys of bodies of finished events, oldest first.
// Those of events that are not finished, or cannot be read, are passed over.
func finishedBodies(tx *bbolt.Tx, before time.Time, limit int) ([][]byte, error) {
	end := timeKey(before)
	var finished [][]byte
	cursor := tx.Bucket(bodiesBucket).Cursor()
	for k, _ := cursor.First(); k != nil && bytes.Compare(k, end) < 0 && len(finished) < limit; k, _ = cursor.Next() {
		key, err := afterTime(k)
		if err != nil {
			return nil, err
		}
		done, err := isFinished(tx, key)
		if err != nil && !isUnreadable(err) {
			return nil, err
		}
		if done {
			finished = append(finished, bytes.Clone(k))
		}
	}
	return finished, nil
}

// deleteBodies deletes the bodies whose events are still finished, with the app's answers.
func deleteBodies(tx *bbolt.Tx, keys [][]byte) error {
	var finished [][]byte
	for _, k := range keys {
		done, err := isFinished(tx, k[timeSize:])
		if err != nil && !isUnreadable(err) {
			return err
		}
		if done {
			finished = append(finished, k)
		}
	}
	for _, k := range finished {
		if err := tx.Bucket(bodiesBucket).Delete(k); err != nil {
			return err
		}
		if err := deleteAnswers(tx, k); err != nil {
			return err
		}
	}
	return nil
}

// isUnreadable reports whether an error is about one value alone: it is damaged, or of a later
// version.
func isUnreadable(err error) bool {
	return errors.Is(err, ledger.ErrDamaged) || errors.Is(err, ledger.ErrLater)
}

func isFinished(tx *bbolt.Tx, eventKey []byte) (bool, error) {
	summary, err := readSummary(eventKey, tx.Bucket(eventsBucket).Get(eventKey))
	return summary.State.Finished(), err
}
