package engine

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/ack"
)

const (
	keptAnswer    = 1 << 10 // of which the log has the beginning
	maxDeliveries = 10_000
)

// Webhook is one webhook on its way: it is tried until the receiver acknowledges it or
// the retries are used up.
type Webhook struct {
	// What the log says of it.
	Gateway, Type, Status, RecordID, OrderID string

	// URL and Body are asked before each try, with Mu held. An empty URL is nowhere, and
	// NoURL says in the log why.
	URL   func() string
	NoURL string
	Body  func() []byte
	// Sign adds the headers of a try.
	Sign func(header http.Header, url string, body []byte)
	// Judge notes on a delivery whether its response acknowledges the webhook.
	Judge func(d *Delivery, response []byte)
	// Retry says how long after the first try another one follows, at speed 1, after that
	// many tries; false: none does.
	Retry func(tries int) (time.Duration, bool)
	// Timeout bounds a try; 0: ten seconds.
	Timeout time.Duration

	// After is one whose first try comes before this one's.
	After *Webhook

	era   int
	seq   uint64    // orders webhooks as they were sent
	first time.Time // when it was first tried
	tries int
	acked bool
	tried chan struct{}   // closed after the first try
	done  []chan struct{} // closed then, too
}

// Unacknowledged reports whether a webhook was tried, and never acknowledged. Mu is held.
func (w *Webhook) Unacknowledged() bool { return w.tries > 0 && !w.acked }

// Delivery is one try to deliver a webhook.
type Delivery struct {
	ID         uint64    `json:"id"`
	Gateway    string    `json:"gateway"`
	RecordID   string    `json:"record_id"`
	OrderID    string    `json:"order_id"`
	Type       string    `json:"type"`
	Status     string    `json:"status"`
	URL        string    `json:"url"`
	Body       string    `json:"body"`
	Attempt    int       `json:"attempt"` // from 1
	At         time.Time `json:"at"`      // the engine's time
	Offset     Seconds   `json:"offset_seconds"`
	HTTPStatus int       `json:"http_status"` // 0: no answer
	Answer     string    `json:"answer"`      // its first KiB
	Error      string    `json:"error,omitempty"`
	OK         bool      `json:"ok"` // acknowledged
	// Note says what may be a mistake in a response that did acknowledge.
	Note   string     `json:"note,omitempty"`
	NextAt *time.Time `json:"next_at,omitempty"`
}

// Seconds is a duration that is written as a JSON number of seconds.
type Seconds time.Duration

// MarshalJSON writes whole and decimal seconds, such as 90 or 1.5.
func (s Seconds) MarshalJSON() ([]byte, error) {
	ms := time.Duration(s).Milliseconds()
	text := fmt.Sprintf("%d.%03d", ms/1000, ms%1000)
	return []byte(strings.TrimRight(strings.TrimRight(text, "0"), ".")), nil
}

// Send sends a webhook at once, and again as its Retry says until it is acknowledged. Mu
// is held.
func (e *Engine) Send(w *Webhook) {
	e.seq++
	w.era, w.seq, w.tried = e.era, e.seq, make(chan struct{})
	e.At(e.Now(), e.try(w))
}

// Once tries a webhook once, and returns how it went.
func (e *Engine) Once(ctx context.Context, w *Webhook) Delivery {
	e.Mu.Lock()
	w.tries++
	d := w.delivery(e.Now())
	e.Mu.Unlock()
	e.post(ctx, w, &d)
	e.Mu.Lock()
	defer e.Mu.Unlock()
	e.keep(&d)
	return d
}

// delivery begins the log's entry of a try. Mu is held.
func (w *Webhook) delivery(now time.Time) Delivery {
	return Delivery{
		Gateway: w.Gateway, RecordID: w.RecordID, OrderID: w.OrderID, Type: w.Type, Status: w.Status,
		URL: w.URL(), Body: string(w.Body()), Attempt: w.tries, At: now.UTC(),
	}
}

// try makes the task of one try.
func (e *Engine) try(w *Webhook) func(context.Context, time.Time) {
	return func(ctx context.Context, due time.Time) {
		if !e.turn(ctx, w) {
			return
		}
		e.Mu.Lock()
		if w.era != e.era {
			w.wasTried()
			e.Mu.Unlock()
			return // of before a Reset
		}
		if w.tries++; w.tries == 1 {
			w.first = due
		}
		d := w.delivery(due)
		d.Offset = Seconds(due.Sub(w.first))
		e.Mu.Unlock()

		e.post(ctx, w, &d)

		e.Mu.Lock()
		defer e.Mu.Unlock()
		defer w.wasTried()
		if w.era != e.era || ctx.Err() != nil {
			return
		}
		w.acked = w.acked || d.OK
		if offset, more := w.Retry(w.tries); !d.OK && d.URL != "" && more {
			next := w.first.Add(e.Sooner(offset)).UTC()
			d.NextAt = &next
			e.At(next, e.try(w))
		}
		e.keep(&d)
	}
}

