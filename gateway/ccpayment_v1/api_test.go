package ccpaymentv1

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/apiclient/apiclienttest"
)

// TestCall: what apps and people get of a call, by what came of it.
func TestCall(t *testing.T) {
	signedAs := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for _, field := range open(t, Config{}).Sign(time.Now(), []byte(body)) {
				w.Header().Set(field[0], field[1])
			}
			_, _ = w.Write([]byte(body))
		}
	}
	call := func(answer http.HandlerFunc, body string) (gateway.APIAnswer, error) {
		t.Helper()
		api := apiclienttest.NewAPI(t, answer)
		v := open(t, Config{AppID: ours.AppID, AppSecret: ours.AppSecret, BaseURL: api.URL})
		answered, err := v.Call(t.Context(), gateway.APICall{Method: "POST", Path: "/withdraw", Body: []byte(body)})
		if sent := len(api.Sent()); sent > 1 {
			t.Errorf("%s was sent %d times", body, sent)
		}
		return answered, err
	}
	const request = `{"merchant_order_id":"payout-1","value":"10"}`
	got, err := call(signedAs(`{"code":10000,"msg":"success","data":{"order_id":"7"}}`), request)
	if err != nil || got.Status != 200 || got.ContentType != "application/json" || got.About != "payout-1" || got.Refusal != nil ||
		string(got.Body) != `{"code":10000,"msg":"success","data":{"order_id":"7"}}`+"\n" || string(got.Data) != `{"order_id":"7"}` {
		t.Errorf("done: %+v %s, %v", got, got.Body, err)
	}
	got, err = call(signedAs(`{"code":224076,"msg":"the \"ip\"","data":null}`), request)
	if err != nil || got.Refusal == nil || got.Refusal.Code != "224076" ||
		!strings.HasPrefix(string(got.Body), `{"code":224076,"msg":"the \"ip\"`) || got.Status != 200 {
		t.Errorf("refused: %+v %s, %v", got, got.Body, err)
	}
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		code   string
	}{
		"lost":               {apiclienttest.Cut, ""},
		"a code of no table": {signedAs(`{"code":123456,"msg":"?","data":null}`), "123456"},
		"without data":       {signedAs(`{"code":10000,"msg":"success"}`), ""},
		"null for data":      {signedAs(`{"code":10000,"msg":"success","data":null}`), ""},
		"not signed":         {apiclienttest.Say(`{"code":10000,"msg":"success","data":{"order_id":"7"}}`), ""},
	} {
		got, err := call(test.answer, request)
		var lost *gateway.LostError
		if !errors.As(err, &lost) || !errors.Is(err, gateway.ErrOutcomeUnknown) || lost.OrderID != "payout-1" || lost.Code != test.code || len(got.Body) > 0 || got.Refusal != nil || got.About != "payout-1" {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	var field *gateway.FieldError
	if _, err := call(apiclienttest.Cut, `{"value":"10"}`); !errors.As(err, &field) || field.Field != "merchant_order_id" {
		t.Errorf("without an order: %v", err)
	}
	v := open(t, Config{AppID: ours.AppID, AppSecret: ours.AppSecret, BaseURL: "http://127.0.0.1:1"})
	if _, err := v.Call(t.Context(), gateway.APICall{Body: []byte(request)}); err == nil || errors.Is(err, gateway.ErrOutcomeUnknown) {
		t.Errorf("nobody listens: %v", err)
	}
	for path, want := range map[string]bool{"/withdraw": true, "/withdraw/": false, "//withdraw": false, "/Withdraw": false, "/withdraw%20": false, "/": false} {
		if _, ok := v.FindEndpoint("POST", path); ok != want {
			t.Errorf("%s is an endpoint: %v", path, ok)
		}
	}
	if _, ok := v.FindEndpoint("GET", "/withdraw"); ok {
		t.Error("GET withdraws")
	}
}
