package ccpayment_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// TestLogs: the log says what happened, at the level that its urgency asks for,
// and neither a secret, a signature, a body nor a buyer's address.
func TestLogs(t *testing.T) {
	const token, buyer = "token-of-the-shop", "bob@example.com"
	box, c, base := newSandbox(t, 1)
	s := &shop{box: box, c: c}
	s.server = start(t, setup{
		global: "events {\n on * test_notes\n }", account: "base_url " + base, confirm: true,
		site: strings.Replace(storedSite, "confirm off", "token "+token, 1),
	})
	if err := box.SetWebhookURL("http://" + s.addr + "/hook"); err != nil {
		t.Fatal(err)
	}
	if err := kinds["order in coin"](s, "order-1"); err != nil {
		t.Fatal(err)
	}
	s.app.answers(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Ccpayment-Fulfill") == "true" {
			w.WriteHeader(http.StatusGone)
		}
	})
	s.pay(sandbox.Payment{OrderID: "order-1"})
	await(t, "it is dead", func() bool { return strings.Contains(s.logs(), "an event is dead") })
	record := s.app.received()[0].header.Get("Ccpayment-Record-Id")
	held := delivery{body: `{"type":"ApiDeposit","msg":{"recordId":"` + record + `","orderId":"` + buyer +
		`","coinId":1280,"status":"Failed","isFlaggedAsRisky":false}}`}.withDefaults()
	s.deliver(held).wants(t, http.StatusOK)
	await(t, "it is held", func() bool { return strings.Contains(s.logs(), "holding an event") })
	unknown := delivery{body: deposit("r9", "Success")}.withDefaults()
	s.deliver(unknown).wants(t, http.StatusOK)
	await(t, "it cannot be confirmed", func() bool { return strings.Contains(s.logs(), "cannot be confirmed now") })
	wrong := delivery{secret: "wrong"}.withDefaults()
	s.deliver(wrong).wants(t, http.StatusUnauthorized)

	logs := s.logs()
	wants := map[string]map[string]any{
		"started": {"level": "info"},
		"an event is dead: replay it, once what is wrong is mended": {"level": "error", "order_id": "order-1", "fulfill": true, "cause": "the app answered 410"},
		"holding an event":                 {"level": "error", "order_id": "REDACTED", "record_id": record},
		"an event cannot be confirmed now": {"level": "warn"},
		"rejected a webhook":               {"level": "warn", "reason": "bad_signature", "client_ip": "127.0.0.1"},
	}
	for line := range strings.Lines(logs) {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("a line of log is no JSON: %s", line)
		}
		message, _ := entry["msg"].(string)
		if logger, _ := entry["logger"].(string); strings.Contains(logger, "ccpayment") {
			for key, want := range wants[message] {
				if entry[key] != want {
					t.Errorf("%q says %s %v, want %v", message, key, entry[key], want)
				}
			}
			delete(wants, message)
		}
		// Under debug, reverse_proxy shows the headers that the app gets.
		if entry["logger"] != "http.handlers.reverse_proxy" && strings.Contains(line, buyer) {
			t.Errorf("the log shows the buyer's address: %s", line)
		}
	}
	for message := range wants {
		t.Errorf("the log does not say: %s", message)
	}
	for _, private := range []string{secret, token, held.sign(), unknown.sign(), wrong.sign(), "isFlaggedAsRisky"} {
		if strings.Contains(logs, private) {
			t.Errorf("the log shows %q", private)
		}
	}
}

// TestTokensInTheAccessLog: the filter in docs/operations.md keeps status tokens out of
// the access log.
func TestTokensInTheAccessLog(t *testing.T) {
	docs, err := os.ReadFile("docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, snippet, _ := strings.Cut(string(docs), "**Status tokens in access logs.**")
	_, snippet, _ = strings.Cut(snippet, "```caddyfile\n")
	snippet, _, ok := strings.Cut(snippet, "```")
	if !ok {
		t.Fatal("the docs have no filter")
	}
	box, c, base := newSandbox(t, 1)
	s := &shop{box: box, c: c}
	s.server = start(t, setup{account: "base_url " + base, app: asks(cart), site: "http://:$PORT {\n bind 127.0.0.1\n" +
		strings.Replace(snippet, "log {", "log {\n output file $DIR/access.log {\n roll_disabled\n }", 1) + " ccpayment_status /status\n ccpayment_checkout\n reverse_proxy $APP\n}"})
	token := s.visit(http.MethodPost, "/buy", "", nil).answer.Token
	for _, name := range []string{"t", "ccpayment_t"} {
		from := http.Header{"Referer": {"https://shop.example/thanks?" + name + "=" + token}}
		if v := s.visit(http.MethodGet, "/status?"+name+"="+token, "", from); v.status != http.StatusOK {
			t.Errorf("%d %s", v.status, v.body)
		}
	}
	read := func() string {
		text, _ := os.ReadFile(filepath.Join(s.dir, "access.log"))
		return string(text)
	}
	await(t, "three lines", func() bool { return strings.Count(read(), "\n") == 3 })
	if log := read(); strings.Contains(log, token) || strings.Count(log, "REDACTED") < 4 {
		t.Errorf("the log has the token, or lacks the rest:\n%s", log)
	}
}
