package checkout

import (
	"context"
	"net/mail"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
)

// DefaultInfo is the gateway that requests are checked for where no account is at hand:
// CCPayment's name and limits (API reference, Create Invoice, Create Deposit
// Order).
var DefaultInfo = gateway.Info{
	Title: "CCPayment",
	Limits: gateway.Limits{
		ShortestOrderID: 3, LongestOrderID: 48, LongestURL: 150, LongestProduct: 120, LongestExpiry: 10 * 24 * time.Hour,
	},
}

// longestEmail is how many bytes a buyer's e-mail address may have.
const longestEmail = 120

// How many decimals a price may have before its currency is looked up.
const (
	fiatDecimals = 2
	coinDecimals = 18
)

// wanted is a request that was looked up and checked.
type wanted struct {
	Request
	// gatewayID is the order's id at the gateway, and in the ledger.
	gatewayID string
	terms     gateway.Terms
}

// resolve looks a request's symbols up at the gateway and checks every field. It leaves
// out what the gateway does not take of a product, and an e-mail address that is none.
func (s *Sessions) resolve(ctx context.Context, r Request) (wanted, error) {
	w := wanted{Request: r}
	limits := s.account.Info.Limits
	if err := CheckOrderID(r.OrderID); err != nil {
		return w, err
	}
	var err error
	if w.gatewayID, err = s.account.GatewayOrderID(r.OrderID); err != nil {
		return w, err
	}
	price := gateway.Price{Amount: r.Price, Currency: r.Currency, Coin: r.Coin, Chain: r.Chain}
	if w.terms, err = s.checkouts.Terms(ctx, price); err != nil {
		return w, err
	}
	w.terms.Unit = s.unit(w.terms)
	hasEmail := r.BuyerEmail != "" && isEmail(r.BuyerEmail)
	if err := CheckLimits(s.account, r.NotifyURL, r.Coin, hasEmail); err != nil {
		return w, err
	}
	if r.Expires < 0 || r.Expires > limits.LongestExpiry {
		return w, gateway.WrongField("expires_in", "it must be at most %s", limits.LongestExpiry)
	}
	for _, link := range [][2]string{{"return_url", r.ReturnURL}, {"close_url", r.CloseURL}, {"notify_url", r.NotifyURL}} {
		if err := CheckURL(link[0], link[1], s.account.Info); err != nil {
			return w, err
		}
	}
	if w.Product = printable(r.Product); w.Product != r.Product {
		w.Warnings = append(w.Warnings, "the product has characters that cannot be shown, which were left out")
	}
	if utf8.RuneCountInString(w.Product) > limits.LongestProduct {
		w.Product = string([]rune(w.Product)[:limits.LongestProduct])
	}
	if r.BuyerEmail != "" && !hasEmail {
		w.BuyerEmail = ""
		w.Warnings = append(w.Warnings, "the buyer's e-mail address is none, and was left out")
	}
	return w, nil
}

// longestOrderID is how many characters an app's order id may have.
const longestOrderID = 128

// CheckOrderID returns an error unless a text can be an app's order id. What the
// gateway does not take gets another id there; see [gateway.Account.GatewayOrderID].
// The error is a [*gateway.FieldError].
func CheckOrderID(id string) error {
	switch length := utf8.RuneCountInString(id); {
	case length == 0:
		return gateway.WrongField("order_id", "it is missing")
	case length > longestOrderID:
		return gateway.WrongField("order_id", "it has %d characters, and may have %d", length, longestOrderID)
	case !utf8.ValidString(id) || strings.ContainsRune(id, utf8.RuneError): // what two broken ids have become may be the same
		return gateway.WrongField("order_id", "%.60q is not whole in UTF-8", id)
	case strings.ContainsFunc(id, unicode.IsControl):
		return gateway.WrongField("order_id", "%.60q has a control character, such as a line break", id)
	}
	return nil
}

// RequestUUID is the only placeholder of a request that a configured order id may have.
const RequestUUID = "{http.request.uuid}"

// NewOrderID returns an order's id as it is configured, with a new UUIDv7 for each
// [RequestUUID]; of an empty one, the UUID.
func NewOrderID(configured string) (string, error) {
	if configured != "" && !strings.Contains(configured, RequestUUID) {
		return configured, nil
	}
	id, err := uuid.NewV7()
	if err != nil || configured == "" {
		return id.String(), err
	}
	return strings.ReplaceAll(configured, RequestUUID, id.String()), nil
}

// CheckConfiguredOrderID checks an order's id as it is configured, for an account; empty:
// a new one each time.
func CheckConfiguredOrderID(account *gateway.Account, configured string) error {
	if configured == "" {
		return nil
	}
	id, err := NewOrderID(configured)
	if err == nil {
		err = CheckOrderID(id)
	}
	if err == nil {
		_, err = account.GatewayOrderID(id)
	}
	return err
}

// CheckLimits returns an error where the account's gateway sends webhooks to one URL only
// and notifyURL is another, or takes a coin only together with the buyer's e-mail address.
// The error is a [*gateway.FieldError].
func CheckLimits(account *gateway.Account, notifyURL, coin string, hasEmail bool) error {
	limits, title := account.Info.Limits, account.Info.Title
	switch {
	case limits.OneWebhookURL && notifyURL != "" && notifyURL != account.WebhookURL:
		return gateway.WrongField("notify_url", "%s's webhooks go to the account's webhook_url: leave notify_url out", title)
	case limits.CoinNeedsEmail && coin != "" && !hasEmail:
		return gateway.WrongField("coin", "%s takes a coin only together with the buyer's e-mail address: give buyer_email, or leave coin out", title)
	}
	return nil
}

// IsFiat reports whether a currency is known to be fiat without a look-up. Others may be
// fiat as well: only the gateway knows whether a symbol is a coin's.
func IsFiat(currency string) bool {
	return strings.EqualFold(currency, "USD") || strings.HasPrefix(currency, "fiat:")
}

// ParsePrice reads a price before its currency is looked up: a positive decimal
// number of as many decimals as fiat has, or a coin. The error is a
// [*gateway.FieldError].
func ParsePrice(text string, fiat bool) (decimal.Decimal, error) {
	if fiat {
		return gateway.ParseAmount(text, fiatDecimals, "fiat")
	}
	return gateway.ParseAmount(text, coinDecimals, "a coin")
}

// CheckURL returns an error unless a URL is http or https, percent-encoded, without
// user info, and no longer than the gateway takes. An empty URL is valid. The error is
// a [*gateway.FieldError].
func CheckURL(field, link string, info gateway.Info) error {
	if link == "" {
		return nil
	}
	u, err := url.Parse(link)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.Opaque != "":
		return gateway.WrongField(field, "%.80q is not an http or https address", link)
	case strings.ContainsAny(link, "\\ \t\r\n") || !isASCII(link):
		return gateway.WrongField(field, "%.80q must be percent-encoded", link)
	case !info.Limits.TakesURL(link):
		return gateway.WrongField(field, "it has %d characters; %s takes at most %d", len(link), info.Title, info.Limits.LongestURL)
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

// printable returns a text with a space in place of control characters and of bytes that
// are no character.
func printable(text string) string {
	text = strings.ToValidUTF8(text, "\n")
	if !strings.ContainsFunc(text, unicode.IsControl) {
		return text
	}
	return strings.TrimSpace(strings.Join(strings.FieldsFunc(text, unicode.IsControl), " "))
}

func isEmail(text string) bool {
	address, err := mail.ParseAddress(text)
	return err == nil && address.Address == text && len(text) <= longestEmail
}
