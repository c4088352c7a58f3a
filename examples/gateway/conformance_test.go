package examplegateway_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	examplegateway "github.com/seed-338f6760/caddy-ccpayment/examples/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/gateway/gatewaytest"
)

// examplePay is Example Pay for the suite: its API, and its buyers. Orders are of ten euros.
type examplePay struct {
	mu       sync.Mutex
	hooks    map[string]string   // where an order's webhooks are sent to
	orders   map[string][]string // the payments of each
	payments map[string]string
}

func (*examplePay) Driver(o gatewaytest.Options) gateway.Driver {
	return &examplegateway.Module{MerchantID: o.AccountID, Secret: o.Secret, API: o.BaseURL}
}

func (*examplePay) Sign(s gatewaytest.Signing) http.Header {
	at := strconv.FormatInt(s.At.Unix(), 10)
	return http.Header{"X-Example-Timestamp": {at}, "X-Example-Signature": {sign(s.Secret, at, string(s.Body))}}
}

// Sell implements [gatewaytest.Seller].
func (p *examplePay) Sell(_ *testing.T, orderID, notifyURL string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.orders[orderID], p.hooks[orderID] = nil, notifyURL
}

// Pay implements [gatewaytest.Sandbox]: a payment is pending, and then paid or failed.
func (p *examplePay) Pay(t *testing.T, orderID string, way gatewaytest.Way) {
	t.Helper()
	amount, status := "10.00", "paid"
	switch way {
	case gatewaytest.Half, gatewaytest.Rest:
		amount = "5.00"
	case gatewaytest.Over:
		amount = "15.00"
	case gatewaytest.Failed:
		status = "failed"
	}
	p.mu.Lock()
	hook, id := p.hooks[orderID], fmt.Sprintf("p%d", len(p.payments)+1)
	as := func(status string) string {
		return fmt.Sprintf(`{"id":%q,"order":%q,"status":%q,"currency":"EUR","amount":%q}`, id, orderID, status, amount)
	}
	p.payments[id] = as(status)
	p.orders[orderID] = append(p.orders[orderID], as(status))
	p.mu.Unlock()
	for _, status := range []string{"pending", status} {
		body := []byte(`{"type":"payment","payment":` + as(status) + `}`)
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, hook, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header = p.Sign(gatewaytest.Signing{Secret: secret, At: time.Now(), Body: body})
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
	}
}

// ServeHTTP is the API.
func (p *examplePay) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, kind, _ := strings.Cut(r.URL.Path, "/")
	kind, id, _ := strings.Cut(kind, "/")
	payments, isOrder := p.orders[id]
	payment, isPayment := p.payments[id]
	switch {
	case r.Header.Get("Authorization") != "Bearer "+secret:
		w.WriteHeader(http.StatusUnauthorized)
	case kind == "orders" && isOrder:
		fmt.Fprintf(w, `{"id":%q,"currency":"EUR","amount":"10.00","payments":[%s]}`, id, strings.Join(payments, ","))
	case kind == "payments" && isPayment:
		fmt.Fprint(w, payment)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// says replaces what a pattern matches in the API's answers about payments, or about orders.
func says(kind, from, to string) gatewaytest.Alter {
	pattern := regexp.MustCompile(from)
	return func(r *http.Request, answer []byte) []byte {
		if !strings.HasPrefix(r.URL.Path, "/"+kind+"/") {
			return answer
		}
		return pattern.ReplaceAll(answer, []byte(to))
	}
}

// TestConformance: the example is a gateway as others are.
func TestConformance(t *testing.T) {
	forgery := func(encode func([]byte) string, secret, between string) func(gatewaytest.Signing) http.Header {
		return func(s gatewaytest.Signing) http.Header {
			header := new(examplePay).Sign(s)
			mac := hmac.New(sha256.New, []byte(secret))
			mac.Write([]byte(header.Get("X-Example-Timestamp") + between + string(s.Body)))
			header.Set("X-Example-Signature", encode(mac.Sum(nil)))
			return header
		}
	}
	gatewaytest.Run(t, gatewaytest.Features{
		AccountID: "m-1", Secret: secret, TimestampHeader: "X-Example-Timestamp",
		Forgeries: map[string]func(gatewaytest.Signing) http.Header{
			"in capitals": forgery(func(sum []byte) string { return strings.ToUpper(hex.EncodeToString(sum)) }, secret, "."),
			"base64":      forgery(base64.StdEncoding.EncodeToString, secret, "."),
			"no dot":      forgery(hex.EncodeToString, secret, ""),
			"no secret":   forgery(hex.EncodeToString, "", "."),
		},
		Ways: []gatewaytest.Way{gatewaytest.Half, gatewaytest.Rest, gatewaytest.Again, gatewaytest.Over, gatewaytest.Failed},
		Behind: map[string]gatewaytest.Alter{
			"the payment": says("payments", `"paid"`, `"pending"`),
			"the order":   says("orders", `"paid"`, `"pending"`),
		},
		Lies: map[string]gatewaytest.Alter{
			"failed":           says("payments", `"paid"`, `"failed"`),
			"another order":    says("payments", `"order":"`, `"order":"x`),
			"another currency": says("payments", `"EUR"`, `"USD"`),
		},
	}, func(*testing.T) gatewaytest.Sandbox {
		return &examplePay{hooks: make(map[string]string), orders: make(map[string][]string), payments: make(map[string]string)}
	})
}
