package gateway

import (
	"context"
	"encoding/json"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/settle"
)

// Records are the gateway's own records, which webhooks are confirmed with. An
// error that wraps [ErrNotFound] tells that there is no such record or order; any
// other, that the answer could not be had now.
type Records interface {
	// Record asks for the record that a notice of a documented type is about. The
	// answer was asked for after Record was called: it is not older than what the
	// caller knows.
	Record(ctx context.Context, n Notice) (Record, error)

	// Order asks for an order by its id at the gateway. asked is what the order was
	// asked for where our checkout made it, which tells its kind; nil: not known.
	Order(ctx context.Context, id string, asked *ledger.Terms) (Order, error)
}

// Record is a payment, deposit or payout as the gateway's records have it. Texts
// are empty and numbers zero where the gateway does not tell.
type Record struct {
	ID, CoinID, OrderID, ReferenceID, UserID string

	Status string
	Risk   ledger.Risk

	// Coin is the coin's symbol.
	Coin, Chain, TxID     string
	Amount, Fee, USDPrice decimal.Decimal
	ArrivedAt             time.Time

	// Raw is the record as the gateway answered, in JSON.
	Raw json.RawMessage
}

// Order is an order or invoice as the gateway's records have it. Every caller of
// [Records.Order] gets one of its own.
type Order struct {
	Due settle.Order
	// Currency is the symbol of the unit of Due.
	Currency string
	Payments []OrderPayment
	// Terms are what the order asks for, as far as the gateway tells.
	Terms ledger.Terms
	// CheckoutURL is its checkout page; Address and Memo are how it is paid without.
	CheckoutURL, Address, Memo string
	// LacksRate: the price is in fiat, and the gateway does not tell yet what a coin
	// is worth in it.
	LacksRate bool
	// Raw is the order as the gateway answered, in JSON.
	Raw json.RawMessage
}

// OrderPayment is a payment in an order's list. The list may not tell its risk,
// where the payment's record does.
type OrderPayment struct {
	settle.Payment
	Risk ledger.Risk
}

// Resender is a gateway that sends webhooks again when it is asked to.
type Resender interface {
	// Resend asks for the webhooks of records and returns how many will come.
	Resend(ctx context.Context, r ResendRequest) (int, error)
}

// ResendRequest selects webhooks.
type ResendRequest struct {
	// From and To bound when the records were made.
	From, To  time.Time
	Type      string
	RecordIDs []string
}
