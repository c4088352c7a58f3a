package test

import (
	"cmp"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/test/history"
)

// call is one request that the app got.
type call struct {
	key, path, record, status, order, reason, attemptReason string
	seq, attempt                                            int
	fulfill                                                 bool

	began int // its number in the order of all that happened at the app
	yes   int // likewise of the response; 0 if there was none, or not 200
}

// receiver is an app that remembers every call. It can be away: then nobody
// listens on its address.
type receiver struct {
	t       *testing.T
	address string
	url     string
	server  *httptest.Server
	// meets, if set, is run before the response, which is 200.
	meets func(http.ResponseWriter, call)

	mu    sync.Mutex
	calls []*call
	clock int
	aways [][2]int // from when to when it went away
}

// newReceiver returns a receiver that is away.
func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{t: t, address: net.JoinHostPort(loopback, processtest.Ports(t, 1)[0])}
	r.url = "http://" + r.address
	return r
}

// comes lets the receiver respond until the test ends.
func (r *receiver) comes() {
	r.t.Helper()
	r.serve(processtest.Listen(r.t, r.address))
}

// goes lets the receiver be away, once the requests in flight have their responses.
func (r *receiver) goes() {
	r.mu.Lock()
	away := [2]int{r.clock}
	r.mu.Unlock()
	r.server.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	away[1] = r.clock
	r.aways = append(r.aways, away)
}

// wentAway reports whether the receiver went away while it had a call, whose response may have
// been lost with the connection.
func (r *receiver) wentAway(c call) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.aways, func(away [2]int) bool { return c.began <= away[1] && cmp.Or(c.yes, r.clock) >= away[0] })
}

func (r *receiver) serve(listener net.Listener) {
	r.server = httptest.NewUnstartedServer(r)
	r.server.Listener.Close()
	r.server.Listener = listener
	r.server.Start()
	r.t.Cleanup(r.server.Close)
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	if request.Method != http.MethodPost {
		return
	}
	header := request.Header
	seq, _ := strconv.Atoi(header.Get("Ccpayment-Record-Seq"))
	attempt, _ := strconv.Atoi(header.Get("Ccpayment-Attempt"))
	c := &call{
		key: header.Get("Idempotency-Key"), path: request.URL.Path, record: header.Get("Ccpayment-Record-Id"),
		status: header.Get("Ccpayment-Status"), order: header.Get("Ccpayment-Order-Id"),
		reason: header.Get("Ccpayment-Reason"), attemptReason: header.Get("Ccpayment-Attempt-Reason"),
		seq: seq, attempt: attempt, fulfill: header.Get("Ccpayment-Fulfill") == "true",
	}
	r.mu.Lock()
	r.clock++
	c.began = r.clock
	r.calls = append(r.calls, c)
	r.mu.Unlock()
	if r.meets != nil {
		r.meets(w, *c)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clock++
	c.yes = r.clock
}

// count is how many calls there were so far.
func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.calls)
}

// received returns the calls so far, in the order of their beginning.
func (r *receiver) received() []call {
	r.mu.Lock()
	defer r.mu.Unlock()
	calls := make([]call, len(r.calls))
	for i, c := range r.calls {
		calls[i] = *c
	}
	return calls
}

// keys returns the calls by Idempotency-Key.
func (r *receiver) keys() map[string][]call {
	return grouped(r.received(), func(c call) string { return c.key })
}

func grouped(calls []call, by func(call) string) map[string][]call {
	groups := make(map[string][]call)
	for _, c := range calls {
		groups[by(c)] = append(groups[by(c)], c)
	}
	return groups
}

// checkRecords checks the order within each record: a status comes after all
// that it supersedes, and nothing that is superseded comes once the app has said
// yes to what supersedes it.
func checkRecords(t *testing.T, calls []call) {
	t.Helper()
	for record, calls := range grouped(calls, func(c call) string { return c.record }) {
		seqs := make(map[string]int) // of the record's events
		for i, c := range calls {
			if seq, ok := seqs[c.key]; ok && seq != c.seq {
				t.Errorf("%s: %s had the place %d, and now %d", record, c.status, seq, c.seq)
			}
			seqs[c.key] = c.seq
			for _, before := range calls[:i] {
				switch {
				case before.key == c.key && before.attempt >= c.attempt:
					t.Errorf("%s: attempt %d of %s came after attempt %d", record, c.attempt, c.status, before.attempt)
				case before.key == c.key:
				case before.seq == c.seq:
					t.Errorf("%s: %s and %s have the same place", record, before.status, c.status)
				case rank(before) > rank(c) && before.yes > 0 && before.yes < c.began:
					t.Errorf("%s: %s came after the app had said yes to %s", record, c.status, before.status)
				}
			}
		}
		bySeq := slices.SortedFunc(slices.Values(calls), func(a, b call) int { return cmp.Compare(a.seq, b.seq) })
		for i, c := range bySeq[1:] {
			if rank(c) < rank(bySeq[i]) {
				t.Errorf("%s: by their places %s comes before %s", record, bySeq[i].status, c.status)
			}
		}
	}
}

func rank(c call) int { return history.Rank(strings.ToLower(c.status)) }
