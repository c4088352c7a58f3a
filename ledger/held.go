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

	mu     sync.Mutex
	leases map[uint64]*heldLease // by epoch
}

// heldLease is a lease that this process holds.
type heldLease struct {
	// until is when it ends in any case, by this machine's monotonic clock.
	until time.Time
	// isEnding: it may have ended with a commit of which nothing has been heard yet.
	isEnding bool
}

func (h *held) add(epoch uint64, until time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.leases[epoch] = &heldLease{until: until}
}

func (h *held) remove(epoch uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.leases, epoch)
}

func (h *held) Claim(ctx context.Context, record Record, ttl time.Duration) (Claim, error) {
	until := time.Now().Add(ttl)
	claim, err := h.Cluster.Claim(ctx, record, ttl)
	if err == nil {
		h.add(claim.Epoch, until)
	}
	return claim, err
}

func (h *held) Take(ctx context.Context, route string, ttl time.Duration, limit int) ([]Taken, error) {
	until := time.Now().Add(ttl)
	all, err := h.Cluster.Take(ctx, route, ttl, limit)
	for _, taken := range all {
		h.add(taken.Claim.Epoch, until)
	}
	return all, err
}

func (h *held) Commit(ctx context.Context, claim Claim, changes []Change) error {
	h.mu.Lock()
	if lease := h.leases[claim.Epoch]; lease != nil {
		lease.isEnding = true
	}
	h.mu.Unlock()
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

// keep renews the session with the leases that are held. It reports whether the store has
// lost one of them: whatever is done under it must end.
func (h *held) keep(ctx context.Context, about Session) (news News, hasLost bool, err error) {
	now := time.Now()
	h.mu.Lock()
	var epochs []uint64
	for epoch, lease := range h.leases {
		if now.Before(lease.until) {
			epochs = append(epochs, epoch)
		} else {
			delete(h.leases, epoch)
		}
	}
	h.mu.Unlock()
	if news, err = h.Keep(ctx, about, epochs); err != nil {
		return news, false, err
	}
	now = time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, epoch := range news.Lost { // of those that have not ended meanwhile
		lease := h.leases[epoch]
		hasLost = hasLost || lease != nil && !lease.isEnding && now.Before(lease.until)
		delete(h.leases, epoch)
	}
	return news, hasLost, nil
}
