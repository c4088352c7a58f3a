package checkout

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/strictjson"
)

// Request asks for an order's checkout session, in the terms of the app, link or
// configuration that sets its price.
type Request struct {
	// Account is the name of the account that the app chooses; empty: the first of those
	// that it may choose from. See [Choices.Of].
	Account string
	// IsDefault: the app names the default account, whose name is empty.
	IsDefault bool
	// OrderID is the app's id of the order, without the account's prefix.
	OrderID string
	// Price is a positive decimal number, such as 49.90.
	Price string
	// Currency is the unit of the price: a symbol, fiat:<id> or coin:<id>.
	Currency string
	// Coin and Chain are what the order is paid in: a symbol or coin:<id>, and a chain
	// of the coin; empty: the buyer picks the coin.
	Coin, Chain string
	// Product is what the checkout page says is bought.
	Product    string
	BuyerEmail string
	// ReturnURL and CloseURL are where the checkout page sends the buyer after paying
	// and on leaving, NotifyURL where the gateway sends the order's webhooks.
	ReturnURL, CloseURL, NotifyURL string
	// Expires is how long the order can be paid; 0: the gateway's default.
	Expires time.Duration

	// NoStatusToken: the order's status token is not added to ReturnURL.
	NoStatusToken bool
	// Warnings say what was left out of the request, for the log.
	Warnings []string

	// Limits bound how many new orders the client makes; nil: there is no limit.
	Limits *Limits
	// Client is the client's address, which the limits count by.
	Client string
}

// Fields are the names of the fields of a request in JSON.
var Fields = []string{
	"order_id", "price", "currency", "product", "buyer_email", "return_url", "close_url", "expires_in", "coin", "chain", "account",
}

// OwnPaths returns the gjson paths by which [ReadRequest] finds the fields under
// their own names.
func OwnPaths() map[string]string {
	paths := make(map[string]string, len(Fields))
	for _, name := range Fields {
		paths[name] = name
	}
	return paths
}

// PathsWith returns the [OwnPaths] with others in place of some. The error is that there is
// no such field.
func PathsWith(others map[string]string) (map[string]string, error) {
	paths := OwnPaths()
	for name, path := range others {
		if _, ok := paths[name]; !ok {
			return nil, fmt.Errorf("intercept: unknown field %q: use one of %s", name, strings.Join(Fields, ", "))
		}
		paths[name] = path
	}
	return paths, nil
}

// LargestRequest is how many bytes a text that asks for a checkout may have.
const LargestRequest = 64 << 10

// The errors of a text that does not ask for a checkout.
var (
	ErrNotJSON   = errors.New("it is not JSON")
	ErrNoRequest = errors.New("it has no order id")
)

// ReadRequest reads a request in JSON, each field where its gjson path says. The
// error is [ErrNotJSON] or [ErrNoRequest] where the text asks for no checkout.
func ReadRequest(body []byte, paths map[string]string) (Request, error) {
	body = strictjson.WithoutBOM(body)
	if !json.Valid(body) {
		return Request{}, ErrNotJSON
	}
	object := gjson.ParseBytes(body)
	id := object.Get(paths["order_id"])
	r := Request{OrderID: strictjson.Text(id)}
	if !object.IsObject() || r.OrderID == "" {
		if paths["order_id"] == "order_id" && object.Get("orderId").Exists() {
			return Request{}, fmt.Errorf("%w: it is called order_id, not orderId", ErrNoRequest)
		}
		return Request{}, ErrNoRequest
	}
	if id.Type == gjson.String && r.OrderID != id.Str { // as it is written, it could be another's id
		return Request{}, CheckOrderID(id.Str)
	}
	if name := strictjson.RepeatedKey(body); name != "" {
		return Request{}, fmt.Errorf("the key %.60q stands in it twice", name)
	}
	if account := object.Get(paths["account"]); account.Type == gjson.String {
		r.Account, r.IsDefault = account.Str, account.Str == ""
	} else if account.Type != gjson.Null {
		r.Account = account.Raw // which is no account's name
	}
	var in string
	for _, field := range []struct {
		name string
		to   *string
	}{{"price", &r.Price}, {"currency", &r.Currency}, {"coin", &r.Coin}, {"chain", &r.Chain}, {"expires_in", &in}} {
		value := object.Get(paths[field.name])
		if !isText(value) || field.to == &r.Price && value.Raw == "null" {
			return Request{}, gateway.WrongField(field.name, "%.60s is neither a text nor a number", value.Raw)
		}
		*field.to = strictjson.Text(value)
	}
	if in != "" {
		seconds, err := strconv.ParseUint(in, 10, 31)
		if err != nil || seconds == 0 {
			return Request{}, gateway.WrongField("expires_in", "%.40q is no number of seconds", in)
		}
		r.Expires = time.Duration(seconds) * time.Second
	}
	for _, field := range []struct {
		name string
		to   *string
	}{{"product", &r.Product}, {"buyer_email", &r.BuyerEmail}, {"return_url", &r.ReturnURL}, {"close_url", &r.CloseURL}} {
		value := object.Get(paths[field.name])
		if !isText(value) {
			r.Warnings = append(r.Warnings, field.name+" is neither a text nor a number, and was left out")
		}
		*field.to = strictjson.Text(value)
	}
	return r, nil
}

// isText reports whether a field has a text or a number, or is not there or null.
func isText(value gjson.Result) bool {
	return value.Type == gjson.String || value.Type == gjson.Number || value.Type == gjson.Null
}
