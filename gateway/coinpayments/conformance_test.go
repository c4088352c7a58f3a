package coinpayments

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/gateway/gatewaytest"
	"github.com/seed-338f6760/caddy-ccpayment/internal/rotation"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
	box "github.com/seed-338f6760/caddy-ccpayment/sandbox/coinpayments"
)

// merchant is CoinPayments' sandbox for the suite.
type merchant struct{ *sandbox.Sandbox }

func (merchant) Driver(o gatewaytest.Options) gateway.Driver {
	m := &Module{ClientID: o.AccountID, ClientSecret: o.Secret, BaseURL: o.BaseURL + box.BasePath}
	for _, p := range o.Previous {
		m.PreviousSecrets = append(m.PreviousSecrets, rotation.PreviousSecret{Secret: p.Secret, Until: p.Until})
	}
	return m
}

func (merchant) Sign(s gatewaytest.Signing) http.Header {
	timestamp := coinpayments.Timestamp(s.At)
	return signedAs(s, timestamp, box.Sign(s.Secret, http.MethodPost, s.URL, s.AccountID, timestamp, s.Body))
}

func signedAs(s gatewaytest.Signing, timestamp, signature string) http.Header {
	header := make(http.Header)
	header.Set(coinpayments.HeaderClient, s.AccountID)
	header.Set(coinpayments.HeaderTimestamp, timestamp)
	header.Set(coinpayments.HeaderSignature, signature)
	return header
}

// Pay implements [gatewaytest.Sandbox] for orders of two litecoins.
func (m merchant) Pay(t *testing.T, orderID string, way gatewaytest.Way) {
	t.Helper()
	p := box.Payment{OrderID: orderID, Coin: "LTC", Instant: true, Wait: time.Minute}
	switch way {
	case gatewaytest.Half:
		p.Amount = decimal.New(1, 0)
	case gatewaytest.Over:
		p.Amount = decimal.New(3, 0)
	case gatewaytest.Late:
		p.Late = true
	case gatewaytest.Failed:
		p.Status = "failed"
	}
	if _, err := m.CoinPayments().Pay(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	m.Advance(box.CompleteAfter)
}

// Repeat implements [gatewaytest.Repeater]: each copy has a notification id of its own.
func (m merchant) Repeat(t *testing.T, orderID string, times int) {
	t.Helper()
	if _, err := m.CoinPayments().Copy(orderID, "", times); err != nil {
		t.Fatal(err)
	}
	m.Advance(time.Second)
}

// forgery is a signature by another hash, in another encoding, over other parts.
func forgery(sum func() hash.Hash, encode func([]byte) string, parts func(s gatewaytest.Signing, timestamp string) []string) func(gatewaytest.Signing) http.Header {
	return func(s gatewaytest.Signing) http.Header {
		timestamp := coinpayments.Timestamp(s.At)
		mac := hmac.New(sum, []byte(s.Secret))
		mac.Write([]byte(strings.Join(parts(s, timestamp), "")))
		return signedAs(s, timestamp, encode(mac.Sum(nil)))
	}
}

var (
	standard = base64.StdEncoding.EncodeToString
	whole    = func(s gatewaytest.Signing, at string) []string {
		return []string{"\ufeff", "POST", s.URL, s.AccountID, at, string(s.Body)}
	}
)

func lacking(n int) func(gatewaytest.Signing, string) []string {
	return func(s gatewaytest.Signing, at string) []string {
		parts := whole(s, at)
		parts[n] = ""
		return parts
	}
}

func replaced(n int, by func(string) string) func(gatewaytest.Signing, string) []string {
	return func(s gatewaytest.Signing, at string) []string {
		parts := whole(s, at)
		parts[n] = by(parts[n])
		return parts
	}
}

// timed is a signature with a timestamp of another form.
func timed(form func(time.Time) string) func(gatewaytest.Signing) http.Header {
	return func(s gatewaytest.Signing) http.Header {
		timestamp := form(s.At.UTC())
		return signedAs(s, timestamp, box.Sign(s.Secret, http.MethodPost, s.URL, s.AccountID, timestamp, s.Body))
	}
}

// edit changes the invoice in an answer, where it is one.
func edit(change func(invoice map[string]any)) gatewaytest.Alter {
	return func(r *http.Request, answer []byte) []byte {
		if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/merchant/invoices/") {
			return answer
		}
		var invoice map[string]any
		decoder := json.NewDecoder(bytes.NewReader(answer))
		decoder.UseNumber()
		if decoder.Decode(&invoice) != nil {
			return answer
		}
		change(invoice)
		text, err := json.Marshal(invoice)
		if err != nil {
			panic(err)
		}
		return text
	}
}

// is sets a member of an invoice, and state the state of its payments.
func is(name string, value any) gatewaytest.Alter {
	return edit(func(invoice map[string]any) { invoice[name] = value })
}

func state(status, payments string) gatewaytest.Alter {
	return edit(func(invoice map[string]any) {
		invoice["status"] = status
		for _, p := range invoice["payments"].([]any) {
			p.(map[string]any)["state"] = payments
		}
	})
}

