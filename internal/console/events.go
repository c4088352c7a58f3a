package console

import (
	"net/url"
	"slices"

	"github.com/seed-338f6760/caddy-ccpayment/internal/adminapi"
	"github.com/seed-338f6760/caddy-ccpayment/internal/operator"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

type eventsView struct {
	Filter adminapi.Filter
	States []ledger.State
	Items  []item
	// Next is the address of the next page, First that of the first; empty: there is none,
	// or it is this one.
	Next, First string
	// Partly: so many events were searched, there are more, and no page is full.
	Partly   bool
	Searched int
	// Presets are filters that people often want.
	Presets []preset
	// Many and Export are the addresses of what one can do with all that the filter selects.
	Many, Export string
}

// Filtered: the filter selects something.
func (v eventsView) Filtered() bool { return v.Filter != (adminapi.Filter{}) }

// Button says what the filter's button does.
func (eventsView) Button() string { return "Show" }

// mostSearched is how many events are searched for one page, so that it comes at once, and
// mostFurther how many where somebody asks to search on.
const (
	mostSearched = 5_000
	mostFurther  = 100_000
)

type preset struct{ Name, Link string }

var presets = []struct{ name, field, value string }{
	{"Last hour", "since", "1h"},
	{"Today", "since", "today"},
	{"Seven days", "since", "7d"},
	{"Held", "state", "held"},
	{"Dead", "state", "dead"},
	{"Retrying", "state", "retrying"},
}

// filter reads the filter in the address, in the zone that the page shows.
func (v *visit) filter(values url.Values, others ...string) (adminapi.Filter, ledger.Query, error) {
	filter, err := adminapi.ReadFilter(given(values), others...)
	if err != nil {
		return filter, ledger.Query{}, err
	}
	query, err := filter.Query(v.now())
	return filter, query, err
}

// given leaves out what a form sends of fields that were left empty.
func given(values url.Values) url.Values {
	kept := url.Values{}
	for name, list := range values {
		if len(list) != 1 || list[0] != "" {
			kept[name] = list
		}
	}
	return kept
}

// showEvents lists the events that the address selects.
func (v *visit) showEvents() (answer, error) {
	filter, query, err := v.filter(v.query, "cursor", "further")
	if err != nil {
		return answer{}, err
	}
	query.Limit, query.Most, query.Cursor = adminapi.DefaultPage, mostSearched, v.query.Get("cursor")
	if v.query.Get("further") != "" {
		query.Most = mostFurther
	}
	found, err := v.o.List(v.ctx, query)
	if err != nil {
		return answer{}, err
	}
	view := eventsView{Filter: filter, States: states(), Many: address("many", filter.Values()), Export: address("export", filter.Values())}
	if view.Items, err = v.items(found.Events...); err != nil {
		return answer{}, err
	}
	if view.Partly = found.Next != "" && len(found.Events) < query.Limit; view.Partly {
		view.Searched = query.Most
	}
	if found.Next != "" {
		next := filter.Values()
		next.Set("cursor", found.Next)
		if view.Partly {
			next.Set("further", "yes")
		}
		view.Next = address("events", next)
	}
	if query.Cursor != "" {
		view.First = address("events", filter.Values())
	}
	for _, p := range presets {
		values := filter.Values()
		values.Set(p.field, p.value)
		view.Presets = append(view.Presets, preset{p.name, address("events", values)})
	}
	return answer{template: "events.html", page: page{Title: "Events", At: "events", View: view}}, nil
}

func states() (list []ledger.State) {
	for state := ledger.Received; state <= ledger.Discarded; state++ {
		list = append(list, state)
	}
	return list
}

// mostHeld is how many held events are shown at once.
const mostHeld = 100

type heldView struct {
	Items []item
	// All is how many are held.
	All int
}

// showHeld lists the events that wait for a decision, the oldest first.
func (v *visit) showHeld() (answer, error) {
	if _, err := adminapi.ReadFilter(given(v.query)); err != nil {
		return answer{}, err
	}
	var view heldView
	var oldest []ledger.Event // the list has the newest first
	err := v.o.Each(v.ctx, ledger.Query{State: ledger.Held}, func(e ledger.Event) error {
		view.All++
		if oldest = append(oldest, e); len(oldest) > 2*mostHeld {
			oldest = append([]ledger.Event(nil), oldest[len(oldest)-mostHeld:]...)
		}
		return nil
	})
	if err != nil {
		return answer{}, err
	}
	oldest = oldest[max(0, len(oldest)-mostHeld):]
	slices.Reverse(oldest)
	if view.Items, err = v.items(oldest...); err != nil {
		return answer{}, err
	}
	return answer{template: "held.html", page: page{Title: "Held", At: "held", View: view}}, nil
}

// told are the words for a step that was taken.
var told = map[operator.Step]string{
	operator.StepReplay:  "It is due now, and the app gets it in a moment.",
	operator.StepRelease: "It is released: the gateway is asked again, and in a moment it is delivered, or held again.",
	operator.StepAccept:  "It is released with its risk, and the app gets it in a moment.",
	operator.StepDiscard: "It is discarded.",
}
