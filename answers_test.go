package ccpayment_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestDelivered(t *testing.T) {
	s := start(t, setup{})
	got := s.deliver(delivery{})
	got.wants(t, http.StatusOK)
	if length := got.header.Get("Content-Length"); length != "7" {
		t.Errorf("Content-Length %q, want 7", length)
	}
	call := s.app.wants(t, 1)[0]
	if call.method != http.MethodPost || call.uri != "/hook" || call.body != deposit("r1", "Success") {
		t.Errorf("the app got %+v", call)
	}
}

func TestActivation(t *testing.T) {
	s := start(t, setup{webhook: "types ApiDeposit"})
	for range 2 {
		got := s.deliver(delivery{body: `{"type":"ActivateWebhookURL","msg":{}}`})
		if got.status != http.StatusOK || got.body != `{"msg":"Success"}` || got.header.Get("Content-Type") != "application/json" {
			t.Errorf("answer %+v", got)
		}
	}
	s.deliver(delivery{body: `{"type":"ActivateWebhookURL","msg":{}}`, secret: "another"}).wants(t, http.StatusUnauthorized)
	s.app.wants(t, 0)
}

// TestAcknowledged has the webhooks that are acknowledged without a call of the app.
func TestAcknowledged(t *testing.T) {
	tests := []struct {
		name   string
		setup  setup
		before []string // delivered first, and acknowledged by the app
		body   string
	}{
		{name: "delivered", before: []string{deposit("r1", "Success")}, body: deposit("r1", "Success")},
		{name: "delivered, status in another case", before: []string{deposit("r1", "Success")}, body: deposit("r1", "SUCCESS")},
		{
			name: "delivered, written otherwise", before: []string{deposit("r1", "Success")},
			body: `{"msg":{"isFlaggedAsRisky":false, "status":"Success","orderId":"o-r1","recordId":"r1"},"type":"ApiDeposit"}`,
		},
		{name: "superseded", before: []string{deposit("r1", "Success")}, body: deposit("r1", "Processing")},
		{name: "filtered by type", setup: setup{webhook: "types DirectDeposit UserDeposit"}, body: deposit("r1", "Success")},
		{name: "filtered by status", setup: setup{webhook: "statuses success Failed"}, body: deposit("r1", "Processing")},
		{name: "foreign", setup: setup{account: "order_prefix shop-"}, body: deposit("r1", "Success")},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := start(t, test.setup)
			for _, body := range test.before {
				s.deliver(delivery{body: body}).wants(t, http.StatusOK)
			}
			for range 2 { // the first, and a copy
				s.deliver(delivery{body: test.body}).wants(t, http.StatusOK)
			}
			s.app.wants(t, len(test.before))
		})
	}
}

func TestFiltersLetThrough(t *testing.T) {
	s := start(t, setup{webhook: "types ApiDeposit\nstatuses success", account: "order_prefix o-"})
	s.deliver(delivery{}).wants(t, http.StatusOK)
	call := s.app.wants(t, 1)[0]
	if got := call.header.Get("Ccpayment-Order-Id"); got != "r1" {
		t.Errorf("order id %q, want it without its prefix", got)
	}
}

