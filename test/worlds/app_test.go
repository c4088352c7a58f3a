package worlds

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/relay"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// app is the app, which keeps an inbox: it applies each event once, by its Idempotency-Key.
type app struct {
	*world
	mu      sync.Mutex
	calls   []*call
	applied []string // event ids, in their order
}

// call is one that the app got.
type call struct {
	by     *process
	run    int
	key    ledger.Key
	id     string
	order  string // at the gateway
	digest string
	seq    uint64
	number int
	reason string
	header http.Header

	// claimed is when its record was, where that is the last that the store heard of it.
	claimed, at, answered time.Duration // since the world began
	yes                   bool
	// isCut: the process did not get a yes.
	isCut bool
}

func (c *call) fulfils() bool { return c.header.Get("Ccpayment-Fulfill") == "true" }
func (c *call) credits() bool { return c.header.Get("Ccpayment-Credit") == "true" }

// caller is the way of a process's life to the app.
type caller struct{ *life }

// Deliver implements [relay.App].
func (c caller) Deliver(ctx context.Context, m relay.Message) (relay.Response, error) {
	key := m.Event.Key
	name := nameOf(key)
	n := c.nth("app" + name)
	hasFaults := c.hasFaults() && c.has("answers")
	if hasFaults && c.Draw(15, "refused", name, n) == 0 {
		c.stepped(key.ID) // the ledger counts an attempt of which the app knows nothing
		return relay.Response{}, &relay.CallError{Status: http.StatusBadGateway, Err: errLost}
	}
	c.pause(0, "to the app", name, n)
	switch { // a process that was stopped looks once more
	case c.isDead.Load():
		return relay.Response{}, errDead
	case ctx.Err() != nil || m.Lives != nil && !m.Lives():
		c.stepped(key.ID)
		return relay.Response{}, &relay.CallError{Status: http.StatusBadGateway, Err: ledger.ErrNoSession}
	}
	header := make(http.Header)
	for _, f := range m.Header {
		header.Set(f.Name, f.Value)
	}
	got := c.app.get(c, m, header)
	takes := time.Millisecond + c.DrawTime(200*time.Millisecond, "takes", name, n)
	if hasFaults && c.Draw(6, "slow", name, n) == 0 {
		takes = c.DrawTime(45*time.Second, "slowly", name, n)
	}
	isYes := !hasFaults || c.Draw(10, "yes", name, n) < 7
	timer := time.NewTimer(takes)
	defer timer.Stop()
	select {
	case <-timer.C:
		c.app.answer(got, isYes)
	case <-ctx.Done():
		go func() { // the app goes on
			time.Sleep(c.DrawTime(takes, "goes on", name, n))
			c.app.answer(got, isYes)
		}()
		c.app.cut(got)
		return relay.Response{}, &relay.CallError{Status: http.StatusGatewayTimeout, Err: ctx.Err()}
	}
	c.pause(0, "answer", name, n)
	if c.isDead.Load() || hasFaults && c.Draw(20, "lost", name, n) == 0 {
		c.app.cut(got)
		return relay.Response{}, &relay.CallError{Status: http.StatusBadGateway, Err: errLost}
	}
	if !isYes {
		c.app.cut(got)
		return relay.Response{Status: http.StatusInternalServerError}, nil
	}
	return relay.Response{Status: http.StatusOK}, nil
}

func (a *app) get(c caller, m relay.Message, header http.Header) *call {
	got := &call{
		by: c.process, run: c.run, key: m.Event.Key, id: header.Get("Idempotency-Key"), order: m.Event.GatewayOrderID, digest: digest(m.Event.Body),
		seq: number(header.Get("Ccpayment-Record-Seq")), number: int(number(header.Get("Ccpayment-Attempt"))),
		reason: header.Get("Ccpayment-Attempt-Reason"), header: header, at: a.since(),
	}
	if got.key.EventID() != got.id { // the message has what is known of the risk now
		got.key.Risk = ledger.Risky
	}
	got.claimed = c.claimedAt(got.key.Record, got.at)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls = append(a.calls, got)
	a.log("%s calls the app: %s attempt %d, %s, seq %d, fulfil %t, credit %t", c.name, nameOf(got.key), got.number, got.reason, got.seq, got.fulfils(), got.credits())
	return got
}

// answer is the app's: yes once it has applied the event.
func (a *app) answer(c *call, yes bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c.answered, c.yes = a.since(), yes
	a.log("the app answers %s of %s: %t", nameOf(c.key), c.by.name, yes)
	for _, id := range a.applied {
		if id == c.id {
			return
		}
	}
	if yes {
		a.applied = append(a.applied, c.id)
	}
}

func (a *app) cut(c *call) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c.isCut = true
	a.cutOff(c.run)
}
