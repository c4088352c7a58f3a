package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/failpoint"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

const (
	// briefly is how much time is listed at once, and longer where there is much of it. After
	// each the look is stored, so that the next one goes on there.
	briefly = 2 * time.Hour
	longer  = 24 * time.Hour
	// overlap is how much of the last look is listed again: a record may be listed some time
	// after it was made, and the gateway's clock is another than ours.
	overlap = time.Hour
	// setBack is how far a look goes back where the last one was in the future.
	setBack = 24 * time.Hour
	// mostWaiting bounds what waits of an account, and mostAsked how many of these a look
	// asks for.
	mostWaiting = 10_000
	mostAsked   = 200
	// waitLongest is how long a record waits at most between two times that it is asked for:
	// a quarter of its age, and so long.
	waitLongest = 24 * time.Hour
	waitMissing = time.Hour // one that is missing: a route may have come for it
	// dismissedFor is for how long after it was made a record is known to be dismissed: a look
	// goes back less by itself.
	dismissedFor = 2 * longestBack
	// lostAfter is when a record that the gateway does not have any more is forgotten.
	lostAfter = 30 * 24 * time.Hour
	// mostPages is how many pages a list has at most: one with more does not end.
	mostPages = 5000
	// mostInARow is how often in a row something goes wrong until a look breaks off.
	mostInARow = 10
)

// look is one look at the records of an account.
type look struct {
	Config
	account Account
	here    map[string]bool // the names of all routes that are configured
	lister  gateway.Lister
	ledger  *ledger.Ledger
	calls   int // that were made
	// pace is of calls, tells of records that are told.
	pace, tells *rate.Limiter
	dryRun      bool
	state       ledger.Look
	// floor is when the earliest records were made that are told although they are nothing
	// of this ledger's.
	floor time.Time
	// listed are those of the list before that were compared, by type, id and status.
	listed map[[3]string]bool
	// again are the records of the window that the gateway is to send again, and isTurn says
	// that it is a waiting record's turn, and not just listed.
	again  []ledger.LookRecord
	isTurn bool
	// failure is what went wrong first, failed how often something did, and inARow how often
	// since something went well.
	failure        error
	failed, inARow int
	isBusy         bool // the gateway takes no more calls
	hasGap         bool // a list broke off
	dropped        int  // records that waited, for others
}

// run looks at what waits and at what was made since. Where it breaks off, the state has
// how far it came.
func (k *look) run(ctx context.Context, since time.Time) error {
	// A gateway refuses calls by a wrong clock, which are signed by this machine's; the time of
	// the look is the store's.
	if ahead := k.ledger.StoreAhead(); ahead.Abs() > overlap {
		err := fmt.Errorf("the database's clock is %s ahead of this machine's (behind, where that is negative), so that records would be left out: "+
			"set right the one that is wrong, and have both kept by NTP", ahead.Round(time.Second))
		if k.dryRun {
			return err
		}
		return errors.Join(err, k.save(ctx, err))
	}
	now := k.ledger.Now()
	// The clock was ahead when the account was first looked at, or is behind: nothing older than
	// this look is told until that is known.
	isBefore := k.state.Since.After(now)
	done := k.state.To
	switch isAhead := done.After(now); {
	case isBefore && (isAhead || now.Sub(k.state.TriedAt) > max(setBack, 2*k.Every)):
		k.state.To, done = now, now
	case isAhead: // the clock was set back, or is behind: which of them, a list will show
		done = now.Add(-setBack)
		if begun := k.state.From.Add(overlap); begun.Before(done) { // which nothing was listed of since
			done = begun
		}
	}
	end := now.Add(-k.graceAt(k.lister))
	from, begins := done.Add(-overlap), k.state.Since
	if isBefore {
		begins = done
	}
	if from.Before(begins) {
		from = begins
	}
	k.floor = begins
	if k.Back > 0 && since.IsZero() {
		since = now.Add(-k.Back)
	}
	// A later beginning than the look's own would leave out what lies between for good.
	if !since.IsZero() && since.Before(from) {
		from = since
	}
	if !since.IsZero() && since.Before(k.floor) {
		k.floor = since.Truncate(time.Second)
	}
	k.state.From, k.state.Records, k.state.NotOurs, k.state.Told = from, 0, 0, 0
	// What cannot be asked for by its id must not keep from the app what is listed.
	goesOn := k.askWaiting(ctx) || k.mayBeBad(ctx)
	if goesOn && !k.dryRun {
		goesOn = k.askOrders(ctx) || k.mayBeBad(ctx)
	}
	window := briefly
	if end.Sub(from) > longer {
		window = longer
	}
	earliest := from.Truncate(time.Second) // which is what gateways count in
	for goesOn && from.Before(end) {
		to := from.Add(window)
		if to.After(end) {
			to = end
		}
		goesOn = k.compareAll(ctx, from, to, earliest)
		// A gateway may list by another time than that which its records have.
		earliest = to.Add(-overlap)
		// What comes after a gap is told, and listed again until there is none.
		if from = to; !k.hasGap && to.After(done) && !k.dryRun {
			k.state.To, done = to, to
			if isBefore {
				k.state.Since = begins
			}
			goesOn = k.goesOn(ctx, k.save(ctx, nil)) && goesOn
			failpoint.Reach("looked")
		}
	}
	err := k.failure
	if k.failed > 1 {
		err = fmt.Errorf("%w; and more went wrong, %d times", err, k.failed-1)
	}
	if k.dryRun {
		return err
	}
	if err == nil {
		k.forgetDismissed(now)
	}
	if k.dropped > 0 {
		k.Logger.Warn(fmt.Sprintf("more than %d records wait, and the oldest that nobody can be told of are no longer listed as missing: "+
			"settle those that are, and dismiss them with `caddy ccpayment reconcile dismiss`", mostWaiting),
			zap.String("account", k.account.Name), zap.Int("dropped", k.dropped))
	}
	if k.state.TriedAt = k.ledger.Now(); err == nil {
		k.state.LookedAt = k.state.TriedAt
	}
	return errors.Join(err, k.save(ctx, err))
}

