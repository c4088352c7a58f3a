package ledger_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// cuttable is a connection whose commits can be made to fail.
type cuttable struct {
	*connection
	isCut bool
}

func (c *cuttable) Commit(ctx context.Context, claim ledger.Claim, changes []ledger.Change) error {
	if c.isCut {
		return errors.New("the connection was lost")
	}
	return c.connection.Commit(ctx, claim, changes)
}

// TestUnsavedAndOvertakenElsewhere: a process could not record that the app took a
// Success, of which nobody else knows then, and another hands over the Processing
// meanwhile. To the app the Processing is the later event, so that the Success has to be
// handed over again, as after a crash. Where nothing came in between, the yes is recorded.
func TestUnsavedAndOvertakenElsewhere(t *testing.T) {
	for name, isOvertaken := range map[string]bool{"overtaken": true, "alone": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDatabase()
				way := &cuttable{connection: d.connect("a")}
				a, b := join(t, way), join(t, d.connect("b"))
				begin := func(l *ledger.Ledger, status string, want ledger.Verdict) *ledger.Attempt {
					t.Helper()
					verdict, attempt, err := l.Begin(bg, event(status), opts)
					if err != nil || verdict != want {
						t.Fatalf("%s comes to %v, %v, want %v", status, verdict, err, want)
					}
					if attempt != nil {
						if _, err := attempt.Sent(bg, ledger.Sending{}); err != nil {
							t.Fatal(err)
						}
					}
					return attempt
				}
				first := begin(a, "Success", ledger.Deliver)
				way.isCut = true
				if err := succeed(bg, first); err == nil {
					t.Fatal("the commit did not fail")
				}
				way.isCut = false
				if !isOvertaken {
					begin(a, "Success", ledger.Duplicate)
					return
				}
				time.Sleep(time.Second)
				lower := begin(b, "Processing", ledger.Deliver)
				if err := succeed(bg, lower); err != nil {
					t.Fatal(err)
				}
				if again := begin(a, "Success", ledger.Deliver); again.Seq <= lower.Seq {
					t.Errorf("the Success comes again with %d after the Processing with %d", again.Seq, lower.Seq)
				} else if err := succeed(bg, again); err != nil {
					t.Error(err)
				}
				begin(b, "Success", ledger.Duplicate)
			})
		})
	}
}
