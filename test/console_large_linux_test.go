package test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/postgrestest"
	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/store/bolt"
	"github.com/seed-338f6760/caddy-ccpayment/store/postgres"
)

// listed is how many events the console's ledger has; `make console` takes a million. With
// so many or more the times and the memory are checked as well.
var listed = flag.Int("events", 2000, "how many events the console's ledger has")

const (
	manyEvents = 100_000
	// plainEvents is how many a plain ledger has.
	plainEvents = 100
	// mostSlower is by how much a page of a large ledger may come later than one of a plain
	// ledger, and mostGrown by how much the process may grow while it exports all.
	mostSlower = 100 * time.Millisecond
	mostGrown  = 64 << 20
)

const consoleSite = `http://127.0.0.1:{$PORT} {
	ccpayment_webhook /hook {
		confirm off
		types ApiDeposit
		deliver {
			reverse_proxy {$APP}
		}
	}
	handle_path /ops/* {
		ccpayment_console {
			user ops
		}
	}
	respond / here
}
`

// TestConsoleLarge: with a large ledger each page comes as soon as with a plain one, and an
// export of all is written without being held in memory.
func TestConsoleLarge(t *testing.T) {
	t.Run("bolt", func(t *testing.T) {
		open := func(s *server, n int) string {
			store, err := bolt.Open(s.ledger, bolt.Options{})
			if err != nil {
				t.Fatal(err)
			}
			fillLedger(t, store, n)
			return globals
		}
		tryConsole(t, open, *listed)
	})
	t.Run("postgres", func(t *testing.T) {
		database := postgrestest.Start(t, "max_wal_size=1GB", "shared_buffers=128MB")
		open := func(_ *server, n int) string {
			schema := fmt.Sprint("console", n)
			store, err := postgres.Open(postgres.Options{URL: database.URL(), Schema: schema})
			if err != nil {
				t.Fatal(err)
			}
			postgrestest.UntilUsable(t, store)
			fillLedger(t, store, n)
			database.Exec(t, "analyze")
			config := strings.Replace(globals, "store bolt {", "store postgres {\n\t\t\tschema "+schema, 1)
			return strings.Replace(config, "path {$LEDGER}", "url \""+database.URL()+"\"", 1)
		}
		tryConsole(t, open, max(*listed/10, plainEvents))
	})
}

// tryConsole compares the console on a ledger of n events with that on a plain one.
func tryConsole(t *testing.T, open func(s *server, n int) string, n int) {
	t.Helper()
	plain := timePages(t, open, plainEvents)
	large := timePages(t, open, n)
	for _, page := range large.pages {
		was, is := plain.times[page], large.times[page]
		t.Logf("%-34s %8s, of %d events %8s", page, was.Round(time.Millisecond/10), n, is.Round(time.Millisecond/10))
		if n >= manyEvents && is > was+mostSlower {
			t.Errorf("%s takes %s, and %s on a plain ledger", page, is, was)
		}
	}
	if large.rows != n {
		t.Errorf("the export has %d rows of %d", large.rows, n)
	}
	t.Logf("%d rows were exported in %s, %.0f a second; the process grew by %d MiB to %d MiB meanwhile",
		large.rows, large.took.Round(time.Millisecond), float64(large.rows)/large.took.Seconds(), (large.most-large.before)>>20, large.most>>20)
	if n >= manyEvents && large.most > large.before+mostGrown {
		t.Errorf("the process grew from %d to %d bytes", large.before, large.most)
	}
}

// timed is what the console took on a ledger.
type timed struct {
	pages []string
	// times are those to the first byte.
	times map[string]time.Duration
	// rows were exported in so long, while the process had at most so much memory.
	rows         int
	took         time.Duration
	before, most int
}

func timePages(t *testing.T, open func(s *server, n int) string, n int) timed {
	t.Helper()
	s := newServer(t, startApp(t).url)
	s.start(open(s, n) + consoleSite)
	defer s.stop()
	site := strings.TrimSuffix(s.hook, "/hook") + "/ops/"
	processtest.Until(t, "the console has a ledger", func() bool {
		response, err := processtest.Once.Get(site)
		if err == nil {
			response.Body.Close()
		}
		return err == nil && response.StatusCode == http.StatusOK
	})
	result := timed{times: make(map[string]time.Duration)}
	first := largeEvent(20) // received before all others that are delivered
	for _, page := range [][2]string{
		{"Now", ""},
		{"Events", "events"},
		{"Held among the events", "events?state=held"},
		{"Dead among the events", "events?state=dead"},
		{"Events with a text that none has", "events?text=nothing+like+it"},
		{"Events of a type that none has", "events?type=Other"},
		{"Events of a record", "events?record_id=" + first.ID},
		{"An event", "event?route=webhook&id=" + first.EventID()},
		{"An order", "order?account=default&id=" + first.OrderID},
		{"Held", "held"},
		{"Many", "many"},
		{"Many, all that are dead", "many?state=dead"},
		{"Missing", "missing"},
		{"Export", "export"},
	} {
		var times []time.Duration
		for range 5 {
			times = append(times, firstByte(t, site+page[1]))
		}
		slices.Sort(times)
		result.pages = append(result.pages, page[0])
		result.times[page[0]] = times[len(times)/2]
	}
	result.before = memory(t, s)
	begun := time.Now()
	result.rows, result.most = export(t, s, site+"export?what=events&format=csv")
	result.took = time.Since(begun)
	return result
}

