package ledger_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// unsure is a connection whose standby does not take commits, if lost is set.
type unsure struct {
	*connection
	lost error
}

func (u *unsure) Sync(context.Context) error { return u.lost }

// TestReadAndNotDurable: a copy of what another process has committed is acknowledged
// once it is durable, and not because it can be seen.
func TestReadAndNotDurable(t *testing.T) {
	ignoring := opts
	ignoring.Ignore = because("filtered")
	for name, test := range map[string]struct {
		status string
		opts   ledger.Options
		ends   func(*ledger.Attempt) error
		want   ledger.Verdict
	}{
		"delivered":  {"Success", opts, func(a *ledger.Attempt) error { return succeed(bg, a) }, ledger.Duplicate},
		"held":       {"Success", opts, func(a *ledger.Attempt) error { return hold(a, "risky") }, ledger.OnHold},
		"superseded": {"Processing", opts, func(a *ledger.Attempt) error { return succeed(bg, a) }, ledger.Overtaken},
		"ignored":    {"Failed", ignoring, func(a *ledger.Attempt) error { return succeed(bg, a) }, ledger.Filtered},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDatabase()
				way := &unsure{connection: d.Connect("b")}
				a, b := join(t, d.Connect("a")), join(t, way)
				_, attempt, err := a.Begin(bg, event("Success"), opts)
				if err != nil {
					t.Fatal(err)
				}
				if err := test.ends(attempt); err != nil {
					t.Fatal(err)
				}
				if _, _, err := a.Begin(bg, event(test.status), test.opts); err != nil { // which has it recorded
					t.Fatal(err)
				}
				way.lost = errors.New("no standby has it")
				if _, _, err := b.Begin(bg, event(test.status), test.opts); !errors.Is(err, way.lost) {
					t.Errorf("a copy is acknowledged: %v", err)
				}
				way.lost = nil
				if verdict, _, err := b.Begin(bg, event(test.status), test.opts); verdict != test.want || err != nil {
					t.Errorf("then it comes to %v, %v, want %v", verdict, err, test.want)
				}
			})
		})
	}
}
