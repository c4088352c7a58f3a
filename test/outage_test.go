package test

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
)

// send delivers all of the events, each once, and checks that each is
// acknowledged.
func send(t *testing.T, url string, events []event) {
	t.Helper()
	connections := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4 * senders}, Timeout: processtest.Patience}
	defer connections.CloseIdleConnections()
	var next atomic.Int64
	var all sync.WaitGroup
	for range 4 * senders {
		all.Go(func() {
			for !t.Failed() {
				n := int(next.Add(1)) - 1
				if n >= len(events) {
					return
				}
				if a, err := deliver(t.Context(), connections, url, events[n], appSecret); err != nil || !a.yes() {
					t.Errorf("the answer is %d %q, %v", a.status, a.text, err)
				}
			}
		})
	}
	all.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

func newEvents(n int) []event {
	events := make([]event, n)
	for i := range events {
		events[i] = newEvent()
	}
	return events
}

// arrived waits until the app has said yes to each of the events.
func arrived(t *testing.T, app *receiver, events []event) {
	t.Helper()
	processtest.Until(t, "all events have arrived", func() bool {
		taken := make(map[string]bool)
		for _, c := range app.received() {
			taken[c.key] = taken[c.key] || c.yes > 0
		}
		for _, e := range events {
			if !taken[e.key.EventID()] {
				return false
			}
		}
		return true
	})
}

// checkCalledOnce checks that the app was called once for each of the events,
// and for nothing else.
func checkCalledOnce(t *testing.T, app *receiver, events []event) {
	t.Helper()
	keys := app.keys()
	for _, e := range events {
		if times := len(keys[e.key.EventID()]); times != 1 {
			t.Errorf("%s was handed over %d times", e.key.ID, times)
		}
	}
	if len(keys) != len(events) {
		t.Errorf("%d events were handed over of %d", len(keys), len(events))
	}
}

// TestAppAway: webhooks are acknowledged while the app is away. The app is not called
// too often, and gets every event when it is back.
func TestAppAway(t *testing.T) {
	const n = 500
	app := newReceiver(t)
	away := processtest.Listen(t, app.address)
	var refused atomic.Int64
	var hangingUp sync.WaitGroup
	hangingUp.Go(func() { // hangs up on whoever comes
		for {
			connection, err := away.Accept()
			if err != nil {
				return
			}
			refused.Add(1)
			connection.Close()
		}
	})
	s := newServer(t, app.url)
	s.start(globals + stored)
	events := newEvents(n)
	began := time.Now()
	send(t, s.hook, events)
	since := time.Now()
	processtest.Until(t, "a retry of each event would have come", func() bool { return time.Since(since) > 2*time.Second })
	// 32 at once, then one at a time, a second apart and more.
	probes := refused.Load()
	if probes == 0 || probes > 50+int64(time.Since(began)/time.Second) {
		t.Errorf("an app that is away was called %d times for %d events", probes, n)
	}
	away.Close()
	hangingUp.Wait()
	app.comes()
	back := time.Now()
	arrived(t, app, events)
	t.Logf("%d events were acknowledged while the app refused %d connections; all of them had arrived %s after it came", n, probes, time.Since(back).Round(time.Millisecond))
	checkCalledOnce(t, app, events)
	s.stop()
	checkLedgerKnows(t, s, events)
}

// TestRoutesApart: an app that holds what it gets, or is not there, delays
// nobody but itself.
func TestRoutesApart(t *testing.T) {
	const n = 500
	healthy, slow, dead := newReceiver(t), newReceiver(t), newReceiver(t) // the last one never comes
	release := make(chan struct{})
	open := sync.OnceFunc(func() { close(release) })
	t.Cleanup(open) // before the app is closed, which waits for its calls
	slow.meets = func(http.ResponseWriter, call) { <-release }
	healthy.comes()
	slow.comes()
	t.Cleanup(open)

	route := func(name string, app *receiver) string {
		return strings.NewReplacer("/hook", "/"+name, "confirm", "route "+name+"\n\t\tconfirm", "{$APP}", app.url).Replace(handler)
	}
	s := newServer(t, "")
	s.start(globals + "http://127.0.0.1:{$PORT} {\n" + route("healthy", healthy) + route("slow", slow) + route("dead", dead) + "\trespond here\n}\n")
	base := strings.TrimSuffix(s.hook, "/hook")
	held, events := newEvents(n), newEvents(n)
	send(t, base+"/slow", held)
	send(t, base+"/dead", newEvents(n))
	send(t, base+"/slow", events) // the same records on two routes
	processtest.Until(t, "the slow app holds its first", func() bool { return len(slow.received()) > 0 })
	send(t, base+"/healthy", events)
	arrived(t, healthy, events)
	for _, c := range slow.received() {
		if c.yes > 0 {
			t.Fatal("the slow app has let one go: this shows nothing")
		}
	}
	checkCalledOnce(t, healthy, events)

	open()
	arrived(t, slow, append(held, events...))
	checkCalledOnce(t, slow, append(held, events...))
	s.stop()
}
