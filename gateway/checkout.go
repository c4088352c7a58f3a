package gateway

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Checkouts is a gateway that can make orders with a checkout page.
type Checkouts interface {
	// Terms looks up the symbols of a price and checks its amount. The error is a
	// [*FieldError] where the gateway knows no such currency, coin or chain, or the
	// amount does not suit it.
	Terms(ctx context.Context, p Price) (Terms, error)

	// Create makes an order and returns its checkout. The error wraps [ErrDuplicate]
	// where the order's id is taken, [ErrOutcomeUnknown] where the order may have been
	// made, [ErrBusy] where a retry may soon succeed, or is a [*FieldError] or a
	// [*RefusedError].
	Create(ctx context.Context, o NewOrder) (Checkout, error)
}

// Finder is a gateway that names orders itself, so that it makes a second order where
// Create is called twice.
type Finder interface {
	// Find returns the order that Create was called with before, by its ID and Terms, and
	// of which the response may have been lost; of several the one that can be paid, or
	// is, comes first. The error wraps [ErrNotFound] where the gateway has no such order,
	// or does not list it yet.
	Find(ctx context.Context, id string, terms ledger.Terms) ([]FoundOrder, error)
}

// FoundOrder is an order that a gateway has by an id of its own.
type FoundOrder struct {
	// Ref is the gateway's own id of it.
	Ref string
	// URL is the checkout page.
	URL string
	// ExpiresAt is when the gateway takes no more payments of it; zero: it does not say.
	ExpiresAt time.Time
}

// Canceler is a gateway at which an order can be ended before it expires.
type Canceler interface {
	// Cancel ends an order that our checkout made. It returns nil once the gateway
	// says that nobody can pay the order any more. The error wraps [ErrPaying] where the
	// order is paid or a payment of it is under way: it then goes on as it is.
	Cancel(ctx context.Context, made ledger.GatewayOrder) error
}

// Price is an order's price and the coin to pay it in, as people write them.
type Price struct {
	// Amount is a decimal number, such as 49.90.
	Amount string
	// Currency is the amount's unit: a symbol, fiat:<id> or coin:<id>.
	Currency string
	// Coin and Chain are what the order is paid in: a symbol or coin:<id>, and a chain
	// of the coin; empty: the buyer picks the coin.
	Coin, Chain string
}

// Terms is a price whose symbols were looked up and whose amount was checked.
type Terms struct {
	ledger.Terms
	// Amount is the price as a number.
	Amount decimal.Decimal
	// Symbol is the symbol of the price's unit, PaySymbol that of the coin to pay in;
	// PaySymbol is empty where the buyer picks the coin.
	Symbol, PaySymbol string
	// Fiat: the price is in a fiat currency, whose Symbol is that of ISO 4217, so that it
	// means the same at other gateways.
	Fiat bool
	// Decimals is how many decimals an amount in the price's unit has at most.
	Decimals int32
}

// NewOrder is an order to be made. Texts may be empty, except the ID.
type NewOrder struct {
	// ID is the order's id, with the account's prefix.
	ID string
	Terms
	Product, BuyerEmail            string
	ReturnURL, CloseURL, NotifyURL string
	// Expires is when the order can no longer be paid; zero: the gateway's default.
	Expires time.Time
	Now     time.Time
}

// Checkout is how a buyer pays an order that was made.
type Checkout struct {
	// Ref is the gateway's own id of the order; empty: the gateway calls it as it was
	// asked to.
	Ref string
	// URL is the checkout page.
	URL string
	// Address, Memo and Amount are how the order is paid without the page; may be
	// empty.
	Address, Memo, Amount string
	// ExpiresAt is when the order can no longer be paid.
	ExpiresAt time.Time
}

// Limits are what a gateway takes. One that makes no orders needs none.
type Limits struct {
	// ShortestOrderID and LongestOrderID are in characters, the prefix included.
	ShortestOrderID, LongestOrderID int
	// LongestURL and LongestProduct are in characters. No LongestURL: any length.
	LongestURL, LongestProduct int
	// LongestExpiry is how long an order can be paid at most.
	LongestExpiry time.Duration
	// CoinNeedsEmail: an order in a fixed coin needs the buyer's e-mail address.
	CoinNeedsEmail bool
	// OneWebhookURL: webhooks go to the account's webhook URL and nowhere else.
	OneWebhookURL bool
}

// TakesURL reports whether a URL is not longer than the gateway takes.
func (l Limits) TakesURL(link string) bool { return l.LongestURL == 0 || len(link) <= l.LongestURL }

var amounts = regexp.MustCompile(`^-?([0-9]+\.?[0-9]*|\.[0-9]+)$`)

// mostDigits is how many digits an amount may have, checked before it is parsed.
const mostDigits = 40

// ParseAmount parses the amount of a price: a positive decimal number of at most 40
// digits, without an exponent, and with at most as many decimals as its unit has. unit
// is the unit's name for the error, which is a [*FieldError] of the price.
func ParseAmount(text string, decimals int32, unit string) (decimal.Decimal, error) {
	if problem := misspelt(text); problem != "" {
		return decimal.Zero, WrongField("price", "%s", problem)
	}
	amount, err := decimal.NewFromString(text)
	switch {
	case err != nil:
		return decimal.Zero, WrongField("price", "%.60q is not a decimal number such as 49.90", text)
	case !amount.IsPositive():
		return amount, WrongField("price", "it must be more than zero")
	case amount.Equal(amount.Truncate(decimals)):
		return amount, nil
	case len(text)-strings.IndexByte(text, '.') > floatDecimals:
		return amount, WrongField("price", "%s has more than %d decimals, which is all that %s has: it looks like a float, so round it", text, decimals, unit)
	default:
		return amount, WrongField("price", "%s has more than %d decimals, which is all that %s has", text, decimals, unit)
	}
}

// floatDecimals is how many decimals only a float has that was not rounded.
const floatDecimals = 10

// misspelt says what is wrong with an amount as it is written; empty: nothing.
func misspelt(text string) string {
	digits := len(text) - strings.Count(text, "-") - strings.Count(text, ".")
	switch {
	case text == "":
		return "it is missing"
	case digits <= mostDigits && amounts.MatchString(text):
		return ""
	case strings.TrimSpace(text) != text:
		return fmt.Sprintf("%.60q has spaces around it", text)
	case strings.Contains(text, ","):
		return fmt.Sprintf("%.60q has a comma: decimals have a point, as in 49.90, and thousands nothing", text)
	default:
		return fmt.Sprintf("%.60q is not a decimal number such as 49.90", text)
	}
}

// FieldError is a field of an order or price whose value cannot be used.
type FieldError struct{ Field, Problem string }

// Error returns the field and the problem.
func (e *FieldError) Error() string { return e.Field + ": " + e.Problem }

// WrongField returns a [*FieldError] with a formatted problem.
func WrongField(field, format string, args ...any) error {
	return &FieldError{field, fmt.Sprintf(format, args...)}
}
