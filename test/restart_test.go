package test

import (
	"syscall"
	"testing"
)

func TestRestart(t *testing.T) {
	app := startApp(t)
	s := newServer(t, app.url)
	var events []event
	for range 20 {
		events = append(events, newEvent())
	}
	for range 3 {
		s.start(globals + site)
		for _, e := range events {
			mustAcknowledge(t, s, e)
		}
		s.stop()
	}
	checkOnce(t, app, events)
	checkLedgerKnows(t, s, events)
}

// A process that is killed has no time to tidy up. What was acknowledged is
// known all the same; what was in flight may be handed over once more.
func TestKill(t *testing.T) {
	const kills = 3
	app := startApp(t)
	s := newServer(t, app.url)
	s.start(globals + site)
	tr := startTraffic(t, s.hook)
	for range kills {
		tr.flow(200)
		s.signal(t, syscall.SIGKILL)
		acknowledged := tr.events()
		checkLedgerKnows(t, s, acknowledged)
		// Copies of the latest: those that the kill may have met.
		acknowledged = acknowledged[len(acknowledged)-100:]
		before := make([]int, len(acknowledged))
		for i, e := range acknowledged {
			before[i], _ = app.count(e)
		}
		s.start(globals + site)
		for i, e := range acknowledged {
			mustAcknowledge(t, s, e)
			if after, _ := app.count(e); after != before[i] {
				t.Errorf("%s was handed over again after it was acknowledged", e.key.ID)
			}
		}
	}
	tr.flow(10)
	tr.end()
	s.stop()

	events := tr.events()
	again := 0
	for _, e := range events {
		times, _ := app.count(e)
		if times < 1 || times > 1+kills {
			t.Errorf("%s was handed over %d times", e.key.ID, times)
		}
		again += times - 1
	}
	t.Logf("%d events, %d handed over again because a kill came between the app's yes and the commit", len(events), again)
	if again > kills*senders {
		t.Errorf("%d events were handed over again: more than were in flight", again)
	}
	checkLedgerKnows(t, s, events)
}
