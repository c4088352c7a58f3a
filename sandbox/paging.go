package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"
)

const (
	pageSize   = 20
	maxIDs     = 100
	maxPage    = 100
	maxRange   = 92 * 24 * time.Hour // three months
	cursorSize = 16
)

// span is a range of time that a query asks for. Both ends are included.
type span struct{ from, to time.Time }

func (r span) holds(t time.Time) bool {
	t = t.Truncate(time.Second)
	return (r.from.IsZero() || !t.Before(r.from)) && (r.to.IsZero() || !t.After(r.to))
}

// span reads startAt and endAt: endAt not before startAt, and no more than
// three months between them (11008). Without an endAt, it is now.
func (c *call) span() span {
	r := span{c.optionalTime("startAt"), c.optionalTime("endAt")}
	end := r.to
	if end.IsZero() {
		end = c.now
	}
	switch {
	case r.from.IsZero():
	case !r.to.IsZero() && r.to.Before(r.from):
		c.reject(codeInvalid, "endAt: must not be before startAt")
	case end.Sub(r.from) > maxRange:
		c.reject(codeRange, "startAt: at most three months before endAt, or before now without it")
	}
	return r
}

// page answers with a page of the usual size.
func page[T any](
	c *call, newestFirst iter.Seq[T], recordID func(T) string, show func(T) object,
) (any, error) {
	return pageOf(c, pageSize, newestFirst, recordID, show)
}

// pageOf answers with the next of what matches, newest first, and the nextId
// that continues behind them. The nextId is bound to the query: with other
// parameters it is refused.
func pageOf[T any](
	c *call, size int, newestFirst iter.Seq[T], recordID func(T) string, show func(T) object,
) (any, error) {
	query := c.fingerprint()
	after := ""
	if next := c.optional("nextId", 256); next != "" {
		var ours bool
		after, ours = strings.CutPrefix(next, query)
		if !ours || after == "" {
			return nil, refuse(codeInvalid, "nextId: is not of this query")
		}
	}
	records, next, last := []object{}, "", ""
	skipping := after != ""
	for one := range newestFirst {
		if skipping {
			skipping = recordID(one) != after
			continue
		}
		if len(records) == size {
			next = query + last
			break
		}
		records, last = append(records, show(one)), recordID(one)
	}
	if err := c.broken(); err != nil {
		return nil, err
	}
	return object{"records": records, "nextId": next}, nil
}

// pageLimit reads limit, how many records a page has; more than 100 is 11010.
func (c *call) pageLimit() int {
	limit := c.optionalNumber("limit")
	if limit > maxPage {
		c.reject(codeTooMany, "limit: at most %d records at once, got %d", maxPage, limit)
	}
	if limit == 0 {
		return pageSize
	}
	return int(limit)
}

// among reports whether a list that a query names has an id, or names none.
func among(ids []string, id string) bool { return len(ids) == 0 || slices.Contains(ids, id) }

// fingerprint stands for the endpoint and its parameters but nextId.
func (c *call) fingerprint() string {
	hash := sha256.New()
	fmt.Fprintf(hash, "%s\n", c.endpoint)
	for _, name := range slices.Sorted(maps.Keys(c.fields)) {
		if name != "nextId" {
			fmt.Fprintf(hash, "%q %q\n", name, c.fields[name])
		}
	}
	return hex.EncodeToString(hash.Sum(nil))[:cursorSize]
}

// newest yields what matches of a list that is kept oldest first.
func newest[T any](list []T, matches func(T) bool) iter.Seq[T] {
	return func(yield func(T) bool) {
		for _, one := range slices.Backward(list) {
			if matches(one) && !yield(one) {
				return
			}
		}
	}
}
