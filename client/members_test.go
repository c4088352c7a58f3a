package client

import (
	"bytes"
	"encoding/json"
	"testing"
)

// FuzzMembers: an object is taken apart as encoding/json does it, whatever
// stands in it, and reading it never panics.
func FuzzMembers(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{ }`, `{"a":1}`, ` { "a" : "b" , "c" : [ 1 , { "d" : null } ] } `, `{"a\"b":"\\","c":"}]\\\""}`,
		`{"a":{"b":{}},"c":[[],[]],"d":-1e5,"e":true}`, `{"a":"\u007d","":""}`, `[]`, `"{"`, `null`, `{"a":1,"a":2}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var record DepositRecord
		_ = decode(data, &record)
		var quote SwapQuote
		_ = decode(data, &quote)

		var want map[string]json.RawMessage
		data = bytes.TrimSpace(data)
		if !json.Valid(data) || data[0] != '{' || json.Unmarshal(data, &want) != nil {
			return
		}
		got := make(map[string]json.RawMessage)
		err := eachMember(data, func(name string, value json.RawMessage) error {
			got[name] = value
			return nil
		})
		if err != nil || len(got) != len(want) {
			t.Fatalf("%q has the members %q, not %q: %v", data, got, want, err)
		}
		for name, value := range want {
			if !bytes.Equal(got[name], value) {
				t.Fatalf("%q of %q is %q, not %q", name, data, got[name], value)
			}
		}
	})
}

// BenchmarkDecodeCoins reads a token list of 1,500 coins, side by side with
// encoding/json, which does less.
func BenchmarkDecodeCoins(b *testing.B) {
	var list bytes.Buffer
	list.WriteString(`{"coins":[`)
	for i := range 1500 {
		if i > 0 {
			list.WriteByte(',')
		}
		list.WriteString(`{"coinId":1207,"symbol":"LINK","coinFullName":"ChainLink Token","logoUrl":"https://shop.example/link.png",` +
			`"status":"Normal","networks":{"BSC":{"chain":"BSC","chainFullName":"Binance Smart Chain","contract":"0xf8a0","precision":18,` +
			`"canDeposit":true,"canWithdraw":true,"minimumDepositAmount":"0","minimumWithdrawAmount":"0.025",` +
			`"maximumWithdrawAmount":"0","isSupportMemo":false}}}`)
	}
	list.WriteString(`]}`)
	b.Run("client", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var answer coinsAnswer
			if err := decode(list.Bytes(), &answer); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var answer map[string]any
			if err := json.Unmarshal(list.Bytes(), &answer); err != nil {
				b.Fatal(err)
			}
		}
	})
}
