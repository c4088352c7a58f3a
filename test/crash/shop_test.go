package crash

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/store/bolt"
	"github.com/seed-338f6760/caddy-ccpayment/test/fault"
	"github.com/seed-338f6760/caddy-ccpayment/test/shop"
)

func TestMain(m *testing.M) { os.Exit(shop.Main(m.Run)) }

// newShop makes a shop with one Caddy, which keeps its ledger in a file. The account may get
// more options.
func newShop(t *testing.T, m shop.Mode, options ...string) *shop.Shop {
	t.Helper()
	return newShopAt(t, filepath.Join(t.TempDir(), "ledger.db"), m, options...)
}

// newShopAt makes one that keeps it in this file.
func newShopAt(t *testing.T, file string, m shop.Mode, options ...string) *shop.Shop {
	t.Helper()
	return shop.New(t, shop.Options{Mode: m, Ledger: shop.Ledger{
		Store: "store bolt {\n path {$LEDGER}\n }\n" + strings.Join(options, "\n"),
		Env:   func(int) []string { return []string{"LEDGER=" + file, fault.ClockVariable + "=" + clockOf(file)} },
		Open: func() (ledger.Store, error) {
			return bolt.Open(file, bolt.Options{LockTimeout: 5 * time.Second})
		},
	}})
}

// clockOf is the file that sets the clock of the Caddy with this ledger, if it can be set.
func clockOf(file string) string { return file + ".clock" }
