package ledgertest

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

func claimUnknown(t *testing.T, s *store) {
	claim := s.claim(t, record("1"))
	if len(claim.Events) != 0 {
		t.Errorf("a new record has events: %+v", claim.Events)
	}
	if claim.Record != record("1") {
		t.Errorf("the claim is on %+v", claim.Record)
	}
	_, err := s.Load(bg, event(record("1"), "Success").Key)
	wantErr(t, "loading from a record that was only claimed", err, ledger.ErrNotFound)
}

func leaseIsExclusive(t *testing.T, s *store) {
	r := record("1")
	s.claim(t, r)
	_, err := s.Claim(bg, r, ttl)
	wantErr(t, "claiming it again", err, ledger.ErrLeased)
	for _, change := range []func(*ledger.Record){
		func(r *ledger.Record) { r.ID = "2" },
		func(r *ledger.Record) { r.Route = "other" },
		func(r *ledger.Record) { r.AppID = "app-124" },
		func(r *ledger.Record) { r.Type = "ApiWithdrawal" },
	} {
		other := r
		change(&other)
		if _, err := s.Claim(bg, other, ttl); err != nil {
			t.Errorf("claiming %+v while %+v is leased: %v", other, r, err)
		}
	}
}

func leaseExpires(t *testing.T, s *store) {
	r := record("1")
	epoch := s.claim(t, r).Epoch
	s.advance(t, ttl-time.Second)
	_, err := s.Claim(bg, r, ttl)
	wantErr(t, "claiming it a second too early", err, ledger.ErrLeased)
	for range 3 {
		s.advance(t, ttl+time.Second)
		claim := s.claim(t, r)
		if claim.Epoch <= epoch {
			t.Errorf("epoch %d follows %d", claim.Epoch, epoch)
		}
		epoch = claim.Epoch
	}
	claim := s.claim(t, record("2"))
	s.commit(t, claim, change(event(record("2"), "Success"), delivered...))
	if next := s.claim(t, record("2")); next.Epoch <= claim.Epoch {
		t.Errorf("after a commit epoch %d follows %d", next.Epoch, claim.Epoch)
	}
}

// overtake returns a claim whose lease ran out, and the claim that has the record
// since.
func overtake(t *testing.T, s *store, r ledger.Record) (lost, current ledger.Claim) {
	t.Helper()
	lost = s.claim(t, r)
	s.advance(t, ttl+time.Second)
	return lost, s.claim(t, r)
}

func failureIsFenced(t *testing.T, s *store) {
	e := event(record("1"), "Success")
	lost, current := overtake(t, s, e.Record)
	wantErr(t, "the overtaken claim's failure", s.Commit(bg, lost, []ledger.Change{change(e, retrying...)}), ledger.ErrFenced)
	_, err := s.Load(bg, e.Key)
	wantErr(t, "loading what was fenced", err, ledger.ErrNotFound)
	_, err = s.Claim(bg, e.Record, ttl)
	wantErr(t, "claiming after the fenced commit", err, ledger.ErrLeased)
	s.commit(t, current, change(e, retrying...))
	wantErr(t, "the overtaken claim's failure, after the other's commit", s.Commit(bg, lost, []ledger.Change{change(e, ledger.Delivering, ledger.Retrying)}), ledger.ErrFenced)
	if loaded, err := s.Load(bg, e.Key); err != nil || len(loaded.Transitions) != len(retrying) {
		t.Errorf("the event is %+v, %v", loaded, err)
	}
}

// successIsFenced: what an overtaken claim's app has taken is written under a later
// claim, by whoever knows what happened meanwhile.
func successIsFenced(t *testing.T, s *store) {
	r := record("1")
	processing, success := event(r, "Processing"), event(r, "Success")
	s.put(t, processing, retrying...)
	lost, current := overtake(t, s, r)
	both := []ledger.Change{change(success, delivered...), change(processing, ledger.Superseded)}
	wantErr(t, "the overtaken claim's success", s.Commit(bg, lost, both), ledger.ErrFenced)
	_, err := s.Load(bg, success.Key)
	wantErr(t, "loading what was fenced", err, ledger.ErrNotFound)
	s.commit(t, current, change(success, retrying...))
	s.wantState(t, processing.Key, ledger.Retrying)
	wantErr(t, "the overtaken claim's success, after the other's commit", s.Commit(bg, lost, both), ledger.ErrFenced)
	s.commit(t, s.claim(t, r), change(success, delivered...))
	s.wantState(t, success.Key, ledger.Delivered)
}

