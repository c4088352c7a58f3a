package coinpayments

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

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
	data, err := v.Client().Call(ctx, c.Method, path, c.Query, body)
	answer := answered(data, err)
	answer.About, answer.Makes = about, makes(keyOf(route), body, answer.Data)
	return answer, explainCall(err)
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

// answered returns CoinPayments' answer to a call, which says by its status what it is; the
// zero value where it proves nothing.
func answered(data json.RawMessage, err error) gateway.APIAnswer {
	var refused *coinpayments.Error
	switch {
	case errors.As(err, &refused):
		return refusal(refused)
	case err != nil:
		return gateway.APIAnswer{}
	case len(data) == 0:
		return gateway.APIAnswer{Status: http.StatusNoContent}
	}
	answer := gateway.APIAnswer{Status: http.StatusOK, ContentType: "application/json", Body: data, Data: data}
	if !json.Valid(data) {
		answer.ContentType = "text/plain; charset=utf-8"
	}
	return answer
}

// refusal is a refusal as CoinPayments writes it (API reference, Common API Errors).
func refusal(e *coinpayments.Error) gateway.APIAnswer {
	problem := struct {
		Type     string              `json:"type,omitempty"`
		Title    string              `json:"title"`
		Status   int                 `json:"status"`
		Detail   string              `json:"detail,omitempty"`
		Instance string              `json:"instance,omitempty"`
		Errors   map[string][]string `json:"errors,omitempty"`
	}{e.Type, e.Title, e.Status, e.Detail, e.Instance, e.Fields}
	if problem.Title == "" {
		problem.Title = http.StatusText(e.Status)
	}
	body, err := json.Marshal(problem)
	if err != nil {
		return gateway.APIAnswer{}
	}
	return gateway.APIAnswer{
		Status: e.Status, ContentType: "application/problem+json", Body: body, RetryAfter: e.RetryAfter,
		Code: coinpayments.StatusError(e.Status).Error(),
	}
}

// explainCall turns the error of a call into one of package gateway's. An answer that only
// looks like a refusal has no code.
func explainCall(err error) error {
	explained := explain(err)
	var refused *gateway.RefusedError
	if errors.As(explained, &refused) && !isRefusal(refused.Code) {
		refused.Code = ""
	}
	return explained
}

// isRefusal reports whether a status is one that a call is refused with.
func isRefusal(status string) bool {
	code, err := strconv.Atoi(status)
	return err == nil && code >= 400 && code < 500 && code != http.StatusRequestTimeout
}

// lost is what is known of a call that CoinPayments may have performed.
func lost(unknown *coinpayments.OutcomeUnknownError) *gateway.LostError {
	e := &gateway.LostError{
		Reference: unknown.Reference, Code: unknown.Status, Err: unknown,
		Hint: "CoinPayments does not know a call again that is made twice: look twice, with a pause",
	}
	var answered *coinpayments.Error
	if errors.As(unknown, &answered) {
		e.Msg = answered.Detail
	}
	return e
}
