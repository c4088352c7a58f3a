package move

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/postgrestest"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/store/bolt"
	"github.com/seed-338f6760/caddy-ccpayment/store/postgres"
)

// TestMove: all that a ledger has is there afterwards, as the methods of a store show
// it, and the old one is refused.
func TestMove(t *testing.T) {
	w := newWorld(t)
	w.fill(0)
	spoil(t, w.file, "bodies", has("damaged body"))
	s := w.openBolt()
	want := contentsOf(t, s)
	w.closes(s)
	w.moves()

	p := w.openPostgres()
	got := contentsOf(t, p)
	same(t, got, want)
	if len(want.Events) < 16 || len(want.Orders) != 7 || len(want.Of) != 16 {
		t.Errorf("the ledger had %d events and %d orders", len(want.Events), len(want.Orders))
	}
	for _, text := range []string{"copied ", "verified ", "events/s", "Done: start Caddy"} {
		if !w.said(text) {
			t.Errorf("it does not say %q: %q", text, w.printed)
		}
	}

	// A copy is recognised; a flag stays bound; what is due is taken.
	var copied *ledger.Event
	check(t, p.Accept(bg, event("delivered").Key, func(known *ledger.Event) *ledger.Change { copied = known; return nil }))
	if copied == nil || copied.State != ledger.Delivered {
		t.Errorf("a copy is taken for new: %v", copied)
	}
	claim, err := p.Claim(bg, event("kept").Record, time.Minute)
	check(t, err)
	bound, err := p.Bind(bg, claim, ledger.Change{Event: ledger.Event{Key: event("kept").Key}}, []ledger.Flag{ownFlags[0], ownFlags[6]})
	check(t, err)
	if bound[0] || !bound[1] {
		t.Errorf("bound: %v", bound)
	}
	check(t, p.Unlock(bg, claim))
	taken, err := p.Take(bg, "webhook", time.Minute, 100)
	check(t, err)
	if len(taken) == 0 {
		t.Error("nothing is due")
	}
	// A copy brings another body in the place of a damaged one.
	mended := event("damaged body")
	for _, one := range taken {
		if one.Event.Key == mended.Key {
			check(t, p.Unlock(bg, one.Claim))
		}
	}
	check(t, p.Accept(bg, mended.Key, func(known *ledger.Event) *ledger.Change {
		if known == nil {
			return nil
		}
		return &ledger.Change{Event: mended, Transitions: []ledger.Transition{{At: start, State: ledger.Retrying, Next: start}}}
	}))
	e, err := p.Load(bg, mended.Key)
	check(t, err)
	if string(e.Body) != string(mended.Body) {
		t.Errorf("the body is %q", e.Body)
	}

	_, err = bolt.Open(w.file, bolt.Options{})
	if err == nil || !strings.Contains(err.Error(), "it was moved to 127.0.0.1:"+w.server.Port+"/postgres/"+w.schema) || !strings.Contains(err.Error(), "store postgres") {
		t.Errorf("the moved file: %v", err)
	}
	w.moves()
	if !w.said("already") {
		t.Errorf("it was moved twice: %q", w.printed)
	}
	w.schema = w.server.Schema(t)
	w.refuses("already")
}

// TestKilled: a move that is killed at any moment goes on where it was.
func TestKilled(t *testing.T) {
	w := newWorld(t)
	w.fill(1200)
	s := w.openBolt()
	want := contentsOf(t, s)
	w.closes(s)
	const batch = 40
	kills, wasContinued := 0, false
	for done := false; !done; {
		command := exec.Command(os.Args[0])
		command.Env = append(os.Environ(), "MOVE_FROM="+w.file, "MOVE_TO="+w.server.URL(), "MOVE_SCHEMA="+w.schema, fmt.Sprint("MOVE_BATCH=", batch))
		out, err := command.StdoutPipe()
		check(t, err)
		check(t, command.Start())
		lines := bufio.NewScanner(out)
		// Late enough that there is an end to it, and at last not at all.
		until := 1 + rand.IntN(12) + kills
		if kills >= 12 {
			until = 1000
		}
		var last string
		for n := 0; n < until && lines.Scan(); n++ {
			last = lines.Text()
			wasContinued = wasContinued || strings.HasPrefix(last, "Going on")
			if strings.HasPrefix(last, "ERROR") {
				t.Fatal(last)
			}
		}
		time.Sleep(time.Duration(rand.IntN(10)) * time.Millisecond)
		_ = command.Process.Kill()
		err = command.Wait()
		done = err == nil
		if !done {
			kills++
		}
	}
	if kills < 3 || !wasContinued {
		t.Errorf("killed %d times, gone on: %t", kills, wasContinued)
	}
	p := w.openPostgres()
	same(t, contentsOf(t, p), want)
	if _, err := bolt.Open(w.file, bolt.Options{}); err == nil {
		t.Error("the old ledger opens")
	}
}

// failing is a target that fails.
type failing struct {
	ledger.Import
	writes int    // that do not fail
	twice  bool   // each write is repeated, as after a lost answer
	atRead func() // before the first
	// atWrite is run before the fifth.
	atWrite func()
	end     error
}

