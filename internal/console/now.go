package console

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/operator"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// mostLooked is how many of the dead and of the held events are looked at to find those
// with money on them.
const mostLooked = 1000

type nowView struct {
	// Money are the events that are dead or held and carry something. CutOff: there are
	// more dead or held events than were looked at.
	Money  []item
	CutOff bool
	Routes []routeView
	Status operator.Status
	// Missing is how many records the gateways have that nobody can be told of, and Unknown
	// why that cannot be read; empty: it can.
	Missing int
	Unknown string
	// Accounts say what is to be known of the gateways' APIs and clocks.
	Accounts []accountView
}

type routeView struct {
	operator.RouteStatus
	Sentence, Tone string
	Plot           *plot
}

type accountView struct {
	Account string
	Trouble *operator.Trouble
	Skew    string
	IsOff   bool
}

// showNow is the first page: how things stand.
func (v *visit) showNow() (answer, error) {
	status, err := v.o.Status(v.ctx)
	if err != nil {
		return answer{}, err
	}
	view := nowView{Status: status, Accounts: v.accounts()}
	for _, r := range status.Routes {
		view.Routes = append(view.Routes, v.route(r))
	}
	for _, state := range []ledger.State{ledger.Dead, ledger.Held} {
		looked := 0
		err := v.o.EachPage(v.ctx, ledger.Query{State: state}, func(events []ledger.Event) error {
			if looked == mostLooked {
				view.CutOff = len(events) > 0
				return operator.ErrStop
			}
			looked += len(events)
			items, err := v.items(events...)
			view.Money = append(view.Money, slices.DeleteFunc(items, func(i item) bool { return len(i.Carries) == 0 })...)
			return err
		})
		if err != nil {
			return answer{}, err
		}
	}
	if view.Missing, err = v.missing(); err != nil { // the rest of the page is needed all the more
		view.Unknown = err.Error()
	}
	return answer{template: "now.html", page: page{Title: "Now", At: "now", View: view}}, nil
}

// route says in a sentence how a route stands.
func (v *visit) route(r operator.RouteStatus) routeView {
	view := routeView{RouteStatus: r, Tone: "good", Plot: plotOf(v.Hour.Route(r.Route, v.now()))}
	var parts []string
	if r.Pending > 0 {
		view.Tone = "busy"
		part := fmt.Sprintf("%d %s", r.Pending, plural(r.Pending, "waits", "wait"))
		if r.OldestPending > 0 {
			part += ", the oldest since " + v.now().Add(-r.OldestPending).Format("2 Jan 15:04:05")
		}
		parts = append(parts, part)
	}
	if r.Held > 0 {
		view.Tone = "warn"
		parts = append(parts, fmt.Sprintf("%d held", r.Held))
	}
	if r.Dead > 0 {
		view.Tone = "bad"
		parts = append(parts, fmt.Sprintf("%d dead", r.Dead))
	}
	if view.Sentence = strings.Join(parts, "; ") + "."; len(parts) == 0 {
		view.Sentence = "Fine: nothing waits."
	}
	if b := r.Budget; b.Refused > 0 {
		view.Tone = "bad"
		view.Sentence += " " + v.budget(b)
	}
	switch {
	case r.Mode == operator.Unconfigured && r.Pending > 0:
		view.Tone = "bad"
		view.Sentence += " No directive has this route, so nobody delivers what waits: give one the name with `route`, or discard them."
	case r.Mode == operator.Unconfigured:
		view.Sentence += " No directive has this route any more."
	case r.Mode == operator.Elsewhere:
		view.Sentence += " Another Caddy serves it."
	}
	return view
}

// budget says what is left of the gateway's retries for what was refused.
func (v *visit) budget(b operator.Budget) string {
	text := fmt.Sprintf("%d refused since %s, which only the gateway's own retries bring: ", b.Refused, b.Since.Local().Format("2 Jan 15:04:05"))
	switch left := b.Left(v.now()); {
	case b.Until.IsZero():
		return text + "for how long it tries is not known."
	case left == 0:
		return text + "it does not try the oldest any more. Have it send again."
	default:
		return text + fmt.Sprintf("it tries the oldest for %s more, until %s.", spanText(left), b.Until.Local().Format("15:04:05"))
	}
}

func plural(n uint64, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// mostSkew is what no clock should be off by.
const mostSkew = 5 * time.Second

func (v *visit) accounts() []accountView {
	trouble, skew := v.Hour.Accounts()
	names := make(map[string]bool)
	for name := range trouble {
		names[name] = true
	}
	for name := range skew {
		names[name] = true
	}
	views := make([]accountView, 0, len(names))
	for name := range names {
		view := accountView{Account: name}
		if t, ok := trouble[name]; ok {
			view.Trouble = &t
		}
		if ahead, ok := skew[name]; ok {
			way := "ahead of"
			if ahead < 0 {
				way = "behind"
			}
			view.Skew = fmt.Sprintf("Our clock is %s %s the gateway's, by its latest webhook.", spanText(ahead), way)
			view.IsOff = ahead.Abs() > mostSkew
		}
		views = append(views, view)
	}
	slices.SortFunc(views, func(a, b accountView) int { return strings.Compare(a.Account, b.Account) })
	return views
}

// plot is the last hour of a route, a bar for each minute.
type plot struct {
	Bars              []bar
	Delivered, Failed int
	Slowest           time.Duration
}

// bar is one minute. Coordinates are those of a picture of 240 by 40.
type bar struct{ X, Y, Height, FailedY, FailedHeight, SlowY int }

const plotHeight = 40

func plotOf(minutes [60]operator.Minute) *plot {
	p := new(plot)
	most := 1
	for _, m := range minutes {
		p.Delivered, p.Failed, p.Slowest = p.Delivered+m.Delivered, p.Failed+m.Failed, max(p.Slowest, m.Slowest)
		most = max(most, m.Delivered+m.Failed)
	}
	for x, m := range minutes {
		b := bar{X: 4 * x, Height: scale(m.Delivered, most), FailedHeight: scale(m.Failed, most), SlowY: -1}
		b.Y = plotHeight - b.Height
		b.FailedY = b.Y - b.FailedHeight
		if m.Delivered > 0 {
			b.SlowY = plotHeight - 2 - scale(int(m.Slowest.Milliseconds()), max(int(p.Slowest.Milliseconds()), 1))*(plotHeight-2)/plotHeight
		}
		p.Bars = append(p.Bars, b)
	}
	return p
}

// scale is a height; what is there at all can be seen.
func scale(n, most int) int {
	if n == 0 {
		return 0
	}
	return max(n*plotHeight/most, 2)
}
