// Package reconcile compares the records of accounts at their gateways with the ledger, and
// has the app told of what no webhook told.
package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/redact"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Config is what a [Reconciler] needs.
type Config struct {
	// Route is the name of the one that is told, where an account has several and nothing
	// else names one; empty: none.
	Route string
	// Every is how often the records of an account are looked at; 0: only when somebody asks.
	Every time.Duration
	// Foreign: records that are nothing of this ledger's are told, too.
	Foreign bool
	// Back is how far each look goes back, and farther where the last one came less far; 0:
	// to the last one, and never to before the account was noted in the ledger.
	Back time.Duration
	// Grace is for how long a record may still be told by its webhook; negative: as its
	// gateway says.
	Grace time.Duration
	// Missed is called with each record that no webhook told, once.
	Missed func(Missed)
	// Looked is called with when the records of an account were last looked at, and with the
	// zero time once they are not looked at any more.
	Looked func(account string, at time.Time)
	Logger *zap.Logger
}

// tick is how often it is looked whether a look is due.
func (c Config) tick() time.Duration { return min(c.Every, poll) }

// Missed is a record that no webhook told.
type Missed struct {
	Account string
	Route   string // empty: none is told
	Record  ledger.LookRecord
}

// Facts are the data of Caddy's event for it, without e-mail addresses.
func (m Missed) Facts() map[string]any {
	return map[string]any{
		"account": m.Account, "route": m.Route, "type": m.Record.Type, "status": m.Record.Status, "record_id": m.Record.ID,
		"gateway_order_id": redact.Emails(m.Record.OrderID), "told": m.Record.Why == "",
	}
}

// Reconciler looks at the records of accounts. It is safe for concurrent use.
type Reconciler struct {
	config Config
	// accounts are one for each id at a gateway, whatever names it has.
	accounts []Account
	here     map[string]bool // the names of all routes
	// turns are taken for a look, one at a time at each account.
	turns map[string]*turn
	// life is the context of the latest Run, within which looks are made that somebody asks
	// for, too; nil: it has not begun.
	life atomic.Pointer[context.Context]
	// patience is how long who asks for something waits for a look that is under way.
	patience time.Duration
}

// turn is an account's.
type turn struct {
	taken chan struct{}
	// pace is of calls, tells of records that are told.
	pace, tells *rate.Limiter
}

const (
	// An account's records are asked for by at most so many calls a second, which leaves the
	// rest of what the gateway allows to those who wait for an answer.
	callsPerSecond = 4
	// At most so many records a second are told, because each is confirmed by calls of the
	// gateway.
	tellsPerSecond = 5
	// poll is how often it is looked whether a look is due, at least.
	poll = time.Minute
	// longestLook is how long one look may take; the next goes on where it was.
	longestLook = time.Hour
	lockTurn    = time.Second / 10
	patience    = 10 * time.Second
)

// errEnded is why a look breaks off whose configuration ends.
var errEnded = errors.New("the configuration ends, and the next one's look goes on")

// New returns a reconciler of the accounts that have routes, and whose gateways list records.
func New(c Config, accounts []Account) (*Reconciler, error) {
	r := &Reconciler{config: c, turns: make(map[string]*turn), here: make(map[string]bool), patience: patience}
	isThere := c.Route == ""
	for _, a := range accounts {
		isThere = isThere || a.route(c.Route) != nil
		for _, route := range a.Routes {
			r.here[route.Name] = true
		}
		if _, ok := a.Gateway.(gateway.Lister); !ok || len(a.Routes) == 0 {
			continue // else what others are told of would be missing here
		}
		if _, ok := a.Gateway.(gateway.Resender); !ok {
			a.warn(c.Logger)
		}
		r.accounts = join(r.accounts, a)
	}
	for _, a := range r.accounts {
		r.turns[a.Name] = &turn{
			make(chan struct{}, 1), rate.NewLimiter(callsPerSecond, callsPerSecond), rate.NewLimiter(tellsPerSecond, tellsPerSecond),
		}
	}
	if !isThere {
		return nil, fmt.Errorf("reconcile: there is no route %q: name one of a ccpayment_webhook", c.Route)
	}
	for _, a := range r.accounts {
		if grace := c.graceAt(a.Gateway.(gateway.Lister)); c.Back > 0 && c.Back <= grace {
			return nil, fmt.Errorf("reconcile: back is %s, and records of the last %s may still be told by %s: set back to more than that",
				c.Back, grace, a.Info.Title)
		}
	}
	return r, nil
}

