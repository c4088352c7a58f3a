package ccpayment

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/ccanswer"
	"github.com/seed-338f6760/caddy-ccpayment/internal/strictjson"
)

// Call implements [gateway.API].
func (v *V2) Call(ctx context.Context, c gateway.APICall) (gateway.APIAnswer, error) {
	name, body := nameIn(c.Path), c.Body
	about := cmp.Or(strictjson.Text(gjson.GetBytes(body, "orderId")), strictjson.Text(gjson.GetBytes(body, "batchOrderId")))
	if c.NotifyURL != "" && slices.Contains(notifying, name) {
		if n := utf8.RuneCountInString(c.NotifyURL); name == applyBatch && n > longestBatchURL {
			return gateway.APIAnswer{About: about}, gateway.WrongField(notifyKey,
				"the account's webhook_url has %d characters, and CCPayment takes at most %d for a batch: set a shorter one, or name one in the call", n, longestBatchURL)
		}
		var err error
		if body, err = strictjson.WithMember(body, notifyKey, c.NotifyURL); err != nil {
			return gateway.APIAnswer{About: about}, err
		}
	}
	made := makes(name, body)
	c.Begin(made)
	data, err := v.Client().Call(ctx, name, body)
	answer, err := answered(data, explainCall(err))
	answer.About, answer.Makes = about, made
	return answer, err
}

// answered returns CCPayment's answer to a call, which has status 200 also where it is a
// refusal; an error where CCPayment gave no code.
func answered(data json.RawMessage, err error) (gateway.APIAnswer, error) {
	answer := gateway.APIAnswer{Status: http.StatusOK, ContentType: "application/json"}
	if err == nil {
		answer.Body, answer.Data = ccanswer.Success(data)
		return answer, nil
	}
	var refused *client.Error
	if !errors.As(err, &answer.Refusal) || answer.Refusal.Code == "" || !errors.As(err, &refused) {
		return gateway.APIAnswer{}, err
	}
	answer.Body = ccanswer.Refusal(refused.Code, refused.Msg)
	return answer, nil
}

// explainCall turns the error of a call into one of package gateway's.
func explainCall(err error) error {
	var unknown *client.OutcomeUnknownError
	if errors.As(err, &unknown) {
		return lost(unknown)
	}
	return explain(err)
}

// lost is what is known of a call that CCPayment may have performed.
func lost(unknown *client.OutcomeUnknownError) *gateway.LostError {
	e := &gateway.LostError{
		OrderID: unknown.OrderID, Msg: unknown.Msg, Err: unknown,
		Hint: "what CCPayment's records say is the last word from " + unknown.ProvenAfter.Local().Format(time.RFC3339) + " on",
	}
	if unknown.Code != 0 {
		e.Code, e.Name = codeOf(unknown.Code)
		e.Body = ccanswer.Refusal(unknown.Code, unknown.Msg)
	}
	return e
}
