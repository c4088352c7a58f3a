package operator

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Refusals remembers, in memory, the events whose webhooks this process has refused: where
// the app did not take one that is passed through, or the ledger could not be used. Only the
// gateway's own retries bring those. The zero value is ready, and it is safe for concurrent
// use.
type Refusals struct {
	mu     sync.Mutex
	events map[ledger.Key]refusal
}

type refusal struct {
	first   time.Time     // when its first webhook came
	retries time.Duration // for how long after that the gateway tries again; 0: not known
}

const (
	// mostRefusals bounds the memory that they take, and keepRefusals how long what the
	// gateway has given up is shown.
	mostRefusals = 10_000
	keepRefusals = 24 * time.Hour
	// mostLoaded is how many are looked up in the ledger at once: another process, or an
	// operator, may have dealt with them since.
	mostLoaded = 50
)

// Answered notes with which HTTP status, and outcome in a word, a webhook of an event was
// answered, which the gateway tries again for so long after the first, if it has to; 0: not
// known. The ledger has when the first came, if it has the event; nil, or with the outcome
// unavailable: it cannot be asked.
func (r *Refusals) Answered(ctx context.Context, e ledger.Event, status int, outcome string, retries time.Duration, l *ledger.Ledger) {
	if status < http.StatusInternalServerError {
		r.taken(e.Key)
		return
	}
	r.mu.Lock()
	_, isKnown := r.events[e.Key]
	isFull := len(r.events) >= mostRefusals
	r.mu.Unlock()
	if isKnown || isFull {
		return
	}
	first := e.ReceivedAt
	if l != nil && outcome != "unavailable" {
		if known, err := l.Load(ctx, e.Key); err == nil {
			first = known.ReceivedAt
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.events == nil {
		r.events = make(map[ledger.Key]refusal)
	}
	r.events[e.Key] = refusal{first: first, retries: retries}
}

// taken notes that a webhook of an event was acknowledged.
func (r *Refusals) taken(key ledger.Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.events, key)
}

// Budget is what is left of the gateway's retries for what was refused on a route.
type Budget struct {
	// Refused is how many events wait for the gateway's next try, or were given up by it.
	Refused int
	// Since is when the first webhook of the oldest of them came, and Until when the gateway
	// tries it for the last time; zero: that is not known.
	Since, Until time.Time
}

// Left is for how long the gateway goes on trying the oldest event; 0: no longer.
func (b Budget) Left(now time.Time) time.Duration { return max(b.Until.Sub(now), 0) }

// Budgets returns what is left for each route with refused events at a time. Those that the
// ledger has as dealt with are forgotten; nil: it cannot be asked.
func (r *Refusals) Budgets(ctx context.Context, now time.Time, l ledger.Reader) map[string]Budget {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	maps.DeleteFunc(r.events, func(_ ledger.Key, e refusal) bool { return now.Sub(e.first) > e.retries+keepRefusals })
	events := maps.Clone(r.events)
	r.mu.Unlock()
	oldest := slices.SortedFunc(maps.Keys(events), func(a, b ledger.Key) int { return events[a].first.Compare(events[b].first) })
	for i, key := range oldest {
		if l == nil || i == mostLoaded || ctx.Err() != nil {
			break
		}
		if known, err := l.Load(ctx, key); err == nil && !known.State.Pending() {
			delete(events, key)
			r.taken(key)
		}
	}
	budgets := make(map[string]Budget)
	for _, key := range oldest {
		e, ok := events[key]
		if !ok {
			continue
		}
		b := budgets[key.Route]
		if b.Refused++; b.Refused == 1 {
			b.Since = e.first
			if e.retries > 0 {
				b.Until = e.first.Add(e.retries)
			}
		}
		budgets[key.Route] = b
	}
	return budgets
}

// inWords says what is left of the gateways' retries, for an error.
func inWords(budgets map[string]Budget, now time.Time) string {
	var text strings.Builder
	for _, route := range slices.Sorted(maps.Keys(budgets)) {
		b := budgets[route]
		fmt.Fprintf(&text, "; %d events of route %s were refused since %s, and ", b.Refused, route, b.Since.UTC().Format(time.RFC3339))
		switch left := b.Left(now); {
		case b.Until.IsZero():
			text.WriteString("for how long the gateway tries again is not known")
		case left == 0:
			text.WriteString("the gateway does not try the oldest any more")
		default:
			fmt.Fprintf(&text, "the gateway tries the oldest for %s more", left.Round(time.Second))
		}
	}
	return text.String()
}
