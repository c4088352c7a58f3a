package adminapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/seed-338f6760/caddy-ccpayment/internal/operator"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/store/bolt"
)

// newHandler returns a handler over an empty ledger; unusable, if set, is why it
// cannot be used.
func newHandler(t *testing.T, unusable error) *Handler {
	t.Helper()
	return handlerOf(t, filepath.Join(t.TempDir(), "ledger.db"), unusable)
}

// handlerOf returns a handler over the ledger in a file.
func handlerOf(t *testing.T, path string, unusable error) *Handler {
	t.Helper()
	store, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	o := &operator.Operator{Ledger: ledger.New(store, time.Now), Now: time.Now}
	return NewHandler(Config{Use: func(do func(*operator.Operator) error) error {
		if unusable != nil {
			return unusable
		}
		return do(o)
	}})
}

// TestRefusals: what no endpoint answers, or an endpoint refuses, is an error with
// a status; only 405 has Allow.
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		method, path, body string
		unusable           error
		status             int
		allow, text        string
	}{
		{http.MethodGet, "nothing", "", nil, http.StatusNotFound, "", "no such endpoint"},
		{http.MethodDelete, "events", "", nil, http.StatusMethodNotAllowed, "GET", "use GET"},
		{http.MethodPost, "backup", "", nil, http.StatusMethodNotAllowed, "GET", "use GET"},
		{http.MethodHead, "events/x/release", "", nil, http.StatusMethodNotAllowed, "POST", "use POST"},
		{http.MethodGet, "events/x", "", nil, http.StatusNotFound, "", "knows no event x"},
		{http.MethodGet, "events?cursor=x", "", nil, http.StatusBadRequest, "", "use the `next` of the page before"},
		{http.MethodPost, "events/replay", "{} {}", nil, http.StatusBadRequest, "", "something follows it"},
		{http.MethodGet, "status", "", ErrNotConfigured, http.StatusNotFound, "", "has no ccpayment directive"},
		{http.MethodGet, "backup", "", errors.New("locked"), http.StatusServiceUnavailable, "", "the ledger cannot be used: locked"},
	} {
		w := httptest.NewRecorder()
		err := newHandler(t, c.unusable).Serve(w, httptest.NewRequest(c.method, Prefix+c.path, strings.NewReader(c.body)))
		var refused *Error
		if !errors.As(err, &refused) || refused.Status != c.status || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s %s: %v, want %d %s", c.method, c.path, err, c.status, c.text)
		}
		if w.Header().Get("Allow") != c.allow || w.Body.Len() > 0 {
			t.Errorf("%s %s: %v %s", c.method, c.path, w.Header(), w.Body)
		}
	}
}

// TestClient: the client reads what the handler writes.
func TestClient(t *testing.T) {
	h := newHandler(t, nil)
	c := Client{Address: "here", Do: func(method, uri string, body io.Reader) (*http.Response, error) {
		w := httptest.NewRecorder()
		err := h.Serve(w, httptest.NewRequest(method, uri, body))
		return w.Result(), err
	}}
	status, err := c.Status()
	if err != nil {
		t.Fatal(err)
	}
	if s, err := status.Read(); err != nil || s.LedgerBytes == 0 {
		t.Errorf("the status is %+v, %v", s, err)
	}
	replayed, err := c.ReplayAll(ReplayAll{Filter: Filter{State: "held"}, DryRun: true})
	if err != nil || string(replayed) != "{\"matched\":0,\"replayed\":0}\n" {
		t.Errorf("the replay is %s, %v", replayed, err)
	}
	var refused *Error
	if _, err := c.Step("release", "a/b", "r", Step{Reason: "x"}); !errors.As(err, &refused) || refused.Status != http.StatusNotFound {
		t.Errorf("a step: %v", err)
	}
	copied, err := c.Backup()
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(copied); err != nil || len(text) == 0 {
		t.Errorf("the copy has %d bytes, %v", len(text), err)
	}
	var unread *AnswerError
	if _, err := Answer[Status]("no").Read(); !errors.As(err, &unread) {
		t.Errorf("an answer that is no JSON: %v", err)
	}
}

// TestListBesideADamagedOrder: a list of orders names those of the ledger that cannot be read.
func TestListBesideADamagedOrder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	store, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	order := ledger.Order{OrderID: ledger.OrderID{AppID: "app-123", ID: "order-1"}, OwnID: "order-1", Checkout: &ledger.Checkout{}}
	l := ledger.New(store, time.Now)
	if err := errors.Join(l.SaveCheckout(t.Context(), order, "made"), l.Close()); err != nil {
		t.Fatal(err)
	}
	file, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(file.Update(func(tx *bbolt.Tx) error {
		orders := tx.Bucket([]byte("orders"))
		first, _ := orders.Cursor().First()
		return orders.Put(bytes.Clone(first), []byte("damaged"))
	}), file.Close())
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	if err := handlerOf(t, path, nil).Serve(w, httptest.NewRequest(http.MethodGet, Prefix+"orders", nil)); err != nil {
		t.Fatal(err)
	}
	var list OrderList
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || len(list.Orders) != 0 || len(list.Damaged) != 1 || !strings.Contains(list.Damaged[0], "damaged") {
		t.Errorf("%s, %v", w.Body, err)
	}
}
