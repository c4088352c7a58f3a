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
	is, err := checkServer(ctx, conn, s.opts.Replicas)
	if err != nil {
		return err
	}
	s.isPooled.Store(is.isPooled)
	s.replicated.Store(is.standbys > 0)
	if _, err := checkClock(ctx, conn); err != nil {
		return err
	}
	isNew, err := s.migrate(ctx, conn)
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

// server is what is known of the database's server.
type server struct {
	version int // as server_version_num has it
	// isPooled: a pooler stands in front of it.
	isPooled bool
	// standbys is for how many of them a commit waits.
	standbys int
}

// checkServer finds out what the server is. It refuses one that does not keep what it
// says it has committed, or that waits for fewer standbys than replicas.
func checkServer(ctx context.Context, conn *pgx.Conn, replicas int) (is server, err error) {
	var pid int
	var isolation string
	err = conn.QueryRow(ctx, `select current_setting('server_version_num')::int, pg_backend_pid(), current_setting('default_transaction_isolation')`,
		pgx.QueryExecModeSimpleProtocol).Scan(&is.version, &pid, &isolation)
	if err != nil {
		return is, err
	}
	if is.version < oldestServer {
		return is, refuse("its server is PostgreSQL %d: use %d or newer", is.version/10000, oldestServer/10000)
	}
	// A pooler gives its clients a process id of its own. Whether it keeps them on one
	// connection nobody says, so it is taken to change it after each transaction.
	is.isPooled = uint32(pid) != conn.PgConn().PID()
	if !is.isPooled {
		if _, err := conn.Exec(ctx, `set synchronous_commit = on`); refused(err) {
			return is, refuse("synchronous_commit cannot be set on: %w", err)
		} else if err != nil {
			return is, err
		}
	}
	keeps, err := readSettings(conn.QueryRow(ctx, settingsSQL, pgx.QueryExecModeSimpleProtocol))
	if err != nil {
		return is, err
	}
	is.standbys = synchronousStandbys(keeps.standbys)
	if is.isPooled && isolation != "read committed" {
		return is, refuse("behind the pooler default_transaction_isolation is %s: have it read committed for the user, with alter role", isolation)
	}
	return is, keeps.check(replicas)
}

// settings are what it depends on whether a server keeps what it has committed. They
// may change while it runs, and behind a pooler also with the server.
type settings struct {
	isStandby                           bool
	fsync, fullPages, commits, standbys string
}

const settingsSQL = `select pg_is_in_recovery(), current_setting('fsync'), current_setting('full_page_writes'),
	current_setting('synchronous_commit'), current_setting('synchronous_standby_names')`

func readSettings(row pgx.Row) (is settings, err error) {
	err = row.Scan(&is.isStandby, &is.fsync, &is.fullPages, &is.commits, &is.standbys)
	return is, err
}

// check refuses a server that does not keep what it says it has committed, or that
// waits for fewer standbys than replicas.
func (is settings) check(replicas int) error {
	standbys := synchronousStandbys(is.standbys)
	switch {
	case is.isStandby:
		return refuse("its server is a standby, which cannot be written: name the primary, or all hosts with target_session_attrs=read-write")
	case is.fsync != "on":
		return refuse("its server has fsync = off, so that what it has committed is lost in a power cut: set fsync = on")
	case is.fullPages != "on":
		return refuse("its server has full_page_writes = off, so that a power cut can damage what it has committed: set full_page_writes = on")
	case is.commits != "on" && is.commits != "remote_apply":
		return refuse("behind the pooler synchronous_commit is %s: have it on for the user, with alter role … set synchronous_commit = on", is.commits)
	case standbys < replicas:
		return refuse("its server waits for %d synchronous standbys and replicas asks for %d: set synchronous_standby_names, as to 'ANY %d (…)'",
			standbys, replicas, replicas)
	}
	return nil
}

// checkAgain notes whether commits wait for a standby, and refuses a server that is not
// fit any more, or that took the place of one that was.
func (s *Store) checkAgain(row pgx.Row) error {
	is, err := readSettings(row)
	if err != nil {
		return err
	}
	s.replicated.Store(synchronousStandbys(is.standbys) > 0)
	return is.check(s.opts.Replicas)
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

// checkClock returns how long the quickest of a few answers took, half of which its
// clock is in doubt by. It refuses a database that answers too slowly for that.
func checkClock(ctx context.Context, conn *pgx.Conn) (took time.Duration, err error) {
	took = time.Hour
	for range clockAsks {
		began := time.Now()
		if _, err := conn.Exec(ctx, `select clock_timestamp()`); err != nil {
			return took, err
		}
		took = min(took, time.Since(began))
	}
	if took/2 > mostDoubt {
		err = refuse("it takes %s to answer, so that its clock is in doubt by more than %s: have the database nearer", took, mostDoubt)
	}
	return took, err
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
	if hosts := exposed(s.pool.Config().ConnConfig); len(hosts) > 0 {
		log.Warn("the connection to the ledger's database is "+notSafe+": "+makeSafe, zap.Strings("hosts", hosts))
	}
	if s.isPooled.Load() {
		say := log.Warn
		if s.opts.NoListen { // which is known, then
			say = log.Info
		}
		say("a pooler stands in front of the ledger's database: statements are not prepared, and what other processes do is seen by polling")
	}
}
