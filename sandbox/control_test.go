package sandbox_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

func TestControlSaysWhatIsWrong(t *testing.T) {
	w := start(t)
	w.invoice("inv-1")
	eth := w.ok("getOrCreateAppDepositAddress", `{"referenceId":"user-1","chain":"ETH"}`).Str("address")
	for _, c := range [][3]string{
		{"/sandbox/pay", `{}`, "order_id or address"},
		{"/sandbox/pay", `{"order_id":"inv-1","address":"x"}`, "order_id or address"},
		{"/sandbox/pay", `{"order_id":"inv-9"}`, "inv-9"},
		{"/sandbox/pay", `{"order_id":7}`, "order_id"},
		{"/sandbox/pay", `{"address":"T999"}`, "T999"},
		{"/sandbox/pay", `{"order_id":"inv-1","amount":true}`, "amount"},
		{"/sandbox/pay", `{"order_id":"inv-1","amount":"-5"}`, "amount"},
		{"/sandbox/pay", `{"order_id":"inv-1","amount":"0"}`, "amount"},
		{"/sandbox/pay", `{"order_id":"inv-1","amount":"0.0000001"}`, "6 decimals"},
		{"/sandbox/pay", `{"order_id":"inv-1","coin":"GOLD"}`, "GOLD"},
		{"/sandbox/pay", `{"order_id":"inv-1","coin":"SHIB"}`, "1864, 2964"},
		{"/sandbox/pay", `{"order_id":"inv-1","coin":true}`, "coin"},
		{"/sandbox/pay", `{"order_id":"inv-1","coin":"USDT","chain":"BTC"}`, "BTC"},
		{"/sandbox/pay", `{"order_id":"inv-1","chain":"MARS"}`, "MARS"},
		{"/sandbox/pay", `{"order_id":"inv-1","status":"Succeeded"}`, "status"},
		{"/sandbox/pay", `{"order_id":"inv-1","wait":"soon"}`, "wait"},
		{"/sandbox/pay", `{"order_id":"inv-1","wait":"-1s"}`, "wait"},
		{"/sandbox/pay", `{"order_id":"inv-1","risky":"yes"}`, "risky"},
		{"/sandbox/pay", `{"order_id":"inv-1","colour":"red"}`, "colour"},
		{"/sandbox/pay", `{"order_id":"inv-1"} {}`, "more than one"},
		{"/sandbox/pay", `pay`, "JSON"},
		{"/sandbox/pay", `{"address":"` + eth + `"}`, "amount"},
		{"/sandbox/pay", `{"address":"` + eth + `","amount":"1","coin":"TRX"}`, "cannot reach"},
		{"/sandbox/pay", `{"address":"` + eth + `","amount":"1","late":true}`, "late"},
		{"/sandbox/advance", `{}`, "seconds"},
		{"/sandbox/advance", `{"seconds":-5}`, "seconds"},
		{"/sandbox/advance", `{"seconds":99999999999}`, "seconds"},
		{"/sandbox/reset", `{"all":true}`, "all"},
		{"/sandbox/activate", `{"url":"x"}`, "url"},
		{"/sandbox/risk", `{"record_id":"1"}`, "risky"},
		{"/sandbox/risk", `{"record_id":"1","risky":true}`, "record_id"},
		{"/sandbox/price", `{"usd":"1"}`, "coin"},
		{"/sandbox/price", `{"coin":"SHIB","usd":"1"}`, "by its id"},
		{"/sandbox/price", `{"coin":"TRX","usd":"0"}`, "usd"},
		{"/sandbox/credit", `{"coin":"TRX"}`, "amount"},
		{"/sandbox/credit", `{"coin":"GOLD","amount":"1"}`, "GOLD"},
	} {
		code, answer := w.control("POST", c[0], c[1])
		if code != http.StatusBadRequest || !strings.Contains(answer.Str("error"), c[2]) {
			t.Errorf("%s %s: %d %q, want %q in it", c[0], c[1], code, answer.Str("error"), c[2])
		}
	}
	if len(w.Deliveries()) != 0 {
		t.Error("a refused payment was made")
	}
	if code, _ := w.control("GET", "/sandbox/deliveries?order=inv-1", ""); code != http.StatusBadRequest {
		t.Errorf("an unknown filter: %d", code)
	}
	for _, c := range [][3]string{{"GET", "/sandbox/pay", "use POST"}, {"POST", "/sandbox/deliveries", "use GET"}} {
		if code, answer := w.control(c[0], c[1], ""); code != http.StatusMethodNotAllowed || !strings.Contains(answer.Str("error"), c[2]) {
			t.Errorf("%s %s: %d %q", c[0], c[1], code, answer.Str("error"))
		}
	}
	if code, answer := w.control("POST", "/sandbox/mint", ""); code != http.StatusNotFound || !strings.Contains(answer.Str("error"), "no control call") {
		t.Errorf("an unknown call: %d %q", code, answer.Str("error"))
	}
}

