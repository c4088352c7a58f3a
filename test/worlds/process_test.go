package worlds

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/checkout"
	"github.com/seed-338f6760/caddy-ccpayment/internal/confirm"
	"github.com/seed-338f6760/caddy-ccpayment/internal/hookpath"
	"github.com/seed-338f6760/caddy-ccpayment/internal/operator"
	"github.com/seed-338f6760/caddy-ccpayment/internal/reconcile"
	"github.com/seed-338f6760/caddy-ccpayment/internal/relay"
	"github.com/seed-338f6760/caddy-ccpayment/internal/reload"
	"github.com/seed-338f6760/caddy-ccpayment/internal/simstore"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/settle"
	"github.com/seed-338f6760/caddy-ccpayment/store/bolt"
)

var (
	errDead = errors.New("this process is dead")
	errLost = errors.New("there was no answer")
)

const (
	routeName  = "hook"
	appTimeout = 30 * time.Second
	budget     = 20 * time.Second
)

// process is a Caddy of the world, through all its lives.
type process struct {
	*world
	name         string
	index        int
	skew         time.Duration
	stops, cuts  simstore.Spans
	kills, exits []time.Duration

	mu   sync.Mutex
	life *life // nil: it is down
}

// life is one run of a process.
type life struct {
	*process
	run    int // its number among all runs
	isDead atomic.Bool
	pool   pool
	way    simstore.Way

	mu      sync.Mutex
	config  *config
	changes int                      // how often its configuration has changed
	claims  map[string]time.Duration // when records were claimed, by type and id
}

// config is a configuration that runs.
type config struct {
	handle     *reload.Handle
	account    *gateway.Account
	route      *relay.Route
	registry   *checkout.Registry
	sessions   *checkout.Sessions
	reconciler *reconcile.Reconciler
	// turns are taken by calls of its checkout: one that waits for another by a mutex would
	// have virtual time wait, too.
	turns chan struct{}
}

func newProcess(w *world, i int) *process {
	p := &process{world: w, index: i, name: string(rune('A' + i))}
	if !w.alone && w.has("skew"+p.name) {
		// With the database's it is less than the hour from which no look is made. More is for
		// the ledger's own worlds.
		most := []time.Duration{2 * time.Second, 15 * time.Minute}[w.Draw(2, "much", i)]
		p.skew = w.DrawTime(2*most, "skew", i) - most
	}
	return p
}

// now is the time by the process's own clock.
func (p *process) now() time.Time { return time.Now().Add(p.skew) }

// suffer plans the process's faults.
func (p *process) suffer() {
	for k := range faultsOf {
		if !p.has(fmt.Sprint(p.name, k)) {
			continue
		}
		last := p.healsAt() - quiet
		from := quiet + p.DrawTime(last, "fault", p.name, k)
		until := min(from+p.DrawTime(2*time.Minute, "for", p.name, k), p.healsAt())
		switch p.Draw(5, "kind", p.name, k) {
		case 0:
			p.stops = append(p.stops, simstore.Span{From: from, Until: until})
		case 1:
			p.cuts = append(p.cuts, simstore.Span{From: from, Until: until})
		case 2:
			p.kills = append(p.kills, from)
			p.later(from, p.kill, k)
		case 3:
			p.exits = append(p.exits, from)
			p.later(from, p.leave, k)
		default:
			go func() {
				p.at(from)
				p.reload()
			}()
		}
	}
}

// later ends the process at a time, and starts it again a while later.
func (p *process) later(at time.Duration, end func(), k int) {
	go func() {
		p.at(at)
		end()
		time.Sleep(p.DrawTime(20*time.Second, "down", p.name, k) + 1)
		p.start()
	}()
}

// current is the process's life; nil: it is down.
func (p *process) current() *life {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.life
}

