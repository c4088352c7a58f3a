package purchase

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/relay"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/test/history"
)

// garbled: a call of the API has happened, and something in between answers it.
const garbled How = "garbled"

// api is the way to CCPayment's API.
type api struct {
	*shop

	mu   sync.Mutex
	made int // orders
}

// RoundTrip implements http.RoundTripper.
func (a *api) RoundTrip(r *http.Request) (*http.Response, error) {
	call := path.Base(r.URL.Path)
	how := a.faults.Next("api "+call, Fails, Lost, garbled)
	if how == Fails {
		return nil, errFault
	}
	recorder := httptest.NewRecorder()
	a.box.ServeHTTP(recorder, r)
	isMade := strings.HasPrefix(call, "create") && bytes.Contains(recorder.Body.Bytes(), []byte(`"code":10000`))
	if a.mu.Lock(); isMade {
		a.made++
	}
	a.mu.Unlock()
	switch how {
	case Lost:
		return nil, io.ErrUnexpectedEOF
	case garbled:
		recorder.Body.Reset()
		recorder.Body.WriteString("<html>out of order</html>")
	}
	response := recorder.Result()
	response.Request = r
	return response, nil
}

// sender is the way of CCPayment's webhooks. Each is sent twice at once, of which
// CCPayment hears the first.
type sender struct {
	*shop
	copies sync.WaitGroup

	mu   sync.Mutex
	sent []history.Sent
	open map[string]bool // by event id, those that nobody has acknowledged
}

// RoundTrip implements http.RoundTripper.
func (s *sender) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	s.copies.Go(func() { s.deliver(r, body) })
	recorder := httptest.NewRecorder()
	s.deliver(r, body).Write(recorder)
	response := recorder.Result()
	response.Request = r
	return response, nil
}

// deliver has the route take a webhook.
func (s *sender) deliver(r *http.Request, body []byte) (reply relay.Reply) {
	defer func() {
		if p := recover(); p != nil {
			s.violated("taking a webhook panicked: %v", p)
			reply = relay.Reply{Status: http.StatusInternalServerError}
		}
	}()
	now, g := time.Now(), s.route.Account.Gateway
	if _, err := g.Verify(gateway.Request{Method: r.Method, URL: hookURL, Header: r.Header, Body: body}, now); err != nil {
		panic(err)
	}
	n, err := g.Read(body)
	if err != nil {
		panic(err)
	}
	e := s.route.Event(n, ledger.Request{Method: r.Method, URI: "/hook", ContentType: "application/json"}, body, now)
	about := history.Sent{Key: e.Key, Digest: digest(body)}
	if e.GatewayOrderID != "" {
		about.Order = orderID
	}
	about.Key.Route = ""
	s.note(about)
	if reply = s.route.Receive(context.Background(), n, e, s.app, s.ledger); reply.Status == http.StatusOK {
		about.Acknowledged, about.At = theRun, s.faults.now()
		s.note(about)
	}
	return reply
}

// note writes down that a webhook was sent, or acknowledged.
func (s *sender) note(about history.Sent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent = append(s.sent, about)
	id := about.Key.EventID()
	if open, known := s.open[id]; !known || open {
		s.open[id] = about.Acknowledged == 0
	}
}

// isDone reports whether both webhooks were sent and acknowledged.
func (s *sender) isDone() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, isOpen := range s.open {
		if isOpen {
			return false
		}
	}
	return len(s.open) == 2
}

func digest(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// app is an app with an inbox.
type app struct {
	*shop

	mu          sync.Mutex
	attempts    []history.Attempt
	heard       map[string]bool // the ids of the events of which the app's yes has arrived
	applied     map[string]bool
	flagged     map[string]bool // those that told it to fulfil or to credit
	credited    decimal.Decimal
	appliedOnce []string // the ids of what was applied, one for each time
}

// Deliver implements [relay.App].
func (a *app) Deliver(_ context.Context, m relay.Message) (relay.Response, error) {
	header := make(http.Header)
	for _, f := range m.Header {
		header.Set(f.Name, f.Value)
	}
	at := a.faults.now()
	how := a.faults.Next("app", Fails, Lost)
	time.Sleep(20 * time.Millisecond) // so that copies come meanwhile
	a.mu.Lock()
	defer a.mu.Unlock()
	attempt := attemptOf(m, header)
	attempt.At, attempt.Answered, attempt.Yes = at, a.faults.now(), how != Fails
	a.attempts = append(a.attempts, attempt)
	if a.heard[attempt.EventID] {
		a.violated("the app has said yes to %s, and gets it again", attempt.EventID)
	}
	isCredit := header.Get("Ccpayment-Credit") == "true"
	if attempt.Fulfill || isCredit {
		a.flagged[attempt.EventID] = true
	}
	if how == Fails {
		return relay.Response{Status: http.StatusInternalServerError}, nil
	}
	if id := attempt.EventID; !a.applied[id] {
		a.applied[id] = true
		a.appliedOnce = append(a.appliedOnce, id)
		if isCredit {
			a.credited = a.credited.Add(decimal.RequireFromString(header.Get("Ccpayment-Amount")))
		}
	}
	if how == Lost {
		return relay.Response{}, &relay.CallError{Status: http.StatusBadGateway, Err: errors.New("the connection was cut")}
	}
	a.heard[attempt.EventID] = true
	return relay.Response{Status: http.StatusOK}, nil
}

func attemptOf(m relay.Message, header http.Header) history.Attempt {
	number, _ := strconv.Atoi(header.Get("Ccpayment-Attempt"))
	seq, _ := strconv.ParseUint(header.Get("Ccpayment-Record-Seq"), 10, 64)
	return history.Attempt{
		Caddy: theRun, App: theRun, EventID: header.Get("Idempotency-Key"), Record: header.Get("Ccpayment-Record-Id"),
		Status: header.Get("Ccpayment-Status"), Order: header.Get("Ccpayment-Order-Id"), Digest: digest(m.Event.Body),
		Seq: seq, Number: number, Reason: header.Get("Ccpayment-Attempt-Reason"), Fulfill: header.Get("Ccpayment-Fulfill") == "true",
	}
}
