package postgres

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/seed-338f6760/caddy-ccpayment/internal/postgrestest"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// TestRefusedServers: a server that does not keep what it says is refused, and the
// error says what to do.
func TestRefusedServers(t *testing.T) {
	shared := postgrestest.Shared(t)
	refuse := func(want string, opts Options) {
		t.Helper()
		s, err := Open(opts)
		if err == nil {
			_ = s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("opening: %v, want %q", err, want)
		}
	}
	t.Run("FsyncOff", func(t *testing.T) {
		server := postgrestest.Start(t, "fsync=off")
		refuse("set fsync = on", Options{URL: server.URL(), Schema: "x"})
	})
	t.Run("FullPageWritesOff", func(t *testing.T) {
		server := postgrestest.Start(t, "full_page_writes=off")
		refuse("set full_page_writes = on", Options{URL: server.URL(), Schema: "x"})
	})
	t.Run("Replicas", func(t *testing.T) {
		refuse("replicas asks for 1", Options{URL: shared.URL(), Schema: shared.Schema(t), Replicas: 1})
	})
	t.Run("NoDatabase", func(t *testing.T) {
		refuse("does not exist", Options{URL: strings.Replace(shared.URL(), "/postgres?", "/nothing?", 1), Schema: "x"})
	})
	t.Run("NoRights", func(t *testing.T) {
		shared.Exec(t, `create role guest login`)
		defer shared.Exec(t, `drop role guest`)
		refuse("give the user the right to create", Options{URL: strings.Replace(shared.URL(), "test@", "guest@", 1), Schema: shared.Schema(t)})
	})
	t.Run("URL", func(t *testing.T) {
		for _, url := range []string{"postgres://user:secret@host:port/db", "://secret", "host='secret", "postgres://shop:p@secret@127.0.0.1/shop", "postgres://shop:/secret@127.0.0.1/shop"} {
			_, err := Open(Options{URL: url, Schema: "x"})
			if err == nil || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: %v", url, err)
			}
		}
	})
}

func TestSynchronousStandbys(t *testing.T) {
	for names, want := range map[string]int{
		"": 0, "  ": 0, "*": 1, "a": 1, "a, b": 1, "2 (a, b, c)": 2, "FIRST 2 (a, b)": 2, "any 3(a,b,c)": 3, "ANY 1 (*)": 1, "any": 1, `"2"`: 1,
	} {
		if got := synchronousStandbys(names); got != want {
			t.Errorf("%q: %d, want %d", names, got, want)
		}
	}
}

// TestOpenedAtOnce: processes that start on an empty database make the schema once.
func TestOpenedAtOnce(t *testing.T) {
	server := postgrestest.Shared(t)
	schema := server.Schema(t)
	core, logs := observer.New(zap.WarnLevel)
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			s := begun(t, Options{URL: server.URL(), Schema: schema, Logger: zap.New(core)})
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := logs.FilterMessageSnippet("began a new").Len(); n != 1 {
		t.Errorf("it was made %d times", n)
	}
}

// TestDatabaseAway: a store opens without its database, fails until that is there, and
// says so once.
func TestDatabaseAway(t *testing.T) {
	server := postgrestest.Start(t)
	server.Stop()
	core, logs := observer.New(zap.InfoLevel)
	began := time.Now()
	s, err := Open(Options{URL: server.URL(), Schema: "away", Logger: zap.New(core)})
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("opening took %s", took)
	}
	c := one("1")
	if err := s.Accept(bg, c.Event.Key, acceptOnce(c)); err == nil {
		t.Error("accepted without a database")
	}
	if _, err := s.Keep(bg, ledger.Session{}, nil); err == nil {
		t.Error("a session without a database")
	}
	time.Sleep(1500 * time.Millisecond)
	if n := logs.FilterLevelExact(zap.ErrorLevel).Len(); n != 1 {
		t.Errorf("it logged %d errors: %v", n, logs.All())
	}
	if err := server.Run(); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		if err = s.Accept(bg, c.Event.Key, acceptOnce(c)); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	if logs.FilterMessageSnippet("database is there").Len() != 1 {
		t.Errorf("it does not say that the database is there: %v", logs.All())
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	// And one that never gets there is closed at once.
	server.Stop()
	never, err := Open(Options{URL: server.URL(), Schema: "away"})
	if err != nil {
		t.Fatal(err)
	}
	if err := never.Close(); err != nil {
		t.Error(err)
	}
}

