//go:build cluster

package cluster

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"syscall"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/internal/postgrestest"
	"github.com/seed-338f6760/caddy-ccpayment/test/shop"
)

// newer returns a Caddy whose schema is one version newer than this one's, and both
// versions.
func newer(t *testing.T) (binary string, version, next int) {
	t.Helper()
	const file = "../../store/postgres/migrate.go"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	number := regexp.MustCompile(`const schemaVersion = (\d+)`)
	found := number.FindSubmatch(text)
	if found == nil {
		t.Fatalf("%s has no %s", file, number)
	}
	if version, err = strconv.Atoi(string(found[1])); err != nil {
		t.Fatal(err)
	}
	next = version + 1
	binary = shop.Changed(t, map[string]string{
		file: number.ReplaceAllString(string(text), fmt.Sprintf("const schemaVersion = %d", next)),
		fmt.Sprintf("../../store/postgres/migrations/%d.sql", next): "alter table ledger.events add column more int not null default 1;\n" +
			"create index events_more on ledger.events (more);\nalter table ledger.leases add column more int;\ncreate table ledger.more (n int);\n",
	})
	return binary, version, next
}

// TestRolled replaces the Caddys one after the other under load, first by the same
// program and then by one with a newer schema, beside which the old ones go on, also
// those that are started again. Whoever sends webhooks is not told. Nothing is handed
// over twice.
func TestRolled(t *testing.T) { //nolint:tparallel // one after the other: each has three Caddys
	binary, version, next := newer(t)
	for _, m := range shop.Modes[:2] {
		t.Run(m.Name, func(t *testing.T) {
			t.Parallel()
			database := postgrestest.Start(t)
			s := newShop(t, m, database)
			s.Start()
			end := s.Load()
			replace := func(c *shop.Caddy) {
				t.Helper()
				s.Flow(20)
				c.End(t, syscall.SIGTERM)
				c.Start()
				s.Flow(20)
			}
			has := func(want int) {
				t.Helper()
				if got := database.Value(t, `select version from ccpayment.meta`); got != strconv.Itoa(want) {
					t.Errorf("the schema has version %s, want %d", got, want)
				}
			}
			for _, c := range s.Caddys {
				replace(c)
			}
			has(version)
			s.Caddys[0].Becomes(binary)
			replace(s.Caddys[0])
			has(next)
			replace(s.Caddys[1]) // by an old one, once more
			for _, c := range s.Caddys[1:] {
				c.Becomes(binary)
				replace(c)
			}
			end()
			s.Settle()
			h := s.History()
			report := shop.Check(t, h)
			if report.Again > 0 {
				t.Errorf("%d attempts were made again", report.Again)
			}
			t.Logf("7 Caddys were replaced: %d orders of which %d paid, %d deliveries of %d events, %d attempts",
				len(h.Orders), len(h.Paid), len(h.Sent), len(h.Events), len(h.Attempts))
		})
	}
}
