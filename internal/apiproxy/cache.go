package apiproxy

import (
	"encoding/json"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// answerCache keeps the answers of an account's endpoints that seldom change.
// Only what CCPayment agreed to is kept, and never beyond its time.
type answerCache struct {
	age time.Duration
	now func() time.Time

	flights singleflight.Group // one read for all who want the same at once
	mu      sync.Mutex
	answers map[answerKey]keptAnswer
	size    int // of all answers, in bytes
}

// answerKey is what was asked, and with which parameters.
type answerKey struct{ endpoint, body string }

type keptAnswer struct {
	data  json.RawMessage
	until time.Time
}

// The bounds of a cache. An app that asks with ever new bodies fills no memory.
const (
	mostAnswers     = 100
	mostAnswerBytes = 32 << 20
)

func newAnswerCache(age time.Duration, now func() time.Time) *answerCache {
	return &answerCache{age: age, now: now, answers: make(map[answerKey]keptAnswer)}
}

// get returns the answer that is kept, or reads it.
func (c *answerCache) get(endpoint, body string, read func() (json.RawMessage, error)) (json.RawMessage, error) {
	key := answerKey{endpoint, body}
	if data, ok := c.look(key); ok {
		return data, nil
	}
	data, err, _ := c.flights.Do(endpoint+" "+body, func() (any, error) {
		if data, ok := c.look(key); ok { // of a flight that landed meanwhile
			return data, nil
		}
		asked := c.now() // what is read is as old as the question
		data, err := read()
		if err == nil {
			c.keep(key, keptAnswer{data, asked.Add(c.age)})
		}
		return data, err
	})
	return data.(json.RawMessage), err
}

func (c *answerCache) look(key answerKey) (json.RawMessage, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept, ok := c.answers[key]
	return kept.data, ok && c.now().Before(kept.until)
}

// keep makes room, first by what is too old, then by all.
func (c *answerCache) keep(key answerKey, answer keptAnswer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(key)
	full := func() bool { return len(c.answers) >= mostAnswers || c.size+len(answer.data) > mostAnswerBytes }
	if full() {
		for other, kept := range c.answers {
			if !c.now().Before(kept.until) {
				c.drop(other)
			}
		}
	}
	if full() {
		clear(c.answers)
		c.size = 0
	}
	c.answers[key] = answer
	c.size += len(answer.data)
}

func (c *answerCache) drop(key answerKey) {
	c.size -= len(c.answers[key].data)
	delete(c.answers, key)
}
