package gateway

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/settle"
)

// Records reads the gateway's own records, by which webhooks are confirmed. An error that
// wraps [ErrNotFound] means that there is no such record or order; any other, that it
// could not be read now.
type Records interface {
	// Record asks for the record that a notice of a documented type is about. The
	// answer was asked for after Record was called: it is not older than what the
	// caller knows. The record must be the one with the notice's RecordID, which is all
	// that is set beside Type where the risk of another payment is asked for.
	Record(ctx context.Context, n Notice) (Record, error)

	// Order reads an order by its id at the gateway. made is the order as our checkout
	// made it, whose terms say of what kind it is, and whose Ref says how the gateway
	// calls it; nil: not known.
	Order(ctx context.Context, id string, made *ledger.GatewayOrder) (Order, error)
}

// Record is a payment, deposit or payout as the gateway's records have it. Texts
// are empty and numbers zero where the gateway does not tell. A record without an
// Amount confirms no success; without a Risk, the webhook's decides. Numbers were
// bounded before they were parsed: what has an exponent of millions is written out.
type Record struct {
	ID, CoinID, OrderID, ReferenceID, UserID string

	Status string
	Risk   ledger.Risk

	// Coin is the coin's symbol.
	Coin, Chain, TxID     string
	Amount, Fee, USDPrice decimal.Decimal
	// ArrivedAt is when the payment arrived; zero: not known.
	ArrivedAt time.Time

	// Own: the money moved between the merchant's own wallets. It is nobody's deposit or
	// payout, and its event carries no flag.
	Own bool
	// TestCoin: the coin is worth nothing.
	TestCoin bool
	// Doubt is why the record is no proof that the money is the merchant's, in a few
	// words for an operator, who must look at it; empty: it is one.
	Doubt string

	// Order is the order that the record is, at a gateway whose webhooks are about
	// orders and not about each of their payments. nil: the record is a payment, and
	// its order is read by [Records.Order].
	Order *Order

	// Raw is the record as the gateway returned it, in JSON.
	Raw json.RawMessage
}

// Order is an order or invoice in the gateway's records. Every call of [Records.Order]
// returns a value of its own, which the caller may change.
type Order struct {
	// Ref is the gateway's own id of the order; empty: it is called as it was asked to
	// be.
	Ref string
	Due settle.Order
	// Currency is the symbol of the unit of the amount due.
	Currency string
	Payments []OrderPayment
	// Terms are what the order asks for, as far as the gateway has it.
	Terms ledger.Terms
	// CheckoutURL is the order's checkout page. Address and Memo are how the order is
	// paid without the page; may be empty.
	CheckoutURL, Address, Memo string
	// LacksRate: the price is in fiat, and the gateway does not have the coin's rate in
	// it yet.
	LacksRate bool
	// Raw is the order as the gateway returned it, in JSON.
	Raw json.RawMessage
}

// OrderPayment is a payment in an order's list. The list may not tell its risk,
// where the payment's record does: [ledger.RiskUnknown] has the record asked for, and
// any other Risk goes with Clean as it stands. A failed payment may be Finished, too.
type OrderPayment struct {
	settle.Payment
	// AccountID is the [Info.AccountID] of the account that has the payment, in the list of
	// an order that several accounts share. A gateway leaves it empty.
	AccountID string
	Risk      ledger.Risk
	// TestCoin: the coin is worth nothing.
	TestCoin bool
}

// IsTestCoin reports whether the coin of a symbol is one to test with at any of the
// gateways, and worth nothing.
func IsTestCoin(symbol string) bool {
	return strings.EqualFold(symbol, "LTCT") || strings.EqualFold(symbol, "TETH")
}

// PaymentOf returns a record id for one of the payments of an order whose webhooks are
// about the order: id names the payment among those of the order.
func PaymentOf(ref, id string) string { return ref + paymentMark + id }

// RecordOf returns the id of the record whose webhooks tell of a payment, by the payment's
// record id.
func RecordOf(payment string) string {
	if at := strings.Index(payment, paymentMark); at > 0 {
		return payment[:at]
	}
	return payment
}

const paymentMark = "#"

// Resender is a gateway that can be asked to send webhooks again.
type Resender interface {
	// Resend asks the gateway to send the webhooks of records again, and returns how many
	// it will send.
	Resend(ctx context.Context, r ResendRequest) (int, error)
}

// ResendRequest selects the webhooks to send again.
type ResendRequest struct {
	// From and To bound when the records were made.
	From, To time.Time
	// Type is the webhooks' type; empty: any.
	Type string
	// RecordIDs are the records; empty: all of them.
	RecordIDs []string
	// Unacknowledged leaves out the webhooks that were acknowledged.
	Unacknowledged bool
}
