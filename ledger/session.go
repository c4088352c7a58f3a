package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// renewEvery is how often a session is renewed, and renewAgain how soon after that
	// has failed.
	renewEvery = SessionTTL / 5
	renewAgain = time.Second
	// sessionMargin is how long before its session may end at the store a process takes
	// it for ended.
	sessionMargin = 5 * time.Second
	// beginPatience is how long what comes in waits for the first session.
	beginPatience = 5 * time.Second
	// mostDoubt is how far a reading of the store's clock may be wrong and still be
	// better than none.
	mostDoubt = time.Second
)

// session is this process's session in a [Cluster].
type session struct {
	cluster *held
	now     func() time.Time // this machine's clock

	mu       sync.Mutex
	id, boot string
	// life ends when the session ends, or has to be taken for ended; nil: none lives.
	life context.Context
	kill context.CancelFunc
	// expiry ends the session at the deadline unless it is renewed in time, by this
	// machine's monotonic clock.
	expiry   *time.Timer
	deadline time.Time
	about    Session // what this process last said of itself
	others   []Session
	gone     []Session // that lived within the last hour, and do not any more
	poll     time.Duration
	listens  bool // hints arrive
	// storeTime and localTime are one moment by the store's clock and by ours, and readAt
	// is when they were read, by this machine's monotonic clock.
	storeTime, localTime, readAt time.Time
	// begun is closed when they are known for the first time.
	begun chan struct{}
}

func newSession(cluster Cluster, now func() time.Time) *session {
	return &session{
		cluster: &held{Cluster: cluster, leases: make(map[uint64]*heldLease)}, now: now, begun: make(chan struct{}),
	}
}

// begin waits until the store's clock is known, by which everything is stored: while a
// process starts it is not. Then the error is [ErrNoSession].
func (l *Ledger) begin(ctx context.Context, patience time.Duration) error {
	if l.session == nil {
		return nil
	}
	select {
	case <-l.session.begun:
		return nil
	default:
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-l.session.begun:
		return nil
	case <-timer.C:
		return ErrNoSession
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Share keeps this process's session at a store that several processes share, until
// the context ends. It returns at once where the store is not shared. The function
// about says what this process is, and failed is called once when the session cannot
// be kept any more, and with nil when it can again.
func (l *Ledger) Share(ctx context.Context, about func() Session, failed func(error)) {
	s := l.session
	if s == nil {
		return
	}
	defer s.end()
	var beside sync.WaitGroup // what must not delay a renewal
	defer beside.Wait()
	beside.Go(func() { l.pollOrders(ctx) })
	var isSaving atomic.Bool
	var broken bool
	for ctx.Err() == nil {
		begun, local := time.Now(), s.now()
		self := about()
		news, hasLost, err := s.cluster.keep(ctx, self)
		if err == nil {
			isNew, moved := s.renewed(self, news, hasLost, begun, local)
			l.clock.note(moved)
			if isNew {
				l.wakeAll()
			}
		}
		pause := renewEvery
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			if !broken {
				failed(err)
			}
			broken, pause = true, renewAgain
		default:
			if broken {
				broken = false
				failed(nil)
			}
			if isSaving.CompareAndSwap(false, true) {
				beside.Go(func() {
					defer isSaving.Store(false)
					l.saveAll(context.WithoutCancel(ctx))
				})
			}
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// renewed notes what a renewal has told and was told of this process, which began at the
// time begun, when this machine's clock showed local. It reports whether a life has
// begun: with a session, or under the same one after the store has lost leases, and by
// how much the store's clock has moved more than time has passed.
func (s *session) renewed(about Session, news News, hasLost bool, begun, local time.Time) (isNew bool, moved leap) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deadline = begun.Add(SessionTTL - sessionMargin)
	if isNew = s.life == nil || s.id != news.Session || s.boot != news.Boot || hasLost; isNew {
		s.endLocked()
		s.id, s.boot = news.Session, news.Boot
		s.life, s.kill = context.WithCancel(context.Background())
		life := s.life
		s.expiry = time.AfterFunc(time.Until(s.deadline), func() { s.expire(life) })
	} else {
		s.expiry.Reset(time.Until(s.deadline))
	}
	about.SeenAt = news.Now
	s.gone = goneSince(append(s.gone, s.others...), news)
	s.about, s.others, s.poll, s.listens = about, news.Others, news.Poll, news.Listens
	isFirst := s.localTime.IsZero()
	// The store's clock has moved on since: what is due now by ours is due there, too.
	if doubt := now.Sub(begun); doubt <= mostDoubt || isFirst {
		if !isFirst {
			moved.from = s.storeTime.Add(now.Sub(s.readAt))
			moved.by = news.Now.Sub(moved.from)
		}
		s.storeTime, s.localTime, s.readAt = news.Now, local.Add(doubt), now
	}
	if isFirst {
		close(s.begun)
	}
	return isNew, moved
}

// goneFor is how long a process is remembered whose session has ended.
const goneFor = time.Hour

// goneSince are those of the sessions that were known which do not live any more.
func goneSince(known []Session, news News) []Session {
	return slices.DeleteFunc(slices.Clone(known), func(was Session) bool {
		lives := slices.ContainsFunc(news.Others, func(is Session) bool { return is.Name == was.Name })
		return lives || news.Now.Sub(was.SeenAt) > goneFor
	})
}

// expire ends the session that has this life, if it still lives.
func (s *session) expire(life context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life == life {
		s.endLocked()
	}
}

func (s *session) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endLocked()
}

// endLocked ends the session. The caller holds the mutex.
func (s *session) endLocked() {
	if s.life != nil {
		s.expiry.Stop()
		s.kill()
		s.life = nil
	}
}

// living returns a context that ends with the session.
func (s *session) living() (context.Context, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life != nil && !time.Now().Before(s.deadline) { // a process that was stopped is quicker than its timers
		s.endLocked()
	}
	if s.life == nil {
		return nil, ErrNoSession
	}
	return s.life, nil
}

// canClaim reports whether this process can hold leases now: where the store is shared
// that takes a session, which one that starts does not have yet.
func (l *Ledger) canClaim() bool {
	if l.session == nil {
		return true
	}
	_, err := l.session.living()
	return err == nil
}

func (s *session) pollEvery() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.poll <= 0 {
		return time.Second
	}
	return s.poll
}

func (s *session) hears() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.listens
}

