package simstore

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

func copied(e ledger.Event) ledger.Event {
	e.Transitions, e.Body = slices.Clone(e.Transitions), bytes.Clone(e.Body)
	return e
}

// lease takes a record; the caller holds the mutex.
func (c *Connection) lease(r ledger.Record, ttl time.Duration) (ledger.Claim, error) {
	if !c.isAlone {
		hasBooted := c.now().Sub(c.boot) < ledger.SessionTTL && c.Mistake != Hasty
		if c.session == "" || !c.lives(c.session) || hasBooted {
			return ledger.Claim{}, ledger.ErrNoSession
		}
	}
	if lease, isHeld := c.holder(r); isHeld && c.Mistake != NoLeases {
		return ledger.Claim{}, &ledger.LeasedError{Epoch: lease.epoch, Until: lease.until}
	}
	c.number++
	ends := c.leaseTime().Add(ttl)
	until := ends
	if !c.isAlone {
		until = c.leaseTime().Add(min(ttl, ledger.SessionTTL))
	}
	c.leases[r] = lease{c.number, c.session, until, ends}
	claim := ledger.Claim{Record: r, Epoch: c.number}
	for key, e := range c.Events {
		if key.Record == r {
			claim.Events = append(claim.Events, ledger.Summary{
				Key: key, State: e.State, Seq: e.Seq, Attempts: e.Attempts, ReceivedAt: e.ReceivedAt, Epoch: c.epochs[key],
			})
		}
	}
	return claim, nil
}

// Claim implements [ledger.Store].
func (c *Connection) Claim(_ context.Context, r ledger.Record, ttl time.Duration) (ledger.Claim, error) {
	end, err := c.begin()
	if err != nil {
		return ledger.Claim{}, err
	}
	defer end()
	return c.lease(r, ttl)
}

// Take implements [ledger.Cluster].
func (c *Connection) Take(_ context.Context, route string, ttl time.Duration, limit int) (all []ledger.Taken, err error) {
	end, err := c.begin()
	if err != nil {
		return nil, err
	}
	defer end()
	if c.session == "" || !c.lives(c.session) {
		return nil, ledger.ErrNoSession
	}
	due := c.due(route, func(at time.Time) bool { return !at.After(c.now()) })
	if c.Mistake == Blind && len(due) > 0 {
		due = due[1:]
	}
	for _, d := range due {
		if len(all) == limit {
			break
		}
		claim, err := c.lease(d.Key.Record, ttl)
		if errors.Is(err, ledger.ErrLeased) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, ledger.Taken{Claim: claim, Event: copied(c.Events[d.Key])})
	}
	return all, nil
}

// due returns a route's events that are due at such a time, the earliest first.
func (d *Database) due(route string, isDue func(at time.Time) bool) (due []ledger.Due) {
	for key, e := range d.Events {
		if key.Route == route && e.NextAttemptAt != nil && isDue(*e.NextAttemptAt) {
			due = append(due, ledger.Due{Key: key, At: *e.NextAttemptAt})
		}
	}
	slices.SortFunc(due, func(a, b ledger.Due) int {
		if c := a.At.Compare(b.At); c != 0 {
			return c
		}
		return cmp.Compare(a.Key.EventID(), b.Key.EventID())
	})
	return due
}

// Due implements [ledger.Reader].
func (c *Connection) Due(_ context.Context, route string, from time.Time, limit int) ([]ledger.Due, error) {
	end, err := c.begin()
	if err != nil {
		return nil, err
	}
	defer end()
	due := c.due(route, func(at time.Time) bool { return !at.Before(from) })
	if c.Mistake == Blind && len(due) > 0 {
		due = due[1:]
	}
	return due[:min(len(due), limit)], nil
}

// known is the event as the store has it; nil: it does not.
func (d *Database) known(key ledger.Key) *ledger.Event {
	e, ok := d.Events[key]
	if !ok {
		return nil
	}
	e = copied(e)
	return &e
}

// write computes what the change comes to; the caller holds the mutex.
func (d *Database) write(change ledger.Change) (ledger.Write, error) {
	known := d.known(change.Event.Key)
	w, err := change.Write(known, func() (bool, error) { return known.Body != nil, nil })
	switch {
	case w.Body != nil:
		w.Event.Body = w.Body
	case known != nil:
		w.Event.Body = known.Body
	}
	w.Event = copied(w.Event)
	return w, err
}

// put keeps what a change has come to; the caller holds the mutex.
func (d *Database) put(w ledger.Write, epoch uint64) {
	key := w.Event.Key
	d.Events[key], d.epochs[key] = w.Event, epoch
	if w.Answer != nil {
		slot := w.Answer.Slot()
		d.answers[key] = slices.DeleteFunc(d.answers[key], func(a ledger.Answer) bool { return a.Slot() == slot })
		d.answers[key] = append(d.answers[key], *w.Answer)
	}
	if w.Order != nil {
		d.Orders[w.Order.OrderID] = copiedOrder(w.MergeOrder(copiedOrder(d.Orders[w.Order.OrderID]), d.now()))
	}
}

// Commit implements [ledger.Store].
func (c *Connection) Commit(_ context.Context, claim ledger.Claim, changes []ledger.Change) error {
	end, err := c.begin()
	if err != nil {
		return err
	}
	defer end()
	if !c.owns(claim) && c.Mistake != NoFences {
		return ledger.ErrFenced
	}
	writes := make([]ledger.Write, len(changes))
	for i, change := range changes {
		if writes[i], err = c.write(change); err != nil {
			return err
		}
	}
	for i, w := range writes {
		c.put(w, claim.Epoch)
		if t := changes[i].Transitions; len(t) > 0 && (t[0].Reason == ledger.Replay || t[0].Reason == ledger.Release) {
			c.Replays = append(c.Replays, Replay{changes[i].Event.Key, time.Now()})
		}
	}
	c.bindLate(claim.Record)
	delete(c.leases, claim.Record)
	return nil
}

