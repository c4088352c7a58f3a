package ccpayment

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/strictjson/strictjsontest"
)

// FuzzReadEvent: what is read of a webhook is what encoding/json reads; a key
// that is read stands there once; and the event's key does not depend on white
// space, on the order of keys, or on when it is read.
func FuzzReadEvent(f *testing.F) {
	for _, body := range []string{
		fuzzWebhook,
		` { "type" : "DirectDeposit" , "msg" : { "recordId" : 1 , "status" : "SUCCESS" , "isFlaggedAsRisky" : true } } `,
		`{"type":"ActivateWebhookURL","msg":null}`,
		`{"type":"ApiDeposit","msg":{"recordId":"","orderId":"order-1","referenceId":2e3,"userId":null,"coinId":1280}}`,
		`{"type":"RiskyAddress","msg":{"chainId":"1","address":"0xf8a0","riskAt":1710232720}}`,
		`{"chainId":"1","address":"0xf8a0","riskAt":1710232720}`,
		` {"riskAt":"1710232720","chainId":1,"more":[],"address":"0xf8a0"}`,
		`{"chainId":"1","address":"0xf8a0","riskAt":1,"address":"0xf8a1"}`,
		`{"chainId":"1","address":"0xf8a0","riskAt":1,"riskAt":2}`,
		`{"address":"0xf8a0","riskAt":1,"msg":null}`,
		`{"chainId":"1","address":"","riskAt":1710232720}`, `{"address":{},"riskAt":1}`,
		`{"type":"a","type":"b","msg":{}}`,
		`{"type":"a","msg":{"recordId":"1","recordId":"2"}}`,
		`{"type":"a","msg":{"recordId":"1","\u0072ecordId":"2"}}`,
		`{"type":"a","msg":{"recordId":"\ud800"}}`,
		`{"t\u0079pe":"\ud83d\ude00","msg":[{"recordId":1}]}`,
		`{"type":"a","msg":{"recordId":` + strings.Repeat("9", 100) + `,"status":1e999999999}}`,
		`{"type":"a","msg":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`,
		`{"type":"a","msg":` + strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001) + `}`, // deeper than encoding/json goes
		`{"type":1}`, `[]`, `null`, ``, "{\"type\":\"\xff\"}",
	} {
		f.Add([]byte(body))
	}
	g := &V2{}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := g.Read(body)
		if err != nil {
			if !errors.Is(err, gateway.ErrUnreadable) {
				t.Fatalf("%q: %v is not 400", body, err)
			}
			return
		}
		var outer map[string]json.RawMessage
		if !utf8.Valid(body) || json.Unmarshal(body, &outer) != nil {
			t.Fatalf("%q is not what encoding/json takes", body)
		}
		_, hasType := outer["type"]
		if _, hasMsg := outer["msg"]; !hasType && !hasMsg {
			checkFlat(t, g, body, outer, got)
			return
		}
		if want := strictjsontest.Text(outer["type"]); want == "" || got.Type != want || got.Ping != (want == ActivationType) {
			t.Fatalf("type %q of %q, want %q", got.Type, body, want)
		}
		var msg map[string]json.RawMessage
		_ = json.Unmarshal(outer["msg"], &msg) // of what is no object nothing is read
		if again := strictjsontest.Count(outer["msg"], "recordId", "orderId", "status", "isFlaggedAsRisky", "coinId"); again > 1 {
			t.Fatalf("%q has a key %d times", body, again)
		}
		for name, have := range map[string]string{
			"orderId": got.OrderID, "referenceId": got.ReferenceID, "userId": got.UserID, "status": got.Status, "coinId": got.CoinID,
		} {
			if want := strictjsontest.Text(msg[name]); have != want {
				t.Fatalf("%s is %q, want %q, in %q", name, have, want, body)
			}
		}
		if want, ok := map[string]string{"true": "true", "false": "false"}[string(msg["isFlaggedAsRisky"])]; ok != (got.Risk != "unknown") || ok && want != string(got.Risk) {
			t.Fatalf("risky is %q in %q", got.Risk, body)
		}
		if record := strictjsontest.Text(msg["recordId"]); got.RecordID != record || (record == "") != (got.Digest != "") {
			t.Fatalf("record %q, digest %q, want %q, in %q", got.RecordID, got.Digest, record, body)
		}
		if again, err := g.Read(bytes.Clone(body)); err != nil || again != got {
			t.Fatalf("read again, %q is %+v: %v", body, again, err)
		}
		if got.RecordID == "" {
			return // such an event is known by its very bytes
		}
		for _, other := range respelt(t, body) {
			if again, err := g.Read(other); err != nil || again != got {
				t.Fatalf("%q is %+v, and as %q %+v: %v", body, got, other, again, err)
			}
		}
	})
}

// checkFlat: a webhook without type and msg is about a risky address, and the same event
// as its like with them.
func checkFlat(t *testing.T, g *V2, body []byte, outer map[string]json.RawMessage, got gateway.Notice) {
	t.Helper()
	if strictjsontest.Text(outer["address"]) == "" || strictjsontest.Text(outer["riskAt"]) == "" || strictjsontest.Count(body, "chainId", "address", "riskAt") > 1 {
		t.Fatalf("%q is no webhook about a risky address", body)
	}
	if got.Digest == "" || got != (gateway.Notice{Type: RiskyAddressType, Risk: "unknown", Digest: got.Digest}) {
		t.Fatalf("%q is %+v", body, got)
	}
	if strictjsontest.Count(body, "recordId", "orderId", "referenceId", "userId", "coinId", "status", "isFlaggedAsRisky") > 0 {
		return // which are read of msg, and not of this
	}
	wrapped := slices.Concat([]byte(`{"type":"RiskyAddress","msg":`), body, []byte(`}`))
	if !json.Valid(wrapped) {
		return // one level too deep
	}
	if again, err := g.Read(wrapped); err != nil || again != got {
		t.Fatalf("%q is %+v, and with its envelope %+v: %v", body, got, again, err)
	}
}

// respelt returns the same JSON without white space and with more of it.
func respelt(t *testing.T, body []byte) [][]byte {
	var compact, indented bytes.Buffer
	if json.Compact(&compact, body) != nil || json.Indent(&indented, body, " ", "\t") != nil {
		t.Fatalf("%q cannot be spelt otherwise", body)
	}
	return [][]byte{compact.Bytes(), indented.Bytes()}
}
