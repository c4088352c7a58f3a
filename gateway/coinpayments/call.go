package coinpayments

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/tidwall/gjson"

	"github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/strictjson"
)

// Call implements [gateway.API]. What is signed is the URL of our own table's route, with
// the query of the call.
func (v *V2) Call(ctx context.Context, c gateway.APICall) (gateway.APIAnswer, error) {
	path := plainPath(c.Path)
	route, err := coinpayments.FindRoute(c.Method, path)
	if err != nil {
		return gateway.APIAnswer{}, err
	}
	about := route.Reference(path, c.Body)
	body, err := withHook(route, c)
	if err != nil {
		return gateway.APIAnswer{About: about}, err
	}
	c.Begin(makes(keyOf(route), body, nil))
	data, err := v.Client().Call(ctx, c.Method, path, c.Query, body)
	answer, err := answered(data, explain(err))
	answer.About, answer.Makes = about, makes(keyOf(route), body, answer.Data)
	return answer, err
}

// withHook returns a call's body with the URL of its webhooks, where the call has one and
// the route takes one.
func withHook(route coinpayments.Route, c gateway.APICall) ([]byte, error) {
	key := notifying[keyOf(route)]
	if key == "" || c.NotifyURL == "" {
		return c.Body, nil
	}
	var value any = c.NotifyURL
	if key == invoiceHooks {
		value = []coinpayments.InvoiceWebhook{{NotificationsURL: c.NotifyURL, Notifications: coinpayments.Notifications()}}
	}
	body := []byte(c.Body)
	if key == buttonHook && !gjson.GetBytes(body, "notifications").Exists() {
		var err error
		if body, err = strictjson.WithMember(body, "notifications", coinpayments.Notifications()); err != nil {
			return nil, err
		}
	}
	return strictjson.WithMember(body, key, value)
}

// answered returns CoinPayments' answer to a call, which says by its status what it is; an
// error where it proves nothing, also if it looks like a refusal.
func answered(data json.RawMessage, err error) (gateway.APIAnswer, error) {
	var refused *gateway.RefusedError
	var e *coinpayments.Error
	switch {
	case errors.As(err, &refused) && errors.As(err, &e) && isRefusal(e.Status):
		return gateway.APIAnswer{
			Refusal: refused, Status: e.Status, ContentType: "application/problem+json", Body: problem(e), RetryAfter: e.RetryAfter,
		}, nil
	case refused != nil:
		refused.Code, refused.Name = "", ""
		return gateway.APIAnswer{}, err
	case err != nil:
		return gateway.APIAnswer{}, err
	case len(data) == 0:
		return gateway.APIAnswer{Status: http.StatusNoContent}, nil
	}
	answer := gateway.APIAnswer{Status: http.StatusOK, ContentType: "application/json", Body: data, Data: data}
	if !json.Valid(data) {
		answer.ContentType = "text/plain; charset=utf-8"
	}
	return answer, nil
}

// problem is a refusal as CoinPayments writes it (API reference, Common API Errors).
func problem(e *coinpayments.Error) []byte {
	written := struct {
		Type     string              `json:"type,omitempty"`
		Title    string              `json:"title"`
		Status   int                 `json:"status"`
		Detail   string              `json:"detail,omitempty"`
		Instance string              `json:"instance,omitempty"`
		Errors   map[string][]string `json:"errors,omitempty"`
	}{e.Type, e.Title, e.Status, e.Detail, e.Instance, e.Fields}
	if written.Title == "" {
		written.Title = http.StatusText(e.Status)
	}
	body, _ := json.Marshal(written) // of texts and numbers, which is always possible
	return body
}

// isRefusal reports whether a status is one that a call is refused with.
func isRefusal(status int) bool {
	return status >= 400 && status < 500 && status != http.StatusRequestTimeout
}

// lost is what is known of a call that CoinPayments may have performed.
func lost(unknown *coinpayments.OutcomeUnknownError) *gateway.LostError {
	e := &gateway.LostError{
		Reference: unknown.Reference, Err: unknown,
		Hint: "CoinPayments does not know a call again that is made twice: look twice, with a pause",
	}
	e.Code, e.Name = codeOf(unknown.Status)
	var answered *coinpayments.Error
	if errors.As(unknown, &answered) {
		e.Msg, e.Body = answered.Detail, problem(answered)
	}
	return e
}