// turn waits for the webhook before this one, and reports whether this one is to be sent.
// It is not if webhooks are held: then Release sends it.
func (e *Engine) turn(ctx context.Context, w *Webhook) bool {
	for {
		e.Mu.Lock()
		if e.isHolding() && w.era == e.era {
			e.held = append(e.held, w)
			e.Mu.Unlock()
			return false
		}
		holding, after := e.holding, w.After
		e.Mu.Unlock()
		if after == nil {
			return true
		}
		select {
		case <-after.tried:
			return true
		case <-holding:
		case <-ctx.Done():
			return false
		}
	}
}

func (e *Engine) isHolding() bool {
	select {
	case <-e.holding:
		return true
	default:
		return false
	}
}

// Hold keeps webhooks back, retries included, until Release.
func (e *Engine) Hold() {
	e.Mu.Lock()
	defer e.Mu.Unlock()
	if !e.isHolding() {
		close(e.holding)
	}
}

// Release sends the webhooks that were held back, one after the other, in the order in
// which they were to be sent or in the reverse, and returns how many they are.
func (e *Engine) Release(reverse bool) int {
	e.Mu.Lock()
	defer e.Mu.Unlock()
	if !e.isHolding() {
		return 0
	}
	held := e.held
	e.held, e.holding = nil, make(chan struct{})
	slices.SortFunc(held, func(a, b *Webhook) int {
		if reverse {
			a, b = b, a
		}
		return cmp.Compare(a.seq, b.seq)
	})
	var last *Webhook
	for _, w := range held {
		w.After, last = last, w
		e.At(e.Now(), e.try(w))
	}
	return len(held)
}

// wasTried wakes those who wait for the first try, even one that a Reset made
// pointless. Mu is held.
func (w *Webhook) wasTried() {
	closeOnce(w.tried)
	for _, done := range w.done {
		closeOnce(done) // which the webhook before this one may share
	}
}

// CloseAfter closes a channel once the first try of a webhook was made, which may be long
// ago; without a webhook it does at once. Mu is held.
func CloseAfter(w *Webhook, done chan struct{}) {
	if w == nil {
		closeOnce(done)
		return
	}
	w.done = append(w.done, done)
	select {
	case <-w.tried:
		closeOnce(done)
	default:
	}
}

// closeOnce closes a channel that may be closed. Mu is held.
func closeOnce(c chan struct{}) {
	select {
	case <-c:
	default:
		close(c)
	}
}

// keep numbers a delivery and adds it to the log. Mu is held.
func (e *Engine) keep(d *Delivery) {
	e.delivered++
	d.ID = e.delivered
	if len(e.log) >= maxDeliveries {
		e.log = append([]Delivery(nil), e.log[maxDeliveries/10:]...)
	}
	e.log = append(e.log, *d)
	e.Log.Info("webhook", slog.String("gateway", d.Gateway), slog.String("type", d.Type), slog.String("status", d.Status),
		slog.String("order", d.OrderID), slog.String("record", d.RecordID), slog.Int("attempt", d.Attempt),
		slog.Int("http", d.HTTPStatus), slog.Bool("acknowledged", d.OK), slog.String("error", d.Error), slog.String("note", d.Note))
}

// post sends a delivery, signed afresh, and notes how it went.
func (e *Engine) post(ctx context.Context, w *Webhook, d *Delivery) {
	if d.URL == "" {
		d.Error = w.NoURL
		return
	}
	fault := e.takeFault(func(f *Fault) bool {
		return f.Endpoint == faultWebhook || f.Endpoint == w.Gateway+"/"+faultWebhook
	})
	if fault != nil && fault.beforeDelivery(ctx, d) {
		return
	}
	body, err := e.send(ctx, w, d)
	if fault != nil && fault.Drop == dropAfter {
		d.HTTPStatus, d.Answer, body, err = 0, "", nil, errors.New("fault: the answer was lost")
	}
	if err != nil {
		d.Error = err.Error()
		return
	}
	w.Judge(d, body)
}

// beforeDelivery lets a fault strike ahead of a delivery, and reports whether
// that was the end of it.
func (f *Fault) beforeDelivery(ctx context.Context, d *Delivery) bool {
	switch {
	case f.HTTPStatus != 0:
		d.HTTPStatus, d.Error = f.HTTPStatus, "fault: answered in the receiver's place"
		return true
	case f.Drop == dropBefore:
		d.Error = "fault: not sent"
		return true
	case f.DelayMS != 0:
		timer := time.NewTimer(f.delay())
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return false
}

// send posts a delivery and returns the response's body, as far as it is searched.
func (e *Engine) send(ctx context.Context, w *Webhook, d *Delivery) ([]byte, error) {
	if w.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, w.Timeout)
		defer cancel()
	}
	body := []byte(d.Body)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.URL, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	w.Sign(req.Header, d.URL, body)
	resp, err := e.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, ack.Limit))
	d.HTTPStatus, d.Answer = resp.StatusCode, string(text[:min(len(text), keptAnswer)])
	return text, err
}

// Deliveries returns those of the log that are wanted, newest first. The log holds the
// latest ten thousand or so.
func (e *Engine) Deliveries(wanted func(*Delivery) bool) []Delivery {
	e.Mu.Lock()
	defer e.Mu.Unlock()
	list := []Delivery{}
	for i := len(e.log) - 1; i >= 0; i-- {
		if wanted(&e.log[i]) {
			list = append(list, e.log[i])
		}
	}
	return list
}
