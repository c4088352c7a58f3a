package shop

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/test/history"
)

// Outbox is the way of all deliveries: the sandbox's and our own copies of them.
// It writes each down.
type Outbox struct {
	transport http.Transport
	gateway   gateway
	// balance, if set, says which Caddy gets the next delivery.
	balance func() (host string)
	// answered counts the responses.
	answered atomic.Int64

	mu   sync.Mutex
	sent []history.Sent
	// known are the events that were sent, by id, and open those of them that
	// were not acknowledged, in the order in which they were first sent.
	known map[string]bool
	open  map[string][]byte
	// recent are the bodies that were sent last.
	recent [][]byte
	yes    int // how many events were acknowledged
}

// Log returns what was sent and acknowledged so far.
func (o *Outbox) Log() []history.Sent { return slices.Clone(o.log()) }

// mostRecent is how many bodies are remembered to be sent once more.
const mostRecent = 100

func newOutbox() *Outbox {
	return &Outbox{known: make(map[string]bool), open: make(map[string][]byte)}
}

// RoundTrip implements http.RoundTripper.
func (o *Outbox) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(body))
	if o.balance != nil {
		r.URL.Host = o.balance()
		r.Host = r.URL.Host
	}
	delivery, err := o.gateway.read(body)
	if err != nil {
		return nil, err
	}
	o.begun(delivery, body)
	response, err := o.transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil {
		return nil, err
	}
	o.answered.Add(1)
	response.Body = io.NopCloser(bytes.NewReader(text))
	if response.StatusCode == http.StatusOK && string(text) == o.gateway.acknowledgement() {
		delivery.Acknowledged, err = strconv.Atoi(response.Header.Get(runHeader))
		delivery.At = time.Now()
		o.acknowledged(delivery)
	}
	return response, err
}

func (o *Outbox) begun(s history.Sent, body []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sent = append(o.sent, s)
	if id := s.Key.EventID(); !o.known[id] {
		o.known[id], o.open[id] = true, body
	}
	o.recent = append(o.recent, body)
	o.recent = o.recent[max(0, len(o.recent)-mostRecent):]
}

func (o *Outbox) acknowledged(s history.Sent) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sent = append(o.sent, s)
	id := s.Key.EventID()
	if _, is := o.open[id]; is {
		delete(o.open, id)
		o.yes++
	}
}

// Count returns how many events were acknowledged, and how many were sent and
// not acknowledged yet.
func (o *Outbox) Count() (yes, open int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.yes, len(o.open)
}

// IsSent reports whether the event was sent.
func (o *Outbox) IsSent(key ledger.Key) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.known[key.EventID()]
}

func (o *Outbox) log() []history.Sent {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.sent
}

// Unacknowledged returns the bodies of events that were not acknowledged.
func (o *Outbox) Unacknowledged() (bodies [][]byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, body := range o.open {
		bodies = append(bodies, body)
	}
	return bodies
}

// Last returns the key of a record's event with the latest status.
func (o *Outbox) Last(record ledger.Record) (key ledger.Key) {
	for _, sent := range o.Log() {
		if sent.Key.Record == record && history.Rank(sent.Key.Status) >= history.Rank(key.Status) {
			key = sent.Key
		}
	}
	return key
}

// Any returns one of the bodies that were sent last.
func (o *Outbox) Any() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.recent) == 0 {
		return nil
	}
	return o.recent[rand.IntN(len(o.recent))]
}

// Copy sends a body once, signed afresh.
func (o *Outbox) Copy(url string, body []byte) error {
	_, _, err := o.Send(url, body)
	return err
}

// Send does so, too, and returns the response.
func (o *Outbox) Send(url string, body []byte) (status int, text string, err error) {
	request, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	request.Header = o.gateway.sign(body)
	request.Header.Set("Content-Type", "application/json")
	response, err := (&http.Client{Transport: o, Timeout: processtest.Patience}).Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	return response.StatusCode, string(answer), err
}
