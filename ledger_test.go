package ccpayment_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/store/bolt"
)

func init() {
	caddy.RegisterModule(new(faultyModule))
}

// faultyModule is the bolt store, which tests can make refuse its work.
type faultyModule struct{ bolt.Module }

func (*faultyModule) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "ccpayment.stores.test_faulty", New: func() caddy.Module { return new(faultyModule) }}
}

func (m *faultyModule) Open(opts ledger.OpenOptions) (ledger.Store, error) {
	store, err := m.Module.Open(opts)
	if err != nil {
		return nil, err
	}
	return &faultyStore{store.(*bolt.Store)}, nil
}

type faultyStore struct{ *bolt.Store }

// faults are the methods that refuse.
var faults struct {
	sync.Mutex
	refuses map[string]bool
}

func refuse(t *testing.T, methods ...string) {
	set := make(map[string]bool)
	for _, method := range methods {
		set[method] = true
	}
	faults.Lock()
	faults.refuses = set
	faults.Unlock()
	if len(methods) > 0 {
		t.Cleanup(func() { refuse(t) })
	}
}

func fault(method string) error {
	faults.Lock()
	defer faults.Unlock()
	if faults.refuses[method] {
		return errors.New("no space left on device")
	}
	return nil
}

func (s *faultyStore) Claim(ctx context.Context, record ledger.Record, ttl time.Duration) (ledger.Claim, error) {
	if err := fault("Claim"); err != nil {
		return ledger.Claim{}, err
	}
	return s.Store.Claim(ctx, record, ttl)
}

func (s *faultyStore) Commit(ctx context.Context, claim ledger.Claim, changes []ledger.Change) error {
	if err := fault("Commit"); err != nil {
		return err
	}
	return s.Store.Commit(ctx, claim, changes)
}

const faulty = "store test_faulty {\n path $DIR/ledger.db\n }"

// TestLedgerRefuses: no webhook is acknowledged that the ledger has not recorded.
func TestLedgerRefuses(t *testing.T) {
	tests := []struct {
		name, refuses, webhook string
		app                    http.HandlerFunc
		calls                  int
	}{
		{"the claim", "Claim", "", nil, 0},
		{"the app's yes", "Commit", "", nil, 1},
		{"the app's no", "Commit", "", status(http.StatusInternalServerError), 1},
		{"what is filtered", "Commit", "types UserDeposit", nil, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := start(t, setup{store: faulty, webhook: test.webhook, app: test.app})
			refuse(t, test.refuses)
			s.deliver(delivery{}).wants(t, http.StatusServiceUnavailable)
			calls := s.app.wants(t, test.calls)
			if !strings.Contains(s.logs(), "the ledger cannot be used: nothing is acknowledged") {
				t.Error("the operator is not told")
			}
			refuse(t)
			s.app.answers(nil)
			s.deliver(delivery{}).wants(t, http.StatusOK)
			if test.webhook != "" {
				return
			}
			if test.name == "the app's yes" {
				s.app.wants(t, 1) // it is not asked again for what it has done
				return
			}
			again := s.app.wants(t, test.calls+1)[test.calls]
			if test.calls > 0 && again.header.Get("Idempotency-Key") != calls[0].header.Get("Idempotency-Key") {
				t.Error("the second attempt has another Idempotency-Key")
			}
		})
	}
}

// TestCopiesShareTheLedgersRefusal: a copy that waited for an attempt whose outcome
// could not be recorded is not acknowledged either.
func TestCopiesShareTheLedgersRefusal(t *testing.T) {
	app := newGate()
	s := start(t, setup{store: faulty, app: app.serve})
	answers := s.beginCopies(app, 5)
	refuse(t, "Commit")
	app.answer <- http.StatusOK
	for _, answer := range answers {
		get(t, answer).wants(t, http.StatusServiceUnavailable)
	}
	s.app.wants(t, 1)
}

// TestReload: a new configuration knows which events the old one delivered, and an
// attempt in flight is not made twice.
func TestReload(t *testing.T) {
	app := newGate()
	s := start(t, setup{app: app.serve})
	first := s.begin(delivery{})
	get(t, app.entered)
	reloaded := make(chan struct{})
	go func() {
		defer close(reloaded)
		s.load(setup{webhook: "token shop-token"})
	}()
	app.answer <- http.StatusOK
	get(t, first).wants(t, http.StatusOK)
	get(t, reloaded)
	s.deliverAgain(delivery{}).wants(t, http.StatusOK)
	s.app.wants(t, 1)
	s.app.answers(nil)
	s.deliverAgain(delivery{body: deposit("r2", "Success")}).wants(t, http.StatusOK)
	if got := s.app.wants(t, 2)[1].header.Get("Authorization"); got != "Bearer shop-token" {
		t.Errorf("Authorization %q: the new options are not used", got)
	}
}

// TestFailedReload changes nothing.
func TestFailedReload(t *testing.T) {
	s := start(t, setup{})
	s.deliver(delivery{}).wants(t, http.StatusOK)
	if err := os.WriteFile(filepath.Join(s.dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []setup{
		{store: "store bolt {\n path $DIR/file/ledger.db\n }"},
		{webhook: "confirm maybe", confirm: true},
	} {
		if err := caddy.Load(adapt(t, s.names.Replace(bad.caddyfile())), true); err == nil {
			t.Errorf("%+v was loaded", bad)
		}
		s.deliverAgain(delivery{}).wants(t, http.StatusOK)
		s.app.wants(t, 1)
	}
	s.deliverAgain(delivery{body: deposit("r2", "Success")}).wants(t, http.StatusOK)
	s.app.wants(t, 2)
}

// TestRestart: an event that was delivered is not delivered again.
func TestRestart(t *testing.T) {
	s := start(t, setup{})
	s.deliver(delivery{}).wants(t, http.StatusOK)
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	s.load(setup{})
	s.deliverAgain(delivery{}).wants(t, http.StatusOK)
	s.app.wants(t, 1)
}