// Accept implements [ledger.Store]. It guesses, as a store may.
func (c *Connection) Accept(_ context.Context, key ledger.Key, decide func(*ledger.Event) *ledger.Change) error {
	end, err := c.begin()
	if err != nil {
		return err
	}
	defer end()
	decide(nil)
	change := decide(c.known(key))
	if change == nil {
		return nil
	}
	w, err := c.write(*change)
	if c.Mistake == Forgetful && len(c.Events)%7 == 6 {
		return nil
	}
	if err == nil {
		c.put(w, 0)
	}
	return err
}

// lateFlag is one that a mistake binds later.
type lateFlag struct {
	flag ledger.Flag
	key  ledger.Key
}

// bindLate binds the flags that were promised to events of the record.
func (c *Connection) bindLate(r ledger.Record) {
	for _, l := range c.late[r] {
		if _, is := c.Flags[l.flag]; !is {
			c.Flags[l.flag] = l.key
		}
	}
	delete(c.late, r)
}

var errOther = errors.New("the event is of another record than the claim")

// Bind implements [ledger.Store].
func (c *Connection) Bind(_ context.Context, claim ledger.Claim, change ledger.Change, flags []ledger.Flag) ([]bool, error) {
	end, err := c.begin()
	if err != nil {
		return nil, err
	}
	defer end()
	switch {
	case change.Event.Record != claim.Record:
		return nil, errOther
	case !c.owns(claim) && c.Mistake != NoFences:
		return nil, ledger.ErrFenced
	}
	if len(change.Transitions) > 0 {
		w, err := c.write(change)
		if err != nil {
			return nil, err
		}
		c.put(w, claim.Epoch)
	}
	key, bound := change.Event.Key, make([]bool, len(flags))
	for i, flag := range flags {
		of, is := c.Flags[flag]
		switch {
		case !is && c.Mistake == FlagsLate:
			c.late[claim.Record], of = append(c.late[claim.Record], lateFlag{flag, key}), key
		case !is || c.Mistake == FlagsTwice:
			c.Flags[flag], of = key, key
		}
		bound[i] = of == key
	}
	return bound, nil
}

// Holds implements [ledger.Reader].
func (c *Connection) Holds(_ context.Context, key ledger.Key, flags []ledger.Flag) ([]bool, error) {
	end, err := c.begin()
	if err != nil {
		return nil, err
	}
	defer end()
	holds := make([]bool, len(flags))
	for i, flag := range flags {
		of, is := c.Flags[flag]
		holds[i] = is && of == key
	}
	return holds, nil
}

// HoldsMany implements [ledger.Reader].
func (c *Connection) HoldsMany(_ context.Context, of []ledger.Holding) ([]bool, error) {
	end, err := c.begin()
	if err != nil {
		return nil, err
	}
	defer end()
	holds := make([]bool, len(of))
	for i, h := range of {
		key, is := c.Flags[h.Flag]
		holds[i] = is && key == h.Key
	}
	return holds, nil
}

// Bound implements [ledger.Reader].
func (c *Connection) Bound(_ context.Context, flags []ledger.Flag) ([]bool, error) {
	end, err := c.begin()
	if err != nil {
		return nil, err
	}
	defer end()
	bound := make([]bool, len(flags))
	for i, flag := range flags {
		_, bound[i] = c.Flags[flag]
	}
	return bound, nil
}

// Unlock implements [ledger.Store].
func (c *Connection) Unlock(_ context.Context, claim ledger.Claim) error {
	end, err := c.begin()
	if err != nil {
		return err
	}
	defer end()
	c.bindLate(claim.Record)
	if c.leases[claim.Record].epoch == claim.Epoch {
		delete(c.leases, claim.Record)
	}
	return nil
}

// Load implements [ledger.Reader].
func (c *Connection) Load(_ context.Context, key ledger.Key) (ledger.Event, error) {
	end, err := c.begin()
	if err != nil {
		return ledger.Event{Key: key}, err
	}
	defer end()
	if e := c.known(key); e != nil {
		return *e, nil
	}
	return ledger.Event{Key: key}, ledger.ErrNotFound
}

// Answers implements [ledger.Reader].
func (c *Connection) Answers(_ context.Context, key ledger.Key) ([]ledger.Answer, error) {
	end, err := c.begin()
	if err != nil {
		return nil, err
	}
	defer end()
	if c.known(key) == nil {
		return nil, ledger.ErrNotFound
	}
	answers := slices.Clone(c.answers[key])
	slices.SortFunc(answers, func(a, b ledger.Answer) int { return cmp.Compare(a.Attempt, b.Attempt) })
	return answers, nil
}

// Prune implements [ledger.Store].
func (c *Connection) Prune(_ context.Context, before time.Time, limit int) (n int, err error) {
	end, err := c.begin()
	if err != nil {
		return 0, err
	}
	defer end()
	var old []ledger.Event
	for _, e := range c.Events {
		if e.State.Finished() && e.Body != nil && e.ReceivedAt.Before(before) {
			old = append(old, e)
		}
	}
	slices.SortFunc(old, func(a, b ledger.Event) int { return a.ReceivedAt.Compare(b.ReceivedAt) })
	for _, e := range old[:min(len(old), limit)] {
		e.Body = nil
		c.Events[e.Key] = e
		delete(c.answers, e.Key)
		n++
	}
	return n, nil
}
