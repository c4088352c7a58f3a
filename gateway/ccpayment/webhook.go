package ccpayment

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/tidwall/gjson"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/strictjson"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// ActivationType is the type of the ping by which CCPayment's console tests a
// webhook's URL (API reference, Webhook Setup).
const ActivationType = "ActivateWebhookURL"

// RiskyAddressType is the type of the webhook which says that a deposit address was
// flagged as risky. The API reference (Risky Address Webhook) prints it without type and
// msg: its fields stand at the top level then.
const RiskyAddressType = "RiskyAddress"

// Read implements [gateway.Webhooks].
func (v *V2) Read(body []byte) (gateway.Notice, error) {
	var n gateway.Notice
	root, err := strictjson.Object(body)
	if err != nil {
		return n, unreadable(err)
	}
	var typ, msg gjson.Result
	if err := strictjson.Read(root, strictjson.Field{Key: "type", Value: &typ}, strictjson.Field{Key: "msg", Value: &msg}); err != nil {
		return n, unreadable(err)
	}
	if !typ.Exists() && !msg.Exists() {
		return readFlat(root)
	}
	if typ.Type != gjson.String || typ.Str == "" {
		return n, fmt.Errorf("%w: type is not a text", gateway.ErrUnreadable)
	}
	m, err := readMessage(msg)
	if err != nil {
		return n, unreadable(err)
	}
	n = gateway.Notice{
		Ping: typ.Str == ActivationType, Type: strictjson.Text(typ), Status: strictjson.Text(m.status),
		RecordID: strictjson.Text(m.recordID), OrderID: strictjson.Text(m.orderID),
		ReferenceID: strictjson.Text(m.referenceID), UserID: strictjson.Text(m.userID), CoinID: strictjson.Text(m.coinID),
		Risk: flagged(m.risky),
	}
	if n.RecordID == "" {
		n.Digest = digest(typ.Str, msg, m, body)
	}
	return n, nil
}

// readFlat reads the one webhook without type and msg, about a risky address. It is the
// same event as its like with type [RiskyAddressType] and msg.
func readFlat(root gjson.Result) (gateway.Notice, error) {
	var m message
	err := strictjson.Read(root, strictjson.Field{Key: "chainId", Value: &m.chainID},
		strictjson.Field{Key: "address", Value: &m.address}, strictjson.Field{Key: "riskAt", Value: &m.riskAt})
	if err != nil {
		return gateway.Notice{}, unreadable(err)
	}
	if strictjson.Text(m.address) == "" || strictjson.Text(m.riskAt) == "" {
		return gateway.Notice{}, fmt.Errorf("%w: it has no type, and is not about a risky address", gateway.ErrUnreadable)
	}
	return gateway.Notice{
		Type: RiskyAddressType, Risk: ledger.RiskUnknown, Digest: digest(RiskyAddressType, root, m, nil),
	}, nil
}

func unreadable(err error) error { return fmt.Errorf("%w: %w", gateway.ErrUnreadable, err) }

// message is the part of msg that is read.
type message struct {
	recordID, orderID, referenceID, userID gjson.Result
	coinID                                 gjson.Result
	status, risky                          gjson.Result
	chainID, address, riskAt               gjson.Result
}

func readMessage(msg gjson.Result) (message, error) {
	var m message
	if !msg.IsObject() {
		return m, nil // a type that is not known may have any shape
	}
	err := strictjson.Read(msg,
		strictjson.Field{Key: "recordId", Value: &m.recordID}, strictjson.Field{Key: "orderId", Value: &m.orderID},
		strictjson.Field{Key: "referenceId", Value: &m.referenceID}, strictjson.Field{Key: "userId", Value: &m.userID},
		strictjson.Field{Key: "coinId", Value: &m.coinID}, strictjson.Field{Key: "status", Value: &m.status},
		strictjson.Field{Key: "isFlaggedAsRisky", Value: &m.risky}, strictjson.Field{Key: "chainId", Value: &m.chainID},
		strictjson.Field{Key: "address", Value: &m.address}, strictjson.Field{Key: "riskAt", Value: &m.riskAt})
	return m, err
}

// flagged reads isFlaggedAsRisky. The risk is unknown where the flag is absent, or
// neither true nor false.
func flagged(value gjson.Result) ledger.Risk {
	switch value.Type {
	case gjson.True:
		return ledger.Risky
	case gjson.False:
		return ledger.NotRisky
	default:
		return ledger.RiskUnknown
	}
}

// digest returns an id for an event without recordId. For a risky address it is over
// chain, address and time; for others over all of the content.
func digest(typ string, msg gjson.Result, m message, body []byte) string {
	sum := sha256.New()
	part := func(s string) { fmt.Fprintf(sum, "%d:%s,", len(s), s) }
	part(typ)
	switch {
	case m.address.Exists() && m.riskAt.Exists():
		part(strictjson.Text(m.chainID))
		part(strictjson.Text(m.address))
		part(strictjson.Text(m.riskAt))
	case msg.Exists():
		part(msg.Raw)
	default:
		part(string(body))
	}
	return hex.EncodeToString(sum.Sum(nil))
}
