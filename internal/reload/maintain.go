package reload

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Pruning runs in small commits, so that no event waits long for one.
const (
	maintenanceInterval = time.Minute
	pruneBatch          = 500
	pruneTurn           = time.Second / 10
)

// maintain prunes bodies that have outlived the retention time, until the ledger
// is closed.
func (s *Shared) maintain(ctx context.Context) {
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

// retention returns the longest retention time of the started configurations, so that
// a configuration which fails to start prunes nothing that the running one keeps. It
// is 0 while no configuration holds the ledger.
func (s *Shared) retention() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	longest := time.Duration(0)
	for h := range s.holders {
		longest = max(longest, h.Driver.Retention())
	}
	return longest
}

func (s *Shared) prune(ctx context.Context) {
	retention := s.retention()
	// One process at a time; another that has it prunes as much.
	held, unlock, err := s.Lock(ctx, ledger.Record{Type: "#maintenance"}, maintenanceInterval, pruneTurn)
	switch {
	case errors.Is(err, ledger.ErrLeased), errors.Is(err, ledger.ErrNoSession): // the session may only begin
		return
	case err != nil:
		s.logger.Error("pruning bodies of finished events", zap.Error(err))
		return
	}
	defer unlock()
	for retention > 0 && held.Err() == nil {
		pruned, err := s.Prune(held, s.Before(retention), pruneBatch)
		if err != nil {
			s.logger.Error("pruning bodies of finished events", zap.Error(err))
			return
		}
		if pruned < pruneBatch {
			return
		}
	}
}

// Destruct ends the maintenance and closes the store. It implements caddy.Destructor,
// and waits for no request: the next configuration may be about to open the same
// file.
func (s *Shared) Destruct() error {
	opened.Leave(s)
	s.stop()
	s.tasks.Wait()
	err := s.Close()
	s.logger.Info("closed the ledger", zap.Error(err))
	return err
}
