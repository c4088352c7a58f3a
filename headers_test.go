package ccpayment_test

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/seed-338f6760/caddy-ccpayment/client"
)

const fullBody = `{ "type":"UserDeposit", "msg":{"recordId":"2024031200000000000000000001","orderId":"o-7","referenceId":"ref 1",` +
	`"userId":42,"status":"SUCCESS","isFlaggedAsRisky":true,"coinSymbol":"USDT"} }` + "\n"

// byProxy are the headers that reverse_proxy itself adds.
var byProxy = []string{"Accept-Encoding", "Content-Length", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"}

// TestWhatTheAppGets: our headers, two of the sender's, and nothing else.
func TestWhatTheAppGets(t *testing.T) {
	s := start(t, setup{account: "order_prefix o-", webhook: "token shop-token"})
	before := time.Now().UnixMilli()
	s.deliver(delivery{body: fullBody, header: http.Header{
		"Cookie": {"a=b"}, "Authorization": {"Basic x"}, "X-Forwarded-For": {"192.0.2.1"}, "Accept": {"*/*"}, "Origin": {"x"},
		"Idempotency-Key": {"x"}, "Ccpayment-Credit": {"true"}, "Webhook-Id": {"x"}, "Content-Encoding": {"identity"}, "Via": {"x"},
		"Content-Type": {"application/json; charset=utf-8"}, "Accept-Encoding": {"br"},
	}}).wants(t, http.StatusOK)
	after := time.Now().UnixMilli()

	got := s.app.wants(t, 1)[0]
	if got.body != fullBody {
		t.Errorf("the app got the body %q", got.body)
	}
	if len(got.trailer) != 0 {
		t.Errorf("the app got the trailers %v", got.trailer)
	}
	seq, err := strconv.ParseInt(got.header.Get("Ccpayment-Record-Seq"), 10, 64)
	if err != nil || seq < before || seq > after {
		t.Errorf("Ccpayment-Record-Seq %q is not the time of receipt", got.header.Get("Ccpayment-Record-Seq"))
	}
	id := got.header.Get("Idempotency-Key")
	if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(id) {
		t.Errorf("Idempotency-Key %q is no UUIDv5", id)
	}
	wantsHeaders(t, got.header, map[string]string{
		"Content-Type":             "application/json; charset=utf-8",
		"User-Agent":               "CCPayment",
		"Idempotency-Key":          id,
		"Ccpayment-Gateway":        "ccpayment",
		"Ccpayment-Kind":           "deposit",
		"Ccpayment-Type":           "UserDeposit",
		"Ccpayment-Status":         "SUCCESS",
		"Ccpayment-Record-Id":      "2024031200000000000000000001",
		"Ccpayment-Record-Seq":     strconv.FormatInt(seq, 10),
		"Ccpayment-Order-Id":       "7",
		"Ccpayment-Reference-Id":   "ref 1",
		"Ccpayment-User-Id":        "42",
		"Ccpayment-Attempt":        "1",
		"Ccpayment-Attempt-Reason": "initial",
		"Ccpayment-Risky":          "true",
		"Authorization":            "Bearer shop-token",
	})
	if via := got.header.Get("Via"); strings.Contains(via, "x") || !strings.Contains(via, "Caddy") {
		t.Errorf("Via %q", via)
	}
	if forwarded := got.header.Values("X-Forwarded-For"); !slices.Equal(forwarded, []string{"127.0.0.1"}) {
		t.Errorf("X-Forwarded-For %q", forwarded)
	}
}

// wantsHeaders fails the test unless these are all headers beside the proxy's.
func wantsHeaders(t *testing.T, got http.Header, want map[string]string) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(got)) {
		value, ours := want[name]
		switch {
		case ours && !slices.Equal(got[name], []string{value}):
			t.Errorf("%s: %q, want %q", name, got[name], value)
		case !ours && !slices.Contains(byProxy, name):
			t.Errorf("the app got %s: %q as well", name, got[name])
		}
	}
	for name := range want {
		if got[name] == nil {
			t.Errorf("the app got no %s", name)
		}
	}
}

