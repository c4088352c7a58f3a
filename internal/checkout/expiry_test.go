package checkout

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// teller is apps that are told of expiries.
type teller struct {
	wants bool
	err   error
	told  []string // the generation and the status, of each
}

func (t *teller) Wants(ledger.Order, string) bool { return t.wants }

func (t *teller) Tell(_ context.Context, order ledger.Order, status string, _ *ledger.Ledger) (bool, error) {
	if t.err != nil || !t.wants {
		return false, t.err
	}
	t.told = append(t.told, order.Checkout.LatestMade().Ref+" "+status)
	return true, nil
}

// newTelling returns a stand whose app is told of expiries.
func newTelling(t *testing.T) (*stand, *endable, *teller) {
	t.Helper()
	s, g := newEndable(t)
	apps := &teller{wants: true}
	s.expiries = apps
	return s, g, apps
}

func (s *stand) opensForAnHour(t *testing.T) {
	t.Helper()
	if _, err := s.Open(t.Context(), Request{OrderID: "order-1", Price: "10", Currency: "USD", Expires: time.Hour}); err != nil {
		t.Fatal(err)
	}
}

// TestTellOfExpiry: the app is told of an order that has expired once it is ended at the
// gateway, and of each that was opened again; what fails is tried again.
func TestTellOfExpiry(t *testing.T) {
	s, g, apps := newTelling(t)
	s.opensForAnHour(t)
	if !s.generations(t)[0].Tells {
		t.Fatalf("%+v", s.generations(t))
	}
	s.turn(t)
	s.pass(time.Hour)
	for _, fails := range []func(error){
		func(err error) { g.err = err }, func(err error) { g.readErr = err }, func(err error) { apps.err = err },
	} {
		fails(errors.New("no route"))
		s.turn(t)
		fails(nil)
		s.pass(24 * time.Hour)
		if len(apps.told) > 0 {
			t.Fatalf("told: %q", apps.told)
		}
		s.wantEnding(t, 1)
	}
	s.turn(t)
	if !slices.Equal(apps.told, []string{"ref-1 Unpaid"}) || !slices.Equal(g.ended, []string{"ref-1"}) || s.generations(t)[0].Tells {
		t.Errorf("told: %q, ended: %q, %+v", apps.told, g.ended, s.generations(t))
	}
	s.wantEnding(t, 0)
	s.opensForAnHour(t)
	s.pass(time.Hour)
	s.turn(t)
	s.turn(t)
	if !slices.Equal(apps.told, []string{"ref-1 Unpaid", "ref-2 Unpaid"}) {
		t.Errorf("told: %q", apps.told)
	}
	s.wantEnding(t, 0)
}

// TestNothingToTell: nobody is told of an order that is paid, that a payment is on its way
// to, that was closed, or that was opened before anybody wanted to be told.
func TestNothingToTell(t *testing.T) {
	s, g, apps := newTelling(t)
	s.opensForAnHour(t)
	g.pays(1, "10")
	g.invoices[0].order.Payments[0].Finished = false
	s.pass(time.Hour)
	s.turn(t)
	s.wantEnding(t, 1)
	g.invoices[0].order.Payments[0].Finished = true
	err := s.store.UpdateOrder(t.Context(), s.order(t).OrderID, func(o *ledger.Order) { o.State = "paid" })
	if err != nil {
		t.Fatal(err)
	}
	s.pass(time.Hour)
	s.turn(t)

	s, _, closed := newTelling(t)
	s.opensForAnHour(t)
	s.closes(t, false)
	s.pass(2 * time.Hour)
	s.turn(t)
	s.wantEnding(t, 0)

	s, _, late := newTelling(t)
	late.wants = false
	s.opensForAnHour(t)
	late.wants = true
	s.pass(2 * time.Hour)
	s.turn(t)
	s.wantEnding(t, 0)
	if len(apps.told)+len(closed.told)+len(late.told) > 0 {
		t.Errorf("told: %q, %q, %q", apps.told, closed.told, late.told)
	}
}

// TestTellElsewhere: an order whose expiry is told of by another process's route waits for
// that, for a day or two; and one at a gateway that ends no order is told of, too.
func TestTellElsewhere(t *testing.T) {
	s, _, apps := newTelling(t)
	s.opensForAnHour(t)
	apps.wants = false
	s.pass(time.Hour)
	s.turn(t)
	s.wantEnding(t, 1)
	apps.wants = true
	s.pass(time.Hour)
	s.turn(t)
	if s.wantEnding(t, 0); !slices.Equal(apps.told, []string{"ref-1 Unpaid"}) {
		t.Errorf("told: %q", apps.told)
	}
	s.opensForAnHour(t)
	apps.wants = false
	for range 60 {
		s.pass(time.Hour)
		s.turn(t)
	}
	s.wantEnding(t, 0)

	s = newStand(t)
	apps = &teller{wants: true}
	s.expiries = apps
	s.account = &gateway.Account{Gateway: s.gateway, Info: s.account.Info}
	s.opensForAnHour(t)
	s.gateway.pays(1, "4")
	s.pass(time.Hour)
	s.turn(t)
	s.turn(t)
	if s.wantEnding(t, 0); !slices.Equal(apps.told, []string{"ref-1 Partial"}) {
		t.Errorf("told: %q", apps.told)
	}
}

// TestTellAfterRefusedTerms: where an order was ended for another one, which the gateway then
// refused to make or does not have, the app is told when the order would have expired.
func TestTellAfterRefusedTerms(t *testing.T) {
	for _, fails := range []func(*endable){
		func(g *endable) { g.before = gateway.ErrBusy },
		func(g *endable) { g.before = gateway.ErrOutcomeUnknown },
	} {
		s, g, apps := newTelling(t)
		s.opensForAnHour(t)
		fails(g)
		_, err := s.Open(t.Context(), Request{OrderID: "order-1", Price: "12", Currency: "USD", Expires: time.Hour})
		if made := s.generations(t); err == nil || !made[0].Ended || len(made) != 2 {
			t.Fatalf("%v, %+v", err, made)
		}
		s.pass(50 * time.Minute)
		s.turn(t)
		if len(apps.told) > 0 {
			t.Errorf("told before it has expired: %q", apps.told)
		}
		for range 3 {
			s.pass(time.Hour)
			s.turn(t)
		}
		if !slices.Equal(apps.told, []string{"ref-1 Unpaid"}) {
			t.Errorf("told: %q, %+v", apps.told, s.generations(t))
		}
		s.wantEnding(t, 0)
	}
}
