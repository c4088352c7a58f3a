// Package gatewaytest has the test suite that every [gateway.Gateway] must pass, over the
// gateway's sandbox or a fake of it. Events go from the webhook to the app as they do in
// Caddy, through a real ledger.
package gatewaytest

import (
	"net/http"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
)

// Sandbox is what the gateway's author fills in: the gateway as merchants and buyers see
// it, on this machine. It serves the gateway's API and its checkout pages; the suite
// stands in front of it, and alters and loses answers.
type Sandbox interface {
	http.Handler

	// Driver returns the gateway's Caddy module with these options.
	Driver(o Options) gateway.Driver

	// Sign returns the headers that the gateway sends a webhook with.
	Sign(s Signing) http.Header

	// Pay has a buyer pay an order, by its id at the gateway. It returns when the gateway
	// has sent the webhooks of it, to the order's notify URL, until nothing more comes.
	Pay(t *testing.T, orderID string, way Way)
}

// Seller is a sandbox whose gateway makes no checkouts here: shops make orders in a way of
// their own.
type Seller interface {
	// Sell makes an order of the price that Pay pays, with this id at the gateway, the
	// account's prefix in front. Its webhooks are sent to the URL.
	Sell(t *testing.T, orderID, notifyURL string)
}

// Repeater is a sandbox whose gateway repeats a webhook with another body, as one that has
// an id for each copy. What others repeat is the same, signed anew.
type Repeater interface {
	// Repeat sends the latest webhook of an order that often again, and returns when all
	// are sent.
	Repeat(t *testing.T, orderID string, times int)
}

// Options are the options of an account, as the configuration has them: secrets and the
// account's id may be placeholders of files.
type Options struct {
	AccountID, Secret string
	Previous          []Previous
	// BaseURL is where the sandbox is served.
	BaseURL string
}

// Previous is a secret that was replaced. Until is when it ends, in RFC 3339; empty: it
// does not.
type Previous struct{ Secret, Until string }

// Signing is what a webhook is signed with. URL is where it is sent to.
type Signing struct {
	AccountID, Secret, URL string
	At                     time.Time
	Body                   []byte
}

// Way is a way to pay an order.
type Way string

// The ways to pay an order. Every sandbox knows Exact.
const (
	Exact     Way = "exact"
	Half      Way = "half"       // of what is due
	Rest      Way = "rest"       // what is left to pay, after Half
	Again     Way = "again"      // as much as was due, of an order that is paid
	Over      Way = "over"       // half more than what is due
	Late      Way = "late"       // after the expiry
	WrongCoin Way = "wrong coin" // as much as is due, in another coin
	Risky     Way = "risky"      // flagged by the gateway
	Failed    Way = "failed"     // it does not arrive in the end
)

// Alter changes an answer of the gateway's API. It returns one that it is not about as it is.
type Alter func(r *http.Request, answer []byte) []byte

// Features are the facts about a gateway that the suite needs.
type Features struct {
	// AccountID and Secret are those that the sandbox has. StrangerID is another
	// account's id, in the same form.
	AccountID, Secret, StrangerID string
	// OtherSecrets are four more secrets in the form of the gateway's, which the account
	// had before or gets later. None: it has one secret for good, and nothing of previous
	// ones is tested.
	OtherSecrets []string
	// AccountHeader and TimestampHeader are the headers of a webhook that have the
	// account's id and the time of the signature. No AccountHeader: webhooks do not say
	// whose they are, and every account has a secret of its own.
	AccountHeader, TimestampHeader string
	// Forgeries are signatures that are almost the gateway's: in another encoding, by
	// another hash, without a part of what is signed.
	Forgeries map[string]func(Signing) http.Header

	// Price is what orders cost that checkouts make, and what they are paid in. Prices must
	// not be in a coin that is worth nothing.
	Price gateway.Price
	// Ways are the ways to pay that the sandbox knows besides [Exact].
	Ways []Way
	// Made reports whether a call of the API has made an order.
	Made func(r *http.Request, answer []byte) bool
	// Behind make of the answers about a paid order those of a moment before: the
	// payment is on its way.
	Behind map[string]Alter
	// Lies make of the answers about a paid order what contradicts the webhook, or what
	// the checkout has asked for.
	Lies map[string]Alter
}

// Opener makes a sandbox in which nothing has happened. What it opens is closed when the
// test ends.
type Opener func(t *testing.T) Sandbox

// testCase is one test of the suite.
type testCase struct {
	name string
	run  func(t *testing.T, s *stand)
}

// Run runs the suite, which is meant for the race detector. What a gateway does not
// implement is not tested: checkouts and rotation are optional. Without checkouts, what is
// delivered to the app is tested where the sandbox is a [Seller].
func Run(t *testing.T, features Features, open Opener) {
	for _, test := range []testCase{
		{"Info", info},
		{"Signature", signature},
		{"Headers", headers},
		{"Explained", explained},
		{"Moved", moved},
		{"Forged", forged},
		{"URLs", urls},
		{"PreviousSecrets", previousSecrets},
		{"Rotation", rotation},
		{"Succession", succession},
		{"Copies", copies},
		{"AtOnce", atOnce},
		{"Refused", refused},
		{"Arrival", arrival},
		{"Ahead", ahead},
		{"Behind", behind},
		{"Down", down},
		{"Lying", lying},
		{"Money", money},
		{"OneCheckout", oneCheckout},
		{"LostAnswer", lostAnswer},
		{"LostCall", lostCall},
		{"ForeignPage", foreignPage},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, newStand(t, features, open(t))) })
	}
}
