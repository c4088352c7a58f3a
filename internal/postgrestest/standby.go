package postgrestest

import (
	"fmt"
	"os"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
)

// Standby starts a server that streams from this one, from a copy of its data, until
// the test ends. If it is synchronous, commits here and, once it was promoted, there
// wait for a standby.
func (s *Server) Standby(t testing.TB, isSynchronous bool) *Server {
	t.Helper()
	s.Exec(t, `alter system set wal_keep_size = '1GB'`) // for a standby that was away
	s.Exec(t, `alter system set wal_retrieve_retry_interval = '100ms'`)
	if isSynchronous {
		s.Exec(t, `alter system set synchronous_standby_names = 'ANY 1 (walreceiver)'`)
	}
	s.Exec(t, `select pg_reload_conf()`)
	standby, err := prepare(s.bin, processtest.Ports(t, 1)[0], s.settings)
	t.Cleanup(standby.end)
	if err != nil {
		t.Fatal(err)
	}
	standby.Follow(t, s)
	return standby
}

// Follow makes a server that does not run a standby of another, from a copy of its
// data, and returns when it streams.
func (s *Server) Follow(t testing.TB, primary *Server) {
	t.Helper()
	err := os.RemoveAll(s.data())
	if err == nil {
		err = s.command("pg_basebackup", "-d", fmt.Sprintf("host=127.0.0.1 port=%s user=test", primary.Port), "-D", s.data(),
			"--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--no-sync")
	}
	if err == nil {
		err = s.Run()
	}
	if err != nil {
		t.Fatal(err)
	}
	primary.Streams(t)
}

// Streams returns when a standby streams from the server, and commits wait for it if
// they are to.
func (s *Server) Streams(t testing.TB) {
	t.Helper()
	processtest.Until(t, "a standby streams", func() bool {
		return s.Value(t, `select exists (select 1 from pg_stat_replication where application_name = 'walreceiver' and state = 'streaming'
			and (sync_state <> 'async' or current_setting('synchronous_standby_names') = ''))`) == "true"
	})
}

// Promote makes a standby a primary, and returns when it is one.
func (s *Server) Promote(t testing.TB) {
	t.Helper()
	if s.Value(t, `select pg_promote(true, 60)`) != "true" {
		t.Fatalf("the standby does not become a primary:\n%s", s.Log())
	}
}
