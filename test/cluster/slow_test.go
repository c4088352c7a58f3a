//go:build cluster

package cluster

import (
	"sync"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/postgrestest"
	"github.com/seed-338f6760/caddy-ccpayment/test/shop"
)

// slow is how long one commit takes at a database that has not enough of a machine: a
// Caddy's may then take longer than it waits for them.
const slow = 2 * time.Second

// watchSpeed notes the times in which the database is slow as cuts, until end is called:
// what Caddys could not record then comes again, however soon they are ended.
func watchSpeed(t *testing.T, s *shop.Shop, database *postgrestest.Server) (end func()) {
	t.Helper()
	database.Exec(t, `create table commits ()`)
	ending, ended := make(chan struct{}), make(chan struct{})
	sum := time.Duration(0)
	go func() {
		defer close(ended)
		for {
			select {
			case <-ending:
				return
			case <-time.After(slow / 4):
			}
			from := time.Now()
			database.Exec(t, `insert into commits default values`)
			if took := time.Since(from); took > slow {
				sum += took
				s.Cut(0, from, time.Now())
			}
		}
	}()
	end = sync.OnceFunc(func() {
		close(ending)
		<-ended
		t.Logf("the database was too slow for %s", sum)
	})
	t.Cleanup(end)
	return end
}
