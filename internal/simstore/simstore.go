// Package simstore is a ledger's store in memory, which several processes of a test share
// in virtual time. It does what a [ledger.Cluster] promises, or, if it is told to, makes a
// mistake that tests are to find.
package simstore

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Mistake is one that is planted into a [Database], to see that tests find it.
type Mistake string

// The mistakes.
const (
	NoLeases   Mistake = "leases keep nobody out"
	NoFences   Mistake = "a lost lease still commits"
	Endless    Mistake = "a lease never ends"
	FlagsTwice Mistake = "a flag is bound to two events"
	Forgetful  Mistake = "an event is acknowledged and not kept"
	Blind      Mistake = "the first due event is never seen"
	Hasty      Mistake = "a lease is given at once after all were lost"
	FlagsLate  Mistake = "a flag is bound only once the app has answered"
	WrongClock Mistake = "leases run on the clock of the process that asks"
)

// Database is a store in memory that several processes share. Each step is atomic, and
// leases and sessions run on its own clock. It is safe for concurrent use; its exported maps
// are for when nothing else runs.
type Database struct {
	Mistake Mistake
	Events  map[ledger.Key]ledger.Event
	Flags   map[ledger.Flag]ledger.Key
	Orders  map[ledger.OrderID]ledger.Order
	Looks   map[string]ledger.Look
	// Replays are those of events by operators, releases included, and when they were made by
	// this machine's clock.
	Replays []Replay

	mu       sync.Mutex
	now      func() time.Time
	number   uint64    // the last epoch or session
	boot     time.Time // when it last lost all leases; zero: never
	sessions map[string]session
	leases   map[ledger.Record]lease
	epochs   map[ledger.Key]uint64
	taken    map[ledger.OrderID]ledger.OrderID // whose order at the gateway each is
	answers  map[ledger.Key][]ledger.Answer
	budgets  map[string]time.Time
	open     []*Connection
}

// Replay is that of an event, by an operator.
type Replay struct {
	Key ledger.Key
	At  time.Time
}

type session struct {
	until time.Time
	about ledger.Session
}

type lease struct {
	epoch   uint64
	session string
	// until is when it ends unless it is renewed, and ends when it does in any case.
	until, ends time.Time
}

// New returns an empty store whose clock is now.
func New(now func() time.Time) *Database {
	return &Database{
		now: now, sessions: make(map[string]session), leases: make(map[ledger.Record]lease), Events: make(map[ledger.Key]ledger.Event),
		epochs: make(map[ledger.Key]uint64), Flags: make(map[ledger.Flag]ledger.Key), Orders: make(map[ledger.OrderID]ledger.Order),
		Looks: make(map[string]ledger.Look), taken: make(map[ledger.OrderID]ledger.OrderID),
		answers: make(map[ledger.Key][]ledger.Answer), budgets: make(map[string]time.Time),
	}
}

// Connection is a process's way to the store.
type Connection struct {
	*Database
	name string
	// Clock is the process's own, by which only a mistake goes.
	Clock func() time.Time

	isAlone  bool
	session  string
	isClosed bool
	heard    func(ledger.Hint)
	late     map[ledger.Record][]lateFlag
}

// Connect returns the way of a process to the store that it shares.
func (d *Database) Connect(name string) *Connection {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := &Connection{Database: d, name: name, Clock: d.now, late: make(map[ledger.Record][]lateFlag)}
	d.open = append(d.open, c)
	return c
}

// BeAlone has the connection be that of the only process: it needs no session, and a lease
// lasts as long as it is asked for. It is called before the connection is used.
func (c *Connection) BeAlone() { c.isAlone = true }

// Alone hides that a store can be shared.
func Alone(c ledger.Cluster) ledger.Store { return alone{c} }

type alone struct{ ledger.Store }

// Crash loses all leases and keeps the rest, as a server does that crashes and starts again.
func (d *Database) Crash() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.leases)
	d.boot = d.now()
}

// LoseLeases loses all leases, and nobody is told.
func (d *Database) LoseLeases() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.leases)
}

