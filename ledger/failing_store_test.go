package ledger_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// faulty is a store of which each step can be made to fail, and that takes no
// part in what its caller has given up, as a database over the network.
type faulty struct {
	ledger.Store
	claim   func(r ledger.Record) error
	commit  func(changes []ledger.Change) error
	release func() error
	bind    func()
	// late holds the write of an Accept back, which is reported as failed.
	late func(write func() error)
}

func (s *faulty) Accept(ctx context.Context, key ledger.Key, decide func(*ledger.Event) *ledger.Change) error {
	if s.late == nil {
		return s.Store.Accept(ctx, key, decide)
	}
	change := decide(nil)
	s.late(func() error {
		return s.Store.Accept(ctx, key, func(*ledger.Event) *ledger.Change { return change })
	})
	return errors.New("the disk did not answer")
}

func (s *faulty) Bind(ctx context.Context, c ledger.Claim, change ledger.Change, flags []ledger.Flag) ([]bool, error) {
	if s.bind != nil {
		s.bind()
	}
	return s.Store.Bind(ctx, c, change, flags)
}

func (s *faulty) Claim(ctx context.Context, r ledger.Record, ttl time.Duration) (ledger.Claim, error) {
	if ctx.Err() != nil {
		return ledger.Claim{}, ctx.Err()
	}
	if s.claim != nil {
		if err := s.claim(r); err != nil {
			return ledger.Claim{}, err
		}
	}
	return s.Store.Claim(ctx, r, ttl)
}

func (s *faulty) Commit(ctx context.Context, c ledger.Claim, changes []ledger.Change) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if s.commit != nil {
		if err := s.commit(changes); err != nil {
			return err
		}
	}
	return s.Store.Commit(ctx, c, changes)
}

func (s *faulty) Unlock(ctx context.Context, c ledger.Claim) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if s.release != nil {
		if err := s.release(); err != nil {
			return err
		}
	}
	return s.Store.Unlock(ctx, c)
}

// An attempt that is given up leaves no trace, also when its owner panics.
func TestEnd(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		b.fail(event("Success"))
		for range 3 {
			func() {
				defer func() {
					if recover() == nil {
						t.Error("the panic was swallowed")
					}
				}()
				attempt := b.want(event("Success"), ledger.Deliver)
				defer giveUp(attempt, errRefused)
				if attempt.Number != 2 || attempt.Reason != ledger.Retry {
					t.Errorf("it is number %d, %s", attempt.Number, attempt.Reason)
				}
				panic("handler")
			}()
			if got := b.wantState(event("Success"), ledger.Retrying); got.Attempts != 1 {
				t.Errorf("the event is %+v", got)
			}
		}
		b.deliver(event("Success"))
	})
}

// An error of the store reaches everybody, nothing is acknowledged, and the
// next delivery begins anew.
func TestStoreErrors(t *testing.T) {
	full := errors.New("no space left")
	noSpace := func([]ledger.Change) error { return full }
	for name, c := range map[string]struct {
		begun bool // an attempt begins before the store fails
		broke func(*book)
		end   func(*ledger.Attempt) error
	}{
		"Claim":     {false, func(b *book) { b.store.claim = func(ledger.Record) error { time.Sleep(time.Second); return full } }, nil},
		"Delivered": {true, func(b *book) { b.store.commit = noSpace }, func(a *ledger.Attempt) error { return succeed(bg, a) }},
		"Failed":    {true, func(b *book) { b.store.commit = noSpace }, func(a *ledger.Attempt) error { return fail(a, errRefused, ledger.Again{}) }},
		"Release":   {true, func(b *book) { b.store.release = func() error { return full } }, func(a *ledger.Attempt) error { return giveUp(a, errRefused) }},
	} {
		t.Run(name, func(t *testing.T) {
			test(t, func(t *testing.T, b *book) {
				const n = 10
				e := event("Success")
				if !c.begun {
					c.broke(b)
				}
				outcomes := b.copies(n, e)
				left := n
				if c.begun {
					first := <-outcomes
					left--
					c.broke(b)
					if err := c.end(first.attempt); !errors.Is(err, full) {
						t.Errorf("ending the attempt: %v", err)
					}
				}
				for range left {
					if o := <-outcomes; o.attempt != nil || !errors.Is(o.err, full) {
						t.Errorf("an outcome is %+v", o)
					}
				}
				b.wantState(e, ledger.None)
				b.store.claim, b.store.commit, b.store.release = nil, nil, nil
				if name == "Release" {
					time.Sleep(opts.Lease)
				}
				if name == "Delivered" {
					b.want(e, ledger.Duplicate) // the app has said yes
					return
				}
				if attempt := b.deliver(e); attempt.Number != 1 {
					t.Errorf("afterwards the attempt is number %d", attempt.Number)
				}
			})
		})
	}
}

