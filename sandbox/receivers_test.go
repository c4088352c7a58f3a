package sandbox_test

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/needs"
	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// TestCase13_AnyCase: success in any case acknowledges a webhook, and the delivery notes
// that the case differs; what only looks like it does not.
func TestCase13_AnyCase(t *testing.T) {
	w := start(t)
	for answer, want := range map[string]struct{ ok, noted bool }{
		"Success": {true, false}, `{"msg":"Success"}`: {true, false},
		"success": {true, true}, `{"msg":"success"}`: {true, true}, `{"success":true}`: {true, true}, "SUCCESS": {true, true},
		"Unsuccessful": {}, `{"success":false}`: {}, `{"msg":"success","status":"error"}`: {}, "successful": {}, "": {},
	} {
		w.receiver.answers(200, answer)
		if d := w.Activate(t.Context()); d.OK != want.ok || (d.Note != "") != want.noted || (d.Error != "") == d.OK {
			t.Errorf("%s: %+v", answer, d)
		}
	}
	w.receiver.answers(202, "Success")
	if d := w.Activate(t.Context()); d.OK || d.Note != "" {
		t.Errorf("202: %+v", d)
	}
}

// TestCase30_WordIn64KiB: the word is looked for where Caddy's `ack` looks, and the log
// keeps the first KiB.
func TestCase30_WordIn64KiB(t *testing.T) {
	w := start(t)
	const limit = 64 << 10
	for before, want := range map[int]bool{1 << 10: true, limit - len("Success"): true, limit - len("Success") + 1: false} {
		w.receiver.answers(200, strings.Repeat(" ", before)+"Success")
		if d := w.Activate(t.Context()); d.OK != want || len(d.Answer) != 1<<10 {
			t.Errorf("behind %d bytes: %t, and %d bytes are kept", before, d.OK, len(d.Answer))
		}
	}
}

// TestCase19_Reserialised: a webhook's body is what JavaScript makes of it, so a receiver
// that parses and writes it again finds the same signature.
func TestCase19_Reserialised(t *testing.T) {
	w := start(t)
	reference := `a&b <c> 'd' é \u2028 \\u2028`
	address := w.ok("getOrCreateAppDepositAddress", `{"referenceId":"`+reference+`","chain":"TRX"}`).Str("address")
	w.pay(sandbox.Payment{Address: address, Amount: dec("1")})
	got := w.receiver.got()[0]
	for _, want := range []string{"a&b <c> 'd' é \u2028 ", `\\u2028`} {
		if !strings.Contains(string(got.body), want) {
			t.Errorf("%s lacks %q", got.body, want)
		}
	}
	again := exec.Command(needs.Command(t, "node"), "-e", `process.stdout.write(JSON.stringify(JSON.parse(require("fs").readFileSync(0, "utf8"))))`)
	again.Stdin = strings.NewReader(string(got.body))
	if out, err := again.Output(); err != nil || string(out) != string(got.body) {
		t.Errorf("JavaScript makes %s of %s: %v", out, got.body, err)
	}
}

// TestCase20_RiskyAddress: the sandbox sends the webhook in both forms, and what is paid
// to the address afterwards sends none.
func TestCase20_RiskyAddress(t *testing.T) {
	w := start(t)
	address := w.ok("getOrCreateAppDepositAddress", `{"referenceId":"user-1","chain":"TRX"}`).Str("address")
	for i, form := range []string{"flat", "envelope", ""} {
		code, _ := w.control("POST", "/sandbox/risky-address", fmt.Sprintf(`{"address":%q,"form":%q}`, address, form))
		processtest.Until(t, "the webhook", func() bool { return len(w.receiver.got()) == i+1 })
		got := w.receiver.got()[i]
		var body map[string]any
		if err := json.Unmarshal(got.body, &body); err != nil || code != 200 {
			t.Fatalf("%d %s: %v", code, got.body, err)
		}
		if form == "flat" {
			if body["type"] != nil || body["msg"] != nil {
				t.Errorf("flat: %s", got.body)
			}
		} else {
			if body["type"] != "RiskyAddress" {
				t.Errorf("in its envelope: %s", got.body)
			}
			body, _ = body["msg"].(map[string]any)
		}
		if body["chainId"] != "TRX" || body["address"] != address || body["riskAt"] == nil || len(body) != 3 {
			t.Errorf("%q: %s", form, got.body)
		}
		if got.header.Get("Sign") != sign(appID, secret, got.header.Get("Timestamp"), string(got.body)) {
			t.Errorf("%q is not signed", form)
		}
	}
	record := w.pay(sandbox.Payment{Address: address, Amount: dec("1")})
	w.Advance(time.Minute)
	if n := len(w.receiver.got()); n != 3 || record == "" {
		t.Errorf("%d webhooks, and the payment is %q", n, record)
	}
	for _, body := range []string{`{"address":"T1"}`, `{"address":"` + address + `","form":"other"}`} {
		if code, _ := w.control("POST", "/sandbox/risky-address", body); code != 400 {
			t.Errorf("%s: %d", body, code)
		}
	}
}