// firstByte returns how long a page takes to its first byte, and reads it whole.
func firstByte(t *testing.T, url string) (took time.Duration) {
	t.Helper()
	begun := time.Now()
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotFirstResponseByte: func() { took = time.Since(begun) }})
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := processtest.Once.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Errorf("%s: %d %v %s", url, response.StatusCode, err, text)
	}
	return took
}

// export reads an export and returns how many rows it has, and the most memory that the
// process had meanwhile.
func export(t *testing.T, s *server, url string) (rows, most int) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := new(http.Transport).RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	rows = -1 // the head
	for lines.Scan() {
		if rows++; rows%20_000 == 0 {
			most = max(most, memory(t, s))
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return rows, most
}

// fillLedger fills a ledger with n events, of which the last to come are delivered, and the
// first of each state in which people look for them; and closes it.
func fillLedger(t *testing.T, store ledger.Store, n int) {
	t.Helper()
	numbers := make(chan int)
	const writers = 1000 // whose events share commits
	failures := make([]error, writers)
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range numbers {
				if failures[w] == nil {
					failures[w] = acceptLarge(store, i)
				}
			}
		})
	}
	for i := range n {
		numbers <- i
	}
	close(numbers)
	all.Wait()
	if err := errors.Join(errors.Join(failures...), store.Close()); err != nil {
		t.Fatal(err)
	}
}

var firstReceived = time.Now().Add(-30 * 24 * time.Hour)

// largeEvent is an event of an order, the one after the other.
func largeEvent(i int) ledger.Event {
	id := fmt.Sprintf("20250115%024d", i)
	return ledger.Event{
		Key: ledger.Key{
			Record: ledger.Record{Route: "webhook", AppID: appID, Type: "ApiDeposit", ID: id},
			Status: "success", Risk: ledger.NotRisky,
		},
		Status: "Success", OrderID: "order-" + id, GatewayOrderID: "order-" + id, ReceivedAt: firstReceived.Add(time.Duration(i) * time.Millisecond),
		Request: ledger.Request{Method: http.MethodPost, URI: "/hook", Host: "shop.example", RemoteAddr: "127.0.0.1:1", ContentType: "application/json"},
		Body:    []byte(`{"type":"ApiDeposit","msg":{"recordId":"` + id + `","status":"Success","isFlaggedAsRisky":false}}`),
	}
}

func acceptLarge(store ledger.Store, i int) error {
	e := largeEvent(i)
	at := e.ReceivedAt
	c := ledger.Change{Event: e, Transitions: []ledger.Transition{{At: at, State: ledger.Received}}}
	switch {
	case i < 10:
		c.Transitions = append(c.Transitions, ledger.Transition{At: at, State: ledger.Held, Cause: "risky"})
	case i < 20:
		c.Transitions = append(c.Transitions,
			ledger.Transition{At: at, State: ledger.Delivering, Attempt: 1, Seq: 1}, ledger.Transition{At: at, State: ledger.Dead, Attempt: 1, Cause: "the app answered 410"})
	default:
		c.Transitions = append(c.Transitions,
			ledger.Transition{At: at, State: ledger.Delivering, Attempt: 1, Seq: 1}, ledger.Transition{At: at, State: ledger.Delivered, Attempt: 1})
	}
	c.Confirmation = &ledger.Confirmation{At: at, Coin: "USDT", Chain: "TRX", Amount: "10", OrderState: "paid", OrderDue: "10", OrderPaid: "10", OrderCurrency: "USD"}
	c.Order = &ledger.Order{OrderID: e.InOrder(), OwnID: e.OrderID, State: "paid", Due: "10", Paid: "10", Currency: "USD", ReadAt: at}
	return store.Accept(context.Background(), e.Key, func(*ledger.Event) *ledger.Change { return &c })
}
