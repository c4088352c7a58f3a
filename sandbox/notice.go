package sandbox

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/ack"
)

const (
	keptAnswer    = 1 << 10 // of which the log has the beginning
	maxDeliveries = 10_000
	acknowledged  = "Success"
)

// retryAfter are the moments of the retries, counted from the first try.
var retryAfter = []time.Duration{
	30 * time.Second,
	90 * time.Second,
	210 * time.Second,
	450 * time.Second,
	930 * time.Second,
	1890 * time.Second,
}

// notice is one webhook on its way: it is tried until the receiver
// acknowledges it or the retries are used up.
type notice struct {
	st        *state
	kind      string // ApiDeposit and the like
	flat      bool   // the body is msg alone
	status    string
	recordID  string // empty: it is about none, and cannot be sent again
	orderID   string
	url       string        // notifyUrl; empty: the merchant's webhook URL
	createdAt time.Time     // when the transaction was made
	message   func() object // makes "msg" before the first try, with the lock held
	after     *notice       // whose first try comes before this one's

	index   int // in state.notices
	body    []byte
	first   time.Time // when it was first tried
	attempt int
	acked   bool
	tried   chan struct{} // closed after the first try
	done    chan struct{} // closed then too, if set
}

// Delivery is one try to deliver a webhook.
type Delivery struct {
	ID         uint64    `json:"id"`
	RecordID   string    `json:"record_id"`
	OrderID    string    `json:"order_id"`
	Type       string    `json:"type"`
	Status     string    `json:"status"`
	URL        string    `json:"url"`
	Body       string    `json:"body"`
	Attempt    int       `json:"attempt"` // from 1
	At         time.Time `json:"at"`      // sandbox time
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

// notify sends a webhook at once and again on the schedule until it is
// acknowledged. The lock is held.
func (s *Sandbox) notify(n *notice) {
	n.st, n.tried = s.st, make(chan struct{})
	if n.recordID == "" {
		s.at(s.now(), s.try(n))
		return
	}
	if last := s.st.latest[n.recordID]; last != nil {
		n.after, n.index = last, last.index
		s.st.notices[n.index] = n
	} else {
		n.index = len(s.st.notices)
		s.st.notices = append(s.st.notices, n)
	}
	s.st.latest[n.recordID] = n
	s.at(s.now(), s.try(n))
}

// try makes the task of one try.
func (s *Sandbox) try(n *notice) func(context.Context, time.Time) {
	return func(ctx context.Context, due time.Time) {
		if n.after != nil {
			select {
			case <-n.after.tried:
			case <-ctx.Done():
				return
			}
		}
		s.mu.Lock()
		if n.st != s.st {
			n.wasTried()
			s.mu.Unlock()
			return // of before a Reset
		}
		if n.body == nil {
			if n.body = envelope(n.kind, n.message()); n.flat {
				n.body = marshal(n.message())
			}
			n.first = due
		}
		n.attempt++
		d := Delivery{
			RecordID: n.recordID, OrderID: n.orderID, Type: n.kind, Status: n.status,
			URL: cmp.Or(n.url, s.opts.WebhookURL), Body: string(n.body),
			Attempt: n.attempt, At: due.UTC(), Offset: Seconds(due.Sub(n.first)),
		}
		s.mu.Unlock()

		s.post(ctx, &d)

		s.mu.Lock()
		defer s.mu.Unlock()
		defer n.wasTried()
		if n.st != s.st || ctx.Err() != nil {
			return
		}
		n.acked = n.acked || d.OK
		if !d.OK && d.URL != "" && n.attempt <= len(retryAfter) {
			next := n.first.Add(s.sooner(retryAfter[n.attempt-1])).UTC()
			d.NextAt = &next
			s.at(next, s.try(n))
		}
		s.keep(&d)
	}
}

// wasTried wakes those who wait for the first try, even one that a Reset made
// pointless. The lock is held.
func (n *notice) wasTried() {
	closeOnce(n.tried)
	if n.done != nil {
		closeOnce(n.done) // which the notice before this one may share
	}
}

// closeOnce closes a channel that may be closed. The lock is held.
func closeOnce(c chan struct{}) {
	select {
	case <-c:
	default:
		close(c)
	}
}

// envelope writes a webhook's body.
func envelope(kind string, msg object) []byte {
	return marshal(struct {
		Type string `json:"type"`
		Msg  object `json:"msg"`
	}{kind, msg})
}

// marshal writes JSON as JavaScript does, which is as CCPayment does: some receivers
// verify the signature over a body that they have parsed and written again, so no
// character may be escaped that need not be.
func marshal(value any) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value) // texts and numbers always marshal
	return []byte(lineSeparators.Replace(strings.TrimSuffix(b.String(), "\n")))
}

