package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// A world is several processes over one store in virtual time, with faults: processes
// that are killed, stopped or cut off, a database that crashes, steps that fail, and steps
// that happen though nobody hears of it. A seed decides all of it, so that one which
// breaks an invariant is the bug report: WORLD=<seed> shows its history.
const (
	worldLease   = 70 * time.Second
	sharedLease  = time.Hour        // longer than the world: it has to end with its session, or be given back
	worldHeals   = 5 * time.Minute  // no faults from then on
	worldEnds    = 20 * time.Minute // all is to be delivered by then
	worldRecords = 16
)

var worldPlan = ledger.Plan{First: 5 * time.Second, Max: time.Minute, GiveUp: 72 * time.Hour}

// world is everything that one seed decides. No draw depends on which goroutine runs
// first: each is a hash of what it is for.
type world struct {
	seed      uint64
	begun     time.Time
	lease     time.Duration
	database  *database
	waits     bool // the sender waits for the app; else events are delivered in the background
	direct    bool
	processes []*process
	shows     bool

	mu     sync.Mutex
	drawn  map[string]int
	calls  []*appCall
	acked  map[ledger.Key]bool
	broken []string
	trace  uint64
}

// process is a Caddy of the world, through all its lives.
type process struct {
	*world
	name  string
	skew  time.Duration
	stops []span
	cuts  []span
	kills []time.Duration

	mu     sync.Mutex
	life   int
	isDead bool
	ledger *ledger.Ledger
	stop   context.CancelFunc
	heard  func(ledger.Hint)
}

type span struct{ from, until time.Duration }

// appCall is one call of the app.
type appCall struct {
	process    string
	key        ledger.Key
	number     int
	seq        uint64
	fulfil     bool
	start, end time.Duration
	yes        bool
	spared     bool          // it is not to count
	excused    bool          // its process was disturbed, or could not write the outcome
	frozen     bool          // its process was stopped or killed, so that it could not be cut off
	known      time.Duration // when the outcome was durable; 0: never
}

func (w *world) draw(n uint64, about ...any) uint64 {
	h := fnv.New64a()
	fmt.Fprint(h, w.seed, about)
	x := h.Sum64()
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
	return (x ^ x>>33) % n
}

func (w *world) drawTime(most time.Duration, about ...any) time.Duration {
	return time.Duration(w.draw(uint64(most), about...))
}

// nth counts how often something was asked for.
func (w *world) nth(what string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.drawn[what]++
	return w.drawn[what]
}

func (w *world) since() time.Duration { return time.Since(w.begun) }

// log adds a line to the history. Lines of one instant may come in any order, so the
// digest of a history is a sum.
func (w *world) log(format string, args ...any) {
	line := fmt.Sprintf("%12s ", w.since()) + fmt.Sprintf(format, args...)
	h := fnv.New64a()
	h.Write([]byte(line))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trace += h.Sum64()
	if w.shows {
		fmt.Fprintln(os.Stderr, line)
	}
}

func (w *world) violated(format string, args ...any) {
	w.broken = append(w.broken, fmt.Sprintf(format, args...))
}

func within(spans []span, at time.Duration) (until time.Duration, is bool) {
	for _, s := range spans {
		if at >= s.from && at < s.until {
			return s.until, true
		}
	}
	return 0, false
}

func (p *process) wasDisturbed(from, until time.Duration) bool {
	touches := func(s span) bool { return s.from <= until && from <= s.until }
	killed := func(at time.Duration) bool { return at >= from && at <= until }
	return slices.ContainsFunc(p.stops, touches) || slices.ContainsFunc(p.cuts, touches) || slices.ContainsFunc(p.kills, killed)
}

// wasFrozen reports whether the process could not end what it did when it had to.
func (p *process) wasFrozen(from, until time.Duration) bool {
	touches := func(s span) bool { return s.from <= until && from <= s.until }
	killed := func(at time.Duration) bool { return at >= from && at <= until }
	return slices.ContainsFunc(p.stops, touches) || slices.ContainsFunc(p.kills, killed)
}

