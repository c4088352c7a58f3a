package ledger_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// mistake is one that is planted into a [database], to see that the worlds find it.
type mistake string

const (
	noLeases   mistake = "leases keep nobody out"
	noFences   mistake = "a lost lease still commits"
	endless    mistake = "a lease never ends"
	flagsTwice mistake = "a flag is bound to two events"
	forgetful  mistake = "an event is acknowledged and not kept"
	blind      mistake = "the first due event is never seen"
	hasty      mistake = "a lease is given at once after all were lost"
)

// database is a store in memory that several processes share. Each step is atomic, and
// leases and sessions run on its own clock.
type database struct {
	mistake mistake

	mu       sync.Mutex
	number   uint64    // the last epoch or session
	boot     time.Time // when it last lost all leases; zero: never
	sessions map[string]time.Time
	leases   map[ledger.Record]heldLease
	events   map[ledger.Key]ledger.Event
	epochs   map[ledger.Key]uint64
	flags    map[ledger.Flag]ledger.Key
	orders   map[ledger.OrderID]ledger.Order
	replays  []replay
}

// replay is that of an event, by an operator.
type replay struct {
	key ledger.Key
	at  time.Time
}

type heldLease struct {
	epoch   uint64
	session string
	until   time.Time
}

func newDatabase() *database {
	return &database{
		sessions: make(map[string]time.Time), leases: make(map[ledger.Record]heldLease), events: make(map[ledger.Key]ledger.Event),
		epochs: make(map[ledger.Key]uint64), flags: make(map[ledger.Flag]ledger.Key), orders: make(map[ledger.OrderID]ledger.Order),
	}
}

// connection is a process's way to the database. Before it has a session its leases run
// by their own time alone, as those of a store that nobody shares.
type connection struct {
	*database
	ledger.Reader // panics: the worlds read nothing else
	name          string
	session       string
	wake          func(h ledger.Hint)
	heard         func(h ledger.Hint)
}

func (d *database) connect(name string) *connection { return &connection{database: d, name: name} }

func copied(e ledger.Event) ledger.Event {
	e.Transitions, e.Body = slices.Clone(e.Transitions), bytes.Clone(e.Body)
	return e
}

func (d *database) lives(session string) bool {
	return session == "" || time.Now().Before(d.sessions[session])
}

func (d *database) holder(r ledger.Record) (heldLease, bool) {
	lease, ok := d.leases[r]
	return lease, ok && (d.mistake == endless || time.Now().Before(lease.until) && d.lives(lease.session))
}

func (d *database) owns(c ledger.Claim) bool {
	lease, ok := d.holder(c.Record)
	return ok && lease.epoch == c.Epoch
}

func (c *connection) Keep(_ context.Context, _ ledger.Session, held []uint64) (ledger.News, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == "" || !c.lives(c.session) {
		c.number++
		c.session = fmt.Sprint(c.name, c.number)
	}
	until := time.Now().Add(ledger.SessionTTL)
	c.sessions[c.session] = until
	lost := slices.Clone(held)
	for record, lease := range c.leases {
		if lease.session == c.session && lease.until.After(time.Now()) && slices.Contains(held, lease.epoch) {
			lease.until = until
			c.leases[record] = lease
			lost = slices.DeleteFunc(lost, func(epoch uint64) bool { return epoch == lease.epoch })
		}
	}
	return ledger.News{
		Session: c.session, Now: time.Now(), Poll: 5 * time.Second, Boot: c.boot.String(), Lost: lost,
	}, nil
}

// crash loses all leases and keeps the rest, as a server does that crashes and starts again.
func (d *database) crash() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.leases)
	d.boot = time.Now()
}

// loseLeases loses all leases, and nobody is told.
func (d *database) loseLeases() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.leases)
}

// lease takes a record; the caller holds the mutex.
func (c *connection) lease(r ledger.Record, ttl time.Duration) (ledger.Claim, error) {
	hasBooted := c.session != "" && time.Since(c.boot) < ledger.SessionTTL && c.mistake != hasty
	if !c.lives(c.session) || hasBooted {
		return ledger.Claim{}, ledger.ErrNoSession
	}
	if lease, isHeld := c.holder(r); isHeld && c.mistake != noLeases {
		return ledger.Claim{}, &ledger.LeasedError{Epoch: lease.epoch, Until: lease.until}
	}
	c.number++
	if c.session != "" {
		ttl = ledger.SessionTTL
	}
	c.leases[r] = heldLease{c.number, c.session, time.Now().Add(ttl)}
	claim := ledger.Claim{Record: r, Epoch: c.number}
	for key, e := range c.events {
		if key.Record == r {
			claim.Events = append(claim.Events, ledger.Summary{
				Key: key, State: e.State, Seq: e.Seq, Attempts: e.Attempts, ReceivedAt: e.ReceivedAt, Epoch: c.epochs[key],
			})
		}
	}
	return claim, nil
}

func (c *connection) Claim(_ context.Context, r ledger.Record, ttl time.Duration) (ledger.Claim, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lease(r, ttl)
}

