package relay_test

import (
	"encoding/json"
	"io"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

const (
	orderCoin, otherCoin = "1280", "1482"

	processing, succeeded, failed = "Processing", "Success", "Failed"
)

// world is CCPayment, as far as one case has it: what happened, and what its
// APIs know of it so far. It answers their calls as a transport, without a
// network.
type world struct {
	orders   map[string]*worldOrder
	payments map[string]*worldPayment
	// fault is what cannot be asked now: "record", "order", or nothing.
	fault string
	// onOrder, if set, is called when an order is read.
	onOrder func()
}

type worldOrder struct {
	id      string
	invoice bool
	due     decimal.Decimal // the invoice's price, or the coins to pay
	rate    decimal.Decimal // of a deposit order with a price in fiat; else 0
	expires time.Time
	// incomplete: the API gives no due yet, or no rate where there is one.
	incomplete bool
	payments   []*worldPayment
	// sold: our checkout made it. closed: it was closed, forced: whatever was paid.
	sold, closed, forced bool
}

type worldPayment struct {
	id      string
	kind    string      // the webhook's type
	order   *worldOrder // nil: to a permanent or a user's address
	coin    string
	amount  decimal.Decimal // in the order's unit
	rate    decimal.Decimal // when it was received; 0: not known
	arrived time.Time
	status  string
	risky   bool
	// silent and listSilent: where it is not risky, the record, or the order's
	// list, does not say so.
	silent, listSilent bool
	// recordHas and listHas are the statuses that the APIs have; "" is none yet.
	recordHas, listHas string
	// flipped: its risk was another once.
	flipped bool
}

func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	var asked struct{ RecordID, OrderID string }
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		return nil, err
	}
	answer := "<html>out of order</html>"
	switch call := path.Base(r.URL.Path); call {
	case "getAppDepositRecord", "getUserDepositRecord":
		if w.fault != "record" {
			p := w.payments[asked.RecordID]
			answer = envelope(p != nil && p.recordHas != "" && (p.kind == "UserDeposit") == (call == "getUserDepositRecord"),
				func() any { return map[string]any{"record": p.record()} })
		}
	case "getAppOrderInfo", "getInvoiceOrderInfo":
		if w.onOrder != nil {
			w.onOrder()
		}
		if w.fault != "order" {
			o := w.orders[asked.OrderID]
			answer = envelope(o != nil && o.invoice == (call == "getInvoiceOrderInfo"), func() any { return o.info() })
		}
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(answer)), Request: r}, nil
}

func envelope(found bool, data func() any) string {
	if !found {
		return `{"code":11003,"msg":"not found"}`
	}
	text, err := json.Marshal(map[string]any{"code": 10000, "msg": "success", "data": data()})
	if err != nil {
		panic(err)
	}
	return string(text)
}

func (p *worldPayment) record() map[string]any {
	r := map[string]any{
		"recordId": p.id, "coinId": p.coin, "coinSymbol": "USDT", "chain": "TRX", "amount": p.amount.String(), "serviceFee": "0",
		"status": p.recordHas, "arrivedAt": p.arrived.Unix(), "orderId": "", "referenceId": "",
	}
	switch p.kind {
	case "ApiDeposit":
		r["orderId"] = p.order.id
	case "DirectDeposit":
		r["referenceId"] = "buyer"
	case "UserDeposit":
		r["userId"] = "user"
	}
	setRisk(r, p.risky, p.silent)
	return r
}

func setRisk(r map[string]any, risky, silent bool) {
	if risky || !silent {
		r["isFlaggedAsRisky"] = risky
	}
}

func (o *worldOrder) info() map[string]any {
	paid := []map[string]any{}
	for _, p := range o.payments {
		if !p.listed() {
			continue
		}
		item := map[string]any{"recordId": p.id, "status": p.listHas, "arrivedAt": p.arrived.Unix(), "serviceFee": "0"}
		setRisk(item, p.risky, p.listSilent)
		if o.invoice {
			item["coinId"], item["paidValue"], item["paidAmount"] = p.coin, p.amount.String(), "1"
		} else {
			item["amount"] = p.amount.String()
		}
		if p.rate.IsPositive() {
			item["rate"] = p.rate.String()
		}
		paid = append(paid, item)
	}
	info := map[string]any{"expiredAt": o.expires.Unix(), "paidList": paid}
	due, rate := o.due.String(), o.rate.String()
	switch {
	case o.incomplete && o.rate.IsPositive():
		rate = ""
	case o.incomplete:
		due = "0"
	}
	if o.invoice {
		info["orderId"], info["price"], info["priceFiatId"], info["priceSymbol"] = o.id, due, "1033", "USD"
		return info
	}
	info["amountToPay"], info["coinId"], info["coinSymbol"] = due, orderCoin, "USDT"
	if o.rate.IsPositive() {
		info["fiatId"], info["fiatSymbol"], info["rate"] = "1033", "USD", rate
	}
	return info
}

// listed: a deposit order lists only its own coin.
func (p *worldPayment) listed() bool {
	return p.listHas != "" && (p.order.invoice || p.coin == orderCoin)
}

func (p *worldPayment) wrongCoin() bool { return !p.order.invoice && p.coin != orderCoin }

func (p *worldPayment) late() bool { return p.arrived.After(p.order.expires) }

// webhook is a payment's event as CCPayment sends it.
type webhook struct {
	payment *worldPayment
	status  string
	risk    string // "true", "false", or "" where it does not say
}

func (e webhook) body() string {
	p := e.payment
	msg := map[string]any{"recordId": p.id, "coinId": p.coin, "coinSymbol": "USDT", "status": e.status}
	switch p.kind {
	case "ApiDeposit":
		msg["orderId"] = p.order.id
	case "DirectDeposit":
		msg["referenceId"] = "buyer"
	case "UserDeposit":
		msg["userId"] = "user"
	}
	if e.risk != "" {
		msg["isFlaggedAsRisky"] = e.risk == "true"
	}
	body, err := json.Marshal(map[string]any{"type": p.kind, "msg": msg})
	if err != nil {
		panic(err)
	}
	return string(body)
}
