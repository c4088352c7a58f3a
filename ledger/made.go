package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"
)

// These are the names of the flags that say what was made at a gateway through this ledger's
// Caddys. They are no instructions to an app, and the key that holds one is no event's: its
// Route is where the webhooks about what was made come in.
const (
	made = "made"
	// called: a call that makes it was about to be sent, and answered: the first such call
	// was answered, so that only made says what came of it.
	called, answered = "called", "answered"
)

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
	_, err := l.note(ctx, made, appID, route, marks)
	return err
}

// NoteCalled notes, durably, that a call is about to be sent that makes something with these
// marks: it counts as made, as after [Ledger.NoteMade], until NoteAnswered says that the call
// was answered. It returns the marks that no call was noted with before.
func (l *Ledger) NoteCalled(ctx context.Context, appID, route string, marks ...string) (fresh []string, err error) {
	return l.note(ctx, called, appID, route, marks)
}

// NoteAnswered notes, durably and for ever, that a call was answered of which NoteCalled
// returned these marks: what has them counts as made only after [Ledger.NoteMade].
func (l *Ledger) NoteAnswered(ctx context.Context, appID string, marks ...string) error {
	_, err := l.note(ctx, answered, appID, "", marks)
	return err
}

func (l *Ledger) note(ctx context.Context, name, appID, route string, marks []string) (fresh []string, err error) {
	for _, mark := range marks {
		flag := []Flag{madeFlag(name, appID, mark)}
		bound, err := l.store.Bound(ctx, flag)
		if err == nil && !bound[0] {
			fresh = append(fresh, mark)
			err = l.bindMade(ctx, madeKey(name, appID, route, mark), flag)
		}
		if err != nil {
			return nil, fmt.Errorf("noting what was made: %w", err)
		}
	}
	return fresh, nil
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

// Made is what is noted of a mark.
type Made struct {
	// Route is where the webhooks about it come in; empty: that is not known here.
	Route string
	// IsMade: it was noted. IsElsewhere: with a route that is none of those asked for.
	IsMade, IsElsewhere bool
}

// MadeHere returns what is noted of the marks: of the first with one of the routes, or else
// of any.
func (l *Ledger) MadeHere(ctx context.Context, appID string, marks, routes []string) (found Made, err error) {
	noted := append(slices.Clone(routes), "") // last, the route is not known
	for _, mark := range marks {
		bound, err := l.store.Bound(ctx, []Flag{madeFlag(made, appID, mark), madeFlag(called, appID, mark), madeFlag(answered, appID, mark)})
		if err != nil {
			return Made{}, fmt.Errorf("reading what was made: %w", err)
		}
		name := made
		switch {
		case bound[0]:
		case bound[1] && !bound[2]:
			name = called
		default:
			continue
		}
		isHere := false
		for _, route := range noted {
			holds, err := l.store.Holds(ctx, madeKey(name, appID, route, mark), []Flag{madeFlag(name, appID, mark)})
			if err != nil {
				return Made{}, fmt.Errorf("reading what was made: %w", err)
			}
			if isHere = isHere || holds[0]; holds[0] && route != "" {
				return Made{Route: route, IsMade: true}, nil
			}
		}
		found.IsMade, found.IsElsewhere = true, found.IsElsewhere || !isHere
	}
	return found, nil
}

func madeFlag(name, appID, mark string) Flag {
	return Flag{Name: name, AppID: appID, ID: shortMark(mark)}
}

func madeKey(name, appID, route, mark string) Key {
	return Key{Record: Record{Route: route, AppID: appID, Type: "#" + name, ID: shortMark(mark)}, Risk: NotRisky, Status: name}
}

func shortMark(mark string) string {
	if len(mark) <= longestMark {
		return mark
	}
	sum := sha256.Sum256([]byte(mark))
	return hex.EncodeToString(sum[:])
}
