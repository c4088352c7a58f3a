package ledger

import (
	"context"
	"sync"
	"time"
)

// held is a [Cluster] that knows which leases this process holds, so that they are
// renewed with its session, each for as long as its claim was to last.
type held struct {
	Cluster

	mu sync.Mutex
	// until is by epoch, and by this machine's monotonic clock.
	until map[uint64]time.Time
}

func (h *held) add(epoch uint64, ttl time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.until[epoch] = time.Now().Add(ttl)
}

func (h *held) remove(epoch uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.until, epoch)
}

func (h *held) Claim(ctx context.Context, record Record, ttl time.Duration) (Claim, error) {
	claim, err := h.Cluster.Claim(ctx, record, ttl)
	if err == nil {
		h.add(claim.Epoch, ttl)
	}
	return claim, err
}

func (h *held) Take(ctx context.Context, route string, ttl time.Duration, limit int) ([]Taken, error) {
	all, err := h.Cluster.Take(ctx, route, ttl, limit)
	for _, taken := range all {
		h.add(taken.Claim.Epoch, ttl)
	}
	return all, err
}

func (h *held) Commit(ctx context.Context, claim Claim, changes []Change) error {
	err := h.Cluster.Commit(ctx, claim, changes)
	if err == nil {
		h.remove(claim.Epoch)
	}
	return err
}

func (h *held) Unlock(ctx context.Context, claim Claim) error {
	h.remove(claim.Epoch) // where it cannot be unlocked it runs out
	return h.Cluster.Unlock(ctx, claim)
}

// keep renews the session with the leases that are held.
func (h *held) keep(ctx context.Context, about Session) (News, error) {
	now := time.Now()
	h.mu.Lock()
	var epochs []uint64
	for epoch, until := range h.until {
		if now.Before(until) {
			epochs = append(epochs, epoch)
		} else {
			delete(h.until, epoch)
		}
	}
	h.mu.Unlock()
	return h.Keep(ctx, about, epochs)
}