// SetClock sets the store's clock forward or back. Forward, all leases may have run out, so that
// they count as lost; back, none lasts for longer.
func (d *Database) SetClock(by time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := d.now
	d.now = func() time.Time { return before().Add(by) }
	if by > 0 {
		clear(d.leases)
		d.boot = d.now()
		return
	}
	until := d.now().Add(ledger.SessionTTL)
	d.boot = earlier(d.boot, d.now())
	for id, s := range d.sessions {
		s.until = earlier(s.until, until)
		d.sessions[id] = s
	}
	for r, l := range d.leases {
		l.until = earlier(l.until, until)
		d.leases[r] = l
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// EndSessions ends all sessions at once.
func (d *Database) EndSessions() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.sessions)
}

func (d *Database) lives(session string) bool {
	return session == "" || d.now().Before(d.sessions[session].until)
}

// leaseTime is the time that leases run on.
func (c *Connection) leaseTime() time.Time {
	if c.Mistake == WrongClock {
		return c.Clock()
	}
	return c.now()
}

// holder returns the lease on a record as a connection sees it.
func (c *Connection) holder(r ledger.Record) (lease, bool) {
	lease, ok := c.leases[r]
	return lease, ok && (c.Mistake == Endless || c.leaseTime().Before(lease.until) && c.lives(lease.session))
}

func (c *Connection) owns(claim ledger.Claim) bool {
	lease, ok := c.holder(claim.Record)
	return ok && lease.epoch == claim.Epoch && lease.session == c.session
}

// begin takes the store for one step, which ends with the function.
func (c *Connection) begin() (end func(), err error) {
	c.mu.Lock()
	if c.isClosed {
		c.mu.Unlock()
		return nil, ledger.ErrClosed
	}
	return c.mu.Unlock, nil
}

// Keep implements [ledger.Cluster].
func (c *Connection) Keep(_ context.Context, about ledger.Session, held []uint64) (ledger.News, error) {
	end, err := c.begin()
	if err != nil {
		return ledger.News{}, err
	}
	defer end()
	if c.session == "" || !c.lives(c.session) {
		c.number++
		c.session = fmt.Sprint(c.name, c.number)
	}
	now := c.now()
	about.SeenAt = now
	c.sessions[c.session] = session{now.Add(ledger.SessionTTL), about}
	lost := slices.Clone(held)
	for record, lease := range c.leases {
		at := c.leaseTime()
		if lease.session == c.session && lease.until.After(at) && slices.Contains(held, lease.epoch) {
			if lease.until = at.Add(ledger.SessionTTL); lease.ends.Before(lease.until) {
				lease.until = lease.ends
			}
			c.leases[record] = lease
			lost = slices.DeleteFunc(lost, func(epoch uint64) bool { return epoch == lease.epoch })
		}
	}
	news := ledger.News{Session: c.session, Now: now, Poll: 5 * time.Second, Boot: c.boot.String(), Lost: lost}
	for id, other := range c.sessions {
		if id != c.session && c.lives(id) {
			news.Others = append(news.Others, other.about)
		}
	}
	return news, nil
}

// Sync implements [ledger.Cluster].
func (c *Connection) Sync(context.Context) error { return nil }

// Wake implements [ledger.Cluster]: it reaches all others that are open.
func (c *Connection) Wake(h ledger.Hint) {
	c.mu.Lock()
	var listening []func(ledger.Hint)
	for _, other := range c.open {
		if other != c && other.heard != nil && !other.isClosed && !c.isClosed {
			listening = append(listening, other.heard)
		}
	}
	c.mu.Unlock()
	for _, heard := range listening {
		heard(h)
	}
}

// OnWake implements [ledger.Cluster].
func (c *Connection) OnWake(f func(ledger.Hint)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heard = f
}

// Spend implements [ledger.Cluster].
func (c *Connection) Spend(_ context.Context, budget string, every time.Duration, burst int) (time.Duration, error) {
	end, err := c.begin()
	if err != nil {
		return 0, err
	}
	defer end()
	now := c.now()
	full := now.Add(-every * time.Duration(burst))
	used := c.budgets[budget]
	if used.Before(full) {
		used = full
	}
	if used = used.Add(every); used.After(now) {
		return used.Sub(now), nil
	}
	c.budgets[budget] = used
	return 0, nil
}

// Close implements [ledger.Store].
func (c *Connection) Close() error {
	end, err := c.begin()
	if err != nil {
		return nil
	}
	defer end()
	c.isClosed = true
	delete(c.sessions, c.session)
	c.open = slices.DeleteFunc(c.open, func(other *Connection) bool { return other == c })
	return nil
}

// Interface guard
var _ ledger.Cluster = (*Connection)(nil)
