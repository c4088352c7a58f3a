package reload

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/seed-338f6760/caddy-ccpayment/internal/simstore"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/store/bolt"
)

// counted is a pool that counts who uses a value.
type counted struct {
	mu     sync.Mutex
	values map[string]*Shared
	users  map[string]int
}

func newPool() *counted {
	return &counted{values: make(map[string]*Shared), users: make(map[string]int)}
}

func (p *counted) Acquire(key string, open func() (*Shared, error)) (*Shared, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.values[key] == nil {
		shared, err := open()
		if err != nil {
			return nil, err
		}
		p.values[key] = shared
	}
	p.users[key]++
	return p.values[key], nil
}

func (p *counted) Release(key string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.users[key]--; p.users[key] > 0 {
		return nil
	}
	shared := p.values[key]
	delete(p.values, key)
	return shared.Destruct()
}

func (p *counted) isOpen() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.values) > 0
}

// file is a driver of a bolt file.
type file struct {
	path      string
	retention time.Duration
}

func (f file) Key() string              { return f.path }
func (f file) Retention() time.Duration { return f.retention }
func (f file) Open(ledger.OpenOptions) (ledger.Store, error) {
	return bolt.Open(f.path, bolt.Options{})
}

// configurations returns a function that makes handles on one ledger.
func configurations(t *testing.T) (pool *counted, load func(retention time.Duration) *Handle) {
	t.Helper()
	pool, path := newPool(), filepath.Join(t.TempDir(), "ledger.db")
	return pool, func(retention time.Duration) *Handle {
		return New(Config{
			Driver: file{path, retention}, Pool: pool, Now: time.Now, Logger: zap.NewNop(),
			Exiting: func() bool { return true }, // so that Stop waits
		})
	}
}

func begin(t *testing.T, h *Handle, routes ...Route) {
	t.Helper()
	if _, err := h.Start(routes, nil); err != nil {
		t.Fatal(err)
	}
}

