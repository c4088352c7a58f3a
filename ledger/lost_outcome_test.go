package ledger_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// TestDirectOutcomeLost: an attempt whose outcome could not be written counts all
// the same: the next one has a higher number, and is no initial one.
func TestDirectOutcomeLost(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		app, stop := b.dispatchDirect()
		defer stop()
		app.answers(func(*ledger.Attempt) refusal { return refusal{err: errRefused} })
		b.store.commit = func([]ledger.Change) error { return errors.New("the disk fails") }
		synctest.Wait()
		b.accept(event("Success"), ledger.Accepted)
		synctest.Wait()
		b.store.commit = nil
		app.answers(nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		for i, c := range app.called() {
			t.Logf("%+v", c)
			if c.number != i+1 || i > 0 && c.reason == ledger.Initial {
				t.Errorf("call %d is attempt %d, %s", i+1, c.number, c.reason)
			}
		}
	})
}
