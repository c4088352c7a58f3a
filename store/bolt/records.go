package bolt

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// A value in the events bucket is a header of fixed length, which is all that
// most deliveries need, and the event as JSON.
const (
	headerVersion = 1
	headerSize    = 1 + 1 + 4 + 8 + 8 // version, state, attempts, seq, received at
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
func bodyKey(e ledger.Event) []byte {
	return append(timeKey(e.ReceivedAt), eventKey(e.Key)...)
}

func timeKey(t time.Time) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(max(t.UnixNano(), 0)))
}

// readRecord returns the summaries of a record's events.
func readRecord(tx *bbolt.Tx, record ledger.Record) ([]ledger.Summary, error) {
	var events []ledger.Summary
	prefix := recordKey(record)
	cursor := tx.Bucket(eventsBucket).Cursor()
	for k, v := cursor.Seek(prefix); bytes.HasPrefix(k, prefix); k, v = cursor.Next() {
		summary, err := readHeader(v)
		if err != nil {
			return nil, err
		}
		risk, status, digest, ok := splitEvent(k[len(prefix):])
		if ok && digest {
			var long longStatus
			ok = json.Unmarshal(v[headerSize:], &long) == nil
			status = long.KeyStatus
		}
		if !ok {
			return nil, fmt.Errorf("%w: a key of record %s cannot be read", errDamaged, record.ID)
		}
		summary.Key = ledger.Key{Record: record, Status: status, Risk: ledger.Risk(risk)}
		events = append(events, summary)
	}
	return events, nil
}

// splitEvent reads the two parts that follow the record in an event's key, and
// whether there is a digest in the place of the status.
func splitEvent(rest []byte) (risk, status string, digest, ok bool) {
	parts := [2][]byte{}
	n := 0
	for i := 0; i < len(rest); i++ {
		if n == len(parts) {
			return "", "", false, false
		}
		if rest[i] != 0 {
			parts[n] = append(parts[n], rest[i])
			continue
		}
		i++
		switch {
		case i < len(rest) && rest[i] == zeroByte:
			parts[n] = append(parts[n], 0)
		case i < len(rest) && rest[i] == partEnd:
			n++
		case i < len(rest) && rest[i] == digestEnd && n == 1:
			n++
			digest = true
		default:
			return "", "", false, false
		}
	}
	return string(parts[0]), string(parts[1]), digest, n == len(parts)
}

func readHeader(value []byte) (ledger.Summary, error) {
	if len(value) < headerSize || value[0] != headerVersion {
		return ledger.Summary{}, fmt.Errorf("%w: an event cannot be read", errDamaged)
	}
	return ledger.Summary{
		State:    ledger.State(value[1]),
		Attempts: int(binary.BigEndian.Uint32(value[2:])),
		Seq:      binary.BigEndian.Uint64(value[6:]),

		ReceivedAt: time.Unix(0, int64(binary.BigEndian.Uint64(value[14:]))).UTC(),
	}, nil
}

// readEvent returns an event without its body.
func readEvent(tx *bbolt.Tx, key ledger.Key) (ledger.Event, error) {
	var event ledger.Event
	value := tx.Bucket(eventsBucket).Get(eventKey(key))
	if value == nil {
		return event, ledger.ErrNotFound
	}
	if _, err := readHeader(value); err != nil {
		return event, err
	}
	if err := json.Unmarshal(value[headerSize:], &event); err != nil {
		return event, fmt.Errorf("%w: an event cannot be read: %v", errDamaged, err)
	}
	event.Key = key
	return event, nil
}

func readBody(tx *bbolt.Tx, event ledger.Event) ([]byte, error) {
	body := tx.Bucket(bodiesBucket).Get(bodyKey(event))
	if int64(len(body)) > tx.Size() { // as a damaged page may have it: gigabytes
		return nil, fmt.Errorf("%w: the body of event %s cannot be read", errDamaged, event.EventID())
	}
	return bytes.Clone(body), nil
}

// longStatus is added to the JSON of an event whose key has but a digest of its
// status.
type longStatus struct {
	KeyStatus string `json:"key_status,omitempty"`
}

// write is an event as it is written, and its body if it has one to add.
type write struct {
	key, value    []byte
	bodyKey, body []byte
}

// encodeEvent prepares the writing of an event. What can fail for one event
// alone fails here, before anything is written.
func encodeEvent(event ledger.Event) (write, error) {
	value := make([]byte, headerSize, 1024)
	value[0] = headerVersion
	value[1] = byte(event.State)
	binary.BigEndian.PutUint32(value[2:], uint32(event.Attempts))
	binary.BigEndian.PutUint64(value[6:], event.Seq)
	binary.BigEndian.PutUint64(value[14:], uint64(event.ReceivedAt.UnixNano()))
	var long longStatus
	if len(event.Key.Status) > longest {
		long.KeyStatus = event.Key.Status
	}
	text, err := json.Marshal(struct {
		ledger.Event
		longStatus
	}{event, long})
	if err != nil {
		return write{}, fmt.Errorf("encoding event %s: %w", event.EventID(), err)
	}
	return write{
		key: eventKey(event.Key), value: append(value, text...),
		bodyKey: bodyKey(event), body: event.Body,
	}, nil
}

func (w write) put(tx *bbolt.Tx) error {
	if err := tx.Bucket(eventsBucket).Put(w.key, w.value); err != nil {
		return err
	}
	if w.body == nil {
		return nil
	}
	return tx.Bucket(bodiesBucket).Put(w.bodyKey, w.body)
}

// finishedBodies returns the keys of bodies of finished events, oldest first.
// Those of events that are not finished are passed over.
func finishedBodies(tx *bbolt.Tx, before time.Time, limit int) ([][]byte, error) {
	end := timeKey(before)
	var finished [][]byte
	cursor := tx.Bucket(bodiesBucket).Cursor()
	for k, _ := cursor.First(); k != nil && bytes.Compare(k[:len(end)], end) < 0 && len(finished) < limit; k, _ = cursor.Next() {
		done, err := isFinished(tx, k[len(end):])
		if err != nil {
			return nil, err
		}
		if done {
			finished = append(finished, bytes.Clone(k))
		}
	}
	return finished, nil
}

// deleteBodies deletes the bodies whose events are still finished.
func deleteBodies(tx *bbolt.Tx, keys [][]byte) error {
	var finished [][]byte
	for _, k := range keys {
		done, err := isFinished(tx, k[len(timeKey(time.Time{})):])
		if err != nil {
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
	}
	return nil
}

func isFinished(tx *bbolt.Tx, eventKey []byte) (bool, error) {
	summary, err := readHeader(tx.Bucket(eventsBucket).Get(eventKey))
	return summary.State.Finished(), err
}