func (c *connection) Take(_ context.Context, route string, ttl time.Duration, limit int) (all []ledger.Taken, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var due []ledger.Event
	for key, e := range c.events {
		if key.Route == route && e.NextAttemptAt != nil && !e.NextAttemptAt.After(time.Now()) {
			due = append(due, e)
		}
	}
	slices.SortFunc(due, func(a, b ledger.Event) int {
		return cmp.Or(a.NextAttemptAt.Compare(*b.NextAttemptAt), cmp.Compare(a.EventID(), b.EventID()))
	})
	if c.mistake == blind && len(due) > 0 {
		due = due[1:]
	}
	for _, e := range due {
		claim, err := c.lease(e.Record, ttl)
		if errors.Is(err, ledger.ErrLeased) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if all = append(all, ledger.Taken{Claim: claim, Event: copied(e)}); len(all) == limit {
			break
		}
	}
	return all, nil
}

// write computes what the change comes to; the caller holds the mutex.
func (c *connection) write(change ledger.Change) (ledger.Event, error) {
	var known *ledger.Event
	if e, ok := c.events[change.Event.Key]; ok {
		e = copied(e)
		known = &e
	}
	w, err := change.Write(known, func() (bool, error) { return known.Body != nil, nil })
	if w.Body != nil {
		w.Event.Body = w.Body
	}
	return copied(w.Event), err
}

// put keeps an event; the caller holds the mutex.
func (c *connection) put(e ledger.Event, epoch uint64) {
	c.events[e.Key], c.epochs[e.Key] = e, epoch
}

func (c *connection) Commit(_ context.Context, claim ledger.Claim, changes []ledger.Change) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.owns(claim) && c.mistake != noFences {
		return ledger.ErrFenced
	}
	var events []ledger.Event
	for _, change := range changes {
		e, err := c.write(change)
		if err != nil {
			return err
		}
		events = append(events, e)
	}
	for _, e := range events {
		c.put(e, claim.Epoch)
	}
	for _, change := range changes {
		if change.Transitions[0].Reason == ledger.Replay {
			c.replays = append(c.replays, replay{change.Event.Key, time.Now()})
		}
	}
	delete(c.leases, claim.Record)
	return nil
}

func (c *connection) Accept(_ context.Context, key ledger.Key, decide func(*ledger.Event) *ledger.Change) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var known *ledger.Event
	if e, ok := c.events[key]; ok {
		e = copied(e)
		known = &e
	}
	decide(nil) // as a store may that guesses
	change := decide(known)
	if change == nil {
		return nil
	}
	e, err := c.write(*change)
	if c.mistake == forgetful && len(c.events)%7 == 6 {
		return nil
	}
	if err == nil {
		c.put(e, 0)
	}
	return err
}

func (c *connection) Bind(_ context.Context, claim ledger.Claim, change ledger.Change, flags []ledger.Flag) ([]bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.owns(claim) && c.mistake != noFences {
		return nil, ledger.ErrFenced
	}
	if len(change.Transitions) > 0 {
		e, err := c.write(change)
		if err != nil {
			return nil, err
		}
		c.put(e, claim.Epoch)
	}
	bound := make([]bool, len(flags))
	for i, flag := range flags {
		if _, is := c.flags[flag]; !is || c.mistake == flagsTwice {
			c.flags[flag] = change.Event.Key
		}
		bound[i] = c.flags[flag] == change.Event.Key
	}
	return bound, nil
}

func (c *connection) Holds(_ context.Context, key ledger.Key, flags []ledger.Flag) ([]bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	holds := make([]bool, len(flags))
	for i, flag := range flags {
		holds[i] = c.flags[flag] == key
	}
	return holds, nil
}

func (c *connection) Unlock(_ context.Context, claim ledger.Claim) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leases[claim.Record].epoch == claim.Epoch {
		delete(c.leases, claim.Record)
	}
	return nil
}

func (c *connection) Load(_ context.Context, key ledger.Key) (ledger.Event, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.events[key]
	if !ok {
		return ledger.Event{Key: key}, ledger.ErrNotFound
	}
	return copied(e), nil
}

func (c *connection) LoadOrder(_ context.Context, id ledger.OrderID) (ledger.Order, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o, ok := c.orders[id]
	if !ok {
		return o, ledger.ErrNotFound
	}
	return o, nil
}

func (c *connection) UpdateOrder(_ context.Context, id ledger.OrderID, update func(*ledger.Order)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.orders[id]
	update(&o)
	c.orders[id] = o
	return nil
}

func (c *connection) SaveLook(context.Context, ledger.Look) error {
	panic("the worlds compare no records")
}

func (c *connection) Due(_ context.Context, route string, from time.Time, limit int) (due []ledger.Due, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, e := range c.events {
		if key.Route == route && e.NextAttemptAt != nil && !e.NextAttemptAt.Before(from) {
			due = append(due, ledger.Due{Key: key, At: *e.NextAttemptAt})
		}
	}
	slices.SortFunc(due, func(a, b ledger.Due) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Key.EventID(), b.Key.EventID()))
	})
	return due[:min(len(due), limit)], nil
}

func (c *connection) Wake(h ledger.Hint) {
	if c.wake != nil {
		c.wake(h)
	}
}

func (c *connection) OnWake(f func(ledger.Hint)) { c.heard = f }

func (c *connection) Sync(context.Context) error { return nil }

func (c *connection) Spend(context.Context, string, time.Duration, int) (time.Duration, error) {
	return 0, nil
}

func (c *connection) Prune(context.Context, time.Time, int) (int, error) { return 0, nil }

func (c *connection) Close() error { return nil }

// alone hides that a store can be shared.
type alone struct{ ledger.Store }

var _ ledger.Cluster = (*connection)(nil)
