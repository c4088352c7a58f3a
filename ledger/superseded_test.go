package ledger_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Another event of a record waits for the attempt in flight, and is decided on
// by what came of it.
func TestOtherEventWaits(t *testing.T) {
	for _, test1 := range []struct {
		name          string
		first, second string
		end           func(*ledger.Attempt) error
		want          ledger.Verdict
	}{
		{"ProcessingAfterSuccess", "Success", "Processing", func(a *ledger.Attempt) error { return succeed(bg, a) }, ledger.Overtaken},
		{"ProcessingAfterFailure", "Success", "Processing", func(a *ledger.Attempt) error { return fail(a, errRefused, ledger.Again{}) }, ledger.Overtaken},
		{"ProcessingAfterNothing", "Success", "Processing", func(a *ledger.Attempt) error { return giveUp(a, errRefused) }, ledger.Deliver},
		{"SuccessAfterProcessing", "Processing", "Success", func(a *ledger.Attempt) error { return succeed(bg, a) }, ledger.Deliver},
		{"SuccessAfterItsFailure", "Processing", "Success", func(a *ledger.Attempt) error { return fail(a, errRefused, ledger.Again{}) }, ledger.Deliver},
	} {
		t.Run(test1.name, func(t *testing.T) {
			test(t, func(t *testing.T, b *book) {
				attempt := b.want(event(test1.first), ledger.Deliver)
				outcomes := b.copies(1, event(test1.second))
				if len(outcomes) != 0 {
					t.Fatalf("it does not wait: %+v", <-outcomes)
				}
				if err := test1.end(attempt); err != nil {
					t.Fatal(err)
				}
				o := <-outcomes
				if o.verdict != test1.want || o.err != nil {
					t.Errorf("the outcome is %+v, want %d", o, test1.want)
				}
				if o.attempt != nil {
					if err := succeed(bg, o.attempt); err != nil {
						t.Error(err)
					}
				}
			})
		})
	}
}

func TestSuperseded(t *testing.T) {
	for _, c := range []struct{ higher, lower string }{
		{"Success", "Processing"}, {"Failed", "Pending"}, {"Rejected", "WaitingApproval"}, {"Processing", "WaitingApproval"},
	} {
		t.Run(c.lower, func(t *testing.T) {
			test(t, func(t *testing.T, b *book) {
				b.deliver(event(c.higher))
				for range 2 {
					b.want(event(c.lower), ledger.Overtaken)
					got := b.wantState(event(c.lower), ledger.Superseded)
					if len(got.Transitions) != 2 || got.Attempts != 0 || len(got.Body) == 0 {
						t.Errorf("it is recorded as %+v", got)
					}
				}
			})
		})
	}
}

// A success supersedes what waits for its retry in the commit of its outcome,
// whichever that is.
func TestSupersedesRetrying(t *testing.T) {
	for name, end := range map[string]func(*book, ledger.Event) *ledger.Attempt{"Delivered": (*book).deliver, "Failed": (*book).fail} {
		t.Run(name, func(t *testing.T) {
			test(t, func(t *testing.T, b *book) {
				b.fail(event("WaitingApproval"))
				b.fail(event("Processing"))
				b.wantState(event("WaitingApproval"), ledger.Superseded)
				commits := 0
				b.store.commit = func(changes []ledger.Change) error {
					if commits++; len(changes) != 2 {
						t.Errorf("the commit has the changes %+v", changes)
					}
					return nil
				}
				end(b, event("Success"))
				if commits != 1 {
					t.Errorf("%d commits", commits)
				}
				b.wantState(event("Processing"), ledger.Superseded)
				b.want(event("Processing"), ledger.Overtaken)
			})
		})
	}
}

func TestOvertakenByAFailedSuccess(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		b.fail(event("Success"))
		b.want(event("Processing"), ledger.Overtaken)
		b.wantState(event("Processing"), ledger.Superseded)
		b.deliver(event("Success"))
	})
}

// Statuses that are not known, and those of one rank, leave each other alone.
func TestNotSuperseded(t *testing.T) {
	for _, c := range []struct{ first, second string }{
		{"Success", "Refunded"},
		{"Refunded", "Processing"},
		{"Success", ""},
		{"", "Processing"},
		{"Success", "Failed"},
		{"Failed", "Success"},
		{"Pending", "Processing"},
		{"Processing", "Pending"},
	} {
		t.Run(c.first+"Then"+c.second, func(t *testing.T) {
			test(t, func(t *testing.T, b *book) {
				b.fail(event(c.first))
				b.deliver(event(c.second))
				b.wantState(event(c.first), ledger.Retrying)
				b.deliver(event(c.first))
				b.wantState(event(c.first), ledger.Delivered)
				b.wantState(event(c.second), ledger.Delivered)
			})
		})
	}
}

// TestNoRank: where no status is known, none supersedes another.
func TestNoRank(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		unranked := opts
		unranked.Rank = nil
		b.fail(event("Processing"))
		for _, status := range []string{"Success", "Processing"} {
			verdict, attempt, err := b.Begin(bg, event(status), unranked)
			if verdict != ledger.Deliver || err != nil {
				t.Fatalf("the verdict on %s is %d, %v", status, verdict, err)
			}
			if err := succeed(bg, attempt); err != nil {
				t.Fatal(err)
			}
			b.wantState(event(status), ledger.Delivered)
		}
	})
}

