package ledger_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

var states = []ledger.State{
	ledger.None, ledger.Received, ledger.Confirming, ledger.Delivering, ledger.Delivered, ledger.Retrying,
	ledger.Held, ledger.Dead, ledger.Superseded, ledger.Ignored, ledger.Discarded,
}

// may is what each state may become. Delivered is always possible: the app's
// yes is true whatever was recorded.
var may = map[ledger.State]string{
	ledger.None:       "received delivered",
	ledger.Received:   "confirming delivering delivered retrying held dead superseded ignored discarded",
	ledger.Confirming: "confirming delivering delivered retrying held dead superseded ignored discarded",
	ledger.Delivering: "confirming delivering delivered retrying held dead superseded ignored discarded",
	ledger.Delivered:  "delivered", // and what is asked for
	ledger.Retrying:   "confirming delivering delivered retrying held dead superseded ignored discarded",
	ledger.Held:       "confirming delivering delivered retrying superseded discarded",
	ledger.Dead:       "confirming delivering delivered retrying held superseded ignored discarded",
	ledger.Superseded: "delivered",
	ledger.Ignored:    "confirming delivering delivered retrying held superseded",
	ledger.Discarded:  "delivered",
}

func TestStateMachine(t *testing.T) {
	for _, from := range states {
		for _, to := range states {
			e := ledger.Event{State: from}
			err := e.Apply([]ledger.Transition{{State: to}})
			if want := slices.Contains(strings.Fields(may[from]), to.String()); want != (err == nil) {
				t.Errorf("%s to %s: %v, want it possible: %t", from, to, err, want)
			}
			if err == nil && e.State != to {
				t.Errorf("%s to %s: it is %s", from, to, e.State)
			}
			if err != nil && (!strings.Contains(err.Error(), from.String()) || !strings.Contains(err.Error(), to.String())) {
				t.Errorf("%s to %s: the error is %q", from, to, err)
			}
		}
		e := ledger.Event{State: from}
		if err := e.Apply([]ledger.Transition{{State: ledger.State(len(states))}}); err == nil {
			t.Errorf("%s to a state that does not exist", from)
		}
	}
}

func TestFinished(t *testing.T) {
	finished := []ledger.State{ledger.Delivered, ledger.Superseded, ledger.Ignored, ledger.Discarded}
	for _, s := range states {
		if want := slices.Contains(finished, s); s.Finished() != want {
			t.Errorf("%s is finished: %t, want %t", s, s.Finished(), want)
		}
	}
}

// The numbers and names of states are on disk.
func TestStateNames(t *testing.T) {
	names := strings.Fields("none received confirming delivering delivered retrying held dead superseded ignored discarded")
	for i, name := range names {
		s := ledger.State(i)
		if s.String() != name {
			t.Errorf("state %d is %s, want %s", i, s, name)
		}
		text, err := json.Marshal(s)
		if err != nil || string(text) != `"`+name+`"` {
			t.Errorf("state %s in JSON is %s, %v", name, text, err)
		}
		var back ledger.State
		if err := json.Unmarshal(text, &back); err != nil || back != s {
			t.Errorf("state %s read from JSON is %s, %v", name, back, err)
		}
	}
	unknown := ledger.State(len(names))
	if _, err := json.Marshal(unknown); err == nil || unknown.String() != "state 11" {
		t.Errorf("an unknown state is %s, %v", unknown, err)
	}
	var s ledger.State
	if err := json.Unmarshal([]byte(`"lost"`), &s); err == nil {
		t.Errorf("an unknown name is read as %s", s)
	}
}

func TestApply(t *testing.T) {
	at := time.Date(2026, 3, 12, 8, 30, 0, 0, time.UTC)
	var e ledger.Event
	steps := []ledger.Transition{
		{At: at, State: ledger.Received},
		{At: at.Add(1), State: ledger.Delivering, Attempt: 1, Seq: 7},
		{At: at.Add(2), State: ledger.Retrying, Attempt: 1, Cause: "refused"},
		{At: at.Add(3), State: ledger.Delivering, Attempt: 2, Seq: 7},
		{At: at.Add(4), State: ledger.Delivered, Attempt: 2},
	}
	if err := e.Apply(steps[:3]); err != nil {
		t.Fatal(err)
	}
	if e.State != ledger.Retrying || e.Attempts != 1 || e.Seq != 7 || e.LastError != "refused" || e.DeliveredAt != nil {
		t.Errorf("after a failed attempt: %+v", e)
	}
	if err := e.Apply(steps[3:]); err != nil {
		t.Fatal(err)
	}
	if e.State != ledger.Delivered || e.Attempts != 2 || e.Seq != 7 || e.LastError != "" || e.DeliveredAt == nil || !e.DeliveredAt.Equal(at.Add(4)) {
		t.Errorf("after the delivery: %+v", e)
	}
	if !slices.Equal(e.Transitions, steps) {
		t.Errorf("the history is %+v, want %+v", e.Transitions, steps)
	}
}

