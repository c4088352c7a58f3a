package apiproxy

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/store/bolt"
)

// notebook is a proxy with a ledger of its own.
type notebook struct {
	*Proxy
	ledger  *ledger.Ledger
	account *gateway.Account
}

func newNotebook(t *testing.T, store func(ledger.Store) ledger.Store, account *gateway.Account) notebook {
	t.Helper()
	file, err := bolt.Open(filepath.Join(t.TempDir(), "ledger.db"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	l := ledger.New(store(file), time.Now)
	t.Cleanup(func() { _ = l.Close() })
	p, err := New(Config{
		Account: account, Allow: []string{"deposit", "withdraw"}, Token: func() string { return "" }, Now: time.Now, Logger: zap.NewNop(),
		Ledger:  func() (*ledger.Ledger, func(), error) { return l, func() {}, nil },
		RouteOf: func(string, string) string { return "shop" },
	})
	if err != nil {
		t.Fatal(err)
	}
	return notebook{p, l, account}
}

func asIs(s ledger.Store) ledger.Store { return s }

func (n notebook) posts(t *testing.T, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.RemoteAddr = "127.0.0.1:1000"
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	if err := n.ServeHTTP(w, r, r.URL); err != nil {
		t.Error(err)
	}
	return w
}

// wantMade fails the test unless what has a mark was made here, or was not.
func (n notebook) wantMade(t *testing.T, when, mark string, want bool) {
	t.Helper()
	made, err := n.ledger.MadeHere(context.Background(), n.account.Info.AccountID, []string{mark}, []string{"other", "shop"})
	if err != nil || made.IsMade != want || want != (made.Route == "shop") {
		t.Errorf("%s, %s was made here: %+v, %v", when, mark, made, err)
	}
}

// TestNotedBeforeTheCall: a payout is the app's before the gateway hears of it, whatever
// becomes of the process; and it is not where the gateway has refused it, as it does where
// another shop of the account has the id.
func TestNotedBeforeTheCall(t *testing.T) {
	answer, during := "", func() {}
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		during()
		_, _ = io.WriteString(w, answer)
	}))
	defer api.Close()
	n := newNotebook(t, asIs, accountAt(t, api.URL))
	const made, refused, lost = `{"code":10000,"msg":"success","data":{"recordId":"1"}}`, `{"code":11011,"msg":"order duplicate"}`, `<html>`
	for _, c := range []struct {
		id, answer string
		want       bool
	}{
		{"made", made, true},
		{"made", refused, true}, // once more
		{"lost", lost, true},
		{"lost", refused, true}, // because it is there
		{"foreign", refused, false},
		{"foreign", refused, false},
		{"poor", refused, false},
		{"poor", made, true},
	} {
		answer, during = c.answer, func() {}
		if c.id == "made" || c.id == "lost" {
			during = func() { n.wantMade(t, "during the call", "payout "+c.id, true) }
		}
		n.posts(t, "/applyAppWithdrawToCwallet", `{"coinId":1280,"cwalletUser":"9","amount":"5","orderId":"`+c.id+`"}`)
		n.wantMade(t, "after "+c.answer, "payout "+c.id, c.want)
	}
}

// TestNotedByTheAnswer: what only the answer has is noted by it, and the order's own id,
// which other shops may use too, does not count any more.
func TestNotedByTheAnswer(t *testing.T) {
	var n notebook
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n.wantMade(t, "during the call", "order order-1", true)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"invoices":[{"id":"inv-1"}]}`)
	}))
	defer api.Close()
	n = newNotebook(t, asIs, coinsAt(t, api.URL))
	if w := n.posts(t, "/api/v2/merchant/invoices", `{"invoiceId":"order-1"}`); w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	n.wantMade(t, "after the call", "invoice inv-1", true)
	n.wantMade(t, "after the call", "order order-1", false)
}

// stuck is a store that notes nothing until it may.
type stuck struct {
	ledger.Store
	may   chan struct{}
	notes atomic.Int32
}

func (s *stuck) Bound(ctx context.Context, flags []ledger.Flag) ([]bool, error) {
	<-s.may
	s.notes.Add(1)
	return s.Store.Bound(ctx, flags)
}

// TestSlowLedger: a ledger that hangs keeps no answer back, and has all in the end.
func TestSlowLedger(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"code":10000,"msg":"success","data":{"recordId":"1"}}`)
	}))
	defer api.Close()
	s := &stuck{may: make(chan struct{})}
	n := newNotebook(t, func(file ledger.Store) ledger.Store { s.Store = file; return s }, accountAt(t, api.URL))
	if w := n.posts(t, "/applyAppWithdrawToCwallet", `{"coinId":1280,"cwalletUser":"9","amount":"5","orderId":"slow"}`); w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	close(s.may)
	processtest.Until(t, "both are noted", func() bool { return s.notes.Load() == 2 })
	processtest.Until(t, "the payout is the app's", func() bool {
		made, err := n.ledger.MadeHere(t.Context(), n.account.Info.AccountID, []string{"payout slow"}, nil)
		return err == nil && made.IsMade
	})
}
