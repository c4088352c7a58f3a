package sandbox_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

func (w *world) invoice(id string) {
	w.t.Helper()
	w.ok("createInvoiceUrl", `{"orderId":"`+id+`","price":"10","priceFiatId":"1033"}`)
}

// tries are the offsets and results of the deliveries of a status, in order.
func (w *world) tries(status string) (list []string) {
	log := w.Deliveries()
	for i := len(log) - 1; i >= 0; i-- {
		if d := log[i]; d.Status == status {
			list = append(list, fmt.Sprintf("#%d %s %t", d.Attempt, time.Duration(d.Offset), d.OK))
		}
	}
	return list
}

func TestRetriesKeepTheSchedule(t *testing.T) {
	for speed, want := range map[uint][]string{
		1: {
			"#1 0s false", "#2 30s false", "#3 1m30s false", "#4 3m30s false", "#5 7m30s false",
			"#6 15m30s false", "#7 31m30s false",
		},
		10: {
			"#1 0s false", "#2 3s false", "#3 9s false", "#4 21s false", "#5 45s false",
			"#6 1m33s false", "#7 3m9s false",
		},
	} {
		w := start(t, func(o *sandbox.Options) { o.Speed = speed })
		w.receiver.answers(500, "Success")
		w.invoice("inv-1")
		record := w.pay(sandbox.Payment{OrderID: "inv-1"})
		w.Advance(2 * time.Hour)
		for _, status := range []string{"Processing", "Success"} {
			if got := w.tries(status); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("speed %d, %s: %v", speed, status, got)
			}
		}
		last := w.Deliveries()[0]
		if last.NextAt != nil || last.HTTPStatus != 500 || last.Answer != "Success" || last.Error == "" ||
			last.RecordID != record || last.OrderID != "inv-1" || last.Type != "ApiDeposit" {
			t.Errorf("%+v", last)
		}
		// Time passed in the sandbox only: every try was signed at wall time.
		for _, h := range w.receiver.got() {
			stamp := h.header.Get("Timestamp")
			var sent int64
			fmt.Sscan(stamp, &sent)
			if age := time.Since(time.Unix(sent, 0)).Abs(); age > time.Minute {
				t.Errorf("Timestamp %s away", age)
			}
			if h.header.Get("Sign") != sign(appID, secret, stamp, string(h.body)) {
				t.Error("a retry is not signed")
			}
		}
	}
}

func TestRetriesEndWithTheAcknowledgement(t *testing.T) {
	w := start(t)
	w.receiver.answers(200, "ok")
	w.invoice("inv-1")
	w.pay(sandbox.Payment{OrderID: "inv-1"})
	w.Advance(time.Minute)
	w.receiver.answers(202, "Success")
	w.Advance(time.Minute)
	w.receiver.answers(200, `{"msg":"Success"}`)
	w.Advance(24 * time.Hour)
	want := "[#1 0s false #2 30s false #3 1m30s false #4 3m30s true]"
	if got := fmt.Sprint(w.tries("Success")); got != want {
		t.Errorf("got %s", got)
	}
}

func TestNothingIsDueEarly(t *testing.T) {
	w := start(t)
	w.receiver.answers(500, "")
	w.invoice("inv-1")
	w.pay(sandbox.Payment{OrderID: "inv-1"})
	w.Advance(15 * time.Second)
	if got := w.tries("Success"); len(got) != 1 {
		t.Errorf("after 15 s: %v", got)
	}
	next := w.Deliveries()[0].NextAt
	if next == nil || next.Sub(w.Now()) > 16*time.Second {
		t.Errorf("the next try is at %v", next)
	}
}

func TestConfirmationTakesTime(t *testing.T) {
	w := start(t)
	w.invoice("inv-1")
	if _, err := w.Pay(t.Context(), sandbox.Payment{OrderID: "inv-1"}); err != nil {
		t.Fatal(err)
	}
	processtest.Until(t, "Processing", func() bool { return w.receiver.statuses() == "Processing" })
	w.ok("getInvoiceOrderInfo", `{"orderId":"inv-1"}`).Expect(t, map[string]string{
		"paidList.0.status": `"Processing"`, "totalPaidValue": `"0"`,
	})
	w.Advance(4 * time.Second)
	if got := w.receiver.statuses(); got != "Processing Success" {
		t.Errorf("got %s", got)
	}
}

func TestSuccessDoesNotWaitForRetries(t *testing.T) {
	w := start(t)
	w.invoice("inv-1")
	// The first try, Processing, is refused; Success arrives all the same.
	if err := w.SetFaults(sandbox.Fault{Endpoint: "webhook", HTTPStatus: 503}); err != nil {
		t.Fatal(err)
	}
	w.pay(sandbox.Payment{OrderID: "inv-1"})
	if got := w.receiver.statuses(); got != "Success" {
		t.Fatalf("got %s", got)
	}
	w.Advance(30 * time.Second)
	if got := w.receiver.statuses(); got != "Success Processing" {
		t.Errorf("got %s", got)
	}
}

func TestNotifyURLWins(t *testing.T) {
	w := start(t)
	own := &receiver{status: 200, answer: "Success"}
	own.server = httptest.NewServer(own)
	defer own.server.Close()
	notify := `"notifyUrl":"` + own.server.URL + `/shop/7"`
	w.ok("createInvoiceUrl", `{"orderId":"inv-1","price":"1","priceFiatId":1033,`+notify+`}`)
	w.pay(sandbox.Payment{OrderID: "inv-1"})
	address := w.ok("getOrCreateAppDepositAddress", `{"referenceId":"user-1","chain":"TRX",`+notify+`}`).Str("address")
	w.pay(sandbox.Payment{Address: address, Amount: dec("1")})
	if own.statuses() != "Processing Success Processing Success" || own.got()[0].path != "/shop/7" {
		t.Errorf("got %s", own.statuses())
	}
	if w.receiver.statuses() != "" {
		t.Error("the merchant's URL got it too")
	}
}

