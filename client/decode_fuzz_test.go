package client

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/internal/apiclient/apiclienttest"
)

// FuzzParseAmount: an amount that is taken is exactly the number that was
// written, however it is spelt, and stays small.
func FuzzParseAmount(f *testing.F) {
	for _, text := range []string{
		"", "0", "49.90", "-1", "+1.", ".5", "1e40", "1E-40", "1e41", "1e20000000", "1e+-1", "e5", "1.2.3", "1e2e3", "0x10", "NaN", "١٢",
		"0.1000000000000000055511151231257827", strings.Repeat("9", 40), strings.Repeat("9", 41), strings.Repeat("0", 100), " 1", "1_0", "--1", ".+5", ".-5", "1.-5",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ParseAmount(text)
		if err != nil {
			if !got.IsZero() {
				t.Fatalf("%q is refused, and %s", text, got)
			}
			return
		}
		checkAmount(t, got, text)
		if len(got.String()) > 100 {
			t.Fatalf("%q becomes %s", text, got)
		}
		if back, err := ParseAmount(got.String()); err == nil && !back.Equal(got) {
			t.Fatalf("%q is %s, and read again %s", text, got, back)
		}
	})
}

func checkAmount(t *testing.T, got decimal.Decimal, text string) {
	if !apiclienttest.IsExactly(got, text) {
		t.Fatalf("%q is read as %s", text, got)
	}
}

// FuzzDecodeRecord: every amount of a record is exactly the number that stands
// in the JSON, every text its text, and fields that nobody knows change nothing.
func FuzzDecodeRecord(f *testing.F) {
	for _, record := range []string{
		`{"recordId":"20240312","orderId":1,"coinId":1280,"amount":"0.1000000000000000055511151231257827","serviceFee":0,"coinUSDPrice":1.0003,"status":"Success","isFlaggedAsRisky":false,"arrivedAt":1710232720}`,
		`{"amount":0.1,"serviceFee":1e-7,"coinUSDPrice":-0,"arrivedAt":"1710232720123"}`,
		`{"amount":1e20000000}`, `{"amount":1,"amount":2}`, `{"amount":1,"\u0061mount":2}`, `{"amount":null}`, `{"amount":[1]}`,
		` { "amount" : 1 , "toMemo" : "a\"b\\" , "x" : { "amount" : 2 } } `, `{"isFlaggedAsRisky":"true"}`, `{"status":"\ud800"}`, `[]`, `{}`, ``,
	} {
		f.Add([]byte(record), []byte(`{"amount":[1,2,{"recordId":null}]}`))
	}
	f.Add([]byte(`{"amount":1}`), []byte(`"}{\""`))
	f.Fuzz(func(t *testing.T, data, extra []byte) {
		var got DepositRecord
		if decode(data, &got) != nil {
			return
		}
		if string(data) == "null" {
			return
		}
		var members map[string]json.RawMessage
		if err := json.Unmarshal(data, &members); err != nil && got.RecordID == "" {
			return // a record that is null, with white space around it
		} else if err != nil {
			t.Fatalf("%q is no object: %v", data, err)
		}
		for name, amount := range map[string]decimal.Decimal{"amount": got.Amount, "serviceFee": got.ServiceFee, "coinUSDPrice": got.CoinUSDPrice} {
			checkAmount(t, amount, apiclienttest.Plain(members[name]))
		}
		for name, text := range map[string]string{"recordId": got.RecordID, "orderId": got.OrderID, "coinId": got.CoinID, "toMemo": got.ToMemo} {
			if want := apiclienttest.Plain(members[name]); text != want {
				t.Fatalf("%s is %q, want %q, in %q", name, text, want, data)
			}
		}
		if got.ArrivedAt.IsZero() != (apiclienttest.Plain(members["arrivedAt"]) == "" || apiclienttest.Plain(members["arrivedAt"]) == "0") || got.ArrivedAt.After(time.Unix(1e13, 0)) {
			t.Fatalf("arrivedAt of %q is %s", data, got.ArrivedAt)
		}
		if !json.Valid(extra) || members == nil {
			return
		}
		// The same object, with a field in front that nobody knows.
		more := `{"aFieldOfTomorrow":` + string(extra)
		rest := strings.TrimLeft(strings.TrimSpace(string(data))[1:], " \t\r\n")
		if rest != "}" {
			more += ","
		}
		var same DepositRecord
		if err := decode([]byte(more+rest), &same); err != nil {
			t.Fatalf("%s%s: %v", more, rest, err)
		}
		if same.Raw, got.Raw = nil, nil; !reflect.DeepEqual(same, got) {
			t.Fatalf("%+v became %+v", got, same)
		}
	})
}

// FuzzAnswer: whatever answers in CCPayment's place, a call that moves money
// succeeded only if CCPayment's code says so, is refused for good only by a
// code that is known, and no error text ends a line of the log.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []struct {
		status int
		body   string
	}{
		{200, `{"code":10000,"msg":"success","data":{"recordId":"1"}}`},
		{200, `{"code":"10000"}`},
		{502, `{"code":10000,"data":{}}`},
		{200, `{"code":11003,"msg":"bad\r\nsign"}`},
		{301, `{"code":11003}`},
		{200, `{"code":10000,"code":11003}`},
		{200, `{"code":1e4}`},
		{200, `{"code":10000.0}`},
		{200, `{"code":99999999999999999999}`},
		{200, `<html>`},
		{500, ``},
		{200, `{"code":10001}`},
		{429, `{"code":11005}`},
	} {
		f.Add(seed.status, []byte(seed.body))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		for _, endpoint := range []string{"applyAppWithdrawToNetwork", endpointDepositRecord} {
			data, happened, err := readAnswer(endpoint, status, body)
			var envelope map[string]json.RawMessage
			wellFormed := json.Unmarshal(body, &envelope) == nil
			code := apiclienttest.Plain(envelope["code"])
			if err == nil && (!wellFormed || code != "10000" && code != "+10000" && strings.TrimLeft(code, "+0") != "10000" || status < 200 || status > 299) {
				t.Fatalf("%d %q was a success", status, body)
			}
			if err == nil && len(data) > 0 && !json.Valid(data) {
				t.Fatalf("%d %q has the data %q", status, body, data)
			}
			if err != nil && happened == refused && (!wellFormed || code == "" || code == "10000") {
				t.Fatalf("%d %q was a refusal", status, body)
			}
			if err != nil && strings.ContainsAny(err.Error(), "\r\n") {
				t.Fatalf("%q ends a line", err)
			}
		}
	})
}