// TestDeliveredStays: what another attempt came to that was made at the same time changes
// nothing of an event that the app took. Only who asks for it makes it due again.
func TestDeliveredStays(t *testing.T) {
	begun := ledger.Transition{State: ledger.Delivering, Attempt: 2}
	for name, c := range map[string]struct {
		steps   []ledger.Transition
		want    ledger.State
		refused bool
	}{
		"Failed":    {[]ledger.Transition{{State: ledger.Retrying, Attempt: 2, Next: time.Unix(9, 0)}}, ledger.Delivered, false},
		"Begun":     {[]ledger.Transition{begun, {State: ledger.Retrying, Attempt: 2, Next: time.Unix(9, 0)}}, ledger.Delivered, false},
		"GivenUp":   {[]ledger.Transition{{State: ledger.Dead, Attempt: 2}}, ledger.Delivered, false},
		"Untried":   {[]ledger.Transition{{State: ledger.Retrying, Next: time.Unix(9, 0)}}, ledger.Delivered, true},
		"Beginning": {[]ledger.Transition{begun}, ledger.Delivered, true},
		"Replayed":  {[]ledger.Transition{{State: ledger.Retrying, Reason: ledger.Replay, Next: time.Unix(9, 0)}}, ledger.Retrying, false},
	} {
		t.Run(name, func(t *testing.T) {
			e := ledger.Event{}
			if err := e.Apply([]ledger.Transition{{State: ledger.Received}, {State: ledger.Delivering, Attempt: 1}, {State: ledger.Delivered, Attempt: 1}}); err != nil {
				t.Fatal(err)
			}
			err := e.Apply(c.steps)
			if e.State != c.want || (err != nil) != c.refused || (e.NextAttemptAt != nil) != (c.want == ledger.Retrying) || e.Attempts != 1 {
				t.Errorf("%v, and it is %s, due %v, after %d attempts", err, e.State, e.NextAttemptAt, e.Attempts)
			}
		})
	}
}

// A yes is recorded whatever came in between, without the steps that have
// become impossible.
func TestApplyYes(t *testing.T) {
	yes := []ledger.Transition{{State: ledger.Received}, {State: ledger.Delivering, Attempt: 3}, {State: ledger.Delivered, Attempt: 3}}
	want := map[ledger.State]string{
		ledger.None:       "received delivering delivered",
		ledger.Received:   "delivering delivered",
		ledger.Confirming: "delivering delivered",
		ledger.Delivering: "delivering delivered",
		ledger.Delivered:  "",
		ledger.Retrying:   "delivering delivered",
		ledger.Held:       "delivering delivered",
		ledger.Dead:       "delivering delivered",
		ledger.Superseded: "delivered",
		ledger.Ignored:    "delivering delivered",
		ledger.Discarded:  "delivered",
	}
	for _, from := range states {
		e := ledger.Event{State: from}
		if err := e.Apply(yes); err != nil || e.State != ledger.Delivered {
			t.Errorf("from %s: %s, %v", from, e.State, err)
		}
		var got []string
		for _, step := range e.Transitions {
			got = append(got, step.State.String())
		}
		if !slices.Equal(got, strings.Fields(want[from])) {
			t.Errorf("from %s: the steps are %v, want %s", from, got, want[from])
		}
	}
}

var key = ledger.Key{
	Record: ledger.Record{Route: "webhook", AppID: "app-123", Type: "ApiDeposit", ID: "202403120001"},
	Status: "success", Risk: ledger.NotRisky,
}

// The id is in the inboxes of apps. This value was computed with another tool
// and must never change.
func TestEventIDIsStable(t *testing.T) {
	const want = "3e088b1d-17f6-5a8c-a609-6b8c446ba7f5"
	if got := key.EventID(); got != want {
		t.Errorf("the event's id is %s, want %s", got, want)
	}
	other := key
	other.Route = "another"
	if got := other.EventID(); got != want {
		t.Errorf("on another route the event's id is %s, want %s", got, want)
	}
}

func TestEventIDTellsApart(t *testing.T) {
	ids := map[string]string{key.EventID(): "the key"}
	for name, change := range map[string]func(*ledger.Key){
		"app id":       func(k *ledger.Key) { k.AppID = "app-124" },
		"type":         func(k *ledger.Key) { k.Type = "DirectDeposit" },
		"record":       func(k *ledger.Key) { k.ID = "202403120002" },
		"status":       func(k *ledger.Key) { k.Status = "processing" },
		"risky":        func(k *ledger.Key) { k.Risk = ledger.Risky },
		"unknown risk": func(k *ledger.Key) { k.Risk = ledger.RiskUnknown },
		"moved bytes":  func(k *ledger.Key) { k.AppID, k.Type = "app-123A", "piDeposit" },
		"quotes":       func(k *ledger.Key) { k.AppID, k.Type = `app-123","ApiDeposit`, "" },
		"own record":   func(k *ledger.Key) { k.ID = ledger.OwnRecord(k.ID) },
	} {
		other := key
		change(&other)
		id := other.EventID()
		if before, ok := ids[id]; ok {
			t.Errorf("%s and %s have one id", name, before)
		}
		ids[id] = name
	}
}

func TestOwnRecord(t *testing.T) {
	if r := (ledger.Record{ID: ledger.OwnRecord("0123abcd")}); r.HasID() {
		t.Errorf("%q passes for the gateway's id", r.ID)
	}
	if !key.HasID() {
		t.Errorf("%q does not pass for the gateway's id", key.ID)
	}
}

// What is said of an event in JSON can be read back; its body is not part of it.
func TestEventJSON(t *testing.T) {
	at := time.Date(2026, 3, 12, 8, 30, 0, 5, time.UTC)
	e := ledger.Event{
		Key: key, Account: "default", Status: "Success", OrderID: "1", ReceivedAt: at,
		Request: ledger.Request{Method: "POST", URI: "/", TLS: true}, Body: []byte("secret of the buyer"),
	}
	if err := e.Apply([]ledger.Transition{{At: at, State: ledger.Received}, {At: at, State: ledger.Held, Cause: "risky"}}); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(e)
	if err != nil || strings.Contains(string(text), "buyer") {
		t.Fatalf("%s, %v", text, err)
	}
	var back ledger.Event
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	back.Key.Status, back.Body = e.Key.Status, e.Body
	if !reflect.DeepEqual(e, back) {
		t.Errorf("%+v comes back as\n%+v", e, back)
	}
}
