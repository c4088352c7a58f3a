package postgres

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-338f6760/caddy-ccpayment/internal/postgrestest"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// fill fills the tables with n rows of events that are done, and of what belongs to
// them. None can be read.
func fill(t *testing.T, server *postgrestest.Server, schema string, n int) {
	t.Helper()
	sql := `
insert into ledger.events (record, id, event_id, route, received, version, epoch, state, data)
	select md5('r' || n)::uuid, md5('i' || n)::uuid, md5('e' || n)::uuid, '00000000-0000-0000-0000-000000000001', n, 1, 0, 4, '\x00' from generate_series(1, %[1]d) n;
insert into ledger.bodies (id, record, received, body) select id, record, received, '\x00' from ledger.events where data = '\x00';
insert into ledger.due (route, at, record, id) select route, received, record, id from ledger.events where data = '\x00';
insert into ledger.aside (state, received, id, record, route) select 7, received, id, record, route from ledger.events where data = '\x00';
insert into ledger.orders (id, place, version, data) select id, id::text::bytea, 1, '\x00' from ledger.events where data = '\x00';
insert into ledger.generations (id, order_id) select id, record from ledger.events where data = '\x00';
insert into ledger.flags (flag, holder) select id, id from ledger.events where data = '\x00';
insert into ledger.leases (record, session, epoch, until, ends, token) select record, id, received, 0, 0, id from ledger.events where data = '\x00';
insert into ledger.budgets (id, full_at) select id, 0 from ledger.events where data = '\x00'`
	server.Exec(t, strings.ReplaceAll(fmt.Sprintf(sql, n), "ledger.", fmt.Sprintf("%q.", schema)))
	server.Exec(t, `analyze`)
}

var (
	scan = regexp.MustCompile(`(Seq Scan|Index Scan using \S+|Index Only Scan using \S+|Bitmap Index Scan)(?: Backward)? on (\S+)`)
	node = regexp.MustCompile(`->|^ *(CTE|SubPlan|InitPlan) `)
)

// TestPlans: no statement reads a table from end to end that grows, neither when it was
// planned while the table was small, nor when it is large.
func TestPlans(t *testing.T) {
	server := postgrestest.Shared(t)
	schema := server.Schema(t)
	s := member(t, Options{URL: server.URL(), Schema: schema})
	small := []string{"sessions", "boots", "kinds", "routes"}
	for _, size := range []int{0, 20_000} {
		if size > 0 {
			fill(t, server, schema, size)
		}
		for name, sql := range map[string]string{
			"write": s.sql.write, "claim": s.sql.claim, "leased": s.sql.leased, "unlock": s.sql.unlock, "owns": s.sql.owns,
			"take": s.sql.take, "taken": s.sql.taken, "renew": s.sql.renew, "left": s.sql.left, "keep": s.sql.keep, "others": s.sql.others,
			"record": s.sql.readRecord, "event": s.sql.readEvent, "body": s.sql.readBody, "load": s.sql.load, "find": s.sql.find,
			"list": s.sql.list, "list_aside": s.sql.listAside, "list_records": s.sql.listRecords,
			"due": s.sql.due, "prune": s.sql.prune, "read_orders": s.sql.readOrders, "versions": s.sql.versions, "taken_some": s.sql.takenSome,
			"answers": s.sql.answers, "order_of": s.sql.orderOf, "orders": s.sql.orders, "holders": s.sql.holders, "spend": s.sql.spend, "budget": s.sql.budget,
		} {
			plan := planOf(t, s, fmt.Sprintf("%s_%d", name, size), sql)
			for i, line := range plan {
				found := scan.FindStringSubmatch(line)
				if found == nil || slices.Contains(small, found[2]) {
					continue
				}
				rest := plan[i+1:]
				if next := slices.IndexFunc(rest, node.MatchString); next >= 0 {
					rest = rest[:next]
				}
				if !slices.ContainsFunc(rest, func(line string) bool { return strings.Contains(line, "Index Cond:") }) {
					t.Errorf("%s, with %d rows: %s\n%s", name, size, line, strings.Join(plan, "\n"))
				}
			}
		}
	}
}

func planOf(t *testing.T, s *Store, name, sql string) (plan []string) {
	t.Helper()
	var nulls []string
	for i := 1; regexp.MustCompile(fmt.Sprintf(`\$%d\b`, i)).MatchString(sql); i++ {
		nulls = append(nulls, "null")
	}
	err := s.pool.AcquireFunc(bg, func(c *pgxpool.Conn) error {
		if _, err := c.Exec(bg, `prepare plan_`+name+` as `+sql); err != nil {
			return err
		}
		rows, err := c.Query(bg, `explain execute plan_`+name+`(`+strings.Join(nulls, ", ")+`)`)
		if err != nil {
			return err
		}
		for rows.Next() {
			var line string
			if err := rows.Scan(&line); err != nil {
				return err
			}
			plan = append(plan, line)
		}
		return rows.Err()
	})
	if err != nil || len(plan) == 0 {
		t.Fatalf("%s: %v", name, err)
	}
	return plan
}

