package postgres

import (
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/seed-338f6760/caddy-ccpayment/internal/postgrestest"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/ledger/ledgertest"
)

// TestPooler: behind a pooler that gives each transaction another connection, a store
// does the same, but for hints.
func TestPooler(t *testing.T) {
	server := postgrestest.Shared(t)
	url := server.Pooler(t).URL()
	core, logs := observer.New(zap.InfoLevel)
	s := member(t, Options{URL: url, Schema: server.Schema(t), Logger: zap.New(core)})
	if !s.isPooled.Load() || logs.FilterMessageSnippet("a pooler stands in front").Len() != 1 {
		t.Errorf("the pooler was not found out: %v", logs.All())
	}
	s.Wake(ledger.Hint{Routes: []string{"webhook"}})
	if news, err := s.Keep(bg, ledger.Session{}, nil); err != nil || news.Listens || news.Poll != defaultPoll {
		t.Errorf("it is told %+v, %v", news, err)
	}
	if n := server.Value(t, `select count(*) from pg_stat_activity where query ~ '^(listen|select pg_notify)'`); n != "0" {
		t.Errorf("%s connections of the pooler listen or notify", n)
	}
	ledgertest.Run(t, ledgertest.Features{Shared: true, NoHints: true}, func(t *testing.T, now func() time.Time) func() ledger.Store {
		schema := server.Schema(t)
		return func() ledger.Store {
			return opened(t, Options{URL: url, Schema: schema, now: now})
		}
	})
}
