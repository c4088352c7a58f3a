package ledger

import (
	"fmt"
	"slices"
)

// State is where an event stands.
type State uint8

// The states of an event. Their numbers are written to disk: they never
// change, and new ones are added at the end.
const (
	// None: the ledger does not know the event.
	None State = iota
	// Received: verified and read, nothing done yet.
	Received
	// Confirming: the gateway is being asked about it.
	Confirming
	// Delivering: an attempt at the app is in flight.
	Delivering
	// Delivered: the app took it. Only a replay makes it due again.
	Delivered
	// Retrying: an attempt failed; there will be another.
	Retrying
	// Held: kept back until an operator or the gateway clears it.
	Held
	// Dead: given up; an operator or another copy makes it due again.
	Dead
	// Superseded: a later status of the same record overtook it. Final.
	Superseded
	// Ignored: filtered by type or status, or another shop's.
	Ignored
	// Discarded: an operator threw it away. Final.
	Discarded
)

var stateNames = [...]string{
	None: "none", Received: "received", Confirming: "confirming", Delivering: "delivering",
	Delivered: "delivered", Retrying: "retrying", Held: "held", Dead: "dead",
	Superseded: "superseded", Ignored: "ignored", Discarded: "discarded",
}

// steps is the whole state machine: what each state may become. An ignored
// event may still be delivered, because a filter can be widened. One that is
// confirming or delivering may begin anew, because a crash can cut it off.
var steps = [...][]State{
	None:       {Received},
	Received:   {Confirming, Delivering, Retrying, Held, Dead, Superseded, Ignored, Discarded},
	Confirming: {Confirming, Delivering, Retrying, Held, Dead, Superseded, Ignored, Discarded},
	Delivering: {Confirming, Delivering, Delivered, Retrying, Held, Dead, Superseded, Ignored, Discarded},
	Retrying:   {Confirming, Delivering, Retrying, Held, Dead, Superseded, Ignored, Discarded},
	Held:       {Confirming, Delivering, Retrying, Superseded, Discarded},
	Dead:       {Confirming, Delivering, Retrying, Held, Superseded, Ignored, Discarded},
	Ignored:    {Confirming, Delivering, Retrying, Held, Superseded},
	Delivered:  {Retrying},
	Superseded: {},
	Discarded:  {},
}

func (s State) canBecome(t State) bool {
	return int(s) < len(steps) && slices.Contains(steps[s], t)
}

// Finished reports whether nothing more will happen to an event in this state
// by itself, so that its body may be pruned.
func (s State) Finished() bool {
	return s == Delivered || s == Superseded || s == Ignored || s == Discarded
}

// Pending reports whether an event in this state is still to be delivered.
func (s State) Pending() bool {
	return s == Received || s == Confirming || s == Delivering || s == Retrying
}

// overtakes reports whether an event in this state supersedes the lower ones of its
// record. An event that is held, dead, ignored or discarded has not reached the app,
// and must not keep another from it.
func (s State) overtakes() bool {
	return s.Pending() || s == Delivered || s == Superseded
}

// verdict is what is done with a copy of an event in this state, whatever the event is
// for; 0: that depends.
func (s State) verdict() Verdict {
	switch s {
	case Delivered, Discarded:
		return Duplicate
	case Superseded:
		return Overtaken
	case Held:
		return OnHold
	default:
		return 0
	}
}

// String returns the state's name.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// MarshalText returns the state's name, for JSON.
func (s State) MarshalText() ([]byte, error) {
	if int(s) >= len(stateNames) {
		return nil, fmt.Errorf("unknown state %d", uint8(s))
	}
	return []byte(stateNames[s]), nil
}

// UnmarshalText reads a state's name.
func (s *State) UnmarshalText(text []byte) error {
	i := slices.Index(stateNames[:], string(text))
	if i < 0 {
		return fmt.Errorf("unknown state %q", text)
	}
	*s = State(i)
	return nil
}

// supersedes reports whether a committed event of status a overtakes one of
// status b. Without a rank no status is known.
func supersedes(rank func(status string) int, a, b string) bool {
	return rank != nil && rank(b) > 0 && rank(a) > rank(b)
}
