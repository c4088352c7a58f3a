package ccpayment_test

import (
	"flag"
	"fmt"
	"html"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/store/bolt"
)

var replayed = flag.Int("replayed", 800, "how many events TestConsoleReplaysMany replays")

// deadLedger makes a ledger of records that were flagged as risky first, and then cleared:
// two events each, of which neither overtakes the other, and all of them dead.
func deadLedger(t *testing.T, records int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ledger.db")
	s, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now().Add(-time.Hour)
	put := func(i int) error {
		id := fmt.Sprintf("r%d", i/2)
		risk := []ledger.Risk{ledger.Risky, ledger.NotRisky}[i%2]
		received := at.Add(time.Duration(i) * time.Millisecond)
		e := ledger.Event{
			Key: ledger.Key{
				Record: ledger.Record{Route: "webhook", AppID: appID, Type: "ApiDeposit", ID: id},
				Status: "success", Risk: risk,
			},
			Status: "Success", ReceivedAt: received, Body: []byte(strings.Replace(deposit(id, "Success"), "false", string(risk), 1)),
			Request: ledger.Request{Method: http.MethodPost, URI: "/hook", Host: "shop.example", RemoteAddr: "127.0.0.1:1", ContentType: "application/json"},
		}
		return s.Accept(t.Context(), e.Key, func(*ledger.Event) *ledger.Change {
			return &ledger.Change{Event: e, Transitions: []ledger.Transition{
				{At: received, State: ledger.Received},
				{At: received, State: ledger.Delivering, Attempt: 1, Seq: uint64(i + 1)},
				{At: received, State: ledger.Dead, Attempt: 1, Cause: "the app answered 410"},
			}}
		})
	}
	numbers := make(chan int)
	var writers sync.WaitGroup
	for range 200 { // whose events share commits
		writers.Go(func() {
			for i := range numbers {
				if err := put(i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range 2 * records {
		numbers <- i
	}
	close(numbers)
	writers.Wait()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestConsoleReplaysMany: many events are replayed, in order of each record, and stopped
// half way; asked for again it does the rest. The app gets each of them once.
func TestConsoleReplaysMany(t *testing.T) {
	records, all := *replayed/2, *replayed
	var mu sync.Mutex
	told := make(map[string][]string) // whether it is risky, by record
	keys := make(map[string]int)
	count := func() int { mu.Lock(); defer mu.Unlock(); return len(keys) }
	toldOf := func(n int) {
		t.Helper()
		for is := count(); is < n; is = count() {
			await(t, "more are told", func() bool { return count() > is })
		}
	}
	s := consoleShop{&shop{server: start(t, setup{
		global: adminOn, site: strings.Replace(consoleSite, "$WEBHOOK", "confirm off", 1), store: "store bolt {\n path " + deadLedger(t, records) + "\n }",
		app: func(_ http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			record := r.Header.Get("Ccpayment-Record-Id")
			told[record] = append(told[record], r.Header.Get("Ccpayment-Risky"))
			keys[r.Header.Get("Idempotency-Key")]++
		},
	})}}
	replay := func(matched int) {
		t.Helper()
		counted := s.view("/alice/many?state=dead", fmt.Sprintf("%d events", matched))
		until := html.UnescapeString(regexp.MustCompile(`name="until" value="([^"]+T[^"]+)"`).FindStringSubmatch(counted)[1])
		if got := s.post("/alice/many", "step", "replay", "reason", "mended", "state", "dead", "until", until); got.status != http.StatusSeeOther {
			t.Fatalf("it was not begun: %d %s", got.status, got.body)
		}
	}
	says := func(what string) {
		t.Helper()
		await(t, "the page says "+what, func() bool { return strings.Contains(s.browse(http.MethodGet, "/alice/many", "").body, what) })
	}
	replay(all)
	toldOf(all / 2)
	if got := s.post("/alice/stop"); got.status != http.StatusSeeOther {
		t.Fatalf("stopping: %d %s", got.status, got.body)
	}
	says("Replay stopped")
	var status struct {
		Routes []struct{ Pending, Dead, Delivered int }
	}
	await(t, "what was begun is told", func() bool {
		s.ask(http.MethodGet, "status", "", http.StatusOK, &status)
		return status.Routes[0].Pending == 0
	})
	left := status.Routes[0].Dead
	if left == 0 || left > all/2 || count() != all-left {
		t.Fatalf("after the stop %d are left, and %d were told of %d", left, count(), all)
	}
	replay(left)
	toldOf(all)
	says("Replay done")
	mu.Lock()
	defer mu.Unlock()
	for key, n := range keys {
		if n != 1 {
			t.Errorf("%s was told %d times", key, n)
		}
	}
	for record, risks := range told {
		if len(risks) != 2 || risks[0] != "true" || risks[1] != "" {
			t.Errorf("of %s was told %q", record, risks)
		}
	}
}
