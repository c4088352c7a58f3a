package ccpayment

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
)

// BenchmarkVerifyAndRead is what a webhook costs before the ledger is used.
func BenchmarkVerifyAndRead(b *testing.B) {
	const appID, secret = "app-123", "secret-456"
	front := `{"type":"ApiDeposit","msg":{"recordId":"20240312000000000000000000000001","orderId":"order-1234567890","coinId":1280,"coinSymbol":"USDT","status":"Success","isFlaggedAsRisky":false,"note":"`
	body := []byte(front + strings.Repeat("x", 300-len(front)-len(`"}}`)) + `"}}`)

	g, err := New(Config{AppID: appID, AppSecret: secret}, gateway.OpenOptions{Timeout: time.Second})
	if err != nil {
		b.Fatal(err)
	}
	now := time.Now()
	timestamp := strconv.FormatInt(now.Unix(), 10)
	header := http.Header{"Appid": {appID}, "Timestamp": {timestamp}, "Sign": {
		client.Sign(client.Credentials{AppID: appID, AppSecret: secret}, timestamp, body),
	}}

	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := g.Verify(gateway.Request{Header: header, Body: body}, now); err != nil {
			b.Fatal(err)
		}
		if _, err := g.Read(body); err != nil {
			b.Fatal(err)
		}
	}
}