// TestLostWhileItConnects: a server that turns out to be unfit while the store connects
// anew is looked at once more before it is used.
func TestLostWhileItConnects(t *testing.T) {
	server := postgrestest.Shared(t)
	core, logs := observer.New(zap.InfoLevel)
	opened := make(chan struct{})
	var hold sync.Once
	logger := zap.New(core, zap.Hooks(func(e zapcore.Entry) error {
		if e.Message == "opened the ledger" {
			hold.Do(func() {
				opened <- struct{}{}
				<-opened
			})
		}
		return nil
	}))
	s := open(t, Options{URL: server.URL(), Schema: server.Schema(t), Logger: logger}) // which begins it
	s.lose(refuse("a standby took its place"))
	<-opened // it has looked at the server, and found it fit
	s.lose(refuse("fsync was turned off"))
	opened <- struct{}{}
	eventually(t, "the store does not come back", func() bool { return logs.FilterMessage("the ledger's database is there").Len() > 0 })
	if n := logs.FilterMessage("opened the ledger").Len(); n != 2 || s.usable() != nil {
		t.Errorf("it was looked at %d times, and is unusable because of %v: %v", n, s.usable(), logs.All())
	}
}

// TestSilentDatabase: one that takes connections and says nothing holds up no start.
func TestSilentDatabase(t *testing.T) {
	p := newProxy(t, postgrestest.Shared(t))
	p.silent.Store(true)
	defer p.silent.Store(false)
	began := time.Now()
	s, err := Open(Options{URL: p.url(), Schema: "silent"})
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 2*firstWait {
		t.Errorf("opening took %s", took)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestSettings: what the connections of the pool run with.
func TestSettings(t *testing.T) {
	server := postgrestest.Shared(t)
	s := member(t, Options{URL: server.URL() + "&options=-csynchronous_commit%3Doff", Schema: server.Schema(t)})
	err := s.pool.AcquireFunc(bg, func(c *pgxpool.Conn) error {
		var commits string
		err := c.QueryRow(bg, `select current_setting('synchronous_commit')`).Scan(&commits)
		if commits != "on" {
			t.Errorf("synchronous_commit is %s", commits)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestNeverCancelled: a connection that fails has the server cancel nothing.
func TestNeverCancelled(t *testing.T) {
	server := postgrestest.Shared(t)
	s := member(t, Options{URL: server.URL(), Schema: server.Schema(t)})
	conn, err := s.dial(bg)
	if err != nil {
		t.Fatal(err)
	}
	const runs = ` from pg_stat_activity where query like '%never cancelled%' and state = 'active' and pid <> pg_backend_pid()`
	ctx, leave := context.WithCancel(bg)
	left := make(chan error, 1)
	go func() {
		_, err := conn.Exec(ctx, `select pg_sleep(60), 'never cancelled'`)
		left <- err
	}()
	eventually(t, "the statement does not run", func() bool { return server.Value(t, `select count(*)`+runs) == "1" })
	leave()
	if err := <-left; err == nil {
		t.Error("the statement was not left")
	}
	time.Sleep(200 * time.Millisecond) // in which it would be cancelled
	if n := server.Value(t, `select count(*)`+runs); n != "1" {
		t.Errorf("%s such statements run on", n)
	}
	server.Exec(t, `select pg_terminate_backend(pid)`+runs)
}

func TestCaddyfile(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"postgres x", "wrong argument count"},
		{"postgres {\n file x\n}", `unknown option "file"`},
		{"postgres {\n url a\n url b\n}", "url is given twice"},
		{"postgres {\n url\n}", "wrong argument count"},
		{"postgres {\n max_conns many\n}", "max_conns must be a number"},
		{"postgres {\n max_conns 1\n}", "at least 2"},
		{"postgres {\n replicas -1\n}", "replicas must be a number of at least 0"},
		{"postgres {\n retention 0s\n}", "retention must be positive"},
		{"postgres {\n poll long\n}", "poll time: invalid duration"},
		{"postgres {\n listen maybe\n}", "listen must be on or off"},
	} {
		err := new(Module).UnmarshalCaddyfile(caddyfile.NewTestDispenser(test.text))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.text, err, test.want)
		}
	}
	var m Module
	err := m.UnmarshalCaddyfile(caddyfile.NewTestDispenser("postgres {\n url postgres://u:secret@b:5433,a/db\n schema shop\n max_conns 3\n retention 9d\n replicas 2\n listen off\n poll 2s\n}"))
	want := Module{
		URL: "postgres://u:secret@b:5433,a/db", Schema: "shop", MaxConns: 3, Retain: caddy.Duration(9 * 24 * time.Hour),
		Replicas: 2, NoListen: true, Poll: caddy.Duration(2 * time.Second),
	}
	if err != nil || m != want {
		t.Errorf("%+v, %v", m, err)
	}
	if err := m.Provision(caddy.Context{}); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(m.Key(), "postgres:b:5433,a:5432/db/shop#") || strings.Contains(m.Key(), "secret") {
		t.Errorf("the key is %s", m.Key())
	}
	// A reload opens the ledger anew where what it is opened with has changed.
	for change, changed := range map[string]func(*Module){
		"nothing":   func(*Module) {},
		"retention": func(m *Module) { m.Retain *= 2 },
		"password":  func(m *Module) { m.URL = strings.Replace(m.URL, "secret", "rotated", 1) },
		"max_conns": func(m *Module) { m.MaxConns++ },
		"replicas":  func(m *Module) { m.Replicas++ },
		"listen":    func(m *Module) { m.NoListen = !m.NoListen },
		"poll":      func(m *Module) { m.Poll++ },
	} {
		next := want
		changed(&next)
		if err := next.Provision(caddy.Context{}); err != nil {
			t.Fatal(err)
		}
		if isSame := change == "nothing" || change == "retention"; (next.Key() == m.Key()) != isSame {
			t.Errorf("%s: the key is %s, before %s", change, next.Key(), m.Key())
		}
	}
	if err := m.Validate(); err != nil {
		t.Error(err)
	}
	for _, schema := range []string{"A", "a b", `a"`, "1a", strings.Repeat("a", 51)} {
		m.Schema = schema
		if err := m.Validate(); err == nil {
			t.Errorf("the schema %q is taken", schema)
		}
	}
}

// TestModule opens the store as Caddy does, with the URL from the environment.
func TestModule(t *testing.T) {
	server := postgrestest.Shared(t)
	t.Setenv("DATABASE_URL", server.URL())
	m := Module{Schema: server.Schema(t)}
	if err := m.Provision(caddy.Context{}); err != nil {
		t.Fatal(err)
	}
	if err := m.Validate(); err != nil {
		t.Fatal(err)
	}
	if want := "postgres:127.0.0.1:" + server.Port + "/postgres/" + m.Schema; !strings.HasPrefix(m.Key(), want+"#") || m.Retention() != defaultRetention {
		t.Errorf("the key is %s, want %s", m.Key(), want)
	}
	committed := make(chan time.Duration, 10)
	store, err := m.Open(ledger.OpenOptions{Logger: zap.NewNop(), Committed: func(took time.Duration) { committed <- took }})
	if err != nil {
		t.Fatal(err)
	}
	c := one("1")
	if err := store.Accept(bg, c.Event.Key, acceptOnce(c)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-committed:
	default:
		t.Error("nobody heard of the commit")
	}
	if size, err := store.(ledger.Sizer).Size(); err != nil || size == 0 {
		t.Errorf("its size is %d, %v", size, err)
	}
	if err := store.Close(); err != nil {
		t.Error(err)
	}
	t.Setenv("DATABASE_URL", "")
	if err := new(Module).Provision(caddy.Context{}); err == nil {
		t.Error("without a URL it is provisioned")
	}
}

// TestSeveralHosts: of several hosts a standby is passed over, unless the URL says what
// is wanted.
func TestSeveralHosts(t *testing.T) {
	for url, want := range map[string]bool{
		"postgres://u@a,b/x":                          true,
		"host=a,b user=u":                             true,
		"postgres://u@a/x":                            false,
		"postgres://u@a,b:5433/x?sslmode=verify-full": true,
	} {
		config, err := parse(url)
		if err != nil {
			t.Fatal(err)
		}
		if is := config.ConnConfig.ValidateConnect != nil; is != want {
			t.Errorf("%s: it looks at what answers: %t", url, is)
		}
	}
	server := postgrestest.Start(t)
	readOnly := postgrestest.Start(t, "default_transaction_read_only=on")
	s := member(t, Options{URL: fmt.Sprintf("postgres://test@127.0.0.1:%s,127.0.0.1:%s/postgres?sslmode=disable", readOnly.Port, server.Port), Schema: "x"})
	c := one("1")
	if err := s.Accept(bg, c.Event.Key, acceptOnce(c)); err != nil {
		t.Error(err)
	}
}