// pause sleeps, and for longer where the process is stopped meanwhile.
func (p *process) pause(d time.Duration, about ...any) {
	for range 2 {
		if until, is := within(p.stops, p.since()); is {
			time.Sleep(until - p.since() + p.drawTime(time.Millisecond, "resumed", p.name, about))
		}
		time.Sleep(d)
		d = 0
	}
}

var (
	errDead  = errors.New("this process is dead")
	errStore = errors.New("the store did not answer")
)

// way is one life's way to the database: every step is a round trip that may fail.
type way struct {
	ledger.Cluster
	*process
	life int
}

func (s *way) isGone() bool {
	s.process.mu.Lock()
	defer s.process.mu.Unlock()
	return s.process.life != s.life || s.isDead
}

func (s *way) step(op, what string, do func() error) error {
	n := s.nth(s.name + op + what)
	delay := func(way string) {
		s.pause(50*time.Microsecond+s.drawTime(3*time.Millisecond, way, s.name, op, what, n), op, what, n, way)
	}
	delay("there")
	if s.isGone() {
		return errDead
	}
	if _, is := within(s.cuts, s.since()); is {
		s.pause(5*time.Second+s.drawTime(time.Second, "timeout", s.name, op, what, n), "timeout", op, what, n)
		return errStore
	}
	fault := uint64(0)
	if s.since() < worldHeals {
		fault = s.draw(100, "fault", s.name, op, what, n)
	}
	if fault >= 97 {
		return errStore // nothing has happened
	}
	err := do()
	if op != "Keep" && op != "Take" {
		s.log("%s %s %s: %v", s.name, op, what, err)
	}
	delay("back")
	_, isCut := within(s.cuts, s.since())
	switch {
	case s.isGone():
		return errDead
	case isCut || fault >= 94:
		return ledger.ErrUnknown // it has happened, and nobody knows
	}
	return err
}

func nameOf(k ledger.Key) string { return k.ID + "." + k.Status }

func (s *way) Keep(ctx context.Context, about ledger.Session, held []uint64) (news ledger.News, err error) {
	if n := s.nth(fmt.Sprint("Keep", s.name, s.life)); n == 1 && s.draw(3, "slow start", s.name, s.life) == 0 {
		s.pause(s.drawTime(20*time.Second, "start", s.name, s.life), "start", s.life)
	}
	err = s.step("Keep", "", func() (err error) { news, err = s.Cluster.Keep(ctx, about, held); return err })
	return news, err
}

func (s *way) Take(ctx context.Context, route string, ttl time.Duration, limit int) (all []ledger.Taken, err error) {
	err = s.step("Take", route, func() (err error) { all, err = s.Cluster.Take(ctx, route, ttl, limit); return err })
	if err != nil {
		return nil, err
	}
	for _, taken := range all {
		s.log("%s takes %s", s.name, nameOf(taken.Event.Key))
	}
	return all, nil
}

func (s *way) Claim(ctx context.Context, r ledger.Record, ttl time.Duration) (claim ledger.Claim, err error) {
	err = s.step("Claim", r.ID, func() (err error) { claim, err = s.Cluster.Claim(ctx, r, ttl); return err })
	return claim, err
}

func (s *way) Commit(ctx context.Context, claim ledger.Claim, changes []ledger.Change) error {
	var what strings.Builder
	for _, c := range changes {
		fmt.Fprintf(&what, "%s to %s ", nameOf(c.Event.Key), c.Transitions[len(c.Transitions)-1].State)
	}
	return s.step("Commit", what.String(), func() error { return s.Cluster.Commit(ctx, claim, changes) })
}

func (s *way) Accept(ctx context.Context, key ledger.Key, decide func(*ledger.Event) *ledger.Change) error {
	return s.step("Accept", nameOf(key), func() error { return s.Cluster.Accept(ctx, key, decide) })
}

func (s *way) Bind(ctx context.Context, claim ledger.Claim, change ledger.Change, flags []ledger.Flag) (bound []bool, err error) {
	err = s.step("Bind", nameOf(change.Event.Key), func() (err error) {
		bound, err = s.Cluster.Bind(ctx, claim, change, flags)
		return err
	})
	return bound, err
}

func (s *way) Unlock(ctx context.Context, claim ledger.Claim) error {
	return s.step("Unlock", claim.Record.ID, func() error { return s.Cluster.Unlock(ctx, claim) })
}

