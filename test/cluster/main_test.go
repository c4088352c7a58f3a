package cluster

import (
	"os"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/internal/postgrestest"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/store/postgres"
	"github.com/seed-338f6760/caddy-ccpayment/test/shop"
)

func TestMain(m *testing.M) {
	os.Exit(shop.Main(func() int { return postgrestest.Main(m) }))
}

// caddys is how many share a ledger.
const caddys = 3

// schema is the ledger's, of a database that no other test uses.
const schema = "ccpayment"

// database is a server, or several that take each other's place.
type database interface {
	URL() string
	Value(t testing.TB, sql string, args ...any) string
}

// newShop makes a shop whose Caddys keep their ledger in a database.
func newShop(t *testing.T, m shop.Mode, database database, more ...func(*shop.Options)) *shop.Shop {
	t.Helper()
	o := shop.Options{Mode: m, Caddys: caddys, Backlog: 200, Ledger: shop.Ledger{
		Shared: true,
		Store:  "store postgres {\n url {$LEDGER}\n schema " + schema + "\n }",
		Env:    func(int) []string { return []string{"LEDGER=" + database.URL()} },
		Open: func() (ledger.Store, error) {
			return postgres.Open(postgres.Options{URL: database.URL(), Schema: schema})
		},
	}}
	for _, change := range more {
		change(&o)
	}
	s := shop.New(t, o)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(waiting(t, database))
		}
	})
	return s
}

// waiting describes what is due, with the lease that it waits for.
func waiting(t *testing.T, database database) string {
	t.Helper()
	return database.Value(t, `select coalesce(string_agg(format(
		'%s of record %s: due for %s s, epoch %s of session %s, which has %s s, for %s s', d.id, d.record, now.s - d.at/1000000000, l.epoch,
		l.session, s.until/1000000000 - now.s, l.until/1000000000 - now.s), E'\n'), 'nothing is due')
		from ccpayment.due d cross join (select extract(epoch from clock_timestamp())::bigint as s) now
		left join ccpayment.leases l using (record) left join ccpayment.sessions s on s.id = l.session`)
}
