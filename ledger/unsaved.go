package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// largestUnsaved bounds the memory that a store out of order can cost. Beyond it an
// event is delivered again, as after a crash.
const largestUnsaved = 10_000

// saveUnsaved writes the change of a claimed record that could not be written before.
// If there is one the lease has ended, in any case.
func (l *Ledger) saveUnsaved(ctx context.Context, claim Claim) (saved bool, err error) {
	change, ok := l.unsavedOf(claim.Record)
	if !ok {
		return false, nil
	}
	if l.session != nil && isBehind(claim.Events, change) {
		l.saved(claim.Record)
		return false, nil
	}
	if err := l.store.Commit(ctx, claim, []Change{change}); err != nil {
		return false, errors.Join(fmt.Errorf("recording an earlier outcome: %w", err), l.store.Unlock(ctx, claim))
	}
	l.saved(claim.Record)
	return true, nil
}

// isBehind reports whether another process, which could not know that the app took the
// event, has handed over another one of the record since. For the app, that one is the
// later of the two, so that the event must be handed over again, as after a crash.
func isBehind(events []Summary, yes Change) bool {
	seq := yes.Transitions[len(yes.Transitions)-1].Seq
	if known, ok := find(events, yes.Event.Key); ok && known.Seq == seq {
		return false // they knew of the attempt
	}
	return slices.ContainsFunc(events, func(e Summary) bool { return e.Key != yes.Event.Key && e.Seq > seq })
}

// saveAll writes the changes that could not be written before, as soon as the store that
// others share can be reached again: what only this process knows, another does over.
func (l *Ledger) saveAll(ctx context.Context) {
	l.mu.Lock()
	records := slices.Collect(maps.Keys(l.unsaved))
	l.mu.Unlock()
	slices.SortFunc(records, func(a, b Record) int {
		return cmp.Or(cmp.Compare(a.Route, b.Route), cmp.Compare(a.AppID, b.AppID), cmp.Compare(a.Type, b.Type), cmp.Compare(a.ID, b.ID))
	})
	for _, record := range records {
		if err := l.saveOne(ctx, record); ctx.Err() != nil || err != nil && !isOfRecord(err) {
			return // it goes on when the session is renewed the next time
		}
	}
}

// isOfRecord reports whether an error is of one record, so that the others can do.
func isOfRecord(err error) bool {
	for _, of := range []error{ErrLeased, ErrFenced, ErrDamaged, ErrLater, ErrTaken} {
		if errors.Is(err, of) {
			return true
		}
	}
	return false
}

// saveOne is saveAll for one record, unless something of it is in flight, which does it.
func (l *Ledger) saveOne(ctx context.Context, record Record) error {
	f, mine := l.join(Key{Record: record}, false)
	if !mine {
		return nil
	}
	defer func() {
		l.land(f, 0, nil)
		l.wake(record.Route)
	}()
	_, err := l.save(ctx, record)
	return err
}

// save writes the change of a record, of which nothing else is in flight, that could not
// be written before. It does not wait for another process that has the record.
func (l *Ledger) save(ctx context.Context, record Record) (saved bool, err error) {
	claim, err := l.store.Claim(ctx, record, operatorLease)
	if err != nil {
		return false, err
	}
	if saved, err := l.saveUnsaved(ctx, claim); saved || err != nil {
		return saved, err
	}
	return false, l.store.Unlock(ctx, claim)
}

func (l *Ledger) unsavedOf(record Record) (Change, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change, ok := l.unsaved[record]
	return change, ok
}

func (l *Ledger) saved(record Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.unsaved, record)
}

func (l *Ledger) keepUnsaved(record Record, change Change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.unsaved) < largestUnsaved {
		l.unsaved[record] = change
	}
}