func (s *way) Load(ctx context.Context, key ledger.Key) (e ledger.Event, err error) {
	err = s.step("Load", nameOf(key), func() (err error) { e, err = s.Cluster.Load(ctx, key); return err })
	return e, err
}

func (s *way) Due(ctx context.Context, route string, from time.Time, limit int) (due []ledger.Due, err error) {
	err = s.step("Due", route, func() (err error) { due, err = s.Cluster.Due(ctx, route, from, limit); return err })
	return due, err
}

// Wake reaches each of the others after a while, or not.
func (s *way) Wake(h ledger.Hint) {
	n := s.nth(s.name + "Wake")
	for _, other := range s.processes {
		if other == s.process || s.draw(5, "wake", s.name, other.name, n) == 0 {
			continue
		}
		go func() {
			time.Sleep(s.drawTime(100*time.Millisecond, "wakes", s.name, other.name, n))
			other.mu.Lock()
			heard := other.heard
			other.mu.Unlock()
			if heard != nil {
				heard(h)
			}
		}()
	}
}

func (p *process) start(isShared bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stop != nil && !p.isDead {
		return
	}
	p.life++
	p.isDead = false
	life := p.life
	var store ledger.Store = &way{p.database.connect(p.name), p, life}
	if !isShared {
		store = alone{store}
	}
	p.ledger = ledger.New(store, func() time.Time { return time.Now().Add(p.skew) })
	p.ledger.SetProcess(fmt.Sprint(p.name, life))
	var ctx context.Context
	ctx, p.stop = context.WithCancel(context.Background())
	go p.ledger.Share(ctx, func() ledger.Session { return ledger.Session{Routes: []ledger.SessionRoute{{Name: "webhook"}}} }, func(error) {})
	p.log("%s starts", p.name)
	if p.waits {
		return
	}
	go p.ledger.Dispatch(ctx, ledger.Dispatcher{
		Route: "webhook", Plan: worldPlan, Lease: p.lease, Workers: 4, Direct: p.direct, Rank: rank,
		Work:   func(a *ledger.Attempt) (ledger.Contact, error) { contact, _, err := p.deliver(a); return contact, err },
		Failed: func(error) {}, Damaged: func(string, error) {},
	})
}

func (s *way) OnWake(f func(ledger.Hint)) { s.heard = f }

func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.isDead {
		p.isDead = true
		p.stop()
		p.log("%s is killed", p.name)
	}
}

// deliver makes one attempt at the app.
func (p *process) deliver(a *ledger.Attempt) (ledger.Contact, ledger.State, error) {
	key := a.Event.Key
	var sending ledger.Sending
	if key.Status == "success" && !p.direct {
		flag := ledger.FulfillOf(key.AppID, orderOf(key))
		sending.Flag = &flag
	}
	carries, err := a.Sent(bg, sending)
	if err != nil {
		return ledger.Untried, ledger.None, err
	}
	n := p.nth("call" + nameOf(key))
	c := &appCall{process: p.name, key: key, number: a.Number, seq: a.Seq, fulfil: carries, start: p.since()}
	p.log("%s calls the app: %s attempt %d, %s, seq %d, fulfil %v", p.name, nameOf(key), a.Number, a.Reason, a.Seq, carries)
	p.world.mu.Lock()
	p.calls = append(p.calls, c)
	p.world.mu.Unlock()

	takes := time.Millisecond + p.drawTime(200*time.Millisecond, "takes", nameOf(key), n)
	if p.draw(10, "slow", nameOf(key), n) == 0 {
		takes = p.drawTime(25*time.Second, "slowly", nameOf(key), n)
	}
	ctx, cancel := a.Within(bg)
	defer cancel()
	wasCut := false
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		wasCut = true
	}
	end := p.since()
	yes := end > worldHeals || p.draw(10, "yes", nameOf(key), n) < 6
	p.pause(0, "answer", nameOf(key), n)
	var state ledger.State
	spared := !yes && !wasCut && p.draw(2, "at work", nameOf(key), n) == 0
	if yes && !wasCut {
		state, err = a.Finish(bg, ledger.Ending{State: ledger.Delivered})
	} else {
		state, err = a.Finish(bg, ledger.Ending{State: ledger.Retrying, Failure: errRefused, Again: ledger.Again{Spared: spared}})
	}
	if yes && err != nil && p.since() < worldHeals && p.draw(3, "in doubt", nameOf(key), n) == 0 {
		go func() { // an operator who sees that, and does not wait
			time.Sleep(p.drawTime(5*time.Second, "in doubt", nameOf(key), n))
			p.replay(key, 100+n)
		}()
	}
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	c.end, c.yes, c.spared = end, yes, spared
	c.frozen = p.wasFrozen(c.start, p.since())
	c.excused = err != nil || wasCut || p.wasDisturbed(c.start, p.since())
	if err == nil {
		c.known = p.since()
	}
	return ledger.Reached, state, err
}

