package postgres

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// digest is the key of a row: what it names may be longer than an index can hold, and
// have bytes in it that no text of PostgreSQL can.
type digest [16]byte

// digestOf tells lists of parts apart, whatever is in them.
func digestOf(parts ...string) digest {
	hash := sha256.New()
	for _, part := range parts {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		hash.Write(n[:])
		hash.Write([]byte(part))
	}
	return digest(hash.Sum(nil)[:16])
}

// UUIDValue implements [pgtype.UUIDValuer].
func (d digest) UUIDValue() (pgtype.UUID, error) { return pgtype.UUID{Bytes: d, Valid: true}, nil }

// ScanUUID implements [pgtype.UUIDScanner].
func (d *digest) ScanUUID(v pgtype.UUID) error {
	if !v.Valid {
		return errors.New("a digest is missing")
	}
	*d = v.Bytes
	return nil
}

func newToken() digest { return digest(uuid.New()) }

// digests are a parameter of the type uuid[].
type digests = pgtype.FlatArray[digest]

func routeID(name string) digest       { return digestOf(name) }
func kindID(r ledger.Record) digest    { return digestOf(r.Route, r.AppID, r.Type) }
func flagID(f ledger.Flag) digest      { return digestOf(f.Name, f.AppID, f.Type, f.ID) }
func orderID(id ledger.OrderID) digest { return digestOf(id.AppID, id.ID) }
func lookID(appID string) digest       { return digestOf(appID) }
func budgetID(name string) digest      { return digestOf(name) }
func eventID(k ledger.Key) digest {
	return digestOf(k.Route, k.AppID, k.Type, k.ID, string(k.Risk), k.Status)
}

func recordID(r ledger.Record) digest {
	if hexed, ok := strings.CutPrefix(r.ID, unreadable); ok && r.AppID == "" && r.Type == "" {
		if id, err := hex.DecodeString(hexed); err == nil && len(id) == len(digest{}) {
			return digest(id)
		}
	}
	return digestOf(r.Route, r.AppID, r.Type, r.ID)
}

// unreadable begins the id of a record of which nothing but its digest is known. No
// id of the gateway does.
const unreadable = "\x00damaged "

func unreadableRecord(route string, id digest) ledger.Record {
	return ledger.Record{Route: route, ID: unreadable + hex.EncodeToString(id[:])}
}

// longestPart is how many bytes of an order's ids its place keeps; what is longer is
// replaced by its digest.
const longestPart = 256

// placeOf is where an order stands in the list of all, by app id and id.
func placeOf(id ledger.OrderID) []byte {
	place := make([]byte, 0, 64)
	for _, part := range []string{id.AppID, id.ID} {
		if len(part) > longestPart {
			sum := sha256.Sum256([]byte(part))
			part = part[:longestPart/2] + hex.EncodeToString(sum[:])
		}
		place = append(place, strings.ReplaceAll(part, "\x00", "\x00\xff")...)
		place = append(place, 0, 1)
	}
	return place
}

// nanos is a time as the database has it.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// optionalNanos is nil where the time is.
func optionalNanos(t *time.Time) *int64 {
	if t == nil {
		return nil
	}
	n := nanos(*t)
	return &n
}

func timeOf(n int64) time.Time { return time.Unix(0, n).UTC() }
