package checkout

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Limits is a rate limit of new orders for each client address. A nil *Limits limits
// nothing. It is safe for concurrent use.
type Limits struct {
	// Name tells the limit from others among all processes that share the ledger. It is
	// set before use.
	Name string

	every time.Duration // one more order is allowed after each
	burst int

	mu      sync.Mutex
	clients map[string]*rate.Limiter
}

// mostClients is how many clients are remembered. Beyond it, clients that could make
// their full number of orders again are forgotten, and if none can, all are.
const mostClients = 10_000

// ParseLimit reads a limit such as 10/1m: ten orders at once, and ten a minute. Of the
// text off it returns nil. parse knows days, as Caddy's own does.
func ParseLimit(text string, parse func(string) (time.Duration, error)) (*Limits, error) {
	if text == "off" {
		return nil, nil
	}
	count, per, ok := strings.Cut(text, "/")
	n, err := strconv.Atoi(count)
	if !ok || err != nil || n < 1 {
		return nil, fmt.Errorf("limit %q is neither off nor such as 10/1m", text)
	}
	duration, err := parse(per)
	if err != nil || duration <= 0 {
		return nil, fmt.Errorf("limit %q is neither off nor such as 10/1m", text)
	}
	return &Limits{every: duration / time.Duration(n), burst: n, clients: make(map[string]*rate.Limiter)}, nil
}

// budgetPatience is how long the ledger that processes share may take to count an order.
// After it, each counts by itself.
const budgetPatience = 50 * time.Millisecond

// allow counts a new order of the client, for all processes that share the ledger. The
// error is an [*Error] where it is one too many.
func (l *Limits) allow(ctx context.Context, client string, now time.Time, book *ledger.Ledger) error {
	if l == nil {
		return nil
	}
	if book.IsShared() {
		ctx, cancel := context.WithTimeout(ctx, budgetPatience)
		defer cancel()
		wait, err := book.Spend(ctx, fmt.Sprintf("orders %q %d/%s of %s", l.Name, l.burst, l.every, client), l.every, l.burst)
		switch {
		case err == nil && wait > 0:
			return tooMany(wait)
		case err == nil:
			return nil
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	limiter := l.clients[client]
	if limiter == nil {
		if len(l.clients) >= mostClients {
			l.forget(now)
		}
		limiter = rate.NewLimiter(rate.Every(l.every), l.burst)
		l.clients[client] = limiter
	}
	if limiter.AllowN(now, 1) {
		return nil
	}
	return tooMany(l.every)
}

func tooMany(wait time.Duration) error {
	return &Error{Status: http.StatusTooManyRequests, Code: "too_many", Text: "too many new orders: try again later", RetryAfter: wait}
}

func (l *Limits) forget(now time.Time) {
	for client, limiter := range l.clients {
		if limiter.TokensAt(now) >= float64(l.burst) {
			delete(l.clients, client)
		}
	}
	if len(l.clients) >= mostClients {
		clear(l.clients)
	}
}

// ClientOf returns what counts as one client: an address, and for IPv6 the /64 network,
// because one client has many addresses in it.
func ClientOf(ip netip.Addr) string {
	if ip = ip.Unmap().WithZone(""); ip.Is6() {
		network, _ := ip.Prefix(64)
		return network.String()
	}
	return ip.String()
}

// How many orders at gateways are made for one of the app's, within a day and in all: all
// are read to settle it.
const (
	mostInADay        = 10
	mostGatewayOrders = 100

	day = 24 * time.Hour
)

// mayMake returns an [*Error] where an order has had as many orders at gateways as one has, or
// as one has within a day, none of which makes way for the one that is wanted.
func (s *Sessions) mayMake(order ledger.Order, w wanted, now time.Time) error {
	made := order.Checkout.Generations
	if s.finder != nil && s.free(order, made, w) >= 0 {
		return nil
	}
	if len(made) >= mostGatewayOrders {
		return conflict("too_many_terms", "the order has had too many checkouts: make a new one")
	}
	today := make([]time.Time, 0, len(made))
	for _, g := range made {
		if g.CreatedAt.After(now.Add(-day)) {
			today = append(today, g.CreatedAt)
		}
	}
	if len(today) < mostInADay {
		return nil
	}
	slices.SortFunc(today, time.Time.Compare)
	return &Error{
		Status: http.StatusConflict, Code: "too_many_terms", RetryAfter: today[len(today)-mostInADay].Add(day).Sub(now),
		Text: fmt.Sprintf("the order has had %d checkouts within a day: make a new one, or ask again later", len(today)),
	}
}
