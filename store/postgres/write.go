package postgres

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// outcome is what became of a step.
type outcome struct {
	// owned: the lease that it needs was there; else nothing is written.
	owned bool
	// written: else something has changed since it was read, and nothing is written.
	written bool
	// bound are of the step's flags whether they are the holder's now.
	bound []bool
}

// writeSQL writes the changes of several steps. All statements lock what they change
// in the order due, leases, events, orders, flags, and each in the order of its keys.
// Where a step of several rows cannot be written whole, it divides by zero, and
// nothing of the statement is. A lease is of the session $35: its epoch alone may come
// again after a failover, which can take the sequence back.
const writeSQL = `
with clock as materialized (select coalesce($1::bigint, (extract(epoch from clock_timestamp()) * 1000000000)::bigint) as now),
st as materialized (
	select * from unnest($2::int[], $3::uuid[], $4::bigint[], $5::bool[], $6::bool[], $7::int[], $8::int[])
		as t(step, record, epoch, ends, strict, events, orders)),
ch as materialized (
	select * from unnest($9::int[], $10::uuid[], $11::uuid[], $12::uuid[], $13::uuid[], $14::bigint[], $15::bigint[], $16::smallint[],
			$17::smallint[], $18::bigint[], $19::bigint[], $20::bigint[], $21::bytea[], $22::bytea[], $23::bool[], $37::uuid[], $38::bytea[])
		as t(step, record, id, event_id, route, version, by, before, state, received, old_due, due, data, body, replaces, answer_id, answer)),
locked as materialized (
	select d.id from ch join ledger.due d on d.route = ch.route and d.at = ch.old_due and d.id = ch.id
	where ch.old_due is distinct from ch.due
	order by d.route, d.at, d.id for update of d),
own as materialized (
	select st.step from st cross join clock
		join ledger.leases l on l.record = st.record and l.epoch = st.epoch
		join ledger.sessions s on s.id = l.session
	where st.epoch <> 0 and l.session = $35 and l.until > clock.now and s.until > clock.now and (select count(*) from locked) >= 0
	order by l.record for update of l),
live as materialized (
	select ch.* from ch join st on st.step = ch.step
	where (st.epoch = 0 or st.step in (select step from own)) and (select count(*) from locked) >= 0),
changed as (
	update ledger.events e set version = e.version + 1, epoch = c.by, state = c.state, data = c.data
	from live c where c.version > 0 and e.record = c.record and e.id = c.id and e.version = c.version returning e.id),
made as (
	insert into ledger.events (record, id, event_id, route, received, version, epoch, state, data)
	select record, id, event_id, route, received, 1, by, state, data from live where version = 0 order by record, id
	on conflict (record, id) do nothing returning id),
done as materialized (
	select c.* from live c where c.id in (select id from changed union all select id from made)),
good as materialized (
	select st.* from st left join (select step, count(*) as events from done group by step) d on d.step = st.step
	where (st.epoch = 0 or st.step in (select step from own)) and st.events = coalesce(d.events, 0)),
kept as (
	insert into ledger.bodies (id, record, received, body)
	select id, record, received, body from done where body is not null and not replaces order by id
	on conflict (id) do nothing),
replaced as (
	insert into ledger.bodies as b (id, record, received, body)
	select id, record, received, body from done where body is not null and replaces order by id
	on conflict (id) do update set body = excluded.body),
answered as (
	insert into ledger.bodies as b (id, record, received, body)
	select answer_id, record, received, answer from done where answer is not null order by answer_id
	on conflict (id) do update set body = excluded.body),
undue as (
	delete from ledger.due d using done c
	where c.old_due is distinct from c.due and d.route = c.route and d.at = c.old_due and d.id = c.id),
newly_due as (
	insert into ledger.due (route, at, record, id)
	select route, due, record, id from done where due is not null and due is distinct from old_due
	on conflict do nothing),
put_aside as (
	insert into ledger.aside (state, received, id, record, route)
	select state, received, id, record, route from done where state <> before and state in ` + asideSQL + `
	on conflict do nothing),
taken_back as (
	delete from ledger.aside a using done c
	where c.state <> c.before and c.before in ` + asideSQL + ` and a.state = c.before and a.received = c.received and a.id = c.id),
counted as (
	insert into ledger.counts (route, state, n)
	select route, state, sum(n) from (
		select route, state, 1 as n from done where state <> before union all
		select route, before, -1 from done where state <> before and before <> 0) x
	group by route, state having sum(n) <> 0),
freed as (
	update ledger.leases l set until = 0 from good g
	where g.ends and g.epoch <> 0 and l.record = g.record and l.epoch = g.epoch),
od as materialized (
	select o.* from unnest($24::int[], $25::uuid[], $26::bytea[], $27::bigint[], $28::bytea[], $36::bigint[]) as o(step, id, place, version, data, ends)
		join good g on g.step = o.step),
order_changed as (
	update ledger.orders x set version = x.version + 1, data = o.data, ends = o.ends
	from od o where o.version > 0 and x.id = o.id and x.version = o.version returning x.id),
order_made as (
	insert into ledger.orders (id, place, version, data, ends)
	select id, place, 1, data, ends from od where version = 0 order by id
	on conflict do nothing returning id),
generated as (
	insert into ledger.generations as g (id, order_id)
	select n.id, n.order_id from unnest($29::int[], $30::uuid[], $31::uuid[]) as n(step, id, order_id)
		join good on good.step = n.step order by n.id
	on conflict (id) do update set order_id = excluded.order_id where g.order_id = excluded.order_id returning id),
bound as (
	insert into ledger.flags (flag, holder)
	select f.flag, f.holder from unnest($32::int[], $33::uuid[], $34::uuid[]) as f(step, flag, holder)
		join good g on g.step = f.step order by f.flag
	on conflict do nothing),
whole as materialized (
	select g.step from good g left join (
		select o.step, count(*) as orders from od o
		where o.id in (select id from order_changed union all select id from order_made) group by o.step) k on k.step = g.step
	where g.orders = coalesce(k.orders, 0) and not exists (
		select 1 from unnest($29::int[], $30::uuid[]) as n(step, id) where n.step = g.step and n.id not in (select id from generated)))
select st.step, st.epoch = 0 or st.step in (select step from own), st.step in (select step from whole),
	1 / (case when exists (
		select 1 from st x where x.strict and (x.epoch = 0 or x.step in (select step from own)) and x.step not in (select step from whole))
		then 0 else 1 end)
from st`