// orderOf: two records pay one order.
func orderOf(key ledger.Key) string { return "order" + key.ID[:1] }

// send delivers a webhook to any process until one acknowledges it, as CCPayment does.
func (w *world) send(key ledger.Key, which int) {
	for try := 0; w.since() < worldEnds; try++ {
		p := w.processes[w.draw(uint64(len(w.processes)), "to", nameOf(key), which, try)]
		if err := p.receive(key); err == nil {
			w.mu.Lock()
			w.acked[key] = true
			w.mu.Unlock()
			return
		}
		time.Sleep(2*time.Second + w.drawTime(30*time.Second, "again", nameOf(key), which, try))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.violated("TAKEN: nobody acknowledges %s", nameOf(key))
}

// replay asks a process to hand an event over once more, as an operator does.
func (w *world) replay(key ledger.Key, which int) {
	p := w.processes[w.draw(uint64(len(w.processes)), "operator", nameOf(key), which)]
	p.mu.Lock()
	l, isDead := p.ledger, p.isDead
	p.mu.Unlock()
	if isDead {
		return
	}
	ctx, cancel := context.WithTimeout(bg, 10*time.Second)
	defer cancel()
	err := l.Replay(ctx, key, "once more")
	p.log("%s replays %s: %v", p.name, nameOf(key), err)
	if w.waits {
		w.send(key, 2+which) // the gateway is asked to send it again
	}
}

func (p *process) receive(key ledger.Key) (err error) {
	p.mu.Lock()
	l, isDead, life := p.ledger, p.isDead, p.life
	p.mu.Unlock()
	if isDead {
		return errDead
	}
	e := ledger.Event{
		Key: key, Status: key.Status, ReceivedAt: time.Now().Add(p.skew), Body: []byte("{}"),
		OrderID: orderOf(key), GatewayOrderID: orderOf(key),
	}
	if p.waits {
		var attempt *ledger.Attempt
		var verdict ledger.Verdict
		verdict, attempt, err = l.Begin(bg, e, ledger.Options{Lease: p.lease, Wait: 10 * time.Second, Rank: rank})
		if err == nil && verdict == ledger.Deliver {
			var state ledger.State
			if _, state, err = p.deliver(attempt); err == nil && state != ledger.Delivered {
				err = errRefused
			}
		}
	} else {
		_, err = l.Accept(bg, e, "")
	}
	if (&way{process: p, life: life}).isGone() {
		err = errDead // its answer does not get out
	}
	p.log("%s answers %s: %v", p.name, nameOf(key), err)
	return err
}

// run lets the world happen.
func (w *world) run() {
	isShared := len(w.processes) > 1
	for k := range 2 {
		if isShared {
			go func() {
				time.Sleep(w.drawTime(worldHeals, "crash", k))
				w.database.crash()
				w.log("the database crashes")
			}()
		}
	}
	for i, p := range w.processes {
		for k := range 3 {
			from := w.drawTime(worldHeals, "fault", i, k)
			until := from + w.drawTime(2*time.Minute, "for", i, k)
			switch w.draw(3, "kind", i, k) {
			case 0:
				p.stops = append(p.stops, span{from, until})
			case 1:
				p.cuts = append(p.cuts, span{from, until})
			default:
				p.kills = append(p.kills, from)
				go func() {
					time.Sleep(from)
					p.kill()
					time.Sleep(w.drawTime(20*time.Second, "down", i, k) + 1)
					p.start(isShared)
				}()
			}
		}
		p.start(isShared)
	}
	var sent sync.WaitGroup
	for r := range worldRecords {
		at := w.drawTime(worldHeals, "record", r)
		for s, status := range []string{"processing", "success"} {
			key := ledger.Key{
				Record: ledger.Record{Route: "webhook", AppID: "app-123", Type: "ApiDeposit", ID: fmt.Sprintf("%x%d", r/2, r%2)},
				Status: status, Risk: ledger.NotRisky,
			}
			gap := w.drawTime(20*time.Second, "gap", r, s)
			if w.draw(3, "close", r) == 0 {
				gap = w.drawTime(2*time.Millisecond, "gap", r, s)
			}
			for which := range 2 {
				sent.Go(func() {
					time.Sleep(at + gap + time.Duration(which)*w.drawTime(3*time.Second, "copy", r, s))
					w.send(key, which)
				})
			}
			for which := range 2 {
				if w.draw(4, "replay", r, s, which) > 0 {
					continue
				}
				sent.Go(func() {
					time.Sleep(at + gap + w.drawTime(40*time.Second, "replay", r, s, which))
					w.replay(key, which)
				})
			}
		}
	}
	sent.Wait()
	time.Sleep(worldEnds - w.since())
	for _, p := range w.processes {
		p.kill()
	}
	time.Sleep(2 * worldLease) // until nothing is in flight
}

// check judges over the world.
func (w *world) check() {
	slices.SortStableFunc(w.calls, func(a, b *appCall) int { return int(a.start - b.start) })
	for key := range w.acked {
		e, isKept := w.database.events[key]
		hasApplied := slices.ContainsFunc(w.calls, func(c *appCall) bool { return c.key == key && c.yes })
		switch {
		case !isKept:
			w.violated("KEPT: %s was acknowledged and is not in the ledger", nameOf(key))
		case e.State != ledger.Delivered && e.State != ledger.Superseded:
			w.violated("ARRIVES: %s was acknowledged and is %s", nameOf(key), e.State)
		case e.State == ledger.Delivered && !hasApplied:
			w.violated("ARRIVES: %s is delivered, and the app has not said yes", nameOf(key))
		}
	}
	for _, r := range w.database.replays {
		at := r.at.Sub(w.begun)
		isAnswer := func(c *appCall) bool { return c.key == r.key && c.yes && c.start >= at }
		if state := w.database.events[r.key].State; state != ledger.Superseded && !slices.ContainsFunc(w.calls, isAnswer) {
			w.violated("REPLAYED: %s was replayed at %s, is %s, and the app has not said yes since", nameOf(r.key), at, state)
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
			w.violated("LAST: %s was acknowledged, and to the app %s with %d is the latest", nameOf(key), nameOf(last.key), last.seq)
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
				w.violated("ONE AT A TIME: %s by %s at %s while %s from %s to %s by %s", nameOf(c.key), c.process, c.start, nameOf(b.key), b.start, b.end, b.process)
			}
			if b.key == c.key && b.yes && !b.excused && !w.isReplayed(c.key, b.start, c.start) {
				w.violated("ONCE: %s by %s at %s after the yes to %s at %s", nameOf(c.key), c.process, c.start, b.process, b.end)
			}
			if b.key == c.key && c.number <= b.number && !b.spared && (!w.waits || !b.excused) {
				w.violated("COUNTED: %s attempt %d (%s, %s) after %d (%s, %s)", nameOf(c.key), c.number, c.process, c.start, b.number, b.process, b.start)
			}
			if b.key != c.key && c.seq <= b.seq && rank(c.key.Status) > rank(b.key.Status) && !b.excused {
				w.violated("SEQ: %s has %d after %s with %d", nameOf(c.key), c.seq, nameOf(b.key), b.seq)
			}
			if rank(b.key.Status) > rank(c.key.Status) && b.yes && b.known > 0 && b.known < c.start {
				w.violated("IN ORDER: %s at %s after %s was delivered at %s", nameOf(c.key), c.start, nameOf(b.key), b.known)
			}
		}
	}
}

