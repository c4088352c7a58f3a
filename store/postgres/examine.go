package postgres

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Examine implements [ledger.Examiner]. It looks at the server as the start does, on a
// connection of its own.
func (s *Store) Examine(ctx context.Context) (ledger.Condition, error) {
	var c ledger.Condition
	conn, err := s.dial(ctx)
	if err != nil {
		return c, s.explain(err)
	}
	defer conn.Close(context.Background())
	is, unfit := checkServer(ctx, conn, s.opts.Replicas)
	took, slow := checkClock(ctx, conn)
	for _, err := range []error{unfit, slow} {
		switch {
		case err == nil:
		case errors.As(err, new(refusal)):
			c.Care = append(c.Care, err.Error())
		default:
			return c, s.explain(err)
		}
	}
	c.Facts = []string{
		fmt.Sprintf("PostgreSQL %d", is.version/10000),
		fmt.Sprintf("answers in %s", took.Round(10*time.Microsecond)),
		fmt.Sprintf("its clock is known to %s", (took / 2).Round(10*time.Microsecond)),
	}
	if is.standbys > 0 {
		c.Facts = append(c.Facts, fmt.Sprintf("synchronous standbys that a commit waits for: %d", is.standbys))
	} else {
		c.Facts = append(c.Facts, "no standby is synchronous, so that a failover can lose what was acknowledged unless its storage is replicated")
	}
	switch {
	case is.isPooled:
		c.Facts = append(c.Facts, fmt.Sprintf("behind a pooler, so that what others store is seen every %s", s.opts.Poll))
	case s.opts.NoListen:
		c.Facts = append(c.Facts, fmt.Sprintf("listen is off, so that what others store is seen every %s", s.opts.Poll))
	}
	config := s.pool.Config().ConnConfig
	switch hosts := exposed(config); {
	case len(hosts) > 0 && isPlain(config):
		c.Facts = append(c.Facts, "not encrypted, as sslmode=disable says: for a network that nobody else is on")
	case len(hosts) > 0:
		c.Care = append(c.Care, fmt.Sprintf("the connection to %s is %s: %s", strings.Join(hosts, ", "), notSafe, makeSafe))
	}
	return c, nil
}

const (
	notSafe  = "not safe from others on the way, and bodies of webhooks pass there"
	makeSafe = "add sslmode=verify-full&sslrootcert=<file> to url, with the file of the authority that signed the server's certificate"
)

// exposed returns the hosts that are reached over a network, and not by sslmode
// verify-full: whoever stands between may read what passes, or be the server.
func exposed(config *pgx.ConnConfig) (hosts []string) {
	ways := append([]*pgconn.FallbackConfig{{Host: config.Host, TLSConfig: config.TLSConfig}}, config.Fallbacks...)
	for _, way := range ways {
		isSafe := way.TLSConfig != nil && !way.TLSConfig.InsecureSkipVerify // which verify-ca sets, too
		if !isSafe && !isHere(way.Host) && !slices.Contains(hosts, way.Host) {
			hosts = append(hosts, way.Host)
		}
	}
	return hosts
}

// isPlain reports whether no way to the server is encrypted, which has to be asked for.
func isPlain(config *pgx.ConnConfig) bool {
	return config.TLSConfig == nil && !slices.ContainsFunc(config.Fallbacks, func(way *pgconn.FallbackConfig) bool { return way.TLSConfig != nil })
}

// isHere reports whether a host is this machine, by a socket or its loopback address.
func isHere(host string) bool {
	if network, _ := pgconn.NetworkAddress(host, 0); network == "unix" || host == "localhost" {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.Unmap().IsLoopback()
}

// Interface guard
var _ ledger.Examiner = (*Store)(nil)
