package ccpayment_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/client"
)

// TestAPIPaths: an endpoint has one path. A path that only looks like it, or that
// cleaning would turn into it, reaches nothing.
func TestAPIPaths(t *testing.T) {
	s, f := apiShop(t, "", apiSite)
	for _, target := range []string{
		"/ccpayment/getcoinlist", "/ccpayment/GETCOINLIST", "/ccpayment/getCoinList/", "/ccpayment//getCoinList", "//ccpayment/getCoinList",
		"/ccpayment/./getCoinList", "/ccpayment/%2e/getCoinList", "/ccpayment/x/../getCoinList", "/ccpayment/x/%2e%2e/getCoinList",
		"/ccpayment/x/%2E%2E/getCoinList", "/ccpayment/getCoinList/..", "/ccpayment/..%2fgetCoinList", "/ccpayment/%2fgetCoinList",
		"/ccpayment/%252e%252e/getCoinList", `/ccpayment/..\getCoinList`, "/ccpayment/getCoinList%00", "/ccpayment/getCoinList%20",
		"/ccpayment/getCoinList;x", "/ccpayment/getCoinList%3fx", "/ccpayment/getCoinList%23", "/ccpayment/getCoinList.json", "/ccpayment/getCoinLis",
		"/ccpayment/http://evil.example/getCoinList", "/ccpayment/@evil.example/getCoinList", "/ccpayment/getOrCreateUserDepositAddress/../applyAppWithdrawToNetwork",
		"/ccpayment/", "/ccpayment/resend", "/ccpayment/webhook", "/ccpayment/read", "/ccpayment/notify_url", "/x/../ccpayment/getCoinList", "/%2e/ccpayment/getCoinList",
	} {
		answer := s.sendRaw("POST " + target + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
		ours := answer.status == http.StatusNotFound && strings.Contains(answer.body, `"code":90404`)
		if !ours && answer.status != http.StatusTeapot && answer.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", target, answer.status, answer.body)
		}
	}
	if len(f.asked) > 0 {
		t.Errorf("CCPayment was asked %v", f.asked)
	}
	// The query is no part of the address, and an encoded letter is the letter.
	for _, target := range []string{"/ccpayment/getCoinList?x=1", "/ccpayment/get%43oinList"} {
		if answer := s.call(target, ``); answer.Code != 10000 {
			t.Errorf("%s: %d %s", target, answer.status, answer.body)
		}
	}
}

