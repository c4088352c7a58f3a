package ccpayment_test

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestForgeries: what an attacker can make of a webhook that was captured. The last
// two columns are the response's status and whether the app is called.
func TestForgeries(t *testing.T) {
	captured := delivery{timestamp: unix(0) + "123"}.withDefaults()
	signed := func(d delivery, edit func(*delivery)) delivery {
		d.header = http.Header{"Sign": {d.sign()}}
		edit(&d)
		return d
	}
	digits := delivery{body: "123" + deposit("r1", "Success")}.withDefaults()
	tests := []struct {
		name     string
		delivery delivery
		want     int
	}{
		{"digits moved from Timestamp to the body", signed(captured, func(d *delivery) {
			d.timestamp, d.body = d.timestamp[:10], d.timestamp[10:]+d.body
		}), http.StatusBadRequest},
		{"digits moved from the body to Timestamp", signed(digits, func(d *delivery) {
			d.timestamp, d.body = d.timestamp+"12", d.body[2:]
		}), http.StatusBadRequest},
		{"the body's front moved to Timestamp", signed(captured, func(d *delivery) {
			d.timestamp, d.body = d.timestamp+d.body[:5], d.body[5:]
		}), http.StatusBadRequest},
		{"a digit moved from Timestamp to Appid", signed(captured, func(d *delivery) {
			d.appID, d.timestamp = d.appID+d.timestamp[:3], d.timestamp[3:]
		}), http.StatusUnauthorized},
		{"re-serialised body", signed(captured, func(d *delivery) {
			d.body = strings.ReplaceAll(d.body, ":", ": ")
		}), http.StatusUnauthorized},
		{"newline added", signed(captured, func(d *delivery) { d.body += "\n" }), http.StatusUnauthorized},
		{"another status", signed(captured, func(d *delivery) { d.body = deposit("r1", "Failed") }), http.StatusUnauthorized},
		{"another time", signed(captured, func(d *delivery) { d.timestamp = unix(time.Minute) }), http.StatusUnauthorized},
		{"another account's app id", signed(captured, func(d *delivery) { d.appID = "app-b" }), http.StatusUnauthorized},
		{"another account's secret", delivery{secret: "secret-b"}, http.StatusUnauthorized},
		{"another account", delivery{appID: "app-b", secret: "secret-b"}, http.StatusUnauthorized},
		{"signed without the body", delivery{header: http.Header{"Sign": {delivery{appID: appID, secret: secret, timestamp: unix(0)}.sign()}}}, http.StatusUnauthorized},
		{"compressed after signing", signed(captured, func(d *delivery) { *d = gzipped(*d) }), http.StatusUnauthorized},
		{"compressed before signing", gzipped(delivery{body: captured.body}), http.StatusBadRequest},
		{"NUL after the body", delivery{body: captured.body + "\x00"}, http.StatusBadRequest},
		{"NUL in a text", delivery{body: `{"type":"Api` + "\x00" + `Deposit"}`}, http.StatusBadRequest},
		{"invalid UTF-8", delivery{body: `{"type":"ApiDeposit","msg":{"recordId":"` + "\xff" + `"}}`}, http.StatusBadRequest},
		{"byte order mark", delivery{body: "\ufeff" + captured.body}, http.StatusBadRequest},
		{"type twice, once escaped", delivery{body: `{"type":"ApiDeposit","\u0074ype":"UserDeposit"}`}, http.StatusBadRequest},
		{"recordId twice, once escaped", delivery{body: `{"type":"ApiDeposit","msg":{"recordId":"1","record\u0049d":"2"}}`}, http.StatusBadRequest},
		{"msg twice, once no object", delivery{body: `{"msg":{"recordId":"1"},"type":"ApiDeposit","msg":null}`}, http.StatusBadRequest},
		{"deep nesting", delivery{body: `{"type":"ApiDeposit","msg":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `}`}, http.StatusOK},
		{"nesting deeper than JSON is read", delivery{body: `{"type":"ApiDeposit","msg":` + strings.Repeat("[", 30000) + strings.Repeat("]", 30000) + `}`}, http.StatusBadRequest},
		{"nesting a hundred deep", delivery{body: `{"type":"ApiDeposit","msg":{"x":` + strings.Repeat(`{"type":`, 100) + "1" + strings.Repeat("}", 100) + `}}`}, http.StatusOK},
		{"keys that are not read, twice", delivery{body: `{"type":"ApiDeposit","msg":{"recordId":"1","x":1,"x":{"status":1}},"recordId":"2"}`}, http.StatusOK},
		{"empty body", signed(delivery{appID: appID, secret: secret, timestamp: unix(0), body: " "}, func(*delivery) {}), http.StatusBadRequest},
	}
	s := start(t, setup{
		account: "account b {\n app_id app-b\n app_secret secret-b\n }",
		site: `http://:$PORT {
			bind 127.0.0.1
			ccpayment_webhook /hook {
				confirm off
			}
			ccpayment_webhook /b {
				confirm off
				account b
				route b
			}
			reverse_proxy $APP
		}`,
	})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			before := len(s.app.received())
			s.deliver(test.delivery).wants(t, test.want)
			if called := len(s.app.received()) > before; called != (test.want == http.StatusOK) {
				t.Errorf("the app was called: %t", called)
			}
		})
	}
	t.Run("at the right account's hook", func(t *testing.T) {
		s.deliver(delivery{path: "/b", appID: "app-b", secret: "secret-b"}).wants(t, http.StatusOK)
	})
}

func gzipped(d delivery) delivery {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(d.body))
	_ = w.Close()
	d.body = b.String()
	if d.header == nil {
		d.header = make(http.Header)
	}
	d.header["Content-Encoding"] = []string{"gzip"}
	return d
}

// TestRepeatedHeaders: which of two counts must never be open, however they
// are written.
func TestRepeatedHeaders(t *testing.T) {
	s := start(t, setup{})
	d := delivery{}.withDefaults()
	for _, line := range []string{
		"Sign: " + d.sign(), "sign: " + d.sign(), "SIGN: x", "Sign:",
		"Timestamp: " + d.timestamp, "timestamp: " + unix(-time.Hour), "Appid: " + appID, "appID: other",
	} {
		s.sendRaw(d.raw(line)).wants(t, http.StatusBadRequest)
	}
	s.app.wants(t, 0)
	// A list in one line is no text of the right length.
	s.deliver(delivery{header: http.Header{"Sign": {d.sign() + ", " + d.sign()}}}).wants(t, http.StatusBadRequest)
	// What looks alike is another header.
	s.sendRaw(d.raw("Sign_: x", "X-Sign: x", "App-Id: x", "App_id: x")).wants(t, http.StatusOK)
	s.app.wants(t, 1)
}

// TestForwardedFor: an address that the client only claims to have.
func TestForwardedFor(t *testing.T) {
	const strict = "servers {\n trusted_proxies static 127.0.0.0/8 203.0.113.0/24\n trusted_proxies_strict\n }"
	const lax = "servers {\n trusted_proxies static 127.0.0.0/8\n }"
	tests := []struct {
		name, servers, forwarded string
		want                     int
	}{
		{"no trusted proxies", "", "54.150.123.157", http.StatusForbidden},
		{"strict, real", strict, "54.150.123.157", http.StatusOK},
		{"strict, through two proxies", strict, "54.150.123.157, 203.0.113.9", http.StatusOK},
		{"strict, forged", strict, "54.150.123.157, 198.51.100.1", http.StatusForbidden},
		{"strict, forged through two proxies", strict, "54.150.123.157, 198.51.100.1, 203.0.113.9", http.StatusForbidden},
		{"strict, IPv4 in IPv6", strict, "::ffff:54.150.123.157", http.StatusOK},
		{"strict, none", strict, "", http.StatusForbidden},
		{"lax, forged", lax, "54.150.123.157, 198.51.100.1", http.StatusOK},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := start(t, setup{global: test.servers, webhook: "allow_ips ccpayment"})
			s.deliver(delivery{header: http.Header{"X-Forwarded-For": {test.forwarded}}}).wants(t, test.want)
			warned := strings.Contains(s.logs(), "allow_ips can be passed with a forged X-Forwarded-For")
			if warned != (test.servers == lax) {
				t.Errorf("warned of a forged address: %t", warned)
			}
		})
	}
}

// TestRotation: which secrets verify while one replaces another.
func TestRotation(t *testing.T) {
	at := func(away time.Duration) string { return time.Now().Add(away).Format(time.RFC3339) }
	tests := []struct {
		name, account string
		want          int
	}{
		{"no previous secret", "", http.StatusUnauthorized},
		{"previous secret", "previous_secret old", http.StatusOK},
		{"of two", "previous_secret older\nprevious_secret old", http.StatusOK},
		{"until later", "previous_secret old " + at(time.Hour), http.StatusOK},
		{"until earlier", "previous_secret old " + at(-time.Hour), http.StatusUnauthorized},
		{"until earlier, beside another", "previous_secret older\nprevious_secret old " + at(-time.Second), http.StatusUnauthorized},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := start(t, setup{account: test.account})
			s.deliver(delivery{secret: "old"}).wants(t, test.want)
			s.deliver(delivery{body: deposit("r2", "Success")}).wants(t, http.StatusOK)
		})
	}
}

// TestTwoRoutes: each route delivers an event once, under the same idempotency key.
func TestTwoRoutes(t *testing.T) {
	s := start(t, setup{site: `http://:$PORT {
		bind 127.0.0.1
		ccpayment_webhook /hook {
			confirm off
		}
		ccpayment_webhook /books {
			confirm off
			route books
		}
		reverse_proxy $APP
	}`})
	for _, path := range []string{"/hook", "/books", "/hook", "/books"} {
		s.deliver(delivery{path: path}).wants(t, http.StatusOK)
	}
	calls := s.app.wants(t, 2)
	if calls[0].uri != "/hook" || calls[1].uri != "/books" || calls[0].header.Get("Idempotency-Key") != calls[1].header.Get("Idempotency-Key") {
		t.Errorf("the app got %+v", calls)
	}
}