// asideSQL are the states that the table aside has: held, dead and discarded.
const asideSQL = `(6, 7, 10)`

// holdersSQL reads whose the flags are, in their order.
const holdersSQL = `select f.holder from unnest($1::uuid[]) with ordinality as t(flag, n) left join ledger.flags f on f.flag = t.flag order by t.n`

// write commits a step with those that come at the same time.
func (s *Store) write(c change) (outcome, error) {
	// In one order, whoever writes them.
	slices.SortFunc(c.events, func(a, b eventWrite) int { return bytes.Compare(a.id[:], b.id[:]) })
	slices.SortFunc(c.orders, func(a, b orderWrite) int { return bytes.Compare(a.id[:], b.id[:]) })
	return entered(s, &s.steps, c)
}

// runSteps commits steps in one statement. Where that is refused because of one of
// them, each is committed alone.
func (s *Store) runSteps(steps []*step[change, outcome]) {
	steps, repeated := apart(steps)
	outcomes, err := s.commitSteps(steps)
	isConflict := errors.Is(err, errConflict)
	isRefused := isConflict || refused(err)
	switch {
	case isRefused && len(steps) > 1:
		for _, alone := range steps {
			s.runSteps([]*step[change, outcome]{alone})
		}
	case isConflict:
		steps[0].answer(outcome{owned: true}, nil)
	default:
		for i, step := range steps {
			if err != nil {
				step.answer(outcome{}, err)
			} else {
				step.answer(outcomes[i], nil)
			}
		}
	}
	for _, step := range repeated {
		if isRefused {
			err = nil // of the others
		}
		// What it was computed from is what another step has just changed.
		step.answer(outcome{owned: true}, err)
	}
}

// apart separates the steps that write what another of them writes.
func apart(steps []*step[change, outcome]) (first, repeated []*step[change, outcome]) {
	if len(steps) == 1 {
		return steps, nil
	}
	seen := make(map[digest]bool, len(steps))
	for _, step := range steps {
		keys := step.in.keys()
		if slices.ContainsFunc(keys, func(id digest) bool { return seen[id] }) {
			repeated = append(repeated, step)
			continue
		}
		for _, id := range keys {
			seen[id] = true
		}
		first = append(first, step)
	}
	return first, repeated
}

// commitSteps commits steps in one statement. The error is errConflict where one of
// several rows could not be written whole; then nothing is.
func (s *Store) commitSteps(steps []*step[change, outcome]) ([]outcome, error) {
	var p parameters
	flags := make(digests, 0, len(steps))
	for i, step := range steps {
		flags = append(flags, p.add(i, &step.in)...)
		s.count(step.in.method)
	}
	s.count("commits")
	session, _ := s.session.id()
	began := time.Now()
	outcomes, err := use(context.Background(), s, s.pool, writes, func(ctx context.Context, conn *pgx.Conn) ([]outcome, error) {
		var batch pgx.Batch
		batch.Queue(s.sql.write, p.list(s.clock(), session)...)
		if len(flags) > 0 {
			batch.Queue(s.sql.holders, flags)
		}
		results := conn.SendBatch(ctx, &batch)
		defer results.Close()
		outcomes, err := readOutcomes(results, len(steps))
		if err == nil && len(flags) > 0 {
			err = readHolders(results, steps, outcomes)
		}
		if err != nil {
			return nil, err
		}
		return outcomes, results.Close()
	})
	if code(err) == divisionByZero {
		return nil, errConflict
	}
	if err == nil && s.opts.Committed != nil {
		s.opts.Committed(time.Since(began))
	}
	return outcomes, err
}

