package ledger

import (
	"context"
	"fmt"
	"time"
)

// Lock keeps what is named to one caller at a time, among all processes that share the
// ledger, and among the configurations of one process during a reload. It waits for
// another that has it, as long as wait and the context let it. What is done under the lock
// is to end with the context that it returns, which also ends with this process's session,
// and with it the lock. The name is a record that no webhook has.
func (l *Ledger) Lock(ctx context.Context, name Record, ttl, wait time.Duration) (held context.Context, unlock func(), err error) {
	turn, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	if l.session == nil {
		unlock, err = l.lockHere(turn, name)
		return ctx, unlock, err
	}
	claim, _, err := l.claimInTurn(turn, name, ttl)
	if err != nil {
		return nil, nil, err
	}
	held, end := during(context.WithValue(ctx, lifeKey{}, claim.life), claim.life)
	unlock = func() {
		end()
		_ = l.store.Unlock(context.WithoutCancel(ctx), claim) // else it runs out
	}
	if !l.Lives(ctx) { // that of an outer lock may have ended meanwhile
		unlock()
		return nil, nil, ErrNoSession
	}
	return held, unlock, nil
}

// CheckoutLock names the lock under which an order's checkouts are made.
func (id OrderID) CheckoutLock() Record {
	return Record{AppID: id.AppID, Type: "#checkout", ID: id.ID}
}

// lifeKey is the key of the session's life in a context that [Ledger.Lock] returns.
type lifeKey struct{}

// Lives reports whether a context that [Ledger.Lock] has returned has not ended, by this
// process's own clock: one that was stopped is quicker than its timers when it wakes. One
// that is of no lock always lives.
func (l *Ledger) Lives(held context.Context) bool {
	life, ok := held.Value(lifeKey{}).(context.Context)
	if !ok {
		return true
	}
	_, _ = l.session.living() // ends the session if its time is over
	deadline, ends := held.Deadline()
	return life.Err() == nil && held.Err() == nil && (!ends || time.Now().Before(deadline))
}

// nameLock is a lock of [Ledger.Lock] in a ledger that no other process shares.
type nameLock struct {
	turn  chan struct{} // holds an element while somebody has the lock
	users int           // how many have it or wait for it
}

// lockHere is Lock within this process.
func (l *Ledger) lockHere(ctx context.Context, name Record) (unlock func(), err error) {
	l.mu.Lock()
	lock := l.locks[name]
	if lock == nil {
		lock = &nameLock{turn: make(chan struct{}, 1)}
		l.locks[name] = lock
	}
	lock.users++
	l.mu.Unlock()
	leave := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if lock.users--; lock.users == 0 {
			delete(l.locks, name)
		}
	}
	select {
	case lock.turn <- struct{}{}:
		return func() { <-lock.turn; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, fmt.Errorf("waiting for %s: %w", name.Type, ErrLeased)
	}
}
