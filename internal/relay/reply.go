package relay

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Reply is the HTTP response to a webhook.
type Reply struct {
	Status int
	// Outcome says in one word what became of the webhook, for metrics and logs.
	Outcome string
	// Ack is the body, and its content type where that is not plain text.
	gateway.Ack
	// RetryAfter: the response asks the gateway to try again, in 30 seconds.
	RetryAfter bool
	// Allow is the value of the header Allow; empty: none.
	Allow string
	// Err is the cause of a refusal, for the log only.
	Err error
}

// retryAfter is how soon the gateway may try again. Gateways keep to schedules of
// their own: this is the first step of CCPayment's.
const retryAfter = 30 * time.Second

const plainText = "text/plain; charset=utf-8"

// Refuse returns a reply that does not acknowledge the webhook.
func Refuse(status int, outcome, text string, err error) Reply {
	return Reply{Status: status, Outcome: outcome, Ack: gateway.Ack{Body: text}, Err: err}
}

// later returns a refusal that asks the gateway to try again.
func later(status int, outcome, text string, err error) Reply {
	reply := Refuse(status, outcome, text, err)
	reply.RetryAfter = true
	return reply
}

// Unusable returns the reply while the ledger cannot be used.
func Unusable(err error) Reply {
	return later(http.StatusServiceUnavailable, "unavailable", "the ledger is unavailable", err)
}

// success returns the reply that acknowledges the webhook in the gateway's form.
func (r *Route) success(outcome string) Reply {
	return Reply{Status: http.StatusOK, Outcome: outcome, Ack: r.Account.Info.Ack}
}

// Write sends the reply.
func (p Reply) Write(w http.ResponseWriter) {
	header := w.Header()
	contentType := p.ContentType
	if contentType == "" {
		contentType = plainText
	}
	header.Set("Content-Type", contentType)
	header.Set("Content-Length", strconv.Itoa(len(p.Body)))
	if p.Allow != "" {
		header.Set("Allow", p.Allow)
	}
	if p.RetryAfter {
		header.Set("Retry-After", strconv.Itoa(int(retryAfter.Seconds())))
	}
	w.WriteHeader(p.Status)
	_, _ = io.WriteString(w, p.Body) // the sender is gone: it will try again
}

// decided returns the reply to a webhook whose event is not delivered now.
func (r *Route) decided(verdict ledger.Verdict) Reply {
	switch verdict {
	case ledger.Accepted:
		return r.success("accepted")
	case ledger.Overtaken:
		return r.success("superseded")
	case ledger.Filtered:
		return r.success("ignored")
	case ledger.OnHold:
		return r.success("held")
	default:
		return r.success("duplicate")
	}
}

// attempted returns the reply after a delivery attempt.
func (r *Route) attempted(o Outcome) Reply {
	switch o.Kind {
	case Delivered:
		return r.success("delivered")
	case Held:
		return r.success("held")
	case Unavailable:
		return Unusable(o.Err)
	default:
		return failed(o.Err, "unconfirmed", "failed")
	}
}

// failed returns the reply after a failure to confirm the event, or to deliver it.
// Nothing of the app's response goes to the gateway.
func failed(err error, unconfirmed, failed string) Reply {
	var f *failure
	switch {
	case !errors.As(err, &f):
		return later(http.StatusServiceUnavailable, unconfirmed, "the event cannot be confirmed now", nil)
	case f.timedOut:
		return later(http.StatusGatewayTimeout, failed, "the app did not answer in time", err)
	default:
		return later(http.StatusBadGateway, failed, "the app did not take the event", err)
	}
}
