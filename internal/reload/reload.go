// Package reload keeps what outlives a configuration over a reload: the open ledger,
// and the background delivery of its routes.
package reload

import (
	"context"
	"errors"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Config is what a [Handle] needs.
type Config struct {
	Driver ledger.Driver
	// Pool shares open ledgers among the configurations of the process.
	Pool Pool
	Now  func() time.Time
	// Logger is the configuration's logger. What outlives the configuration logs where the
	// latest one does.
	Logger *zap.Logger
	// Committed is called with how long each durable commit took.
	Committed func(time.Duration)
	// Exiting reports whether the process is about to exit.
	Exiting func() bool
}

// Pool shares values by key, and counts the references to each.
type Pool interface {
	// Acquire returns the value with the key, with one more reference. Where there is
	// none, it calls open, whose error it returns.
	Acquire(key string, open func() (*Shared, error)) (*Shared, error)
	// Release releases a reference that Acquire counted. The last one destructs the
	// value.
	Release(key string) error
}

// Route is a route of a configuration.
type Route struct {
	// Name is empty for background work that is no route's.
	Name string
	// Confirms: see [ledger.SessionRoute].
	Confirms bool
	// Run delivers its events in the background until the context ends; nil: they
	// are delivered while the gateway waits. Where it panics it is called again, a
	// while later.
	Run func(context.Context, *ledger.Ledger)
}

// ErrClosed: the configuration has ended and does not open a ledger any more.
var ErrClosed = errors.New("this configuration has ended")

// Handle is a configuration's access to a ledger. Caddy starts a new configuration,
// which may still fail, before it stops the old one, and requests outlive their
// configuration. So each started configuration and each request holds a reference to
// the ledger, and the new routes deliver when the old ones have stopped.
type Handle struct {
	Config

	mu      sync.Mutex
	held    *Shared // the configuration's own reference; nil: none
	closed  bool
	routes  []Route
	options map[string]string

	pause time.Duration // before a route that panicked begins again
}

// panicPause is the [Handle.pause] of every program.
const panicPause = 10 * time.Second

// New returns a handle. It opens nothing yet.
func New(c Config) *Handle { return &Handle{Config: c, pause: panicPause} }

// Acquire returns the ledger, which it opens if nobody has it open, and a function that
// releases it. After Close the error is [ErrClosed], unless another configuration has
// the ledger open.
func (h *Handle) Acquire() (l *ledger.Ledger, release func(), err error) {
	shared, err := h.acquire()
	if err != nil {
		return nil, nil, err
	}
	return shared.Ledger, h.release, nil
}

func (h *Handle) acquire() (*Shared, error) {
	return h.Pool.Acquire(h.Driver.Key(), func() (*Shared, error) {
		h.mu.Lock()
		closed := h.closed
		h.mu.Unlock()
		if closed {
			return nil, ErrClosed
		}
		return h.open()
	})
}

func (h *Handle) release() {
	if err := h.Pool.Release(h.Driver.Key()); err != nil {
		h.Logger.Error("closing the ledger", zap.Error(err))
	}
}

// Start acquires the configuration's own reference, so that a ledger that cannot
// be used fails the configuration and not the first payment, and queues its routes. The
// options are those that all who share the ledger must have alike; see [ledger.Session].
func (h *Handle) Start(routes []Route, options map[string]any) (*ledger.Ledger, error) {
	shared, err := h.acquire()
	// A request of a closed configuration may have tried to open the ledger at the
	// same time: the pool shares its ErrClosed, which is not about us.
	for errors.Is(err, ErrClosed) {
		shared, err = h.acquire()
	}
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	h.held, h.routes, h.options = shared, routes, digests(options)
	h.mu.Unlock()
	shared.enter(h)
	return shared.Ledger, nil
}

// Ready says that the whole configuration has started: its routes deliver from now on,
// or once the configurations before it have stopped.
func (h *Handle) Ready() {
	if shared := h.current(); shared != nil {
		shared.ready(h)
		go h.warnOfOthers(shared, Open()) // a disk that hangs is not to hold up the reload
	}
}

// countPatience is how long a database that is not used any more may take to count its events;
// a file is waited for.
const countPatience = time.Second

// warnOfOthers warns of events in the ledgers of former configurations, which stay there: also of
// those that are on their way at this moment. A ledger that others share is theirs to hand over.
func (h *Handle) warnOfOthers(own *Shared, all []*Shared) {
	for _, other := range all {
		if other == own || other.IsShared() && (other.database() == own.database() || len(other.Others()) > 0) {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), countPatience)
		counts, err := other.Counts(ctx)
		cancel()
		waiting := uint64(0)
		for _, c := range counts {
			if c.State.Pending() || c.State == ledger.Held {
				waiting += c.N
			}
		}
		switch {
		case err != nil:
			h.Logger.Warn("whether events wait in a ledger that is not configured any more is not known", zap.String("ledger", other.key), zap.Error(err))
		case waiting > 0:
			h.Logger.Warn("events wait in a ledger that is not configured any more, and nobody hands them over until it is: configure it again, or move them (docs/cli.md, move-ledger)",
				zap.String("ledger", other.key), zap.Uint64("events", waiting))
		}
	}
}

// database is what the ledger's key has of it without the options that it is opened with.
func (s *Shared) database() string {
	name, _, _ := strings.Cut(s.key, "#")
	return name
}

// Stop ends the configuration's background delivery; the next configuration, if there
// is one, resumes it. Requests in flight keep using the ledger.
func (h *Handle) Stop() {
	if shared := h.current(); shared != nil {
		shared.leave(h)
	}
}

