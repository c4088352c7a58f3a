package test

import (
	"flag"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"
)

// reloading is how long Caddy is reloaded under load; longer finds more.
var reloading = flag.Duration("reloading", 2*time.Second, "how long Caddy is reloaded")

// TestReloadsStored reloads Caddy ten times a second while it delivers in the
// background. Each event is delivered once, by the old routes or by the new.
func TestReloadsStored(t *testing.T) {
	app := newReceiver(t)
	app.meets = func(http.ResponseWriter, call) {
		// Some are on their way during a reload, and some longer than one.
		<-time.After(rand.N(150 * time.Millisecond))
	}
	app.comes()
	s := newServer(t, app.url)
	s.start(globals + stored)
	failing := broken(t, s, stored)
	tr := startTraffic(t, s.hook)
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	n := 0
	for end := time.Now().Add(*reloading); time.Now().Before(end); n++ {
		reload(t, s, stored, failing, n)
		<-ticker.C
	}
	tr.flow(10)
	tr.end()
	events := tr.events()
	arrived(t, app, events)
	checkLedgerIsOpenOnce(t, s)
	// Without a configuration that uses it, nobody holds the ledger.
	if err := s.load(away); err != nil {
		t.Fatal(err)
	}
	waitUntilLedgerIsClosed(t, s)
	s.stop()
	t.Logf("%d events over %d reloads", len(events), n)
	checkCalledOnce(t, app, events)
	checkLedgerKnows(t, s, events)
}
