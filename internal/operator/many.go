package operator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Step is what an operator does to an event.
type Step string

// The steps. Accept is a release that also delivers what is risky.
const (
	StepReplay  Step = "replay"
	StepRelease Step = "release"
	StepAccept  Step = "accept"
	StepDiscard Step = "discard"
)

// Request asks for a step.
type Request struct {
	Step Step
	// Reason is for the event's history.
	Reason string
	// Force discards also an event that carries a flag.
	Force bool
}

// Do takes an event through the step that is asked for, if it still is as it was seen.
func (o *Operator) Do(ctx context.Context, key ledger.Key, r Request, seen ledger.Seen) (Result, error) {
	switch r.Step {
	case StepReplay:
		return o.Replay(ctx, key, r.Reason, seen)
	case StepRelease, StepAccept:
		return o.Release(ctx, key, r.Reason, r.Step == StepAccept, seen)
	case StepDiscard:
		return o.Discard(ctx, key, r.Reason, r.Force, seen)
	default:
		return Result{Key: key}, fmt.Errorf("there is no step %q", r.Step)
	}
}

// MostAtOnce is how many events one [Many] takes through a step.
const MostAtOnce = 100_000

// ErrTooMany: a filter selects more events than one [Many] takes.
var ErrTooMany = fmt.Errorf("the filter selects more than %d events: narrow it, by since and until for example", MostAtOnce)

// Many takes the events that a filter selects through a step in the background, in the
// order in which they were received, and so in order of each record. It is safe for
// concurrent use.
type Many struct {
	// By is who asked for it, Name what the filter is in words, Query what it selects, and
	// Begun when that was. Counted tells the count that was seen before it from others; empty:
	// there was none, and it may be begun again.
	By, Name string
	Counted  string
	Query    ledger.Query
	Request  Request
	Begun    time.Time

	stop context.CancelFunc

	mu       sync.Mutex
	progress Progress
}

// Progress is how far a [Many] is.
type Progress struct {
	// Matched is how many events the filter selected when it began. Done are those that
	// the step was done to, and Left those that it was not.
	Matched, Done, Left int
	// Warnings say of the first of those left why, after their ids.
	Warnings []string
	// Stopped: somebody stopped it. Err is why it broke off.
	Stopped bool
	Err     error
	// Ended is when it ended; zero: it is at work.
	Ended time.Time
}

// mostWarnings is how many a Progress keeps.
const mostWarnings = 100

// Progress returns how far it is.
func (m *Many) Progress() Progress {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.progress
	p.Warnings = slices.Clone(p.Warnings)
	return p
}

// Stop ends it after the event that it is at.
func (m *Many) Stop() { m.stop() }

// Works are what is done in the background; the zero value is nothing. It is safe for
// concurrent use.
type Works struct {
	mu      sync.Mutex
	last    *Many
	counted []string // those of the latest
}

// mostCounted is how many counts a Works remembers that work began after.
const mostCounted = 100

// Last returns what was begun last; nil: nothing was since the process began.
func (w *Works) Last() *Many {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last
}

// Use calls a function with the operator of the configuration that works.
type Use func(func(*Operator) error) error

// ErrBusy: another [Many] is at work.
var ErrBusy = errors.New("another such work is not done yet: wait for it, or stop it")

// ErrBegun: the same was done already, as where a form is sent twice.
var ErrBegun = errors.New("this was done already: count once more, and see what is left")

// Begin begins to take events through a step, one such work at a time, and after one count once.
// It outlives the configuration that it began with, and ends where none works any more.
func (w *Works) Begin(use Use, m *Many) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.last != nil && w.last.Progress().Ended.IsZero():
		return ErrBusy
	case m.Counted != "" && slices.Contains(w.counted, m.Counted):
		return ErrBegun
	case m.Counted != "":
		w.counted = append(w.counted, m.Counted)
		w.counted = w.counted[max(0, len(w.counted)-mostCounted):]
	}
	ctx, stop := context.WithCancel(context.Background())
	m.stop = stop
	w.last = m
	go func() {
		defer stop()
		err := m.run(ctx, use)
		m.mu.Lock()
		defer m.mu.Unlock()
		m.progress.Stopped = errors.Is(err, context.Canceled)
		if !m.progress.Stopped {
			m.progress.Err = err
		}
		m.progress.Ended = time.Now()
	}()
	return nil
}

