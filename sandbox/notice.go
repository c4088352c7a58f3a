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
)

const (
	maxAnswer     = 1 << 10
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
	status    string
	recordID  string
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
	ID         uint64     `json:"id"`
	RecordID   string     `json:"record_id"`
	OrderID    string     `json:"order_id"`
	Type       string     `json:"type"`
	Status     string     `json:"status"`
	URL        string     `json:"url"`
	Body       string     `json:"body"`
	Attempt    int        `json:"attempt"` // from 1
	At         time.Time  `json:"at"`      // sandbox time
	Offset     Seconds    `json:"offset_seconds"`
	HTTPStatus int        `json:"http_status"` // 0: no answer
	Answer     string     `json:"answer"`      // its first KiB
	Error      string     `json:"error,omitempty"`
	OK         bool       `json:"ok"` // acknowledged
	NextAt     *time.Time `json:"next_at,omitempty"`
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
			n.body = envelope(n.kind, n.message())
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
	body, _ := json.Marshal(struct {
		Type string `json:"type"`
		Msg  object `json:"msg"`
	}{kind, msg}) // texts and numbers always marshal
	return body
}

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
		slog.Int("http", d.HTTPStatus), slog.Bool("acknowledged", d.OK), slog.String("error", d.Error))
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
	err := s.send(ctx, d)
	if fault != nil && fault.Drop == dropAfter {
		d.HTTPStatus, d.Answer, err = 0, "", errors.New("fault: the answer was lost")
	}
	if err != nil {
		d.Error = err.Error()
		return
	}
	d.OK = d.HTTPStatus == http.StatusOK && strings.Contains(d.Answer, acknowledged)
	if !d.OK {
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

func (s *Sandbox) send(ctx context.Context, d *Delivery) error {
	body := []byte(d.Body)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	timestamp := strconv.FormatInt(time.Now().Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Appid", s.opts.AppID)
	req.Header.Set("Timestamp", timestamp)
	req.Header.Set("Sign", Sign(s.opts.AppID, s.opts.AppSecret, timestamp, body))
	resp, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	d.HTTPStatus, d.Answer = resp.StatusCode, string(text)
	return err
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