func readOutcomes(results pgx.BatchResults, n int) ([]outcome, error) {
	outcomes := make([]outcome, n)
	found, err := results.Query()
	if err != nil {
		return nil, err
	}
	var at, guard int
	var owned, written bool
	_, err = pgx.ForEachRow(found, []any{&at, &owned, &written, &guard}, func() error {
		outcomes[at].owned, outcomes[at].written = owned, written
		return nil
	})
	return outcomes, err
}

// readHolders reads of each step's flags whether they are its own. A statement after
// the one that bound them sees those that another bound meanwhile.
func readHolders(results pgx.BatchResults, steps []*step[change, outcome], outcomes []outcome) error {
	found, err := results.Query()
	if err != nil {
		return err
	}
	holders, err := pgx.CollectRows(found, pgx.RowTo[*digest])
	if err != nil {
		return err
	}
	for i, step := range steps {
		for range step.in.flags {
			outcomes[i].bound = append(outcomes[i].bound, holders[0] != nil && *holders[0] == step.in.holder)
			holders = holders[1:]
		}
	}
	return nil
}

// parameters are those of the write statement.
type parameters struct {
	st struct {
		step          []int32
		record        digests
		epoch         []int64
		ends, strict  []bool
		events, order []int32
	}
	ch struct {
		step                       []int32
		record, id, eventID, route digests
		version, by                []int64
		before, state              []int16
		received                   []int64
		oldDue, due                optional
		data, body                 [][]byte
		replaces                   []bool
		answerID                   digests
		answer                     [][]byte
	}
	od struct {
		step    []int32
		id      digests
		place   [][]byte
		version []int64
		data    [][]byte
		ends    optional
	}
	gen struct {
		step      []int32
		id, order digests
	}
	fl struct {
		step         []int32
		flag, holder digests
	}
}

// add adds a step, and returns its flags.
func (p *parameters) add(n int, c *change) digests {
	at := int32(n)
	st, ch, od, gen, fl := &p.st, &p.ch, &p.od, &p.gen, &p.fl
	st.step, st.record, st.epoch = append(st.step, at), append(st.record, c.record), append(st.epoch, int64(c.epoch))
	st.ends, st.strict = append(st.ends, c.ends), append(st.strict, c.strict())
	st.events, st.order = append(st.events, int32(len(c.events))), append(st.order, int32(len(c.orders)))
	for i := range c.events {
		e := &c.events[i]
		ch.step, ch.record, ch.id = append(ch.step, at), append(ch.record, e.record), append(ch.id, e.id)
		ch.eventID, ch.route = append(ch.eventID, e.eventID), append(ch.route, e.route)
		ch.version, ch.by = append(ch.version, e.version), append(ch.by, int64(c.by))
		ch.before, ch.state = append(ch.before, int16(e.before)), append(ch.state, int16(e.state))
		ch.received, ch.oldDue, ch.due = append(ch.received, e.received), append(ch.oldDue, e.oldDue), append(ch.due, e.due)
		ch.data, ch.body, ch.replaces = append(ch.data, e.data), append(ch.body, e.body), append(ch.replaces, e.replaces)
		ch.answerID, ch.answer = append(ch.answerID, e.answerID), append(ch.answer, e.answer)
	}
	for _, o := range c.orders {
		od.step, od.id, od.place = append(od.step, at), append(od.id, o.id), append(od.place, o.place)
		od.version, od.data, od.ends = append(od.version, o.version), append(od.data, o.data), append(od.ends, o.ends)
		for _, id := range o.generations {
			gen.step, gen.id, gen.order = append(gen.step, at), append(gen.id, id), append(gen.order, o.id)
		}
	}
	flags := make(digests, 0, len(c.flags))
	for _, f := range c.flags {
		flags = append(flags, flagID(f))
	}
	for _, id := range flags {
		fl.step, fl.flag, fl.holder = append(fl.step, at), append(fl.flag, id), append(fl.holder, c.holder)
	}
	return flags
}

func (p *parameters) list(now *int64, session digest) []any {
	st, ch, od, gen, fl := &p.st, &p.ch, &p.od, &p.gen, &p.fl
	return []any{
		now, st.step, st.record, st.epoch, st.ends, st.strict, st.events, st.order,
		ch.step, ch.record, ch.id, ch.eventID, ch.route, ch.version, ch.by, ch.before, ch.state, ch.received, ch.oldDue, ch.due, ch.data, ch.body, ch.replaces,
		od.step, od.id, od.place, od.version, od.data, gen.step, gen.id, gen.order, fl.step, fl.flag, fl.holder,
		session, od.ends, ch.answerID, ch.answer,
	}
}
