package ledger

import (
	"context"
	"errors"
	"time"
)

// The errors that a Store returns. Any other error means that the store is
// unavailable: locked, damaged, full or out of reach.
var (
	// ErrLeased: another process works on the record.
	ErrLeased = errors.New("another process works on the record")
	// ErrFenced: the lease ran out, and another process took the record.
	ErrFenced = errors.New("the lease on the record was lost")
	// ErrNotFound: the ledger does not know the event.
	ErrNotFound = errors.New("no such event")
	// ErrDamaged: one value, as that of an event, cannot be read. The others can.
	ErrDamaged = errors.New("a value cannot be read")
	// ErrLater: one value, as that of an event, is of a later version than this one reads.
	// It is whole, and what it is of waits for that version.
	ErrLater = errors.New("a value was written by a later version of the plugin: update this Caddy")
	// ErrTaken: an order at the gateway is another order's of the ledger.
	ErrTaken = errors.New("the order at the gateway is another order's")
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("the ledger is closed")
	// ErrUnknown: the connection was lost while a step was committed, so that nobody
	// knows whether it was. It is never to be taken for one that was not.
	ErrUnknown = errors.New("it is not known whether the step was committed")
	// ErrNoSession: the process holds no session in a [Cluster], so it can hold no
	// lease either.
	ErrNoSession = errors.New("this process's session at the ledger has run out")
)

// Reader is the half of a [Store] that changes nothing. [Ledger] has it, too, so
// that code which only reads needs no store.
type Reader interface {
	// Load returns one event with its body, or ErrNotFound. The body is nil
	// once it was pruned, and where it is damaged; see [Event.BodyDamaged].
	Load(ctx context.Context, key Key) (Event, error)

	// LoadOrder returns an order, or ErrNotFound.
	LoadOrder(ctx context.Context, id OrderID) (Order, error)

	// OrderOf returns the order that has a [GatewayOrder] of this id, or that has the
	// id itself; or ErrNotFound.
	OrderOf(ctx context.Context, id OrderID) (Order, error)

	// Orders returns orders, by app id and id, and goes on after one that cannot be read. The
	// error is [ErrCursor] where the cursor is none.
	Orders(ctx context.Context, query OrderQuery) (OrderPage, error)

	// Ending returns at most limit of the orders whose [Checkout.EndAt] is the time until
	// or earlier, the earliest first. It reads no others, and leaves out an order that
	// cannot be read.
	Ending(ctx context.Context, until time.Time, limit int) ([]Order, error)

	// LoadLook returns how far the records of an account have been compared, or
	// ErrNotFound.
	LoadLook(ctx context.Context, appID string) (Look, error)

	// Find returns the keys of the events with this id, one for each route.
	Find(ctx context.Context, eventID string) ([]Key, error)

	// List returns events without their bodies, newest first. The error is
	// [ErrCursor] where the cursor is none.
	List(ctx context.Context, query Query) (Page, error)

	// Due returns at most limit of a route's events that are due at the time from or
	// later, or at any time where from is zero; the earliest first.
	Due(ctx context.Context, route string, from time.Time, limit int) ([]Due, error)

	// Counts returns how many events each route has in each state.
	Counts(ctx context.Context) ([]Count, error)

	// Holds reports of each flag whether it is bound to the event.
	Holds(ctx context.Context, key Key, flags []Flag) ([]bool, error)

	// HoldsMany is Holds for flags of many events at once.
	HoldsMany(ctx context.Context, of []Holding) ([]bool, error)

	// Bound reports of each flag whether it is bound to any event.
	Bound(ctx context.Context, flags []Flag) ([]bool, error)

	// Answers returns what the app answered to an event's attempts, in their order, or
	// ErrNotFound. It leaves out one that cannot be read.
	Answers(ctx context.Context, key Key) ([]Answer, error)
}

// Holding asks whether a flag is bound to an event.
type Holding struct {
	Key  Key
	Flag Flag
}

// Store keeps events and orders. It decides nothing: the rules are in this package,
// and a store applies them to what it keeps. Every method is one transaction. A
// store is safe for concurrent use; [ledgertest.Run] is the suite that each must
// pass.
type Store interface {
	Reader

	// Claim takes the lease on a record for ttl, under an epoch higher than any
	// before, and returns the record's events. It fails with ErrLeased while another
	// lease runs, by the store's own clock; where processes share the store, with a
	// [*LeasedError].
	Claim(ctx context.Context, record Record, ttl time.Duration) (Claim, error)

	// Commit writes the changes durably, all or none, and ends the lease. When
	// it returns nil they survive a power cut. What a change comes to is computed by
	// [Change.Write].
	//
	// A claim that has been overtaken writes nothing, and the error is ErrFenced.
	Commit(ctx context.Context, claim Claim, changes []Change) error

	// Accept runs decide on the event as the store has it, or on nil, and commits
	// the change that it returns; nil commits nothing. It needs no lease and ends
	// none: it is how an event is stored while another of its record is being
	// delivered. The function decide may be run more than once, and on nil as a guess
	// although the store has the event: only its last run counts.
	Accept(ctx context.Context, key Key, decide func(known *Event) *Change) error

	// Bind binds flags to an event of the claim's record, durably, and reports of
	// each whether it is bound to that event now. A flag that is bound to another
	// event stays bound to that, for ever; binding it again to its own event changes
	// nothing. In the same commit the event takes the change's transitions; without
	// any it need not be in the store. The lease goes on; where it was lost the error
	// is ErrFenced, and nothing is bound.
	Bind(ctx context.Context, claim Claim, change Change, flags []Flag) ([]bool, error)

	// Unlock ends the lease and changes nothing. Unlocking a lease that is lost or
	// ended is no error.
	Unlock(ctx context.Context, claim Claim) error

	// UpdateOrder runs update on an order, or on a new one, and writes it durably.
	// The order is found by the ids of its [GatewayOrder]s from then on; see
	// [Reader.OrderOf]. An order at the gateway stays the order's that it was first
	// written with: an update that adds another order's writes nothing, and the error is
	// ErrTaken. Else one payment would count for two orders.
	UpdateOrder(ctx context.Context, id OrderID, update func(*Order)) error

	// SaveLook writes a look durably, in the place of its account's before.
	SaveLook(ctx context.Context, look Look) error

	// Prune deletes the bodies of at most limit finished events that were
	// received before the given time, with the app's answers to them, and reports how many
	// events; these themselves stay for ever, because copies are recognised by them.
	Prune(ctx context.Context, before time.Time, limit int) (int, error)

	// Close closes the store. Calls that come later fail with ErrClosed.
	Close() error
}

// Claim is the lease on a record, with the record's events.
type Claim struct {
	Record Record
	// Epoch fences the claim: a later one has a higher number.
	Epoch uint64
	// Events are the record's events, in no particular order.
	Events []Summary

	// life ends with the session that the lease belongs to; nil: the store is not
	// shared. The ledger sets it.
	life context.Context
}

// Summary is the part of an event that decisions need.
type Summary struct {
	Key      Key
	State    State
	Seq      uint64
	Attempts int
	// ReceivedAt is when the event's first webhook arrived.
	ReceivedAt time.Time
	// Epoch is that of the claim that last committed the event, where processes share
	// the store; else, and where it was accepted since, 0.
	Epoch uint64
}
