package client

import (
	"bytes"
	"encoding/json"
	"testing"
)

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
