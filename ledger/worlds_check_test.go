package ledger_test

import (
	"slices"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/simstore"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// check judges over the world, in which a process that was killed may still end an attempt.
func (w *world) check() {
	w.mu.Lock()
	defer w.mu.Unlock()
	slices.SortStableFunc(w.calls, func(a, b *appCall) int { return int(a.start - b.start) })
	for key := range w.acked {
		e, isKept := w.database.Events[key]
		hasApplied := slices.ContainsFunc(w.calls, func(c *appCall) bool { return c.key == key && c.yes })
		switch {
		case !isKept:
			w.violated("KEPT: %s was acknowledged and is not in the ledger", simstore.NameOf(key))
		case e.State != ledger.Delivered && e.State != ledger.Superseded:
			w.violated("ARRIVES: %s was acknowledged and is %s", simstore.NameOf(key), e.State)
		case e.State == ledger.Delivered && !hasApplied:
			w.violated("ARRIVES: %s is delivered, and the app has not said yes", simstore.NameOf(key))
		}
	}
	for _, r := range w.database.Replays {
		at := r.At.Sub(w.begun)
		isAnswer := func(c *appCall) bool { return c.key == r.Key && c.yes && c.start >= at }
		if state := w.database.Events[r.Key].State; state != ledger.Superseded && !slices.ContainsFunc(w.calls, isAnswer) {
			w.violated("REPLAYED: %s was replayed at %s, is %s, and the app has not said yes since", simstore.NameOf(r.Key), at, state)
		}
	}
	latest := make(map[ledger.Record]*appCall) // by which an app that goes by the sequence has it
	for _, c := range w.calls {
		if last := latest[c.key.Record]; c.yes && (last == nil || c.seq > last.seq) {
			latest[c.key.Record] = c
		}
	}
	for key := range w.acked {
		if last := latest[key.Record]; last != nil && rank(key.Status) > rank(last.key.Status) {
			w.violated("LAST: %s was acknowledged, and to the app %s with %d is the latest", simstore.NameOf(key), simstore.NameOf(last.key), last.seq)
		}
	}
	fulfils := make(map[string]ledger.Key)
	for i, c := range w.calls {
		if c.fulfil {
			if first, is := fulfils[orderOf(c.key)]; is && first != c.key {
				w.violated("FULFIL: %s of two events", orderOf(c.key))
			}
			fulfils[orderOf(c.key)] = c.key
		}
		for _, b := range w.calls[:i] {
			if b.key.Record != c.key.Record {
				continue
			}
			if c.start < b.end && !b.frozen {
				w.violated("ONE AT A TIME: %s by %s at %s while %s from %s to %s by %s", simstore.NameOf(c.key), c.process, c.start, simstore.NameOf(b.key), b.start, b.end, b.process)
			}
			if b.key == c.key && b.yes && !b.excused && !w.isReplayed(c.key, b.start, c.start) {
				w.violated("ONCE: %s by %s at %s after the yes to %s at %s", simstore.NameOf(c.key), c.process, c.start, b.process, b.end)
			}
			if b.key == c.key && c.number <= b.number && !b.spared && (!w.waits || !b.excused) {
				w.violated("COUNTED: %s attempt %d (%s, %s) after %d (%s, %s)", simstore.NameOf(c.key), c.number, c.process, c.start, b.number, b.process, b.start)
			}
			if b.key != c.key && c.seq <= b.seq && rank(c.key.Status) > rank(b.key.Status) && !b.excused {
				w.violated("SEQ: %s has %d after %s with %d", simstore.NameOf(c.key), c.seq, simstore.NameOf(b.key), b.seq)
			}
			if rank(b.key.Status) > rank(c.key.Status) && b.yes && b.known > 0 && b.known < c.start {
				w.violated("IN ORDER: %s at %s after %s was delivered at %s", simstore.NameOf(c.key), c.start, simstore.NameOf(b.key), b.known)
			}
		}
	}
}

// isReplayed reports whether an operator has replayed the event meanwhile.
func (w *world) isReplayed(key ledger.Key, from, until time.Duration) bool {
	return slices.ContainsFunc(w.database.Replays, func(r simstore.Replay) bool {
		at := r.At.Sub(w.begun)
		return r.Key == key && at >= from && at <= until
	})
}
