package reconcile

import (
	"context"
	"errors"
	"iter"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
)

// hanging is a gateway whose list does not answer.
type hanging struct {
	payouts
	asked chan struct{}
}

func (g *hanging) List(ctx context.Context, _, _ time.Time, _ func(context.Context) error) iter.Seq2[gateway.Listed, error] {
	return func(yield func(gateway.Listed, error) bool) {
		g.asked <- struct{}{}
		<-ctx.Done()
		yield(gateway.Listed{}, ctx.Err())
	}
}

// TestLookThatIsAskedFor: one that is under way refuses another, and ends with the
// configuration.
func TestLookThatIsAskedFor(t *testing.T) {
	g := &hanging{asked: make(chan struct{})}
	p := newPayroll(t, Config{Grace: -1}, g)
	p.now, p.patience = p.now.Add(2*time.Hour), time.Millisecond
	life, end := context.WithCancel(t.Context())
	defer end()
	p.Run(life, p.ledger) // which looks by itself never
	first := make(chan error)
	go func() {
		_, err := p.Look(t.Context(), "", time.Time{}, false, p.ledger)
		first <- err
	}()
	<-g.asked
	if _, err := p.Look(t.Context(), "", time.Time{}, false, p.ledger); !errors.Is(err, ErrBusy) {
		t.Errorf("another look: %v", err)
	}
	if _, err := p.Dismiss(t.Context(), "", "record", "by hand", p.ledger); !errors.Is(err, ErrBusy) {
		t.Errorf("a dismissal: %v", err)
	}
	end()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("the look ended with %v", err)
	}
	if _, err := p.Look(t.Context(), "", time.Time{}, false, p.ledger); !errors.Is(err, errEnded) {
		t.Errorf("after the end: %v", err)
	}
}
