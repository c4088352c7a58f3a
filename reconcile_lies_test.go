package ccpayment_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// liar is an API whose list of deposits is not what the sandbox has.
type liar struct {
	http.Handler
	lie   atomic.Pointer[func(data map[string]any)] // nil: it tells the truth
	calls atomic.Int32
}

func (l *liar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	lie := l.lie.Load()
	if lie == nil || !strings.HasSuffix(r.URL.Path, "/getAppDepositRecordList") {
		l.Handler.ServeHTTP(w, r)
		return
	}
	l.calls.Add(1)
	recorder := httptest.NewRecorder()
	l.Handler.ServeHTTP(recorder, r)
	var answer map[string]any
	if err := json.NewDecoder(recorder.Body).Decode(&answer); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if data, ok := answer["data"].(map[string]any); ok {
		(*lie)(data)
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// says has the liar lie from now on; nil: it stops.
func (l *liar) says(lie func(data map[string]any)) {
	if lie == nil {
		l.lie.Store(nil)
		return
	}
	l.lie.Store(&lie)
}

// newLied starts a shop whose Caddy is lied to, and that looks when it is asked to.
func newLied(t *testing.T) (*lossy, *liar) {
	t.Helper()
	l := new(liar)
	s := newLossy(t, lossySite, "every off\ngrace 1ms", func(s *lossy) {
		l.Handler = s.box
		api := httptest.NewServer(l)
		t.Cleanup(api.Close)
		s.through = api.URL + "/ccpayment/v2"
	})
	s.look(`{}`) // the day's asking for each open order, which would tell the truth first
	s.lose()
	return s, l
}

func recordsIn(data map[string]any) []any {
	records, _ := data["records"].([]any)
	return records
}

// TestLyingLists: whatever a list of records says, the app is told what the records say by
// themselves, of all of them, once.
func TestLyingLists(t *testing.T) {
	calls := 0
	for what, lie := range map[string]func(data map[string]any){
		"pages shift": func(data map[string]any) {
			records := recordsIn(data)
			if calls++; len(records) == 0 {
				return
			}
			if gap := calls % len(records); calls < 20 { // and what is left stands there twice
				data["records"] = append(append(records[:gap:gap], records[gap+1:]...), records[:gap]...)
			}
		},
		"in the future": func(data map[string]any) {
			for _, r := range recordsIn(data) {
				r.(map[string]any)["arrivedAt"] = 4_000_000_000
			}
		},
		"other amounts": func(data map[string]any) {
			for _, r := range recordsIn(data) {
				r.(map[string]any)["amount"] = "1000000"
			}
		},
		"unfinished": func(data map[string]any) {
			for _, r := range recordsIn(data) {
				r.(map[string]any)["status"] = "Processing"
			}
		},
	} {
		t.Run(what, func(t *testing.T) {
			s, l := newLied(t)
			l.says(lie)
			const orders = 4
			for _, order := range []string{"order-0", "order-1", "order-2", "order-3"} {
				s.sell(order)
			}
			await(t, "a look tells all", func() bool {
				s.look(`{}`)
				s.mu.Lock()
				defer s.mu.Unlock()
				return len(s.fulfilled) >= orders
			})
			l.says(nil)
			if look := s.look(`{}`).Accounts[0]; len(look.Missing) != 0 || look.LastError != "" {
				t.Errorf("at the end the look says %+v", look)
			}
			s.wantFulfilled(orders)
		})
	}
}

// TestListedAndNotThere: of a record that is listed, and that the gateway does not have or has
// as failed, the app is told nothing that is money.
func TestListedAndNotThere(t *testing.T) {
	t.Run("not by its id", func(t *testing.T) {
		s, l := newLied(t)
		l.says(func(data map[string]any) {
			for _, r := range recordsIn(data) {
				ghost := maps.Clone(r.(map[string]any))
				ghost["recordId"] = "ghost"
				data["records"] = append(recordsIn(data), ghost)
			}
		})
		s.sell("order-1")
		await(t, "the order is fulfilled", func() bool { s.look(`{}`); s.mu.Lock(); defer s.mu.Unlock(); return len(s.fulfilled) == 1 })
		await(t, "the other waits for its record", func() bool {
			ghost := s.list("record_id=ghost").Events
			return len(ghost) == 1 && ghost[0].LastError != ""
		})
		if s.header("ghost") != nil {
			t.Error("the app was told of a record that the gateway does not have")
		}
		s.wantFulfilled(1)
	})
	t.Run("of another order", func(t *testing.T) {
		s, l := newLied(t)
		l.says(func(data map[string]any) {
			for _, r := range recordsIn(data) {
				r.(map[string]any)["orderId"] = "order-1"
			}
		})
		s.visit(http.MethodPost, "/buy/order-1", "", http.Header{"Accept": {"application/json"}})
		record := s.sell("order-2")
		await(t, "the event is held", func() bool {
			s.look(`{}`)
			events := s.list("record_id=" + record).Events
			return len(events) == 1 && events[0].State == "held"
		})
		s.wantFulfilled(0)
	})
	t.Run("as failed", func(t *testing.T) {
		s, l := newLied(t)
		l.says(func(data map[string]any) {
			for _, r := range recordsIn(data) {
				r.(map[string]any)["status"] = "Success"
			}
		})
		s.visit(http.MethodPost, "/buy/order-1", "", http.Header{"Accept": {"application/json"}})
		paid, err := s.box.Pay(t.Context(), sandbox.Payment{OrderID: "order-1", Status: "processing"})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.box.Finish(paid.RecordID, "failed"); err != nil {
			t.Fatal(err)
		}
		await(t, "the event is held", func() bool {
			s.look(`{}`)
			events := s.list("record_id=" + paid.RecordID).Events
			return len(events) == 1 && events[0].State == "held"
		})
		if s.header(paid.RecordID) != nil {
			t.Error("the app was told of a success that is none")
		}
		l.says(nil)
		await(t, "the app is told that it failed", func() bool {
			s.look(`{}`)
			header := s.header(paid.RecordID)
			return header != nil && strings.EqualFold(header.Get("Ccpayment-Status"), "failed")
		})
		s.wantFulfilled(0)
	})
}

// TestEndlessList: a list whose pages lead nowhere breaks the look off, and it says so; the
// next look goes on.
func TestEndlessList(t *testing.T) {
	s, l := newLied(t)
	l.says(func(data map[string]any) { data["nextId"] = "again" })
	s.sell("order-1")
	if look := s.look(`{}`).Accounts[0]; look.LastError == "" || l.calls.Load() > 5 {
		t.Errorf("after %d calls the look says %+v", l.calls.Load(), look)
	}
	l.says(nil)
	await(t, "the order is fulfilled", func() bool { s.look(`{}`); s.mu.Lock(); defer s.mu.Unlock(); return len(s.fulfilled) == 1 })
	s.wantFulfilled(1)
}
