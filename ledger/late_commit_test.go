package ledger_test

import (
	"testing"
	"testing/synctest"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// TestLateCommit: an event that becomes durable after it was reported as failed is
// delivered when a copy of it is acknowledged.
func TestLateCommit(t *testing.T) {
	test(t, func(t *testing.T, b *book) {
		app, stop := b.dispatch("webhook")
		defer stop()
		synctest.Wait()
		e := event("Success")
		var late func() error
		b.store.late = func(write func() error) { late = write }
		if _, err := b.Accept(bg, e, ""); err == nil {
			t.Fatal("it was accepted")
		}
		b.store.late = nil
		synctest.Wait()
		if err := late(); err != nil {
			t.Fatal(err)
		}
		b.accept(e, ledger.Duplicate)
		synctest.Wait()
		if calls := app.called(); len(calls) != 1 || calls[0].number != 1 || calls[0].reason != ledger.Initial {
			t.Errorf("the app was called %+v", calls)
		}
	})
}