// isReplayed reports whether an operator has replayed the event meanwhile.
func (w *world) isReplayed(key ledger.Key, from, until time.Duration) bool {
	return slices.ContainsFunc(w.database.replays, func(r replay) bool {
		at := r.at.Sub(w.begun)
		return r.key == key && at >= from && at <= until
	})
}

type worldOptions struct {
	processes int
	skewed    bool
	mistake   mistake
}

func live(t *testing.T, seed int, o worldOptions) *world {
	var w *world
	synctest.Test(t, func(*testing.T) {
		w = &world{
			seed: uint64(seed), begun: time.Now(), database: newDatabase(), waits: seed%3 == 0, direct: seed%3 == 1,
			lease: worldLease, drawn: make(map[string]int), acked: make(map[ledger.Key]bool), shows: os.Getenv("WORLD") != "",
		}
		w.database.mistake = o.mistake
		if o.processes > 1 {
			w.lease = sharedLease
		}
		for i := range o.processes {
			p := &process{world: w, name: string(rune('A' + i))}
			if o.skewed {
				most := []time.Duration{2 * time.Second, 2 * time.Hour}[w.draw(2, "much", i)]
				p.skew = w.drawTime(2*most, "skew", i) - most
			}
			w.processes = append(w.processes, p)
		}
		w.run()
		w.check()
	})
	return w
}

