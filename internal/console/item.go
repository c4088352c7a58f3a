package console

import (
	"cmp"
	"slices"
	"strings"

	"github.com/seed-338f6760/caddy-ccpayment/internal/adminapi"
	"github.com/seed-338f6760/caddy-ccpayment/internal/operator"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// item is an event as lists and its own page show it.
type item struct {
	adminapi.Event
	// HeldAs is [ledger.Event.HeldAs].
	HeldAs string
	// Carries are the names of the flags that are bound to it.
	Carries []string
	// Amount is what the gateway confirmed, with its coin.
	Amount string
	// Actions are what one may do; none where one may only look.
	Actions []action
}

// Subject is what the event is about, in the app's words where there are some.
func (i item) Subject() string { return cmp.Or(i.OrderID, i.ReferenceID, i.UserID, i.RecordID) }

// Link is the address of the event's page.
func (i item) Link() string { return link("event", "id", i.ID, "route", i.Route) }

// Cause is why it is not delivered.
func (i item) Cause() string {
	switch i.State {
	case ledger.Held, ledger.Dead, ledger.Retrying:
		return i.LastError
	default:
		return ""
	}
}

// items returns events to show, with what they carry.
func (v *visit) items(events ...ledger.Event) ([]item, error) {
	carried, err := v.o.Carries(v.ctx, events...)
	if err != nil {
		return nil, err
	}
	items := make([]item, 0, len(events))
	for n, e := range events {
		i := item{Event: adminapi.ViewEvent(e), HeldAs: e.HeldAs()}
		if c := e.Confirmation; c != nil && c.Amount != "" {
			i.Amount = strings.TrimSpace(c.Amount + " " + c.Coin)
		}
		for _, flag := range carried[n] {
			i.Carries = append(i.Carries, flag.Name)
		}
		if !v.ReadOnly {
			i.Actions = actionsOf(i)
		}
		items = append(items, i)
	}
	return items, nil
}

// action is a step that one may take with an event, and what will happen.
type action struct {
	Step  operator.Step
	Title string
	// Consequences are what will happen, a sentence each.
	Consequences []string
	// Force, if set, has to be ticked.
	Force string
	// ID and Route name the event, which was shown in the State, held as what it was, and after
	// so many Attempts: if it is another by now, the step is not taken.
	ID, Route string
	State     ledger.State
	HeldAs    string
	Attempts  int
}

// Danger: nothing brings back what the step does.
func (a action) Danger() bool { return a.Step == operator.StepDiscard }

// titles are the steps in the words of buttons.
var titles = map[operator.Step]string{
	operator.StepReplay: "Replay", operator.StepRelease: "Release", operator.StepAccept: "Accept the risk", operator.StepDiscard: "Discard",
}

// ofClosed reports whether it is held because its order was closed.
func (i item) ofClosed() bool {
	return i.HeldAs == "closed"
}

func actionsOf(i item) []action {
	var allowed []operator.Step
	switch i.State {
	case ledger.Held:
		if allowed = []operator.Step{operator.StepRelease, operator.StepAccept, operator.StepDiscard}; i.ofClosed() {
			allowed = allowed[1:] // released, it would be held again
		}
	case ledger.Superseded, ledger.Discarded:
	case ledger.Delivered, ledger.Ignored:
		allowed = []operator.Step{operator.StepReplay}
	default:
		allowed = []operator.Step{operator.StepReplay, operator.StepDiscard}
	}
	actions := make([]action, 0, len(allowed))
	for _, step := range allowed {
		a := action{Step: step, Title: titles[step], Consequences: consequences(step, i), ID: i.ID, Route: i.Route, State: i.State, HeldAs: i.HeldAs, Attempts: i.Attempts}
		if step == operator.StepAccept && i.HeldAs != "risky" {
			a.Title = "Accept it"
		}
		if step == operator.StepDiscard && len(i.Carries) > 0 {
			a.Force = "I settle by hand what it carries (" + strings.Join(i.Carries, ", ") + ")"
		}
		actions = append(actions, a)
	}
	return actions
}

// consequences says what a step does to an event and its money.
func consequences(step operator.Step, i item) []string {
	carries := "It carries nothing so far: whether it will is decided by what the gateway says."
	if len(i.Carries) > 0 {
		carries = "It carries " + strings.Join(i.Carries, " and ") + ", which no other event does."
	}
	switch step {
	case operator.StepReplay:
		switch i.State {
		case ledger.Delivered:
			return []string{"The app has taken it already, and gets it once more, with the same Idempotency-Key.", "An app that knows the key again does nothing; one that does not books it twice."}
		case ledger.Ignored:
			return []string{"The app gets it although the route's types or statuses left it out.", carries}
		}
		return []string{"The app gets it now, with the same Idempotency-Key as before.", carries}
	case operator.StepRelease:
		if i.HeldAs == ledger.Late {
			return []string{"The gateway is asked again.", "The payment counts from then on, although it came late.", "The app gets the event, with its money, unless something else holds it."}
		}
		return []string{"The gateway is asked again.", "If nothing holds it any more, the app gets it, with its money; else it is held again."}
	case operator.StepAccept:
		if len(i.Carries) > 0 {
			return []string{"It carries " + strings.Join(i.Carries, " and ") + " already, which no other event does: release it instead, once nothing holds it any more.", "Accepted, the app gets it without, unless nothing holds it by then: what the buyer gets is yours to decide, in the app."}
		}
		if i.ofClosed() {
			return []string{"The app gets it although its order was closed.", "It then tells the app to fulfil nothing: what the money is for is yours to decide, in the app."}
		}
		if i.HeldAs == ledger.Late {
			return []string{"The app gets it, and the payment does not count.", "It then tells the app to fulfil nothing: what the money is for is yours to decide, in the app."}
		}
		if i.HeldAs == "mismatch" {
			return []string{"If the records only leave in doubt that it is paid, the app gets it; if they contradict the webhook, or agree by then that it came late, it is held again.", "Unless the records agree by then, it tells the app to fulfil or credit nothing: what the buyer gets is yours to decide, in the app."}
		}
		return []string{"The app gets it although the gateway does not call it clean.", "Unless the gateway does so by then, it tells the app to fulfil or credit nothing: what the buyer gets is yours to decide, in the app."}
	default:
		last := "The money stays where it is at the gateway: refund it there, or settle it by hand."
		if slices.Contains(i.Carries, ledger.Fulfill) {
			last = "The app is never told to fulfil the order: send the goods or the money back by hand."
		}
		return []string{"The app never gets it, and nothing brings it back.", carries, last}
	}
}
