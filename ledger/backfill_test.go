package ledger_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// backfilled is an event as the gateway's records tell of it, and asItCame as its webhook does,
// which says nothing of a risk.
func backfilled() ledger.Event {
	e := event("Success")
	e.NextReason = ledger.Backfill
	return e
}

func asItCame() ledger.Event {
	e := event("Success")
	e.Risk = ledger.RiskUnknown
	return e
}

// TestWebhookAfterABackfill: a webhook is a copy of a backfilled event that the app was told of,
// or will be; one that waits for people or was given up keeps no webhook from the app.
func TestWebhookAfterABackfill(t *testing.T) {
	for state, want := range map[ledger.State]ledger.Verdict{
		ledger.Delivered: ledger.Overtaken, ledger.Retrying: ledger.Overtaken,
		ledger.Held: ledger.Deliver, ledger.Dead: ledger.Deliver, ledger.Ignored: ledger.Deliver,
	} {
		t.Run(state.String(), func(t *testing.T) {
			test(t, func(t *testing.T, b *book) {
				b.accept(backfilled(), ledger.Accepted)
				b.put(backfilled(), ledger.Delivering, state)
				if attempt := b.want(asItCame(), want); attempt != nil {
					if err := succeed(bg, attempt); err != nil {
						t.Fatal(err)
					}
				}
			})
		})
	}
}

// TestBackfillAfterItsWebhook: an event that is backfilled while its webhook comes is told by
// one of the two, whichever is first. A webhook that was ignored tells nothing.
func TestBackfillAfterItsWebhook(t *testing.T) {
	end := func(state ledger.State) func(*book) {
		return func(b *book) {
			b.accept(asItCame(), ledger.Accepted)
			b.put(asItCame(), ledger.Delivering, state)
		}
	}
	accepted := func(b *book) { b.accept(asItCame(), ledger.Accepted) }
	for _, c := range []struct {
		name           string
		before, behind func(*book)
		calls          int
	}{
		{"told", end(ledger.Delivered), nil, 0},
		{"held", end(ledger.Held), nil, 0},
		{"dead", end(ledger.Dead), nil, 0},
		{"ignored", end(ledger.Ignored), nil, 1},
		{"due", accepted, nil, 1},
		{"comes", nil, accepted, 1},
	} {
		for _, runs := range []bool{true, false} {
			t.Run(fmt.Sprint(c.name, " while it runs ", runs), func(t *testing.T) {
				test(t, func(t *testing.T, b *book) {
					if c.before != nil {
						c.before(b)
					}
					var a *app
					stop := func() {}
					if runs {
						a, stop = b.dispatch("webhook")
					}
					b.accept(backfilled(), ledger.Accepted)
					if c.behind != nil {
						c.behind(b)
					}
					if !runs {
						a, stop = b.dispatch("webhook")
					}
					synctest.Wait()
					stop()
					if calls := a.called(); len(calls) != c.calls {
						t.Errorf("the app was called %d times: %+v", len(calls), calls)
					}
				})
			})
		}
	}
}

// withRisk is an event with another risk.
func withRisk(e ledger.Event, risk ledger.Risk) ledger.Event {
	e.Risk = risk
	return e
}

// TestClearedAfterABackfill: what says that a payment is not risky, and what says that it is,
// are no copies of each other, whichever of the two a webhook told, and in whatever order they
// come.
func TestClearedAfterABackfill(t *testing.T) {
	came := event("Success")
	for name, pair := range map[string][2]ledger.Event{
		"risky backfilled":  {withRisk(backfilled(), ledger.Risky), came},
		"risky came":        {withRisk(came, ledger.Risky), backfilled()},
		"clean backfilled":  {backfilled(), withRisk(came, ledger.Risky)},
		"both not yet told": {came, withRisk(backfilled(), ledger.Risky)},
	} {
		for _, state := range []ledger.State{ledger.Received, ledger.Delivered, ledger.Held} {
			t.Run(name+", "+state.String(), func(t *testing.T) {
				test(t, func(t *testing.T, b *book) {
					b.accept(pair[0], ledger.Accepted)
					if state != ledger.Received {
						b.put(pair[0], ledger.Delivering, state)
					}
					b.accept(pair[1], ledger.Accepted)
					a, stop := b.dispatch("webhook")
					synctest.Wait()
					stop()
					want := 1
					if state == ledger.Received {
						want = 2
					}
					if calls := a.called(); len(calls) != want {
						t.Errorf("the app was called %d times, want %d: %+v", len(calls), want, calls)
					}
				})
			})
		}
	}
}

// TestBackfillIsReleased: what an operator releases is told, although another event of its
// record is held, or was discarded.
func TestBackfillIsReleased(t *testing.T) {
	for _, state := range []ledger.State{ledger.Held, ledger.Discarded} {
		t.Run(state.String(), func(t *testing.T) {
			test(t, func(t *testing.T, b *book) {
				b.accept(backfilled(), ledger.Accepted)
				b.put(backfilled(), ledger.Delivering, ledger.Held)
				b.accept(asItCame(), ledger.Accepted)
				b.put(asItCame(), ledger.Delivering, state)
				if err := b.Release(bg, backfilled().Key, "a test", true); err != nil {
					t.Fatal(err)
				}
				a, stop := b.dispatch("webhook")
				synctest.Wait()
				stop()
				if calls := a.called(); len(calls) != 1 {
					t.Errorf("the app was called %d times: %+v", len(calls), calls)
				}
			})
		})
	}
}

// TestClearedBeforeTheRecordsWereRead: where the records do not say whether a payment is risky,
// and could not be read once more yet, a webhook that says so is no copy, unless the app may
// have the event.
func TestClearedBeforeTheRecordsWereRead(t *testing.T) {
	for name, c := range map[string]struct {
		through []ledger.State
		want    ledger.Verdict
	}{
		"never asked":        {nil, ledger.Deliver},
		"asked in vain":      {[]ledger.State{ledger.Confirming, ledger.Retrying}, ledger.Deliver},
		"sent unconfirmed":   {[]ledger.State{ledger.Delivering, ledger.Retrying}, ledger.Overtaken},
		"cut off by a crash": {[]ledger.State{ledger.Confirming, ledger.Delivering, ledger.Retrying}, ledger.Deliver},
	} {
		t.Run(name, func(t *testing.T) {
			test(t, func(t *testing.T, b *book) {
				unsaid := withRisk(backfilled(), ledger.RiskUnknown)
				b.accept(unsaid, ledger.Accepted)
				if len(c.through) > 0 {
					b.put(unsaid, c.through...)
				}
				b.want(event("Success"), c.want)
			})
		})
	}
}

// TestClearedAfterAnUnknownRisk: where the records did not say at first whether a payment is
// risky, and said so when they were asked, what clears it is told.
func TestClearedAfterAnUnknownRisk(t *testing.T) {
	for risk, want := range map[ledger.Risk]ledger.Verdict{ledger.Risky: ledger.Deliver, ledger.NotRisky: ledger.Overtaken} {
		t.Run(string(risk), func(t *testing.T) {
			test(t, func(t *testing.T, b *book) {
				unsaid := withRisk(backfilled(), ledger.RiskUnknown)
				b.accept(unsaid, ledger.Accepted)
				unsaid.Confirmation = &ledger.Confirmation{Risk: risk}
				b.put(unsaid, ledger.Delivering, ledger.Delivered)
				b.want(event("Success"), want)
			})
		})
	}
}
