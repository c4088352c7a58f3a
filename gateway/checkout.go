package gateway

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Checkouts is a gateway that makes orders with a checkout page.
type Checkouts interface {
	// Terms looks up what people write of a price. The error is a [*FieldError]
	// where the gateway knows no such currency, coin or chain, or the price does
	// not suit it.
	Terms(ctx context.Context, p Price) (Terms, error)

	// Create makes an order. The error wraps [ErrDuplicate] where the order's id is
	// taken, [ErrOutcomeUnknown] where the order may have been made, [ErrBusy] where
	// it is worth trying again soon, or is a [*FieldError] or a [*RefusedError].
	Create(ctx context.Context, o NewOrder) (Checkout, error)
}

// Price is what an order is to cost and to be paid in, as people write it.
type Price struct {
	Amount string
	// Currency is a symbol, fiat:<id> or coin:<id>.
	Currency string
	// Coin and Chain are what it is paid in; empty where the buyer picks the coin.
	Coin, Chain string
}

// Terms are a price that was looked up and checked.
type Terms struct {
	ledger.Terms
	// Amount is the price as a number.
	Amount decimal.Decimal
	// Symbol is what people call the price's unit, PaySymbol the coin to pay in.
	Symbol, PaySymbol string
	// Decimals is how many decimals an amount in the price's unit has.
	Decimals int32
}

// NewOrder is an order that is to be made.
type NewOrder struct {
	// ID is the order's id, with the account's prefix.
	ID string
	Terms
	Product, BuyerEmail            string
	ReturnURL, CloseURL, NotifyURL string
	// Expires is when it can no longer be paid; zero: as the gateway has it.
	Expires time.Time
	Now     time.Time
}

// Checkout is how an order that was made is paid.
type Checkout struct {
	// URL is the checkout page.
	URL string
	// Address, Memo and Amount are how it is paid without the page; may be empty.
	Address, Memo, Amount string
	// ExpiresAt is when it can no longer be paid.
	ExpiresAt time.Time
}

// Limits are what a gateway takes.
type Limits struct {
	// ShortestOrderID and LongestOrderID are in characters, the prefix included.
	ShortestOrderID, LongestOrderID int
	// LongestURL and LongestProduct are in characters.
	LongestURL, LongestProduct int
	// LongestExpiry is how long an order can be paid at most.
	LongestExpiry time.Duration
}

var amounts = regexp.MustCompile(`^-?([0-9]+\.?[0-9]*|\.[0-9]+)$`)

// mostDigits bounds an amount before it is parsed.
const mostDigits = 40

// ParseAmount reads a price: a positive decimal number, without an exponent, of
// at most 40 digits, and as many decimals as what it is in has. The error is a
// [*FieldError] of the price.
func ParseAmount(text string, decimals int32, unit string) (decimal.Decimal, error) {
	var amount decimal.Decimal
	if text != "" {
		digits := strings.NewReplacer("-", "", ".", "").Replace(text)
		var err error
		if len(digits) > mostDigits || !amounts.MatchString(text) {
			err = strconv.ErrSyntax
		} else {
			amount, err = decimal.NewFromString(text)
		}
		if err != nil {
			return amount, WrongField("price", "%.60q is not a decimal number such as 49.90", text)
		}
	}
	switch {
	case !amount.IsPositive():
		return amount, WrongField("price", "it must be more than zero")
	case !amount.Equal(amount.Truncate(decimals)):
		return amount, WrongField("price", "%s has more than %d decimals, which is all that %s has", text, decimals, unit)
	}
	return amount, nil
}

// FieldError is something that was said of an order and cannot be used.
type FieldError struct{ Field, Problem string }

// Error names the field.
func (e *FieldError) Error() string { return e.Field + ": " + e.Problem }

// WrongField returns a [*FieldError].
func WrongField(field, format string, args ...any) error {
	return &FieldError{field, fmt.Sprintf(format, args...)}
}
