package test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/test/fault"
)

// clockBinary is a Caddy of which the clock can be set while it runs.
var clockBinary = sync.OnceValues(func() (string, error) {
	return fault.TimedCaddy(filepath.Join(filepath.Dir(binary), "clock"), tags)
})

// newTimed returns a server, not started yet, whose clock can be set.
func newTimed(t *testing.T, app string) *server {
	t.Helper()
	program, err := clockBinary()
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, app)
	s.program = program
	s.env = append(s.env, fault.ClockVariable+"="+s.clock())
	return s
}

// clock is the file that its clock is set with.
func (s *server) clock() string { return filepath.Join(s.dir, "clock") }

// setClock sets the clock of a server from newTimed to be so much ahead of ours.
func (s *server) setClock(ahead time.Duration) {
	s.t.Helper()
	if err := fault.SetClock(s.clock(), ahead); err != nil {
		s.t.Fatal(err)
	}
	seconds := fmt.Sprint(int(ahead.Seconds()))
	processtest.Until(s.t, "the clock is set", func() bool {
		return strings.Contains(s.Output.String(), "the clock is ahead by "+seconds+"\n")
	})
}

// jumps are how the clock is set.
var jumps = map[string]time.Duration{"forward": time.Hour, "back": -time.Hour}

const clockWasSet = "the machine's clock was set"

// TestClockSet: a webhook that seems to be signed an hour off must be confirmed, and
// CCPayment refuses calls that are signed an hour off. Nothing is delivered as money
// meanwhile, and every event is, once, when the clock is right again.
func TestClockSet(t *testing.T) {
	t.Parallel()
	for way, stores := range ways {
		for name, ahead := range jumps {
			t.Run(way+"/"+name, func(t *testing.T) {
				t.Parallel()
				s := newShopAt(t, stores, newTimed)
				s.order("before")
				before := s.pay("before")
				s.succeeded(before)

				s.setClock(ahead)
				s.order("meanwhile")
				record := s.pay("meanwhile")
				for _, text := range []string{clockWasSet, "an event cannot be confirmed now"} {
					processtest.Until(t, "the log says "+text, func() bool { return strings.Contains(s.Output.String(), text) })
				}
				for _, c := range s.app.received() {
					if c.record == record {
						t.Errorf("while the clock is wrong, %+v is handed over", c)
					}
				}

				s.setClock(0)
				for _, record := range []string{before, record} {
					calls := s.succeeded(record)
					if len(calls) != 1 || !calls[0].fulfill {
						t.Errorf("the app was called %+v", calls)
					}
				}
				s.stop()
			})
		}
	}
}

// TestClockSetWhileEventsWait: what waits for its next attempt does not wait an
// hour longer, and nothing is given up an hour earlier.
func TestClockSetWhileEventsWait(t *testing.T) {
	t.Parallel()
	for name, ahead := range jumps {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app := newReceiver(t)
			var answers atomic.Int64
			answers.Store(http.StatusInternalServerError)
			var taken sync.Map
			app.meets = func(w http.ResponseWriter, c call) {
				status := int(answers.Load())
				if status == http.StatusOK {
					taken.Store(c.key, true)
				}
				w.WriteHeader(status)
			}
			app.comes()
			s := newTimed(t, app.url)
			// Less than an hour: a clock that is set forward goes beyond it.
			s.start(globals + strings.Replace(stored, "max 1s", "max 1s\n\t\t\tgive_up 30m", 1))
			events := newEvents(20)
			send(t, s.hook, events)
			tried := func(n int) func() bool {
				return func() bool {
					keys := app.keys()
					for _, e := range events {
						if len(keys[e.key.EventID()]) < n {
							return false
						}
					}
					return true
				}
			}
			processtest.Until(t, "each was tried twice", tried(2))
			answers.Store(http.StatusUnauthorized) // which is given up after an hour of it
			processtest.Until(t, "each was tried four times", tried(4))
			s.setClock(ahead)
			most := 0
			for _, calls := range app.keys() {
				most = max(most, len(calls))
			}
			processtest.Until(t, "each was tried since", tried(most+2))
			answers.Store(http.StatusOK)
			processtest.Until(t, "the app takes all", func() bool {
				for _, e := range events {
					if _, is := taken.Load(e.key.EventID()); !is {
						return false
					}
				}
				return true
			})
			if text := s.Output.String(); !strings.Contains(text, clockWasSet) {
				t.Error("the log does not say that the clock was set")
			}
			s.stop()
			checkLedgerKnows(t, s, events)
		})
	}
}
