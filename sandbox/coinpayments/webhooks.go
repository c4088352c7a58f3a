package coinpayments

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/engine"
)

// What webhooks tell of an invoice, as a merchant registers for it. The payments' have
// another name in use, which is taken too.
const (
	eventCreated         = "invoiceCreated"
	eventPending         = "invoicePending"
	eventPaid            = "invoicePaid"
	eventCompleted       = "invoiceCompleted"
	eventCancelled       = "invoiceCancelled"
	eventTimedOut        = "invoiceTimedOut"
	eventPaymentCreated  = "paymentCreated"
	eventPaymentTimedOut = "paymentTimedOut"
)

// notifications are the names that can be registered, and the event that each is of.
var notifications = map[string]string{
	eventCreated: eventCreated, eventPending: eventPending, eventPaid: eventPaid, eventCompleted: eventCompleted,
	eventCancelled: eventCancelled, eventTimedOut: eventTimedOut,
	eventPaymentCreated: eventPaymentCreated, "invoicePaymentCreated": eventPaymentCreated,
	eventPaymentTimedOut: eventPaymentTimedOut, "invoicePaymentTimedOut": eventPaymentTimedOut,
}

// hook is where webhooks go, and of what: an invoice's own, or the integration's.
type hook struct {
	URL           string   `json:"notificationsUrl"` // the text that is signed
	Notifications []string `json:"notifications"`
}

// check says what is wrong with a hook, or nil.
func (h *hook) check(field string) error {
	if !engine.IsHTTP(h.URL) {
		return invalid(field+"notificationsUrl", "must be an absolute http or https address")
	}
	if len(h.Notifications) == 0 {
		return invalid(field+"notifications", "name at least one")
	}
	for _, name := range h.Notifications {
		if notifications[name] == "" {
			return invalid(field+"notifications", "there is no notification %q", name)
		}
	}
	return nil
}

// wants is the name under which a hook registered for an event, or empty.
func (h *hook) wants(event string) string {
	for _, name := range h.Notifications {
		if notifications[name] == event {
			return name
		}
	}
	return ""
}

// event is something that was told of an invoice, as it was at that moment.
type event struct {
	name    string
	invoice *invoice
	status  string
	body    json.RawMessage // "invoice" in the webhook
}

// announce tells the invoice's hooks and the integration's of an event. The lock is held.
func (s *Sandbox) announce(i *invoice, name string) {
	told := engine.Marshal(s.invoiceInHook(i))
	e := &event{name: name, invoice: i, status: pascal(i.status), body: told}
	i.events = append(i.events, e)
	s.tell(e)
}

// tell sends an event to everybody who registered for it. The lock is held.
func (s *Sandbox) tell(e *event) {
	send := func(h hook) {
		name := h.wants(e.name)
		if name == "" {
			return
		}
		w := s.webhook(h.URL, pascal(name), func() []byte {
			return engine.Marshal(notification{
				ID: newID(), Type: pascal(name), Timestamp: s.engine.Now().UTC().Format("2006-01-02T15:04:05.0000000+00:00"),
				Invoice: e.body,
			})
		})
		w.Status, w.RecordID, w.OrderID, w.After = e.status, e.invoice.id, e.invoice.orderID(), e.invoice.last
		e.invoice.last = w
		s.engine.Send(w)
	}
	for _, h := range e.invoice.hooks {
		send(h)
	}
	for _, h := range s.st.hooks {
		send(h.hook)
	}
}

// notification is the body of an invoice's webhook. The id is the notification's: each
// try of each copy has its own.
type notification struct {
	ID        string          `json:"id"`
	Type      string          `json:"type"`
	Timestamp string          `json:"timestamp"`
	Invoice   json.RawMessage `json:"invoice"`
}

// firstRetry and retries make the schedule of an invoice's webhooks: exponential, for
// hours. CoinPayments publishes none.
const (
	firstRetry = 30 * time.Second
	retries    = 10
)

// webhook is a webhook to a URL as it was registered, whose body is made for each try.
func (s *Sandbox) webhook(to, kind string, body func() []byte) *engine.Webhook {
	var stamp string // of the first try
	return &engine.Webhook{
		Gateway: Name, Type: kind,
		URL: func() string { return to }, Body: body,
		Sign: func(header http.Header, url string, body []byte) {
			now := time.Now().UTC().Format(timestampForm)
			if stamp == "" || !s.retriesAreStale() {
				stamp = now
			}
			header.Set(headerClient, s.client)
			header.Set(headerTimestamp, stamp)
			header.Set(headerSignature, Sign(s.opts.ClientSecret, http.MethodPost, url, s.client, stamp, body))
		},
		Judge: judge,
		Retry: func(tries int) (time.Duration, bool) {
			return firstRetry * (1<<min(tries, retries) - 1), tries <= retries
		},
	}
}

// judge notes whether a response acknowledges a webhook: the status decides.
func judge(d *engine.Delivery, _ []byte) {
	if d.HTTPStatus >= 200 && d.HTTPStatus <= 299 {
		d.OK = true
		return
	}
	d.Error = "not acknowledged: needed is HTTP 200"
}

// pascal writes a name as webhooks do, which have their first letter in upper case.
func pascal(name string) string {
	if name == "" {
		return ""
	}
	return strings.ToUpper(name[:1]) + name[1:]
}
