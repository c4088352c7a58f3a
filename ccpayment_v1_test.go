package ccpayment_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	v1 "github.com/seed-338f6760/caddy-ccpayment/client/v1"
	"github.com/seed-338f6760/caddy-ccpayment/internal/apiclient/apiclienttest"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// v1Site has a route of the account at V2, and one of an account at V1 whose app id and
// secret are the same.
const v1Site = `http://:$PORT {
	bind 127.0.0.1
	ccpayment_webhook /hook {
		confirm off
	}
	ccpayment_webhook /old-hook {
		account old
		route old
		$WEBHOOK
	}
	reverse_proxy $APP
}`

func v1Setup(account, webhook string) setup {
	return setup{
		account: "account old {\n gateway ccpayment_v1 {\n app_id " + appID + "\n app_secret " + secret + "\n }\n" + account + "\n }",
		webhook: webhook, site: v1Site, confirm: true,
	}
}

func v1Deposit(record, order string) string {
	return `{"record_id":"` + record + `","order_id":"2023","extend":{"merchant_order_id":"` + order + `"},"order_type":"API Deposit","pay_status":"success","paid_amount":"49.9"}`
}

var v1Credentials = client.Credentials{AppID: appID, AppSecret: secret}

// v1Delivery is a webhook that is signed as V1 signs.
func v1Delivery(body string) delivery {
	timestamp := unix(0)
	return delivery{path: "/old-hook", timestamp: timestamp, body: body, header: http.Header{"Sign": {v1.Sign(v1Credentials, timestamp, []byte(body))}}}
}

// old delivers a webhook to the route of V1 and fails the test unless it is answered so.
func (s *server) old(d delivery, status int) {
	s.t.Helper()
	d.path = "/old-hook"
	reply := s.deliver(d)
	if reply.status != status {
		s.t.Fatalf("answer %d %q, want %d", reply.status, reply.body, status)
	}
	if isOK := reply.body == "success"; isOK != (status == http.StatusOK) || reply.header.Get("Content-Type") != "text/plain; charset=utf-8" {
		s.t.Errorf("answer %d has the body %q, %s", status, reply.body, reply.header.Get("Content-Type"))
	}
}

// TestV1BesideV2: accounts at V1 and V2 live in one configuration, and though they have one
// app id and one secret, the webhooks of one never verify on the other's route.
func TestV1BesideV2(t *testing.T) {
	s := start(t, v1Setup("", ""))
	s.old(v1Delivery(v1Deposit("r1", "order-1")), 200)
	s.deliver(delivery{}).wants(t, 200)
	calls := s.gets(2)
	calls[0].says(t, map[string]string{"Ccpayment-Gateway": "ccpayment_v1", "Ccpayment-Type": "API Deposit"})
	calls[1].says(t, map[string]string{"Ccpayment-Gateway": "ccpayment", "Ccpayment-Type": "ApiDeposit"})

	for _, body := range []string{v1Deposit("r2", "order-1"), deposit("r2", "Success")} {
		wrong := v1Delivery(body)
		wrong.path = "/hook"
		s.deliver(wrong).wants(t, 401)
		s.old(delivery{body: body}, 401)
	}
	s.old(v1Delivery(deposit("r2", "Success")), 400) // V2's body, as V1 would sign it
	s.app.wants(t, 2)
	if n := strings.Count(s.logs(), "V1 API is deprecated"); n != 1 {
		t.Errorf("the log warns %d times", n)
	}
}

// TestV1NoFlag: what V1 says is delivered once, by its kind, and carries no flag: nothing
// has confirmed it.
func TestV1NoFlag(t *testing.T) {
	s := start(t, v1Setup("order_prefix shop-", ""))
	for i, test := range []struct {
		body string
		want map[string]string
	}{
		{v1Deposit("r1", "shop-order-1"), map[string]string{"Kind": "payment", "Type": "API Deposit", "Status": "success", "Record-Id": "r1", "Order-Id": "order-1", "Reference-Id": "2023", "Risky": "unknown"}},
		// An id that could be one of ours, of a second checkout: nobody can be asked.
		{v1Deposit("r2", "shop-order-1-abcdefghij"), map[string]string{"Kind": "payment", "Record-Id": "r2", "Order-Id": "order-1-abcdefghij"}},
		{`{"order_type":"API Withdrawal","pay_status":"success","record_id":"r1","order_id":"7","extend":{"merchant_order_id":"shop-payout-1"}}`, map[string]string{"Kind": "payout", "Type": "API Withdrawal", "Order-Id": "payout-1"}},
		{`{"order_type":"Refund","pay_status":"success","record_id":"r1"}`, map[string]string{"Kind": "other", "Type": "Refund"}},
		{`{"order_type":"Something New","record_id":"r1"}`, map[string]string{"Kind": "other", "Type": "Something New", "Status": ""}},
	} {
		s.old(v1Delivery(test.body), 200)
		s.old(v1Delivery(test.body), 200) // a copy
		call := s.gets(i + 1)[i]
		for name, value := range test.want {
			call.says(t, map[string]string{"Ccpayment-" + name: value})
		}
		if call.body != test.body {
			t.Errorf("the app got %s", call.body)
		}
		for _, flag := range []string{"Fulfill", "Credit", "Payout", "Confirmed", "Order-State"} {
			if _, has := call.header["Ccpayment-"+flag]; has {
				t.Errorf("%s carries Ccpayment-%s", test.body, flag)
			}
		}
	}
}