func (p *process) start() {
	var file *bolt.Store
	if p.file != "" { // before the lock: a bubble's time stands still for who waits for one
		if file = p.openFile(); file == nil {
			return
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.life != nil || p.since() >= ends {
		if file != nil {
			_ = file.Close() // nothing was written
		}
		return
	}
	l := &life{process: p}
	p.world.mu.Lock()
	p.runs = append(p.runs, p)
	l.run = len(p.runs)
	p.world.mu.Unlock()
	l.way = simstore.Way{Cluster: p.connect(l, file), Step: l.step}
	p.life = l
	p.log("%s starts, run %d", p.name, l.run)
	l.begin(l.configure())
}

// connect opens a life's way to the store.
func (p *process) connect(l *life, file *bolt.Store) ledger.Cluster {
	if file != nil {
		return lone{file}
	}
	connection := p.database.Connect(fmt.Sprint(p.name, l.run, "-"))
	if connection.Clock = p.now; p.alone {
		connection.BeAlone()
	}
	return connection
}

// end takes the process's life away; nil: it has none.
func (p *process) end() *life {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.life
	p.life = nil
	return l
}

// kill ends the process at once: nothing that it does has an effect any more.
func (p *process) kill() {
	if l := p.end(); l != nil {
		p.log("%s is killed", p.name)
		p.saw("kill")
		l.isDead.Store(true)
		_ = l.current().handle.Close() // so that its goroutines end
		if p.file != "" {
			_ = l.way.Cluster.Close()
		}
	}
}

// leave ends the process in order, once it is not stopped: what is in flight ends before, as
// Caddy waits for its requests.
func (p *process) leave() {
	p.pause(0, "leave")
	if l := p.end(); l != nil {
		p.log("%s ends", p.name)
		p.saw("end")
		c := l.current()
		c.handle.Stop()
		_ = c.handle.Close()
		for wait := 0; l.pool.isUsed(); wait++ {
			if time.Sleep(time.Second); wait > 600 {
				p.violatedLater("ENDS", "%s still uses its ledger ten minutes after its end", p.name)
				return
			}
		}
	}
}

// reload has the next configuration take over.
func (p *process) reload() {
	l := p.current()
	if l == nil {
		return
	}
	p.log("%s reloads", p.name)
	p.saw("reload")
	before := l.current()
	next := l.configure()
	l.begin(next)
	before.handle.Stop()
	_ = before.handle.Close()
}

func (l *life) current() *config {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.config
}

// begin starts a configuration.
func (l *life) begin(c *config) {
	routes := []reload.Route{{Name: routeName, Confirms: !l.trusts()}, {Run: c.ending(l)}, {Run: c.reconciler.Run}}
	if c.route.App != nil {
		routes[0].Run = c.route.Run
	}
	_, err := c.handle.Start(routes, c.route.Options())
	if err != nil {
		panic(err)
	}
	c.handle.Ready()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.config = c
}

func (c *config) ending(l *life) func(context.Context, *ledger.Ledger) {
	c.registry = checkout.NewRegistry(l.checkouts(c))
	sessions, err := c.registry.Of(c.account)
	if err != nil {
		panic(err)
	}
	c.sessions = sessions
	return c.registry.Ending([]*gateway.Account{c.account})
}

func (l *life) checkouts(c *config) checkout.Config {
	return checkout.Config{
		Account: c.account, Ledger: c.handle.Acquire, Replay: c.route.Replay, Now: l.now, Logger: l.logger(),
		Expiries: relay.Expiries{
			Routes: func() []*relay.Route { return []*relay.Route{c.route} }, Hook: func(string, string) string { return "/" + routeName },
		},
	}
}

func (l *life) logger() *zap.Logger { return zap.NewNop() }

// configure makes a configuration. The way of handing over is the same in all of a world.
func (l *life) configure() *config {
	l.changes++
	at := &branch{bank: l.gateway, life: l}
	c := &config{account: &gateway.Account{Gateway: at, Info: at.Info(), Budget: budget}, turns: make(chan struct{}, 1)}
	c.handle = reload.New(reload.Config{
		Driver: driver{l}, Pool: &l.pool, Now: l.now, Logger: l.logger(), Committed: func(time.Duration) {},
		Exiting: func() bool { return l.process.current() != l && !l.isDead.Load() },
	})
	c.route = &relay.Route{
		Name: routeName, Trust: l.trusts(), Account: c.account, AccountOf: func(ledger.Event) (*gateway.Account, bool) { return c.account, true },
		Confirm: &confirm.Confirmer{
			Policy: confirm.Policy{HoldRisky: !l.trusts(), NoFlags: l.trusts(), Policy: settle.Policy{HoldLate: l.holdsLate()}}, Now: l.now,
			Routes: func() map[string]bool { return map[string]bool{routeName: !l.trusts()} },
		},
		Retry:   ledger.Plan{First: 5 * time.Second, Max: time.Minute, GiveUp: 72 * time.Hour},
		Timeout: appTimeout + time.Duration(l.changes%2)*10*time.Second, Wait: 10 * time.Second, // which a reload may change
		Replay: func(ctx context.Context, e ledger.Event, cause string) error {
			return c.with(func(book *ledger.Ledger) error { return c.operator(book, l).ReplayOne(ctx, e.Key, cause) })
		},
		Report: func(o relay.Outcome) { l.log("%s: %s became %s: %v", l.name, nameOf(o.Event.Key), o.Became, o.Err) },
		Now:    l.now,
	}
	if !l.passesThrough() {
		c.route.App = caller{l}
		c.route.Types = []string{typePayment, typeDeposit, gateway.OrderExpired}
	}
	reconciler, err := reconcile.New(
		reconcile.Config{
			Every: time.Minute, Foreign: true, Grace: 2 * time.Minute,
			Missed: func(m reconcile.Missed) {
				l.log("%s missed %s", l.name, m.Record.ID)
				l.saw("found by reconciling")
			},
			Looked: func(string, time.Time) {}, Logger: l.logger(),
		},
		reconcile.AccountsOf([]*gateway.Account{c.account}, []*relay.Route{c.route}, hookpath.Site{}),
	)
	if err != nil {
		panic(err)
	}
	c.reconciler = reconciler
	return c
}

// with calls a function with the ledger.
func (c *config) with(do func(*ledger.Ledger) error) error {
	book, release, err := c.handle.Acquire()
	if err != nil {
		return err
	}
	defer release()
	return do(book)
}

// operator is the way of operators to a ledger.
func (c *config) operator(book *ledger.Ledger, l *life) *operator.Operator {
	return &operator.Operator{
		Ledger: book, Routes: []operator.Route{{Name: routeName, Delivers: c.route.App != nil}}, Checkouts: c.registry, Reconciler: c.reconciler,
		Account: func(string) (*gateway.Account, error) { return c.account, nil }, Now: l.now, Logger: l.logger(),
	}
}

// passesThrough: the sender waits for the app; else events are delivered in the background.
func (w *world) passesThrough() bool { return w.Seed%4 == 3 }

// trusts: nothing is confirmed, and no event has a flag.
func (w *world) trusts() bool { return w.Seed%6 == 5 }

// holdsLate: a payment that came late waits for an operator.
func (w *world) holdsLate() bool { return w.Seed%5 == 4 }

// driver opens a life's way to the store.
type driver struct{ *life }

func (driver) Key() string              { return "ledger" }
func (driver) Retention() time.Duration { return 72 * time.Hour }

func (d driver) Open(ledger.OpenOptions) (ledger.Store, error) {
	r := road{d.way, d.life}
	if d.alone {
		return simstore.Alone(r), nil
	}
	return r, nil
}

// pool shares a life's open ledger among its configurations.
type pool struct {
	mu     sync.Mutex
	shared *reload.Shared
	users  int
}

// Acquire implements [reload.Pool].
func (p *pool) Acquire(_ string, open func() (*reload.Shared, error)) (*reload.Shared, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shared == nil {
		shared, err := open()
		if err != nil {
			return nil, err
		}
		p.shared = shared
	}
	p.users++
	return p.shared, nil
}

// isUsed reports whether a configuration or a request still holds the ledger.
func (p *pool) isUsed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.users > 0
}

// Release implements [reload.Pool].
func (p *pool) Release(string) error {
	p.mu.Lock()
	shared := p.shared
	if p.users--; p.users == 0 {
		p.shared = nil
	}
	isLast := p.users == 0
	p.mu.Unlock()
	if !isLast {
		return nil
	}
	return shared.Destruct()
}
