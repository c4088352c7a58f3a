package ccpayment_test

import (
	"bytes"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"go.etcd.io/bbolt"
)

// damage flips a bit in every value in a bucket of a ledger that nobody has open.
func (s *server) damage(bucket string) {
	s.t.Helper()
	db, err := bbolt.Open(filepath.Join(s.dir, "ledger.db"), 0o600, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	n := 0
	err = db.Update(func(tx *bbolt.Tx) error {
		cursor := tx.Bucket([]byte(bucket)).Cursor()
		for k, v := cursor.First(); k != nil; k, v = cursor.Next() {
			damaged := bytes.Clone(v)
			damaged[len(v)/2] ^= 1
			if err := tx.Bucket([]byte(bucket)).Put(bytes.Clone(k), damaged); err != nil {
				return err
			}
			n++
		}
		return nil
	})
	if err != nil || n == 0 || db.Close() != nil {
		s.t.Fatalf("%d of the %s damaged, %v", n, bucket, err)
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
	s.damage("bodies")
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

// TestDeliverDamagedEvent: an event that the disk has changed is named once, with
// what to do; a copy of it is not acknowledged, and others go on.
func TestDeliverDamagedEvent(t *testing.T) {
	site := setup{site: storedSite, webhook: "retry {\nfirst 20ms\n}", app: status(http.StatusInternalServerError)}
	s := start(t, site)
	s.deliver(delivery{}).wants(t, http.StatusOK)
	await(t, "an attempt", func() bool { return len(s.app.received()) >= 1 })
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	id := s.app.received()[0].header.Get("Idempotency-Key")
	s.damage("events")
	calls := len(s.app.received())
	s.app.answers(status(http.StatusOK))
	s.load(site)
	lines := func() (n int) {
		for line := range strings.Lines(s.logs()) {
			if strings.Contains(line, "an event waits because the ledger has something of it that cannot be read") {
				n++
				for _, part := range []string{`"route":"webhook"`, id, "put a backup in its place", "have CCPayment send again"} {
					if !strings.Contains(line, part) {
						t.Errorf("%s is not in %s", part, line)
					}
				}
			}
		}
		return n
	}
	await(t, "a line about the event", func() bool { return lines() > 0 })
	const others = 3
	for i := range others {
		s.deliver(delivery{body: deposit(fmt.Sprintf("2024031200000000000000000000077%d", i), "Success")}).wants(t, http.StatusOK)
		await(t, "another event", func() bool { return len(s.app.received()) > calls+i })
	}
	s.deliverAgain(delivery{}).wants(t, http.StatusServiceUnavailable)
	if n := lines(); n != 1 || len(s.app.received()) != calls+others {
		t.Errorf("%d lines, and %d calls", n, len(s.app.received())-calls)
	}
	if logs := s.logs(); strings.Contains(logs, "cannot be used: events wait") {
		t.Errorf("the damage has kept others waiting:\n%s", logs)
	}
}

// TestPassThroughDamagedBody: a copy is delivered with its own body.
func TestPassThroughDamagedBody(t *testing.T) {
	s := start(t, setup{app: status(http.StatusInternalServerError)})
	s.deliver(delivery{}).wants(t, http.StatusBadGateway)
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	s.damage("bodies")
	s.app.answers(status(http.StatusOK))
	s.load(setup{})
	s.deliverAgain(delivery{}).wants(t, http.StatusOK)
	if got, want := s.app.wants(t, 2)[1].body, (delivery{}).withDefaults().body; got != want {
		t.Errorf("the app got %s, want %s", got, want)
	}
}