func TestWithoutAnyURL(t *testing.T) {
	w := start(t, func(o *sandbox.Options) { o.WebhookURL = "" })
	w.invoice("inv-1")
	w.pay(sandbox.Payment{OrderID: "inv-1"})
	d := w.Deliveries()[0]
	if d.OK || d.Error == "" || d.NextAt != nil {
		t.Errorf("%+v", d)
	}
	if err := w.SetWebhookURL(w.receiver.server.URL); err != nil {
		t.Fatal(err)
	}
	if err := w.SetWebhookURL("shop.example"); err == nil {
		t.Error("a webhook URL without a scheme was taken")
	}
	w.ok("webhook/resend", `{"startTimestamp":`+at(w, -time.Minute)+`}`).Expect(t, map[string]string{"resendCount": "1"})
	processtest.Until(t, "the resent webhook", func() bool { return w.receiver.statuses() == "Success" })
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	w := start(t)
	away := httptest.NewServer(http.RedirectHandler(w.receiver.server.URL, http.StatusTemporaryRedirect))
	defer away.Close()
	if err := w.SetWebhookURL(away.URL); err != nil {
		t.Fatal(err)
	}
	if d := w.Activate(t.Context()); d.HTTPStatus != http.StatusTemporaryRedirect || d.OK {
		t.Errorf("%+v", d)
	}
	if len(w.receiver.got()) != 0 {
		t.Error("the redirect was followed")
	}
}

func TestActivation(t *testing.T) {
	w := start(t)
	code, d := w.control("POST", "/sandbox/activate", ``)
	d.Expect(t, map[string]string{"ok": "true", "type": `"ActivateWebhookURL"`, "http_status": "200", "attempt": "1"})
	h := w.receiver.got()[0]
	if code != 200 || string(h.body) != `{"type":"ActivateWebhookURL","msg":{}}` ||
		h.header.Get("Sign") != sign(appID, secret, h.header.Get("Timestamp"), string(h.body)) {
		t.Errorf("%d %s", code, h.body)
	}
}

func TestResend(t *testing.T) {
	w := start(t)
	w.receiver.answers(500, "")
	w.invoice("inv-1")
	dead := w.pay(sandbox.Payment{OrderID: "inv-1", Amount: dec("1")})
	w.Advance(40 * time.Minute)
	w.receiver.answers(200, "Success")
	w.pay(sandbox.Payment{OrderID: "inv-1", Amount: dec("2")})
	before := len(w.receiver.got())

	count := func(body string, want int) {
		t.Helper()
		w.ok("webhook/resend", body).Expect(t, map[string]string{"resendCount": fmt.Sprint(want)})
	}
	window := `{"startTimestamp":` + at(w, -50*time.Minute)
	count(window+`,"transactionType":"UserDeposit"}`, 0)
	count(window+`}`, 1) // only what failed
	processtest.Until(t, "the resent webhook", func() bool { return len(w.receiver.got()) == before+1 })
	if h := w.receiver.got()[before]; h.Msg["recordId"] != dead || h.Msg["status"] != "Success" {
		t.Errorf("%s", h.body)
	}
	processtest.Until(t, "the log", func() bool { return len(w.Deliveries()) == before+1 })
	count(window+`}`, 0)
	count(window+`,"webhookResult":"AllResult","transactionType":"ApiDeposit"}`, 2)
	count(window+`,"webhookResult":"AllResult","recordIds":["`+dead+`"]}`, 1)
	count(`{"startTimestamp":`+at(w, -5*time.Hour)+`,"webhookResult":"AllResult"}`, 0)

	ids := `["1"`
	for range 50 {
		ids += `,"1"`
	}
	check(t, w, "webhook/resend", []rule{
		{"no start", `{}`, 11000, "startTimestamp"},
		{"51 ids", window + `,"recordIds":` + ids + `]}`, 11010, "at most 50"},
		{"over an hour", `{"startTimestamp":1700000000,"endTimestamp":1700003601}`, 11008, "one hour"},
		{"an hour", `{"startTimestamp":1700000000,"endTimestamp":1700003600}`, 10000, ""},
		{"end before start", `{"startTimestamp":1700000000,"endTimestamp":1699999999}`, 11000, "endTimestamp"},
		{"result", window + `,"webhookResult":"Some"}`, 11000, "webhookResult"},
		{"type", window + `,"transactionType":"Deposit"}`, 11000, "transactionType"},
	})
}

// A receiver that is slow with Processing must not hear of Success first.
func TestSuccessComesAfterTheFirstTryOfProcessing(t *testing.T) {
	w := start(t)
	w.receiver.blocked = make(chan struct{})
	w.invoice("inv-1")
	if _, err := w.Pay(t.Context(), sandbox.Payment{OrderID: "inv-1", Instant: true}); err != nil {
		t.Fatal(err)
	}
	processtest.Until(t, "Processing", func() bool { return w.receiver.statuses() == "Processing" })
	processtest.Until(t, "the credit", func() bool { return w.balance(1280) != "0" })
	w.Activate(t.Context())
	if got := w.receiver.statuses(); got != "Processing <nil>" {
		t.Errorf("while Processing is unanswered: %s", got)
	}
	close(w.receiver.blocked)
	processtest.Until(t, "Success", func() bool { return w.receiver.statuses() == "Processing <nil> Success" })
}