// successIsAJoin: that the app took an event stays true, whatever was recorded since, and
// is recorded once.
func successIsAJoin(t *testing.T, s *store) {
	e := event(record("1"), "Success")
	s.commit(t, s.claim(t, e.Record), change(e, retrying...))
	s.commit(t, s.claim(t, e.Record), change(e, delivered...))
	before, err := s.Load(bg, e.Key)
	if err != nil || before.State != ledger.Delivered {
		t.Fatalf("after a failure it is %+v, %v", before, err)
	}
	s.commit(t, s.claim(t, e.Record), change(e, delivered...))
	after, err := s.Load(bg, e.Key)
	if err != nil || !reflect.DeepEqual(before, after) {
		t.Errorf("a second success changes the event from %+v to %+v, %v", before, after, err)
	}
	claim := s.claim(t, e.Record)
	if err := s.Commit(bg, claim, []ledger.Change{change(e, ledger.Held)}); err == nil {
		t.Error("what is delivered is held")
	}
}

func unlock(t *testing.T, s *store) {
	e := event(record("1"), "Success")
	claim := s.claim(t, e.Record)
	for range 3 {
		if err := s.Unlock(bg, claim); err != nil {
			t.Errorf("unlocking: %v", err)
		}
	}
	next := s.claim(t, e.Record)
	if len(next.Events) != 0 {
		t.Errorf("unlocking left %+v", next.Events)
	}
	s.commit(t, next, change(e, delivered...))
	if err := s.Unlock(bg, next); err != nil {
		t.Errorf("unlocking what a commit ended: %v", err)
	}
	s.wantState(t, e.Key, ledger.Delivered)
}

func unlockOfALostLease(t *testing.T, s *store) {
	e := event(record("1"), "Success")
	lost, current := overtake(t, s, e.Record)
	if err := s.Unlock(bg, lost); err != nil {
		t.Errorf("unlocking: %v", err)
	}
	_, err := s.Claim(bg, e.Record, ttl)
	wantErr(t, "claiming what another owns", err, ledger.ErrLeased)
	s.commit(t, current, change(e, retrying...))
}

func commitEndsTheLease(t *testing.T, s *store) {
	e := event(record("1"), "Success")
	claim := s.claim(t, e.Record)
	s.commit(t, claim, change(e, retrying...))
	s.claim(t, e.Record)
	wantErr(t, "a second failure under one claim", s.Commit(bg, claim, []ledger.Change{change(e, ledger.Delivering, ledger.Retrying)}), ledger.ErrFenced)
}

func concurrentCommits(t *testing.T, s *store) {
	const goroutines, each = 64, 4
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := range each {
				r := record(fmt.Sprintf("%d-%d", g, i))
				claim, err := s.Claim(bg, r, ttl)
				if err != nil {
					t.Errorf("claiming %s: %v", r.ID, err)
					return
				}
				if err := s.Commit(bg, claim, []ledger.Change{change(event(r, "Success"), delivered...)}); err != nil {
					t.Errorf("committing to %s: %v", r.ID, err)
				}
			}
		})
	}
	wg.Wait()
	for g := range goroutines {
		for i := range each {
			s.wantState(t, event(record(fmt.Sprintf("%d-%d", g, i)), "Success").Key, ledger.Delivered)
		}
	}
}

func concurrentClaims(t *testing.T, s *store) {
	r := record("1")
	var holders atomic.Int32
	var mu sync.Mutex
	epochs, commits := make(map[uint64]bool), 0
	var wg sync.WaitGroup
	for g := range 64 {
		wg.Go(func() {
			claim, err := s.Claim(bg, r, ttl)
			for errors.Is(err, ledger.ErrLeased) {
				runtime.Gosched()
				claim, err = s.Claim(bg, r, ttl)
			}
			if err != nil {
				t.Errorf("claiming: %v", err)
				return
			}
			if n := holders.Add(1); n != 1 {
				t.Errorf("%d hold the record at a time", n)
			}
			mu.Lock()
			if epochs[claim.Epoch] {
				t.Errorf("epoch %d was given twice", claim.Epoch)
			}
			epochs[claim.Epoch] = true
			// The holder of the lease sees all that was committed before.
			if len(claim.Events) != commits {
				t.Errorf("%d events after %d commits", len(claim.Events), commits)
			}
			commits += g % 2
			mu.Unlock()
			runtime.Gosched()
			holders.Add(-1)
			if g%2 == 0 {
				err = s.Unlock(bg, claim)
			} else {
				err = s.Commit(bg, claim, []ledger.Change{change(event(r, fmt.Sprint("s", g)), delivered...)})
			}
			if err != nil {
				t.Errorf("ending the claim: %v", err)
			}
		})
	}
	wg.Wait()
	if got := len(s.summaries(t, r)); got != 32 || len(epochs) != 64 {
		t.Errorf("%d of 64 claims won and %d of 32 events landed", len(epochs), got)
	}
}
