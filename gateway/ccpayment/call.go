package ccpayment

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
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
	data, err := v.Client().Call(ctx, name, body)
	answer := answered(data, err)
	answer.About, answer.Makes = about, makes(name, body)
	return answer, explainCall(err)
}

// codeDone is CCPayment's code for success.
const codeDone = 10000

// answered returns CCPayment's answer to a call, which has status 200 also where it is a
// refusal; the zero value where CCPayment gave no code.
func answered(data json.RawMessage, err error) gateway.APIAnswer {
	var refused *client.Error
	code, msg, of := codeDone, "success", ""
	switch {
	case errors.As(err, &refused) && refused.Code != 0:
		code, msg, of = refused.Code, refused.Msg, client.CodeError(refused.Code).Error()
	case err != nil:
		return gateway.APIAnswer{}
	case len(data) == 0:
		data = json.RawMessage("null")
	}
	text := []byte(`{"code":` + strconv.Itoa(code) + `,"msg":` + string(gjson.AppendJSONString(nil, msg)))
	answer := gateway.APIAnswer{Status: http.StatusOK, ContentType: "application/json", Code: of}
	if err != nil {
		answer.Body = append(text, "}\n"...)
		return answer
	}
	text = append(text, `,"data":`...)
	answer.Body = slices.Concat(text, data, []byte("}\n")) // the data byte for byte
	answer.Data = answer.Body[len(text) : len(text)+len(data)]
	return answer
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
	return &gateway.LostError{
		OrderID: unknown.OrderID, Code: unknown.Code, Msg: unknown.Msg, Err: unknown,
		Hint: "what CCPayment's records say is the last word from " + unknown.ProvenAfter.Local().Format(time.RFC3339) + " on",
	}
}
