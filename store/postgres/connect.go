package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// connectTimeout is how long a connection may take to be made, where the URL does not
// say: a host that does not answer must not keep the next one waiting.
const connectTimeout = 2 * time.Second

var (
	errURL      = errors.New("url is neither a URL such as postgres://user:password@host:5432/database nor settings such as host=… dbname=…")
	errEncode   = errors.New("url has a second @ in it: in a user's name or a password write @ as %40, / as %2F and : as %3A")
	errNoCancel = errors.New("statements are not cancelled")
)

// parse reads a URL. Its error does not repeat what it was given, which may have a
// password in it.
func parse(url string) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errURL
	}
	// The first @ ends what is before the host, so that a password with one would be named as
	// the host, in the log too.
	if strings.Contains(nameOf(config.ConnConfig), "@") {
		return nil, errEncode
	}
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = connectTimeout
	}
	if config.ConnConfig.ValidateConnect == nil && strings.Contains(nameOf(config.ConnConfig), ",") {
		// Of several hosts the one that can be written is wanted, also after a failover.
		config.ConnConfig.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	return config, nil
}

// nameOf names the database that a configuration leads to: all its hosts, and the
// database, without who connects and how.
func nameOf(config *pgx.ConnConfig) string {
	var hosts []string
	seen := make(map[string]bool)
	add := func(host string, port uint16) {
		if name := net.JoinHostPort(host, strconv.Itoa(int(port))); !seen[name] {
			seen[name] = true
			hosts = append(hosts, name)
		}
	}
	add(config.Host, config.Port)
	for _, other := range config.Fallbacks { // also one for each way of encrypting
		add(other.Host, other.Port)
	}
	return strings.Join(hosts, ",") + "/" + config.Database
}

// configure prepares the pool's connections.
func (s *Store) configure(config *pgxpool.Config) {
	config.MaxConns = int32(s.opts.MaxConns)
	config.MaxConnIdleTime = 5 * time.Minute
	s.guard(config.ConnConfig)
	config.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error {
		neverCancel(c)
		if s.isPooled.Load() {
			// The server that a statement was prepared on is not the one that runs it.
			c.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
		}
		return nil
	}
	config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		s.kinds.Clear()         // this server may lack what the one before it had
		if !s.isPooled.Load() { // else what is set here would be another's
			if _, err := conn.Exec(ctx, sessionSettings); err != nil {
				return err
			}
		}
		return s.checkAgain(conn.QueryRow(ctx, settingsSQL, pgx.QueryExecModeSimpleProtocol))
	}
	// A connection that died while nobody used it is found out before a step is sent on
	// it, so that the step's outcome is not in doubt.
	config.PrepareConn = func(_ context.Context, conn *pgx.Conn) (bool, error) {
		return isQuiet(conn.PgConn().Conn()), nil
	}
	config.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false }
}

// sessionSettings hold for each connection. Every statement is by key: a plan that was
// made when a table was small stays right. Whoever has locked something may have been cut
// off in the middle of a batch: nobody waits for it long, and the server is to notice
// that a client is gone as soon as that notices a server.
const sessionSettings = `
set synchronous_commit = on;
set plan_cache_mode = force_generic_plan;
set jit = off;
set enable_seqscan = off;
set enable_mergejoin = off;
set statement_timeout = 0;
set idle_in_transaction_session_timeout = 0;
set lock_timeout = '3s';
set tcp_keepalives_idle = 5;
set tcp_keepalives_interval = 5;
set tcp_keepalives_count = 3;
set tcp_user_timeout = 20000;
set default_transaction_isolation = 'read committed'`

// guard has a connection's warnings noted, and gives up one whose server is gone.
func (s *Store) guard(config *pgx.ConnConfig) {
	config.OnNotice = onNotice
	dialer := &net.Dialer{Timeout: config.ConnectTimeout, Control: limitSilence, KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: 5 * time.Second, Interval: 5 * time.Second, Count: 3,
	}}
	config.DialFunc = dialer.DialContext
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "caddy-ccpayment " + s.opts.Schema
	}
}

// neverCancel keeps pgx from asking the server to cancel what a connection runs, which
// it does whenever that fails.
func neverCancel(config *pgx.ConnConfig) {
	var isConnected atomic.Bool
	dial, after := config.DialFunc, config.AfterConnect
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		if isConnected.Load() {
			return nil, errNoCancel
		}
		return dial(ctx, network, address)
	}
	config.AfterConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
		isConnected.Store(true)
		if after != nil {
			return after(ctx, conn)
		}
		return nil
	}
}

// dial makes a connection beside the pool.
func (s *Store) dial(ctx context.Context) (*pgx.Conn, error) {
	config := s.pool.Config().ConnConfig
	neverCancel(config)
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", err)
	}
	return conn, nil
}
