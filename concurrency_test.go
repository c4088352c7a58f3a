package ccpayment_test

import (
	"bytes"
	"net"
	"net/http"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// gate is an app that responds only when the test lets it.
type gate struct {
	entered chan struct{} // gets a value with every call
	answer  chan int      // the status of the next response
}

func newGate() *gate {
	return &gate{entered: make(chan struct{}, 100), answer: make(chan int)}
}

func (g *gate) serve(w http.ResponseWriter, r *http.Request) {
	g.entered <- struct{}{}
	select {
	case code := <-g.answer:
		w.WriteHeader(code)
	case <-r.Context().Done():
	}
}

// patient has the attempt and its copies wait for longer than a test takes on a busy
// machine.
const patient = "wait 10m\ntimeout 10m"

// beginCopies delivers an event, and then copies of it that wait for its attempt.
func (s *server) beginCopies(app *gate, copies int) []<-chan reply {
	answers := []<-chan reply{s.begin(delivery{})}
	get(s.t, app.entered)
	for range copies {
		answers = append(answers, s.begin(delivery{}))
	}
	awaitCopies(s.t, copies)
	return answers
}

// TestCopiesInFlight: copies of an attempt in flight wait and share its outcome.
func TestCopiesInFlight(t *testing.T) {
	const copies = 20
	for code, want := range map[int]int{http.StatusOK: http.StatusOK, http.StatusInternalServerError: http.StatusBadGateway} {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			app := newGate()
			s := start(t, setup{app: app.serve, webhook: patient})
			answers := s.beginCopies(app, copies)
			app.answer <- code
			for _, answer := range answers {
				get(t, answer).wants(t, want)
			}
			s.app.wants(t, 1)
		})
	}
}

// TestWaitRunsOut: a copy does not wait for ever, and is not acknowledged.
func TestWaitRunsOut(t *testing.T) {
	app := newGate()
	s := start(t, setup{app: app.serve, webhook: "wait 20ms"})
	first := s.begin(delivery{})
	get(t, app.entered)
	s.deliver(delivery{}).wants(t, http.StatusServiceUnavailable)
	s.deliver(delivery{body: deposit("r1", "Processing")}).wants(t, http.StatusServiceUnavailable) // the same record
	app.answer <- http.StatusOK
	get(t, first).wants(t, http.StatusOK)
	s.deliver(delivery{}).wants(t, http.StatusOK)
	s.app.wants(t, 1)
}

// TestThousandCopies: a flood of one event is one call of the app. Senders that
// keep their connection come again when all is over.
func TestThousandCopies(t *testing.T) {
	app := newGate()
	s := start(t, setup{app: app.serve, webhook: patient})
	flood(s, app, 100, 10, http.StatusOK, http.StatusOK)
	s.app.wants(t, 1)
}

// TestThousandCopiesOfAFailure: all share the failure, and the next attempt is
// one again.
func TestThousandCopiesOfAFailure(t *testing.T) {
	app := newGate()
	s := start(t, setup{app: app.serve, webhook: patient})
	flood(s, app, 1000, 1, http.StatusInternalServerError, http.StatusBadGateway)
	s.app.wants(t, 1)
	s.app.answers(nil)
	s.deliver(delivery{}).wants(t, http.StatusOK)
	if got := s.app.wants(t, 2)[1].header.Get("Ccpayment-Attempt"); got != "2" {
		t.Errorf("the retry is attempt %s", got)
	}
}

// flood sends copies from many senders at once. The app responds when all senders
// wait; each copy must get the wanted status.
func flood(s *server, app *gate, senders, copies, answer, want int) {
	s.t.Helper()
	answers := make(chan reply, senders*copies)
	var all sync.WaitGroup
	for range senders {
		all.Go(func() {
			for range copies {
				answer, err := s.tryDeliver(delivery{})
				if err != nil {
					s.t.Errorf("delivering: %v", err)
				}
				answers <- answer
			}
		})
	}
	get(s.t, app.entered)
	awaitCopies(s.t, senders-1)
	app.answer <- answer
	all.Wait()
	for range senders * copies {
		get(s.t, answers).wants(s.t, want)
	}
}

// TestSenderDisconnects: what the app has begun is finished and recorded
// although nobody waits for the response.
func TestSenderDisconnects(t *testing.T) {
	app := newGate()
	s := start(t, setup{app: app.serve})
	hangUp := s.connect(delivery{})
	get(t, app.entered)
	hangUp()
	copied := s.begin(delivery{}) // waits for the attempt that lost its sender
	awaitCopies(t, 1)
	app.answer <- http.StatusOK
	get(t, copied).wants(t, http.StatusOK)
	s.deliver(delivery{}).wants(t, http.StatusOK)
	s.app.wants(t, 1)
}

// TestCopyDisconnects: a copy that hangs up while it waits is no trouble of
// the ledger's.
func TestCopyDisconnects(t *testing.T) {
	app := newGate()
	s := start(t, setup{app: app.serve})
	first := s.begin(delivery{})
	get(t, app.entered)
	hangUp := s.connect(delivery{})
	awaitCopies(t, 1)
	hangUp()
	awaitCopies(t, 0)
	app.answer <- http.StatusOK
	get(t, first).wants(t, http.StatusOK)
	await(t, "both are logged", func() bool { return strings.Count(s.logs(), "answered webhook") == 2 })
	if strings.Contains(s.logs(), "the ledger cannot be used") {
		t.Error("the ledger was blamed for it")
	}
}

// connect sends a webhook and returns a function that hangs up before the response.
func (s *server) connect(d delivery) (hangUp func()) {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := conn.Write([]byte(d.raw())); err != nil {
		s.t.Fatal(err)
	}
	return func() { _ = conn.Close() }
}

// awaitCopies returns when n deliveries wait for the outcome of another's attempt.
func awaitCopies(t *testing.T, n int) {
	t.Helper()
	await(t, strconv.Itoa(n)+" copies wait for the attempt", func() bool {
		return goroutinesIn("ledger.(*Ledger).Begin", "ledger.(*Ledger).decide") == n
	})
}

// goroutinesIn counts the goroutines that are in one function, and not in
// another that it calls.
func goroutinesIn(function, but string) (n int) {
	var stacks bytes.Buffer
	_ = pprof.Lookup("goroutine").WriteTo(&stacks, 1)
	for stack := range strings.SplitSeq(stacks.String(), "\n\n") {
		if !strings.Contains(stack, function) || strings.Contains(stack, but) {
			continue
		}
		for line := range strings.SplitSeq(stack, "\n") {
			if count, _, ok := strings.Cut(line, " @ "); ok {
				goroutines, _ := strconv.Atoi(count)
				n += goroutines
				break
			}
		}
	}
	return n
}
