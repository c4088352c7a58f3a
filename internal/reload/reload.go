// Package reload keeps what outlives a configuration: the open ledger, and the
// routes whose events are delivered in the background.
package reload

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Config is what a configuration keeps a ledger with.
type Config struct {
	Driver ledger.Driver
	// Pool shares open ledgers among the configurations of the process.
	Pool Pool
	Now  func() time.Time
	// Logger is the configuration's, Lasting one that outlives it.
	Logger, Lasting *zap.Logger
	// Committed is called with how long each durable commit took.
	Committed func(time.Duration)
	// Exiting reports whether the process is about to exit.
	Exiting func() bool
}

// Pool shares values by key for as long as somebody uses them.
type Pool interface {
	// Acquire returns the value with the key, which open makes where there is none.
	Acquire(key string, open func() (*Shared, error)) (*Shared, error)
	// Release gives back what Acquire returned. The last one destructs it.
	Release(key string) error
}

// Route is a route of a configuration.
type Route struct {
	Name string
	// Run delivers its events in the background until the context ends; nil: they
	// are delivered while the gateway waits.
	Run func(context.Context, *ledger.Ledger)
}

// ErrClosed: the configuration has ended, and opens no ledger any more.
var ErrClosed = errors.New("this configuration has ended")

// Handle is a configuration's use of a ledger. A new configuration starts before
// the old one stops, and may fail still; requests outlive their configuration.
// So each started configuration holds a reference, and so does each request while
// it runs, and the new routes work when the old ones have stopped.
type Handle struct {
	Config

	mu     sync.Mutex
	held   *Shared // our own reference
	closed bool
	routes []Route
}

// New returns the use of a ledger, of which nothing is opened yet.
func New(c Config) *Handle { return &Handle{Config: c} }

// Acquire returns the ledger, which it opens if this is the first use, and what
// gives it back. A configuration that has ended opens nothing, but its last
// requests may use what another has open.
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
// be used fails the configuration and not the first payment, and queues its routes.
func (h *Handle) Start(routes []Route) (*ledger.Ledger, error) {
	shared, err := h.acquire()
	// A request that outlives its configuration may have come to open the ledger
	// a moment before: its refusal, which the pool shares, is not ours.
	for errors.Is(err, ErrClosed) {
		shared, err = h.acquire()
	}
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	h.held, h.routes = shared, routes
	h.mu.Unlock()
	shared.enter(h)
	return shared.Ledger, nil
}

// Ready is when the whole configuration has started: its routes deliver from now
// on, or once those of the configurations before it have stopped.
func (h *Handle) Ready() {
	if shared := h.current(); shared != nil {
		shared.ready(h)
	}
}

// Stop ends the delivering in the background, which goes on with the next
// configuration, if there is one. Requests that still run keep using the ledger.
func (h *Handle) Stop() {
	if shared := h.current(); shared != nil {
		shared.leave(h)
	}
}

// Close gives the ledger back. The last configuration, or the last request, that
// used it closes it.
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
	store, err := h.Driver.Open(ledger.OpenOptions{Logger: h.Logger, Committed: h.Committed})
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Shared{
		Ledger: ledger.New(store, h.Now), logger: h.Lasting, stop: stop, stopped: make(chan struct{}),
		holders: make(map[*Handle]bool),
	}
	s.OnClockSet(func(by time.Duration) {
		s.logger.Warn("the machine's clock was set: no event waits longer for it or is given up earlier, "+
			"but while it is wrong, webhooks seem to be signed at a wrong time and CCPayment refuses what we ask", zap.Duration("by", by))
	})
	go s.maintain(ctx)
	return s, nil
}

// Shared is an open ledger and the work that goes on behind it.
type Shared struct {
	*ledger.Ledger
	logger  *zap.Logger
	stop    context.CancelFunc
	stopped chan struct{}

	mu sync.Mutex
	// holders are the started configurations, and of each whether all of it has
	// started; queue has them in the order of their start. The routes of the first
	// are at work.
	holders map[*Handle]bool
	queue   []*Handle
	working *work
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
	s.holders[h] = true
	s.advance()
}

// leave takes a configuration out of the queue. If its routes were at work, those
// of the next one are from now on.
func (s *Shared) leave(h *Handle) {
	s.mu.Lock()
	var old *work
	s.queue = slices.DeleteFunc(s.queue, func(other *Handle) bool { return other == h })
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

// advance starts the work of the first configuration in the queue. The mutex is held.
func (s *Shared) advance() {
	if s.working == nil && len(s.queue) > 0 && s.holders[s.queue[0]] {
		s.working = start(s.queue[0])
	}
}

// Routes are the names of the routes of the started configurations.
func (s *Shared) Routes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for h := range s.holders {
		for _, route := range h.routes {
			names = append(names, route.Name)
		}
	}
	return names
}

// work is the routes of one configuration at work. Stopped, it begins nothing
// more. What is in flight is finished: while the next configuration works, because
// an app may be waiting for the reload that waits for it.
type work struct {
	of   *Handle
	stop context.CancelFunc
	done sync.WaitGroup
}

// start begins to deliver what is due. Each route holds the ledger until it ends.
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
			route.Run(ctx, l)
		})
	}
	return w
}
