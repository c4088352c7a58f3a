package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

var (
	errDead  = errors.New("this process is dead")
	errStore = errors.New("the store did not answer")
)

// way is one life's way to the database: every step is a round trip that may fail.
type way struct {
	ledger.Cluster
	*process
	life int
}

func (s *way) isGone() bool {
	s.process.mu.Lock()
	defer s.process.mu.Unlock()
	return s.process.life != s.life || s.isDead
}

func (s *way) step(op, what string, do func() error) error {
	n := s.nth(s.name + op + what)
	delay := func(way string) {
		s.pause(50*time.Microsecond+s.drawTime(3*time.Millisecond, way, s.name, op, what, n), op, what, n, way)
	}
	delay("there")
	if s.isGone() {
		return errDead
	}
	if _, is := within(s.cuts, s.since()); is {
		s.pause(5*time.Second+s.drawTime(time.Second, "timeout", s.name, op, what, n), "timeout", op, what, n)
		return errStore
	}
	fault := uint64(0)
	if s.since() < worldHeals {
		fault = s.draw(100, "fault", s.name, op, what, n)
	}
	if fault >= 97 {
		return errStore // nothing has happened
	}
	err := do()
	if op != "Keep" && op != "Take" {
		s.log("%s %s %s: %v", s.name, op, what, err)
	}
	delay("back")
	_, isCut := within(s.cuts, s.since())
	switch {
	case s.isGone():
		return errDead
	case isCut || fault >= 94:
		return ledger.ErrUnknown // it has happened, and nobody knows
	}
	return err
}

func nameOf(k ledger.Key) string { return k.ID + "." + k.Status }

func (s *way) Keep(ctx context.Context, about ledger.Session, held []uint64) (news ledger.News, err error) {
	if n := s.nth(fmt.Sprint("Keep", s.name, s.life)); n == 1 && s.draw(3, "slow start", s.name, s.life) == 0 {
		s.pause(s.drawTime(20*time.Second, "start", s.name, s.life), "start", s.life)
	}
	err = s.step("Keep", "", func() (err error) { news, err = s.Cluster.Keep(ctx, about, held); return err })
	return news, err
}

func (s *way) Take(ctx context.Context, route string, ttl time.Duration, limit int) (all []ledger.Taken, err error) {
	err = s.step("Take", route, func() (err error) { all, err = s.Cluster.Take(ctx, route, ttl, limit); return err })
	if err != nil {
		return nil, err
	}
	for _, taken := range all {
		s.log("%s takes %s", s.name, nameOf(taken.Event.Key))
	}
	return all, nil
}

func (s *way) Claim(ctx context.Context, r ledger.Record, ttl time.Duration) (claim ledger.Claim, err error) {
	err = s.step("Claim", r.ID, func() (err error) { claim, err = s.Cluster.Claim(ctx, r, ttl); return err })
	return claim, err
}

func (s *way) Commit(ctx context.Context, claim ledger.Claim, changes []ledger.Change) error {
	var what strings.Builder
	for _, c := range changes {
		fmt.Fprintf(&what, "%s to %s ", nameOf(c.Event.Key), c.Transitions[len(c.Transitions)-1].State)
	}
	return s.step("Commit", what.String(), func() error { return s.Cluster.Commit(ctx, claim, changes) })
}

func (s *way) Accept(ctx context.Context, key ledger.Key, decide func(*ledger.Event) *ledger.Change) error {
	return s.step("Accept", nameOf(key), func() error { return s.Cluster.Accept(ctx, key, decide) })
}

func (s *way) Bind(ctx context.Context, claim ledger.Claim, change ledger.Change, flags []ledger.Flag) (bound []bool, err error) {
	err = s.step("Bind", nameOf(change.Event.Key), func() (err error) {
		bound, err = s.Cluster.Bind(ctx, claim, change, flags)
		return err
	})
	return bound, err
}

func (s *way) Unlock(ctx context.Context, claim ledger.Claim) error {
	return s.step("Unlock", claim.Record.ID, func() error { return s.Cluster.Unlock(ctx, claim) })
}

func (s *way) Load(ctx context.Context, key ledger.Key) (e ledger.Event, err error) {
	err = s.step("Load", nameOf(key), func() (err error) { e, err = s.Cluster.Load(ctx, key); return err })
	return e, err
}

func (s *way) Holds(ctx context.Context, key ledger.Key, flags []ledger.Flag) (holds []bool, err error) {
	err = s.step("Holds", nameOf(key), func() (err error) { holds, err = s.Cluster.Holds(ctx, key, flags); return err })
	return holds, err
}

func (s *way) Due(ctx context.Context, route string, from time.Time, limit int) (due []ledger.Due, err error) {
	err = s.step("Due", route, func() (err error) { due, err = s.Cluster.Due(ctx, route, from, limit); return err })
	return due, err
}

// Wake reaches each of the others after a while, or not.
func (s *way) Wake(h ledger.Hint) {
	n := s.nth(s.name + "Wake")
	for _, other := range s.processes {
		if other == s.process || s.draw(5, "wake", s.name, other.name, n) == 0 {
			continue
		}
		go func() {
			time.Sleep(s.drawTime(100*time.Millisecond, "wakes", s.name, other.name, n))
			other.mu.Lock()
			heard := other.heard
			other.mu.Unlock()
			if heard != nil {
				heard(h)
			}
		}()
	}
}

func (s *way) OnWake(f func(ledger.Hint)) { s.heard = f }