// TestV1Forged: what CCPayment did not sign is refused, and so is what was signed long ago,
// because nobody can be asked whether it is true.
func TestV1Forged(t *testing.T) {
	s := start(t, v1Setup("", ""))
	body := v1Deposit("r1", "order-1")
	right := v1Delivery(body)
	sign := right.header.Get("Sign")
	lengthened := func(suffix string) delivery {
		behind, forged := apiclienttest.Extend(t, sign, len(appID+secret+right.timestamp+body), []byte(suffix))
		if forged != v1.Sign(v1Credentials, right.timestamp, append([]byte(body), behind...)) {
			t.Fatal("it was not lengthened: the test tries nothing")
		}
		return delivery{timestamp: right.timestamp, body: body + string(behind), header: http.Header{"Sign": {forged}}}
	}
	with := func(name string, values ...string) delivery {
		return delivery{timestamp: right.timestamp, body: body, header: http.Header{"Sign": {sign}, name: values}}
	}
	signedAt := func(timestamp, body string) delivery {
		return delivery{timestamp: timestamp, body: body, header: http.Header{"Sign": {v1.Sign(v1Credentials, timestamp, []byte(body))}}}
	}
	moved := signedAt(right.timestamp, body)
	moved.timestamp, moved.body = right.timestamp+body[:1], body[1:]
	for name, test := range map[string]struct {
		delivery delivery
		status   int
	}{
		"no Appid":           {with("Appid"), 400},
		"two Appids":         {with("Appid", appID, appID), 400},
		"another Appid":      {with("Appid", "app-124"), 401},
		"no Timestamp":       {with("Timestamp"), 400},
		"two Timestamps":     {with("Timestamp", right.timestamp, right.timestamp), 400},
		"another time":       {with("Timestamp", unix(-time.Minute)), 401},
		"no Sign":            {with("Sign"), 400},
		"an empty Sign":      {with("Sign", ""), 400},
		"two Signs":          {with("Sign", sign, "x"), 400},
		"two, the other way": {with("Sign", "x", sign), 400},
		"in capitals":        {with("Sign", strings.ToUpper(sign)), 401},
		"another body":       {delivery{timestamp: right.timestamp, body: v1Deposit("r2", "order-1"), header: right.header}, 401},
		"the body moved":     {moved, 400},
		"lengthened":         {lengthened(v1Deposit("r2", "order-2")), 401},
		"lengthened by none": {lengthened(""), 401},
		"lengthened by keys": {lengthened(`,"order_type":"API Deposit","record_id":"r2"}`), 401},
		"an answer":          {signedAt(right.timestamp, `{"code":10000,"msg":"success","data":{"order_id":"1"}}`), 400},
		"a call":             {signedAt(right.timestamp, `{"token_id":"t","address":"a","merchant_order_id":"m","value":"1"}`), 400},
		"a key twice":        {signedAt(right.timestamp, strings.Replace(body, `"record_id"`, `"record_id":"r2","record_id"`, 1)), 400},
		"a list":             {signedAt(right.timestamp, "["+body+"]"), 401},
		"long ago":           {signedAt(unix(-6*time.Minute), body), 401},
		"of tomorrow":        {signedAt(unix(24*time.Hour), body), 401},
	} {
		t.Run(name, func(t *testing.T) { s.old(test.delivery, test.status) })
	}
	s.app.wants(t, 0)
	if logs := s.logs(); strings.Contains(logs, sign) || strings.Contains(logs, secret) {
		t.Error("the log has a signature or a secret")
	}
	s.old(right, 200) // and the right one is
	s.gets(1)
}

// TestV1Signed: an app that verifies V1's signature by itself goes on doing so, and says
// yes with V1's word.
func TestV1Signed(t *testing.T) {
	s := start(t, v1Setup("", "sign ccpayment_v1"))
	s.app.answers(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("success")) })
	s.old(v1Delivery(v1Deposit("r1", "order-1")), 200)
	call := s.gets(1)[0]
	if got, want := call.header.Get("Sign"), v1.Sign(v1Credentials, call.header.Get("Timestamp"), []byte(call.body)); got != want || call.header.Get("Appid") != appID {
		t.Errorf("the app got %v", call.header)
	}
	s.app.answers(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("no")) })
	s.old(v1Delivery(v1Deposit("r2", "order-1")), 502)
}

