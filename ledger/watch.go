package ledger

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"
)

// Watch returns a channel that is closed when the order may have changed, and a
// function that ends the watch.
func (l *Ledger) Watch(id OrderID) (changed <-chan struct{}, stop func()) {
	ch := make(chan struct{})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watchers[id] = append(l.watchers[id], ch)
	return ch, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		rest := slices.DeleteFunc(l.watchers[id], func(other chan struct{}) bool { return other == ch })
		if l.watchers[id] = rest; len(rest) == 0 {
			delete(l.watchers, id)
		}
	}
}

// changed lets all who watch the order know that it has changed.
func (l *Ledger) changed(id OrderID) {
	l.notify(id)
	l.tell(Hint{Orders: []OrderID{id}})
}

// watched returns the orders that somebody in this process watches.
func (l *Ledger) watched() []OrderID {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.SortedFunc(maps.Keys(l.watchers), func(a, b OrderID) int {
		return cmp.Or(cmp.Compare(a.AppID, b.AppID), cmp.Compare(a.ID, b.ID))
	})
}

// seldom is how many polls for orders are left out while hints arrive.
const seldom = 5

// pollOrders looks for changes of the orders that are watched, of which no hint came. It
// ends with the context.
func (l *Ledger) pollOrders(ctx context.Context) {
	known := make(map[OrderID]uint64)
	for {
		every := l.session.pollEvery()
		if l.session.hears() {
			every *= seldom
		}
		select {
		case <-time.After(every):
			known = l.notifyChanged(ctx, known)
		case <-ctx.Done():
			return
		}
	}
}

// notifyChanged notifies those who watch an order that has changed since its version was
// known, and returns the versions of now. An order may have changed before its first
// version is read. Where the store cannot tell, all who watch see for themselves.
func (l *Ledger) notifyChanged(ctx context.Context, known map[OrderID]uint64) map[OrderID]uint64 {
	ids := l.watched()
	if len(ids) == 0 {
		return nil
	}
	var versions []uint64
	if store, ok := l.session.cluster.Cluster.(OrderVersions); ok {
		var err error
		if versions, err = store.OrderVersions(ctx, ids); err != nil {
			return known // the store cannot be reached, by those who watch either
		}
	}
	now := make(map[OrderID]uint64, len(versions))
	for i, id := range ids {
		if i >= len(versions) {
			l.notify(id)
			continue
		}
		if before, isKnown := known[id]; !isKnown || before != versions[i] {
			l.notify(id)
		}
		now[id] = versions[i]
	}
	return now
}

// notify closes the channels of those who watch the order in this process.
func (l *Ledger) notify(id OrderID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, ch := range l.watchers[id] {
		close(ch)
	}
	delete(l.watchers, id)
}
