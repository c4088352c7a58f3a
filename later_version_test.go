package ccpayment_test

import (
	"bytes"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"go.etcd.io/bbolt"

	"github.com/seed-338f6760/caddy-ccpayment/internal/encoding"
)

// rewrite puts other values into a bucket of a ledger that nobody has open, and returns those
// that it had.
func (s *server) rewrite(bucket string, other func(key, value []byte) []byte) (had map[string][]byte) {
	s.t.Helper()
	db, err := bbolt.Open(filepath.Join(s.dir, "ledger.db"), 0o600, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	had = make(map[string][]byte)
	err = db.Update(func(tx *bbolt.Tx) error {
		values := tx.Bucket([]byte(bucket))
		err := values.ForEach(func(k, v []byte) error { had[string(k)] = bytes.Clone(v); return nil })
		for k, v := range had {
			if err := values.Put([]byte(k), other([]byte(k), v)); err != nil {
				return err
			}
		}
		return err
	})
	if err != nil || len(had) == 0 || db.Close() != nil {
		s.t.Fatalf("%d of the %s, %v", len(had), bucket, err)
	}
	return had
}

// TestLaterVersion: an event that a later version has written, or whose order it has, waits
// for that version, and no attempt at it is counted.
func TestLaterVersion(t *testing.T) {
	for _, bucket := range []string{"events", "orders"} {
		t.Run(bucket, func(t *testing.T) {
			box, c, base := newSandbox(t, 1)
			site := setup{
				global: adminOn, account: "webhook_url http://127.0.0.1:$PORT/hook\nbase_url " + base,
				site: strings.Replace(closeSite, "/hook $APP", "/hook $APP {\nretry {\nfirst 20ms\nmax 20ms\n}\n}", 1),
				app:  func(w http.ResponseWriter, r *http.Request) { asks(r.Header.Get("X-Terms"))(w, r) },
			}
			s := consoleShop{&shop{server: start(t, site), box: box, c: c}}
			s.buys("order-1")
			s.app.answers(status(http.StatusInternalServerError))
			s.payAll("order-1")
			await(t, "an attempt", func() bool { return len(s.hooks()) >= 1 })
			if err := caddy.Stop(); err != nil {
				t.Fatal(err)
			}
			had := s.rewrite(bucket, func(key, value []byte) []byte {
				whole, _ := encoding.Unseal(key, value)
				return encoding.Seal(key, append([]byte{200}, whole[1:]...))
			})
			calls := len(s.hooks())
			s.app.answers(status(http.StatusOK))
			s.load(site)
			await(t, "it is said that the event waits", func() bool {
				return strings.Contains(s.logs(), "an event waits because") && strings.Contains(s.logs(), "by a later version of the plugin: update this Caddy")
			})
			if err := caddy.Stop(); err != nil {
				t.Fatal(err)
			}
			if logs := s.logs(); len(s.hooks()) != calls || strings.Contains(logs, "cannot be used: events wait") {
				t.Errorf("the app got %d calls:\n%s", len(s.hooks())-calls, logs)
			}
			s.rewrite(bucket, func(key, _ []byte) []byte { return had[string(key)] })
			s.load(site)
			await(t, "it is delivered", func() bool { return len(s.hooks()) > calls })
			if got := s.hooks()[calls].header.Get("Ccpayment-Fulfill"); got != "true" {
				t.Errorf("Ccpayment-Fulfill is %q", got)
			}
		})
	}
}
