package ccpayment

import (
	"context"
	"fmt"
	"net/mail"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// offer is what a source says of an order, in its words.
type offer struct {
	orderID    string
	price      string
	currency   string // a symbol, fiat:<id> or coin:<id>
	coin       string // of a deposit order: a symbol or coin:<id>; empty: an invoice
	chain      string
	product    string
	buyerEmail string
	returnURL  string
	closeURL   string
	notifyURL  string
	expires    time.Duration // 0: CCPayment's default

	// limits bound how many orders the client makes; nil: nothing does.
	limits *limits
	client string
}

// terms are an offer that was looked up and checked.
type terms struct {
	offer
	ledger.Terms
	price    decimal.Decimal
	symbol   string // of the price's unit
	paySym   string // of the coin to pay in
	warnings []string
}

// fieldError is a field of an offer that cannot be used.
type fieldError struct{ field, problem string }

func (e *fieldError) Error() string { return e.field + ": " + e.problem }

func wrongField(field, format string, args ...any) error {
	return &fieldError{field, fmt.Sprintf(format, args...)}
}

// The limits of what CCPayment takes (API reference, Create Invoice).
const (
	longestProduct = 120
	longestURL     = 150
	longestOrderID = 48
	shortestID     = 3
	longestExpiry  = 10 * 24 * time.Hour
	coinDecimals   = 18
)

var orderIDs = regexp.MustCompile(`^[A-Za-z0-9_.:-]{1,48}$`)

// checkOrderID checks an app's order id, with the prefix in front.
func checkOrderID(id, prefix string) error {
	switch {
	case !orderIDs.MatchString(id):
		return wrongField("order_id", "%.60q is not 1 to %d letters, digits and _ . : -", id, longestOrderID)
	case len(prefix)+len(id) < shortestID || len(prefix)+len(id) > longestOrderID:
		return wrongField("order_id", "with the prefix it must have %d to %d characters", shortestID, longestOrderID)
	}
	return nil
}

// resolve looks an offer's symbols up and checks every field.
func (s *symbols) resolve(ctx context.Context, o offer, prefix string) (terms, error) {
	t := terms{offer: o}
	if err := checkOrderID(o.orderID, prefix); err != nil {
		return t, err
	}
	priced, err := s.unit(ctx, o.currency)
	if err != nil {
		return t, err
	}
	if t.price, err = readPrice(o.price, priced.fiatID != ""); err != nil {
		return t, err
	}
	t.Terms = ledger.Terms{Price: t.price.String(), FiatID: priced.fiatID, CoinID: priced.coinID}
	t.symbol = priced.symbol
	switch {
	case o.coin != "":
		pay, err := s.coin(ctx, o.coin, o.chain)
		if err != nil {
			return t, err
		}
		if priced.coinID != "" && priced.coinID != pay.id {
			return t, wrongField("currency", "an order that is paid in %s is priced in a fiat currency or in %s", pay.symbol, pay.symbol)
		}
		t.PayCoinID, t.Chain, t.paySym = pay.id, pay.chain, pay.symbol
	case o.chain != "":
		return t, wrongField("chain", "there is a chain without a coin")
	}
	if o.expires < 0 || o.expires > longestExpiry {
		return t, wrongField("expires_in", "it must be at most %s", longestExpiry)
	}
	for field, link := range map[string]string{"return_url": o.returnURL, "close_url": o.closeURL, "notify_url": o.notifyURL} {
		if err := checkURL(field, link); err != nil {
			return t, err
		}
	}
	if utf8.RuneCountInString(o.product) > longestProduct {
		t.product = string([]rune(o.product)[:longestProduct])
	}
	if o.buyerEmail != "" && !isEmail(o.buyerEmail) {
		t.buyerEmail = ""
		t.warnings = append(t.warnings, "the buyer's e-mail address is none, and was left out")
	}
	return t, nil
}

// isFiat reports whether a currency is fiat for sure. Of another symbol only
// CCPayment can tell whether it is a coin's.
func isFiat(currency string) bool {
	return strings.EqualFold(currency, "USD") || strings.HasPrefix(currency, "fiat:")
}

// readPrice reads a positive decimal number of as many decimals as fiat has, or
// a coin.
func readPrice(text string, fiat bool) (decimal.Decimal, error) {
	price, err := client.ParseAmount(text)
	decimals, what := int32(coinDecimals), "a coin"
	if fiat {
		decimals, what = fiatDecimals, "fiat"
	}
	switch {
	case err != nil || strings.ContainsAny(text, "+eE "):
		return price, wrongField("price", "%.60q is not a decimal number such as 49.90", text)
	case !price.IsPositive():
		return price, wrongField("price", "it must be more than zero")
	case !price.Equal(price.Truncate(decimals)):
		return price, wrongField("price", "%s has more than %d decimals, which is all that %s has", text, decimals, what)
	}
	return price, nil
}

// checkURL refuses what a browser should not be sent to.
func checkURL(field, link string) error {
	if link == "" {
		return nil
	}
	u, err := url.Parse(link)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.Opaque != "":
		return wrongField(field, "%.80q is not an http or https address", link)
	case strings.ContainsAny(link, "\\ \t\r\n") || !isASCII(link):
		return wrongField(field, "%.80q must be percent-encoded", link)
	case len(link) > longestURL:
		return wrongField(field, "it has %d characters; CCPayment takes at most %d", len(link), longestURL)
	}
	return nil
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func isEmail(text string) bool {
	address, err := mail.ParseAddress(text)
	return err == nil && address.Address == text && len(text) <= longestProduct
}
