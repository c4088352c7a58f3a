package main

import (
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestWaitingCounts(t *testing.T) {
	const slow = 60 * time.Millisecond
	var first atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if first.CompareAndSwap(false, true) {
			<-time.After(slow)
		}
		_, _ = io.WriteString(w, yes.body)
	}))
	defer server.Close()
	b := bench{connections: 1, app: &app{}}
	p, err := b.pace(&target{addr: server.Listener.Addr().String(), yes: yes}, 1000, 20*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if p.sent != 20 || p.behind() {
		t.Errorf("%d of %d answered, not 20 of 20", p.answered, p.sent)
	}
	// The last was due 20 ms after the first, and found the connection busy.
	if fastest := p.answers[0]; fastest < slow/2 {
		t.Errorf("one event counts with %s, though all waited for the first, which took %s", fastest, slow)
	}
}

func TestWhatIsNotAnsweredCounts(t *testing.T) {
	hold := make(chan struct{})
	release := sync.OnceFunc(func() { time.AfterFunc(grace+100*time.Millisecond, func() { close(hold) }) })
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		release() // all are due within 10 ms, and nothing is sent after the grace
		<-hold
		_, _ = io.WriteString(w, yes.body)
	}))
	defer server.Close()
	b := bench{connections: 2, app: &app{}}
	p, err := b.pace(&target{addr: server.Listener.Addr().String(), yes: yes}, 1000, 10*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if p.answered != 2 || !p.behind() || p.answers[0] < grace {
		t.Errorf("%d of %d answered, the fastest after %s; each connection could have one, after %s", p.answered, p.sent, p.answers[0], grace)
	}
}

func TestWrongAnswerEndsTheMeasurement(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	b := bench{connections: 1, app: &app{}}
	if _, err := b.pace(&target{addr: server.Listener.Addr().String(), yes: yes}, 100, 20*time.Millisecond); err == nil {
		t.Error("a 404 passes for Success")
	}
}

func measuredPage() *page {
	answers := make([]time.Duration, 1000)
	for i := range answers {
		answers[i] = time.Duration(i+1) * 10 * time.Microsecond
	}
	like := func(name string, aim, rate float64, peer bool) *kind {
		return &kind{
			name: name, aim: aim, to: &target{peer: peer}, ratios: []float64{rate / 100},
			plain: []figures{{rate: 100, cpu: 10}}, measured: []figures{{rate: rate, cpu: 20}},
		}
	}
	near := like("copies", 0, 30, false)
	near.limit = &limit{name: "`respond`", aim: 0.75, ratios: []float64{0.6}, measured: []figures{{rate: 50, cpu: 15}}}
	near.former = like("copies", 0, 25, false)
	one := paced{perSecond: 1000, sent: 1000, answered: 1000, answers: answers, arrivals: answers}
	late := one
	late.answered = 900
	return &page{
		facts:   [][2]string{{"CPU", "a good one"}},
		missing: []string{"webhook + curl: it is not there"},
		kinds:   []*kind{like("fresh <events>", 0.5, 40, false), near, like("peer", 0, 20, true)},
		paces: []pacedTarget{
			{&target{name: storedName, later: true}, []paced{one}},
			{&target{name: "peer"}, []paced{late}},
		},
		grown: []grown{
			{events: 1, paced: one, rates: []float64{90}},
			{events: 1000, paced: one, rates: []float64{80}, ratios: []float64{0.95}},
		},
		inProcess: []inProcess{{"Commit", []string{"22 ns/op"}}},
	}
}

