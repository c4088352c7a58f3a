package ccpayment

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"maps"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/gateway/gatewaytest"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// merchant is CCPayment's sandbox for the suite.
type merchant struct{ *sandbox.Sandbox }

func (merchant) Driver(o gatewaytest.Options) gateway.Driver {
	m := &Module{Options{AppID: o.AccountID, AppSecret: o.Secret, BaseURL: o.BaseURL + "/ccpayment/v2"}}
	for _, p := range o.Previous {
		m.PreviousSecrets = append(m.PreviousSecrets, PreviousSecret{Secret: p.Secret, Until: p.Until})
	}
	return m
}

func (merchant) Sign(s gatewaytest.Signing) http.Header {
	timestamp := strconv.FormatInt(s.At.Unix(), 10)
	return signedAs(s, timestamp, sandbox.Sign(s.AccountID, s.Secret, timestamp, s.Body))
}

func signedAs(s gatewaytest.Signing, timestamp, sign string) http.Header {
	return http.Header{"Appid": {s.AccountID}, "Timestamp": {timestamp}, "Sign": {sign}}
}

// Pay implements [gatewaytest.Sandbox] for orders of ten dollars, or of ten coins.
func (m merchant) Pay(t *testing.T, orderID string, way gatewaytest.Way) {
	t.Helper()
	p := sandbox.Payment{OrderID: orderID, Instant: true, Wait: time.Minute, Late: way == gatewaytest.Late, Risky: way == gatewaytest.Risky}
	switch way {
	case gatewaytest.Half:
		p.Amount = decimal.New(5, 0)
	case gatewaytest.Again:
		p.Amount = decimal.New(10, 0)
	case gatewaytest.Over:
		p.Amount = decimal.New(15, 0)
	case gatewaytest.WrongCoin:
		p.Coin, p.Amount = "TRX", decimal.New(10, 0)
	case gatewaytest.Failed:
		p.Status = "failed"
	}
	if _, err := m.Sandbox.Pay(t.Context(), p); err != nil {
		t.Fatal(err)
	}
}

// forgery is a signature by another hash, in another encoding, over other parts.
func forgery(sum func() hash.Hash, encode func([]byte) string, parts func(s gatewaytest.Signing, timestamp string) string) func(gatewaytest.Signing) http.Header {
	return func(s gatewaytest.Signing) http.Header {
		timestamp := strconv.FormatInt(s.At.Unix(), 10)
		mac := hmac.New(sum, []byte(s.Secret))
		mac.Write([]byte(parts(s, timestamp)))
		return signedAs(s, timestamp, encode(mac.Sum(nil)))
	}
}

// timed is a signature with a timestamp of another form.
func timed(form func(time.Time) string) func(gatewaytest.Signing) http.Header {
	return func(s gatewaytest.Signing) http.Header {
		timestamp := form(s.At)
		return signedAs(s, timestamp, sandbox.Sign(s.AccountID, s.Secret, timestamp, s.Body))
	}
}

// says replaces what a pattern matches in the answers of a call; of one of an order, for
// each kind.
func says(call, from, to string) gatewaytest.Alter {
	pattern := regexp.MustCompile(from)
	return func(r *http.Request, answer []byte) []byte {
		if asked := path.Base(r.URL.Path); asked != call && (call != anOrder || asked != "getAppOrderInfo" && asked != "getInvoiceOrderInfo") {
			return answer
		}
		return pattern.ReplaceAll(answer, []byte(to))
	}
}

const (
	aRecord = "getAppDepositRecord"
	anOrder = "order"
)

