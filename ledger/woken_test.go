package ledger_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// paused is a connection of a process that is stopped at a step: its answer is read
// only when the process wakes. Then its timers have not fired yet.
type paused struct {
	*connection
	at    string
	pause func()
}

func (p *paused) stop(step string) {
	if p.at == step {
		p.pause()
	}
}

func (p *paused) Claim(ctx context.Context, r ledger.Record, ttl time.Duration) (ledger.Claim, error) {
	defer p.stop("claim")
	return p.connection.Claim(ctx, r, ttl)
}

func (p *paused) Bind(ctx context.Context, c ledger.Claim, change ledger.Change, flags []ledger.Flag) ([]bool, error) {
	defer p.stop("bind")
	return p.connection.Bind(ctx, c, change, flags)
}

// TestWoken: a process that is stopped while it begins an attempt, for longer than its
// session lives, does not call the app when it wakes, not even where it has a new
// session by then: others have the event.
func TestWoken(t *testing.T) {
	for _, at := range []string{"claim", "claim, nothing to bind", "bind"} {
		t.Run(at, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDatabase()
				way := &paused{connection: d.Connect("a")}
				a, b := join(t, way), join(t, d.Connect("b"))
				var flag *ledger.Flag
				if way.at = at; at == "claim, nothing to bind" {
					way.at = "claim"
				} else {
					fulfill := ledger.FulfillOf("app-123", "order-1")
					flag = &fulfill
				}
				way.pause = func() {
					way.at = ""
					// As after a stop: the lease has gone to another, and the session is a new one.
					d.EndSessions()
					time.Sleep(4 * time.Second)
					_, attempt, err := b.Begin(bg, event("Success"), opts)
					if err != nil || attempt == nil {
						t.Fatalf("the other process: %v", err)
					}
					if err := succeed(bg, attempt); err != nil {
						t.Fatal(err)
					}
				}
				var done sync.WaitGroup
				done.Go(func() {
					_, attempt, err := a.Begin(bg, event("Success"), opts)
					if err != nil {
						return
					}
					if _, err = attempt.Sent(bg, ledger.Sending{Flag: flag}); !errors.Is(err, ledger.ErrNoSession) && !errors.Is(err, ledger.ErrFenced) {
						t.Errorf("sending after it woke: %v", err)
					}
				})
				done.Wait()
			})
		})
	}
}
