package postgres

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/seed-338f6760/caddy-ccpayment/internal/postgrestest"
	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// waitsFor has the server's commits wait for a standby of this name.
func waitsFor(t *testing.T, server *postgrestest.Server, name string) {
	t.Helper()
	server.Exec(t, `alter system set synchronous_standby_names = '`+name+`'`)
	server.Exec(t, `select pg_reload_conf()`)
	processtest.Until(t, "the server waits for "+name, func() bool {
		return server.Value(t, `show synchronous_standby_names`) == name
	})
	server.Exec(t, `checkpoint`) // by the process that makes it so for commits, after it has read the setting
}

// TestReadOnThePrimaryAlone: what a process reads of a commit that no standby has is not
// acted upon.
func TestReadOnThePrimaryAlone(t *testing.T) {
	server := postgrestest.Start(t)
	opts := Options{URL: server.URL(), Schema: "alone", NoListen: true, patience: time.Minute}
	a := member(t, opts) // whose commit waits until it is cancelled
	opts.patience = 2 * time.Second
	b := member(t, opts)
	c := one("1", ledger.Delivering)
	c.Order = &ledger.Order{OrderID: c.Event.InOrder(), Account: "default", ReadAt: time.Now()}
	known := one("0") // with its route, whose name would wait, too
	if err := a.Accept(bg, known.Event.Key, acceptOnce(known)); err != nil {
		t.Fatal(err)
	}
	claim, err := a.Claim(bg, c.Event.Record, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	waitsFor(t, server, "nobody")
	flags := []ledger.Flag{ledger.FulfillOf("app-123", c.Event.InOrder().ID)}
	failed := make(chan error, 1)
	go func() {
		_, err := a.Bind(bg, claim, c, flags)
		failed <- err
	}()
	processtest.Until(t, "the commit waits", func() bool {
		return server.Value(t, `select count(pg_cancel_backend(pid)) from pg_stat_activity where wait_event = 'SyncRep'`) == "1"
	})
	if err := <-failed; !errors.Is(err, ledger.ErrUnknown) {
		t.Errorf("a commit whose wait was cut short: %v", err)
	}
	b.replicated.Store(true) // which it learns when it renews its session, and that waits, too
	reads := map[string]func() error{
		"Sync":  func() error { return b.Sync(bg) },
		"Holds": func() error { _, err := b.Holds(bg, c.Event.Key, flags); return err },
		"Bound": func() error { _, err := b.Bound(bg, flags); return err },
	}
	for name, read := range reads {
		if err := read(); !errors.Is(err, errStuck) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if free, err := b.Bound(bg, []ledger.Flag{ledger.FulfillOf("app-123", "another")}); err != nil || free[0] {
		t.Errorf("a flag that nobody has: %v, %v", free, err)
	}
	waitsFor(t, server, "")
	for name, read := range reads {
		if err := read(); err != nil {
			t.Errorf("%s, when commits are not waited for any more: %v", name, err)
		}
	}
}

// TestStandbysOfAnotherServer: what a server waits for is found out when a process
// connects to it, and a server that waits for fewer standbys than it must is refused
// also when it takes another's place, or reads its configuration again.
func TestStandbysOfAnotherServer(t *testing.T) {
	server := postgrestest.Start(t)
	s := member(t, Options{URL: server.URL(), Schema: "standbys", NoListen: true})
	if s.replicated.Load() {
		t.Error("it takes the server to wait for a standby")
	}
	server.Exec(t, `alter system set synchronous_standby_names = 'nobody'`)
	restart := func() {
		t.Helper()
		server.Kill()
		if err := server.Run(); err != nil {
			t.Fatal(err)
		}
	}
	restart()
	if _, err := s.Load(bg, one("1").Event.Key); !errors.Is(err, ledger.ErrNotFound) || !s.replicated.Load() {
		t.Errorf("after the restart: %v, waits for a standby: %t", err, s.replicated.Load())
	}

	const fewer = "replicas asks for 1"
	careful := open(t, Options{URL: server.URL(), Schema: "standbys", NoListen: true, Replicas: 1, patience: 2 * time.Second})
	server.Exec(t, `alter system set synchronous_standby_names = ''`)
	restart()
	if _, err := careful.Load(bg, one("1").Event.Key); err == nil || !strings.Contains(err.Error(), fewer) {
		t.Errorf("with a server that waits for none: %v", err)
	}
	server.Exec(t, `alter system set synchronous_standby_names = 'nobody'`)
	restart()
	processtest.Until(t, "a server that waits again is used", func() bool {
		_, err := careful.Load(bg, one("1").Event.Key)
		return errors.Is(err, ledger.ErrNotFound)
	})
	waitsFor(t, server, "")
	if _, err := careful.Keep(bg, ledger.Session{}, nil); err == nil || !strings.Contains(err.Error(), fewer) {
		t.Errorf("renewing the session when it does not wait any more: %v", err)
	}
	c := one("2")
	if err := careful.Accept(bg, c.Event.Key, acceptOnce(c)); err == nil || !strings.Contains(err.Error(), fewer) {
		t.Errorf("accepting then: %v", err)
	}
	waitsFor(t, server, "nobody")
	processtest.Until(t, "it is used again", func() bool {
		_, err := careful.Load(bg, c.Event.Key)
		return errors.Is(err, ledger.ErrNotFound)
	})
	waitsFor(t, server, "") // so that the sessions can end
}

// TestUnfitWhileItRuns: a server that keeps its commits no more, which takes no restart,
// takes none until it does again, also behind a pooler.
func TestUnfitWhileItRuns(t *testing.T) {
	server := postgrestest.Start(t)
	for name, test := range map[string]struct {
		url, harm, mend, want string
	}{
		"fsync":            {server.URL(), `alter system set fsync = off`, `alter system reset fsync`, "fsync = off"},
		"full_page_writes": {server.URL(), `alter system set full_page_writes = off`, `alter system reset full_page_writes`, "full_page_writes = off"},
		"pooler":           {server.Pooler(t).URL(), `alter system set synchronous_commit = off`, `alter system reset synchronous_commit`, "synchronous_commit is off"},
	} {
		t.Run(name, func(t *testing.T) {
			s := member(t, Options{URL: test.url, Schema: name})
			accept := func() error {
				c := one("1")
				return s.Accept(bg, c.Event.Key, acceptOnce(c))
			}
			if err := accept(); err != nil {
				t.Fatal(err)
			}
			reload := func(sql string) {
				t.Helper()
				server.Exec(t, sql)
				server.Exec(t, `select pg_reload_conf()`)
			}
			reload(test.harm)
			isRefused := func(err error) bool { return err != nil && strings.Contains(err.Error(), test.want) }
			processtest.Until(t, "the session is refused", func() bool {
				_, err := s.Keep(bg, ledger.Session{}, nil)
				return isRefused(err)
			})
			if err := accept(); !isRefused(err) {
				t.Errorf("accepting then: %v, want %q", err, test.want)
			}
			reload(test.mend)
			processtest.Until(t, "it is used again", func() bool { return accept() == nil })
		})
	}
}

// TestEpochComesAgain: the sequence of epochs may go back in a failover. A claim from
// before it is not taken for the one of another process that got its number since.
func TestEpochComesAgain(t *testing.T) {
	server := postgrestest.Shared(t)
	schema := server.Schema(t)
	a := member(t, Options{URL: server.URL(), Schema: schema, NoListen: true})
	b := member(t, Options{URL: server.URL(), Schema: schema, NoListen: true})
	c := one("1", ledger.Delivering)
	old, err := a.Claim(bg, c.Event.Record, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	server.Exec(t, fmt.Sprintf(`truncate %q.leases`, schema))
	server.Exec(t, fmt.Sprintf(`select setval('%q.epochs', %d, false)`, schema, old.Epoch))
	claim, err := b.Claim(bg, c.Event.Record, time.Minute)
	if err != nil || claim.Epoch != old.Epoch {
		t.Fatalf("the other claim has epoch %d after %d, %v", claim.Epoch, old.Epoch, err)
	}
	if _, err := a.Bind(bg, old, c, nil); !errors.Is(err, ledger.ErrFenced) {
		t.Errorf("binding by the old claim: %v", err)
	}
	if err := a.Unlock(bg, old); err != nil {
		t.Error(err)
	}
	if err := a.Commit(bg, old, []ledger.Change{c}); !errors.Is(err, ledger.ErrFenced) {
		t.Errorf("committing by the old claim: %v", err)
	}
	if err := b.Commit(bg, claim, []ledger.Change{c}); err != nil {
		t.Errorf("committing by the claim that has it: %v", err)
	}
}

// TestFailover: a store whose URL names two servers goes on at the other one, with its
// name, its session, its hints and the names of its routes.
func TestFailover(t *testing.T) {
	primary := postgrestest.Start(t)
	standby := primary.Standby(t, false)
	url := fmt.Sprintf("host=127.0.0.1,127.0.0.1 port=%s,%s user=test dbname=postgres sslmode=disable target_session_attrs=read-write connect_timeout=2",
		primary.Port, standby.Port)
	m := Module{URL: url}
	if err := m.Provision(caddy.Context{}); err != nil {
		t.Fatal(err)
	}
	heard := make(chan ledger.Hint, 100)
	a, b := member(t, Options{URL: url, Schema: "shop"}), open(t, Options{URL: url, Schema: "shop"})
	b.OnWake(func(h ledger.Hint) { heard <- h })
	news, err := b.Keep(bg, ledger.Session{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	accept := func(s *Store, id string) error {
		c := one(id)
		return s.Accept(bg, c.Event.Key, acceptOnce(c))
	}
	if err := accept(a, "1"); err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("127.0.0.1:%s,127.0.0.1:%s/postgres/shop", primary.Port, standby.Port); a.name != want || !strings.HasPrefix(m.Key(), "postgres:"+strings.Replace(want, "/shop", "/ccpayment#", 1)) {
		t.Errorf("it is %s, with the key %s", a.name, m.Key())
	}
	processtest.Until(t, "the standby has all", func() bool {
		return primary.Value(t, `select bool_and(replay_lsn = pg_current_wal_lsn()) from pg_stat_replication`) == "true"
	})
	primary.Kill()
	if err := accept(a, "2"); err == nil {
		t.Error("without a primary it accepts")
	}
	standby.Promote(t)
	standby.Exec(t, `delete from shop.routes`) // as if it had lacked them
	processtest.Until(t, "the other takes over", func() bool { return accept(a, "2") == nil })
	again, err := b.Keep(bg, ledger.Session{}, nil)
	if err != nil || again.Session != news.Session {
		t.Errorf("the session is %s after %s, %v", again.Session, news.Session, err)
	}
	if err := accept(a, "3"); err != nil {
		t.Error(err)
	}
	if counts, err := a.Counts(bg); err != nil || len(counts) != 1 || counts[0].Route != "webhook" || counts[0].N != 3 {
		t.Errorf("counted are %+v, %v", counts, err)
	}
	processtest.Until(t, "hints come again", func() bool {
		a.Wake(ledger.Hint{Routes: []string{"webhook"}})
		return len(heard) > 0
	})
}
