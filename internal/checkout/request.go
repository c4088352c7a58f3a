package checkout

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/tidwall/gjson"

	"github.com/seed-338f6760/caddy-ccpayment/internal/strictjson"
)

// Request asks for an order's checkout session, in the terms of the app, link or
// configuration that sets its price.
type Request struct {
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

	// Limits bound how many new orders the client makes; nil: there is no limit.
	Limits *Limits
	// Client is the client's address, which the limits count by.
	Client string
}

// Fields are the names of the fields of a request in JSON.
var Fields = []string{
	"order_id", "price", "currency", "product", "buyer_email", "return_url", "close_url", "expires_in", "coin", "chain",
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

// LargestRequest is how many bytes a text that asks for a checkout may have.
const LargestRequest = 64 << 10

// ErrNoRequest: a text has no order id, and so does not ask for a checkout.
var ErrNoRequest = errors.New("the answer has no order id")

// ReadRequest reads a request in JSON, each field where its gjson path says. The
// error is [ErrNoRequest] where the text asks for no checkout.
func ReadRequest(body []byte, paths map[string]string) (Request, error) {
	if !json.Valid(body) {
		return Request{}, errors.New("it is not JSON")
	}
	object := gjson.ParseBytes(body)
	if !object.IsObject() {
		return Request{}, ErrNoRequest
	}
	if name := strictjson.RepeatedKey(body); name != "" {
		return Request{}, fmt.Errorf("the key %.60q stands in it twice", name)
	}
	field := func(name string) string { return strictjson.Text(object.Get(paths[name])) }
	if field("order_id") == "" {
		return Request{}, ErrNoRequest
	}
	r := Request{
		OrderID: field("order_id"), Price: field("price"), Currency: field("currency"), Coin: field("coin"), Chain: field("chain"),
		Product: field("product"), BuyerEmail: field("buyer_email"), ReturnURL: field("return_url"), CloseURL: field("close_url"),
	}
	if in := field("expires_in"); in != "" {
		seconds, err := strconv.ParseUint(in, 10, 31)
		if err != nil || seconds == 0 {
			return Request{}, fmt.Errorf("expires_in %.40q is no number of seconds", in)
		}
		r.Expires = time.Duration(seconds) * time.Second
	}
	return r, nil
}