// TestRefused has every response that refuses a webhook. None may say more than it
// must, and no refused webhook reaches the app.
func TestRefused(t *testing.T) {
	unsigned := func(name string, values ...string) delivery {
		return delivery{header: http.Header{name: values}}
	}
	upper := delivery{timestamp: unix(0)}.withDefaults()
	tests := []struct {
		name     string
		webhook  string
		delivery delivery
		want     int
	}{
		{"GET", "", delivery{method: http.MethodGet}, http.StatusMethodNotAllowed},
		{"PUT", "", delivery{method: http.MethodPut}, http.StatusMethodNotAllowed},
		{"another address", "allow_ips 192.0.2.0/24 2001:db8::1", delivery{}, http.StatusForbidden},
		{"CCPayment's addresses", "allow_ips ccpayment", delivery{}, http.StatusForbidden},
		{"too large", "max_size 100B", delivery{body: strings.Repeat(" ", 101)}, http.StatusRequestEntityTooLarge},
		{"too large by default", "", delivery{body: strings.Repeat(" ", 64<<10+1)}, http.StatusRequestEntityTooLarge},
		{"Appid missing", "", unsigned("Appid"), http.StatusBadRequest},
		{"Timestamp missing", "", unsigned("Timestamp"), http.StatusBadRequest},
		{"Sign missing", "", unsigned("Sign"), http.StatusBadRequest},
		{"Sign empty", "", unsigned("Sign", ""), http.StatusBadRequest},
		{"Sign repeated", "", unsigned("Sign", "a", "a"), http.StatusBadRequest},
		{"Sign too short", "", unsigned("Sign", strings.Repeat("a", 63)), http.StatusBadRequest},
		{"Sign too long", "", unsigned("Sign", strings.Repeat("a", 65)), http.StatusBadRequest},
		{"Sign not hex", "", unsigned("Sign", strings.Repeat("g", 64)), http.StatusBadRequest},
		{"Timestamp in words", "", delivery{timestamp: "Sat Nov 21"}, http.StatusBadRequest},
		{"Timestamp negative", "", delivery{timestamp: "-" + unix(0)[1:]}, http.StatusBadRequest},
		{"Timestamp of 9 digits", "", delivery{timestamp: unix(0)[1:]}, http.StatusBadRequest},
		{"Timestamp of 11 digits", "", delivery{timestamp: unix(0) + "0"}, http.StatusBadRequest},
		{"Timestamp in microseconds", "", delivery{timestamp: unix(0) + "000000"}, http.StatusBadRequest},
		{"Timestamp with a fraction", "", delivery{timestamp: unix(0) + ".5"}, http.StatusBadRequest},
		{"another app id", "", delivery{appID: "app-124"}, http.StatusUnauthorized},
		{"another secret", "", delivery{secret: "secret-457"}, http.StatusUnauthorized},
		{"Sign in upper case", "", delivery{timestamp: upper.timestamp, header: http.Header{"Sign": {strings.ToUpper(upper.sign())}}}, http.StatusUnauthorized},
		{"past", "stale reject", delivery{timestamp: unix(-6 * time.Minute)}, http.StatusUnauthorized},
		{"future", "stale reject", delivery{timestamp: unix(6 * time.Minute)}, http.StatusUnauthorized},
		{"past, in milliseconds", "stale reject\ntolerance 1m", delivery{timestamp: unix(-2*time.Minute) + "000"}, http.StatusUnauthorized},
		{"no JSON", "", delivery{body: "type=ApiDeposit"}, http.StatusBadRequest},
		{"cut off JSON", "", delivery{body: `{"type":"ApiDeposit","msg":{`}, http.StatusBadRequest},
		{"two objects", "", delivery{body: `{"type":"ApiDeposit"}{"type":"ApiDeposit"}`}, http.StatusBadRequest},
		{"an array", "", delivery{body: `[{"type":"ApiDeposit"}]`}, http.StatusBadRequest},
		{"no type", "", delivery{body: `{"msg":{"recordId":"r1"}}`}, http.StatusBadRequest},
		{"type empty", "", delivery{body: `{"type":""}`}, http.StatusBadRequest},
		{"type a number", "", delivery{body: `{"type":1}`}, http.StatusBadRequest},
		{"type null", "", delivery{body: `{"type":null}`}, http.StatusBadRequest},
		{"type an object", "", delivery{body: `{"type":{}}`}, http.StatusBadRequest},
		{"type twice", "", delivery{body: `{"type":"ApiDeposit","type":"ApiDeposit"}`}, http.StatusBadRequest},
		{"msg twice", "", delivery{body: `{"type":"ApiDeposit","msg":{},"msg":{}}`}, http.StatusBadRequest},
		{"status twice", "", delivery{body: `{"type":"ApiDeposit","msg":{"status":"Success","status":"Failed"}}`}, http.StatusBadRequest},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := start(t, setup{webhook: test.webhook})
			got := s.deliver(test.delivery)
			got.wants(t, test.want)
			s.app.wants(t, 0)
			if allow := got.header.Get("Allow"); (allow == "POST") != (test.want == http.StatusMethodNotAllowed) {
				t.Errorf("Allow %q", allow)
			}
			leaksNothing(t, fmt.Sprint(got), test.delivery)
		})
	}
}

// leaksNothing fails the test if a response has a secret or a signature in it.
func leaksNothing(t *testing.T, answer string, d delivery) {
	t.Helper()
	if strings.Contains(answer, secret) || strings.Contains(answer, "Success") {
		t.Errorf("the answer gives away too much: %s", answer)
	}
	d.secret = secret
	if right := d.withDefaults().sign(); strings.Contains(strings.ToLower(answer), right) {
		t.Errorf("the answer has the right signature in it: %s", answer)
	}
}

