package test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
)

const notTaken = "the app did not take the event"

// persist sends the event until it is acknowledged, whatever goes wrong until
// then. A response that is no acknowledgement must not read like one.
func persist(ctx context.Context, url string, e event) error {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		a, err := deliver(ctx, processtest.Once, url, e, appSecret)
		switch {
		case err == nil && a.yes():
			return nil
		case strings.Contains(a.text, "Success"):
			return errors.New("an answer that is no yes says Success")
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return errors.Join(errors.New("was not acknowledged"), err)
		}
	}
}

// persistAll sends all of the events at the same time; wait ends when each is
// acknowledged.
func persistAll(t *testing.T, url string, events []event) (wait func()) {
	var senders sync.WaitGroup
	for _, e := range events {
		senders.Go(func() {
			if err := persist(t.Context(), url, e); err != nil {
				t.Errorf("%s: %v", e.key.ID, err)
			}
		})
	}
	return senders.Wait
}

// TestAppKilled: the app is killed with requests on their way, and comes back.
// What it had not said yes to it gets again, and nothing else.
func TestAppKilled(t *testing.T) {
	t.Parallel()
	const kills, n = 5, 40
	for name, config := range map[string]string{"pass-through": site, "store-and-forward": stored} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app := newReceiver(t)
			var mu sync.Mutex
			cut := make(map[string]int) // by key, how often the app died at it
			dying, died := make(chan struct{}), make(chan struct{})
			var holds atomic.Bool // the next request stays on its way until the app dies
			app.meets = func(_ http.ResponseWriter, c call) {
				mu.Lock()
				dies, died := dying, died
				mu.Unlock()
				answers := time.After(rand.N(10 * time.Millisecond))
				if holds.CompareAndSwap(true, false) {
					answers = nil
				}
				select {
				case <-dies:
				case <-answers:
					return
				}
				<-died
				mu.Lock()
				cut[c.key]++
				mu.Unlock()
				panic(http.ErrAbortHandler)
			}
			app.comes()
			s := newServer(t, app.url)
			s.start(globals + config)
			var events []event
			for range kills {
				some := newEvents(n)
				events = append(events, some...)
				before := app.count()
				holds.Store(true)
				wait := persistAll(t, s.hook, some)
				processtest.Until(t, "requests are on their way", func() bool { return app.count() > before })
				close(dying)
				app.server.Listener.Close()
				app.server.CloseClientConnections()
				close(died)
				processtest.Until(t, "the log says it", func() bool { return strings.Contains(s.Output.String(), notTaken) })
				app.server.Close() // when its last handler has died
				mu.Lock()
				dying, died = make(chan struct{}), make(chan struct{})
				mu.Unlock()
				app.comes()
				wait()
			}
			arrived(t, app, events)
			s.stop()
			checkLedgerKnows(t, s, events)

			again := 0
			for key, calls := range app.keys() {
				again += len(calls) - 1
				yes, attempt := 0, 0
				for _, c := range calls {
					if c.yes > 0 {
						yes++
					}
					// The same one comes twice where its connection broke before any answer.
					if c.attempt < attempt {
						t.Errorf("attempt %d of %s came after attempt %d", c.attempt, key, attempt)
					}
					attempt = c.attempt
				}
				// An answer can be cut off, too.
				if yes < 1 || yes > 1+kills || len(calls) != yes+cut[key] {
					t.Errorf("%s was handed over %d times, cut off %d times, and had %d yeses", key, len(calls), cut[key], yes)
				}
			}
			if most := kills * 64; again > most {
				t.Errorf("%d attempts were made again: more than were on their way", again)
			}
			t.Logf("%d events, %d kills, %d attempts made again", len(events), kills, again)
		})
	}
}
