package ccpayment

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/apiclient/apiclienttest"
)

// TestCallOfABatch: the log says which batch a call is about, and a batch is not asked for
// with a URL that CCPayment does not take.
func TestCallOfABatch(t *testing.T) {
	api := apiclienttest.NewAPI(t, apiclienttest.Say(`{"code":10000,"msg":"success","data":{}}`))
	v, err := New(Config{AppID: "app-1", AppSecret: "secret", BaseURL: api.URL}, gateway.OpenOptions{Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	const body = `{"batchOrderId":"wages-1","orders":[{"orderId":"1"}]}`
	for _, name := range []string{"applyBatchWithdraw", "appendBatchWithdraw", "confirmBatchWithdraw", "abortBatchWithdraw"} {
		if answer, err := v.Call(t.Context(), gateway.APICall{Method: "POST", Path: "/" + name, Body: []byte(body)}); err != nil || answer.About != "wages-1" {
			t.Errorf("%s: about %q, %v", name, answer.About, err)
		}
	}
	for length, isTaken := range map[int]bool{120: true, 121: false} {
		before := len(api.Sent())
		hook := "https://shop.example/" + strings.Repeat("h", length-len("https://shop.example/"))
		answer, err := v.Call(t.Context(), gateway.APICall{Method: "POST", Path: "/applyBatchWithdraw", Body: []byte(body), NotifyURL: hook})
		sent := api.Sent()[before:]
		var wrong *gateway.FieldError
		switch {
		case answer.About != "wages-1":
			t.Errorf("%d characters: about %q", length, answer.About)
		case isTaken && (err != nil || len(sent) != 1 || gjson.GetBytes(sent[0].Body, "notifyUrl").Str != hook):
			t.Errorf("%d characters: sent %+v, %v", length, sent, err)
		case !isTaken && (!errors.As(err, &wrong) || !strings.Contains(err.Error(), "webhook_url has 121 characters") || len(sent) > 0):
			t.Errorf("%d characters: sent %+v, %v", length, sent, err)
		}
	}
}
