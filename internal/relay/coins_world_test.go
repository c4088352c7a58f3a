package relay_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

const (
	coinsClient = "dc6a16e545c34187ba21a9edbbe484a5"
	coinsHook   = "https://shop.example.com/cp-hook"
	coinsWallet = "5ff25090-4f3a-4cc4-a187-59fce3f4e501"
	ownWallet   = "6ff25090-4f3a-4cc4-a187-59fce3f4e501"
	timeForm    = "2006-01-02T15:04:05"
)

// coins is CoinPayments, as far as one case has it: what happened, and what its API knows
// of it so far. It answers calls as a transport, without a network.
type coins struct {
	invoices map[string]*coinsInvoice
	deposits map[string]*coinsDeposit
	// down: nothing can be asked now.
	down bool
	// onCancel cancels an invoice, if it can be.
	onCancel func(*coinsInvoice)
}

// coinsInvoice is an invoice. What the API says of it is what it knew when it caught up
// the last time.
type coinsInvoice struct {
	id, order string
	total     decimal.Decimal
	expires   time.Time
	status    string
	payments  []*coinsPayment
	// asked is how much the merchant's settings ask for before it is paid, in percent.
	asked int64
	api   string // the answer; empty: the API does not know it
	known seen   // what the answer says, for the oracle
	// closed: its order was closed, forced: whatever was paid.
	closed, forced bool
}

type coinsPayment struct {
	address string
	// expected and actual are in coins, due is what is expected in the invoice's currency.
	expected, actual, due decimal.Decimal
	state, symbol         string
	pending               time.Time
	err                   bool
}

// seen is what the API says of an invoice, as a copy.
type seen struct {
	status   string
	payments []coinsPayment
}

// coinsDeposit is a transaction that brings money to a wallet.
type coinsDeposit struct {
	id, typ, symbol, status string
	amount                  decimal.Decimal
	// from is the wallet that an internal one is from, and pays whether it is a payout of
	// invoices; empty: nobody says.
	from, pays string
	api        string // the status that the API has; empty: it does not know it
	silent     bool   // it has no address
}

func (w *coins) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := func(status int, body string) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	}
	if w.down {
		return answer(http.StatusForbidden, "<html>maintenance</html>")
	}
	switch last := path.Base(r.URL.Path); {
	case last == "cancel":
		if i := w.invoices[path.Base(path.Dir(r.URL.Path))]; i != nil {
			w.onCancel(i)
			return answer(http.StatusOK, "")
		}
	case strings.HasSuffix(path.Dir(r.URL.Path), "/invoices"):
		if i := w.invoices[last]; i != nil && i.api != "" {
			return answer(http.StatusOK, i.api)
		}
	case last == "transaction":
		query, _ := url.ParseQuery(r.URL.RawQuery)
		if d := w.deposits[query.Get("transactionId")]; d != nil && d.api != "" {
			return answer(http.StatusOK, d.record())
		}
	case last == coinsWallet:
		return answer(http.StatusOK, `{"walletId":"`+coinsWallet+`","clientId":"`+coinsClient+`"}`)
	case last == ownWallet:
		return answer(http.StatusOK, `{"walletId":"`+ownWallet+`","clientId":"`+coinsClient+`"}`)
	}
	return answer(http.StatusNotFound, `{"title":"Not Found"}`)
}

// catchUp has the API know the invoice as it is now.
func (i *coinsInvoice) catchUp() {
	payments := make([]map[string]any, 0, len(i.payments))
	i.known = seen{status: i.status}
	for _, p := range i.payments {
		payments = append(payments, p.view())
		i.known.payments = append(i.known.payments, *p)
	}
	i.api = asJSON(map[string]any{
		"id": i.id, "invoiceId": i.order, "status": i.status, "currency": map[string]any{"id": "5057", "symbol": "USD", "decimalPlaces": 2},
		"amount": map[string]any{"total": i.total.String()}, "customData": map[string]any{"order_id": i.order},
		"expires": i.expires.UTC().Format(timeForm), "payments": payments,
	})
}

func (p *coinsPayment) view() map[string]any {
	view := map[string]any{
		"paymentCurrencyId": "2", "paymentCurrencySymbol": p.symbol, "nativeCurrencyId": "5057", "nativeCurrencySymbol": "USD",
		"expectedAmount": p.expected.String(), "nativeExpectedAmount": p.due.String(), "actualAmount": p.actual.String(),
		"nativeActualAmount": p.native().String(), "paymentAddress": p.address, "state": p.state, "pendingAt": p.pending.UTC().Format(timeForm),
	}
	if p.symbol == "LTCT" {
		view["paymentCurrencyId"] = "1002"
	}
	if p.err {
		view["errorCode"] = "PayoutAmountIsLessThanDust"
	}
	return view
}

// coinRate is what a coin is worth in the invoice's currency.
var coinRate = decimal.New(80, 0)

// native is what CoinPayments writes as the amount in the invoice's currency: by the rate
// and cut off, which is a little less than what it was.
func (p *coinsPayment) native() decimal.Decimal {
	return p.actual.Mul(coinRate).Sub(decimal.New(1, -3)).Truncate(2)
}

func (d *coinsDeposit) record() string {
	r := map[string]any{
		"id": d.id, "transactionStatus": d.api, "transactionType": d.typ, "toCurrencyId": "2", "toCurrencySymbol": d.symbol,
		"toAmount": d.amount.String(), "toAddress": "miG63NqftkbxNYzHBkRQiZtdaE8xFsRSkr", "toWalletId": coinsWallet,
		"confirmations": 3, "requiredConfirmations": 3, "coinpaymentsFee": "0", "blockchainFee": "0", "fromWalletId": d.from,
	}
	if d.api == "pendingReceive" {
		r["confirmations"] = 1
	}
	if d.pays != "" {
		r["isInvoicePaymentSend"] = d.pays == "true"
	}
	if d.silent {
		r["toAddress"] = ""
	}
	return asJSON(r)
}

func asJSON(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// coinsNotice is a webhook of CoinPayments': of an invoice in a state, or of a deposit that
// has so many confirmations.
type coinsNotice struct {
	invoice *coinsInvoice
	deposit *coinsDeposit
	status  string
}

// body is the webhook as it is sent the nth time.
func (e coinsNotice) body(n int) string {
	if d := e.deposit; d != nil {
		confirmations := 1
		if e.status == succeeded {
			confirmations = 3
		}
		address := "miG63NqftkbxNYzHBkRQiZtdaE8xFsRSkr"
		if d.silent {
			address = ""
		}
		return asJSON(map[string]any{
			"walletId": coinsWallet, "address": address, "transactionId": d.id, "transactionType": d.typ,
			"amount": "99999", "confirmations": confirmations, "requiredConfirmations": 3,
		})
	}
	typ := "Invoice" + e.status
	if e.status == "Unpaid" {
		typ = "InvoiceCreated"
	}
	return asJSON(map[string]any{
		"id": fmt.Sprintf("%032x", n), "type": typ, "timestamp": time.Now().Format(time.RFC3339Nano),
		"invoice": map[string]any{
			"id": e.invoice.id, "invoiceId": e.invoice.order, "customData": map[string]any{"order_id": e.invoice.order}, "state": e.status,
			"amount": map[string]any{"total": 99_999_999}, "payments": []any{},
		},
	})
}
