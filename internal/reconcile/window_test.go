package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/simstore"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/store/bolt"
)

// payouts is a gateway that lists payouts, and counts in seconds.
type payouts struct {
	gateway.Gateway
	made    map[string]time.Time
	broken  bool   // what begins with "broken" cannot be read
	listed  string // the status that lists have; empty: the record's
	refuses error  // every list is refused
	// lags is by how much the time that lists go by is later than the record's; nil: not at all.
	lags func(id string) time.Duration
}

func (g *payouts) Grace() time.Duration { return 35 * time.Minute }

func (g *payouts) List(ctx context.Context, from, to time.Time, turn func(context.Context) error) iter.Seq2[gateway.Listed, error] {
	return func(yield func(gateway.Listed, error) bool) {
		if err := cmp.Or(turn(ctx), g.refuses); err != nil {
			yield(gateway.Listed{}, err)
			return
		}
		for id, at := range g.made {
			if g.lags != nil {
				at = at.Add(g.lags(id))
			}
			one, err := g.record(id)
			one.Notice.Status = cmp.Or(g.listed, one.Notice.Status)
			if isIn := at.Unix() >= from.Unix() && at.Unix() <= to.Unix(); isIn && !yield(one, err) {
				return
			}
		}
	}
}

func (g *payouts) FindRecord(_ context.Context, n gateway.Notice) (gateway.Listed, error) {
	if _, ok := g.made[n.RecordID]; !ok {
		return gateway.Listed{}, gateway.ErrNotFound
	}
	return g.record(n.RecordID)
}

func (g *payouts) record(id string) (gateway.Listed, error) {
	n := gateway.Notice{Type: "Payout", RecordID: id, Status: "Success", Risk: ledger.NotRisky}
	if g.broken && strings.HasPrefix(id, "broken") {
		return gateway.Listed{Notice: gateway.Notice{Type: n.Type, RecordID: id}, MadeAt: g.made[id]}, gateway.ErrUnreadable
	}
	return gateway.Listed{Notice: n, Body: []byte("{}"), MadeAt: g.made[id]}, nil
}

// unbound is a store of which flags cannot be read while it fails.
type unbound struct {
	ledger.Store
	failure error
}

func (s *unbound) Bound(ctx context.Context, flags []ledger.Flag) ([]bool, error) {
	if s.failure != nil {
		return nil, s.failure
	}
	return s.Store.Bound(ctx, flags)
}

// payroll is a reconciler of one account with payouts, and what it tells.
type payroll struct {
	*Reconciler
	t      *testing.T
	ledger *ledger.Ledger
	store  *unbound
	now    time.Time // by the clock of a ledger of its own
	told   map[string]int
	fails  map[string]error // by record: why it cannot be told
}

