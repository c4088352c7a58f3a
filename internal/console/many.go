package console

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/internal/adminapi"
	"github.com/seed-338f6760/caddy-ccpayment/internal/operator"
	"github.com/seed-338f6760/caddy-ccpayment/internal/redact"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

type manyView struct {
	Filter adminapi.Filter
	// Fields are those of the filter that are set, in the order of their names.
	Fields [][2]string
	States []ledger.State
	// Counted: the filter selects Matched events, received since Since, if that is set, and
	// until Until, of which the first WithMoney carry something.
	Counted            bool
	Matched, WithMoney int
	Since, Until       string
	// Token tells this count from others.
	Token   string
	Choices []choice
	Work    *workView
}

// Button says what the filter's button does.
func (manyView) Button() string { return "Count" }

// choice is what can be done with all that the filter selects.
type choice struct {
	Step         operator.Step
	Title        string
	Consequences []string
	Force        string
}

type workView struct {
	By, Step, Reason, Filter string
	Begun                    time.Time
	operator.Progress
	Running bool
	// Percent is how much of it is done.
	Percent int
}

// BegunText tells the work from others.
func (w workView) BegunText() string { return begunText(w.Begun) }

// manySteps are those that make sense for many events at once. Accepting risks one by one
// is what the page of the held ones is for.
var manySteps = []choice{
	{Step: operator.StepReplay, Consequences: []string{"Each is due now, oldest first, with the same Idempotency-Key as before.", "Held ones are left out: they are released."}},
	{Step: operator.StepRelease, Consequences: []string{"Of each held one the gateway is asked again; what is still risky is held again.", "Others are left out."}},
	{Step: operator.StepDiscard, Force: "Also those that carry money: I settle them by hand", Consequences: []string{"The app never gets them, and nothing brings them back.", "What carries money is left out unless you say otherwise."}},
}

// showMany counts what the filter selects and asks what to do with it; while a work runs
// it shows how far that is.
func (v *visit) showMany() (answer, error) {
	filter, query, err := v.filter(v.query)
	if err != nil {
		return answer{}, err
	}
	view := manyView{Filter: filter, Fields: fieldsOf(filter), States: states(), Work: v.work()}
	if len(view.Fields) > 0 {
		// What comes in after the count is none of those that were counted, nor is any of them
		// left out because "3h" is later by now.
		now := v.o.Ledger.Now()
		if query.Until.IsZero() || query.Until.After(now) {
			query.Until = now
		}
		view.Counted, view.Until = true, query.Until.UTC().Format(time.RFC3339Nano)
		view.Token = rand.Text()
		if !query.Since.IsZero() {
			view.Since = query.Since.UTC().Format(time.RFC3339Nano)
		}
		if view.Matched, view.WithMoney, err = v.count(query); err != nil {
			return answer{}, err
		}
		for _, c := range manySteps {
			if !v.ReadOnly {
				c.Title = titles[c.Step]
				view.Choices = append(view.Choices, c)
			}
		}
	}
	return answer{template: "many.html", page: page{Title: "Many", At: "many", View: view}}, nil
}

// count counts the events of a query, and those of them that carry something.
func (v *visit) count(query ledger.Query) (matched, withMoney int, err error) {
	err = v.o.EachPage(v.ctx, query, func(events []ledger.Event) error {
		if matched += len(events); matched > operator.MostAtOnce {
			return &adminapi.Error{Status: http.StatusBadRequest, Err: operator.ErrTooMany}
		}
		carried, err := v.o.Carries(v.ctx, slices.DeleteFunc(events, func(e ledger.Event) bool { return e.State.Finished() })...)
		for _, flags := range carried {
			if len(flags) > 0 {
				withMoney++
			}
		}
		return err
	})
	return matched, withMoney, err
}

func fieldsOf(f adminapi.Filter) (list [][2]string) {
	for name, value := range f.Fields() {
		if *value != "" {
			list = append(list, [2]string{name, *value})
		}
	}
	slices.SortFunc(list, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	return list
}

// work is what was begun last; nil: nothing was.
func (v *visit) work() *workView {
	last := v.Works.Last()
	if last == nil {
		return nil
	}
	view := &workView{
		By: last.By, Step: titles[last.Request.Step], Reason: last.Request.Reason, Filter: last.Name,
		Begun: last.Begun, Progress: last.Progress(),
	}
	view.Running = view.Ended.IsZero()
	if view.Matched > 0 {
		view.Percent = (view.Done + view.Left) * 100 / view.Matched
	}
	return view
}

// beginMany begins to do what was asked for, with what was counted.
func (v *visit) beginMany() (answer, error) {
	form := v.r.PostForm
	reason, err := v.reason()
	if err != nil {
		return answer{}, err
	}
	step := operator.Step(form.Get("step"))
	if !slices.ContainsFunc(manySteps, func(c choice) bool { return c.Step == step }) {
		return answer{}, &adminapi.Error{Status: http.StatusBadRequest, Err: errors.New("say what to do: go back, and choose")}
	}
	values := url.Values{}
	for name := range new(adminapi.Filter).Fields() {
		if list, ok := form[name]; ok {
			values[name] = list
		}
	}
	filter, query, err := v.filter(values)
	if err != nil {
		return answer{}, err
	}
	// A form without the end of its count, or any other field, would be all that there is.
	if filter.Until == "" || len(fieldsOf(filter)) < 2 {
		return answer{}, &adminapi.Error{Status: http.StatusBadRequest, Err: errors.New("first say which, and have them counted")}
	}
	named := filter
	named.Until = ""
	work := &operator.Many{
		By: v.user, Query: query, Name: named.Values().Encode(), Begun: v.now(), Counted: form.Get("counted"),
		Request: operator.Request{Step: step, Reason: reason, Force: form.Get("force") != ""},
	}
	err = v.Works.Begin(v.Use, work)
	v.log("an operator's step with many events", err, zap.String("step", string(step)), zap.String("reason", redact.Emails(form.Get("reason"))),
		zap.String("filter", redact.Emails(filter.Values().Encode())))
	if errors.Is(err, operator.ErrBusy) || errors.Is(err, operator.ErrBegun) {
		err = &adminapi.Error{Status: http.StatusConflict, Err: fmt.Errorf("nothing was begun: %w", err)}
	}
	if err != nil {
		return answer{}, err
	}
	return answer{location: "./many"}, nil
}

// stopMany stops what runs, if it is what the form was shown with.
func (v *visit) stopMany() (answer, error) {
	last := v.Works.Last()
	if last == nil {
		return answer{location: "./many"}, nil
	}
	if begun := v.r.PostForm.Get("begun"); begun != "" && begun != begunText(last.Begun) {
		return answer{}, &adminapi.Error{Status: http.StatusConflict, Err: errors.New("nothing was stopped: another work runs by now: look at it first")}
	}
	last.Stop()
	v.log("an operator stops the step with many events", nil, zap.String("begun_by", last.By))
	return answer{location: "./many"}, nil
}

func begunText(at time.Time) string { return at.UTC().Format(time.RFC3339Nano) }
