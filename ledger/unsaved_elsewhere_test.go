package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// cuttable is a connection whose commits can be made to fail, or to be made though their
// answer is lost.
type cuttable struct {
	*connection
	isCut, isDeaf atomic.Bool
}

func (c *cuttable) Commit(ctx context.Context, claim ledger.Claim, changes []ledger.Change) error {
	if c.isCut.Load() {
		return errors.New("the connection was lost")
	}
	err := c.connection.Commit(ctx, claim, changes)
	if c.isDeaf.Load() {
		return ledger.ErrUnknown
	}
	return err
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
				way := &cuttable{connection: d.Connect("a")}
				a, b := join(t, way), join(t, d.Connect("b"))
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
				way.isCut.Store(true)
				if err := succeed(bg, first); err == nil {
					t.Fatal("the commit did not fail")
				}
				way.isCut.Store(false)
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

// send has a process hand over a Success that another one has accepted.
func send(t *testing.T, a, b *ledger.Ledger) *ledger.Attempt {
	t.Helper()
	if _, err := b.Accept(bg, event("Success"), ""); err != nil {
		t.Fatal(err)
	}
	_, attempt, err := a.Begin(bg, event("Success"), opts)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := attempt.Sent(bg, ledger.Sending{}); err != nil {
		t.Fatal(err)
	}
	return attempt
}

// unheard has a process hand over a Success and hear a yes, of which nothing can be
// recorded, or of which it is not known whether it was.
func unheard(t *testing.T, way *cuttable, isRecorded bool) (a, b *ledger.Ledger) {
	t.Helper()
	a, b = join(t, way), join(t, way.Connect("b"))
	attempt := send(t, a, b)
	way.isCut.Store(!isRecorded)
	way.isDeaf.Store(true)
	if err := succeed(bg, attempt); err == nil {
		t.Fatal("the commit did not fail")
	}
	way.isCut.Store(false)
	way.isDeaf.Store(false)
	return a, b
}

// TestUnsavedAndReplayedElsewhere: the app's yes is not the answer to a replay that
// another process's operator asked for since.
func TestUnsavedAndReplayedElsewhere(t *testing.T) {
	for name, isRecorded := range map[string]bool{"recorded": true, "lost": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := unheard(t, &cuttable{connection: newDatabase().Connect("a")}, isRecorded)
				if err := b.Replay(bg, event("Success").Key, "once more"); err != nil {
					t.Fatal(err)
				}
				verdict, attempt, err := a.Begin(bg, event("Success"), opts)
				if err != nil || verdict != ledger.Deliver || attempt.Reason != ledger.Replay {
					t.Fatalf("after the replay a copy comes to %v, %+v, %v", verdict, attempt, err)
				}
				if err := succeed(bg, attempt); err != nil {
					t.Fatal(err)
				}
				if verdict, _, err := b.Begin(bg, event("Success"), opts); verdict != ledger.Duplicate || err != nil {
					t.Errorf("after that a copy comes to %v, %v", verdict, err)
				}
			})
		})
	}
}

// TestReplayedWhileStopped: the yes to an attempt that another process's operator did not wait
// for, because the leases were lost, is no answer to a copy that the replay has asked for.
func TestReplayedWhileStopped(t *testing.T) {
	for name, isReplayed := range map[string]bool{"replayed": true, "not replayed": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDatabase()
				a, b := join(t, d.Connect("a")), join(t, d.Connect("b"))
				attempt := send(t, a, b)
				d.Crash()
				time.Sleep(2 * ledger.SessionTTL)
				want, wantVerdict := error(nil), ledger.Duplicate
				if isReplayed {
					want, wantVerdict = errors.New("recording the outcome: the event was replayed while the app had it"), ledger.Deliver
					if err := b.Replay(bg, event("Success").Key, "once more"); err != nil {
						t.Fatal(err)
					}
				}
				if err := succeed(bg, attempt); fmt.Sprint(err) != fmt.Sprint(want) {
					t.Errorf("the late yes comes to %v, want %v", err, want)
				}
				if verdict, _, err := b.Begin(bg, event("Success"), opts); verdict != wantVerdict || err != nil {
					t.Errorf("after that a copy comes to %v, %v", verdict, err)
				}
			})
		})
	}
}

// TestUnsavedIsSaved: the app's yes is recorded as soon as the session is renewed, so that
// no other process asks the app again.
func TestUnsavedIsSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, b := unheard(t, &cuttable{connection: newDatabase().Connect("a")}, false)
		time.Sleep(ledger.SessionTTL / 5)
		synctest.Wait()
		if verdict, _, err := b.Begin(bg, event("Success"), opts); verdict != ledger.Duplicate || err != nil {
			t.Errorf("a copy comes to %v, %v", verdict, err)
		}
	})
}

// unreadable is a connection that cannot read one record.
type unreadable struct {
	*cuttable
	record ledger.Record
	isBad  atomic.Bool
}

func (u *unreadable) Claim(ctx context.Context, r ledger.Record, ttl time.Duration) (ledger.Claim, error) {
	if u.isBad.Load() && r == u.record {
		return ledger.Claim{}, fmt.Errorf("the row cannot be read: %w", ledger.ErrDamaged)
	}
	return u.cuttable.Claim(ctx, r, ttl)
}

// TestUnsavedBesideUnreadable: a record that cannot be read keeps no later one's yes from
// being recorded.
func TestUnsavedBesideUnreadable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad, good := event("Success"), event("Success")
		good.Key.Record.ID = "2"
		way := &unreadable{cuttable: &cuttable{connection: newDatabase().Connect("a")}, record: bad.Key.Record}
		a, b := join(t, way), join(t, way.Connect("b"))
		way.isCut.Store(true)
		for _, e := range []ledger.Event{bad, good} {
			if _, err := b.Accept(bg, e, ""); err != nil {
				t.Fatal(err)
			}
			_, attempt, err := a.Begin(bg, e, opts)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := attempt.Sent(bg, ledger.Sending{}); err != nil {
				t.Fatal(err)
			}
			if err := succeed(bg, attempt); err == nil {
				t.Fatal("the commit did not fail")
			}
		}
		way.isBad.Store(true)
		way.isCut.Store(false)
		time.Sleep(ledger.SessionTTL / 5)
		synctest.Wait()
		if verdict, _, err := b.Begin(bg, good, opts); verdict != ledger.Duplicate || err != nil {
			t.Errorf("a copy of the one that can be read comes to %v, %v", verdict, err)
		}
	})
}

// stumbling is a connection that is lost during its first commit, and works again.
type stumbling struct {
	*connection
	commits int
}

func (s *stumbling) Commit(ctx context.Context, claim ledger.Claim, changes []ledger.Change) error {
	if s.commits++; s.commits == 1 {
		return errors.New("the connection was lost")
	}
	return s.connection.Commit(ctx, claim, changes)
}

// TestYesAfterLostConnection: where one connection is lost while the app's yes is
// recorded, no other process asks the app again.
func TestYesAfterLostConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDatabase()
		a, b := join(t, &stumbling{connection: d.Connect("a")}), join(t, d.Connect("b"))
		_, attempt, err := a.Begin(bg, event("Success"), opts)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := attempt.Sent(bg, ledger.Sending{}); err != nil {
			t.Fatal(err)
		}
		if err := succeed(bg, attempt); err != nil {
			t.Errorf("the yes is not recorded: %v", err)
		}
		if verdict, _, err := b.Begin(bg, event("Success"), opts); verdict != ledger.Duplicate || err != nil {
			t.Errorf("a copy comes to %v, %v", verdict, err)
		}
	})
}