// What the app said yes to is not forgotten because the store could not write
// it: until it can, nothing of the record is delivered, and then a lower
// status is overtaken.
func TestUnsavedYes(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		full := errors.New("no space left")
		attempt := b.want(event("Success"), ledger.Deliver)
		b.store.commit = func([]ledger.Change) error { return full }
		if err := succeed(bg, attempt); !errors.Is(err, full) {
			t.Errorf("recording the yes: %v", err)
		}
		for _, status := range []string{"Processing", "Success"} {
			if _, attempt, err := b.Begin(bg, event(status), opts); attempt != nil || !errors.Is(err, full) {
				t.Errorf("%s meanwhile: %v, %v", status, attempt, err)
			}
		}
		b.store.commit = nil
		b.want(event("Processing"), ledger.Overtaken)
		b.want(event("Success"), ledger.Duplicate)
		if got := b.wantState(event("Success"), ledger.Delivered); got.Attempts != 1 {
			t.Errorf("the event is %+v", got)
		}
	})
}

// What is not forwarded is not acknowledged either unless it is recorded.
func TestStoreErrorsOfVerdicts(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		full := errors.New("no space left")
		b.deliver(event("Success"))
		b.store.commit = func([]ledger.Change) error { return full }
		if _, _, err := b.Begin(bg, event("Processing"), opts); !errors.Is(err, full) {
			t.Errorf("an overtaken event: %v", err)
		}
		ignore := opts
		ignore.Ignore = because("filtered")
		if _, _, err := b.Begin(bg, event("Refunded"), ignore); !errors.Is(err, full) {
			t.Errorf("a filtered event: %v", err)
		}
		b.store.commit = nil
		b.want(event("Processing"), ledger.Overtaken)
	})
}

// A panic of the store is an error to those who wait for the decision.
func TestStorePanics(t *testing.T) {
	for name, broke := range map[string]func(*faulty){
		"Claim":  func(s *faulty) { s.claim = func(ledger.Record) error { time.Sleep(time.Second); panic("claim") } },
		"Commit": func(s *faulty) { s.commit = func([]ledger.Change) error { time.Sleep(time.Second); panic("commit") } },
	} {
		t.Run(name, func(t *testing.T) {
			test(t, func(t *testing.T, b *book) {
				b.deliver(event("Success"))
				broke(b.store)
				go func() {
					defer func() { _ = recover() }()
					_, _, _ = b.Begin(bg, event("Processing"), opts)
				}()
				synctest.Wait()
				if verdict, attempt, err := b.Begin(bg, event("Processing"), opts); verdict != 0 || attempt != nil || err == nil {
					t.Errorf("the outcome is %d, %v, %v", verdict, attempt, err)
				}
				b.store.claim, b.store.commit = nil, nil
				time.Sleep(opts.Lease)
				b.want(event("Processing"), ledger.Overtaken)
			})
		})
	}
}

// Two processes share a store. The lease keeps them apart while it runs; what
// comes late is fenced, and the app's yes is recorded under another claim.
func TestTwoProcesses(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		other := &book{Ledger: ledger.New(b.store, time.Now), store: b.store, t: t}
		slow := b.want(event("Success"), ledger.Deliver)
		if _, _, err := other.Begin(bg, event("Success"), opts); !errors.Is(err, ledger.ErrInFlight) {
			t.Errorf("while it is leased: %v", err)
		}
		time.Sleep(opts.Lease)
		successor := other.want(event("Success"), ledger.Deliver)
		if err := fail(slow, errRefused, ledger.Again{}); !errors.Is(err, ledger.ErrFenced) {
			t.Errorf("a late failure: %v", err)
		}
		if err := succeed(bg, successor); err != nil {
			t.Fatal(err)
		}
		b.want(event("Success"), ledger.Duplicate)

		late := event("Failed")
		slow = b.want(late, ledger.Deliver)
		time.Sleep(opts.Lease)
		successor = other.want(late, ledger.Deliver)
		if err := fail(successor, errRefused, ledger.Again{}); err != nil {
			t.Fatal(err)
		}
		if err := succeed(bg, slow); err != nil {
			t.Errorf("a late yes: %v", err)
		}
		other.want(late, ledger.Duplicate)
	})
}

// The app's yes to an event is recorded even if the lower one that it would
// supersede cannot be read.
func TestYesStandsAlone(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		b.fail(event("Processing"))
		success := b.want(event("Success"), ledger.Deliver)
		b.store.commit = func(changes []ledger.Change) error {
			if len(changes) > 1 {
				return ledger.ErrDamaged
			}
			return nil
		}
		if err := succeed(bg, success); err != nil {
			t.Errorf("recording the yes: %v", err)
		}
		b.wantState(event("Processing"), ledger.Retrying)
		b.want(event("Success"), ledger.Duplicate)
	})
}
