package ledger_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// TestDirect: where nothing is asked in between, two commits do, and attempts
// count as ever.
func TestDirect(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		var commits, binds atomic.Int32
		b.store.commit = func([]ledger.Change) error { commits.Add(1); return nil }
		b.store.bind = func() { binds.Add(1) }
		app, stop := b.dispatchDirect()
		defer stop()
		synctest.Wait()
		const n = 100 // more than there are workers
		for i := range n {
			b.accept(numbered(i, "Success"), ledger.Accepted)
		}
		synctest.Wait()
		for _, c := range app.called() {
			if c.number != 1 || c.reason != ledger.Initial {
				t.Errorf("the app was called %+v", c)
			}
		}
		if len(app.called()) != n || commits.Load() != n || binds.Load() != 0 {
			t.Errorf("%d calls, %d commits after the first, %d in between", len(app.called()), commits.Load(), binds.Load())
		}
		if err := b.Replay(bg, numbered(1, "Success").Key, "again"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		all := app.called()
		if last := all[len(all)-1]; last.number != 2 || last.reason != ledger.Replay {
			t.Errorf("the replay is %+v", last)
		}

		app.answers(func(*ledger.Attempt) refusal { return refusal{err: errRefused} })
		b.accept(numbered(n, "Success"), ledger.Accepted)
		synctest.Wait()
		app.answers(nil)
		time.Sleep(plan.First)
		all = app.called()
		if last := all[len(all)-1]; last.number != 2 || last.reason != ledger.Retry || b.load(numbered(n, "Success")).Attempts != 2 {
			t.Errorf("the retry is %+v", last)
		}
	})
}

// TestDirectSequence: an event's sequence number is on disk before it is sent, so
// that an event which comes after a crash has a higher one; also where the clock
// gives two events the same.
func TestDirectSequence(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		app, stop := b.dispatchDirect()
		defer stop()
		numbers := make(map[string]uint64)
		app.answers(func(a *ledger.Attempt) refusal {
			if got := b.load(a.Event); got.Seq != a.Seq || got.Attempts != a.Number {
				t.Errorf("%s is sent with number %d, and the ledger has %d", a.Event.Status, a.Seq, got.Seq)
			}
			numbers[a.Event.Status] = a.Seq
			return refusal{}
		})
		synctest.Wait()
		for _, status := range []string{"Processing", "Success"} {
			b.accept(event(status), ledger.Accepted)
			synctest.Wait()
		}
		if numbers["Processing"] == 0 || numbers["Success"] <= numbers["Processing"] {
			t.Errorf("the sequence numbers are %v", numbers)
		}
	})
}

// TestDirectSequencesDiffer: two events of a record that come at the same instant
// have two sequence numbers on disk, whatever becomes of their first attempts.
func TestDirectSequencesDiffer(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		app, stop := b.dispatchDirect()
		defer stop()
		hold := make(chan struct{})
		defer close(hold)
		app.answers(func(*ledger.Attempt) refusal {
			<-hold
			return refusal{}
		})
		synctest.Wait()
		for _, status := range []string{"Processing", "Success"} {
			b.accept(event(status), ledger.Accepted)
			synctest.Wait()
		}
		processing, success := b.load(event("Processing")), b.load(event("Success"))
		if processing.Seq == 0 || success.Seq <= processing.Seq || success.Attempts != 1 {
			t.Errorf("the sequence numbers are %d and %d, after %d attempts of the second", processing.Seq, success.Seq, success.Attempts)
		}
	})
}

// TestDirectClockSetBack: an event that was accepted right before a crash, after the clock
// was set back, has a higher sequence number than the status before it all the same: an app
// that goes by the number would else take it for the older one.
func TestDirectClockSetBack(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		app, stop := b.dispatchDirect()
		synctest.Wait()
		processing := event("Processing")
		processing.ReceivedAt = processing.ReceivedAt.Add(time.Hour)
		b.accept(processing, ledger.Accepted)
		synctest.Wait()
		stop()

		success := event("Success")
		b.counted(success)
		next := &book{Ledger: ledger.New(b.store, time.Now), store: b.store, t: t}
		again, end := next.dispatchDirect()
		defer end()
		time.Sleep(2 * time.Minute) // no longer than a lease
		if len(app.called()) != 1 || len(again.called()) != 1 {
			t.Fatalf("the app was called %+v, and %+v", app.called(), again.called())
		}
		if first, second := b.load(processing), b.load(success); second.Seq <= first.Seq || second.State != ledger.Delivered {
			t.Errorf("Processing has the number %d, and Success after it %d, %s", first.Seq, second.Seq, second.State)
		}
	})
}

// counted has an event be accepted and numbered by a process that has died since.
func (b *book) counted(e ledger.Event) {
	b.t.Helper()
	e.CountedBy = "a process that has died"
	claim, err := b.store.Claim(bg, e.Record, time.Minute)
	if err == nil {
		err = b.store.Commit(bg, claim, []ledger.Change{{Event: e, Transitions: []ledger.Transition{
			{At: e.ReceivedAt, State: ledger.Received, Next: e.ReceivedAt},
			{At: e.ReceivedAt, State: ledger.Delivering, Attempt: 1, Seq: uint64(e.ReceivedAt.UnixMilli())},
		}}})
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// TestDirectNumberStays: what was maybe sent before a crash keeps its number, whatever was
// accepted since and not handed over.
func TestDirectNumberStays(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		success, processing := event("Success"), event("Processing")
		processing.ReceivedAt = processing.ReceivedAt.Add(time.Second)
		b.counted(success)
		b.counted(processing)
		app, stop := b.dispatchDirect()
		defer stop()
		time.Sleep(2 * time.Minute) // no longer than a lease
		if got := b.load(success); got.Seq != uint64(success.ReceivedAt.UnixMilli()) || got.State != ledger.Delivered {
			t.Errorf("Success has the number %d, %s; the app was called %+v", got.Seq, got.State, app.called())
		}
	})
}
