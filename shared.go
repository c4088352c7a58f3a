package ccpayment

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// ledgers holds the open ledgers of this process, by their store's key. A
// new configuration starts before the old one stops, and a bolt file can be
// open only once: so both use one ledger, with its table of attempts in
// flight. Each started App holds a reference, and so does each request while
// it runs, because requests outlive their configuration on a reload.
var ledgers = caddy.NewUsagePool()

// sharedLedger is an open ledger and the work that goes on behind it.
type sharedLedger struct {
	*ledger.Ledger
	now     func() time.Time
	stop    context.CancelFunc
	stopped chan struct{}

	mu      sync.Mutex
	holders map[*App]time.Duration // the started Apps, and how long each keeps bodies
	// The started Apps in the order of their start, and the couriers of the
	// first. A new configuration starts before the old one stops, and may fail
	// still: its routes take over when the old one has stopped.
	queue    []*App
	isReady  map[*App]bool
	couriers *couriers
}

// acquireLedger returns the ledger, which it opens if this is the first use.
// Whoever acquires it gives it back with releaseLedger. A configuration that
// has ended opens nothing, but its last requests may use what another has open.
func (a *App) acquireLedger() (*sharedLedger, error) {
	value, _, err := ledgers.LoadOrNew(a.store.Key(), func() (caddy.Destructor, error) {
		a.mu.Lock()
		released := a.released
		a.mu.Unlock()
		if released {
			return nil, errReleased
		}
		return a.openLedger()
	})
	if err != nil {
		return nil, err
	}
	return value.(*sharedLedger), nil
}

// releaseLedger gives back what acquireLedger returned.
func (a *App) releaseLedger() {
	if _, err := ledgers.Delete(a.store.Key()); err != nil {
		a.logger.Error("closing the ledger", zap.Error(err))
	}
}

// hold acquires the App's own reference and applies its options.
func (a *App) hold() error {
	shared, err := a.acquireLedger()
	// A request that outlives its configuration may have come to open the ledger
	// a moment before: its refusal, which the pool shares, is not ours.
	for errors.Is(err, errReleased) {
		shared, err = a.acquireLedger()
	}
	if err != nil {
		return err
	}
	a.mu.Lock()
	a.held = shared
	a.mu.Unlock()
	shared.mu.Lock()
	shared.holders[a] = a.store.Retention()
	shared.mu.Unlock()
	shared.enter(a)
	return nil
}

// enter queues an App that has started.
func (s *sharedLedger) enter(a *App) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = append(s.queue, a)
}

// ready is when the App's whole configuration has started. Its routes are handed
// over from now on, or once those before it have left.
func (s *sharedLedger) ready(a *App) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.isReady[a] = true
	s.advance()
}

// leave takes an App out of the queue. If its routes were handed over, those of
// the next one are from now on.
func (s *sharedLedger) leave(a *App) {
	s.mu.Lock()
	var old *couriers
	s.queue = slices.DeleteFunc(s.queue, func(other *App) bool { return other == a })
	delete(s.isReady, a)
	if s.couriers != nil && s.couriers.app == a {
		old, s.couriers = s.couriers, nil
		old.stop()
		s.advance()
	}
	s.mu.Unlock()
	if old != nil {
		old.end()
	}
}

// advance starts the couriers of the first App in the queue. The mutex is held.
func (s *sharedLedger) advance() {
	if s.couriers == nil && len(s.queue) > 0 && s.isReady[s.queue[0]] {
		s.couriers = startCouriers(s.queue[0], s)
	}
}

// letGo gives back what hold acquired.
func (a *App) letGo() error {
	a.mu.Lock()
	shared := a.held
	a.held, a.released = nil, true
	a.mu.Unlock()
	if shared == nil {
		return nil
	}
	shared.leave(a) // where Caddy cleans up without stopping first
	shared.mu.Lock()
	delete(shared.holders, a)
	shared.mu.Unlock()
	_, err := ledgers.Delete(a.store.Key())
	return err
}

func (a *App) openLedger() (*sharedLedger, error) {
	store, err := a.store.Open(ledger.OpenOptions{
		Logger:    a.logger,
		Committed: func(took time.Duration) { metrics.commits.Observe(took.Seconds()) },
	})
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &sharedLedger{
		Ledger:  ledger.New(store, a.now),
		now:     a.now,
		stop:    stop,
		stopped: make(chan struct{}),
		holders: make(map[*App]time.Duration),
		isReady: make(map[*App]bool),
	}
	s.OnClockSet(func(by time.Duration) {
		caddy.Log().Named("ccpayment").Warn("the machine's clock was set: no event waits longer for it or is given up earlier, "+
			"but while it is wrong, webhooks seem to be signed at a wrong time and CCPayment refuses what we ask", zap.Duration("by", by))
	})
	go s.maintain(ctx)
	return s, nil
}

// Pruning runs in small commits, so that no delivery waits long for one.
const (
	maintenanceInterval = time.Minute
	pruneBatch          = 500
)

// maintain prunes bodies that have outlived the retention time, until the ledger
// is closed.
func (s *sharedLedger) maintain(ctx context.Context) {
	defer close(s.stopped)
	ticker := time.NewTicker(maintenanceInterval)
	defer ticker.Stop()
	for {
		s.prune(ctx)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// retention is the longest that a configuration asks for, so that one which is
// tried and fails to start takes nothing from the one that runs. It is 0 while
// none holds the ledger.
func (s *sharedLedger) retention() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	longest := time.Duration(0)
	for _, retention := range s.holders {
		longest = max(longest, retention)
	}
	return longest
}

func (s *sharedLedger) prune(ctx context.Context) {
	retention := s.retention()
	for retention > 0 && ctx.Err() == nil {
		pruned, err := s.Prune(ctx, s.Before(retention), pruneBatch)
		if err != nil {
			// Not the logger of the configuration that opened the ledger, which may have ended.
			caddy.Log().Named("ccpayment").Error("pruning bodies of finished events", zap.Error(err))
			return
		}
		if pruned < pruneBatch {
			return
		}
	}
}

// Destruct ends the background work and closes the store. It waits for no
// request: the next configuration may be about to open the same file.
func (s *sharedLedger) Destruct() error {
	s.stop()
	<-s.stopped
	err := s.Close()
	caddy.Log().Named("ccpayment").Info("closed the ledger", zap.Error(err))
	return err
}
