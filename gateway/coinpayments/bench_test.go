package coinpayments

import (
	"net/http"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
)

// BenchmarkVerifyAndRead is what a webhook costs before the ledger is used.
func BenchmarkVerifyAndRead(b *testing.B) {
	g := open(b, Config{})
	now := time.Now()
	body := []byte(vectors.Paid)
	header := signed(coinpayments.Credentials{ClientID: vectors.Client, ClientSecret: vectors.Secret}, hookURL, coinpayments.Timestamp(now), body)
	header.Set("Content-Type", "application/json")
	header.Set("User-Agent", "CoinPayments")
	r := gateway.Request{Method: http.MethodPost, URL: hookURL, Header: header, Body: body}

	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := g.Verify(r, now); err != nil {
			b.Fatal(err)
		}
		if _, err := g.Read(body); err != nil {
			b.Fatal(err)
		}
	}
}
