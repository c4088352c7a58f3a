package ledger

import (
	"context"
	"errors"
	"fmt"
)

const (
	// missed is why an event was received of which no webhook came, and told why a webhook
	// that comes later is none.
	missed = "the gateway has it, and no webhook came"
	told   = "the app was told of it before its webhook came"
)

// IsBackfilled reports whether the event was made of the gateway's records, because no
// webhook had come.
func (e Event) IsBackfilled() bool {
	return len(e.Transitions) > 0 && e.Transitions[0].State == Received && e.Transitions[0].Reason == Backfill
}

// isTold reports whether a webhook is a copy of an event that was made of the gateway's
// records: of the same record and status, although its risk may be written in another way.
// One that says risky, where the records did not, is none; nor is any where that event has not
// reached the app and does not by itself.
func (l *Ledger) isTold(ctx context.Context, claim Claim, key Key) (bool, error) {
	for _, other := range claim.Events {
		is := other.Key.Status == key.Status && other.Key.Risk != key.Risk && key.Risk != Risky
		if !is || !other.State.Pending() && other.State != Delivered {
			continue
		}
		event, err := l.store.Load(ctx, other.Key)
		switch {
		case errors.Is(err, ErrNotFound), errors.Is(err, ErrDamaged):
		case err != nil:
			return false, fmt.Errorf("loading the event: %w", err)
		case event.IsBackfilled():
			return true, nil
		}
	}
	return false, nil
}