func TestPageKeepsWhatIsWrittenByHand(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "benchmarks.md")
	if err := os.WriteFile(file, []byte("before\n"+beginMark+"old\n"+endMark+"after\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second run finds what the first has written
		if err := measuredPage().write(io.Discard, dir); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got := string(text)
	if !strings.HasPrefix(got, "before\n"+beginMark) || !strings.HasSuffix(got, endMark+"after\n") || strings.Contains(got, "old") {
		t.Errorf("what stands around the made part is not as it was:\n%s", got)
	}
	for _, want := range []string{
		"| CPU | a good one |",
		"**Not measured:** webhook + curl: it is not there",
		"| fresh <events> | ≥ 0.5 × plain | 0.40 × plain | 0.80 | **no** |",
		"| copies, to `respond` | ≥ 0.75 × the limit | 0.60 × the limit | 0.80 | **no** |",
		"| copies | 0.25 | **0.30** |  | **0.60** | 0.75 | 1.20 | 20 µs | 20 µs |",
		"| copies | `respond` | 50 | **0.60** | 0.60 | 0.60 | 15 µs |",
		"| 1,000 events a second: sent to app, p95 | ≤ 5 ms | 9.51 ms | 0.53 | **no** |",
		"| 1,000 events in the ledger: acknowledgements | ≥ 0.9 × an empty one's | 0.95 × an empty one's | 1.06 | yes |",
		"| ours, store-and-forward | 5.01 ms | 9.51 ms | 9.91 ms | 10.00 ms |",
		"| peer | ≥ 5.01 ms |",
		"*peer* fell behind: of 1,000 events, 900 were answered",
		"one durable commit",
	} {
		if strings.Count(got, want) != 1 {
			t.Errorf("%q stands %d times in\n%s", want, strings.Count(got, want), got)
		}
	}
	for name := range measuredPage().plots() {
		if !strings.Contains(got, "("+name+")") {
			t.Errorf("%s is drawn and not shown", name)
		}
		plot, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(plot), "NaN") || strings.Contains(string(plot), "Inf") {
			t.Errorf("%s has points that are nowhere:\n%s", name, plot)
		}
		decoder := xml.NewDecoder(strings.NewReader(string(plot)))
		for err == nil {
			_, err = decoder.Token()
		}
		if !errors.Is(err, io.EOF) {
			t.Errorf("%s is no XML: %v", name, err)
		}
	}
}

// TestDatabasePart: what is measured of PostgreSQL has a part of its own, which a run of
// it alone writes.
func TestDatabasePart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "benchmarks.md")
	if err := os.WriteFile(file, []byte(beginMark+"as it was\n"+endMark+databaseBeginMark+"old\n"+databaseEndMark), 0o600); err != nil {
		t.Fatal(err)
	}
	answers := make([]time.Duration, 1000)
	for i := range answers {
		answers[i] = time.Duration(i+1) * 10 * time.Microsecond
	}
	one := pacedTarget{&target{name: "PostgreSQL", later: true}, []paced{{perSecond: 200, sent: 1000, answered: 1000, answers: answers, arrivals: answers}}}
	p := &page{
		database: &database{
			facts: [][2]string{{"PostgreSQL", "a new one"}}, paces: []pacedTarget{one},
			acknowledged: []acknowledged{{target: &target{name: "three"}, measured: []figures{{rate: 1234, cpu: 20}}, ratios: []float64{0.5}}},
		},
		inProcess: []inProcess{
			{"Accept/bolt", []string{"200 steps/s"}},
			{"Accept/postgres", []string{"100 steps/s"}},
			{"Steps/bolt", []string{"4.000 µs/claim"}},
			{"Steps/postgres", []string{"10 µs/claim", "2.000 statements/claim", "1.000 trips/claim"}},
		},
	}
	if err := p.write(io.Discard, dir); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		beginMark + "as it was\n" + endMark + databaseBeginMark + "### On PostgreSQL\n",
		"| PostgreSQL | a new one |",
		"| three | 1,234 | **0.50** (0.50 to 0.50) | 20 µs |",
		"| 200 a second, PostgreSQL | 5.01 ms | 9.51 ms | 9.91 ms | 10.00 ms |",
		"95 of 100 acknowledged within 10ms. It is met, with 9.51 ms.",
		"| events accepted | 200/s | 100/s | **0.50** |",
		"| claim a record | 1.00 | 2.00 | 10 µs | 4 µs | 2.5 |",
	} {
		if strings.Count(string(text), want) != 1 {
			t.Errorf("%q does not stand once in\n%s", want, text)
		}
	}
}

func TestPageWithoutMarksIsLeftAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "benchmarks.md")
	if err := os.WriteFile(file, []byte("all by hand\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := measuredPage().write(io.Discard, dir); err == nil {
		t.Error("it is no error")
	}
	if text, _ := os.ReadFile(file); string(text) != "all by hand\n" {
		t.Errorf("it became %q", text)
	}
}

func TestReadInProcess(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "out")
	if err := os.WriteFile(file, []byte("goos: linux\nBenchmarkConfirm/order-2 \t  10\t 1750 ns/op\t 0.98 of-bare\nPASS\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	all, err := readInProcess(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 1 || all[0].name != "Confirm/order" || strings.Join(all[0].figures, "; ") != "1750 ns/op; 0.98 of-bare" {
		t.Errorf("read as %+v", all)
	}
}
