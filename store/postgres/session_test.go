package postgres

import (
	"fmt"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/postgrestest"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// TestTidy: what has ended does not stay for ever, and what is in use does.
func TestTidy(t *testing.T) {
	server := postgrestest.Shared(t)
	schema := server.Schema(t)
	now := time.Now()
	clock := func() time.Time { return now }
	s := member(t, Options{URL: server.URL(), Schema: schema, now: clock})
	rows := func(table string) string {
		t.Helper()
		return server.Value(t, fmt.Sprintf(`select count(*) from %q.%s`, schema, table))
	}
	for i := range 20 {
		c := one(fmt.Sprint(i))
		if err := s.Accept(bg, c.Event.Key, acceptOnce(c)); err != nil {
			t.Fatal(err)
		}
		claim, err := s.Claim(bg, c.Event.Record, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			if err := s.Unlock(bg, claim); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := s.Spend(bg, "a", time.Second, 1); err != nil {
		t.Fatal(err)
	}
	gone := open(t, Options{URL: server.URL(), Schema: schema, now: clock})
	if _, err := gone.Keep(bg, ledger.Session{}, nil); err != nil {
		t.Fatal(err)
	}
	s.tidy()
	if leases, counts, sessions, budgets := rows("leases"), rows("counts"), rows("sessions"), rows("budgets"); leases != "10" || counts != "1" || sessions != "2" || budgets != "1" {
		t.Errorf("left are %s leases, %s counts, %s sessions and %s budgets", leases, counts, sessions, budgets)
	}
	if list, err := s.Counts(bg); err != nil || len(list) != 1 || list[0].N != 20 {
		t.Errorf("counted %v, %v", list, err)
	}
	now = now.Add(2 * keptFor)
	s.tidy()
	if leases, sessions, budgets := rows("leases"), rows("sessions"), rows("budgets"); leases != "0" || sessions != "0" || budgets != "0" {
		t.Errorf("then are left %s leases, %s sessions and %s budgets", leases, sessions, budgets)
	}
}

// TestListens: a process is told whether hints arrive.
func TestListens(t *testing.T) {
	server := postgrestest.Shared(t)
	schema := server.Schema(t)
	s := open(t, Options{URL: server.URL(), Schema: schema})
	listens := func() bool {
		news, err := s.Keep(bg, ledger.Session{}, nil)
		return err == nil && news.Listens
	}
	eventually(t, "it does not listen", listens)
	eventually(t, "it is not told that nothing can arrive", func() bool {
		// Again and again: it listens anew after a second, and Keep may take longer.
		server.Exec(t, `select pg_terminate_backend(pid) from pg_stat_activity where query like 'listen%' and application_name = $1`, "caddy-ccpayment "+schema)
		return !listens()
	})
	eventually(t, "it does not listen again", listens)
	silent := member(t, Options{URL: server.URL(), Schema: schema, NoListen: true})
	if news, err := silent.Keep(bg, ledger.Session{}, nil); err != nil || news.Listens {
		t.Errorf("with listen off: %+v, %v", news, err)
	}
}

// TestClaimLostOnTheWay: a claim whose answer was lost is taken again by the call that
// it was for, and by no other.
func TestClaimLostOnTheWay(t *testing.T) {
	server := postgrestest.Shared(t)
	s := member(t, Options{URL: server.URL(), Schema: server.Schema(t)})
	in := wanted{record: digestOf("1"), token: newToken(), ttl: time.Minute}
	first, err := s.claims.do(in)
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.claims.do(in)
	if err != nil || again.epoch <= first.epoch {
		t.Errorf("the same call again: epoch %d after %d, %v", again.epoch, first.epoch, err)
	}
	in.token = newToken()
	if _, err := s.claims.do(in); err == nil {
		t.Error("another call took what is leased")
	}
}
