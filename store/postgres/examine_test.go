package postgres

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/seed-338f6760/caddy-ccpayment/internal/postgrestest"
	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// TestExposed: which hosts are reached over a network without being sure who they are.
func TestExposed(t *testing.T) {
	for url, want := range map[string][]string{
		"postgres://u@db/x?sslmode=verify-full":                     nil,
		"postgres://u@db/x?sslmode=verify-full&sslrootcert=system":  nil,
		"host=/run/postgresql user=u sslmode=disable":               nil,
		"postgres://u@localhost/x":                                  nil,
		"postgres://u@127.0.0.9,[::1]/x?sslmode=disable":            nil,
		"postgres://u@db/x":                                         {"db"}, // prefer
		"postgres://u@db/x?sslmode=require":                         {"db"},
		"postgres://u@db/x?sslmode=verify-ca":                       {"db"},
		"postgres://u@10.0.0.1,127.0.0.1,10.0.0.2/x?sslmode=allow":  {"10.0.0.1", "10.0.0.2"},
		"host=db,/run/postgresql port=5432,5432 sslmode=disable":    {"db"},
		"postgres://u@db,other/x?sslmode=verify-full&user=somebody": nil,
	} {
		config, err := parse(url)
		if err != nil {
			t.Fatal(err)
		}
		if got := exposed(config.ConnConfig); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", url, got, want)
		}
	}
}

// TestRemoteServer: whoever reaches the database over a network without sslmode
// verify-full is warned at the start, once, and where the store is examined; the others
// are not. One who says disable has chosen it, which is told and not called wrong.
func TestRemoteServer(t *testing.T) {
	server := postgrestest.StartRemote(t)
	for mode, want := range map[string]struct{ warns, isWrong bool }{
		"disable": {true, false}, "prefer": {true, true}, "require": {true, true}, "verify-ca": {true, true}, "verify-full": {false, false},
	} {
		t.Run(mode, func(t *testing.T) {
			core, logs := observer.New(zap.WarnLevel)
			settings := url.Values{"sslmode": {mode}}
			if strings.HasPrefix(mode, "verify") {
				settings.Set("sslrootcert", server.Authority())
			}
			s := member(t, Options{URL: server.RemoteURL(settings), Schema: "ledger", Logger: zap.New(core)})
			c := one(mode)
			if err := s.Accept(bg, c.Event.Key, acceptOnce(c)); err != nil {
				t.Fatal(err)
			}
			is, err := s.Examine(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			warnings := logs.FilterMessageSnippet("sslmode=verify-full&sslrootcert=").Len()
			care := strings.Join(is.Care, "\n")
			if want.warns != (warnings == 1) || want.isWrong != strings.Contains(care, "sslmode=verify-full&sslrootcert=") || want.isWrong != (care != "") {
				t.Errorf("it warns %d times, and says %q", warnings, care)
			}
			if isPlain := strings.Contains(strings.Join(is.Facts, "\n"), "not encrypted"); isPlain != (mode == "disable") {
				t.Errorf("%q", is.Facts)
			}
		})
	}
}

// TestExamine: what is good to know of a server, and what has become of it since the start.
func TestExamine(t *testing.T) {
	server := postgrestest.Start(t)
	s := member(t, Options{URL: server.URL(), Schema: "ledger", NoListen: true, Poll: 3 * time.Second})
	is, err := s.Examine(t.Context())
	facts := strings.Join(is.Facts, "; ")
	if err != nil || len(is.Care) > 0 {
		t.Errorf("%+v, %v", is, err)
	}
	for _, want := range []string{"PostgreSQL 1", "answers in ", "its clock is known to ", "no standby is synchronous", "listen is off", "every 3s"} {
		if !strings.Contains(facts, want) {
			t.Errorf("%q does not say %q", facts, want)
		}
	}
	server.Exec(t, `alter system set full_page_writes = off`)
	server.Exec(t, `select pg_reload_conf()`)
	deadline := time.Now().Add(10 * time.Second)
	for {
		is, err := s.Examine(t.Context())
		if err == nil && len(is.Care) == 1 && strings.Contains(is.Care[0], "set full_page_writes = on") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%+v, %v", is, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	server.Exec(t, `alter system reset full_page_writes`)
	server.Stop()
	if is, err := s.Examine(t.Context()); err == nil {
		t.Errorf("of a server that is away it says %+v", is)
	}
	if _, err := ledger.New(s, time.Now).Examine(t.Context()); err == nil {
		t.Error("the ledger does not ask the store")
	}
	if err := server.Run(); err != nil {
		t.Fatal(err)
	}
	// A connection that was made meanwhile has seen the setting, too.
	processtest.Until(t, "the store can be used, and closed", func() bool { return s.usable() == nil })
}
