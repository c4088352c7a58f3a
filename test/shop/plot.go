package shop

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/test/history"
	"github.com/seed-338f6760/caddy-ccpayment/test/plot"
)

var plotted = flag.String("plot", "", "a folder for a plot of each kill run: what was acknowledged and applied over time, with kills and faults")

// Note notes that something befell the shop, for the plot. Kills of Caddys are noted by
// themselves.
func (s *Shop) Note(what string, from, to time.Time) {
	s.happened = append(s.happened, plot.Event{Name: what, From: from, To: to})
}

// plot writes a plot of a history, if the flag asks for it.
func (s *Shop) plot(h history.History) {
	s.t.Helper()
	if *plotted == "" {
		return
	}
	acknowledged := plot.Count{Name: "events acknowledged"}
	applied := plot.Count{Name: "events that the app has applied"}
	has := make(map[string]bool)
	for _, sent := range h.Sent {
		if id := sent.Key.EventID(); sent.Acknowledged > 0 && !has[id] {
			has[id] = true
			acknowledged.At = append(acknowledged.At, sent.At)
		}
	}
	clear(has)
	for _, a := range h.Attempts {
		if a.Yes && !has[a.EventID] {
			has[a.EventID] = true
			applied.At = append(applied.At, a.Answered)
		}
	}
	slices.SortFunc(acknowledged.At, time.Time.Compare)
	slices.SortFunc(applied.At, time.Time.Compare)
	var events []plot.Event
	for _, cut := range h.Cuts {
		if cut.To.IsZero() {
			events = append(events, plot.Event{Name: "kill of a Caddy", From: cut.From})
		}
	}
	events = append(events, s.happened...)
	picture := plot.Times(s.t.Name(), []plot.Count{acknowledged, applied}, events)
	name := strings.NewReplacer("/", "-", " ", "-", ",", "").Replace(s.t.Name()) + ".svg"
	if err := os.WriteFile(filepath.Join(*plotted, name), picture, 0o644); err != nil {
		s.t.Fatal(err)
	}
}
