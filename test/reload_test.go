package test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/store/bolt"
)

// bad is a configuration that cannot be loaded.
type bad struct{ name, caddyfile, want string }

// broken returns configurations of the site that cannot be loaded, and what the
// error says.
func broken(t *testing.T, s *server, site string) []bad {
	t.Helper()
	taken, err := net.Listen("tcp", net.JoinHostPort(loopback, "0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	return []bad{
		{
			"a missing secret", strings.Replace(globals, "ccpayment {", "ccpayment {\n\t\tapp_secret {env.MISSING}", 1) + site,
			"app_secret",
		},
		{
			"a port that is taken", globals + site + "http://" + taken.Addr().String() + " {\n\trespond yes\n}\n",
			"address already in use",
		},
		{
			"the same without webhooks", "{\n\tadmin {$ADMIN}\n}\nhttp://" + taken.Addr().String() + " {\n\trespond yes\n}\n",
			"address already in use",
		},
		{
			"a folder for a ledger", strings.Replace(globals, "{$LEDGER}", s.dir, 1) + site,
			"its path must be that of a file",
		},
		{
			"an unknown module", strings.Replace(globals, "bolt", "nothing", 1) + site,
			"ccpayment.stores.nothing",
		},
	}
}

// variant is a configuration that differs from the others.
func variant(site string, n int) string {
	return globals + strings.Replace(site, "token", fmt.Sprintf("wait %ds\n\t\ttoken", 10+n), 1)
}

// reload loads the site's next variant, or each second time what cannot be
// loaded.
func reload(t *testing.T, s *server, site string, failing []bad, n int) {
	t.Helper()
	if n%2 == 1 {
		b := failing[n/2%len(failing)]
		if err := s.load(b.caddyfile); err == nil || !strings.Contains(err.Error(), b.want) {
			t.Errorf("%s: loading it should fail with %q, not %v", b.name, b.want, err)
		}
	} else if err := s.load(variant(site, n)); err != nil {
		t.Errorf("reload %d: %v", n, err)
	}
	checkLedgerIsOpenOnce(t, s)
}

func TestReloadsUnderLoad(t *testing.T) {
	const reloads = 40
	app := startApp(t)
	s := newServer(t, app.url)
	s.start(globals + site)
	failing := broken(t, s, site)
	tr := startTraffic(t, s.hook)

	// Somebody checks the file all the while.
	file, stop, validated := s.file(globals+site), make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				validated <- nil
				return
			default:
			}
			if out, err := s.command("validate", "--config", file, "--adapter", "caddyfile"); err != nil {
				validated <- fmt.Errorf("validate: %w\n%s", err, out)
				return
			}
		}
	}()

	for n := range reloads {
		reload(t, s, site, failing, n)
		tr.flow(10)
	}
	if out, err := s.command("reload", "--config", file, "--adapter", "caddyfile", "--address", s.admin); err != nil {
		t.Errorf("caddy reload: %v\n%s", err, out)
	}
	close(stop)
	if err := <-validated; err != nil {
		t.Error(err)
	}
	tr.flow(10)
	tr.end()
	checkLedgerIsOpenOnce(t, s)
	s.stop()

	events := tr.events()
	t.Logf("%d events over %d reloads", len(events), reloads+1)
	checkOnce(t, app, events)
	checkLedgerKnows(t, s, events)
}

// away is a configuration without the ledger.
const away = "{\n\tadmin {$ADMIN}\n}\nhttp://127.0.0.1:{$PORT} {\n\trespond away 503\n}\n"

