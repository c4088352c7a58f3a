package ccpayment

import (
	"context"
	"slices"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
)

// listener remembers the names of the events that it heard.
type listener struct{ heard []string }

func (l *listener) Handle(_ context.Context, e caddy.Event) error {
	l.heard = append(l.heard, e.Name())
	return nil
}

// TestEmittedWhileStarting: Caddy's apps start in any order, and what happens
// before all have is emitted to listeners that were not there yet.
func TestEmittedWhileStarting(t *testing.T) {
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	defer cancel()
	app, l := new(caddyevents.App), new(listener)
	if err := app.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	a := &emitter{ctx: ctx, app: app, logger: ctx.Logger()}
	a.emit(eventDead, map[string]any{})
	if err := app.On(eventDead, l); err != nil {
		t.Fatal(err)
	}
	if err := app.Start(); err != nil || len(l.heard) != 0 {
		t.Fatalf("heard %v, %v", l.heard, err)
	}
	if err := a.Handle(ctx, caddy.Event{}); err != nil {
		t.Fatal(err)
	}
	a.emit(eventDead, map[string]any{})
	if !slices.Equal(l.heard, []string{eventDead, eventDead}) {
		t.Errorf("heard %v", l.heard)
	}
}
