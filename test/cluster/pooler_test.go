//go:build cluster

package cluster

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/postgrestest"
	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/test/shop"
)

// pooled is a server behind a pooler.
type pooled struct {
	*postgrestest.Server
	pooler *postgrestest.Pooler
}

// URL leads to the pooler.
func (p pooled) URL() string { return p.pooler.URL() }

// TestPooler has the Caddys behind a pooler in transaction mode, and kills them and the
// pooler under load.
func TestPooler(t *testing.T) { //nolint:tparallel // one after the other: each has three Caddys
	for name, option := range map[string]string{"listen off": "listen off\n url", "found out": "url"} {
		for _, m := range shop.Modes[:2] {
			t.Run(name+"/"+m.Name, func(t *testing.T) {
				t.Parallel()
				server := postgrestest.Start(t)
				p := pooled{server, server.Pooler(t)}
				s := newShop(t, m, p, func(o *shop.Options) { o.Store = strings.Replace(o.Store, "url", option, 1) })
				s.Start()
				if option == "url" {
					processtest.Until(t, "each Caddy warns of the pooler", func() bool {
						return !slices.ContainsFunc(s.Caddys, func(c *shop.Caddy) bool {
							return strings.Count(c.Output.String(), "a pooler stands in front") != 1
						})
					})
				}
				end := s.Load()
				for n := range 10 {
					s.Flow(1 + rand.IntN(30))
					<-time.After(rand.N(20 * time.Millisecond)) // anywhere
					if n%2 == 0 {
						c := s.AnyUp()
						c.Kill()
						c.Begin()
						continue
					}
					from := time.Now()
					p.pooler.Kill()
					p.pooler.Run(t)
					s.Cut(0, from, time.Now().Add(afterwards))
				}
				s.Flow(20)
				s.AllUp()
				end()
				s.Settle()
				h := s.History()
				report := shop.Check(t, h)
				t.Logf("5 kills of a Caddy and 5 of the pooler: %d orders of which %d paid, %d deliveries of %d events, %d attempts of which %d made again",
					len(h.Orders), len(h.Paid), len(h.Sent), len(h.Events), len(h.Attempts), report.Again)
				for _, c := range s.Caddys {
					for _, of := range []string{"prepared statement", "cached plan"} {
						if strings.Contains(c.Output.String(), of) {
							t.Errorf("run %d says something of a %s", c.Run, of)
						}
					}
				}
			})
		}
	}
}