func (f *failing) Write(parts []ledger.Part, before, place []byte) error {
	if f.writes--; f.writes < 0 {
		return errors.New("failed")
	}
	if f.writes == 995 && f.atWrite != nil {
		f.atWrite()
	}
	if f.twice {
		if err := f.Import.Write(parts, before, place); err != nil {
			return err
		}
	}
	return f.Import.Write(parts, before, place)
}

func (f *failing) Read(parts []ledger.Part) ([]ledger.Part, error) {
	if f.atRead != nil {
		f.atRead()
		f.atRead = nil
	}
	return f.Import.Read(parts)
}

func (f *failing) End() error {
	if f.end != nil {
		return f.end
	}
	return f.Import.End()
}

// TestEndCutOff: between the two commits that end a move nobody can use either ledger,
// and starting it again ends it.
func TestEndCutOff(t *testing.T) {
	w := newWorld(t)
	w.fill(0)
	err := w.move(func(to ledger.Import) ledger.Import {
		return &failing{Import: to, writes: 1000, end: errors.New("away")}
	})
	if err == nil || !strings.Contains(err.Error(), "start the command again") {
		t.Fatal(err)
	}
	if _, err := bolt.Open(w.file, bolt.Options{}); err == nil {
		t.Error("the old ledger opens")
	}
	if _, err := postgres.Open(postgres.Options{URL: w.server.URL(), Schema: w.schema}); err == nil {
		t.Error("the new ledger opens")
	}
	w.moves()
	w.openPostgres()
}

// TestTwoTargets: a schema that has a part of a ledger, from a move that was cut off, is not opened
// once the ledger was moved to another.
func TestTwoTargets(t *testing.T) {
	w := newWorld(t)
	w.fill(30)
	if err := w.move(func(to ledger.Import) ledger.Import { return &failing{Import: to, writes: 4} }); err == nil {
		t.Fatal("it did not fail")
	}
	part := w.schema
	w.schema = part + "_whole"
	w.moves()
	w.schema = part
	w.refuses("this has only a part of it")
	if _, err := postgres.Open(postgres.Options{URL: w.server.URL(), Schema: part}); err == nil {
		t.Error("a part of the ledger opens")
	}
}

// TestChangedMeanwhile: a ledger that was used after its move had begun is moved from
// its beginning.
func TestChangedMeanwhile(t *testing.T) {
	w := newWorld(t)
	w.fill(30)
	stop := func(to ledger.Import) ledger.Import { return &failing{Import: to, writes: 4} }
	if err := w.move(stop); err == nil {
		t.Fatal("it did not fail")
	}
	s := w.openBolt()
	accept(t, s, event("aaa, in front of all"))
	want := contentsOf(t, s)
	w.closes(s)
	w.moves()
	if !w.said("begins anew") {
		t.Errorf("%q", w.printed)
	}
	p := w.openPostgres()
	same(t, contentsOf(t, p), want)
}

// TestTargetMeanwhile: no process can use a store that a ledger is being moved into, not
// even one that has had it open before.
func TestTargetMeanwhile(t *testing.T) {
	w := newWorld(t)
	w.fill(30)
	early := w.openPostgres() // without a session yet
	if err := w.move(func(to ledger.Import) ledger.Import { return &failing{Import: to, writes: 4} }); err == nil {
		t.Fatal("it did not fail")
	}
	if _, err := early.Keep(bg, ledger.Session{}, nil); err == nil {
		t.Error("a session was begun")
	}
	e := event("meanwhile")
	c := ledger.Change{Event: e, Transitions: []ledger.Transition{{At: start, State: ledger.Received, Next: start}}}
	if err := early.Accept(bg, e.Key, func(*ledger.Event) *ledger.Change { return &c }); err == nil {
		t.Error("an event was accepted")
	}
	if err := early.UpdateOrder(bg, ledger.OrderID{AppID: "a", ID: "b"}, func(*ledger.Order) {}); err == nil {
		t.Error("an order was written")
	}
	_, err := postgres.Open(postgres.Options{URL: w.server.URL(), Schema: w.schema})
	if err == nil || !strings.Contains(err.Error(), "is being moved into it since") || !strings.Contains(err.Error(), "move-ledger") {
		t.Errorf("opening: %v", err)
	}
	// Another ledger is not moved into it as well.
	other := &world{t: t, server: w.server, schema: w.schema, file: t.TempDir() + "/other.db", opts: w.opts}
	other.fill(0)
	other.refuses("another ledger")
	w.moves()
	if _, err := early.Keep(bg, ledger.Session{}, nil); err != nil {
		t.Errorf("after the move: %v", err)
	}
}

// TestPooler: a move behind a pooler, of which the answers of all commits are lost,
// writes everything once.
func TestPooler(t *testing.T) {
	w := newWorld(t)
	w.fill(30)
	s := w.openBolt()
	want := contentsOf(t, s)
	w.closes(s)
	url := w.server.Pooler(t).URL()
	err := run(w.file, url, w.schema, w.opts, func(to ledger.Import) ledger.Import {
		return &failing{Import: to, writes: 1000, twice: true}
	})
	check(t, err)
	p := w.openPostgres()
	same(t, contentsOf(t, p), want)
}