// The ledger is closed when the last configuration that uses it ends, and
// opened again by the next, while deliveries that began before still run.
func TestLedgerComesAndGoes(t *testing.T) {
	app := startApp(t)
	s := newServer(t, app.url)
	s.start(globals + site)
	tr := startTraffic(t, s.hook)
	for n := range 15 {
		if err := s.load(away); err != nil {
			t.Fatalf("without the ledger: %v", err)
		}
		if n%3 == 0 { // otherwise it comes back at once
			waitUntilLedgerIsClosed(t, s)
		}
		if err := s.load(variant(site, n)); err != nil {
			t.Fatalf("with the ledger: %v", err)
		}
		checkLedgerIsOpenOnce(t, s)
		tr.flow(5)
	}
	tr.end()
	s.stop()
	checkOnce(t, app, tr.events())
	checkLedgerKnows(t, s, tr.events())
}

// checkOnce checks that the app got these events, each once, and no other.
func checkOnce(t *testing.T, app *app, events []event) {
	t.Helper()
	for _, e := range events {
		if times, _ := app.count(e); times != 1 {
			t.Errorf("%s was handed over %d times", e.key.ID, times)
		}
	}
	if got := app.total(); got != len(events) {
		t.Errorf("%d handovers of %d events", got, len(events))
	}
}

// openLedger opens the ledger of a Caddy that has ended, without waiting for its
// lock.
func openLedger(t *testing.T, s *server) *bolt.Store {
	t.Helper()
	store, err := bolt.Open(s.ledger, bolt.Options{LockTimeout: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// checkLedgerKnows checks that these events were delivered, as the ledger of a
// Caddy that has ended has it.
func checkLedgerKnows(t *testing.T, s *server, events []event) {
	t.Helper()
	store := openLedger(t, s)
	defer store.Close()
	for _, e := range events {
		got, err := store.Load(t.Context(), e.key)
		if err != nil {
			t.Fatalf("%s: %v", e.key.ID, err)
		}
		if got.State != ledger.Delivered || string(got.Body) != e.body {
			t.Fatalf("%s is %s in the ledger, with the body %s", e.key.ID, got.State, got.Body)
		}
	}
}

func TestFailedReloadChangesNothing(t *testing.T) {
	app := startApp(t)
	s := newServer(t, app.url)
	s.start(globals + site)
	known := newEvent()
	mustAcknowledge(t, s, known)

	for _, b := range broken(t, s, site) {
		t.Run(b.name, func(t *testing.T) {
			if err := s.load(b.caddyfile); err == nil || !strings.Contains(err.Error(), b.want) {
				t.Fatalf("loading it should fail with %q, not %v", b.want, err)
			}
			before, calls := deliveries(t, s), app.total()
			mustAcknowledge(t, s, known)
			mustAcknowledge(t, s, newEvent())
			if got := app.total() - calls; got != 1 {
				t.Errorf("%d handovers of a new event and a copy", got)
			}
			if after := deliveries(t, s); after == before {
				t.Errorf("the metric of webhooks did not change: %s", after)
			}
			checkLedgerIsOpenOnce(t, s)
		})
	}
	if err := s.load(variant(site, 1)); err != nil {
		t.Errorf("the next reload: %v", err)
	}
	mustAcknowledge(t, s, known)
	s.stop()
}

// mustAcknowledge delivers the event, again where the connection waited at the listener
// that a reload closed, as the gateway does.
func mustAcknowledge(t *testing.T, s *server, e event) {
	t.Helper()
	a, err := deliver(t.Context(), processtest.Once, s.hook, e, appSecret)
	for range 3 {
		if !processtest.CutOff(err) {
			break
		}
		a, err = deliver(t.Context(), processtest.Once, s.hook, e, appSecret)
	}
	if err != nil || !a.yes() {
		t.Fatalf("the answer is %d %q, %v", a.status, a.text, err)
	}
}

// deliveries returns the lines that count webhooks among the metrics.
func deliveries(t *testing.T, s *server) string {
	t.Helper()
	response, err := processtest.Once.Get("http://" + s.admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("metrics: %d %v", response.StatusCode, err)
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "caddy_ccpayment_webhooks_total{") {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		t.Fatal("no metric of webhooks")
	}
	return strings.Join(lines, "")
}