func TestControlActs(t *testing.T) {
	w := start(t, func(o *sandbox.Options) { o.Speed = 1000 })
	w.invoice("inv-1")
	w.invoice("inv-2")
	w.control("POST", "/sandbox/price", `{"coin":1482,"usd":"0.5"}`)
	_, paid := w.control("POST", "/sandbox/pay", `{"order_id":"inv-1","coin":1482,"wait":true}`)
	w.ok("getInvoiceOrderInfo", `{"orderId":"inv-1"}`).Expect(t, map[string]string{
		"paidList.0.paidAmount": `"20"`, "paidList.0.coinSymbol": `"TRX"`, "paidList.0.paidValue": `"10"`,
	})
	paid.Expect(t, map[string]string{
		"deliveries.0.status": `"Success"`, "deliveries.0.ok": "true", "deliveries.1.status": `"Processing"`,
		"deliveries.1.offset_seconds": "0", "deliveries.1.order_id": `"inv-1"`,
	})
	w.control("POST", "/sandbox/pay", `{"order_id":"inv-2","wait":"10s","status":"failed"}`)
	for filter, want := range map[string]int{
		"": 4, "?order_id=inv-2": 2, "?record_id=" + paid.Str("record_id"): 2, "?type=ApiDeposit": 4,
		"?type=UserDeposit": 0, "?order_id=inv-2&type=ApiDeposit": 2,
	} {
		if _, list := w.control("GET", "/sandbox/deliveries"+filter, ""); list.Len("deliveries") != want {
			t.Errorf("deliveries%s: %d, want %d", filter, list.Len("deliveries"), want)
		}
	}
	w.control("POST", "/sandbox/credit", `{"coin":"TRX","amount":"5.5"}`)
	w.control("POST", "/sandbox/credit", `{"coin":"TRX","amount":"1","user_id":"user-1"}`)
	if w.balance(1482) != "25.4" || w.Balance("user-1", 1482).String() != "1" {
		t.Errorf("balances %s and %s", w.balance(1482), w.Balance("user-1", 1482))
	}
	before := w.Now()
	w.control("POST", "/sandbox/advance", `{"seconds":86400}`)
	if ahead := w.Now().Sub(before); ahead < 24*time.Hour || ahead > 25*time.Hour {
		t.Errorf("advanced by %s", ahead)
	}
	w.fault(`{"endpoint":"*","code":11002,"times":-1}`)
	w.control("POST", "/sandbox/reset", "")
	if time.Since(w.Now()).Abs() > time.Hour || len(w.Deliveries()) != 0 || w.balance(1482) != "0" {
		t.Error("a reset forgot too little")
	}
	check(t, w, "getInvoiceOrderInfo", []rule{{"after a reset", `{"orderId":"inv-1"}`, 11003, ""}})
	w.invoice("inv-1")
}

// A page elsewhere that a developer visits must not drive the sandbox.
func TestControlIsNotForOtherPages(t *testing.T) {
	w := start(t, func(o *sandbox.Options) { o.PublicURL = "https://pay.shop.example" })
	for name, c := range map[string]struct {
		host   string
		header http.Header
		want   int
	}{
		"a command":         {"127.0.0.1:9580", nil, 200},
		"localhost":         {"localhost:9580", nil, 200},
		"IPv6":              {"[::1]:9580", nil, 200},
		"the public host":   {"pay.shop.example", nil, 200},
		"its own page":      {"127.0.0.1:9580", http.Header{"Sec-Fetch-Site": {"same-origin"}}, 200},
		"another page":      {"127.0.0.1:9580", http.Header{"Sec-Fetch-Site": {"cross-site"}}, 403},
		"another origin":    {"127.0.0.1:9580", http.Header{"Origin": {"https://evil.example"}}, 403},
		"another port":      {"127.0.0.1:9580", http.Header{"Origin": {"http://127.0.0.1:3000"}}, 403},
		"no origin to name": {"127.0.0.1:9580", http.Header{"Origin": {"null"}}, 403},
		"a rebound name":    {"evil.example", nil, 403},
		"nearly localhost":  {"localhost.evil.example", nil, 403},
	} {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/sandbox/reset", nil)
		req.Host = c.host
		req.Header = c.header.Clone()
		answer := httptest.NewRecorder()
		w.ServeHTTP(answer, req)
		if answer.Code != c.want {
			t.Errorf("%s: HTTP %d %s", name, answer.Code, answer.Body)
		}
	}
}

func TestOverviewAndPublicURL(t *testing.T) {
	w := start(t, func(o *sandbox.Options) { o.PublicURL = "https://pay.shop.example/" })
	code, overview := w.control("GET", "/", "")
	if code != 200 || overview.Str("name") != "CCPayment sandbox" {
		t.Errorf("%d", code)
	}
	url := w.ok("createInvoiceUrl", `{"orderId":"inv-1","price":"1","priceFiatId":1033}`).Str("invoiceUrl")
	if !strings.HasPrefix(url, "https://pay.shop.example/i/") {
		t.Error(url)
	}
	for _, wrong := range []sandbox.Options{
		{PublicURL: "pay.shop.example"}, {WebhookURL: "/hook"}, {Speed: 2_000_000},
	} {
		if s, err := sandbox.New(wrong); err == nil {
			s.Close()
			t.Errorf("%+v was taken", wrong)
		}
	}
}

// Amounts are numbers or texts, and statuses are spelt as in the API or in
// lower case; the webhook's URL can be changed on the way.
func TestControlIsLenientWhereItIsClear(t *testing.T) {
	w := start(t)
	w.control("POST", "/sandbox/credit", `{"coin":"TRX","amount":5}`)
	w.control("POST", "/sandbox/price", `{"coin":"BTC","usd":100000}`)
	w.control("POST", "/sandbox/webhook", `{"url":""}`)
	w.ok("createInvoiceUrl", `{"orderId":"inv-1","price":"5","priceFiatId":"1033"}`)
	w.control("POST", "/sandbox/pay", `{"order_id":"inv-1","amount":1.5,"status":"Success"}`)
	w.ok("getAppCoinAsset", `{"coinId":1482}`).Expect(t, map[string]string{"asset.available": `"5"`})
	if log := w.Deliveries(); len(log) > 0 && log[0].URL != "" {
		t.Errorf("without a URL it was sent to %q", log[0].URL)
	}
}