// goesOn notes what went wrong with a record, an order or a list, and reports whether the look
// goes on with the others: one that nobody can read must not keep them from the app. It ends
// where several in a row went wrong.
func (k *look) goesOn(ctx context.Context, err error) bool {
	if err == nil {
		k.inARow = 0
		return true
	}
	if k.failure == nil {
		k.failure = err
	}
	k.failed++
	k.inARow++
	k.isBusy = k.isBusy || errors.Is(err, gateway.ErrBusy)
	return k.inARow < mostInARow && !k.isBusy && ctx.Err() == nil
}

// mayBeBad reports whether what went wrong in a row may be of these records only, and begins
// to count anew.
func (k *look) mayBeBad(ctx context.Context) bool {
	k.inARow = 0
	return !k.isBusy && ctx.Err() == nil
}

// setAside notes a listed record that cannot be read or compared as one that is asked for
// again by its id, so that the list goes on after it. It reports whether it does.
func (k *look) setAside(ctx context.Context, one gateway.Listed, failure error) bool {
	n := one.Notice
	if i := k.waits(n.Type, n.RecordID); i >= 0 && k.state.Waiting[i].Dismissed != "" && ctx.Err() == nil &&
		(n.Status == "" || k.state.Waiting[i].Status == n.Status) {
		return true
	}
	if _, isOurs, err := k.routeOf(ctx, one); err == nil && !isOurs && !k.Foreign {
		k.state.NotOurs++
		return true
	}
	k.goesOn(ctx, about("record", n.RecordID, failure))
	if !k.mayBeBad(ctx) { // it counts anew, or the same ones would end each look here
		return false
	}
	record := ledger.LookRecord{
		Type: n.Type, ID: n.RecordID, Status: n.Status, OrderID: n.OrderID, WalletID: n.WalletID, MadeAt: one.MadeAt, Missing: true, Why: failure.Error(),
	}
	if !k.dryRun {
		k.missed(record, "")
	}
	err := k.wait(record)
	k.hasGap = k.hasGap || err != nil // it is listed again
	return k.goesOn(ctx, err)
}

// about is an error about a record or an order; nil: there is none.
func about(what, id string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("the %s %.60q: %w", what, id, err)
}

// save stores how far the look has come.
func (k *look) save(ctx context.Context, failure error) error {
	k.state.LastError = ""
	if failure != nil {
		k.state.LastError = failure.Error()
	}
	if !k.ledger.Lives(ctx) {
		return nil // another process may go on by now
	}
	return k.ledger.SaveLook(ctx, k.state)
}

