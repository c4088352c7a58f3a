package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

const (
	// keepSQL renews the session $2, or begins the session $3 where that has run out. It
	// notes when leases were lost. A time of that which lies ahead was read from a clock
	// that has been set back since, and would have nobody get a lease until it comes.
	keepSQL = `
with ` + clockSQL + `,
kept as (
	update ledger.sessions s set until = clock.now + $4, routes = $5, options = $6
	from clock where s.id = $2 and s.until > clock.now returning s.id),
made as (
	insert into ledger.sessions (id, until, routes, options)
	select $3, clock.now + $4, $5, $6 from clock where not exists (select 1 from kept)
	on conflict (id) do update set until = excluded.until returning id),
booted as (
	insert into ledger.boots (at) select now from clock where not exists (select 1 from ledger.boots)
	on conflict do nothing),
ahead as (
	update ledger.boots set at = clock.now from clock where one = any(array(
		select b.one from ledger.boots b, clock where b.at > clock.now for update of b skip locked)))
select k.id, clock.now
from (select id from kept union all select id from made) k cross join clock`
	// renewSQL renews the leases $3 of the session $2. One that is locked is in use, and
	// is renewed the next time.
	renewSQL = `
with ` + clockSQL + `
update ledger.leases set until = least(ends, (select now from clock) + $4) where record = any(array(
	select l.record from ledger.leases l, clock where l.session = $2 and l.epoch = any($3) and l.until > clock.now for update of l skip locked))`
	// leftSQL reads which boot leases are of and since when, and which of the epochs $3 are still leases
	// of the session $2.
	leftSQL = `
with ` + clockSQL + `
select b.id, b.at, array(select l.epoch from ledger.leases l, clock where l.session = $2 and l.epoch = any($3) and l.until > clock.now) from ledger.boots b`
	// nearSQL has the other sessions end no later than if they had been renewed now. Where
	// the clock was set back, those of processes that died would live on for as long.
	nearSQL = `
with ` + clockSQL + `
update ledger.sessions set until = clock.now + $4 from clock where id = any(array(
	select s.id from ledger.sessions s, clock where s.until > clock.now + $4 and s.id not in ($2, $3) for update of s skip locked))`
	// bootSQL begins to keep leases anew, as after a crash.
	bootSQL       = `with ` + clockSQL + ` update ledger.boots set id = gen_random_uuid(), at = clock.now from clock returning id, at`
	othersSQL     = `with ` + clockSQL + ` select s.routes, s.options, s.until from ledger.sessions s, clock where s.until > clock.now and s.id not in ($2, $3) order by s.id`
	endSessionSQL = `delete from ledger.sessions where id = $1`
	// tidySQL deletes what has ended, and does for leases what nearSQL does for sessions,
	// with $3. A lease that others may be waiting for is locked, and stays.
	tidySQL = `
with ` + clockSQL + `,
ended as (delete from ledger.sessions s using clock where s.until < clock.now - $2),
spent as (
	delete from ledger.budgets where id = any(array(
		select b.id from ledger.budgets b, clock where b.full_at < clock.now - $2 for update of b skip locked))),
near as (
	update ledger.leases set until = (select now from clock) + $3 where record = any(array(
		select l.record from ledger.leases l, clock where l.until > clock.now + $3 for update of l skip locked)))
delete from ledger.leases where record = any(array(
	select l.record from ledger.leases l, clock where l.until < clock.now - $2 for update of l skip locked))`
)

const (
	tidyEvery = time.Minute
	// keptFor is for how long what has ended is kept.
	keptFor = time.Minute
)

// session is this process's.
type session struct {
	mu     sync.Mutex
	held   digest
	isHeld bool
	// kept is when it was last renewed or earlier, by this machine's clock.
	kept   time.Time
	tidied time.Time
	// told is the boot of which it was logged that leases are not given yet.
	told booted
}

// booted is since when leases are kept.
type booted struct {
	boot digest
	at   int64
}

// mustLive reports whether the session cannot have run out yet, by this machine's clock.
func (s *session) mustLive(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.isHeld && now.Sub(s.kept) < ledger.SessionTTL
}

// id returns the session's id; false: there is none.
func (s *session) id() (digest, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held, s.isHeld
}

// kept is what renewing a session returns.
type kept struct {
	id     digest
	now    int64
	others []ledger.Session
	booted booted
	left   []int64
}

