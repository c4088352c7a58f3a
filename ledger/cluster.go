package ledger

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Cluster is a [Store] that several processes share. Every lease belongs to the
// session of the process that holds it and ends with it, if not before. A lease, too,
// lives for [SessionTTL] unless Keep renews it, whatever ttl Claim and Take are given:
// so one of which a process has not heard, because the answer was lost, soon ends. A
// claim counts as overtaken as soon as its lease or its session has run out, even where
// nobody has taken the record yet. Close ends the session.
type Cluster interface {
	Store

	// Keep begins this process's session or renews it, and its leases of the epochs that
	// are held, for [SessionTTL] by the store's own clock. Until the first Keep, and after
	// the session has run out, Claim and Take fail with [ErrNoSession]. So they do for
	// [SessionTTL] after the store has lost all leases, as in a crash, or its clock was
	// set forward by so much that they have run out: those who held them may not know yet.
	Keep(ctx context.Context, about Session, held []uint64) (News, error)

	// Take leases due events of a route under its session and returns them with all
	// that an attempt needs: at most limit, the earliest first, at most one of a record
	// and none of a record that is leased. It stands for Due, Claim and Load.
	Take(ctx context.Context, route string, ttl time.Duration, limit int) ([]Taken, error)

	// Sync returns when what was read before is as durable as what was committed. A commit
	// that waits for a standby is seen by others although no standby has it, once its wait
	// was cut short or its server has started again: what is acknowledged because it was
	// read is to survive, too.
	Sync(ctx context.Context) error

	// Wake tells the other processes that something has changed. It returns at once,
	// and what it tells may be lost: whoever needs to know asks every [News.Poll], too.
	Wake(change Hint)

	// OnWake has f called with what other processes tell. Call it once, before Keep.
	OnWake(f func(Hint))

	// Spend takes one from a budget that all processes share, which gains one every
	// interval and holds at most burst. It returns how long to wait until there is one;
	// 0: it was taken. It returns when the context ends, and one may be taken all the
	// same.
	Spend(ctx context.Context, budget string, every time.Duration, burst int) (wait time.Duration, err error)
}

// OrderVersions is what a [Cluster] may be able to do besides: to say which orders have
// changed, so that those who wait for one need not read it again and again.
type OrderVersions interface {
	// OrderVersions returns a number for each of the orders, which is another one
	// whenever the order has changed; 0: the store does not know the order.
	OrderVersions(ctx context.Context, ids []OrderID) ([]uint64, error)
}

// SessionTTL is how long a session or a lease lives that is not renewed.
const SessionTTL = 15 * time.Second

// Session is what a process says of itself to the others.
type Session struct {
	// Name tells people which process it is.
	Name string
	// Routes are the routes that it serves.
	Routes []SessionRoute
	// Options has digests of the options that all processes are to have alike, by what
	// each option is. None is of a secret.
	Options map[string]string
	// SeenAt is when it last began or renewed its session, by the store's clock. It is the
	// store that says so.
	SeenAt time.Time
}

// Differences returns which of the options that two processes both have they do not have
// alike, in the order of their names.
func (s Session) Differences(other Session) (options []string) {
	for name, digest := range s.Options {
		if theirs, ok := other.Options[name]; ok && theirs != digest {
			options = append(options, name)
		}
	}
	slices.Sort(options)
	return options
}

// SessionRoute is a route that a process serves.
type SessionRoute struct {
	Name string
	// Confirms: its events are confirmed, so that they may fulfil orders.
	Confirms bool
}

// News is what a process learns when it renews its session.
type News struct {
	// Session is the id of the session, which is a new one where the last had run out.
	Session string
	// Now is the store's clock.
	Now time.Time
	// Others are the other sessions that live.
	Others []Session
	// Poll is how often to look for what hints do not tell.
	Poll time.Duration
	// Listens: hints arrive. Any may still be lost.
	Listens bool
	// Boot names the time since which the store has kept leases. When it is another one,
	// as after a crash, a failover or a leap of its clock, all leases from before are
	// lost, and the session may be the same.
	Boot string
	// Lost are those of the held epochs that are no lease of the session any more,
	// because it was lost, has run out or was given back meanwhile. One that is in use,
	// and could not be renewed for that, is not among them.
	Lost []uint64
}

// Hint names what may have changed.
type Hint struct {
	// Routes are those of which an event may be due.
	Routes []string
	Orders []OrderID
}

// Taken is a due event under a lease.
type Taken struct {
	Claim Claim
	Event Event
	// Err, if set, is why the event cannot be read. The claim holds its record all the
	// same, and the event's key is one that tells it from others, and no more.
	Err error
}

// LeasedError is [ErrLeased] from a store that knows whose the lease is.
type LeasedError struct {
	// Epoch is that of the lease.
	Epoch uint64
	// Until is when the lease ends unless it is given back before, by the store's
	// clock.
	Until time.Time
}

func (e *LeasedError) Error() string { return fmt.Sprintf("%v (epoch %d)", ErrLeased, e.Epoch) }

// Is makes it [ErrLeased].
func (e *LeasedError) Is(target error) bool { return target == ErrLeased }