// TestConformance: CCPayment is a gateway as others are, for each kind of order.
func TestConformance(t *testing.T) {
	whole := func(s gatewaytest.Signing, at string) string { return s.AccountID + at + string(s.Body) }
	features := gatewaytest.Features{
		AccountID: "app-123", Secret: "secret-456", StrangerID: "app-124",
		OtherSecrets: []string{"secret-0", "secret-1", "secret-2", "secret-3"}, AccountHeader: "Appid", TimestampHeader: "Timestamp",
		Made: func(r *http.Request, answer []byte) bool {
			makes := []string{"createInvoiceUrl", "createAppOrderDepositAddress"}
			return slices.Contains(makes, path.Base(r.URL.Path)) && bytes.Contains(answer, []byte(`"code":10000`))
		},
		Forgeries: map[string]func(gatewaytest.Signing) http.Header{
			"in capitals":  forgery(sha256.New, func(sum []byte) string { return strings.ToUpper(hex.EncodeToString(sum)) }, whole),
			"base64":       forgery(sha256.New, base64.StdEncoding.EncodeToString, whole),
			"SHA-512":      forgery(sha512.New, hex.EncodeToString, whole),
			"a part of it": forgery(sha512.New, func(sum []byte) string { return hex.EncodeToString(sum[:32]) }, whole),
			"nothing":      forgery(sha256.New, func([]byte) string { return strings.Repeat("0", 64) }, whole),
			"no app id":    forgery(sha256.New, hex.EncodeToString, func(s gatewaytest.Signing, at string) string { return at + string(s.Body) }),
			"no timestamp": forgery(sha256.New, hex.EncodeToString, func(s gatewaytest.Signing, _ string) string { return s.AccountID + string(s.Body) }),
			"no body":      forgery(sha256.New, hex.EncodeToString, func(s gatewaytest.Signing, at string) string { return s.AccountID + at }),
			"turned round": forgery(sha256.New, hex.EncodeToString, func(s gatewaytest.Signing, at string) string { return at + s.AccountID + string(s.Body) }),
			"V1's": func(s gatewaytest.Signing) http.Header {
				timestamp := strconv.FormatInt(s.At.Unix(), 10)
				return signedAs(s, timestamp, fmt.Sprintf("%x", sha256.Sum256([]byte(s.AccountID+s.Secret+timestamp+string(s.Body)))))
			},
			"in microseconds": timed(func(at time.Time) string { return strconv.FormatInt(at.UnixMicro(), 10) }),
			"with a sign":     timed(func(at time.Time) string { return fmt.Sprintf("+%d", at.Unix()/10) }),
			"as a date":       timed(func(at time.Time) string { return at.UTC().Format(time.RFC3339) }),
			"as a fraction":   timed(func(at time.Time) string { return fmt.Sprintf("%d.25", at.Unix()) }),
		},
		Behind: map[string]gatewaytest.Alter{
			"the record":            says(aRecord, `"status":"Success"`, `"status":"Processing"`),
			"the order":             says(anOrder, `"status":"Success"`, `"status":"Processing"`),
			"the order as it was":   says(anOrder, `"recordId":"`, `"recordId":"9`),
			"the record's amount":   says(aRecord, `"amount":"[^"]*"`, `"amount":""`),
			"the order, and silent": says(anOrder, `"status":"Success"`, `"status":""`),
		},
	}
	lies := map[string]gatewaytest.Alter{
		"failed":        says(aRecord, `"status":"Success"`, `"status":"Failed"`),
		"another order": says(aRecord, `"orderId":"`, `"orderId":"x`),
		"another coin":  says(aRecord, `"coinId":1280`, `"coinId":1482`),
		"risky":         says(aRecord, `"isFlaggedAsRisky":false`, `"isFlaggedAsRisky":true`),
		"a user's":      says(aRecord, `"orderId":`, `"userId":"user-1","orderId":`),
	}
	ways := []gatewaytest.Way{
		gatewaytest.Half, gatewaytest.Rest, gatewaytest.Again, gatewaytest.Over, gatewaytest.Late, gatewaytest.Risky, gatewaytest.Failed,
	}
	for name, kind := range map[string]struct {
		price   gateway.Price
		cheaper gatewaytest.Alter
	}{
		"invoice in fiat": {gateway.Price{Amount: "10", Currency: "USD"}, says(anOrder, `"price":"[^"]*"`, `"price":"0.1"`)},
		"order in fiat":   {gateway.Price{Amount: "10", Currency: "USD", Coin: "USDT", Chain: "TRX"}, says(anOrder, `"amountToPay":"[^"]*"`, `"amountToPay":"0.1"`)},
		"order in coin":   {gateway.Price{Amount: "10", Currency: "USDT", Coin: "USDT", Chain: "TRX"}, says(anOrder, `"amountToPay":"[^"]*"`, `"amountToPay":"0.1"`)},
	} {
		t.Run(name, func(t *testing.T) {
			f := features
			f.Price, f.Ways, f.Lies = kind.price, ways, maps.Clone(lies)
			f.Lies["another price"] = kind.cheaper
			if kind.price.Coin != "" { // an invoice takes any coin
				f.Ways = append(slices.Clone(ways), gatewaytest.WrongCoin)
			}
			gatewaytest.Run(t, f, func(t *testing.T) gatewaytest.Sandbox {
				t.Helper()
				s, err := sandbox.New(sandbox.Options{AppID: f.AccountID, AppSecret: f.Secret})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(s.Close)
				return merchant{s}
			})
		})
	}
}
