package ccpayment_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

const v1APISite = `http://:$PORT {
	bind 127.0.0.1
	handle_path /v1/* {
		ccpayment_api {
			account old
			$WEBHOOK
		}
	}
}`

// v1API is a Caddy whose apps withdraw through it by the V1 of a sandbox that has 100 USDT.
type v1API struct {
	*server
	box   *sandbox.Sandbox
	calls atomic.Int32 // that reached the sandbox
}

func startV1API(t *testing.T, options string) *v1API {
	t.Helper()
	box, err := sandbox.New(sandbox.Options{AppID: appID, AppSecret: secret})
	if err != nil {
		t.Fatal(err)
	}
	a := &v1API{box: box}
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.calls.Add(1)
		box.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		box.Close()
		api.Close()
	})
	if err := box.Credit(appID, 1280, decimal.NewFromInt(100)); err != nil {
		t.Fatal(err)
	}
	a.server = start(t, setup{
		account: "account old {\n gateway ccpayment_v1 {\n app_id " + appID + "\n app_secret " + secret + "\n base_url " + api.URL + "/ccpayment/v1\n }\n }",
		webhook: options, site: v1APISite,
	})
	return a
}

// post makes a call of an app's and returns the answer.
func (a *v1API) post(path, body string) (int, string) {
	a.t.Helper()
	response, err := a.client.Post("http://"+a.addr+"/v1/"+path, "application/json", strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func v1Payout(id, value string) string {
	return `{"merchant_order_id":"` + id + `","token_id":"` + sandbox.TokenID("USDT", "TRX") + `","address":"TAkmn3f8bgwMAwdVrGfUVSRg4W2XwqgHGc","value":"` + value + `"}`
}

// TestV1API: an app withdraws by V1 where the operator allows it. Of a withdrawal whose
// answer is lost it learns that the outcome is unknown, and there is no second one.
func TestV1API(t *testing.T) {
	a := startV1API(t, "allow withdraw")
	holds := func(want int64, calls int32) {
		t.Helper()
		if got := a.box.Balance(appID, 1280); !got.Equal(decimal.NewFromInt(want)) || a.calls.Load() != calls {
			t.Errorf("the merchant has %s after %d calls, want %d after %d", got, a.calls.Load(), want, calls)
		}
	}
	if status, answer := a.post("withdraw", v1Payout("p-1", "10")); status != 200 || !strings.Contains(answer, `{"code":10000,"msg":"success","data":{"`) || !strings.Contains(answer, `"record_id":"`) {
		t.Errorf("%d %s", status, answer)
	}
	holds(90, 1)
	if err := a.box.SetFaults(sandbox.Fault{Endpoint: "v1/withdraw", Drop: "after"}); err != nil {
		t.Fatal(err)
	}
	if status, answer := a.post("withdraw", v1Payout("p-2", "20")); status != 504 || !strings.Contains(answer, `"orderId":"p-2"`) ||
		!strings.Contains(answer, "wait for the webhook API Withdrawal, or look in CCPayment's console") {
		t.Errorf("a lost answer: %d %s", status, answer)
	}
	holds(70, 2)
	if status, answer := a.post("withdraw", v1Payout("p-2", "20")); status != 504 || !strings.Contains(answer, `"code":11011`) {
		t.Errorf("again: %d %s", status, answer)
	}
	if status, answer := a.post("withdraw", v1Payout("p-3", "80")); status != 504 || !strings.Contains(answer, `"code":14000`) || !strings.Contains(answer, "the balance is 70") {
		t.Errorf("more than there is: %d %s", status, answer)
	}
	holds(70, 4)
	for body, want := range map[string]int{
		v1Payout("", "1"): 400, `{"merchant_order_id":"p-4","merchant_order_id":"p-5"}`: 400, `[1]`: 400,
	} {
		if status, answer := a.post("withdraw", body); status != want {
			t.Errorf("%s: %d %s", body, status, answer)
		}
	}
	for _, path := range []string{"checkout", "orders/1", "assets", "withdraw/", "Withdraw", "withdraw%2f"} {
		if status, answer := a.post(path, `{"order_id":"1","price":"1","currency":"USD"}`); status != 404 {
			t.Errorf("%s: %d %s", path, status, answer)
		}
	}
	holds(70, 4)
	if strings.Contains(a.logs(), secret) {
		t.Error("the log has the secret")
	}
}
