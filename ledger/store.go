package ledger

import (
	"context"
	"errors"
	"time"
)

// The errors a Store answers with. Any other error means that it is
// unavailable: locked, damaged, full or out of reach.
var (
	// ErrLeased: another process works on the record.
	ErrLeased = errors.New("another process works on the record")
	// ErrFenced: the lease ran out and somebody else took the record.
	ErrFenced = errors.New("the lease on the record was lost")
	// ErrNotFound: the ledger does not know the event.
	ErrNotFound = errors.New("no such event")
	// ErrDamaged: one value cannot be read, as that of an event. The others can.
	ErrDamaged = errors.New("a value cannot be read")
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("the ledger is closed")
)

// Reader is the half of a [Store] that changes nothing. [Ledger] has it, too, so
// that whoever reads the ledger needs no store.
type Reader interface {
	// Load returns one event with its body, or ErrNotFound. The body is nil
	// once it was pruned, and where it is damaged; see [Event.BodyDamaged].
	Load(ctx context.Context, key Key) (Event, error)

	// LoadOrder returns an order, or ErrNotFound.
	LoadOrder(ctx context.Context, id OrderID) (Order, error)

	// OrderOf returns the order of which id names a generation, or which it names
	// itself; or ErrNotFound.
	OrderOf(ctx context.Context, id OrderID) (Order, error)

	// Orders returns orders, by app id and id. [ErrCursor] tells that the cursor
	// is none.
	Orders(ctx context.Context, query OrderQuery) (OrderPage, error)

	// Find returns the keys of the events with this id, one for each route.
	Find(ctx context.Context, eventID string) ([]Key, error)

	// List returns events without their bodies, newest first. [ErrCursor] tells
	// that the cursor is none.
	List(ctx context.Context, query Query) (Page, error)

	// Due returns at most limit of a route's events that are due at some time from
	// then on, or at any where from is zero; the earliest first.
	Due(ctx context.Context, route string, from time.Time, limit int) ([]Due, error)

	// Counts returns how many events each route has in each state.
	Counts(ctx context.Context) ([]Count, error)

	// Holds reports of each flag whether it is bound to the event. It binds
	// nothing.
	Holds(ctx context.Context, key Key, flags []Flag) ([]bool, error)

	// Bound reports of each flag whether it is bound to any event. It binds nothing.
	Bound(ctx context.Context, flags []Flag) ([]bool, error)
}

// Store keeps events. It decides nothing: the rules are in this package, and a
// store runs them on what it keeps. Every method is one transaction of a
// database. A store is safe for concurrent use; [ledgertest.Run] is the suite
// that each must pass.
type Store interface {
	Reader

	// Claim takes the lease on a record for ttl, under an epoch higher than any
	// before, and returns the record's events. It fails with ErrLeased while
	// somebody else's lease runs, by the store's own clock.
	Claim(ctx context.Context, record Record, ttl time.Duration) (Claim, error)

	// Commit writes the changes durably, all or none, and ends the lease. When
	// it returns nil they survive a power cut. What a change comes to is computed by
	// [Change.Write].
	//
	// A claim that has been overtaken by a later epoch may still commit that the
	// app said yes, which is true whoever saw it: of its changes, those that end
	// in Delivered are written and the others are left to the later owner. If
	// none does, the error is ErrFenced. [Fenced] picks them.
	Commit(ctx context.Context, claim Claim, changes []Change) error

	// Accept runs decide on the event as the store has it, or on nil, and commits
	// the change that it returns; nil commits nothing. It needs no lease and ends
	// none: it is how an event comes in while another of its record is handed
	// over. decide may be run more than once.
	Accept(ctx context.Context, key Key, decide func(known *Event) *Change) error

	// Bind binds flags to an event of the claim's record, durably, and reports of
	// each whether it is the event's. A flag that is bound to another event stays
	// that one's, for ever; binding one again to its own event changes nothing.
	// In the same commit the event takes the change's transitions; without any it
	// need not be in the store. The lease goes on; where it was lost the error is
	// ErrFenced, and nothing is bound.
	Bind(ctx context.Context, claim Claim, change Change, flags []Flag) ([]bool, error)

	// Release ends the lease and changes nothing. Releasing a lease that is
	// lost or ended is no error.
	Release(ctx context.Context, claim Claim) error

	// UpdateOrder runs update on an order, or on a new one, and writes it durably.
	// Its generations are found by [Reader.OrderOf] from then on.
	UpdateOrder(ctx context.Context, id OrderID, update func(*Order)) error

	// Prune deletes the bodies of at most limit finished events that were
	// received before the given time, and reports how many; the events
	// themselves stay for ever, because they are what recognises a copy.
	Prune(ctx context.Context, before time.Time, limit int) (int, error)

	// Close ends the use of the store; what comes later gets ErrClosed.
	Close() error
}

// Claim is the lease on a record, with what the ledger knows of it.
type Claim struct {
	Record Record
	// Epoch fences the claim: a later one has a higher number.
	Epoch uint64
	// Events are the record's events, in no particular order.
	Events []Summary
}

// Summary is what a decision needs to know of an event.
type Summary struct {
	Key      Key
	State    State
	Seq      uint64
	Attempts int
	// ReceivedAt is when the event's first delivery arrived.
	ReceivedAt time.Time
}
