package test

import (
	"strings"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/internal/postgrestest"
	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
)

// TestMoveLedger: after its ledger has moved into PostgreSQL, Caddy recognises a copy of
// an old webhook, and delivers what was due.
func TestMoveLedger(t *testing.T) {
	t.Parallel()
	database := postgrestest.Start(t)
	app := newReceiver(t)
	s := newServer(t, app.url)
	const password = "hunter2"
	s.env = append(s.env, "DATABASE_URL="+strings.Replace(database.URL(), "test@", "test:"+password+"@", 1))
	move := func() (string, error) {
		out, err := s.command("ccpayment", "move-ledger", "--from", s.ledger, "--to", "{env.DATABASE_URL}", "--schema", "shop")
		if strings.Contains(out, password) {
			t.Errorf("the password is in what it prints:\n%s", out)
		}
		return out, err
	}

	old, due := newEvent(), newEvent()
	app.comes()
	s.start(globals + stored)
	mustAcknowledge(t, s, old)
	arrived(t, app, []event{old})
	app.goes()
	mustAcknowledge(t, s, due)
	if out, err := move(); err == nil || !strings.Contains(out, "stop Caddy") {
		t.Errorf("moving a ledger that is in use: %v\n%s", err, out)
	}
	s.stop()
	out, err := move()
	if err != nil || !strings.Contains(out, "Done: start Caddy") {
		t.Fatalf("moving: %v\n%s", err, out)
	}

	refused := startProcess(t, s.program, s.env, "run", "--config", s.file(globals+stored), "--adapter", "caddyfile")
	refused.Wait(t)
	if refused.Err == nil || !strings.Contains(refused.Output.String(), "it was moved to 127.0.0.1:"+database.Port+"/postgres/shop") {
		t.Errorf("Caddy on the file that was moved: %v\n%s", refused.Err, refused.Output.Tail())
	}

	s.start(strings.Replace(globals, "store bolt {\n\t\t\tpath {$LEDGER}", "store postgres {\n\t\t\tschema shop", 1) + stored)
	mustAcknowledge(t, s, old)
	app.comes()
	arrived(t, app, []event{due})
	mustAcknowledge(t, s, due)
	fresh := newEvent()
	mustAcknowledge(t, s, fresh)
	arrived(t, app, []event{fresh})
	s.stop()
	checkCalledOnce(t, app, []event{old, due, fresh})
	if strings.Contains(s.Output.String()+refused.Output.String(), password) {
		t.Error("the password is in the log")
	}
	processtest.Until(t, "the sessions have ended", func() bool {
		return database.Value(t, `select count(*) from shop.sessions`) == "0"
	})
}
