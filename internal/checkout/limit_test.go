package checkout

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// sharedStore is a store that several processes share, which counts budgets and may take
// its time for it.
type sharedStore struct {
	ledger.Cluster
	takes time.Duration

	mu    sync.Mutex
	spent map[string]int
}

func (s *sharedStore) Spend(ctx context.Context, budget string, every time.Duration, burst int) (time.Duration, error) {
	select {
	case <-time.After(s.takes):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.spent[budget] == burst {
		return every, nil
	}
	s.spent[budget]++
	return 0, nil
}

func (s *sharedStore) OnWake(func(ledger.Hint)) {}

func limitOf(t *testing.T, name string) *Limits {
	t.Helper()
	l, err := ParseLimit("1/1m", time.ParseDuration)
	if err != nil {
		t.Fatal(err)
	}
	l.Name = name
	return l
}

// TestLimitsAtASlowLedger: a database that takes its time keeps no buyer waiting.
func TestLimitsAtASlowLedger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book := ledger.New(&sharedStore{takes: 10 * time.Second, spent: make(map[string]int)}, time.Now)
		limits := limitOf(t, "shop")
		begun := time.Now()
		if err := limits.allow(t.Context(), "192.0.2.1", begun, book); err != nil {
			t.Error(err)
		}
		if err := limits.allow(t.Context(), "192.0.2.1", begun, book); err == nil {
			t.Error("without the ledger nothing is counted")
		}
		if took := time.Since(begun); took > time.Second {
			t.Errorf("two orders waited for %s", took)
		}
	})
}

// TestLimitsOfTwoDirectives: they do not share what a client may do.
func TestLimitsOfTwoDirectives(t *testing.T) {
	book := ledger.New(&sharedStore{spent: make(map[string]int)}, time.Now)
	one, two := limitOf(t, "one"), limitOf(t, "two")
	for i, wants := range []bool{true, false} {
		for _, limits := range []*Limits{one, two} {
			if err := limits.allow(t.Context(), "192.0.2.1", time.Now(), book); (err == nil) != wants {
				t.Errorf("order %d of %s: %v", i+1, limits.Name, err)
			}
		}
	}
}
