package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/simstore"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

var (
	errDead  = errors.New("this process is dead")
	errStore = errors.New("the store did not answer")
)

// way is one life's way to the database: every step is a round trip that may fail.
type way struct {
	simstore.Way
	*process
	life int
}

func (p *process) way(to ledger.Cluster, life int) *way {
	s := &way{process: p, life: life}
	s.Way = simstore.Way{Cluster: to, Step: s.step}
	return s
}

func (s *way) isGone() bool {
	s.process.mu.Lock()
	defer s.process.mu.Unlock()
	return s.process.life != s.life || s.isDead
}

func (s *way) step(op, what string, do func() error) error {
	n := s.nth(s.name + op + what)
	delay := func(way string) {
		s.pause(50*time.Microsecond+s.DrawTime(3*time.Millisecond, way, s.name, op, what, n), op, what, n, way)
	}
	delay("there")
	if s.isGone() {
		return errDead
	}
	if _, is := s.cuts.Within(s.since()); is {
		s.pause(5*time.Second+s.DrawTime(time.Second, "timeout", s.name, op, what, n), "timeout", op, what, n)
		return errStore
	}
	fault := uint64(0)
	if s.since() < worldHeals {
		fault = s.Draw(100, "fault", s.name, op, what, n)
	}
	if fault >= 97 {
		return errStore // nothing has happened
	}
	err := do()
	if op != "Keep" && op != "Take" {
		s.log("%s %s %s: %v", s.name, op, what, err)
	}
	delay("back")
	_, isCut := s.cuts.Within(s.since())
	switch {
	case s.isGone():
		return errDead
	case isCut || fault >= 94:
		return ledger.ErrUnknown // it has happened, and nobody knows
	}
	return err
}

func (s *way) Keep(ctx context.Context, about ledger.Session, held []uint64) (ledger.News, error) {
	if n := s.nth(fmt.Sprint("Keep", s.name, s.life)); n == 1 && s.Draw(3, "slow start", s.name, s.life) == 0 {
		s.pause(s.DrawTime(20*time.Second, "start", s.name, s.life), "start", s.life)
	}
	return s.Way.Keep(ctx, about, held)
}

func (s *way) Take(ctx context.Context, route string, ttl time.Duration, limit int) ([]ledger.Taken, error) {
	all, err := s.Way.Take(ctx, route, ttl, limit)
	for _, taken := range all {
		s.log("%s takes %s", s.name, simstore.NameOf(taken.Event.Key))
	}
	return all, err
}

// Wake reaches each of the others after a while, or not.
func (s *way) Wake(h ledger.Hint) {
	n := s.nth(s.name + "Wake")
	for _, other := range s.processes {
		if other == s.process || s.Draw(5, "wake", s.name, other.name, n) == 0 {
			continue
		}
		go func() {
			time.Sleep(s.DrawTime(100*time.Millisecond, "wakes", s.name, other.name, n))
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
