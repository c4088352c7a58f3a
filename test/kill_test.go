package test

import (
	"flag"
	"math/rand/v2"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/store/bolt"
)

// kills is how often Caddy is killed under load; more find more.
var kills = flag.Int("kills", 10, "how often Caddy is killed")

// TestKillStored kills Caddy while it hands over in the background. What it has
// acknowledged arrives, once, but for what the kill cut off; and of each record
// in order.
func TestKillStored(t *testing.T) {
	app := newReceiver(t)
	app.meets = func(http.ResponseWriter, call) {
		<-time.After(rand.N(20 * time.Millisecond)) // so that a kill finds many on their way
	}
	app.comes()
	s := newServer(t, app.url)
	s.start(globals + stored)
	tr := startTrafficOf(t, s.hook, event.processing)

	// Of each event, at how many kills an attempt of it may have been on its way;
	// and how often those had been handed over that the ledger had done with.
	cutOff, done := make(map[string]int), make(map[string]int)
	for range *kills {
		tr.flow(100)
		acknowledged := tr.events()
		s.signal(t, syscall.SIGKILL)
		store := openLedger(t, s)
		mustKnow(t, store, acknowledged)
		pending := 0
		for id, calls := range app.keys() {
			if _, is := done[id]; is {
				continue
			}
			event, err := store.Load(t.Context(), keyOf(calls[0]))
			switch {
			case err != nil:
				t.Fatalf("%s was handed over, and the ledger does not know it: %v", id, err)
			case event.State.Finished(): // delivered, or superseded after an earlier kill
				done[id] = len(calls)
			default:
				cutOff[id]++
				pending++
			}
		}
		if pending > 32 {
			t.Errorf("%d events were on their way at the kill", pending)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		s.start(globals + stored)
	}
	tr.flow(10)
	tr.end()
	events := tr.events()
	arrived(t, app, events)
	s.stop()

	again := 0
	for id, calls := range app.keys() {
		if n, is := done[id]; is && len(calls) > n {
			t.Errorf("%s was handed over again after the ledger had done with it", id)
		}
		if len(calls) > 1+cutOff[id] {
			t.Errorf("%s was handed over %d times, and cut off at most %d times", id, len(calls), cutOff[id])
		}
		again += len(calls) - 1
	}
	checkRecords(t, app.received())
	t.Logf("%d payments over %d kills: %d events were handed over, %d attempts made again", len(events), *kills, len(app.keys()), again)
	checkLedgerKnows(t, s, events)
}

// keyOf is the event's key in the ledger.
func keyOf(c call) ledger.Key {
	return ledger.Key{
		Record: ledger.Record{Route: "webhook", AppID: appID, Type: "ApiDeposit", ID: c.record},
		Status: strings.ToLower(c.status), Risk: ledger.NotRisky,
	}
}

// mustKnow checks that the ledger has each event and its predecessor, in
// whatever state.
func mustKnow(t *testing.T, store *bolt.Store, events []event) {
	t.Helper()
	for _, e := range events {
		for _, key := range []ledger.Key{e.key, e.processing().key} {
			if _, err := store.Load(t.Context(), key); err != nil {
				t.Fatalf("%s %s was acknowledged: %v", key.Status, key.ID, err)
			}
		}
	}
}
