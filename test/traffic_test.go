package test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// app is the app behind Caddy. It counts deliveries by Idempotency-Key.
type app struct {
	url   string
	mu    sync.Mutex
	calls map[string]int
}

func startApp(t *testing.T) *app {
	t.Helper()
	a := &app{calls: make(map[string]int)}
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	a.url = server.URL
	return a
}

func (a *app) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/hook" {
		return
	}
	key := r.Header.Get("Idempotency-Key")
	if r.Header.Get("Authorization") != "Bearer "+token {
		key = "without the token"
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls[key]++
}

// count returns how often the event was delivered, and how many deliveries there were
// altogether.
func (a *app) count(e event) (times, all int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, n := range a.calls {
		all += n
	}
	return a.calls[e.key.EventID()], all
}

func (a *app) total() int {
	_, all := a.count(event{})
	return all
}

// event is a payment's event, as CCPayment sends it.
type event struct {
	key  ledger.Key
	body string
}

var records atomic.Uint64

func newEvent() event {
	id := fmt.Sprintf("20250116%024d", records.Add(1))
	return event{
		key: ledger.Key{
			Record: ledger.Record{Route: "webhook", AppID: appID, Type: "ApiDeposit", ID: id},
			Status: "success", Risk: ledger.NotRisky,
		},
		body: fmt.Sprintf(`{"type":"ApiDeposit","msg":{"recordId":%q,"orderId":"order-%s","coinId":1280,`+
			`"coinSymbol":"USDT","status":"Success","isFlaggedAsRisky":false}}`, id, id),
	}
}

// answer is the response to a webhook.
type answer struct {
	status int
	proto  int
	text   string
}

func (a answer) yes() bool { return a.status == http.StatusOK && a.text == "Success" }

// deliver signs the event now and sends it once.
func deliver(ctx context.Context, c *http.Client, url string, e event, secret string) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(e.body))
	if err != nil {
		return answer{}, err
	}
	timestamp := strconv.FormatInt(time.Now().Unix(), 10)
	request.Header = http.Header{
		"Content-Type": {"application/json"},
		"Appid":        {appID},
		"Timestamp":    {timestamp},
		"Sign":         {client.Sign(client.Credentials{AppID: appID, AppSecret: secret}, timestamp, []byte(e.body))},
	}
	response, err := c.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.ProtoMajor, string(text)}, err
}

// insist sends the event until it is acknowledged, as CCPayment does: again
// when the connection failed or the response is 503, or 502 where the app may be
// away. Any other response is an error.
func (tr *traffic) insist(ctx context.Context, e event) error {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		a, err := deliver(ctx, tr.client, tr.url, e, appSecret)
		switch {
		case err == nil && a.yes():
			return nil
		case err == nil && (a.status != http.StatusServiceUnavailable && (a.status != http.StatusBadGateway || !tr.appMayBeAway.Load()) ||
			strings.Contains(a.text, "Success")):
			return fmt.Errorf("the answer is %d %q", a.status, a.text)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return errors.Join(errors.New("was not acknowledged"), err)
		}
	}
}

// traffic is many senders that deliver events and copies of them.
type traffic struct {
	t       *testing.T
	url     string
	client  *http.Client
	pace    <-chan time.Time // of all senders together; nil: they do not wait
	senders sync.WaitGroup
	ending  chan struct{}
	once    sync.Once // of end

	appMayBeAway atomic.Bool

	mu           sync.Mutex
	acknowledged []event
}

const senders = 16

// startTraffic sends each event together with a copy of it.
func startTraffic(t *testing.T, url string) *traffic {
	t.Helper()
	return startPacedTraffic(t, url, nil)
}

func startPacedTraffic(t *testing.T, url string, pace <-chan time.Time) *traffic {
	t.Helper()
	tr := &traffic{
		t: t, url: url, pace: pace, ending: make(chan struct{}),
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4 * senders}, Timeout: processtest.Patience},
	}
	for range senders {
		tr.senders.Go(tr.send)
	}
	t.Cleanup(tr.end) // also of a test that is left out, or fails, under way
	return tr
}

// end lets every sender finish what it has begun.
func (tr *traffic) end() {
	tr.once.Do(func() {
		close(tr.ending)
		tr.senders.Wait()
		tr.client.CloseIdleConnections()
	})
}

func (tr *traffic) send() {
	for {
		select {
		case <-tr.ending:
			return
		default:
		}
		if tr.pace != nil {
			<-tr.pace
		}
		if err := tr.sendOne(); err != nil {
			tr.t.Error(err)
			return
		}
	}
}

// sendOne delivers a new event twice at the same time, then once more with a copy
// of an earlier one.
func (tr *traffic) sendOne() error {
	ctx, cancel := context.WithTimeout(context.Background(), processtest.Patience)
	defer cancel()
	e := newEvent()
	if err := tr.both(ctx, e, e); err != nil {
		return err
	}
	tr.mu.Lock()
	tr.acknowledged = append(tr.acknowledged, e)
	earlier := tr.acknowledged[rand.IntN(len(tr.acknowledged))]
	tr.mu.Unlock()
	return tr.both(ctx, e, earlier)
}

func (tr *traffic) both(ctx context.Context, a, b event) error {
	other := make(chan error, 1)
	go func() { other <- tr.insist(ctx, b) }()
	return errors.Join(tr.insist(ctx, a), <-other)
}

// events returns those that were acknowledged so far.
func (tr *traffic) events() []event {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return append([]event{}, tr.acknowledged...)
}

// flow waits until n more events were acknowledged.
func (tr *traffic) flow(n int) {
	tr.t.Helper()
	processtest.Until(tr.t, "more events are acknowledged", tr.more(n))
}

// more returns a function that reports whether n more events were acknowledged since, or
// the test has failed.
func (tr *traffic) more(n int) func() bool {
	target := tr.count() + n
	return func() bool { return tr.t.Failed() || tr.count() >= target }
}

func (tr *traffic) count() int {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return len(tr.acknowledged)
}
