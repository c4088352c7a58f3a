package test

import "testing"

func TestRestart(t *testing.T) {
	t.Parallel()
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
