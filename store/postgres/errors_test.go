package postgres

import (
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/postgrestest"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/test/purchase"
)

// TestEveryOperationFails: whichever operation of a purchase fails, and whichever two,
// the purchase ends as if none had. Beside the calls that the purchase makes these are the
// round trips to the database, whose connection is cut before the server gets what is
// sent, or when it answers.
func TestEveryOperationFails(t *testing.T) {
	server := postgrestest.Shared(t)
	purchase.Run(t, false, func(t testing.TB) purchase.Opener {
		p := newProxy(t, server)
		schema := server.Schema(t)
		open(t, Options{URL: server.URL(), Schema: schema, now: func() time.Time { return time.Unix(0, 0) }}) // makes it
		var faults atomic.Pointer[purchase.Faults]
		p.tell(func() io.Writer { return &roundTrips{proxy: p, faults: &faults} })
		return func(t testing.TB, of *purchase.Faults) purchase.Ledger {
			faults.Store(of)
			p.cut.Store(0)
			opts := Options{URL: p.url(), Schema: schema, NoListen: true, now: time.Now}
			s, err := Open(opts)
			if err != nil {
				t.Fatal(err)
			}
			return purchase.Ledger{Store: s, Reopen: func() (ledger.Store, error) { return Open(opts) }}
		}
	})
}

// roundTrips counts what is sent on a connection, and has it be cut.
type roundTrips struct {
	*proxy
	faults *atomic.Pointer[purchase.Faults]
	begun  bool
}

// Write implements io.Writer.
func (r *roundTrips) Write(sent []byte) (int, error) {
	name := "database query"
	if !r.begun {
		name, r.begun = "database connect", true
	}
	switch r.faults.Load().Next(name, purchase.Fails, purchase.Lost) {
	case purchase.Fails:
		r.cutNext(beforeTheServer)
	case purchase.Lost:
		r.cutNext(beforeTheAnswer)
	}
	return len(sent), nil
}
