package ccpaymentv1

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/tidwall/gjson"
	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	v1 "github.com/seed-338f6760/caddy-ccpayment/client/v1"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/ccanswer"
	"github.com/seed-338f6760/caddy-ccpayment/internal/strictjson"
)

// withdraw is the one endpoint.
var withdraw = gateway.Endpoint{Name: v1.Withdraw, Method: http.MethodPost, Group: gateway.GroupWithdraw}

// Endpoints implements [gateway.API].
func (v *V1) Endpoints() []gateway.Endpoint { return []gateway.Endpoint{withdraw} }

// FindEndpoint implements [gateway.API]: the path is the endpoint's name.
func (v *V1) FindEndpoint(method, path string) (gateway.Endpoint, bool) {
	return withdraw, method == withdraw.Method && path == "/"+withdraw.Name
}

// Call implements [gateway.API].
func (v *V1) Call(ctx context.Context, c gateway.APICall) (gateway.APIAnswer, error) {
	answer := gateway.APIAnswer{About: strictjson.Text(gjson.GetBytes(c.Body, "merchant_order_id"))}
	data, err := v.Client().Call(ctx, v1.Withdraw, c.Body)
	var argument *client.ArgumentError
	var unknown *client.OutcomeUnknownError
	var refused *client.Error
	switch {
	case err == nil:
		answer.Status, answer.ContentType = http.StatusOK, "application/json"
		answer.Body, answer.Data = ccanswer.Success(data)
		return answer, nil
	case errors.As(err, &argument):
		return answer, &gateway.FieldError{Field: argument.Field, Problem: argument.Problem}
	case errors.As(err, &unknown):
		if errors.Is(err, v1.ErrAnswerSignature) && v.options.Logger != nil {
			v.options.Logger.Error("an answer is not CCPayment's: see base_url, and what stands between it and this machine",
				zap.String("account", v.options.Account), zap.String("merchant_order_id", unknown.OrderID))
		}
		return answer, &gateway.LostError{
			OrderID: unknown.OrderID, Code: codeOf(unknown.Code), Msg: unknown.Msg, Err: unknown,
			Hint: "wait for the webhook API Withdrawal, or look in CCPayment's console, and make it again under no other merchant_order_id before", NoCall: true,
		}
	case errors.As(err, &refused) && refused.Code != 0:
		answer.Status, answer.ContentType = http.StatusOK, "application/json"
		answer.Body = ccanswer.Refusal(refused.Code, refused.Msg)
		answer.Refusal = &gateway.RefusedError{Code: codeOf(refused.Code), Hint: refused.Hint(), Err: err}
		return answer, nil
	default:
		return answer, err
	}
}

// codeOf is a code of CCPayment's; 0: there is none.
func codeOf(code int) string {
	if code == 0 {
		return ""
	}
	return strconv.Itoa(code)
}
