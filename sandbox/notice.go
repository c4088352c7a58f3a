package sandbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/ack"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox/engine"
)

const acknowledged = "Success"

// retryAfter are the moments of the retries, counted from the first try.
var retryAfter = []time.Duration{
	30 * time.Second,
	90 * time.Second,
	210 * time.Second,
	450 * time.Second,
	930 * time.Second,
	1890 * time.Second,
}

// notice is what a webhook is made from, the first time or again.
type notice struct {
	kind      string // ApiDeposit and the like
	flat      bool   // the body is msg alone
	status    string
	recordID  string // empty: it is about none, and cannot be sent again
	orderID   string
	url       string        // notifyUrl; empty: the merchant's webhook URL
	createdAt time.Time     // when the transaction was made
	message   func() object // makes "msg" before the first try, with the lock held

	index int // in state.notices
	sent  *engine.Webhook
}

// Delivery is one try to deliver a webhook.
type Delivery = engine.Delivery

// Seconds is a duration that is written as a JSON number of seconds.
type Seconds = engine.Seconds

// notify sends a webhook at once and again on the schedule until it is
// acknowledged. The lock is held.
func (s *Sandbox) notify(n *notice) {
	n.sent = s.webhook(n.kind, func() []byte {
		if n.flat {
			return engine.Marshal(n.message())
		}
		return envelope(n.kind, n.message())
	})
	n.sent.Status, n.sent.RecordID, n.sent.OrderID = n.status, n.recordID, n.orderID
	n.sent.URL = func() string { return cmp.Or(n.url, s.opts.WebhookURL) }
	if n.recordID != "" {
		if last := s.st.latest[n.recordID]; last != nil {
			n.sent.After, n.index = last.sent, last.index
			s.st.notices[n.index] = n
		} else {
			n.index = len(s.st.notices)
			s.st.notices = append(s.st.notices, n)
		}
		s.st.latest[n.recordID] = n
	}
	s.engine.Send(n.sent)
}

// webhook is a webhook of a type to the merchant's URL. Its body is made once.
func (s *Sandbox) webhook(kind string, make func() []byte) *engine.Webhook {
	var body []byte
	return &engine.Webhook{
		Gateway: gatewayName, Type: kind,
		URL:   func() string { return s.opts.WebhookURL },
		NoURL: "no webhook URL is set, and the transaction has no notifyUrl",
		Body: func() []byte {
			if body == nil {
				body = make()
			}
			return body
		},
		Sign: s.sign, Judge: judge,
		Retry: func(tries int) (time.Duration, bool) {
			if tries > len(retryAfter) {
				return 0, false
			}
			return retryAfter[tries-1], true
		},
	}
}

// sign adds the headers of a webhook, with the real time.
func (s *Sandbox) sign(header http.Header, _ string, body []byte) {
	timestamp := strconv.FormatInt(time.Now().Unix(), 10)
	header.Set("Appid", s.opts.AppID)
	header.Set("Timestamp", timestamp)
	header.Set("Sign", Sign(s.opts.AppID, s.opts.AppSecret, timestamp, body))
}

// envelope writes a webhook's body.
func envelope(kind string, msg object) []byte {
	return engine.Marshal(struct {
		Type string `json:"type"`
		Msg  object `json:"msg"`
	}{kind, msg})
}

// judge notes whether a response acknowledges the webhook.
func judge(d *Delivery, body []byte) {
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

// Deliveries returns the log of deliveries, newest first. It holds the latest
// ten thousand or so.
func (s *Sandbox) Deliveries() []Delivery {
	return s.engine.Deliveries(func(*Delivery) bool { return true })
}

// SetWebhookURL changes where webhooks go that have no notifyUrl, retries
// included, as saving it in CCPayment's console does. Empty: nowhere.
func (s *Sandbox) SetWebhookURL(url string) error {
	if url != "" && !engine.IsHTTP(url) {
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
	const kind = "ActivateWebhookURL"
	return s.engine.Once(ctx, s.webhook(kind, func() []byte { return envelope(kind, object{}) }))
}
