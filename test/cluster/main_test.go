package cluster

import (
	"os"
	"testing"
	"time"

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

// newShop makes a shop whose Caddys keep their ledger in a database.
func newShop(t *testing.T, m shop.Mode, database *postgrestest.Server, more ...func(*shop.Options)) *shop.Shop {
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
	return shop.New(t, o)
}

// afterwards is how long connections may still fail because of what is over.
const afterwards = 5 * time.Second