func (m *Many) run(ctx context.Context, use Use) error {
	var keys []ledger.Key
	var seen []ledger.Seen // what another such work has dealt with meanwhile is left
	err := use(func(o *Operator) error {
		return o.Each(ctx, m.Query, func(e ledger.Event) error {
			seen = append(seen, ledger.Seen{State: e.State, Attempts: e.Attempts, HeldAs: e.HeldAs()})
			if keys = append(keys, e.Key); len(keys) > MostAtOnce {
				return ErrTooMany
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	m.mu.Lock()
	m.progress.Matched = len(keys)
	m.mu.Unlock()
	due, isPatient := make(map[ledger.Record]ledger.Key), true // what is due by now of each record
	for i, key := range slices.Backward(keys) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var stepErr error
		err := use(func(o *Operator) error {
			if before, ok := due[key.Record]; ok && isPatient {
				isPatient = letGo(ctx, o, before)
			}
			due[key.Record] = key
			var result Result
			if result, stepErr = m.step(ctx, o, key, seen[i]); stepErr == nil && result.Warning != "" {
				stepErr = &ledger.RefusedError{Reason: result.Warning}
			}
			return nil
		})
		if err == nil && !isOfEvent(stepErr) {
			err = stepErr
		}
		if err != nil {
			return err
		}
		m.note(key, stepErr)
	}
	return nil
}

// mostWait is how long an event waits for the one before it of its record, and lookAgain
// how often it is looked whether that has ended. An app that is away is not waited for.
const (
	mostWait  = time.Second
	lookAgain = 5 * time.Millisecond
)

// letGo waits until an event that was made due has had its attempt: a step with the next
// one of its record could hold it up, and the next one come first. It returns false where
// that takes too long.
func letGo(ctx context.Context, o *Operator, key ledger.Key) bool {
	ctx, cancel := context.WithTimeout(ctx, mostWait)
	defer cancel()
	ticker := time.NewTicker(lookAgain)
	defer ticker.Stop()
	for o.delivers(key.Route) {
		e, err := o.Ledger.Load(ctx, key)
		if err != nil || e.State != ledger.Retrying || e.NextReason == "" || e.NextAttemptAt == nil || e.NextAttemptAt.After(o.Ledger.Now()) {
			return true
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// step does the step to an event that is still as the filter has it.
func (m *Many) step(ctx context.Context, o *Operator, key ledger.Key, seen ledger.Seen) (Result, error) {
	e, err := o.Ledger.Load(ctx, key)
	if err != nil {
		return Result{}, err
	}
	if !m.Query.Matches(e) {
		return Result{}, &ledger.RefusedError{Reason: fmt.Sprintf("it is %s by now", e.State)}
	}
	return o.Do(context.WithoutCancel(ctx), key, m.Request, seen)
}

// isOfEvent reports whether an error of a step is about the event alone, so that others
// may go on.
func isOfEvent(err error) bool {
	var refused *ledger.RefusedError
	return err == nil || errors.As(err, &refused) || errors.Is(err, ledger.ErrInFlight) || errors.Is(err, ledger.ErrDamaged) || errors.Is(err, ledger.ErrLater)
}

func (m *Many) note(key ledger.Key, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err == nil {
		m.progress.Done++
		return
	}
	m.progress.Left++
	if len(m.progress.Warnings) < mostWarnings {
		m.progress.Warnings = append(m.progress.Warnings, key.EventID()+": "+err.Error())
	}
}