func pays(change map[string]any) gatewaytest.Alter {
	return edit(func(invoice map[string]any) {
		for _, p := range invoice["payments"].([]any) {
			for name, value := range change {
				p.(map[string]any)[name] = value
			}
		}
	})
}

// TestConformance: CoinPayments is a gateway as others are.
func TestConformance(t *testing.T) {
	upper := func(text string) string { return strings.ToUpper(text) }
	features := gatewaytest.Features{
		AccountID: vectors.Client, Secret: vectors.Secret, StrangerID: "dc6a16e545c34187ba21a9edbbe484a6",
		AccountHeader: coinpayments.HeaderClient, TimestampHeader: coinpayments.HeaderTimestamp,
		OtherSecrets: []string{"secret-0", "secret-1", "secret-2", "secret-3"},
		Price:        gateway.Price{Amount: "2", Currency: "LTC"},
		Ways:         []gatewaytest.Way{gatewaytest.Half, gatewaytest.Rest, gatewaytest.Over, gatewaytest.Late, gatewaytest.Failed},
		Made: func(r *http.Request, answer []byte) bool {
			return r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/merchant/invoices") && bytes.Contains(answer, []byte(`"checkoutLink"`))
		},
		Forgeries: map[string]func(gatewaytest.Signing) http.Header{
			"hex":               forgery(sha256.New, hex.EncodeToString, whole),
			"base64 for URLs":   forgery(sha256.New, func(sum []byte) string { return base64.URLEncoding.EncodeToString(append(sum[:31], 0xff)) }, whole),
			"without padding":   forgery(sha256.New, base64.RawStdEncoding.EncodeToString, whole),
			"in lower case":     forgery(sha256.New, func(sum []byte) string { return strings.ToLower(standard(sum)) }, whole),
			"SHA-512":           forgery(sha512.New, standard, whole),
			"a part of it":      forgery(sha256.New, func(sum []byte) string { return standard(sum[:16]) }, whole),
			"nothing":           forgery(sha256.New, func([]byte) string { return standard(make([]byte, sha256.Size)) }, whole),
			"no mark":           forgery(sha256.New, standard, lacking(0)),
			"no method":         forgery(sha256.New, standard, lacking(1)),
			"no URL":            forgery(sha256.New, standard, lacking(2)),
			"no client":         forgery(sha256.New, standard, lacking(3)),
			"no timestamp":      forgery(sha256.New, standard, lacking(4)),
			"no body":           forgery(sha256.New, standard, lacking(5)),
			"a method in small": forgery(sha256.New, standard, replaced(1, strings.ToLower)),
			"another method":    forgery(sha256.New, standard, replaced(1, func(string) string { return "GET" })),
			"the path":          forgery(sha256.New, standard, replaced(2, func(text string) string { u, _ := url.Parse(text); return u.Path })),
			"another client":    forgery(sha256.New, standard, replaced(3, upper)),
			"a decoded secret": func(s gatewaytest.Signing) http.Header {
				raw, _ := base64.StdEncoding.DecodeString(s.Secret)
				s.Secret = string(raw)
				return merchant{}.Sign(s)
			},
			"with a zone":        timed(func(at time.Time) string { return coinpayments.Timestamp(at) + "Z" }),
			"with a fraction":    timed(func(at time.Time) string { return at.Format("2006-01-02T15:04:05.000") }),
			"in seconds":         timed(func(at time.Time) string { return fmt.Sprint(at.Unix()) }),
			"with a space":       timed(func(at time.Time) string { return at.Format(time.DateTime) }),
			"no date":            timed(func(time.Time) string { return "2026-02-30T09:30:00" }),
			"an hour of a digit": timed(func(time.Time) string { return "2026-01-15T9:30:000" }),
		},
		Behind: map[string]gatewaytest.Alter{"pending": state("pending", "pending")},
		Lies: map[string]gatewaytest.Alter{
			"cancelled":           is("status", "cancelled"),
			"timed out":           is("status", "timedOut"),
			"refunded":            is("status", "refunded"),
			"sent back":           state("completed", "refunded"),
			"another total":       is("amount", map[string]any{"total": "0.02"}),
			"another currency":    is("currency", map[string]any{"id": "1", "symbol": "BTC", "decimalPlaces": 8}),
			"another integration": is("clientId", "dc6a16e545c34187ba21a9edbbe484a6"),
			"too little":          pays(map[string]any{"actualAmount": "1.9", "nativeActualAmount": "1.9"}),
			"an error":            pays(map[string]any{"errorCode": "PayoutAmountIsLessThanDust"}),
		},
	}
	gatewaytest.Run(t, features, func(t *testing.T) gatewaytest.Sandbox {
		t.Helper()
		s, err := sandbox.New(sandbox.Options{CoinPayments: box.Options{ClientID: vectors.Client, ClientSecret: vectors.Secret}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		return merchant{s}
	})
}