func TestRiskIsAnotherEvent(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		var last uint64
		for _, risk := range []ledger.Risk{ledger.NotRisky, ledger.Risky, ledger.RiskUnknown} {
			e := event("Success")
			e.Risk = risk
			if a := b.deliver(e); a.Seq <= last {
				t.Errorf("seq %d follows %d", a.Seq, last)
			} else {
				last = a.Seq
			}
			b.want(e, ledger.Duplicate)
		}
	})
}

// What is held, given up, filtered or thrown away has not reached the app, and
// silences nothing.
func TestBlocksNothing(t *testing.T) {
	for _, c := range []struct {
		name string
		path []ledger.State
		copy ledger.Verdict
	}{
		{"Held", []ledger.State{ledger.Received, ledger.Held}, ledger.OnHold},
		{"Dead", []ledger.State{ledger.Received, ledger.Delivering, ledger.Dead}, ledger.Deliver},
		{"Ignored", []ledger.State{ledger.Received, ledger.Ignored}, ledger.Deliver},
		{"Discarded", []ledger.State{ledger.Received, ledger.Discarded}, ledger.Duplicate},
	} {
		t.Run(c.name, func(t *testing.T) {
			test(t, func(t *testing.T, b *book) {
				b.put(event("Success"), c.path...)
				b.deliver(event("Processing"))
				b.wantState(event("Success"), c.path[len(c.path)-1])
				if attempt := b.want(event("Success"), c.copy); attempt != nil {
					if err := succeed(bg, attempt); err != nil {
						t.Error(err)
					}
					b.wantState(event("Success"), ledger.Delivered)
				}
			})
		})
	}
}

// because is why an event is not for the app.
func because(cause string) func(*ledger.Event) (string, error) {
	return func(*ledger.Event) (string, error) { return cause, nil }
}

func TestFiltered(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		ignore := opts
		const cause = "its type is not among types"
		ignore.Ignore = because(cause)
		for range 2 {
			verdict, attempt, err := b.Begin(bg, event("Success"), ignore)
			if verdict != ledger.Filtered || attempt != nil || err != nil {
				t.Errorf("the outcome is %d, %v, %v", verdict, attempt, err)
			}
			got := b.wantState(event("Success"), ledger.Ignored)
			if len(got.Transitions) != 2 || got.Transitions[1].Cause != cause {
				t.Errorf("the history is %+v", got.Transitions)
			}
		}
		b.fail(event("Failed"))
		if verdict, _, err := b.Begin(bg, event("Failed"), ignore); verdict != ledger.Filtered || err != nil {
			t.Errorf("a failed event that is filtered now: %d, %v", verdict, err)
		}
		b.wantState(event("Failed"), ledger.Ignored)
		b.deliver(event("Success")) // the filter was widened
		if verdict, _, err := b.Begin(bg, event("Success"), ignore); verdict != ledger.Duplicate || err != nil {
			t.Errorf("a delivered event that is filtered now: %d, %v", verdict, err)
		}
	})
}

// TestCarrierIsNotSuperseded: an event that carries a flag stays, whatever status comes
// after it: the other event would not have the flag.
func TestCarrierIsNotSuperseded(t *testing.T) {
	last, flag := orderEvent("1")
	carrier := last
	carrier.Status, carrier.Key.Status = "Processing", "processing"
	send := func(t *testing.T, a *ledger.Attempt) {
		t.Helper()
		isCarrier := a.Event.Key == carrier.Key
		if carries, err := a.Sent(bg, ledger.Sending{AskedAt: time.Now(), Flag: &flag}); err != nil || carries != isCarrier {
			t.Errorf("%s carries the flag: %t, %v", a.Event.Status, carries, err)
		}
	}
	t.Run("pass-through", func(t *testing.T) {
		test(t, func(t *testing.T, b *book) {
			for _, end := range []func(*ledger.Attempt) error{
				func(a *ledger.Attempt) error { return fail(a, errRefused, ledger.Again{}) },
				func(a *ledger.Attempt) error { return succeed(bg, a) },
			} {
				for _, e := range []ledger.Event{carrier, last} {
					attempt := b.want(e, ledger.Deliver)
					send(t, attempt)
					if err := end(attempt); err != nil {
						t.Fatal(err)
					}
				}
			}
			b.wantState(carrier, ledger.Delivered)
			b.want(carrier, ledger.Duplicate)
		})
	})
	t.Run("store-and-forward", func(t *testing.T) {
		test(t, func(t *testing.T, b *book) {
			b.accept(carrier, ledger.Accepted)
			isDone := false
			defer b.run(ledger.Dispatcher{
				Route: "webhook", Plan: plan, Lease: time.Minute, Workers: 1, Rank: rank,
				Work: func(a *ledger.Attempt) (ledger.Contact, error) {
					send(t, a)
					if a.Event.Key == carrier.Key && !isDone {
						return ledger.Reached, fail(a, errRefused, ledger.Again{})
					}
					isDone = true // the later status
					return ledger.Reached, succeed(bg, a)
				},
				Failed: func(err error) { t.Errorf("the dispatcher calls the ledger out of order: %v", err) },
			})()
			synctest.Wait()
			b.wantState(carrier, ledger.Retrying)
			b.accept(last, ledger.Accepted)
			time.Sleep(time.Hour)
			synctest.Wait()
			b.wantState(last, ledger.Delivered)
			b.wantState(carrier, ledger.Delivered)
		})
	})
}