// Close releases the configuration's reference to the ledger. The last configuration or
// request that held one closes the ledger.
func (h *Handle) Close() error {
	h.mu.Lock()
	shared := h.held
	h.held, h.closed = nil, true
	h.mu.Unlock()
	if shared == nil {
		return nil
	}
	shared.leave(h) // where Caddy cleans up without stopping first
	shared.forget(h)
	return h.Pool.Release(h.Driver.Key())
}

func (h *Handle) current() *Shared {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.held
}

func (h *Handle) open() (*Shared, error) {
	current := new(atomic.Pointer[zap.Logger])
	current.Store(h.Logger)
	logger := zap.New(lasting{current: current}).Named(h.Logger.Name())
	store, err := h.Driver.Open(ledger.OpenOptions{Logger: logger, Committed: h.Committed})
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Shared{
		Ledger: ledger.New(store, h.Now), key: h.Driver.Key(), logger: logger, current: current, stop: stop,
		holders: make(map[*Handle]bool),
	}
	s.OnClockSet(func(by time.Duration) {
		if s.IsShared() {
			s.logger.Warn("the clock of the ledger's database was set: no event is given up earlier for it", zap.Duration("by", by))
			return
		}
		s.logger.Warn("the machine's clock was set: no event waits longer for it or is given up earlier, "+
			"but while it is wrong, webhooks seem to be signed at a wrong time and CCPayment refuses what we ask", zap.Duration("by", by))
	})
	s.tasks.Go(func() { s.maintain(ctx) })
	s.tasks.Go(func() { s.Share(ctx, s.introduce, s.sessionFailed) })
	opened.Enter(s)
	return s, nil
}

// opened are the ledgers that this process has open. It is a list of its own, because a pool
// may be locked while a ledger is being opened, and by whoever holds the lock of another.
var opened Running[*Shared]

// Open returns the ledgers that this process has open, the latest first. They may be closed
// at any moment.
func Open() []*Shared { return opened.Latest() }

// Shared is an open ledger that configurations share, its maintenance, and the
// background delivery of one configuration.
type Shared struct {
	*ledger.Ledger
	key     string // its driver's
	logger  *zap.Logger
	current *atomic.Pointer[zap.Logger] // where logger writes
	stop    context.CancelFunc
	tasks   sync.WaitGroup

	mu sync.Mutex
	// holders are the configurations that hold the ledger, and of each whether it is
	// ready; queue has those that have not stopped, in the order of their start. The
	// routes of the first deliver.
	holders map[*Handle]bool
	queue   []*Handle
	working *work

	// differences are those that were warned of.
	differences []string
}

// enter queues a configuration that has started.
func (s *Shared) enter(h *Handle) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holders[h] = false
	s.queue = append(s.queue, h)
}

func (s *Shared) ready(h *Handle) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, holds := s.holders[h]; holds {
		s.holders[h] = true
		s.logTo()
		s.advance()
	}
}

// leave removes a configuration from the queue. If its routes deliver, it stops them
// and starts those of the next configuration.
func (s *Shared) leave(h *Handle) {
	s.mu.Lock()
	var old *work
	s.queue = slices.DeleteFunc(s.queue, func(other *Handle) bool { return other == h })
	s.logTo()
	if s.working != nil && s.working.of == h {
		old, s.working = s.working, nil
		old.stop()
		s.advance()
	}
	s.mu.Unlock()
	if old != nil && h.Exiting() {
		old.done.Wait()
	}
}

func (s *Shared) forget(h *Handle) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.holders, h)
}

// advance starts the routes of the first configuration in the queue, if it is ready and
// no others deliver. The caller holds the mutex.
func (s *Shared) advance() {
	if s.working == nil && len(s.queue) > 0 && s.holders[s.queue[0]] {
		s.working = start(s.queue[0])
	}
}

// Routes returns the names of the routes of the configurations that hold the ledger.
func (s *Shared) Routes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for h := range s.holders {
		for _, route := range h.routes {
			if route.Name != "" {
				names = append(names, route.Name)
			}
		}
	}
	return names
}

// work is the background delivery of one configuration's routes. After stop no attempt
// begins. Attempts in flight end while the next configuration's routes deliver: a
// reload must not wait for an app that may itself wait for the reload.
type work struct {
	of   *Handle
	stop context.CancelFunc
	done sync.WaitGroup
}

// start starts a configuration's routes. Each holds a reference to the ledger until it
// ends.
func start(h *Handle) *work {
	ctx, stop := context.WithCancel(context.Background())
	w := &work{of: h, stop: stop}
	for _, route := range h.routes {
		if route.Run == nil {
			continue
		}
		l, release, err := h.Acquire()
		if err != nil {
			h.Logger.Error("events are not handed over", zap.String("route", route.Name), zap.Error(err))
			continue
		}
		w.done.Go(func() {
			defer release()
			for h.hasPanicked(ctx, route, l) {
				select {
				case <-time.After(h.pause):
				case <-ctx.Done():
				}
			}
		})
	}
	return w
}

// hasPanicked runs a route, and reports whether it is to begin again because it panicked: a
// bug in it is not to end Caddy.
func (h *Handle) hasPanicked(ctx context.Context, route Route, l *ledger.Ledger) (again bool) {
	defer func() {
		if p := recover(); p != nil {
			again = ctx.Err() == nil
			h.Logger.Error("work in the background panicked, and begins again", zap.String("route", route.Name),
				zap.Any("panic", p), zap.ByteString("stack", debug.Stack()))
		}
	}()
	route.Run(ctx, l)
	return false
}
