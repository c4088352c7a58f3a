package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"
)

// refusal is why a server cannot have a ledger, unless somebody changes it.
type refusal struct{ error }

func refuse(format string, args ...any) error { return refusal{fmt.Errorf(format, args...)} }

func (r refusal) Unwrap() error { return r.error }

// begin connects, checks that the server keeps what a ledger promises, and brings the
// schema up to date.
func (s *Store) begin(ctx context.Context) error {
	conn, err := s.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(context.Background())
	if err := s.checkServer(ctx, conn); err != nil {
		return err
	}
	if err := checkClock(ctx, conn); err != nil {
		return err
	}
	isNew, err := migrate(ctx, conn, s.opts.Schema)
	if err != nil {
		return err
	}
	if s.opts.imports {
		return nil
	}
	if err := refuseMoving(ctx, conn, s.opts.Schema); err != nil {
		return err
	}
	s.tell(isNew)
	if !s.opts.NoListen && !s.isPooled.Load() {
		s.startListening()
	}
	return nil
}

// oldestServer is the oldest PostgreSQL that will do, as server_version_num has it.
const oldestServer = 140000

// checkServer refuses a server that does not keep what it says it has committed, and
// finds out whether it waits for a standby and whether a pooler stands in front of it.
func (s *Store) checkServer(ctx context.Context, conn *pgx.Conn) error {
	var version, pid int
	var isStandby bool
	var fsync, fullPages, standbys string
	err := conn.QueryRow(ctx, `select current_setting('server_version_num')::int, pg_backend_pid(), pg_is_in_recovery(),
		current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_standby_names')`,
		pgx.QueryExecModeSimpleProtocol).Scan(&version, &pid, &isStandby, &fsync, &fullPages, &standbys)
	if err != nil {
		return err
	}
	switch {
	case version < oldestServer:
		return refuse("its server is PostgreSQL %d: use %d or newer", version/10000, oldestServer/10000)
	case isStandby:
		return refuse("its server is a standby, which cannot be written: name the primary, or all hosts with target_session_attrs=read-write")
	case fsync != "on":
		return refuse("its server has fsync = off, so that what it has committed is lost in a power cut: set fsync = on")
	case fullPages != "on":
		return refuse("its server has full_page_writes = off, so that a power cut can damage what it has committed: set full_page_writes = on")
	}
	// A pooler gives its clients a process id of its own. Whether it keeps them on one
	// connection nobody says, so it is taken to change it after each transaction.
	s.isPooled.Store(uint32(pid) != conn.PgConn().PID())
	if err := s.checkCommits(ctx, conn); err != nil {
		return err
	}
	waitsFor := synchronousStandbys(standbys)
	s.replicated.Store(waitsFor > 0)
	if waitsFor < s.opts.Replicas {
		return refuse("its server waits for %d synchronous standbys and replicas asks for %d: set synchronous_standby_names, as to 'ANY %d (…)'",
			waitsFor, s.opts.Replicas, s.opts.Replicas)
	}
	return nil
}

// checkCommits sees to it that a commit is waited for.
func (s *Store) checkCommits(ctx context.Context, conn *pgx.Conn) error {
	if !s.isPooled.Load() {
		if _, err := conn.Exec(ctx, `set synchronous_commit = on`); err != nil {
			return refuse("synchronous_commit cannot be set on: %w", err)
		}
	}
	var commits, isolation string
	err := conn.QueryRow(ctx, `select current_setting('synchronous_commit'), current_setting('default_transaction_isolation')`,
		pgx.QueryExecModeSimpleProtocol).Scan(&commits, &isolation)
	if err != nil {
		return err
	}
	if s.isPooled.Load() && isolation != "read committed" {
		return refuse("behind the pooler default_transaction_isolation is %s: have it read committed for the user, with alter role", isolation)
	}
	if commits != "on" && commits != "remote_apply" {
		return refuse("behind the pooler synchronous_commit is %s: have it on for the user, with alter role … set synchronous_commit = on", commits)
	}
	return nil
}

// synchronousStandbys returns for how many standbys a commit waits.
func synchronousStandbys(names string) int {
	names = strings.TrimSpace(names)
	if names == "" {
		return 0
	}
	words := strings.Fields(strings.ReplaceAll(names, "(", " ( "))
	if upper := strings.ToUpper(words[0]); (upper == "ANY" || upper == "FIRST") && len(words) > 2 {
		words = words[1:]
	}
	if n, err := strconv.Atoi(words[0]); err == nil && len(words) > 1 && words[1] == "(" {
		return n
	}
	return 1
}

const (
	// mostDoubt is how far the database's clock may be from what is known of it.
	mostDoubt = time.Second
	clockAsks = 3
)

// checkClock refuses a database that answers too slowly for its clock to be known:
// half the time of the quickest answer is what is in doubt.
func checkClock(ctx context.Context, conn *pgx.Conn) error {
	doubt := time.Hour
	for range clockAsks {
		began := time.Now()
		if _, err := conn.Exec(ctx, `select clock_timestamp()`); err != nil {
			return err
		}
		doubt = min(doubt, time.Since(began)/2)
	}
	if doubt > mostDoubt {
		return refuse("it takes %s to answer, so that its clock is in doubt by more than %s: have the database nearer", 2*doubt, mostDoubt)
	}
	return nil
}

// tell logs what is to be known of the server, once.
func (s *Store) tell(isNew bool) {
	log := s.opts.Logger.With(zap.String("ledger", s.name))
	if isNew {
		log.Warn("began a new, empty ledger: copies of events from before it are not recognised")
	} else {
		log.Info("opened the ledger")
	}
	if !s.replicated.Load() {
		log.Warn("no standby of the ledger's database is synchronous: where the database itself does not replicate its storage, a failover can lose what was acknowledged")
	}
	if s.isPooled.Load() {
		log.Info("a pooler stands in front of the ledger's database: statements are not prepared, and what other processes do is seen by polling")
	}
}