// graceAt is for how long a record at a gateway may still be told by its webhook.
func (c Config) graceAt(lister gateway.Lister) time.Duration {
	if c.Grace < 0 {
		return lister.Grace()
	}
	return c.Grace
}

// Run notes all accounts in the ledger, and looks at their records whenever that is due,
// until its context ends.
func (r *Reconciler) Run(ctx context.Context, l *ledger.Ledger) {
	r.life.Store(&ctx)
	if r.config.Every == 0 {
		r.note(ctx, l)
		return
	}
	defer func() { // the next configuration may not have the account; if it has, its next tick says so
		for _, a := range r.accounts {
			r.looked(a, time.Time{})
		}
	}()
	ticker := time.NewTicker(r.config.tick())
	defer ticker.Stop()
	for ctx.Err() == nil {
		for _, a := range r.accounts {
			if err := r.runOne(ctx, a, l); err != nil && ctx.Err() == nil {
				r.config.Logger.Warn("the records of an account could not be compared, and will be again",
					zap.String("account", a.Name), zap.Error(err))
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
}

// note notes all accounts in the ledger, those that cannot be noted yet again and again:
// what is asked for by hand one day begins there.
func (r *Reconciler) note(ctx context.Context, l *ledger.Ledger) {
	accounts := slices.Clone(r.accounts)
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	for isFirst := true; ; isFirst = false {
		accounts = slices.DeleteFunc(accounts, func(a Account) bool {
			_, err := l.Look(ctx, a.Info.AccountID)
			if err != nil && isFirst && ctx.Err() == nil {
				r.config.Logger.Warn("an account could not be noted in the ledger, and will be again",
					zap.String("account", a.Name), zap.Error(err))
			}
			return err == nil
		})
		if len(accounts) == 0 {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// runOne looks at the records of an account if that is due, in this process or another.
func (r *Reconciler) runOne(ctx context.Context, a Account, l *ledger.Ledger) error {
	state, err := l.Look(ctx, a.Info.AccountID)
	if errors.Is(err, ledger.ErrNoSession) { // it only begins
		return nil
	}
	if err != nil {
		return err
	}
	at := state.LookedAt
	if at.IsZero() {
		at = state.Since
	}
	r.looked(a, at)
	if !isOver(state.TriedAt, r.config.Every-r.config.tick()/2, l.Now()) { // or the next tick is just too early
		return nil
	}
	ctx, done, err := r.begin(ctx, a, l)
	if err == nil {
		defer done()
		_, err = r.look(ctx, a, time.Time{}, false, l)
	}
	if errors.Is(err, ledger.ErrLeased) || errors.Is(err, ledger.ErrNoSession) { // another process is at it, or ours only begins
		return nil
	}
	return err
}

// isOver reports whether a time is so long ago that d has passed since, or lies ahead: the clock
// was set back, and nothing is to wait for as long.
func isOver(at time.Time, d time.Duration, now time.Time) bool {
	age := now.Sub(at)
	return age >= d || age < -time.Minute // less is how far machines' clocks are apart
}

// looked says of all shops of an account when their records were last looked at.
func (r *Reconciler) looked(a Account, at time.Time) {
	if r.config.Every == 0 { // how long ago it was says nothing
		return
	}
	for _, name := range a.names() {
		r.config.Looked(name, at)
	}
}

// ErrBusy: the records of the account are being compared already.
var ErrBusy = errors.New("the records of the account are being compared already: try again in a moment")

// ErrNoAccount: the records of an account are not compared.
var ErrNoAccount = errors.New("the account is not configured, or has no ccpayment_webhook, or its gateway lists no records")

// Look looks at the records of an account now. Since is how far it goes back; zero: as far
// as it does by itself. With dryRun nobody is told, and nothing is stored: what would have
// been told is Missing in the answer.
func (r *Reconciler) Look(ctx context.Context, account string, since time.Time, dryRun bool, l *ledger.Ledger) (ledger.Look, error) {
	a, err := r.account(account)
	if err != nil {
		return ledger.Look{}, err
	}
	ctx, done, err := r.asked(ctx, a, l)
	if err != nil {
		return ledger.Look{}, err
	}
	defer done()
	return r.look(ctx, a, since, dryRun, l)
}

// State returns what the last look at the records of an account found.
func (r *Reconciler) State(ctx context.Context, account string, l *ledger.Ledger) (ledger.Look, error) {
	a, err := r.account(account)
	if err != nil {
		return ledger.Look{}, err
	}
	return l.Look(ctx, a.Info.AccountID)
}

// Accounts returns the names of the accounts whose records are compared.
func (r *Reconciler) Accounts() (names []string) {
	for _, a := range r.accounts {
		names = append(names, a.names()...)
	}
	slices.Sort(names)
	return names
}

// ID returns the gateway's id of an account; accounts with the same one have the same look.
// Empty: its records are not compared.
func (r *Reconciler) ID(name string) string {
	a, err := r.account(name)
	if err != nil {
		return ""
	}
	return a.Info.AccountID
}

func (r *Reconciler) account(name string) (Account, error) {
	i := slices.IndexFunc(r.accounts, func(a Account) bool { return slices.Contains(a.names(), name) })
	if i < 0 {
		return Account{}, fmt.Errorf("%w: %s", ErrNoAccount, gateway.Label(name))
	}
	return r.accounts[i], nil
}

// asked takes the account's turn for who asks for something, and waits for it for as long as
// patience has it. The context ends with Run's, too.
func (r *Reconciler) asked(ctx context.Context, a Account, l *ledger.Ledger) (within context.Context, done func(), err error) {
	stop, life := func() bool { return true }, r.life.Load()
	if life != nil && (*life).Err() != nil {
		return ctx, nil, errEnded
	}
	within, end := context.WithCancelCause(ctx)
	if life != nil {
		stop = context.AfterFunc(*life, func() { end(errEnded) })
	}
	busy := time.AfterFunc(r.patience, func() { end(ErrBusy) })
	within, release, err := r.begin(within, a, l)
	quit := func() { stop(); end(nil) }
	switch {
	case err == nil && !busy.Stop():
		release()
		err = ErrBusy
	case err == nil:
		return within, func() { release(); quit() }, nil
	case errors.Is(err, ledger.ErrLeased) || errors.Is(context.Cause(within), ErrBusy):
		err = ErrBusy
	}
	busy.Stop()
	quit()
	return ctx, nil, err
}

// begin takes the account's turn, here and among the processes that share the ledger. It ends
// with done, and the context with it.
func (r *Reconciler) begin(ctx context.Context, a Account, l *ledger.Ledger) (within context.Context, done func(), err error) {
	turn := r.turns[a.Name]
	select {
	case turn.taken <- struct{}{}:
	case <-ctx.Done():
		return ctx, nil, context.Cause(ctx)
	}
	within, unlock, err := l.Lock(ctx, ledger.Record{AppID: a.Info.AccountID, Type: "#reconcile"}, longestLook, lockTurn)
	if err != nil {
		<-turn.taken
		return ctx, nil, err
	}
	within, cancel := context.WithTimeout(within, longestLook)
	return within, func() { cancel(); unlock(); <-turn.taken }, nil
}

// look looks at the records of an account within its turn.
func (r *Reconciler) look(ctx context.Context, a Account, since time.Time, dryRun bool, l *ledger.Ledger) (state ledger.Look, err error) {
	if state, err = l.Look(ctx, a.Info.AccountID); err != nil {
		return state, err
	}
	turn := r.turns[a.Name]
	look := &look{Config: r.config, account: a, here: r.here, lister: a.Gateway.(gateway.Lister), ledger: l, state: state, dryRun: dryRun, pace: turn.pace, tells: turn.tells}
	err = look.run(ctx, since)
	if err == nil && !dryRun {
		r.looked(a, look.state.LookedAt)
	}
	return look.state, err
}