// Keep implements [ledger.Cluster]. It has a connection of its own: whatever holds up
// the others, the session goes on. One that waits for another's is left to it.
func (s *Store) Keep(ctx context.Context, about ledger.Session, leases []uint64) (ledger.News, error) {
	held, _ := s.session.id()
	epochs := make([]int64, 0, len(leases))
	for _, epoch := range leases {
		epochs = append(epochs, int64(epoch)) //nolint:gosec // they come from a sequence
	}
	fresh, begun := newToken(), s.opts.local()
	routes, options := columnsOf(about, s.known())
	news, err := callOn(ctx, s, s.keeper, repeats, func(ctx context.Context, conn *pgx.Conn) (kept, error) {
		s.count("Keep")
		var batch pgx.Batch
		batch.Queue(settingsSQL) // which may be others since the server read its configuration again
		batch.Queue(s.sql.keep, s.clock(), held, fresh, int64(ledger.SessionTTL), routes, options)
		batch.Queue(s.sql.near, s.clock(), held, fresh, int64(ledger.SessionTTL))
		batch.Queue(s.sql.others, s.clock(), held, fresh)
		batch.Queue(s.sql.renew, s.clock(), held, epochs, int64(ledger.SessionTTL))
		batch.Queue(s.sql.left, s.clock(), held, epochs)
		results := conn.SendBatch(ctx, &batch)
		defer results.Close()
		var k kept
		if err := s.checkAgain(results.QueryRow()); errors.As(err, new(refusal)) {
			s.lose(err)
			return k, err
		} else if err != nil {
			return k, err
		}
		if err := results.QueryRow().Scan(&k.id, &k.now); err != nil {
			return k, err
		}
		if _, err := results.Exec(); err != nil {
			return k, err
		}
		found, err := results.Query()
		if err != nil {
			return k, err
		}
		var names [][]byte
		var theirs []byte
		var until int64
		_, err = pgx.ForEachRow(found, []any{&names, &theirs, &until}, func() error {
			other := sessionOf(names, theirs)
			other.SeenAt = timeOf(until).Add(-ledger.SessionTTL)
			k.others = append(k.others, other)
			return nil
		})
		if err != nil {
			return k, err
		}
		if _, err := results.Exec(); err != nil {
			return k, err
		}
		if err := results.QueryRow().Scan(&k.booted.boot, &k.booted.at, &k.left); err != nil {
			return k, err
		}
		return k, results.Close()
	})
	if err != nil {
		return ledger.News{}, err
	}
	if news.id == fresh && s.session.mustLive(s.opts.local()) {
		// The database's clock was set forward: the others, whose sessions have run out
		// just so, are to hear of it before anybody gets what they have in hand.
		if news.booted, err = s.boot(ctx); err != nil {
			return ledger.News{}, err
		}
	}
	var lost []uint64
	for _, epoch := range leases {
		if !slices.Contains(news.left, int64(epoch)) { //nolint:gosec // they come from a sequence
			lost = append(lost, epoch)
		}
	}
	s.session.mu.Lock()
	s.session.held, s.session.isHeld, s.session.kept = news.id, true, begun
	wait := time.Duration(news.booted.at - news.now + int64(ledger.SessionTTL))
	tells := wait > 0 && s.session.told != news.booted
	if tells {
		s.session.told = news.booted
	}
	isTidy := time.Since(s.session.tidied) < tidyEvery
	if !isTidy {
		s.session.tidied = time.Now()
	}
	s.session.mu.Unlock()
	if tells {
		s.opts.Logger.Warn("the ledger's database has lost who works on what, as in a crash, or its clock was set: nothing is handed over until those who did must have heard of it",
			zap.String("ledger", s.name), zap.Duration("wait", wait))
	}
	if !isTidy && s.enter() {
		go func() {
			defer s.active.Done()
			s.tidy()
		}()
	}
	return ledger.News{
		Session: uuid.UUID(news.id).String(), Now: timeOf(news.now), Others: news.others, Poll: s.opts.Poll, Listens: s.hints.listening.Load(),
		Boot: uuid.UUID(news.booted.boot).String(), Lost: lost,
	}, nil
}

// boot begins to keep leases anew.
func (s *Store) boot(ctx context.Context) (booted, error) {
	return callOn(ctx, s, s.keeper, repeats, func(ctx context.Context, conn *pgx.Conn) (b booted, err error) {
		s.count("boot")
		err = conn.QueryRow(ctx, s.sql.boot, s.clock()).Scan(&b.boot, &b.at)
		return b, err
	})
}

// said is what a process says of itself besides the names of its routes, as the column
// options has it, in JSON.
type said struct {
	// Schema is the version of the schema that the process knows.
	Schema int    `json:"schema"`
	Name   string `json:"name,omitempty"`
	// Confirms are those of the routes that confirm, counted from 0.
	Confirms []int             `json:"confirms,omitempty"`
	Options  map[string]string `json:"options,omitempty"`
}

// columnsOf returns what the row of a session has.
func columnsOf(about ledger.Session, schema int) (routes [][]byte, options []byte) {
	routes = make([][]byte, 0, len(about.Routes))
	more := said{Schema: schema, Name: about.Name, Options: about.Options}
	for i, route := range about.Routes {
		routes = append(routes, []byte(route.Name))
		if route.Confirms {
			more.Confirms = append(more.Confirms, i)
		}
	}
	options, _ = json.Marshal(more) // which is always possible
	return routes, options
}

// readSaid reads the column options. What is not there is unknown, but for the schema of
// the first version, which did not say.
func readSaid(options []byte) said {
	more := said{Schema: 1}
	_ = json.Unmarshal(options, &more)
	return more
}

// sessionOf reads what the row of a session has.
func sessionOf(routes [][]byte, options []byte) (about ledger.Session) {
	more := readSaid(options)
	about.Name, about.Options = more.Name, more.Options
	for i, name := range routes {
		about.Routes = append(about.Routes, ledger.SessionRoute{Name: string(name), Confirms: slices.Contains(more.Confirms, i)})
	}
	return about
}

// tidy deletes what nobody needs any more. What it cannot delete it will next time.
func (s *Store) tidy() {
	_, _ = call(context.Background(), s, repeats, func(ctx context.Context, conn *pgx.Conn) (struct{}, error) {
		var batch pgx.Batch
		batch.Queue(s.sql.tidy, s.clock(), int64(keptFor), int64(ledger.SessionTTL))
		batch.Queue(s.sql.compact)
		return struct{}{}, conn.SendBatch(ctx, &batch).Close()
	})
}

// endSession ends the session, and with it all its leases.
func (s *Store) endSession() error {
	id, ok := s.session.id()
	if !ok {
		return nil
	}
	_, err := use(context.Background(), s, s.pool, repeats, func(ctx context.Context, conn *pgx.Conn) (struct{}, error) {
		_, err := conn.Exec(ctx, s.sql.endSession, id)
		return struct{}{}, err
	})
	return err
}