// TestAPIRequests: a request that no app would send is refused before CCPayment is
// called, with a code that CCPayment does not have.
func TestAPIRequests(t *testing.T) {
	s, f := apiShop(t, "", apiSite)
	asJSON := http.Header{"Content-Type": {"application/json"}}
	with := func(more http.Header) http.Header {
		header := asJSON.Clone()
		for name, values := range more {
			header[name] = values
		}
		return header
	}
	const order = "createAppOrderDepositAddress"
	for name, test := range map[string]struct {
		method, endpoint, body string
		header                 http.Header
		want                   int
	}{
		"GET":                         {"GET", "getCoinList", "", asJSON, 405},
		"PUT":                         {"PUT", "getCoinList", "{}", asJSON, 405},
		"OPTIONS":                     {"OPTIONS", "getCoinList", "", with(http.Header{"Origin": {"https://evil.example"}}), 403},
		"cross-site":                  {"POST", "getCoinList", "{}", with(http.Header{"Origin": {"https://evil.example"}}), 403},
		"same site":                   {"POST", "getCoinList", "{}", with(http.Header{"Origin": {"http://" + s.addr}}), 403},
		"a sandboxed page":            {"POST", "getCoinList", "{}", with(http.Header{"Origin": {"null"}}), 403},
		"an image's, cross-site":      {"GET", "orders/order-1", "", http.Header{"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"no-cors"}}, 403},
		"an image's, same site":       {"GET", "orders/order-1", "", http.Header{"Sec-Fetch-Site": {"same-site"}}, 403},
		"a page's of the same origin": {"GET", "orders/order-1", "", http.Header{"Sec-Fetch-Site": {"same-origin"}}, 403},
		"a page's, beside none":       {"GET", "orders/order-1", "", http.Header{"Sec-Fetch-Site": {"none", "cross-site"}}, 403},
		"typed into the address bar":  {"GET", "orders/order-1", "", http.Header{"Sec-Fetch-Site": {"none"}}, 404},
		"an empty origin":             {"POST", "getCoinList", "{}", with(http.Header{"Origin": {""}}), 403},
		"a form":                      {"POST", "getCoinList", "{}", http.Header{"Content-Type": {"text/plain"}}, 415},
		"a form of fields":            {"POST", "getCoinList", "{}", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, 415},
		"no content type":             {"POST", "getCoinList", "{}", nil, 415},
		"nearly JSON":                 {"POST", "getCoinList", "{}", http.Header{"Content-Type": {"application/json-seq"}}, 415},
		"a list":                      {"POST", "getCoinList", "[1]", asJSON, 400},
		"a text":                      {"POST", "getCoinList", `"{}"`, asJSON, 400},
		"half an object":              {"POST", "getCoinList", `{"a":`, asJSON, 400},
		"two objects":                 {"POST", "getCoinList", `{}{}`, asJSON, 400},
		"too large":                   {"POST", "getCoinList", `{"a":"` + strings.Repeat("x", 1<<20) + `"}`, asJSON, 413},
		"a key twice":                 {"POST", order, `{"price":"1","price":"2"}`, asJSON, 400},
		"a key twice, escaped":        {"POST", order, `{"price":"1","pric\u0065":"2"}`, asJSON, 400},
		"a key twice, by case":        {"POST", order, `{"price":"1","PRICE":"2"}`, asJSON, 400},
		"a key twice, within":         {"POST", order, `{"a":[{"b":1,"b":2}]}`, asJSON, 400},
		"notifyUrl":                   {"POST", order, `{"notifyUrl":"https://evil.example/"}`, asJSON, 403},
		"notifyUrl, escaped":          {"POST", order, `{"notify\u0055rl":"https://evil.example/"}`, asJSON, 403},
		"notifyUrl, by case":          {"POST", order, `{"NotifyURL":"https://evil.example/"}`, asJSON, 403},
		"notifyUrl, of nothing":       {"POST", order, `{"notifyUrl":null}`, asJSON, 403},
		"a withdrawal":                {"POST", "applyAppWithdrawToNetwork", `{}`, asJSON, 403},
		"a swap":                      {"POST", "swap", `{}`, asJSON, 403},
		"a transfer":                  {"POST", "userTransfer", `{}`, asJSON, 403},
		"a resend":                    {"POST", "webhook/resend", `{}`, asJSON, 403},
		"a token where there is none": {"POST", "getCoinList", `{}`, with(http.Header{"Authorization": {"Bearer x"}}), 401},
		"an empty token":              {"POST", "getCoinList", `{}`, with(http.Header{"Authorization": {"Bearer "}}), 401},
		"through a proxy":             {"POST", "getCoinList", `{}`, with(http.Header{"X-Forwarded-For": {"127.0.0.1"}}), 403},
	} {
		t.Run(name, func(t *testing.T) {
			answer := s.callWith(test.method, "/ccpayment/"+test.endpoint, test.body, test.header)
			if answer.status != test.want || answer.Code != 90000+test.want || answer.Msg == "" || answer.header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%d %s, want %d", answer.status, answer.body, test.want)
			}
		})
	}
	if len(f.asked) > 0 {
		t.Errorf("CCPayment was asked %v", f.asked)
	}
}

// TestAPINotifyURL: where it is allowed, a body may say where webhooks are sent.
func TestAPINotifyURL(t *testing.T) {
	s, f := apiShop(t, "allow deposit notify_url", apiSite)
	s.call("/ccpayment/createInvoiceUrl", `{"orderId":"order-1","notifyUrl":"https://other.example/hook"}`)
	if got := f.of("createInvoiceUrl"); len(got) != 1 || got[0] != `{"orderId":"order-1","notifyUrl":"https://other.example/hook"}` {
		t.Errorf("CCPayment was asked with %q", got)
	}
}

const apiToken = "token-of-the-apps"

// TestAPIToken: a client that is not on this machine, by the connection's own
// address, needs the token, and is not served where none is configured.
func TestAPIToken(t *testing.T) {
	const proxied = "servers {\n trusted_proxies static 0.0.0.0/0\n listener_wrappers {\n proxy_protocol {\n timeout 5s\n allow 127.0.0.0/8\n }\n }\n }"
	for name, test := range map[string]struct {
		options, from, lines string
		want                 int
	}{
		"this machine":                   {"", "127.0.0.1", "", 200},
		"this machine, IPv6":             {"", "::1", "", 200},
		"another, no token is set":       {"", "203.0.113.9", "", 403},
		"another that claims to be this": {"", "203.0.113.9", "X-Forwarded-For: 127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\n", 403},
		"this machine, without":          {"token " + apiToken, "127.0.0.1", "", 200},
		"another, without":               {"token " + apiToken, "203.0.113.9", "", 401},
		"another, forged":                {"token " + apiToken, "203.0.113.9", "X-Forwarded-For: 127.0.0.1\r\n", 401},
		"a proxy of this machine":        {"token " + apiToken, "127.0.0.1", "X-Forwarded-For: 203.0.113.9\r\n", 401},
		"another, with":                  {"token " + apiToken, "203.0.113.9", "Authorization: Bearer " + apiToken + "\r\n", 200},
		"with, in small letters":         {"token " + apiToken, "203.0.113.9", "authorization: bearer " + apiToken + "\r\n", 200},
		"a wrong one":                    {"token " + apiToken, "203.0.113.9", "Authorization: Bearer " + apiToken + "x\r\n", 401},
		"a wrong one of this machine":    {"token " + apiToken, "127.0.0.1", "Authorization: Bearer x\r\n", 401},
		"half of it":                     {"token " + apiToken, "203.0.113.9", "Authorization: Bearer " + apiToken[:5] + "\r\n", 401},
		"another scheme":                 {"token " + apiToken, "203.0.113.9", "Authorization: Basic " + apiToken + "\r\n", 401},
		"two":                            {"token " + apiToken, "203.0.113.9", "Authorization: Bearer " + apiToken + "\r\nAuthorization: Bearer x\r\n", 401},
	} {
		t.Run(name, func(t *testing.T) {
			box, c, base := newSandbox(t, 1)
			s := &shop{box: box, c: c}
			s.server = start(t, setup{global: proxied, account: "base_url " + base, site: apiSite, webhook: test.options})
			kind := "TCP4 " + test.from + " 127.0.0.1"
			if strings.Contains(test.from, ":") {
				kind = "TCP6 " + test.from + " ::1"
			}
			answer := s.sendRaw("PROXY " + kind + " 4000 80\r\nPOST /ccpayment/getFiatList HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" +
				"Content-Type: application/json\r\nContent-Length: 0\r\n" + test.lines + "\r\n")
			if answer.status != test.want || (answer.header.Get("WWW-Authenticate") != "") != (test.want == 401) {
				t.Errorf("%d %s, want %d", answer.status, answer.body, test.want)
			}
		})
	}
}

// TestAPIKeepsSecrets: the app secret, the token and signatures are in no response,
// log line or configuration.
func TestAPIKeepsSecrets(t *testing.T) {
	t.Setenv("CCPAYMENT_TEST_TOKEN", apiToken)
	var signs []string
	s, f := apiShop(t, "token {env.CCPAYMENT_TEST_TOKEN}\nallow read deposit withdraw", apiSite)
	f.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		signs = append(signs, r.Header.Get("Sign"))
		_, _ = io.WriteString(w, `{"code":11000,"msg":"wrong"}`)
	})
	for _, endpoint := range client.Endpoints() {
		if answer := s.call("/ccpayment/"+endpoint, `{"orderId":"order-1"}`); strings.Contains(answer.body, secret) {
			t.Errorf("%s: %s", endpoint, answer.body)
		}
	}
	s.callWith("POST", "/ccpayment/getCoinList", "", http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + apiToken}})
	answer := s.call("/ccpayment/getCoinList", ``)
	response, err := s.client.Get("http://" + s.admin + "/config/")
	if err != nil {
		t.Fatal(err)
	}
	config, err := readReply(response)
	if err != nil || !strings.Contains(config.body, "{env.CCPAYMENT_TEST_TOKEN}") {
		t.Fatalf("the configuration is %s, %v", config.body, err)
	}
	shown := strings.ReplaceAll(config.body, `"app_secret":"`+secret+`"`, "") // it stands there as it is
	for _, private := range append(signs, secret, apiToken) {
		for where, text := range map[string]string{"answer": answer.body, "log": s.logs(), "configuration": shown} {
			if strings.Contains(text, private) {
				t.Errorf("the %s shows %q", where, private)
			}
		}
	}
	if len(signs) < 30 {
		t.Errorf("only %d calls were signed", len(signs))
	}
}
