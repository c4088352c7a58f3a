package apiproxy

import (
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
)

// responseCache caches successful answers for a fixed time, for endpoints of the gateway's
// API whose answers seldom change. It is safe for concurrent use.
type responseCache struct {
	age time.Duration
	now func() time.Time

	flights singleflight.Group // one call for concurrent misses of a key
	mu      sync.Mutex
	entries map[cacheKey]cacheEntry
	size    int // of all entries, in bytes
}

// cacheKey is what a call asks for: where, and with what parameters.
type cacheKey struct{ target, parameters string }

func keyOf(c gateway.APICall) cacheKey {
	if c.Method == http.MethodGet {
		return cacheKey{c.Path, c.Query}
	}
	return cacheKey{c.Path, string(c.Body)}
}

type cacheEntry struct {
	answer gateway.APIAnswer
	until  time.Time
}

// The bounds of a cache, so that calls with ever new bodies do not fill the memory.
const (
	mostEntries    = 100
	mostEntryBytes = 32 << 20
)

func newResponseCache(age time.Duration, now func() time.Time) *responseCache {
	return &responseCache{age: age, now: now, entries: make(map[cacheKey]cacheEntry)}
}

// get returns the cached answer to a call, or makes the call by read and caches its
// answer. A refusal or an error is not cached.
func (c *responseCache) get(call gateway.APICall, read func() (gateway.APIAnswer, error)) (gateway.APIAnswer, error) {
	key := keyOf(call)
	if answer, ok := c.look(key); ok {
		return answer, nil
	}
	answer, err, _ := c.flights.Do(key.target+" "+key.parameters, func() (any, error) {
		if answer, ok := c.look(key); ok { // of a flight that landed meanwhile
			return answer, nil
		}
		asked := c.now() // the answer may be as old as the call
		answer, err := read()
		if err == nil && answer.Refusal == nil {
			c.keep(key, cacheEntry{answer, asked.Add(c.age)})
		}
		return answer, err
	})
	return answer.(gateway.APIAnswer), err
}

func (c *responseCache) look(key cacheKey) (gateway.APIAnswer, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept, ok := c.entries[key]
	return kept.answer, ok && c.now().Before(kept.until)
}

// keep adds an entry. Where the cache is full, it removes the entries that are too old,
// and if that is not enough, all.
func (c *responseCache) keep(key cacheKey, entry cacheEntry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(key)
	full := func() bool { return len(c.entries) >= mostEntries || c.size+len(entry.answer.Body) > mostEntryBytes }
	if full() {
		for other, kept := range c.entries {
			if !c.now().Before(kept.until) {
				c.drop(other)
			}
		}
	}
	if full() {
		clear(c.entries)
		c.size = 0
	}
	c.entries[key] = entry
	c.size += len(entry.answer.Body)
}

func (c *responseCache) drop(key cacheKey) {
	c.size -= len(c.entries[key].answer.Body)
	delete(c.entries, key)
}
