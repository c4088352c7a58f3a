package operator

import (
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
)

// Hour remembers what the last hour was like, in memory. The zero value is ready, and it
// is safe for concurrent use.
type Hour struct {
	mu      sync.Mutex
	routes  map[string]*[minutes]Minute
	trouble map[string]Trouble
	skew    map[string]time.Duration
}

const minutes = 60

// Minute is what became of a route's attempts in one minute.
type Minute struct {
	at int64 // minutes since 1970
	// Delivered and Failed count the attempts. Slowest is the longest time from an event's
	// receipt to the app's yes.
	Delivered, Failed int
	Slowest           time.Duration
}

// Trouble is why the gateway's API could not confirm an event.
type Trouble struct {
	At time.Time
	// Text is the gateway's error; Hint says what to do about it, where that is known.
	Text, Hint string
}

// TroubleOf is what an error of a gateway's API says, and what to do about it; nil where
// the gateway could be asked, and only its records are behind.
func TroubleOf(err error, at time.Time) *Trouble {
	if errors.Is(err, gateway.ErrNotFound) {
		return nil
	}
	t := &Trouble{At: at, Text: err.Error()}
	var refused *gateway.RefusedError
	if errors.As(err, &refused) {
		t.Hint = refused.Hint
	}
	return t
}

// Attempt notes that an attempt on a route was delivered, age after the event's receipt,
// or that it failed.
func (h *Hour) Attempt(route string, at time.Time, delivered bool, age time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.routes == nil {
		h.routes = make(map[string]*[minutes]Minute)
	}
	if h.routes[route] == nil {
		h.routes[route] = new([minutes]Minute)
	}
	n := at.Unix() / 60
	m := &h.routes[route][n%minutes]
	if m.at != n {
		*m = Minute{at: n}
	}
	if !delivered {
		m.Failed++
		return
	}
	m.Delivered++
	m.Slowest = max(m.Slowest, age)
}

// Route returns the last sixty minutes of a route, the earliest first.
func (h *Hour) Route(route string, now time.Time) [minutes]Minute {
	h.mu.Lock()
	defer h.mu.Unlock()
	var list [minutes]Minute
	known := h.routes[route]
	if known == nil {
		return list
	}
	last := now.Unix() / 60
	for i := range list {
		n := last - int64(len(list)-1-i)
		if m := known[n%minutes]; m.at == n {
			list[i] = m
		}
	}
	return list
}

// API notes how an account's gateway answered when it was asked about an event: nil is
// as it should be.
func (h *Hour) API(account string, trouble *Trouble) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if trouble == nil {
		delete(h.trouble, account)
		return
	}
	if h.trouble == nil {
		h.trouble = make(map[string]Trouble)
	}
	h.trouble[account] = *trouble
}

// Skew notes how far our clock is ahead of an account's gateway.
func (h *Hour) Skew(account string, ahead time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.skew == nil {
		h.skew = make(map[string]time.Duration)
	}
	h.skew[account] = ahead
}

// Accounts returns, by account, the trouble that lasts, and the latest skew.
func (h *Hour) Accounts() (trouble map[string]Trouble, skew map[string]time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.trouble), maps.Clone(h.skew)
}
