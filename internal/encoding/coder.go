// Package encoding turns events and orders into the bytes that stores keep, and back.
// A value ends in a checksum of itself and of the key that it stands under. What
// cannot be read is [ledger.ErrDamaged], or [ledger.ErrLater].
package encoding

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// coder writes the fields of a value one after the other, or reads them back in
// the same order. What is written has no names and no types: one list of fields
// serves both ways, so that the two cannot drift apart.
type coder struct {
	reads bool
	// version is that of the value, where fields were added since the first.
	version byte
	value   []byte // as far as it is written; or all that is to be read
	texts   string // when reading, the same as value: the texts read are parts of it
	at      int    // when reading, where the next field begins
	err     error  // the first
}

// SumSize is the length of the checksum that ends each value. Neither bbolt nor
// PostgreSQL, as it comes, checks a page that it reads: a damaged one must not be
// taken for what was written.
const SumSize = 4

var sums = crc32.MakeTable(crc32.Castagnoli)

// Seal returns a copy of a value that ends in its checksum. That is of the key as
// well: a value is not to be taken for what belongs under another key.
func Seal(key, value []byte) []byte {
	sealed := append(make([]byte, 0, len(value)+SumSize), value...)
	return binary.BigEndian.AppendUint32(sealed, checksum(key, value))
}

// Unseal checks what stands under a key and returns it without its checksum; false:
// it is not what was sealed.
func Unseal(key, sealed []byte) ([]byte, bool) {
	n := len(sealed) - SumSize
	if n < 0 || binary.BigEndian.Uint32(sealed[n:]) != checksum(key, sealed[:n]) {
		return nil, false
	}
	return sealed[:n], true
}

// checksum begins with the value. In a page the key stands in front of it: bytes
// that a damaged page moves from one to the other must not give the same sum.
func checksum(key, value []byte) uint32 {
	return crc32.Update(crc32.Checksum(value, sums), sums, key)
}

// checkVersion returns an error unless a value has a version, which begins it, from the first
// to the last that is known.
func checkVersion(whole []byte, first, last byte) error {
	switch {
	case len(whole) == 0 || whole[0] < first:
		return ledger.ErrDamaged
	case whole[0] > last:
		return ledger.ErrLater
	default:
		return nil
	}
}

func newReader(value []byte) *coder {
	return &coder{reads: true, value: value, texts: string(value)}
}

// end returns an error unless all that was there was read, and no more.
func (c *coder) end() error {
	if c.err == nil && c.at != len(c.value) {
		c.err = errors.New("there is more than was written")
	}
	if c.err != nil {
		return fmt.Errorf("%w: %w", ledger.ErrDamaged, c.err)
	}
	return nil
}

// take returns where the next n bytes begin; false: there are not as many.
func (c *coder) take(n uint64) (from int, ok bool) {
	if c.err == nil && n > uint64(len(c.value)-c.at) {
		c.err = errors.New("it ends too early")
	}
	if c.err != nil {
		return 0, false
	}
	from = c.at
	c.at += int(n)
	return from, true
}

func (c *coder) number(n *uint64) {
	if !c.reads {
		c.value = binary.AppendUvarint(c.value, *n)
		return
	}
	if c.err != nil {
		return
	}
	read, size := binary.Uvarint(c.value[c.at:])
	if size <= 0 {
		c.err = errors.New("a number cannot be read")
		return
	}
	*n = read
	c.at += size
}

func (c *coder) integer(n *int) {
	u := uint64(*n)
	c.number(&u)
	*n = int(u)
}

func (c *coder) text(s *string) {
	n := uint64(len(*s))
	c.number(&n)
	if !c.reads {
		c.value = append(c.value, *s...)
	} else if from, ok := c.take(n); ok {
		*s = c.texts[from:c.at]
	}
}

func (c *coder) octet(b *byte) {
	if !c.reads {
		c.value = append(c.value, *b)
	} else if from, ok := c.take(1); ok {
		*b = c.value[from]
	}
}

func (c *coder) flag(f *bool) {
	var b byte
	if *f {
		b = 1
	}
	c.octet(&b)
	*f = b != 0
}

// flags are two flags in one octet, the first of them as flag writes it alone.
func (c *coder) flags(first, second *bool) {
	var b byte
	for i, f := range []*bool{first, second} {
		if *f {
			b |= 1 << i
		}
	}
	c.octet(&b)
	*first, *second = b&1 != 0, b&2 != 0
}

// noTime stands for a time that is not set.
const noTime = math.MinInt64

// time is kept to the nanosecond, in UTC.
func (c *coder) time(t *time.Time) {
	if c.reads {
		if from, ok := c.take(8); ok {
			*t = readTime(c.value[from:])
		}
		return
	}
	n := int64(noTime)
	if !t.IsZero() {
		if n = t.UnixNano(); !time.Unix(0, n).Equal(*t) {
			c.err = fmt.Errorf("the time %s is too far away", *t)
		}
	}
	c.value = binary.BigEndian.AppendUint64(c.value, uint64(n))
}

func readTime(value []byte) time.Time {
	n := int64(binary.BigEndian.Uint64(value))
	if n == noTime {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// optional writes or reads what may be absent.
func optional[T any](c *coder, value **T, fields func(*coder, *T)) {
	present := *value != nil
	c.flag(&present)
	if !present || c.err != nil {
		return
	}
	if c.reads {
		*value = new(T)
	}
	fields(c, *value)
}

// list writes or reads what there may be several of.
func list[T any](c *coder, values *[]T, fields func(*coder, *T)) {
	n := uint64(len(*values))
	c.number(&n)
	if c.reads {
		// Each has a byte at least: what says more is damaged, and gets no memory.
		if c.err != nil || n == 0 || n > uint64(len(c.value)-c.at) {
			if c.err == nil && n > 0 {
				c.err = errors.New("a list is longer than what is there")
			}
			return
		}
		*values = make([]T, n)
	}
	for i := range *values {
		fields(c, &(*values)[i])
	}
}
