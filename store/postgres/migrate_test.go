package postgres

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/postgrestest"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// later returns the migrations of a plugin that is so many versions later.
func later(versions int) []string {
	all := slices.Clone(migrations)
	for i := range versions {
		all = append(all, fmt.Sprintf(`alter table ledger.events add column later%d int not null default 7`, i))
	}
	return all
}

// of is a plugin of that many versions later, on a schema.
func of(versions int, server *postgrestest.Server, schema string) Options {
	return Options{URL: server.URL(), Schema: schema, migrations: later(versions)}
}

// wantVersion checks which version a schema has, in versions later than the plugin's.
func wantVersion(t *testing.T, server *postgrestest.Server, schema string, versions int) {
	t.Helper()
	if got, want := server.Value(t, fmt.Sprintf(`select version from %q.meta`, schema)), fmt.Sprint(len(migrations)+versions); got != want {
		t.Errorf("the schema has version %s, want %s", got, want)
	}
}

// wantRefused checks that a store is not opened, and that the error says what to do.
func wantRefused(t *testing.T, opts Options, want string) {
	t.Helper()
	s, err := Open(opts)
	if err == nil {
		_ = s.Close()
	}
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("opening: %v, want %q", err, want)
	}
}

// goThrough takes a new event from its acceptance to its delivery.
func goThrough(s *Store, id string) error {
	c := one(id)
	if err := s.Accept(bg, c.Event.Key, acceptOnce(c)); err != nil {
		return err
	}
	claim, err := s.Claim(bg, c.Event.Record, time.Minute)
	if err != nil {
		return err
	}
	at := time.Now()
	return s.Commit(bg, claim, []ledger.Change{{Event: ledger.Event{Key: c.Event.Key}, Transitions: []ledger.Transition{
		{At: at, State: ledger.Delivering, Attempt: 1, Seq: 1}, {At: at, State: ledger.Delivered, Attempt: 1},
	}}})
}

// TestRolled: processes that share a ledger are updated one after the other. Those of the
// version before go on, while the first of the next version migrates the schema under
// them and after; and one of the version before may still start.
func TestRolled(t *testing.T) {
	server := postgrestest.Shared(t)
	schema := server.Schema(t)
	old := member(t, of(0, server, schema))
	var workers sync.WaitGroup
	stop, busy := make(chan struct{}), make(chan struct{}, 1000)
	for w := range 4 {
		workers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				if err := goThrough(old, fmt.Sprint(w, "-", n)); err != nil {
					t.Error(err)
				}
				select {
				case busy <- struct{}{}:
				default:
				}
			}
		})
	}
	end := sync.OnceFunc(func() {
		close(stop)
		workers.Wait()
	})
	defer end()
	for range 20 {
		<-busy
	}
	next := of(1, server, schema)
	next.migrations[len(next.migrations)-1] += `; select pg_sleep(1)` // with the table locked
	var opened sync.WaitGroup
	var news [2]*Store
	for i := range news { // one of the two migrates, and the other waits for it
		opened.Go(func() {
			var err error
			if news[i], err = Open(next); err != nil {
				t.Error(err)
			}
		})
	}
	opened.Wait()
	for _, s := range news {
		untilUsable(t, s)
	}
	wantVersion(t, server, schema, 1)
	late := member(t, of(0, server, schema))
	end()
	for i, s := range []*Store{news[0], news[1], late, old} {
		if _, err := s.Keep(bg, ledger.Session{}, nil); err != nil {
			t.Error(err)
		}
		if err := goThrough(s, fmt.Sprint("after-", i)); err != nil {
			t.Error(err)
		}
	}
	wantVersion(t, server, schema, 1)
	for _, s := range news {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestSchemaTooNew: a schema that is two versions later is refused, and the error says
// what to do.
func TestSchemaTooNew(t *testing.T) {
	server := postgrestest.Shared(t)
	schema := server.Schema(t)
	opened(t, of(2, server, schema))
	wantRefused(t, of(0, server, schema), "update it to the version that the other processes run")
	wantVersion(t, server, schema, 2)
}

// TestSchemaFarOlder: a schema of long ago is migrated, with what is in it; but not away
// under a Caddy that runs, and would not know what comes of it.
func TestSchemaFarOlder(t *testing.T) {
	server := postgrestest.Shared(t)
	schema := server.Schema(t)
	old := begun(t, of(0, server, schema))
	if _, err := old.Keep(bg, ledger.Session{Name: "machine-7/1"}, nil); err != nil {
		t.Fatal(err)
	}
	if err := goThrough(old, "1"); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, of(3, server, schema), "machine-7/1 runs on it")
	wantRefused(t, of(2, server, schema), "update that to a version of the plugin in between first, or stop all that are older")
	wantVersion(t, server, schema, 0)
	between, err := Open(of(1, server, schema))
	if err != nil {
		t.Fatal(err)
	}
	wantRefused(t, of(2, server, schema), "machine-7/1 runs on it")
	wantVersion(t, server, schema, 1)
	for _, s := range []*Store{between, old} {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s := member(t, of(4, server, schema))
	wantVersion(t, server, schema, 4)
	if e, err := s.Load(bg, one("1").Event.Key); err != nil || e.State != ledger.Delivered {
		t.Errorf("an event of before is %+v, %v", e, err)
	}
}

// TestMigrationFails: nothing of what was to be migrated is left, and the others go on.
func TestMigrationFails(t *testing.T) {
	server := postgrestest.Shared(t)
	schema := server.Schema(t)
	old := member(t, of(0, server, schema))
	broken := of(1, server, schema)
	broken.migrations[len(broken.migrations)-1] += `; alter table ledger.nothing add column a int`
	wantRefused(t, broken, fmt.Sprintf("migration %d: ", len(migrations)+1))
	wantVersion(t, server, schema, 0)
	if err := goThrough(old, "1"); err != nil {
		t.Error(err)
	}
	if n := server.Value(t, `select count(*) from information_schema.columns where table_schema = $1 and column_name like 'later%'`, schema); n != "0" {
		t.Errorf("%s columns are left", n)
	}
}

// TestLongMigration: one that takes longer than a start waits goes on, and is done.
func TestLongMigration(t *testing.T) {
	server := postgrestest.Shared(t)
	schema := server.Schema(t)
	open(t, of(0, server, schema))
	long := of(1, server, schema)
	long.migrations[len(long.migrations)-1] += fmt.Sprintf(`; select pg_sleep(%f)`, (firstWait + time.Second).Seconds())
	s := open(t, long)
	deadline := time.Now().Add(30 * time.Second)
	for {
		_, err := s.Keep(bg, ledger.Session{}, nil)
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	wantVersion(t, server, schema, 1)
}