// TestLittleToSay: an event of an unknown kind has few headers.
func TestLittleToSay(t *testing.T) {
	s := start(t, setup{})
	s.deliver(delivery{body: `{"type":"New","msg":[1]}`, header: http.Header{"Content-Type": nil, "User-Agent": {""}}}).wants(t, http.StatusOK)
	got := s.app.wants(t, 1)[0].header
	wantsHeaders(t, got, map[string]string{
		"Idempotency-Key":          got.Get("Idempotency-Key"),
		"Ccpayment-Gateway":        "ccpayment",
		"Ccpayment-Kind":           "other",
		"Ccpayment-Type":           "New",
		"Ccpayment-Record-Seq":     got.Get("Ccpayment-Record-Seq"),
		"Ccpayment-Attempt":        "1",
		"Ccpayment-Attempt-Reason": "initial",
		"Ccpayment-Risky":          "unknown",
	})
}

// TestIdempotencyKey: the ids are public interface, known to inboxes for ever.
func TestIdempotencyKey(t *testing.T) {
	s := start(t, setup{})
	s.deliver(delivery{body: deposit("20240312000000000000000000000001", "Success")}).wants(t, http.StatusOK)
	if got := s.app.wants(t, 1)[0].header.Get("Idempotency-Key"); got != "952b2dd1-0fb4-5de4-8939-1e65900817cb" {
		t.Errorf("Idempotency-Key %s of a known event has changed", got)
	}
}

func TestRiskyHeader(t *testing.T) {
	for flag, want := range map[string]string{
		`,"isFlaggedAsRisky":true`: "true", `,"isFlaggedAsRisky":false`: "", ``: "unknown",
		`,"isFlaggedAsRisky":null`: "unknown", `,"isFlaggedAsRisky":"false"`: "unknown", `,"isFlaggedAsRisky":0`: "unknown",
	} {
		t.Run(flag, func(t *testing.T) {
			s := start(t, setup{})
			s.deliver(delivery{body: `{"type":"DirectDeposit","msg":{"recordId":"1"` + flag + `}}`}).wants(t, http.StatusOK)
			if got := s.app.wants(t, 1)[0].header.Get("Ccpayment-Risky"); got != want {
				t.Errorf("Ccpayment-Risky %q, want %q", got, want)
			}
		})
	}
}

// TestAttempts: what stays the same over an event's attempts, and what grows.
func TestAttempts(t *testing.T) {
	s := start(t, setup{app: status(http.StatusServiceUnavailable)})
	s.deliver(delivery{}).wants(t, http.StatusBadGateway)
	s.deliver(delivery{}).wants(t, http.StatusBadGateway)
	s.app.answers(nil)
	s.deliver(delivery{}).wants(t, http.StatusOK)
	s.deliver(delivery{}).wants(t, http.StatusOK)
	calls := s.app.wants(t, 3)
	for i, want := range []string{"initial", "retry", "retry"} {
		header := calls[i].header
		if header.Get("Ccpayment-Attempt") != strconv.Itoa(i+1) || header.Get("Ccpayment-Attempt-Reason") != want {
			t.Errorf("attempt %q, %q", header.Get("Ccpayment-Attempt"), header.Get("Ccpayment-Attempt-Reason"))
		}
		for _, name := range []string{"Idempotency-Key", "Ccpayment-Record-Seq", "Ccpayment-Record-Id"} {
			if header.Get(name) == "" || header.Get(name) != calls[0].header.Get(name) {
				t.Errorf("attempt %d: %s %q, the first had %q", i+1, name, header.Get(name), calls[0].header.Get(name))
			}
		}
	}
}

// TestUncleanValues: whatever stands in an event, a header says it in clean
// text that can be read back.
func TestUncleanValues(t *testing.T) {
	s := start(t, setup{})
	for raw, want := range map[string]string{
		`a\r\nCcpayment-Fulfill: true`: "a%0D%0ACcpayment-Fulfill: true",
		`\u0000`:                       "%00",
		` x y `:                        "%20x y%20",
		`100%`:                         "100%25",
		`\u00e9é`:                      "%C3%A9%C3%A9",
		`\t\u007f`:                     "%09%7F",
		`😀`:                            "%F0%9F%98%80",
		` `:                            "%20",
		`{http.request.header.Sign}`:   "{http.request.header.Sign}",
	} {
		body := `{"type":"` + raw + `","msg":{"recordId":"` + raw + `","status":"` + raw + `","orderId":"` + raw + `","referenceId":"` + raw + `","userId":"` + raw + `"}}`
		s.deliver(delivery{body: body}).wants(t, http.StatusOK)
		calls := s.app.received()
		got := calls[len(calls)-1]
		for _, name := range []string{"Type", "Record-Id", "Status", "Order-Id", "Reference-Id", "User-Id"} {
			if value := got.header["Ccpayment-"+name]; !slices.Equal(value, []string{want}) {
				t.Errorf("Ccpayment-%s %q, want %q", name, value, want)
			}
		}
		if got.header.Get("Ccpayment-Fulfill") != "" || got.body != body {
			t.Errorf("the app got %+v", got)
		}
	}
}

