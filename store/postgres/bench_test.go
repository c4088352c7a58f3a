package postgres

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/postgrestest"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/store/bolt"
)

// member opens a store with a session.
func member(t testing.TB, opts Options) *Store {
	t.Helper()
	s := opened(t, opts)
	if _, err := s.Keep(bg, ledger.Session{}, nil); err != nil {
		t.Fatal(err)
	}
	return s
}

// received is a new event.
func received(id string) ledger.Change {
	at := time.Now()
	return ledger.Change{
		Event: ledger.Event{
			Key:     ledger.Key{Record: ledger.Record{Route: "webhook", AppID: "app-123", Type: "ApiDeposit", ID: id}, Status: "success", Risk: ledger.NotRisky},
			Account: "default", Status: "Success", OrderID: "order-" + id, GatewayOrderID: "shop-order-" + id, ReceivedAt: at,
			Request: ledger.Request{Method: "POST", URI: "/hook", Host: "shop.example", RemoteAddr: "54.150.123.157:4711", ContentType: "application/json"},
			Body:    fmt.Appendf(nil, `{"type":"ApiDeposit","msg":{"recordId":%q,"orderId":"order-%s","coinId":1280,"coinSymbol":"USDT","status":"Success","isFlaggedAsRisky":false}}`, id, id),
		},
		Transitions: []ledger.Transition{{At: at, State: ledger.Received, Next: at}},
	}
}

func benchmarkAccept(b *testing.B, s ledger.Store) {
	var n atomic.Int64
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			c := received(fmt.Sprintf("20240312%024d", n.Add(1)))
			if err := s.Accept(bg, c.Event.Key, func(known *ledger.Event) *ledger.Change {
				if known != nil {
					return nil
				}
				return &c
			}); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "steps/s")
}

func BenchmarkAccept(b *testing.B) {
	b.Run("bolt", func(b *testing.B) {
		s, err := bolt.Open(b.TempDir()+"/ledger.db", bolt.Options{})
		if err != nil {
			b.Fatal(err)
		}
		defer s.Close()
		benchmarkAccept(b, s)
	})
	b.Run("postgres", func(b *testing.B) {
		server := postgrestest.Shared(b)
		benchmarkAccept(b, member(b, Options{URL: server.URL(), Schema: server.Schema(b)}))
	})
}

// BenchmarkDeliver is an event from its acceptance to its delivery.
func BenchmarkDeliver(b *testing.B) {
	run := func(b *testing.B, s ledger.Store) {
		var n atomic.Int64
		b.SetParallelism(32)
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				c := received(fmt.Sprintf("20240312%024d", n.Add(1)))
				if err := s.Accept(bg, c.Event.Key, func(known *ledger.Event) *ledger.Change { return &c }); err != nil {
					b.Error(err)
				}
				claim, err := s.Claim(bg, c.Event.Record, time.Minute)
				if err != nil {
					b.Error(err)
					continue
				}
				at := time.Now()
				err = s.Commit(bg, claim, []ledger.Change{{Event: ledger.Event{Key: c.Event.Key}, Transitions: []ledger.Transition{
					{At: at, State: ledger.Delivering, Attempt: 1, Seq: 1}, {At: at, State: ledger.Delivered, Attempt: 1},
				}}})
				if err != nil {
					b.Error(err)
				}
			}
		})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	}
	b.Run("bolt", func(b *testing.B) {
		s, err := bolt.Open(b.TempDir()+"/ledger.db", bolt.Options{})
		if err != nil {
			b.Fatal(err)
		}
		defer s.Close()
		run(b, s)
	})
	b.Run("postgres", func(b *testing.B) {
		server := postgrestest.Shared(b)
		run(b, member(b, Options{URL: server.URL(), Schema: server.Schema(b)}))
	})
}

// BenchmarkTake takes events that are due.
func BenchmarkTake(b *testing.B) {
	server := postgrestest.Shared(b)
	s := member(b, Options{URL: server.URL(), Schema: server.Schema(b)})
	var n atomic.Int64
	const each = 100
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			c := received(fmt.Sprintf("20240312%024d", n.Add(1)))
			if err := s.Accept(bg, c.Event.Key, func(known *ledger.Event) *ledger.Change { return &c }); err != nil {
				b.Error(err)
			}
		}
	})
	if _, err := s.Keep(bg, ledger.Session{}, nil); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	taken := 0
	for taken < b.N {
		list, err := s.Take(bg, "webhook", time.Minute, each)
		if err != nil {
			b.Fatal(err)
		}
		if len(list) == 0 {
			b.Fatal("nothing is due")
		}
		taken += len(list)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkPrune deletes bodies of events that were delivered long ago.
func BenchmarkPrune(b *testing.B) {
	server := postgrestest.Shared(b)
	schema := server.Schema(b)
	s := member(b, Options{URL: server.URL(), Schema: schema})
	fill := func(sql string, args ...any) { server.Exec(b, in(schema, sql), args...) }
	fill(`insert into ledger.events (record, id, event_id, route, received, version, epoch, state, data)
		select record, md5(record::text)::uuid, record, md5('')::uuid, n, 1, 1, $2, decode(repeat(md5(record::text), 12), 'hex')
		from (select n, gen_random_uuid() as record from generate_series(1, $1::bigint) n) x`, b.N, int16(ledger.Delivered))
	fill(`insert into ledger.bodies (id, record, received, body) select id, record, received, decode(repeat(md5(id::text), 24), 'hex') from ledger.events`)
	fill(`vacuum analyze ledger.events`)
	fill(`vacuum analyze ledger.bodies`)
	fill(`checkpoint`)
	const position = `select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint`
	var before, after int64
	_, _ = fmt.Sscan(server.Value(b, position), &before)
	b.ResetTimer()
	for pruned := 0; pruned < b.N; {
		n, err := s.Prune(bg, time.Now(), 500)
		if err != nil || n == 0 {
			b.Fatalf("%d of %d pruned: %v", pruned, b.N, err)
		}
		pruned += n
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "bodies/s")
	_, _ = fmt.Sscan(server.Value(b, position), &after)
	b.ReportMetric(float64(after-before)/float64(b.N), "WAL-B/op")
}