// worldSeeds are the seeds to try: WORLD=<seed> is one, WORLDS=<n> are as many.
func worldSeeds(t *testing.T, usual int) (first, n int) {
	t.Helper()
	number := func(name string) int {
		n, err := strconv.Atoi(os.Getenv(name))
		if err != nil || n < 1 {
			t.Fatalf("%s=%s is no number of a world", name, os.Getenv(name))
		}
		return n
	}
	switch {
	case os.Getenv("WORLD") != "":
		return number("WORLD"), 1
	case os.Getenv("WORLDS") != "":
		return 1, number("WORLDS")
	}
	return 1, usual
}

// TestWorlds: whatever happens to processes that share a ledger, what they acknowledged
// arrives, once, in order and counted, and each order is fulfilled once.
func TestWorlds(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // the same seed is the same world
	for name, o := range map[string]worldOptions{
		"one":    {processes: 1},
		"three":  {processes: 3},
		"skewed": {processes: 3, skewed: true},
	} {
		t.Run(name, func(t *testing.T) {
			first, n := worldSeeds(t, 20)
			calls, broken := 0, 0
			for seed := first; seed < first+n; seed++ {
				w := live(t, seed, o)
				if calls += len(w.calls); len(w.broken) == 0 {
					continue
				}
				if broken++; broken <= 5 {
					t.Errorf("WORLD=%d: %s", seed, strings.Join(w.broken, "\n"))
				}
			}
			t.Logf("%d of %d worlds broken; the app was called %d times", broken, n, calls)
		})
	}
}

// TestWorldsAreEqual: a seed decides all that happens. On a busy machine the scheduler may
// still take a goroutine off in the middle of an instant, so a world has a few tries.
func TestWorldsAreEqual(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for seed := 1; seed <= 6; seed++ {
		o := worldOptions{processes: 3, skewed: seed%2 == 0}
		seen := make(map[uint64]bool)
		isEqual := false
		for try := 0; try < 5 && !isEqual; try++ {
			trace := live(t, seed, o).trace
			isEqual = seen[trace]
			seen[trace] = true
		}
		if !isEqual {
			t.Errorf("the world of seed %d is another each time", seed)
		}
	}
}

// TestWorldsFindMistakes: a store that does not do what it promises breaks a world.
func TestWorldsFindMistakes(t *testing.T) {
	for _, m := range []mistake{noLeases, noFences, endless, flagsTwice, forgetful, blind, hasty} {
		t.Run(string(m), func(t *testing.T) {
			for seed := 1; seed <= 1000; seed++ {
				if w := live(t, seed, worldOptions{processes: 3, mistake: m}); len(w.broken) > 0 {
					t.Logf("found by seed %d: %s", seed, w.broken[0])
					return
				}
			}
			t.Error("no world finds it")
		})
	}
}