// atStore returns what the store's clock shows at a time of ours.
func (s *session) atStore(local time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.localTime.IsZero() || local.IsZero() {
		return local
	}
	return s.storeTime.Add(local.Sub(s.localTime))
}

// atStore returns what the store's clock shows at a time of ours; where the store is
// not shared, that time itself.
func (l *Ledger) atStore(local time.Time) time.Time {
	if l.session == nil {
		return local
	}
	return l.session.atStore(local)
}

// StoreAhead is how far the clock of a store that is shared is ahead of this machine's, and
// behind where it is negative. Zero: it is not shared, or not known yet.
func (l *Ledger) StoreAhead() time.Duration {
	if l.session == nil {
		return 0
	}
	local := l.session.now()
	return l.session.atStore(local).Sub(local)
}

// IsShared reports whether other processes may share the ledger.
func (l *Ledger) IsShared() bool { return l.session != nil }

// Self returns what this process has said of itself to the others that share the ledger.
func (l *Ledger) Self() Session {
	if l.session == nil {
		return Session{}
	}
	l.session.mu.Lock()
	defer l.session.mu.Unlock()
	return l.session.about
}

// Others returns the other processes that share the ledger now.
func (l *Ledger) Others() []Session {
	if l.session == nil {
		return nil
	}
	l.session.mu.Lock()
	defer l.session.mu.Unlock()
	return slices.Clone(l.session.others)
}

// Gone returns the processes that shared the ledger within the last hour and do not now.
func (l *Ledger) Gone() []Session {
	if l.session == nil {
		return nil
	}
	l.session.mu.Lock()
	defer l.session.mu.Unlock()
	return slices.Clone(l.session.gone)
}

// during returns a context that also ends with a session's life, because of [ErrNoSession].
func during(ctx, life context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	if life.Err() != nil {
		cancel(ErrNoSession)
	}
	stop := context.AfterFunc(life, func() { cancel(ErrNoSession) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}

// sync returns when what was read before may be relied upon. Where no other process
// writes, what a claim reads may be.
func (l *Ledger) sync(ctx context.Context) error {
	if l.session == nil {
		return nil
	}
	if err := l.session.cluster.Sync(ctx); err != nil {
		return fmt.Errorf("making sure of what was read: %w", err)
	}
	return nil
}

// Spend takes one from a budget that all processes share; see [Cluster.Spend]. The
// error is [ErrUnsupported] where the store is not shared.
func (l *Ledger) Spend(ctx context.Context, budget string, every time.Duration, burst int) (wait time.Duration, err error) {
	if l.session == nil {
		return 0, ErrUnsupported
	}
	return l.session.cluster.Spend(ctx, budget, every, burst)
}

// Waiting for another process's lease begins with short pauses, because most end soon.
const (
	firstTurn   = 20 * time.Millisecond
	longestTurn = 500 * time.Millisecond
)

// claimInTurn claims a record, and waits until the context ends for another process that
// has it, or for this one's session, which a process that starts does not have yet; then
// the error is ErrLeased, or ErrNoSession. It returns the epoch of the last lease that it
// has waited for; 0: none.
func (l *Ledger) claimInTurn(ctx context.Context, record Record, lease time.Duration) (claim Claim, waitedFor uint64, err error) {
	for pause := firstTurn; ; pause = min(2*pause, longestTurn) {
		if claim, err = l.claim(context.WithoutCancel(ctx), record, lease); err == nil {
			return claim, waitedFor, nil
		}
		var leased *LeasedError
		switch {
		case errors.As(err, &leased):
			waitedFor = leased.Epoch
		case !errors.Is(err, ErrNoSession): // it may be about to begin
			return claim, waitedFor, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return claim, waitedFor, err
		}
	}
}

// SharedError is why an event was not delivered in another process, to those in this
// one who waited for the outcome.
type SharedError struct {
	Cause string
	// Tried: the app was called, and did not acknowledge the event.
	Tried bool
}

func (e *SharedError) Error() string { return e.Cause }

// heard takes what another process tells of its changes.
func (l *Ledger) heard(h Hint) {
	for _, route := range h.Routes {
		l.wake(route)
	}
	for _, id := range h.Orders {
		l.notify(id)
	}
}

// tell lets the other processes know of a change, if there are any.
func (l *Ledger) tell(h Hint) {
	if l.session != nil {
		l.session.cluster.Wake(h)
	}
}
