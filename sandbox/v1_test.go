package sandbox_test

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// v1Call is a signed call of V1's withdrawal.
func (w *world) v1Call(body string) *http.Request {
	timestamp := strconv.FormatInt(time.Now().Unix(), 10)
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.url+"/ccpayment/v1/withdraw", strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Appid", appID)
	req.Header.Set("Timestamp", timestamp)
	req.Header.Set("Sign", sandbox.SignV1(appID, secret, timestamp, []byte(body)))
	return req
}

func TestSignV1MatchesKnownVector(t *testing.T) {
	const want = "3a163ced0372fa1a4ddf8c94a003363d94287065499c201e9b643ffd6b68a8b6"
	if got := sandbox.SignV1("aid", "sec", "1700000000", []byte(`{"a":1}`)); got != want {
		t.Errorf("signed as %s", got)
	}
}

// Every answer of V1 is signed, whatever it says.
func TestV1AnswersAreSigned(t *testing.T) {
	w := start(t)
	wrong := w.v1Call(`{}`)
	wrong.Header.Set("Sign", "x")
	for _, req := range []*http.Request{w.v1Call(`{}`), w.v1Call(`[`), wrong} {
		resp, err := w.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		h := resp.Header
		if err != nil || h.Get("Appid") != appID || h.Get("Sign") != sandbox.SignV1(appID, secret, h.Get("Timestamp"), body) {
			t.Errorf("%s has %v, %v", body, h, err)
		}
	}
}

// What V1's withdrawal refuses moves no money, and what it takes moves it once.
func TestV1Withdrawal(t *testing.T) {
	w := start(t)
	w.gives(appID, 1280, "100")
	token := sandbox.TokenID("USDT", "TRX")
	good := `{"token_id":"` + token + `","address":"TAkmn3f8bgwMAwdVrGfUVSRg4W2XwqgHGc","merchant_order_id":"p-1","value":"10","merchant_pays_fee":true}`
	with := func(old, text string) string { return strings.Replace(good, old, text, 1) }
	for name, test := range map[string]struct {
		body string
		code int
	}{
		"no token":              {with(token, ""), 11000},
		"another token":         {with(token, "fdf0e8b0-ebf5-44f0-a335-21c121b73fc8"), 13000},
		"no address":            {with("TAkmn3f8bgwMAwdVrGfUVSRg4W2XwqgHGc", ""), 11000},
		"an address elsewhere":  {with("TAkmn3f8bgwMAwdVrGfUVSRg4W2XwqgHGc", "rwyQp3eC5j6AumcptZhfmiXAykpeswZKeJ"), 14007},
		"no order":              {with(`"p-1"`, `null`), 11000},
		"no value":              {with(`"10"`, `"0"`), 11000},
		"more than there is":    {with(`"10"`, `"101"`), 14000},
		"a memo without a need": {with(`"value"`, `"memo":573049,"value"`), 14009},
		"a key twice":           {with(`"value"`, `"value":"1","value"`), 11000},
	} {
		if got := w.do(w.v1Call(test.body)); got.Code != test.code {
			t.Errorf("%s: %d %s, want %d", name, got.Code, got.Msg, test.code)
		}
	}
	unsigned := w.v1Call(good)
	unsigned.Header.Set("Sign", sandbox.Sign(appID, secret, unsigned.Header.Get("Timestamp"), []byte(good)))
	if got := w.do(unsigned); got.Code != 11005 {
		t.Errorf("signed as V2's: %d %s", got.Code, got.Msg)
	}
	w.holds(appID, 1280, "100")
	if got := w.do(w.v1Call(good)); got.Code != 10000 || !strings.Contains(string(got.Data), `"net_receivable":"10"`) {
		t.Errorf("%d %s %s", got.Code, got.Msg, got.Data)
	}
	left := w.balance(1280)
	if got := w.do(w.v1Call(good)); got.Code != 11011 || w.balance(1280) != left || left == "100" {
		t.Errorf("a second time: %d %s, and the balance is %s after %s", got.Code, got.Msg, w.balance(1280), left)
	}
}

// The ids of tokens are listed, and webhooks of V1 go where the control call says.
func TestV1Control(t *testing.T) {
	w := start(t)
	w.receiver.answers(200, "success")
	hook := `{"url":"` + w.receiver.server.URL + `/v1","body":{"order_type":"New", "x":[1]}}`
	send := func(body string) string {
		_, got := w.control("POST", "/sandbox/v1/webhook", body)
		return got.Text("error")
	}
	if got := send(hook); got != "null" {
		t.Error(got)
	}
	got := w.receiver.got()
	if len(got) != 1 || string(got[0].body) != `{"order_type":"New", "x":[1]}` ||
		got[0].header.Get("Sign") != sandbox.SignV1(appID, secret, got[0].header.Get("Timestamp"), got[0].body) {
		t.Errorf("sent %+v", got)
	}
	w.receiver.answers(200, "Success")
	if got := send(hook); !strings.Contains(got, "needed is HTTP 200 with") {
		t.Errorf("V2's word: %s", got)
	}
	for body, want := range map[string]string{
		`{}`: "url: pass", `{"url":"http://localhost:1","order_type":"x"}`: "order_type: must be",
		`{"url":"http://localhost:1","order_type":"Refund","body":{}}`: "the body has its own",
	} {
		if got := send(body); !strings.Contains(got, want) {
			t.Errorf("%s: %s", body, got)
		}
	}
	if sandbox.TokenID("USDT", "nowhere") != "" {
		t.Error("a token on a chain that is not there")
	}
}
