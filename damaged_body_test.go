package ccpayment_test

import (
	"bytes"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"go.etcd.io/bbolt"
)

// damageBodies flips a bit in every body of a ledger that nobody has open.
func (s *server) damageBodies() {
	s.t.Helper()
	db, err := bbolt.Open(filepath.Join(s.dir, "ledger.db"), 0o600, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	n := 0
	err = db.Update(func(tx *bbolt.Tx) error {
		cursor := tx.Bucket([]byte("bodies")).Cursor()
		for k, v := cursor.First(); k != nil; k, v = cursor.Next() {
			damaged := bytes.Clone(v)
			damaged[len(v)/2] ^= 1
			if err := tx.Bucket([]byte("bodies")).Put(bytes.Clone(k), damaged); err != nil {
				return err
			}
			n++
		}
		return nil
	})
	if err != nil || n == 0 || db.Close() != nil {
		s.t.Fatalf("%d bodies damaged, %v", n, err)
	}
}

// TestDeliverDamagedBody: the app never sees a body that the disk has changed. Its
// event is dead, in a line that names it, others go on, and a copy brings it back.
func TestDeliverDamagedBody(t *testing.T) {
	site := setup{site: storedSite, webhook: "retry {\nfirst 20ms\n}", app: status(http.StatusInternalServerError)}
	s := start(t, site)
	s.deliver(delivery{}).wants(t, http.StatusOK)
	await(t, "an attempt", func() bool { return len(s.app.received()) >= 1 })
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	id := s.app.received()[0].header.Get("Idempotency-Key")
	s.damageBodies()
	calls := len(s.app.received())
	s.app.answers(status(http.StatusOK))
	s.load(site)
	await(t, "the event is dead", func() bool {
		for line := range strings.Lines(s.logs()) {
			if strings.Contains(line, "an event is dead") && strings.Contains(line, id) && strings.Contains(line, "its body is damaged in the ledger") {
				return true
			}
		}
		return false
	})
	other := delivery{body: deposit("20240312000000000000000000000777", "Success")}
	s.deliver(other).wants(t, http.StatusOK)
	await(t, "another event", func() bool { return len(s.app.received()) > calls })
	s.deliverAgain(delivery{}).wants(t, http.StatusOK)
	await(t, "the copy", func() bool { return len(s.app.received()) > calls+1 })
	for i, want := range []string{other.body, delivery{}.withDefaults().body} {
		if got := s.app.received()[calls+i].body; got != want {
			t.Errorf("the app got %s, want %s", got, want)
		}
	}
	if logs := s.logs(); strings.Contains(logs, "the ledger cannot be used") {
		t.Errorf("the damage has kept others waiting:\n%s", logs)
	}
}

// TestPassThroughDamagedBody: a copy is handed over with its own body.
func TestPassThroughDamagedBody(t *testing.T) {
	s := start(t, setup{app: status(http.StatusInternalServerError)})
	s.deliver(delivery{}).wants(t, http.StatusBadGateway)
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	s.damageBodies()
	s.app.answers(status(http.StatusOK))
	s.load(setup{})
	s.deliverAgain(delivery{}).wants(t, http.StatusOK)
	if got, want := s.app.wants(t, 2)[1].body, (delivery{}).withDefaults().body; got != want {
		t.Errorf("the app got %s, want %s", got, want)
	}
}
