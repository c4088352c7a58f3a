package test

import (
	"flag"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
)

var pending = flag.Int("pending", 2000, "how many events TestManyPending leaves pending")

// TestManyPending: events that could not be delivered before Caddy was stopped are
// delivered once it runs again.
func TestManyPending(t *testing.T) {
	const most = 64 << 20
	n := *pending
	app := newReceiver(t)
	s := newServer(t, app.url)
	s.start(globals + stored)
	events := newEvents(n)
	start := time.Now()
	send(t, s.hook, events)
	t.Logf("%d events were acknowledged in %s while the app was away", n, time.Since(start).Round(time.Millisecond))
	s.stop()

	app.comes()
	var first atomic.Int64
	start = time.Now()
	app.meets = func(http.ResponseWriter, call) { first.CompareAndSwap(0, int64(time.Since(start))) }
	s.start(globals + stored)
	ready, before := time.Since(start), memory(t, s)
	peak := before
	processtest.Until(t, "all events were handed over", func() bool {
		peak = max(peak, memory(t, s))
		return app.count() >= n
	})
	took := time.Since(start)
	arrived(t, app, events)
	after := memory(t, s)
	t.Logf("the first arrived %s after Caddy was started, which answered after %s; all %d after %s; memory was %d KiB, at most %d, %d at the end",
		time.Duration(first.Load()).Round(time.Millisecond), ready.Round(time.Millisecond), n, took.Round(time.Millisecond),
		before>>10, peak>>10, after>>10)
	if peak-before > most {
		t.Errorf("memory grew by %d KiB", (peak-before)>>10)
	}
	s.stop()
	checkCalledOnce(t, app, events)
	checkLedgerKnows(t, s, events)
}