// lineSeparators writes the two as they are that Go always escapes. An escaped backslash
// in front of a u is not the beginning of such an escape.
var lineSeparators = strings.NewReplacer(`\\`, `\\`, `\u2028`, "\u2028", `\u2029`, "\u2029")

// keep numbers a delivery and adds it to the log. The lock is held.
func (s *Sandbox) keep(d *Delivery) {
	s.st.delivered++
	d.ID = s.st.delivered
	if len(s.st.log) >= maxDeliveries {
		s.st.log = append([]Delivery(nil), s.st.log[maxDeliveries/10:]...)
	}
	s.st.log = append(s.st.log, *d)
	s.log.Info("webhook", slog.String("type", d.Type), slog.String("status", d.Status),
		slog.String("order", d.OrderID), slog.String("record", d.RecordID), slog.Int("attempt", d.Attempt),
		slog.Int("http", d.HTTPStatus), slog.Bool("acknowledged", d.OK), slog.String("error", d.Error), slog.String("note", d.Note))
}

// post sends a delivery, signed afresh, and notes how it went.
func (s *Sandbox) post(ctx context.Context, d *Delivery) {
	if d.URL == "" {
		d.Error = "no webhook URL is set, and the transaction has no notifyUrl"
		return
	}
	fault := s.takeFault(faultWebhook)
	if fault != nil && fault.beforeDelivery(ctx, d) {
		return
	}
	body, err := s.send(ctx, d)
	if fault != nil && fault.Drop == dropAfter {
		d.HTTPStatus, d.Answer, body, err = 0, "", nil, errors.New("fault: the answer was lost")
	}
	if err != nil {
		d.Error = err.Error()
		return
	}
	d.judge(body)
}

// judge notes whether a response acknowledges the webhook.
func (d *Delivery) judge(body []byte) {
	err := ack.Judge(body, acknowledged)
	var denied *ack.DeniedError
	switch {
	case d.HTTPStatus == http.StatusOK && err == nil:
		d.OK = true
		if !ack.HasExact(body, acknowledged) {
			d.Note = `acknowledged, though the word stands there in another case: CCPayment documents "Success"`
		}
	case d.HTTPStatus == http.StatusOK && errors.As(err, &denied):
		d.Error = "not acknowledged: the JSON in the body says no: " + denied.Error()
	default:
		d.Error = `not acknowledged: needed is HTTP 200 with "Success" in the body`
	}
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
func (s *Sandbox) send(ctx context.Context, d *Delivery) ([]byte, error) {
	body := []byte(d.Body)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.URL, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	timestamp := strconv.FormatInt(time.Now().Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Appid", s.opts.AppID)
	req.Header.Set("Timestamp", timestamp)
	req.Header.Set("Sign", Sign(s.opts.AppID, s.opts.AppSecret, timestamp, body))
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, ack.Limit))
	d.HTTPStatus, d.Answer = resp.StatusCode, string(text[:min(len(text), keptAnswer)])
	return text, err
}

// Deliveries returns the log of deliveries, newest first. It holds the latest
// ten thousand or so.
func (s *Sandbox) Deliveries() []Delivery {
	return s.deliveries(func(*Delivery) bool { return true })
}

func (s *Sandbox) deliveries(wanted func(*Delivery) bool) []Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []Delivery{}
	for i := len(s.st.log) - 1; i >= 0; i-- {
		if wanted(&s.st.log[i]) {
			list = append(list, s.st.log[i])
		}
	}
	return list
}

// SetWebhookURL changes where webhooks go that have no notifyUrl, retries
// included, as saving it in CCPayment's console does. Empty: nowhere.
func (s *Sandbox) SetWebhookURL(url string) error {
	if url != "" && !isHTTP(url) {
		return fmt.Errorf("webhook URL %q: must be an absolute http or https address", url)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opts.WebhookURL = url
	return nil
}

// Activate sends the ping with which CCPayment's console tries a webhook URL.
// It is tried once.
func (s *Sandbox) Activate(ctx context.Context) Delivery {
	s.mu.Lock()
	now := s.now().UTC()
	d := Delivery{
		Type: "ActivateWebhookURL", URL: s.opts.WebhookURL,
		Body: string(envelope("ActivateWebhookURL", object{})), Attempt: 1, At: now,
	}
	s.mu.Unlock()
	s.post(ctx, &d)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keep(&d)
	return d
}