// TestV1Sandbox: the webhooks that the sandbox has of V1 are taken as V1's.
func TestV1Sandbox(t *testing.T) {
	s := start(t, v1Setup("", ""))
	box, err := sandbox.New(sandbox.Options{AppID: appID, AppSecret: secret})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(box)
	t.Cleanup(func() {
		box.Close()
		server.Close()
	})
	for _, typ := range []string{"API Deposit", "API Withdrawal", "Refund"} {
		request := strings.NewReader(`{"url":"http://` + s.addr + `/old-hook","order_type":"` + typ + `"}`)
		response, err := s.client.Post(server.URL+"/sandbox/v1/webhook", "application/json", request)
		if err != nil {
			t.Fatal(err)
		}
		if reply, err := readReply(response); err != nil || reply.status != 200 || !strings.Contains(reply.body, `"ok":true`) {
			t.Errorf("%s: %+v, %v", typ, reply, err)
		}
	}
	calls := s.gets(3)
	calls[0].says(t, map[string]string{"Ccpayment-Type": "API Deposit", "Ccpayment-Order-Id": "order-1"})
	calls[1].says(t, map[string]string{"Ccpayment-Type": "API Withdrawal", "Ccpayment-Order-Id": "payout-1", "Ccpayment-Payout": ""})
}

// TestV1Mistakes: an account at V1 that cannot work, and a directive that asks what V1
// cannot do, are refused by name when they are loaded.
func TestV1Mistakes(t *testing.T) {
	const good = "gateway ccpayment_v1 {\n app_id a\n app_secret s\n }"
	with := func(option string) string { return strings.Replace(good, "app_secret s", "app_secret s\n "+option, 1) }
	dir := t.TempDir()
	for _, test := range []struct{ account, webhook, more, want string }{
		{good, "", "", ""},
		{with("previous_secret old 2026-01-31T12:00:00Z\n base_url http://127.0.0.1:9580/ccpayment/v1"), "scheme hmac\n tolerance 10m", "", ""},
		{good + "\n order_prefix shop-\n webhook_url https://shop.example.com/old", "confirm off\n stale reject\n body original\n types \"API Deposit\"", "", ""},
		{good, "sign ccpayment_v1", "", ""},
		{good, "sign standard MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "", ""},

		{good, "confirm on", "", "confirm on: CCPayment V1 has no records by which events could be confirmed"},
		{good, "risky hold", "", "risky hold: CCPayment V1 has no records"},
		{good, "risky forward", "", "risky forward: CCPayment V1 has no records"},
		{good, "late fulfill", "", "late fulfill: CCPayment V1 has no records"},
		{good, "accept_underpaid 1%", "", "accept_underpaid 1%: CCPayment V1 has no records"},
		{good, "stale confirm", "", "stale confirm: CCPayment V1 has no records"},
		{good, "body enriched", "", "body enriched: CCPayment V1 has no records"},
		{good, "scheme rsa", "", "CCPayment V1 has one way to sign"},
		{good, "sign ccpayment", "", `unknown scheme "ccpayment": use ccpayment_v1 or standard`},
		{good, "allow_ips ccpayment_v1", "", "allow_ips: CCPayment V1 publishes no addresses"},
		{good, "", "ccpayment_checkout /buy {\n account old\n price 1\n}", "CCPayment V1 makes no checkouts"},
		{good, "", "ccpayment_status /status {\n account old\n}", "CCPayment V1 makes no checkouts"},
		{good, "", "handle_path /v1/* {\n ccpayment_api {\n account old\n allow withdraw\n}\n}", ""},
		{good, "", "handle_path /v1/* {\n ccpayment_api {\n account old\n}\n}", "none of the groups withdraw, nor notify_url"},
		{good, "", "handle_path /v1/* {\n ccpayment_api {\n account old\n allow withdraw checkout\n}\n}", "none of the groups withdraw, nor notify_url"},
		{good, "", "handle_path /v1/* {\n ccpayment_api {\n account old\n allow withdraw\n cache 1m getCoinList\n}\n}", "is no endpoint that only reads"},
		{good + "\n previous_webhook_url https://old.example.com/h", "", "", "previous_webhook_url: CCPayment V1 does not sign the URL"},
		{strings.Replace(good, "app_secret s", "", 1), "", "", "app_secret is empty"},
		{strings.Replace(good, "app_id a", "", 1), "", "", "app_id is empty"},
		{with("app_secret t"), "", "", "app_secret is given twice"},
		{with("private_key /k"), "", "", `unknown option "private_key" of the gateway ccpayment_v1`},
		{with("previous_secret a b"), "", "", `previous_secret: the end "b" is not a time`},
		{with("base_url http://admin.ccpayment.com/ccpayment/v1"), "", "", "neither https nor http on loopback"},
		{good + "\n app_id x", "", "", "the account has a gateway: app_id and the like stand in its block"},
	} {
		text := "{\n admin off\n storage file_system " + dir + "\n ccpayment {\n store bolt {\n path " + dir + "/ledger.db\n }\n account old {\n" + test.account + "\n }\n }\n}\n" +
			"http://127.0.0.1:1 {\n ccpayment_webhook /hook {\n account old\n" + test.webhook + "\n }\n" + test.more + "\n}\n"
		config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), nil)
		if err == nil {
			parsed := new(caddy.Config)
			if err = caddy.StrictUnmarshalJSON(config, parsed); err == nil {
				err = caddy.Validate(parsed)
			}
		}
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%s\nis refused: %v", text, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s\n%s\n%s\nis answered with %v, want %s", test.account, test.webhook, test.more, err, test.want)
		}
	}
}
