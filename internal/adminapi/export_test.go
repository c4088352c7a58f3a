package adminapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/seed-338f6760/caddy-ccpayment/internal/operator"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/store/bolt"
)

// paged is a store with so many pages of events.
type paged struct {
	ledger.Store
	pages   int
	between func() // is called before each but the first; nil: nothing
}

const onPage = 1000

func (s *paged) List(_ context.Context, query ledger.Query) (page ledger.Page, err error) {
	if query.Cursor != "" && s.between != nil {
		s.between()
	}
	for i := range onPage {
		page.Events = append(page.Events, ledger.Event{Key: ledger.Key{Record: ledger.Record{Type: "ApiDeposit", ID: fmt.Sprint(i)}}})
	}
	if s.pages--; s.pages > 0 {
		page.Next = "more"
	}
	return page, nil
}

// newExport returns the export of a store's events, and the operator who has it written.
func newExport(t *testing.T, s *paged) (Export, *operator.Operator) {
	t.Helper()
	store, err := bolt.Open(filepath.Join(t.TempDir(), "ledger.db"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	s.Store = store
	export, err := ReadExport("events", url.Values{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return export, &operator.Operator{Ledger: ledger.New(s, time.Now), Now: time.Now, Logger: zap.NewNop()}
}

// deadlines is a response that remembers until when it must be written.
type deadlines struct {
	*httptest.ResponseRecorder
	until time.Time
}

func (d *deadlines) SetWriteDeadline(at time.Time) error {
	d.until = at
	return nil
}

// TestExportOfASlowLedger: no deadline runs while the ledger looks for another page: HTTP/2
// resets a stream whose deadline passes, also where nobody writes.
func TestExportOfASlowLedger(t *testing.T) {
	w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
	s := &paged{pages: 3, between: func() {
		if rows := strings.Count(w.Body.String(), "\n"); rows == 0 || !w.until.IsZero() {
			t.Errorf("after %d rows the rest must be written until %s", rows, w.until)
		}
	}}
	export, o := newExport(t, s)
	if err := export.Serve(t.Context(), w, o, nil, nil); err != nil {
		t.Fatal(err)
	}
	if rows := strings.Count(w.Body.String(), "\n"); rows != 3*onPage+1 {
		t.Errorf("%d rows", rows)
	}
}

// TestExportThatNobodyReads: a client that reads nothing is given up on.
func TestExportThatNobodyReads(t *testing.T) {
	usual := longestStall
	longestStall = 500 * time.Millisecond
	t.Cleanup(func() { longestStall = usual })
	for proto, isHTTP2 := range map[int]bool{1: false, 2: true} {
		t.Run(fmt.Sprint("HTTP/", proto), func(t *testing.T) {
			export, o := newExport(t, &paged{pages: 1e9})
			ended := make(chan struct{})
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer close(ended)
				if r.ProtoMajor != proto {
					t.Errorf("it is %s", r.Proto)
				}
				if err := export.Serve(context.WithoutCancel(r.Context()), w, o, nil, nil); err != nil {
					t.Error(err)
				}
			}))
			if server.EnableHTTP2 = isHTTP2; isHTTP2 {
				server.StartTLS()
			} else {
				server.Start()
			}
			t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
			response, err := server.Client().Get(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			select {
			case <-ended:
			case <-time.After(30 * time.Second):
				t.Error("the export goes on")
			}
		})
	}
}

// torn is a store whose orders cannot be read.
type torn struct{ ledger.Store }

func (torn) Orders(context.Context, ledger.OrderQuery) (ledger.OrderPage, error) {
	return ledger.OrderPage{}, errors.New("order eve@example.com: it is damaged")
}

// TestBrokenExportInTheLog: the log says why an export broke off, without e-mail addresses.
func TestBrokenExportInTheLog(t *testing.T) {
	core, logs := observer.New(zap.ErrorLevel)
	o := &operator.Operator{Ledger: ledger.New(torn{}, time.Now), Now: time.Now, Logger: zap.New(core)}
	export, err := ReadExport("orders", url.Values{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = export.Serve(r.Context(), w, o, func(ledger.Order, time.Time) OrderStatus { return OrderStatus{} }, nil)
	}))
	defer server.Close()
	response, err := server.Client().Get(server.URL)
	if err == nil {
		_, err = io.ReadAll(response.Body)
		response.Body.Close()
	}
	if err == nil {
		t.Error("the file looks whole")
	}
	if all := fmt.Sprint(logs.All()); !strings.Contains(all, "REDACTED: it is damaged") || strings.Contains(all, "eve@") {
		t.Errorf("the log is %s", all)
	}
}
