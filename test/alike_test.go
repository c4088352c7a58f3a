package test

import (
	"strings"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/internal/postgrestest"
	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
)

// TestCaddysThatDiffer: where two Caddys that share a ledger have other options for one
// route, each says of the other in what it differs: in its log, once, and to `status` and
// `doctor`; and no more once they agree. What only one of them serves is no difference,
// nor is its own app, and no secret is stored.
func TestCaddysThatDiffer(t *testing.T) {
	t.Parallel()
	const advice = "load the same configuration into all"
	database := postgrestest.Start(t)
	config := func(options string, routes ...string) string {
		usual := strings.Replace(strings.TrimSuffix(onDatabase(database.URL()), site), "ccpayment {", "ccpayment {\nbase_url http://127.0.0.1:1", 1)
		usual += "http://127.0.0.1:{$PORT} {\nccpayment_webhook /hook {\ntoken " + token + "\n" + options + "\n}\n"
		for _, route := range routes {
			usual += "ccpayment_webhook /" + route + " {\nroute " + route + "\nconfirm off\n}\n"
		}
		return usual + "reverse_proxy {$APP}\n}\n"
	}
	first, second := newServer(t, startApp(t).url), newServer(t, startApp(t).url)
	first.start(config("timeout 20s", "a"))
	second.start(config("late hold\nrisky forward", "b"))
	ask := func(s *server, command ...string) string {
		out, _ := s.command(append(command, "--address", s.admin)...)
		return out
	}
	warnings := func(s *server) (n int) {
		for line := range strings.Lines(s.Output.String()) {
			if strings.Contains(line, `"level":"warn"`) && strings.Contains(line, advice) {
				wantIn(t, line, "late of the route webhook, risky of the route webhook")
				n++
			}
		}
		return n
	}
	for _, s := range []*server{first, second} {
		processtest.Until(t, "the status says in what the other differs", func() bool {
			return strings.Contains(ask(s, "ccpayment", "status"), " has not the same late of the route webhook, risky of the route webhook: "+advice)
		})
		processtest.Until(t, "it is in the log", func() bool { return warnings(s) == 1 })
		doctor := ask(s, "ccpayment", "doctor", "--config", s.file(config("")))
		if line := lineOf(doctor, "Caddys"); !strings.HasPrefix(line, "Caddys     WRONG  2 on this ledger; ") ||
			!strings.HasSuffix(line, " has not the same late of the route webhook, risky of the route webhook: "+advice) {
			t.Errorf("doctor says\n%s", doctor)
		}
	}
	stored := database.Value(t, `select string_agg(convert_from(options, 'UTF8'), E'\n') from ccpayment.sessions`)
	for _, secret := range []string{token, appSecret} {
		if strings.Contains(stored, secret) {
			t.Errorf("a secret is stored: %s", stored)
		}
	}
	if err := second.load(config("", "b")); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*server{first, second} {
		processtest.Until(t, "they agree", func() bool {
			return strings.Contains(s.Output.String(), "have the same options again") && !strings.Contains(ask(s, "ccpayment", "status"), advice)
		})
		if n := warnings(s); n != 1 {
			t.Errorf("it warned %d times", n)
		}
		doctor := ask(s, "ccpayment", "doctor", "--config", s.file(config("")))
		if line := lineOf(doctor, "Caddys"); line != "Caddys     ok     2 on this ledger" {
			t.Errorf("doctor says\n%s", doctor)
		}
	}
}
