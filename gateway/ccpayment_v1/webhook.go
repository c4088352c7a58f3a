package ccpaymentv1

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/tidwall/gjson"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/strictjson"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Read implements [gateway.Webhooks]. The order is the app's, by the id that the app gave
// it; CCPayment's own id of it, which a withdrawal's answer has, is the reference.
// Whether a payment is risky, V1 does not say.
func (v *V1) Read(body []byte) (gateway.Notice, error) {
	n, err := read(body)
	if err != nil {
		return gateway.Notice{}, fmt.Errorf("%w: %w", gateway.ErrUnreadable, err)
	}
	return n, nil
}

func read(body []byte) (n gateway.Notice, err error) {
	root, err := strictjson.Object(body)
	if err != nil {
		return n, err
	}
	var typ, status, record, order, extend, merchantOrder gjson.Result
	err = strictjson.Read(root, strictjson.Field{Key: "order_type", Value: &typ}, strictjson.Field{Key: "pay_status", Value: &status},
		strictjson.Field{Key: "record_id", Value: &record}, strictjson.Field{Key: "order_id", Value: &order},
		strictjson.Field{Key: "extend", Value: &extend})
	if err != nil {
		return n, err
	}
	if extend.IsObject() {
		if err := strictjson.Read(extend, strictjson.Field{Key: "merchant_order_id", Value: &merchantOrder}); err != nil {
			return n, err
		}
	}
	if typ.Type != gjson.String || typ.Str == "" {
		return n, errors.New("order_type is not a text, and says what it is about") // nor is what V1 signs beside webhooks one
	}
	n = gateway.Notice{
		Type: strictjson.Text(typ), Status: strictjson.Text(status), RecordID: strictjson.Text(record),
		OrderID: strictjson.Text(merchantOrder), ReferenceID: strictjson.Text(order), Risk: ledger.RiskUnknown,
	}
	if n.RecordID == "" {
		sum := sha256.Sum256([]byte(root.Raw))
		n.Digest = hex.EncodeToString(sum[:])
	}
	return n, nil
}