// turn waits until the next call may be made.
func (k *look) turn(ctx context.Context) error {
	k.calls++
	return k.pace.Wait(ctx)
}

// askWaiting asks for the records that wait and whose turn it is. Those that it asks for are
// asked for last the next time. It is false where the look breaks off.
func (k *look) askWaiting(ctx context.Context) bool {
	asked, now := 0, k.ledger.Now()
	for _, w := range slices.Clone(k.state.Waiting) {
		longest, n := waitLongest, gateway.Notice{Type: w.Type, RecordID: w.ID}
		if w.Dismissed != "" {
			continue
		}
		if w.Missing {
			longest = waitMissing
			n.OrderID = w.OrderID
			h, err := k.known(ctx, gateway.Listed{Notice: n}, w.Status)
			if h.stands.isKnown() {
				k.forget(n)
				continue
			}
			if !k.goesOn(ctx, err) {
				return false
			}
		}
		if !isOver(w.AskedAt, min(w.AskedAt.Sub(w.MadeAt)/4, longest), now) {
			continue
		}
		if asked++; asked > mostAsked {
			break
		}
		if !k.goesOn(ctx, about("record", w.ID, k.askAgain(ctx, w, now))) {
			return false
		}
	}
	return k.goesOn(ctx, k.resend(ctx))
}

// forgetDismissed forgets what was dismissed long ago, once the gateway has answered: it does
// not where the clock is wrong.
func (k *look) forgetDismissed(now time.Time) {
	k.state.Waiting = slices.DeleteFunc(k.state.Waiting, func(w ledger.LookRecord) bool {
		return w.Dismissed != "" && now.Sub(w.MadeAt) > dismissedFor
	})
}

// askAgain asks for a record that waits.
func (k *look) askAgain(ctx context.Context, w ledger.LookRecord, now time.Time) error {
	if err := k.turn(ctx); err != nil {
		return err
	}
	n := gateway.Notice{Type: w.Type, RecordID: w.ID, WalletID: w.WalletID, Status: w.Status}
	// Whatever comes of it, the others are asked for before its next turn.
	k.forget(n)
	w.AskedAt = k.ledger.Now()
	k.state.Waiting = append(k.state.Waiting, w)
	found, err := k.lister.FindRecord(ctx, n)
	switch {
	case errors.Is(err, gateway.ErrNotFound) && now.Sub(w.MadeAt) > lostAfter:
		k.forget(n)
		return nil
	case errors.Is(err, gateway.ErrNotFound):
		return nil
	case err != nil:
		return err
	}
	if found.MadeAt.IsZero() {
		found.MadeAt = w.MadeAt
	}
	k.isTurn = true
	defer func() { k.isTurn = false }()
	return k.compare(ctx, found)
}

// compareAll compares the records that are listed from one time to another, and that were made
// at the earliest at a third. It is false where the look breaks off.
func (k *look) compareAll(ctx context.Context, from, to, earliest time.Time) bool {
	before, listed := k.calls, k.listed
	k.listed = make(map[[3]string]bool)
	turn := func(ctx context.Context) error {
		if k.calls-before >= mostPages {
			return fmt.Errorf("the list has more than %d pages", mostPages)
		}
		return k.turn(ctx)
	}
	for one, err := range k.lister.List(ctx, from, to, turn) {
		key := [3]string{one.Notice.Type, one.Notice.RecordID, one.Notice.Status}
		switch {
		case err != nil && one.Notice.RecordID == "":
			k.hasGap = true
			return k.goesOn(ctx, fmt.Errorf("listing the records from %s: %w", from.UTC().Format(time.RFC3339), err))
		case listed[key], !one.MadeAt.IsZero() && one.MadeAt.Before(earliest):
			continue
		case one.MadeAt.IsZero():
			one.MadeAt = from
		}
		if err == nil {
			err = k.compare(ctx, one)
			k.listed[key] = err == nil
		}
		if err != nil && !k.setAside(ctx, one, err) {
			k.hasGap = true
			return false
		}
	}
	if err := k.resend(ctx); err != nil {
		k.hasGap = true
		return k.goesOn(ctx, err)
	}
	return true
}