// TestDatabaseKilled: a move ends with its database, says what to do, and goes on.
func TestDatabaseKilled(t *testing.T) {
	w := newWorld(t)
	w.server, w.schema = postgrestest.Start(t), "killed"
	w.fill(60)
	err := w.move(func(to ledger.Import) ledger.Import {
		return &failing{Import: to, writes: 1000, atWrite: w.server.Kill}
	})
	if err == nil || !strings.Contains(err.Error(), "start the command again") {
		t.Fatal(err)
	}
	if err := w.move(nil); err == nil {
		t.Fatal("moved without a database")
	}
	check(t, w.server.Run())
	w.moves()
	w.openPostgres()
}

// TestRefused: what cannot be moved, and what to do.
func TestRefused(t *testing.T) {
	w := newWorld(t)
	w.refuses("there is no such file")
	w.fill(3)
	s := w.openBolt()
	w.refuses("stop Caddy")
	w.closes(s)

	p := w.openPostgres()
	_, err := p.Keep(bg, ledger.Session{}, nil)
	check(t, err)
	w.refuses("a Caddy uses it")
	accept(t, p, event("of another ledger"))
	w.closes(p)
	w.refuses("it has a ledger already")
	w.server.Exec(t, fmt.Sprintf(`update %q.meta set version = 1000`, w.schema))
	w.refuses("its schema has version 1000")
	if _, err := bolt.Open(w.file, bolt.Options{}); err != nil {
		t.Errorf("the ledger that was not moved: %v", err)
	}
}

// TestDamaged: what cannot be read ends the move, or is left behind and listed.
func TestDamaged(t *testing.T) {
	w := newWorld(t)
	w.fill(20)
	spoil(t, w.file, "events", has("more-000007"))
	spoil(t, w.file, "flags", has("shop-delivered"))
	spoil(t, w.file, "orders", has("generations"))
	w.refuses("more-000007")
	w.refuses("--skip-damaged")
	w.opts.SkipDamaged = true
	w.moves()
	for _, text := range []string{"more-000007", "a copy of its webhook is a new event with the same id", "shop-delivered", "it stays bound", "the order", "at the gateway belongs to", "4 that cannot be read"} {
		if !w.said(text) {
			t.Errorf("it does not say %q: %q", text, w.printed)
		}
	}
	p := w.openPostgres()
	bound, err := p.Bound(bg, ownFlags[:1])
	check(t, err)
	if !bound[0] {
		t.Error("a flag of which nobody knows the holder is free")
	}
	if _, err := p.Load(bg, event("more-000007").Key); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("the damaged event: %v", err)
	}
}

// TestDifferences: what the target has not as the source has it ends the move, and the
// source can be used.
func TestDifferences(t *testing.T) {
	const of = `(select id from ledger.events where state = 5 limit 1)` // retrying
	for name, test := range map[string]struct{ sql, want string }{
		"Value":      {`alter table ledger.events drop constraint moving; update ledger.events set data = data || 'x'::bytea where id = ` + of, "a value cannot be read"},
		"State":      {`alter table ledger.events drop constraint moving; update ledger.events set state = 4 where id = ` + of, "the columns of its row do not agree"},
		"Event":      {`delete from ledger.events where id = ` + of, "is missing"},
		"Extra":      {`insert into ledger.bodies (id, record, received, body) values (gen_random_uuid(), gen_random_uuid(), 1, 'x')`, "bodies in place of"},
		"Body":       {`update ledger.bodies set body = '' where id = ` + of, "its body"},
		"NoBody":     {`delete from ledger.bodies where id = ` + of, "its body"},
		"Due":        {`delete from ledger.due where id = ` + of, "it is not in the list of those that are due"},
		"Count":      {`insert into ledger.counts (route, state, n) select route, state, 1 from ledger.events limit 1`, "events of the route"},
		"Flag":       {`update ledger.flags set holder = gen_random_uuid()`, "the flag fulfill of"},
		"Generation": {`delete from ledger.generations where ctid = (select ctid from ledger.generations limit 1)`, "at the gateway belongs to is missing"},
		"Order":      {`alter table ledger.orders drop constraint moving; update ledger.orders set place = 'x' where ctid = (select ctid from ledger.orders limit 1)`, "its place among the orders"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.fill(0)
			plant := strings.ReplaceAll(test.sql, "ledger.", `"`+w.schema+`".`)
			err := w.move(func(to ledger.Import) ledger.Import {
				return &failing{Import: to, writes: 1000, atRead: func() { w.server.Exec(t, plant) }}
			})
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "drop the schema") {
				t.Fatalf("%v, want %q", err, test.want)
			}
			w.closes(w.openBolt())
			if _, err := postgres.Open(postgres.Options{URL: w.server.URL(), Schema: w.schema}); err == nil {
				t.Error("the new ledger opens")
			}
		})
	}
}
