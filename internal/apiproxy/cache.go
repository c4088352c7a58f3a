package apiproxy

import (
	"encoding/json"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// responseCache caches the data of successful responses for a fixed time, for endpoints
// of CCPayment's API that seldom change. It is safe for concurrent use.
type responseCache struct {
	age time.Duration
	now func() time.Time

	flights singleflight.Group // one call for concurrent misses of a key
	mu      sync.Mutex
	entries map[cacheKey]cacheEntry
	size    int // of all entries, in bytes
}

// cacheKey is a call's endpoint and its parameters in JSON.
type cacheKey struct{ endpoint, body string }

type cacheEntry struct {
	data  json.RawMessage
	until time.Time
}

// The bounds of a cache, so that calls with ever new bodies do not fill the memory.
const (
	mostEntries    = 100
	mostEntryBytes = 32 << 20
)

func newResponseCache(age time.Duration, now func() time.Time) *responseCache {
	return &responseCache{age: age, now: now, entries: make(map[cacheKey]cacheEntry)}
}

// get returns the cached data, or calls read and caches its data. An error of read is
// not cached.
func (c *responseCache) get(endpoint, body string, read func() (json.RawMessage, error)) (json.RawMessage, error) {
	key := cacheKey{endpoint, body}
	if data, ok := c.look(key); ok {
		return data, nil
	}
	data, err, _ := c.flights.Do(endpoint+" "+body, func() (any, error) {
		if data, ok := c.look(key); ok { // of a flight that landed meanwhile
			return data, nil
		}
		asked := c.now() // the data may be as old as the call
		data, err := read()
		if err == nil {
			c.keep(key, cacheEntry{data, asked.Add(c.age)})
		}
		return data, err
	})
	return data.(json.RawMessage), err
}

func (c *responseCache) look(key cacheKey) (json.RawMessage, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept, ok := c.entries[key]
	return kept.data, ok && c.now().Before(kept.until)
}

// keep adds an entry. Where the cache is full, it removes the entries that are too old,
// and if that is not enough, all.
func (c *responseCache) keep(key cacheKey, entry cacheEntry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(key)
	full := func() bool { return len(c.entries) >= mostEntries || c.size+len(entry.data) > mostEntryBytes }
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
	c.size += len(entry.data)
}

func (c *responseCache) drop(key cacheKey) {
	c.size -= len(c.entries[key].data)
	delete(c.entries, key)
}
