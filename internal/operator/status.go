package operator

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/secrets"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Route is a configured route.
type Route struct {
	Account, Name string
	// Delivers: it delivers events in the background; else it passes each webhook's
	// request through.
	Delivers bool
}

func (o *Operator) delivers(route string) bool {
	return slices.ContainsFunc(o.Routes, func(r Route) bool { return r.Delivers && r.Name == route })
}

// Mode is how a route delivers its events.
type Mode string

// The modes of routes. Elsewhere is that of a route which another process serves that
// shares the ledger. Unconfigured is that of a route which only the ledger knows:
// nothing delivers what is pending there.
const (
	Deliver      Mode = "deliver"
	PassThrough  Mode = "pass-through"
	Elsewhere    Mode = "elsewhere"
	Unconfigured Mode = "unconfigured"
)

// RouteStatus is how the events of a route stand.
type RouteStatus struct {
	// Account is the route's; empty also where the route is not configured.
	Account, Route string
	Mode           Mode

	Pending, Held, Dead, Delivered uint64
	// OldestPending is for how long the oldest of the pending events that are due
	// first has waited; 0: none is due.
	OldestPending time.Duration
	// Budget is what is left of the gateway's retries for the events that this process has
	// refused on the route.
	Budget Budget
}

// Status is how the routes and the ledger stand.
type Status struct {
	// Routes are in the order of their names.
	Routes []RouteStatus
	// LedgerBytes is the size of the ledger; 0 where the store cannot tell.
	LedgerBytes int64
	// Store is how what the ledger is kept in stands, where the store can tell.
	Store ledger.Condition
	// Members are the processes that share the ledger, this one first, and last those that
	// did within the last hour; none: it is not shared.
	Members []Member
	// LastConfirmedAt is [Operator.LastConfirmedAt].
	LastConfirmedAt *time.Time
	// Secrets are those that are read from files.
	Secrets []secrets.Status
}

// Member is a process that shares the ledger.
type Member struct {
	Name   string
	Routes []string
	// Differs are the options that it has not alike with this process.
	Differs []string
	// SeenAt is when it last renewed its session. Gone: that has ended.
	SeenAt time.Time
	Gone   bool
}

// members returns who shares the ledger.
func (o *Operator) members() (members []Member) {
	if !o.Ledger.IsShared() {
		return nil
	}
	self := o.Ledger.Self()
	for _, s := range append([]ledger.Session{self}, o.Ledger.Others()...) {
		m := Member{Name: s.Name, Differs: self.Differences(s), SeenAt: s.SeenAt}
		for _, r := range s.Routes {
			m.Routes = append(m.Routes, r.Name)
		}
		members = append(members, m)
	}
	for _, s := range o.Ledger.Gone() {
		members = append(members, Member{Name: s.Name, SeenAt: s.SeenAt, Gone: true})
	}
	return members
}

// Status reads how the routes and the ledger stand.
func (o *Operator) Status(ctx context.Context) (Status, error) {
	now := o.Now()
	counts, err := o.Ledger.Counts(ctx)
	if err != nil {
		return Status{}, fmt.Errorf("%w%s", err, inWords(o.Refusals.Budgets(ctx, now, nil), now))
	}
	budgets := o.Refusals.Budgets(ctx, now, o.Ledger)
	status := Status{Routes: RoutesWith(o.Routes, o.Ledger.Others(), counts), Members: o.members(), LastConfirmedAt: o.LastConfirmedAt}
	if o.Secrets != nil {
		status.Secrets = o.Secrets()
	}
	for i, r := range status.Routes {
		status.Routes[i].Budget = budgets[r.Route]
		if since, ok := OldestPending(ctx, o.Ledger, r.Route); ok {
			status.Routes[i].OldestPending = o.Ledger.Now().Sub(since)
		}
	}
	status.LedgerBytes, err = o.Ledger.Size()
	if err != nil && !errors.Is(err, ledger.ErrUnsupported) {
		return Status{}, err
	}
	status.Store, err = o.Ledger.Examine(ctx)
	if err != nil && !errors.Is(err, ledger.ErrUnsupported) {
		return Status{}, err
	}
	return status, nil
}

// RoutesWith returns the configured routes, those of the other processes that share the
// ledger and those of the counts, with what was counted, in the order of their names. It
// leaves OldestPending out.
func RoutesWith(configured []Route, others []ledger.Session, counts []ledger.Count) []RouteStatus {
	routes := make(map[string]RouteStatus)
	for _, other := range others {
		for _, r := range other.Routes {
			routes[r.Name] = RouteStatus{Route: r.Name, Mode: Elsewhere}
		}
	}
	for _, r := range configured {
		mode := PassThrough
		if r.Delivers {
			mode = Deliver
		}
		routes[r.Name] = RouteStatus{Account: r.Account, Route: r.Name, Mode: mode}
	}
	for _, c := range counts {
		s, ok := routes[c.Route]
		if !ok {
			s = RouteStatus{Route: c.Route, Mode: Unconfigured}
		}
		switch {
		case c.State.Pending():
			s.Pending += c.N
		case c.State == ledger.Held:
			s.Held += c.N
		case c.State == ledger.Dead:
			s.Dead += c.N
		case c.State == ledger.Delivered:
			s.Delivered += c.N
		}
		routes[c.Route] = s
	}
	return slices.SortedFunc(maps.Values(routes), func(a, b RouteStatus) int { return strings.Compare(a.Route, b.Route) })
}

// mostDue is how many due events are looked at to find the oldest pending one.
// The ledger has them in the order in which they are due.
const mostDue = 100

// OldestPending returns when a route's oldest event that is to be delivered was
// received, or last made due by an operator. It is false where no event is due,
// and where the ledger cannot be read.
func OldestPending(ctx context.Context, l ledger.Reader, route string) (oldest time.Time, ok bool) {
	due, err := l.Due(ctx, route, time.Time{}, mostDue)
	if err != nil {
		return oldest, false
	}
	for _, d := range due {
		if ctx.Err() != nil {
			break
		}
		event, err := l.Load(ctx, d.Key)
		if err != nil {
			continue // it was delivered in the meantime
		}
		since := event.ReceivedAt
		if event.DueSince != nil {
			since = *event.DueSince
		}
		if !ok || since.Before(oldest) {
			oldest, ok = since, true
		}
	}
	return oldest, ok
}
