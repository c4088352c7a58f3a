package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// made is the name of the flags that say what was made at a gateway through this ledger's
// Caddys. They are no instructions to an app, and the key that holds one is no event's: its
// Route is where the webhooks about what was made come in.
const made = "made"

const (
	// madeLease is how long noting one thing may take.
	madeLease = 10 * time.Second
	// longestMark is how many bytes of a mark are kept as they are: stores keep a digest of
	// what is long, which could not be moved.
	longestMark = 200
)

// NoteMade notes, durably and for ever, what was made at an account's gateway: by the marks
// that the gateway's records of it have. Route is where the webhooks about it come in; empty:
// that is not known. What is noted already stays as it is.
func (l *Ledger) NoteMade(ctx context.Context, appID, route string, marks ...string) error {
	for _, mark := range marks {
		flag := []Flag{madeFlag(appID, mark)}
		bound, err := l.store.Bound(ctx, flag)
		if err == nil && !bound[0] {
			err = l.bindMade(ctx, madeKey(appID, route, mark), flag)
		}
		if err != nil {
			return fmt.Errorf("noting what was made: %w", err)
		}
	}
	return nil
}

func (l *Ledger) bindMade(ctx context.Context, holder Key, flag []Flag) error {
	ctx, cancel := context.WithTimeout(ctx, madeLease)
	defer cancel()
	unlock, err := l.lockHere(ctx, holder.Record)
	if err != nil {
		return err
	}
	defer unlock()
	claim, _, err := l.claimInTurn(ctx, holder.Record, madeLease)
	if err != nil {
		return err
	}
	_, err = l.store.Bind(ctx, claim, Change{Event: Event{Key: holder}}, flag)
	return errors.Join(err, l.store.Unlock(context.WithoutCancel(ctx), claim))
}

// MadeHere reports whether one of the marks was noted, and which of the routes it was noted
// with; empty: none of them.
func (l *Ledger) MadeHere(ctx context.Context, appID string, marks, routes []string) (route string, isMade bool, err error) {
	for _, mark := range marks {
		flag := []Flag{madeFlag(appID, mark)}
		bound, err := l.store.Bound(ctx, flag)
		if err != nil {
			return "", false, fmt.Errorf("reading what was made: %w", err)
		}
		if !bound[0] {
			continue
		}
		for _, route := range routes {
			holds, err := l.store.Holds(ctx, madeKey(appID, route, mark), flag)
			if err != nil {
				return "", false, fmt.Errorf("reading what was made: %w", err)
			}
			if holds[0] {
				return route, true, nil
			}
		}
		isMade = true
	}
	return "", isMade, nil
}

func madeFlag(appID, mark string) Flag { return Flag{Name: made, AppID: appID, ID: shortMark(mark)} }

func madeKey(appID, route, mark string) Key {
	return Key{Record: Record{Route: route, AppID: appID, Type: "#" + made, ID: shortMark(mark)}, Risk: NotRisky, Status: made}
}

func shortMark(mark string) string {
	if len(mark) <= longestMark {
		return mark
	}
	sum := sha256.Sum256([]byte(mark))
	return hex.EncodeToString(sum[:])
}
