package crash

import (
	"bytes"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/test/shop"
)

// damaged changes a bit in each of the two pages of the ledger by which bbolt finds all
// others, while no Caddy runs, and starts one. It must say so, acknowledge nothing, and
// leave the file alone, so that nothing is lost where the bits are put back. (A page that
// only some events are on cannot be put back: meanwhile Caddy works with the others. What
// is then noticed is for the tests of store/bolt and ledger.)
func damaged(t *testing.T, s *shop.Shop, file string, random *rand.Rand) {
	t.Helper()
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	broken := bytes.Clone(whole)
	const header, fields = 16, 48 // of a page; then, what the check sum is of
	for page := range 2 {
		at := page*os.Getpagesize() + header + random.IntN(fields)
		broken[at] ^= 1 << random.IntN(8)
	}
	if err := os.WriteFile(file, broken, 0o600); err != nil {
		t.Fatal(err)
	}
	s.Caddy.Begin()
	processtest.Until(t, "Caddy does not start with a damaged ledger", func() bool { return s.Caddy.Gone() })
	s.Caddy.Wait(t)
	if left, err := os.ReadFile(file); err != nil || !bytes.Equal(left, broken) {
		t.Errorf("a damaged ledger was changed: %d bytes, which were %d, %v", len(left), len(broken), err)
	}
	if err := os.WriteFile(file, whole, 0o600); err != nil {
		t.Fatal(err)
	}
}
