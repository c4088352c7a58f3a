package ccpaymentv1

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// TestRead: what webhooks say, of the types that are known and of others.
func TestRead(t *testing.T) {
	for name, test := range map[string]struct {
		body string
		want gateway.Notice
	}{
		"a deposit": {
			`{"record_id":"202302080642261623213440434253824","order_id":"20230208","extend":{"merchant_order_id":"order-1","product_price":"1"},` +
				`"order_type":"API Deposit","pay_status":"success","paid_amount":"49.9","crypto":"USDT"}`,
			gateway.Notice{Type: "API Deposit", Status: "success", RecordID: "202302080642261623213440434253824", ReferenceID: "20230208", OrderID: "order-1"},
		},
		"a withdrawal": {
			`{"order_type":"API Withdrawal","pay_status":"failed","record_id":"7","order_id":"8","extend":{"merchant_order_id":"payout-1"}}`,
			gateway.Notice{Type: "API Withdrawal", Status: "failed", RecordID: "7", ReferenceID: "8", OrderID: "payout-1"},
		},
		"a refund of numbers": {
			`{"order_type":"Refund","pay_status":"success","record_id":7,"order_id":123456789012345678901234567890,"extend":{"merchant_order_id":9}}`,
			gateway.Notice{Type: "Refund", Status: "success", RecordID: "7", ReferenceID: "123456789012345678901234567890", OrderID: "9"},
		},
		"an unknown type": {`{"order_type":"DApp Deposit","record_id":"7"}`, gateway.Notice{Type: "DApp Deposit", RecordID: "7"}},
		"no order":        {`{"order_type":"API Deposit","pay_status":"success","record_id":"7","extend":null}`, gateway.Notice{Type: "API Deposit", Status: "success", RecordID: "7"}},
		"a list":          {`{"order_type":"API Deposit","record_id":"7","extend":[{"merchant_order_id":"x"}]}`, gateway.Notice{Type: "API Deposit", RecordID: "7"}},
		"what is not read may stand twice": {
			`{"order_type":"API Deposit","record_id":"7","crypto":"A","crypto":"B","extend":{"x":1,"x":2}}`, gateway.Notice{Type: "API Deposit", RecordID: "7"},
		},
	} {
		test.want.Risk = ledger.RiskUnknown
		if got, err := new(V1).Read([]byte(test.body)); err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, test.want)
		}
	}
}

// TestReadNothing: where there is no event, or two, nothing is read: neither are answers
// and calls, which are signed as webhooks are, nor webhooks of V2.
func TestReadNothing(t *testing.T) {
	for _, body := range []string{
		``, `null`, `[]`, `{}`, `{"order_type":"API Deposit"`, "{\"order_type\":\"\xff\"}", `{"order_type":"API Deposit"}x`,
		`{"order_type":""}`, `{"order_type":7,"record_id":"7"}`, `{"order_type":null}`, `{"record_id":"7","pay_status":"success"}`,
		`{"order_type":"API Deposit","order_type":"Refund"}`, `{"order_type":"API Deposit","order_t\u0079pe":"Refund"}`,
		`{"order_type":"API Deposit","pay_status":"failed","pay_status":"success"}`, `{"order_type":"API Deposit","record_id":"7","record_id":"8"}`,
		`{"order_type":"API Deposit","order_id":"7","order_id":"8"}`, `{"order_type":"API Deposit","extend":{},"extend":{"merchant_order_id":"x"}}`,
		`{"order_type":"API Deposit","extend":{"merchant_order_id":"x","merchant_order_id":"y"}}`,
		`{"code":10000,"msg":"success","data":{"order_id":"1","record_id":"2"}}`,
		`{"token_id":"t","address":"a","merchant_order_id":"payout-1","value":"10"}`,
		`{"type":"ApiDeposit","msg":{"recordId":"7","orderId":"order-1","status":"Success"}}`,
	} {
		if n, err := new(V1).Read([]byte(body)); !errors.Is(err, gateway.ErrUnreadable) || !reflect.DeepEqual(n, gateway.Notice{}) {
			t.Errorf("%s: %+v, %v", body, n, err)
		}
	}
}

// TestReadNameless: webhooks that name no record are told apart by all that they say, and a
// copy of one is the same.
func TestReadNameless(t *testing.T) {
	digest := func(body string) string {
		t.Helper()
		n, err := new(V1).Read([]byte(body))
		if err != nil || n.RecordID != "" || n.Digest == "" {
			t.Errorf("%s: %+v, %v", body, n, err)
		}
		return n.Digest
	}
	one := digest(`{"order_type":"API Deposit","paid_amount":"1"}`)
	if two := digest(`{"order_type":"API Deposit","paid_amount":"1"}`); two != one {
		t.Error("a copy is another event")
	}
	if other := digest(`{"order_type":"API Deposit","paid_amount":"2"}`); other == one {
		t.Error("another event is a copy")
	}
}

// FuzzRead: a body is unreadable, or it names an event that does not depend on white space
// or on the order of keys.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		body, `{"order_type":"Refund","record_id":1,"extend":{"merchant_order_id":"x"}}`, `{"order_type":"a","extend":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`,
		`{"order_type":"a","order_type":"b"}`, `[]`, ``, "{\"order_type\":\"\xff\"}", `{"order_type":"\ud800","record_id":"7"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := new(V1).Read(body)
		if err != nil {
			if !errors.Is(err, gateway.ErrUnreadable) || !reflect.DeepEqual(got, gateway.Notice{}) {
				t.Fatalf("%q: %+v, %v", body, got, err)
			}
			return
		}
		if got.Type == "" || (got.RecordID == "") == (got.Digest == "") || got.Risk != ledger.RiskUnknown {
			t.Fatalf("%q: %+v names no event", body, got)
		}
		if got.RecordID == "" {
			return // its name is all that it says
		}
		var spaced bytes.Buffer
		if json.Indent(&spaced, body, " ", "\t") != nil {
			t.Fatalf("%q is not what encoding/json takes", body)
		}
		if again, err := new(V1).Read(spaced.Bytes()); err != nil || !reflect.DeepEqual(again, got) {
			t.Fatalf("%q: %+v, %v, and with white space %+v", body, got, err, again)
		}
	})
}
