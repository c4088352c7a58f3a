package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/engine"
)

// v1Bodies are webhooks of V1 by their order_type, with the fields that integrations have
// seen.
var v1Bodies = map[string]string{
	"API Deposit": `{"record_id":"202302080642261623213440434253824","order_id":"202302080637001623212072587776000",` +
		`"extend":{"merchant_order_id":"order-1","product_price":"49.90"},"order_type":"API Deposit","pay_status":"success",` +
		`"paid_amount":"49.9","crypto":"USDT","chain":"TRX","service_fee":"0.1","txid":"5bb03d23ee7ad6f1ca0e3a9d2f3c2f7a0c3a1c7b6e1f5d8e9c2b4a6d8f0e1c3b"}`,
	"API Withdrawal": `{"record_id":"202307270722481684464338581147648","order_id":"202307270722481684464338564370432",` +
		`"extend":{"merchant_order_id":"payout-1"},"order_type":"API Withdrawal","pay_status":"success",` +
		`"paid_amount":"10","crypto":"USDT","chain":"TRX","network_fee":"0.85","txid":"8f0e1c3b5bb03d23ee7ad6f1ca0e3a9d2f3c2f7a0c3a1c7b6e1f5d8e9c2b4a6d"}`,
	"Refund": `{"record_id":"202308010101011684464338581147649","order_id":"202302080637001623212072587776000",` +
		`"extend":{"merchant_order_id":"order-1"},"order_type":"Refund","pay_status":"success","paid_amount":"49.9","crypto":"USDT","chain":"TRX"}`,
}

// SendV1 sends a webhook of V1 with this body to a URL, once, and returns how it went. A
// receiver acknowledges it with 200 and the word success.
func (s *Sandbox) SendV1(ctx context.Context, url string, body []byte) Delivery {
	var known struct {
		Type     string `json:"order_type"`
		Status   string `json:"pay_status"`
		RecordID string `json:"record_id"`
		Extend   struct {
			OrderID string `json:"merchant_order_id"`
		} `json:"extend"`
	}
	_ = json.Unmarshal(body, &known) // it may be anything: the log then says less
	return s.engine.Once(ctx, &engine.Webhook{
		Gateway: v1Gateway, Type: known.Type, Status: known.Status, RecordID: known.RecordID, OrderID: known.Extend.OrderID,
		URL: func() string { return url }, Body: func() []byte { return body }, Sign: s.signV1,
		Judge: func(d *Delivery, response []byte) {
			d.OK = d.HTTPStatus == http.StatusOK && string(bytes.TrimSpace(response)) == "success"
			if !d.OK {
				d.Error = `not acknowledged: needed is HTTP 200 with "success"`
			}
		},
	})
}

func (s *Sandbox) controlV1Webhook(r *http.Request) (any, error) {
	var in struct {
		URL       string          `json:"url"`
		OrderType string          `json:"order_type"`
		Body      json.RawMessage `json:"body"`
	}
	if err := engine.Read(r, &in); err != nil {
		return nil, err
	}
	if !engine.IsHTTP(in.URL) {
		return nil, errors.New("url: pass the http or https address of the route that has the V1 account")
	}
	if len(in.Body) == 0 {
		if in.OrderType == "" {
			in.OrderType = "API Deposit"
		}
		body, known := v1Bodies[in.OrderType]
		if !known {
			return nil, fmt.Errorf(`order_type: must be "API Deposit", "API Withdrawal" or "Refund", got %q; any other goes in body`, in.OrderType)
		}
		in.Body = json.RawMessage(body)
	} else if in.OrderType != "" {
		return nil, errors.New("order_type: the body has its own, leave it out")
	}
	return s.SendV1(r.Context(), in.URL, in.Body), nil
}