func newPayroll(t *testing.T, c Config, g gateway.Gateway) *payroll {
	t.Helper()
	store, err := bolt.Open(filepath.Join(t.TempDir(), "ledger.db"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := &payroll{store: &unbound{Store: store}, now: time.Date(2026, 3, 12, 8, 30, 0, 0, time.UTC)}
	p.begin(t, c, g, ledger.New(p.store, func() time.Time { return p.now }))
	t.Cleanup(func() { _ = p.ledger.Close() })
	p.look(time.Time{}) // which notes the account
	return p
}

// begin has the ledger be the one that is looked at.
func (p *payroll) begin(t *testing.T, c Config, g gateway.Gateway, l *ledger.Ledger) {
	t.Helper()
	p.t, p.ledger, p.told, p.fails = t, l, make(map[string]int), make(map[string]error)
	c.Foreign, c.Missed, c.Looked, c.Logger = true, func(Missed) {}, func(string, time.Time) {}, zap.NewNop()
	var err error
	if p.Reconciler, err = New(c, []Account{{Account: payoutAccount(g), Routes: []Route{{Name: "webhook", Tell: p.tell}}}}); err != nil {
		t.Fatal(err)
	}
	p.turns[""].pace.SetLimit(rate.Inf)
}

func payoutAccount(g gateway.Gateway) *gateway.Account {
	return &gateway.Account{Gateway: g, Info: gateway.Info{
		AccountID: "app-123", Title: "Payouts", Types: []gateway.Type{{Name: "Payout", Kind: gateway.Payout}},
		Statuses: []gateway.Status{{Name: "Processing", Rank: 1, Stage: gateway.Open}, {Name: "Success", Rank: 2, Stage: gateway.Success}},
	}}
}

func (p *payroll) tell(ctx context.Context, one gateway.Listed, to *ledger.Ledger) (ledger.Verdict, error) {
	n := one.Notice
	if err := p.fails[n.RecordID]; err != nil {
		return 0, err
	}
	p.told[n.RecordID]++
	record := ledger.Record{Route: "webhook", AppID: "app-123", Type: n.Type, ID: n.RecordID}
	return to.Accept(ctx, ledger.Event{Key: ledger.Key{Record: record, Status: strings.ToLower(n.Status), Risk: n.Risk}, NextReason: ledger.Backfill, ReceivedAt: to.Now()}, "")
}

// look looks now, and returns the error with what was found.
func (p *payroll) look(since time.Time) ledger.Look {
	p.t.Helper()
	look, err := p.Look(p.t.Context(), "", since, false, p.ledger)
	if err != nil && look.LastError == "" {
		p.t.Error(err)
	}
	return look
}

// wantTold checks that exactly these were told, once each.
func (p *payroll) wantTold(what string, records ...string) {
	p.t.Helper()
	want := make(map[string]int)
	for _, id := range records {
		want[id] = 1
	}
	if got := fmt.Sprint(p.told); got != fmt.Sprint(want) {
		p.t.Errorf("%s: %s were told, want %v", what, got, want)
	}
}

// TestNoTimeIsSkipped: whatever a look is to go back to, what was made since the last one is
// told.
func TestNoTimeIsSkipped(t *testing.T) {
	for what, test := range map[string]struct {
		config Config
		since  time.Duration
	}{
		"--since 1h": {Config{Grace: -1}, time.Hour},
		"back 1h":    {Config{Grace: -1, Back: time.Hour}, 0},
	} {
		t.Run(what, func(t *testing.T) {
			g := &payouts{made: make(map[string]time.Time)}
			p := newPayroll(t, test.config, g)
			g.made["in the outage"] = p.now.Add(10 * time.Hour)
			p.now = p.now.Add(48 * time.Hour)
			g.made["lately"] = p.now.Add(-50 * time.Minute)
			since := time.Time{}
			if test.since > 0 {
				since = p.now.Add(-test.since)
			}
			p.look(since)
			p.wantTold("a look", "in the outage", "lately")
			p.now = p.now.Add(time.Hour)
			p.look(time.Time{})
			p.wantTold("the next look", "in the outage", "lately")
		})
	}
}

// TestBetweenTwoLists: a record at the end of what is listed at once, with which the next list
// begins, is told and counted once, whichever of the two has it.
func TestBetweenTwoLists(t *testing.T) {
	g := &payouts{made: make(map[string]time.Time), lags: func(id string) time.Duration {
		switch {
		case strings.HasPrefix(id, "early"):
			return -30 * time.Second
		case strings.HasPrefix(id, "late"):
			return 30 * time.Second
		}
		return 0
	}}
	p := newPayroll(t, Config{Grace: -1}, g)
	end := p.now.Add(briefly)
	for id, after := range map[string]time.Duration{
		"before": -100 * time.Millisecond, "at": 0, "after": 100 * time.Millisecond,
		"early": 10 * time.Second, "early at": 30 * time.Second, "late": -10 * time.Second, "late at": -30 * time.Second,
	} {
		g.made[id] = end.Add(after)
	}
	p.now = p.now.Add(2 * briefly)
	if look := p.look(time.Time{}); look.Records != len(g.made) {
		t.Errorf("of %d records %d were compared", len(g.made), look.Records)
	}
	p.wantTold("the look", "before", "at", "after", "early", "early at", "late", "late at")
}

// TestShortBack: a look that would compare nothing is refused.
func TestShortBack(t *testing.T) {
	accounts := []Account{{Account: payoutAccount(&payouts{}), Routes: []Route{{Name: "webhook"}}}}
	for back, want := range map[time.Duration]string{
		35 * time.Minute: "reconcile: back is 35m0s, and records of the last 35m0s may still be told by Payouts: set back to more than that",
		36 * time.Minute: "<nil>",
	} {
		if _, err := New(Config{Grace: -1, Back: back, Logger: zap.NewNop()}, accounts); fmt.Sprint(err) != want {
			t.Errorf("with %s: %v, want %s", back, err, want)
		}
	}
}

// TestListedAsUnfinished: a record that each look finds in a list that is behind is asked for
// by its id in its turn, and not when it is listed no more.
func TestListedAsUnfinished(t *testing.T) {
	g := &payouts{made: make(map[string]time.Time), listed: "Processing"}
	p := newPayroll(t, Config{Grace: -1}, g)
	p.now = p.now.Add(4 * time.Hour)
	g.made["behind"] = p.now.Add(-36 * time.Minute)
	for range 3 { // a quarter of its age, at the most
		p.look(time.Time{})
		p.now = p.now.Add(5 * time.Minute)
	}
	p.wantTold("a quarter of an hour later", "behind")
}

// TestWaitsThroughFailures: a record that waits, and that is listed no more, goes on waiting
// while the ledger cannot be read.
func TestWaitsThroughFailures(t *testing.T) {
	g := &payouts{made: make(map[string]time.Time)}
	p := newPayroll(t, Config{Grace: -1}, g)
	g.made["late"] = p.now.Add(time.Hour)
	p.fails["late"] = errors.New("its route is full")
	p.now = p.now.Add(4 * time.Hour)
	p.look(time.Time{})
	delete(p.fails, "late")
	p.store.failure = errors.New("the disk does not answer")
	for range 2 {
		p.now = p.now.Add(24 * time.Hour)
		if look := p.look(time.Time{}); len(look.Waiting) != 1 || !strings.Contains(look.LastError, "the disk does not answer") {
			t.Errorf("while it cannot be read: %+v", look)
		}
	}
	p.store.failure = nil
	p.now = p.now.Add(24 * time.Hour)
	p.look(time.Time{})
	p.wantTold("when it can be read", "late")
}

// forgetful is a gateway that does not have the records that it listed.
type forgetful struct {
	payouts
	asked map[string]int
}

func (g *forgetful) FindRecord(_ context.Context, n gateway.Notice) (gateway.Listed, error) {
	g.asked[n.RecordID]++
	return gateway.Listed{}, gateway.ErrNotFound
}

// TestTurns: where more records wait than a look asks for, each has its turn before any has
// another, whatever lists have; and none is asked for again at once.
func TestTurns(t *testing.T) {
	const waiting = 2 * mostAsked
	g := &forgetful{payouts: payouts{made: make(map[string]time.Time), listed: "Processing"}, asked: make(map[string]int)}
	p := newPayroll(t, Config{Grace: -1}, g)
	p.now = p.now.Add(4 * time.Hour)
	for i := range waiting {
		g.made[fmt.Sprint("record-", i)] = p.now.Add(-40 * time.Minute)
	}
	p.look(time.Time{}) // which lists them
	for i, after := range []time.Duration{20 * time.Minute, 0, 0, 25 * time.Minute, 30 * time.Minute} {
		p.now = p.now.Add(after)
		p.look(time.Time{})
		want := []int{mostAsked, waiting, waiting, waiting + mostAsked, 2 * waiting}[i]
		asked, most := 0, 0
		for _, times := range g.asked {
			asked, most = asked+times, max(most, times)
		}
		if asked != want || most != (asked+waiting-1)/waiting {
			t.Errorf("after look %d it was asked %d times, of one record %d times; want %d", i+1, asked, most, want)
		}
	}
}

// TestBrokenRecords: however many records cannot be read, all others are told at once, and
// these when they can be.
func TestBrokenRecords(t *testing.T) {
	g := &payouts{made: make(map[string]time.Time), broken: true}
	p := newPayroll(t, Config{Grace: -1}, g)
	began, all := p.now, []string{"good-1", "good-2"}
	g.made["good-1"] = began.Add(time.Hour)
	for i := range 25 {
		id := fmt.Sprint("broken-", i)
		g.made[id], all = began.Add(time.Hour), append(all, id)
	}
	p.now = began.Add(4 * time.Hour)
	if look := p.look(time.Time{}); len(missing(look)) != 25 || look.Waiting[0].Why != gateway.ErrUnreadable.Error() || !look.To.After(began.Add(3*time.Hour)) {
		t.Errorf("the look is %+v", look)
	}
	p.wantTold("the first look", "good-1")
	g.made["good-2"] = began.Add(6 * time.Hour)
	p.now = began.Add(8 * time.Hour)
	p.look(time.Time{})
	p.wantTold("the next look", "good-1", "good-2")
	g.broken = false
	p.now = began.Add(10 * time.Hour)
	if look := p.look(time.Time{}); len(look.Waiting) != 0 || look.LastError != "" {
		t.Errorf("at the end the look is %+v", look)
	}
	p.wantTold("the last look", all...)
}

// TestAgeOfWhatIsOver: once a configuration has ended, nothing says how long ago its
// accounts were looked at.
func TestAgeOfWhatIsOver(t *testing.T) {
	p := newPayroll(t, Config{Grace: -1, Every: time.Hour}, &payouts{})
	looked := make(chan time.Time, 10)
	p.config.Looked = func(_ string, at time.Time) { looked <- at }
	life, end := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.Run(life, p.ledger)
	}()
	if at := <-looked; at.IsZero() {
		t.Error("it is not known when the account was looked at")
	}
	end()
	<-ended
	var last time.Time
	for len(looked) > 0 {
		last = <-looked
	}
	if !last.IsZero() {
		t.Errorf("after the end it is %s", last)
	}
}

// TestAfterTheClockWasAhead: a look by a clock that was ahead keeps no later one waiting, and
// leaves out nothing that was made meanwhile.
func TestAfterTheClockWasAhead(t *testing.T) {
	g := &payouts{made: make(map[string]time.Time)}
	p := newPayroll(t, Config{Grace: -1, Every: 15 * time.Minute}, g)
	run := func() {
		t.Helper()
		if err := p.runOne(t.Context(), p.accounts[0], p.ledger); err != nil {
			t.Fatal(err)
		}
	}
	began := p.now
	p.now = began.Add(50 * time.Hour)
	run()
	g.made["payout"] = began.Add(time.Hour)
	p.now = began.Add(3 * time.Hour) // and right again
	run()
	p.wantTold("after the clock was set back", "payout")
}

// TestOutageAfterTheClockWasAhead: how far a look goes back after the clock was ahead does not
// depend on for how long the gateway answers none.
func TestOutageAfterTheClockWasAhead(t *testing.T) {
	g := &payouts{made: make(map[string]time.Time)}
	p := newPayroll(t, Config{Grace: -1}, g)
	began := p.now
	p.now = began.Add(1000 * time.Hour)
	p.look(time.Time{})
	p.now = began.Add(100 * time.Hour) // and right again
	g.made["payout"] = began.Add(90 * time.Hour)
	g.refuses = errors.New("out of order")
	for range 3 {
		p.look(time.Time{})
		p.now = p.now.Add(20 * time.Hour)
	}
	g.refuses = nil
	p.look(time.Time{})
	p.wantTold("after the outage", "payout")
}

// TestFirstLookByAWrongClock: an account that was first looked at by a clock that was ahead is
// looked at from the moment when it is right.
func TestFirstLookByAWrongClock(t *testing.T) {
	g := &payouts{made: make(map[string]time.Time)}
	p := newPayroll(t, Config{Grace: -1}, g) // which has looked
	p.now = p.now.Add(-8 * time.Hour)
	p.look(time.Time{})
	g.made["payout"] = p.now.Add(time.Minute)
	p.now = p.now.Add(time.Hour)
	p.look(time.Time{})
	p.wantTold("an hour later", "payout")
	g.made["later"] = p.now.Add(410 * time.Minute) // shortly before the time that the clock showed first
	for range 36 {
		p.now = p.now.Add(15 * time.Minute)
		p.look(time.Time{})
	}
	p.wantTold("once that time has come", "later", "payout")
}

// TestLookByAClockThatIsBehind: a look by a clock that shows a time before the account was first
// looked at tells nothing of before that, then or later.
func TestLookByAClockThatIsBehind(t *testing.T) {
	g := &payouts{made: make(map[string]time.Time)}
	p := newPayroll(t, Config{Grace: -1}, g) // which has looked
	began := p.now
	g.made["old"] = began.Add(-100 * time.Hour)
	p.now = began.Add(-1000 * time.Hour)
	p.look(time.Time{})
	p.now = began.Add(-50 * time.Hour)
	p.look(time.Time{})
	g.made["new"] = began.Add(time.Hour)
	p.now = began.Add(3 * time.Hour)
	for range 3 {
		p.look(time.Time{})
		p.now = p.now.Add(time.Hour)
	}
	p.wantTold("once the clock is right", "new")
}

// TestLookWhileTheClockIsWrong: a look by a clock that is behind, and that the gateway does not
// answer, changes nothing of how far was looked, and one far ahead forgets nothing that was dismissed.
func TestLookWhileTheClockIsWrong(t *testing.T) {
	g := &payouts{made: make(map[string]time.Time)}
	p := newPayroll(t, Config{Grace: -1}, g)
	began := p.now
	p.fails["unread"] = errors.New("nobody can read it")
	g.made["unread"] = began.Add(time.Hour)
	p.now = began.Add(1000 * time.Hour)
	p.look(time.Time{})
	if _, err := p.Dismiss(t.Context(), "", "unread", "settled by hand", p.ledger); err != nil {
		t.Fatal(err)
	}
	was := p.look(time.Time{})
	g.refuses = errors.New("the timestamp of the call is too old")
	for _, clock := range []time.Time{began.Add(100 * time.Hour), began.Add(10_000 * time.Hour)} {
		p.now = clock
		p.look(time.Time{})
	}
	g.refuses = nil
	p.now = began.Add(1001 * time.Hour)
	if look := p.look(time.Time{}); look.From.Before(was.To.Add(-overlap)) || len(look.Waiting) != 1 {
		t.Errorf("it looks from %s, and had looked to %s; what waits is %+v", look.From, was.To, look.Waiting)
	}
}

// TestLookWhileTheDatabaseIsWrong: where the clock of the database is hours from this machine's,
// a look says so and goes no further, because the gateway answers by the machine's.
func TestLookWhileTheDatabaseIsWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		database := simstore.New(time.Now)
		l := ledger.New(database.Connect("a"), time.Now)
		ctx, stop := context.WithCancel(t.Context())
		var shares sync.WaitGroup
		defer shares.Wait()
		defer stop()
		shares.Go(func() { l.Share(ctx, func() ledger.Session { return ledger.Session{} }, func(error) {}) })
		g := &payouts{made: make(map[string]time.Time)}
		p := &payroll{}
		p.begin(t, Config{Grace: -1}, g, l)
		time.Sleep(time.Second) // the session begins
		p.look(time.Time{})
		for _, by := range []time.Duration{3 * time.Hour, -6 * time.Hour} {
			database.SetClock(by)
			time.Sleep(100 * time.Hour)
			g.made["payout "+by.String()] = time.Now().Add(-50 * time.Hour)
			if look := p.look(time.Time{}); !strings.Contains(look.LastError, "the database's clock is ") {
				t.Errorf("by a clock that is %s ahead: %+v", by, look)
			}
			p.wantTold("while it is wrong")
		}
		database.SetClock(3 * time.Hour)
		time.Sleep(time.Minute)
		p.look(time.Time{})
		p.wantTold("once it is right", "payout 3h0m0s", "payout -6h0m0s")
	})
}