func TestTooLargeInChunks(t *testing.T) {
	s := start(t, setup{webhook: "max_size 1KiB"})
	d := delivery{body: `{"type":"ApiDeposit","msg":{"x":"` + strings.Repeat("x", 1024) + `"}}`}
	got := s.sendRaw(chunked(d, d.body[:500], d.body[500:]))
	got.wants(t, http.StatusRequestEntityTooLarge)
	s.app.wants(t, 0)

	d.body = deposit("r1", "Success") // the same way, but small
	s.sendRaw(chunked(d, d.body[:5], d.body[5:])).wants(t, http.StatusOK)
	if got := s.app.wants(t, 1)[0]; got.body != d.body || got.header.Get("Content-Length") != strconv.Itoa(len(d.body)) {
		t.Errorf("the app got %+v", got)
	}
}

// chunked returns the delivery as a request with a chunked body.
func chunked(d delivery, chunks ...string) string {
	return chunkedWithTrailers(d, nil, nil, chunks...)
}

func chunkedWithTrailers(d delivery, lines, trailers []string, chunks ...string) string {
	head, _, _ := strings.Cut(d.raw(lines...), "\r\n\r\n")
	head = regexp.MustCompile(`Content-Length: \d+`).ReplaceAllString(head, "Transfer-Encoding: chunked")
	var b strings.Builder
	b.WriteString(head + "\r\n\r\n")
	for _, chunk := range chunks {
		fmt.Fprintf(&b, "%x\r\n%s\r\n", len(chunk), chunk)
	}
	b.WriteString("0\r\n")
	for _, trailer := range trailers {
		b.WriteString(trailer + "\r\n")
	}
	b.WriteString("\r\n")
	return b.String()
}

// TestOneUnauthorized: the response to a wrong app id is that to a wrong secret, so
// that an attacker cannot guess one after the other.
func TestOneUnauthorized(t *testing.T) {
	s := start(t, setup{})
	date := regexp.MustCompile(`(?m)^Date: .*$`)
	var first string
	for i, d := range []delivery{{secret: "another"}, {appID: "another"}, {appID: "another", secret: "another"}} {
		answer := date.ReplaceAllString(s.send(d.raw()), "")
		if i == 0 {
			first = answer
		}
		if answer != first || !strings.HasPrefix(answer, "HTTP/1.1 401 ") {
			t.Errorf("answer %q, the first was %q", answer, first)
		}
	}
}

func TestAllowedAddress(t *testing.T) {
	s := start(t, setup{webhook: "allow_ips ccpayment 127.0.0.0/8"})
	s.deliver(delivery{}).wants(t, http.StatusOK)
	s.app.wants(t, 1)
}

// TestAppSaysNo: nothing of the app's response reaches CCPayment, and the next copy
// of the webhook is delivered again.
func TestAppSaysNo(t *testing.T) {
	says := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Set-Cookie", "app=private")
			w.Header().Set("Location", "/private")
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(code)
			fmt.Fprint(w, "Success, says the app's private page")
		}
	}
	for _, code := range []int{302, 304, 400, 404, 409, 410, 429, 500, 503} {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			s := start(t, setup{app: says(code)})
			got := s.deliver(delivery{})
			got.wants(t, http.StatusBadGateway)
			if text := fmt.Sprint(got); strings.Contains(text, "private") || got.header.Get("Retry-After") != "30" {
				t.Errorf("the app's answer came through: %s", text)
			}
			s.app.answers(nil)
			s.deliver(delivery{}).wants(t, http.StatusOK)
			if reason := s.app.wants(t, 2)[1].header.Get("Ccpayment-Attempt-Reason"); reason != "retry" {
				t.Errorf("the second attempt's reason is %q", reason)
			}
		})
	}
}

func TestAppRefuses(t *testing.T) {
	s := start(t, setup{})
	s.app.Close()
	s.deliver(delivery{}).wants(t, http.StatusBadGateway)
}

func TestNoHandlerAnswers(t *testing.T) {
	s := start(t, setup{site: "http://:$PORT {\n ccpayment_webhook /hook {\n confirm off\n }\n}"})
	s.deliver(delivery{}).wants(t, http.StatusBadGateway)
}
