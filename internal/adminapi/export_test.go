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

func init() { longestStall = 500 * time.Millisecond }

// paged is a store with so many pages of events; it takes a while to find another.
type paged struct {
	ledger.Store
	pages int
	pause time.Duration
}

const onPage = 1000

func (s *paged) List(_ context.Context, query ledger.Query) (page ledger.Page, err error) {
	if query.Cursor != "" {
		time.Sleep(s.pause)
	}
	for i := range onPage {
		page.Events = append(page.Events, ledger.Event{Key: ledger.Key{Record: ledger.Record{Type: "ApiDeposit", ID: fmt.Sprint(i)}}})
	}
	if s.pages--; s.pages > 0 {
		page.Next = "more"
	}
	return page, nil
}

// exporting serves the export of a store's events. What it returns is closed when the export
// has ended.
func exporting(t *testing.T, isHTTP2 bool, s *paged) (server *httptest.Server, ended <-chan struct{}) {
	t.Helper()
	store, err := bolt.Open(filepath.Join(t.TempDir(), "ledger.db"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.Store = store
	o := &operator.Operator{Ledger: ledger.New(s, time.Now), Now: time.Now, Logger: zap.NewNop()}
	export, err := ReadExport("events", url.Values{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(done)
		if wants := map[bool]int{true: 2, false: 1}[isHTTP2]; r.ProtoMajor != wants {
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
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		_ = store.Close()
	})
	return server, done
}

func eachHTTP(t *testing.T, test func(t *testing.T, isHTTP2 bool)) {
	t.Helper()
	t.Run("HTTP/1.1", func(t *testing.T) { test(t, false) })
	t.Run("HTTP/2", func(t *testing.T) { test(t, true) })
}

// TestExportOfASlowLedger: an export arrives whole, however long the ledger takes for a page.
func TestExportOfASlowLedger(t *testing.T) {
	eachHTTP(t, func(t *testing.T, isHTTP2 bool) {
		server, _ := exporting(t, isHTTP2, &paged{pages: 2, pause: 1200 * time.Millisecond})
		response, err := server.Client().Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if rows := strings.Count(string(text), "\n"); err != nil || rows != 2*onPage+1 {
			t.Errorf("%d rows, %v", rows, err)
		}
	})
}

// TestExportThatNobodyReads: a client that reads nothing is given up on.
func TestExportThatNobodyReads(t *testing.T) {
	eachHTTP(t, func(t *testing.T, isHTTP2 bool) {
		server, ended := exporting(t, isHTTP2, &paged{pages: 1e9})
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
