//go:build unix

package test

import (
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
)

// TestStopped stops Caddy, as a machine does that is moved or swaps, for longer
// than an attempt may take and than the lease on its record. What was on its way
// is tried again, with the same key, and in order.
func TestStopped(t *testing.T) {
	t.Parallel()
	const n = 20
	// Longer than three seconds for the app, four for CCPayment, and half a minute.
	const lease = 45 * time.Second
	settings := strings.NewReplacer("confirm off", "confirm off\n\t\ttimeout 3s", "ccpayment {", "ccpayment {\n\t\tapi_timeout 1s")

	type stopped struct {
		*server
		app    *receiver
		goOn   func()
		events []event
		wait   func()
	}
	var servers []stopped
	for _, config := range []string{site, stored} {
		app := newReceiver(t)
		held := make(chan struct{})
		goOn := sync.OnceFunc(func() { close(held) })
		t.Cleanup(goOn)
		app.meets = func(http.ResponseWriter, call) {
			select {
			case <-held:
			default:
				<-held
				panic(http.ErrAbortHandler) // Caddy has left: that is no yes
			}
		}
		app.comes()
		t.Cleanup(goOn) // before the app is closed, which waits for its calls
		s := newServer(t, app.url)
		s.start(settings.Replace(globals + config))
		before := stopped{server: s, app: app, goOn: goOn, events: newEvents(n)}
		before.wait = persistAll(t, s.hook, before.events)
		processtest.Until(t, "all are on their way", func() bool { return len(app.keys()) == n })
		servers = append(servers, before)
	}
	for _, s := range servers {
		if err := s.Cmd.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
	}
	since := time.Now()
	processtest.Until(t, "every lease is over", func() bool { return time.Since(since) > lease })
	for _, s := range servers {
		if err := s.Cmd.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range servers {
		processtest.Until(t, "the log says it", func() bool {
			text := s.Output.String()
			return strings.Contains(text, notTaken) && strings.Contains(text, "no answer within 3s")
		})
		s.goOn()
		s.wait()
		arrived(t, s.app, s.events)
		keys := len(s.app.keys())
		if keys != n {
			t.Errorf("%d events were handed over of %d", keys, n)
		}
		checkRecords(t, s.app.received())
		after := newEvents(n)
		persistAll(t, s.hook, after)()
		arrived(t, s.app, after)
		for _, e := range after {
			if calls := s.app.keys()[e.key.EventID()]; len(calls) != 1 {
				t.Errorf("%s came afterwards and was handed over %d times", e.key.ID, len(calls))
			}
		}
		s.stop()
		checkLedgerKnows(t, s.server, append(s.events, after...))
	}
}