// TestSignAsCCPayment: an app that verifies by itself can go on doing so.
func TestSignAsCCPayment(t *testing.T) {
	s := start(t, setup{webhook: "sign ccpayment", account: "previous_secret old", app: says(http.StatusOK, "Success")})
	sent := unix(-time.Minute)
	s.deliver(delivery{secret: "old", timestamp: sent, body: fullBody}).wants(t, http.StatusOK)
	got := s.app.wants(t, 1)[0]
	if err := client.Verify(got.header, []byte(got.body), 30*time.Second, appID, secret); err != nil {
		t.Errorf("the app's check fails: %v", err)
	}
	if got.header.Get("Timestamp") == sent {
		t.Error("the app got the sender's timestamp, not a fresh one")
	}
}

func TestSignByStandardWebhooks(t *testing.T) {
	const newKey, oldKey = "whsec_bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3", "b2xkb2xkb2xkb2xkb2xkb2xkb2xkb2xkb2xk"
	for name, options := range map[string]struct {
		sign string
		keys []string
	}{
		"one secret":         {newKey, []string{newKey}},
		"and a previous one": {newKey + " " + oldKey, []string{newKey, oldKey}},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, setup{webhook: "sign standard " + options.sign})
			s.deliver(delivery{body: fullBody}).wants(t, http.StatusOK)
			got := s.app.wants(t, 1)[0]
			for _, key := range options.keys {
				verifier, err := standardwebhooks.NewWebhook(key)
				if err != nil {
					t.Fatal(err)
				}
				if err := verifier.Verify([]byte(got.body), got.header); err != nil {
					t.Errorf("the app's check with %s fails: %v", key, err)
				}
			}
			if got.header.Get("Webhook-Id") != got.header.Get("Idempotency-Key") {
				t.Errorf("Webhook-Id %q is not the Idempotency-Key", got.header.Get("Webhook-Id"))
			}
			for _, name := range []string{"Appid", "Timestamp", "Sign"} {
				if got.header[name] != nil {
					t.Errorf("the app got the sender's %s", name)
				}
			}
		})
	}
}

// TestRouting: a Caddyfile can route on what was verified.
func TestRouting(t *testing.T) {
	s := start(t, setup{site: `http://:$PORT {
		bind 127.0.0.1
		ccpayment_webhook /hook {
			confirm off
		}
		@deposit vars {vars.ccpayment_type} ApiDeposit
		@risky vars ccpayment_risky true
		@user header Ccpayment-Type UserDeposit
		respond @risky "{http.ccpayment.order_id}" 500
		rewrite @deposit "/deposits/{http.ccpayment.order_id}/{vars.ccpayment_status}?{http.ccpayment.record_id}"
		reverse_proxy $APP {
			header_up X-Facts "{http.ccpayment.type} {http.ccpayment.attempt} {http.ccpayment.attempt_reason} {http.ccpayment.risky} {http.ccpayment.event_id}"
			header_up X-Sign "{http.request.header.Sign}"
		}
	}`})
	s.deliver(delivery{}).wants(t, http.StatusOK)
	s.deliver(delivery{body: fullBody}).wants(t, http.StatusBadGateway)
	got := s.app.wants(t, 1)[0]
	if got.uri != "/hook" && got.uri != "/deposits/o-r1/Success?r1" {
		t.Errorf("the app was called at %s", got.uri)
	}
	if want := "ApiDeposit 1 initial false " + got.header.Get("Idempotency-Key"); got.header.Get("X-Facts") != want {
		t.Errorf("X-Facts %q, want %q", got.header.Get("X-Facts"), want)
	}
	if sign := got.header.Get("X-Sign"); sign != "" {
		t.Errorf("the sender's signature can be read: %q", sign)
	}
}
