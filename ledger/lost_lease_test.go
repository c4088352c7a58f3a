package ledger_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// begun begins an attempt and returns the context of its call to the app.
func begun(t *testing.T, l *ledger.Ledger, e ledger.Event) (*ledger.Attempt, context.Context) {
	t.Helper()
	verdict, attempt, err := l.Begin(bg, e, ledger.Options{Lease: time.Hour, Wait: 10 * time.Second, Rank: rank})
	if err != nil || verdict != ledger.Deliver {
		t.Fatal(verdict, err)
	}
	if _, err := attempt.Sent(bg, ledger.Sending{}); err != nil {
		t.Fatal(err)
	}
	call, end := attempt.Within(bg)
	t.Cleanup(end)
	return attempt, call
}

// TestLeasesLostInACrash: where the store has lost all leases, whoever works under one is
// stopped before another gets it, and all goes on under the same session.
func TestLeasesLostInACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDatabase()
		a, b := join(t, d.Connect("a")), join(t, d.Connect("b"))
		_, call := begun(t, a, event("Success"))
		d.Crash()
		crashed := time.Now()
		time.Sleep(ledger.SessionTTL / 5)
		synctest.Wait()
		if !errors.Is(context.Cause(call), ledger.ErrNoSession) {
			t.Errorf("the call goes on under a lease that is lost: %v", context.Cause(call))
		}
		if _, _, err := b.Begin(bg, event("Success"), opts); err == nil {
			t.Errorf("after %s another has the lease", time.Since(crashed))
		}
		time.Sleep(ledger.SessionTTL)
		begun(t, b, event("Success"))
		begun(t, a, numbered(2, "Success"))
	})
}

// late is a connection on which the answer to a commit takes its time.
type late struct{ *connection }

// Commit implements [ledger.Store].
func (l late) Commit(ctx context.Context, claim ledger.Claim, changes []ledger.Change) error {
	err := l.connection.Commit(ctx, claim, changes)
	time.Sleep(5 * time.Second)
	return err
}

// TestLeaseThatIsGone: a lease that the store does not know any more ends what is done
// under the session, unless it is one that was given back.
func TestLeaseThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDatabase()
		l := join(t, late{d.Connect("a")})
		first, _ := begun(t, l, event("Success"))
		_, second := begun(t, l, numbered(2, "Success"))
		if err := succeed(bg, first); err != nil {
			t.Fatal(err)
		}
		if second.Err() != nil {
			t.Error("a lease that was given back ends the call under another")
		}
		d.LoseLeases()
		time.Sleep(ledger.SessionTTL / 5)
		synctest.Wait()
		if !errors.Is(context.Cause(second), ledger.ErrNoSession) {
			t.Errorf("the call goes on under a lease that is gone: %v", context.Cause(second))
		}
	})
}

// TestYesWithoutALease: the app takes an event while the lease on it is lost, of which
// nobody else knows. Where another process has begun another event of the record since,
// that is the later of the two for the app, so that this one is handed over again; else
// the yes is recorded, at once or when the record is free.
func TestYesWithoutALease(t *testing.T) {
	for name, test := range map[string]struct {
		elsewhere string // the event that another process has begun; empty: none
		ends      bool   // before the yes comes
		refused   bool   // by the app
		isAgain   bool   // the Success has to be handed over again
	}{
		"nothing":                 {},
		"the same":                {elsewhere: "Success"},
		"the same, ended":         {elsewhere: "Success", ends: true},
		"the same, in vain":       {elsewhere: "Success", refused: true},
		"the same, ended in vain": {elsewhere: "Success", ends: true, refused: true},
		"another":                 {elsewhere: "Processing", isAgain: true},
		"another, ended":          {elsewhere: "Processing", ends: true, isAgain: true},
		"another, in vain":        {elsewhere: "Processing", refused: true, isAgain: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDatabase()
				a, b := join(t, d.Connect("a")), join(t, d.Connect("b"))
				first, _ := begun(t, a, event("Success"))
				d.LoseLeases()
				time.Sleep(time.Second)
				var second *ledger.Attempt
				end := func() {
					err := error(nil)
					switch {
					case second == nil:
					case test.refused:
						err = fail(second, errRefused, ledger.Again{})
					default:
						err = succeed(bg, second)
					}
					if err != nil {
						t.Error(err)
					}
				}
				if test.elsewhere != "" {
					second, _ = begun(t, b, event(test.elsewhere))
				}
				if test.ends {
					end()
				}
				err := succeed(bg, first)
				isRecorded := !test.isAgain && (test.ends || test.elsewhere == "")
				if (err == nil) != isRecorded {
					t.Errorf("the yes: %v", err)
				}
				if !test.ends {
					end()
				}
				time.Sleep(ledger.SessionTTL) // until it was tried again
				synctest.Wait()
				if test.isAgain {
					again, _ := begun(t, a, event("Success"))
					if again.Seq <= second.Seq {
						t.Errorf("it comes again with %d after the other with %d", again.Seq, second.Seq)
					}
					if err := succeed(bg, again); err != nil {
						t.Error(err)
					}
				}
				if verdict, _, err := b.Begin(bg, event("Success"), opts); verdict != ledger.Duplicate || err != nil {
					t.Errorf("a copy comes to %v, %v", verdict, err)
				}
			})
		})
	}
}
