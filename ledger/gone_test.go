package ledger_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// company is a store that another process shares, or does not any more.
type company struct {
	*connection
	mu     sync.Mutex
	others []ledger.Session
}

func (c *company) are(others ...ledger.Session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.others = others
}

// Keep implements [ledger.Cluster].
func (c *company) Keep(ctx context.Context, about ledger.Session, held []uint64) (ledger.News, error) {
	news, err := c.connection.Keep(ctx, about, held)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, other := range c.others {
		other.SeenAt = news.Now
		news.Others = append(news.Others, other)
	}
	return news, err
}

// TestGone: a process whose session has ended is remembered for an hour, with when it was
// last seen, unless it comes back.
func TestGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		way := &company{connection: newDatabase().Connect("a")}
		l := ledger.New(way, time.Now)
		ctx, end := context.WithCancel(bg)
		var ended sync.WaitGroup
		defer ended.Wait()
		defer end()
		ended.Go(func() { l.Share(ctx, func() ledger.Session { return ledger.Session{Name: "a/1"} }, func(error) {}) })
		want := func(others int, gone ...string) {
			t.Helper()
			time.Sleep(10 * time.Second)
			synctest.Wait()
			is := l.Gone()
			if len(l.Others()) != others || len(is) != len(gone) {
				t.Fatalf("there are %+v, and gone are %+v", l.Others(), is)
			}
			for i, name := range gone {
				if ago := time.Since(is[i].SeenAt); is[i].Name != name || ago <= 0 || ago > time.Hour {
					t.Errorf("gone is %+v, %s ago", is[i], ago)
				}
			}
		}
		way.are(ledger.Session{Name: "b/1"}, ledger.Session{Name: "c/1"})
		want(2)
		if self := l.Self(); self.Name != "a/1" || time.Since(self.SeenAt) > 4*time.Second {
			t.Errorf("this process is %+v", self)
		}
		way.are(ledger.Session{Name: "c/1"})
		want(1, "b/1")
		way.are(ledger.Session{Name: "b/1"}, ledger.Session{Name: "c/1"})
		want(2)
		way.are()
		want(0, "b/1", "c/1")
		time.Sleep(time.Hour)
		want(0)
	})
}