// TestFewAmongMany: what people look for is found by keys. Of the many others none is
// looked at: they cannot be read.
func TestFewAmongMany(t *testing.T) {
	server := postgrestest.Shared(t)
	schema := server.Schema(t)
	s := member(t, Options{URL: server.URL(), Schema: schema})
	commit := func(c ledger.Change) {
		t.Helper()
		claim, err := s.Claim(bg, c.Event.Record, time.Minute)
		if err == nil {
			err = s.Commit(bg, claim, []ledger.Change{c})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	commit(one("held", ledger.Held))
	commit(one("released", ledger.Held))
	next := one("released")
	next.Transitions = []ledger.Transition{{At: time.Now(), State: ledger.Retrying, Next: time.Now(), Reason: ledger.Release}}
	commit(next)
	commit(one("dead", ledger.Delivering, ledger.Dead))
	fill(t, server, schema, 1000)
	for name, query := range map[string]ledger.Query{
		"held":  {State: ledger.Held},
		"dead":  {RecordID: "dead"},
		"held ": {State: ledger.Held, OrderID: "order-held"},
		"dead ": {RecordID: "dead", State: ledger.Dead},
		"none":  {RecordID: "none"},
		"none ": {RecordID: "dead", State: ledger.Held},
		"none-": {State: ledger.Discarded},
	} {
		query.Limit = 10
		page, err := s.List(bg, query)
		var ids []string
		for _, e := range page.Events {
			ids = append(ids, e.ID)
		}
		want := []string{strings.Trim(name, " ")}
		if strings.HasPrefix(name, "none") {
			want = nil
		}
		if err != nil || !slices.Equal(ids, want) {
			t.Errorf("%+v: %v, %v", query, ids, err)
		}
	}
}

// TestListGivenUp: a list that takes too long gives its connection back, and says what
// to do.
func TestListGivenUp(t *testing.T) {
	server := postgrestest.Shared(t)
	schema := server.Schema(t)
	s := member(t, Options{URL: server.URL(), Schema: schema, NoListen: true, MaxConns: 1})
	fill(t, server, schema, 1)
	s.sql.list = strings.Replace(s.sql.list, "where", "where pg_sleep(60) is not null and", 1)
	if _, err := s.List(bg, ledger.Query{Limit: 10}); code(err) != queryCanceled || !strings.Contains(err.Error(), "ask for a shorter time") {
		t.Errorf("the list: %v", err)
	}
	if n := s.pool.Stat().AcquiredConns(); n != 0 {
		t.Errorf("%d connections are held up", n)
	}
}

// TestPrunedByHand: what the documentation tells to delete leaves the rest as it is.
func TestPrunedByHand(t *testing.T) {
	text, err := os.ReadFile("../../docs/scale.md")
	if err != nil {
		t.Fatal(err)
	}
	_, sql, _ := strings.Cut(string(text), "```sql\nwith old")
	sql, _, ok := strings.Cut("with old"+sql, "```")
	if !ok {
		t.Fatal("the documentation has no such statement")
	}
	server := postgrestest.Shared(t)
	schema := server.Schema(t)
	s := member(t, Options{URL: server.URL(), Schema: schema})
	long := time.Now().AddDate(-4, 0, 0)
	for id, c := range map[string]ledger.Change{
		"old": one("old", ledger.Delivering, ledger.Delivered), "old held": one("old held", ledger.Held), "new": one("new", ledger.Delivering, ledger.Delivered),
	} {
		if strings.HasPrefix(id, "old") {
			c.Event.ReceivedAt = long
		}
		claim, err := s.Claim(bg, c.Event.Record, time.Minute)
		if err == nil {
			err = s.Commit(bg, claim, []ledger.Change{c})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	server.Exec(t, strings.ReplaceAll(sql, "ccpayment.", fmt.Sprintf("%q.", schema)))
	page, err := s.List(bg, ledger.Query{Limit: 10})
	if err != nil || len(page.Events) != 2 || page.Events[0].ID != "new" || page.Events[1].ID != "old held" {
		t.Errorf("left are %+v, %v", page.Events, err)
	}
	counts, err := s.Counts(bg)
	slices.SortFunc(counts, func(a, b ledger.Count) int { return int(a.State) - int(b.State) })
	if want := []ledger.Count{{Route: "webhook", State: ledger.Delivered, N: 1}, {Route: "webhook", State: ledger.Held, N: 1}}; err != nil || !slices.Equal(counts, want) {
		t.Errorf("counted %v, %v", counts, err)
	}
	if n := server.Value(t, fmt.Sprintf(`select count(*) from %q.bodies`, schema)); n != "2" {
		t.Errorf("left are %s bodies", n)
	}
}