// TestSessionHasRoutesOnly: others see the routes of a process, and not its other work in
// the background, which has no name.
func TestSessionHasRoutesOnly(t *testing.T) {
	_, load := configurations(t)
	h := load(time.Hour)
	run := func(ctx context.Context, _ *ledger.Ledger) { <-ctx.Done() }
	begin(t, h, Route{Name: "shop", Run: run}, Route{Run: run})
	if got := h.held.session().Routes; len(got) != 1 || got[0].Name != "shop" {
		t.Errorf("the session has the routes %+v", got)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestRetentionOfAFailedReload: a configuration that fails to start must not shorten
// how long the running one keeps bodies.
func TestRetentionOfAFailedReload(t *testing.T) {
	pool, load := configurations(t)
	running, failing := load(90*24*time.Hour), load(time.Hour)
	begin(t, running)
	shared := running.held
	for _, step := range []struct {
		when string
		do   func()
	}{
		{"before", func() {}},
		{"with both started", func() { begin(t, failing) }},
		{"after the failed reload", func() {
			if err := failing.Close(); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		step.do()
		if got := shared.retention(); got != 90*24*time.Hour {
			t.Errorf("%s it is %s", step.when, got)
		}
	}
	if err := running.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := running.Acquire(); !errors.Is(err, ErrClosed) {
		t.Errorf("after the end the ledger opens: %v", err)
	}
	if pool.isOpen() {
		t.Error("nobody uses the ledger, and it is open")
	}
}

// TestRoutesTakeOver: the routes of a new configuration work when all of it has
// started and the old ones have stopped; those of one that fails never do.
func TestRoutesTakeOver(t *testing.T) {
	_, load := configurations(t)
	works := make(chan string, 10)
	route := func(name string) Route {
		return Route{Name: name, Run: func(ctx context.Context, _ *ledger.Ledger) {
			works <- name
			<-ctx.Done()
			works <- name + " ended"
		}}
	}
	expect := func(want ...string) {
		t.Helper()
		for _, w := range want {
			if got := <-works; got != w {
				t.Fatalf("%q, want %q", got, w)
			}
		}
	}
	first, failing, second := load(time.Hour), load(time.Hour), load(time.Hour)
	begin(t, first, route("first"))
	first.Ready()
	expect("first")

	begin(t, failing, route("failing"))
	if err := failing.Close(); err != nil { // it was never ready
		t.Fatal(err)
	}
	begin(t, second, route("second"), Route{Name: "pass-through"}, Route{})
	if names := second.held.Routes(); !slices.Contains(names, "pass-through") || slices.Contains(names, "") {
		t.Errorf("the routes are %q", names)
	}
	second.Ready()
	first.Stop()
	got := map[string]bool{<-works: true, <-works: true}
	if !got["first ended"] || !got["second"] {
		t.Fatalf("%v", got)
	}
	for _, h := range []*Handle{first, second} {
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
	}
	expect("second ended")
}

// TestPanics: work that panics begins again, beside other work, until its configuration
// stops; and the log has why.
func TestPanics(t *testing.T) {
	_, load := configurations(t)
	h := load(time.Hour)
	core, logs := observer.New(zap.ErrorLevel)
	h.Logger, h.pause = zap.New(core), time.Millisecond
	began, beside := make(chan struct{}, 3), make(chan struct{})
	begin(t, h, Route{Name: "shop", Run: func(context.Context, *ledger.Ledger) {
		select {
		case began <- struct{}{}:
		default:
		}
		panic("a bug")
	}}, Route{Name: "beside", Run: func(ctx context.Context, _ *ledger.Ledger) {
		<-ctx.Done()
		close(beside)
	}})
	h.Ready()
	for range 3 {
		<-began
	}
	select {
	case <-beside:
		t.Error("the other work has ended")
	default:
	}
	h.Stop()
	<-beside
	if fields := logs.All()[0].ContextMap(); fields["panic"] != "a bug" || fields["route"] != "shop" || !strings.Contains(fmt.Sprint(fields["stack"]), "TestPanics") {
		t.Errorf("logged: %v", fields)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestRequestsOutliveTheirConfiguration: a request of a closed configuration uses the
// ledger that others have open, and the last one closes it.
func TestRequestsOutliveTheirConfiguration(t *testing.T) {
	pool, load := configurations(t)
	old, next := load(time.Hour), load(time.Hour)
	begin(t, old)
	_, release, err := old.Acquire()
	if err != nil {
		t.Fatal(err)
	}
	begin(t, next)
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	l, again, err := old.Acquire() // the next configuration has it open
	if err != nil || l == nil {
		t.Fatal(err)
	}
	again()
	if err := next.Close(); err != nil {
		t.Fatal(err)
	}
	if !pool.isOpen() {
		t.Fatal("a request runs, and the ledger is closed")
	}
	release()
	if pool.isOpen() {
		t.Error("the last request ended, and the ledger is open")
	}
}

// TestOpenWhileOneIsBeingOpened: whoever counts the open ledgers waits neither for one that is
// being opened, nor for the pool that opens it.
func TestOpenWhileOneIsBeingOpened(t *testing.T) {
	_, load := configurations(t)
	h := load(time.Hour)
	begin(t, h)
	t.Cleanup(func() { h.Close() })
	counted := make(chan bool)
	opening := New(Config{Driver: slow{counted}, Pool: newPool(), Now: time.Now, Logger: zap.NewNop()})
	go func() {
		counted <- slices.Contains(Open(), h.held)
	}()
	if _, err := opening.Start(nil, nil); err == nil || err.Error() != "counted" {
		t.Errorf("%v", err)
	}
}

// slow is a driver that cannot open before the open ledgers are counted.
type slow struct{ counted chan bool }

func (slow) Key() string              { return "slow" }
func (slow) Retention() time.Duration { return time.Hour }
func (s slow) Open(ledger.OpenOptions) (ledger.Store, error) {
	if !<-s.counted {
		return nil, errors.New("the other ledger is not among those that are open")
	}
	return nil, errors.New("counted")
}

// TestLogsWhereTheLatestDoes: what outlives a configuration logs where the latest one does
// that has started wholly: an ended one's files are closed.
func TestLogsWhereTheLatestDoes(t *testing.T) {
	_, load := configurations(t)
	var logs [3]*observer.ObservedLogs
	var handles [3]*Handle
	for i := range handles {
		core, observed := observer.New(zap.InfoLevel)
		handles[i], logs[i] = load(time.Hour), observed
		handles[i].Logger = zap.New(core).Named("ccpayment")
	}
	first, failing, last := handles[0], handles[1], handles[2]
	begin(t, first)
	shared := first.held
	line := 0
	wants := func(when string, want int) {
		t.Helper()
		line++
		shared.logger.With(zap.Int("line", line)).Info("about the ledger")
		for i, observed := range logs {
			lines := observed.TakeAll()
			if (len(lines) == 1) != (i == want) {
				t.Errorf("%s: configuration %d has %d lines", when, i, len(lines))
			} else if len(lines) == 1 && (lines[0].LoggerName != "ccpayment" || lines[0].ContextMap()["line"] != int64(line)) {
				t.Errorf("%s: %+v", when, lines[0])
			}
		}
	}
	wants("at the start", 0)
	first.Ready()
	begin(t, failing)
	wants("while another starts", 0)
	failing.Close()
	begin(t, last)
	last.Ready()
	wants("once another has started", 2)
	first.Stop()
	first.Close()
	wants("after the first", 2)
	last.Stop()
	wants("with none", 2)
	last.Close()
}

// TestEventsInAFormerLedger: events in a ledger that is not configured any more are warned of.
func TestEventsInAFormerLedger(t *testing.T) {
	pool, load := configurations(t)
	first := load(time.Hour)
	begin(t, first)
	e := ledger.Event{
		Key:        ledger.Key{Record: ledger.Record{Route: "shop", AppID: "app", Type: "Payment", ID: "1"}, Status: "success"},
		ReceivedAt: time.Now(),
	}
	if _, err := first.held.Accept(t.Context(), e, ""); err != nil {
		t.Fatal(err)
	}
	first.Ready()
	for name, path := range map[string]string{"another": filepath.Join(t.TempDir(), "other.db"), "the same": first.Driver.Key()} {
		core, logs := observer.New(zap.WarnLevel)
		next := New(Config{Driver: file{path, time.Hour}, Pool: pool, Now: time.Now, Logger: zap.New(core), Exiting: func() bool { return true }})
		begin(t, next)
		next.warnOfOthers(next.held, Open())
		warnings := logs.FilterMessageSnippet("not configured any more").All()
		switch {
		case name == "the same" && len(warnings) > 0:
			t.Errorf("of the same ledger: %v", warnings)
		case name == "another" && (len(warnings) != 1 || warnings[0].ContextMap()["events"] != uint64(1)):
			t.Errorf("the warnings are %v", warnings)
		}
		next.Close()
	}
	first.Close()
}

// database is a driver of a store that several may share, opened with the options that its key has.
type database struct {
	file
	of *simstore.Database
}

func (d database) Open(ledger.OpenOptions) (ledger.Store, error) { return d.of.Connect(d.path), nil }

// TestEventsInTheSameDatabase: a database that is opened with other options, as after a change of
// its password, is not taken for one that is not configured any more.
func TestEventsInTheSameDatabase(t *testing.T) {
	pool, of := newPool(), simstore.New(time.Now)
	core, logs := observer.New(zap.WarnLevel)
	var all []*Handle
	for _, key := range []string{"postgres:shop/ccpayment#1", "postgres:shop/ccpayment#2"} {
		h := New(Config{Driver: database{file{key, time.Hour}, of}, Pool: pool, Now: time.Now, Logger: zap.New(core), Exiting: func() bool { return true }})
		begin(t, h)
		defer h.Close()
		all = append(all, h)
	}
	e := ledger.Event{
		Key:        ledger.Key{Record: ledger.Record{Route: "shop", AppID: "app", Type: "Payment", ID: "1"}, Status: "success"},
		ReceivedAt: time.Now(),
	}
	if _, err := all[0].held.Accept(t.Context(), e, ""); err != nil {
		t.Fatal(err)
	}
	all[1].warnOfOthers(all[1].held, []*Shared{all[0].held, all[1].held})
	if warnings := logs.FilterMessageSnippet("not configured any more").All(); len(warnings) > 0 {
		t.Errorf("%v", warnings)
	}
}
