package gateway

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// plainIDs are the order ids that every gateway takes as they are, if their length
// suits it.
var plainIDs = regexp.MustCompile(`^[A-Za-z0-9_.:-]+$`)

// A stand-in is the id at the gateway, behind the prefix, of an order whose own id the
// gateway does not take. A later generation of the order has a suffix.
var standIns = regexp.MustCompile(`^x\.[a-z2-7]{26}(-[a-z2-7]{10})?$`)

const (
	standInMark   = "x."
	standInDigits = 26 // of 5 bits: nobody finds two ids with the same
	standInSize   = len(standInMark) + standInDigits
)

// A generation is a later order at the gateway for one order of the app's; see
// [ledger.GatewayOrder]. Its id is the first one's with a random suffix, a dash and
// digits in base 32.
const generationDigits = 10

// cutGeneration returns what stands in front of the suffix of a later generation; false:
// the id has none.
func cutGeneration(id string) (first string, ok bool) {
	n := len(id) - generationDigits - 1
	if n < 1 || id[n] != '-' {
		return "", false
	}
	for _, c := range []byte(id[n+1:]) {
		if (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return "", false
		}
	}
	return id[:n], !strings.Contains(id[:n], "\n")
}

// NewGeneration returns an id for a further order at the gateway, by the id of the first
// that was made for the same order of the app's.
func NewGeneration(first string) string {
	return first + "-" + strings.ToLower(rand.Text()[:generationDigits])
}

// FirstOf returns the id of the first order at the gateway of which one with this id may
// be a later generation, and false where it can be none.
func (a *Account) FirstOf(id string) (first string, ok bool) {
	own, ok := strings.CutPrefix(id, a.OrderPrefix)
	first, isLater := cutGeneration(own)
	if !ok || !isLater {
		return "", false
	}
	return a.OrderPrefix + first, true
}

// GatewayOrderID returns the id at the gateway of an order, by the app's id of it: the
// account's prefix and that id, where the gateway takes it, and else the prefix and a
// stand-in. The stand-in is computed from the app's id alone, so that every process
// finds the same, also without its ledger. An app's id that looks like a stand-in or a
// generation gets one itself, and so never names another's order. The error is a
// [*FieldError] where the prefix leaves no room; an id that only looks like a generation
// is then sent as it is.
func (a *Account) GatewayOrderID(own string) (string, error) {
	limits := a.Info.Limits
	hasRoom := len(a.OrderPrefix)+standInSize <= limits.LongestOrderID
	_, isLater := cutGeneration(own)
	isOurs := standIns.MatchString(own) || hasRoom && isLater
	if size := len(a.OrderPrefix) + len(own); plainIDs.MatchString(own) && !isOurs &&
		size >= limits.ShortestOrderID && size <= limits.LongestOrderID {
		return a.OrderPrefix + own, nil
	}
	if !hasRoom {
		return "", WrongField("order_id", "%.60q is not %s, and order_prefix, of %d characters, leaves no room for an id that stands for it: shorten order_prefix to %d",
			own, a.accepts(), len(a.OrderPrefix), max(limits.LongestOrderID-standInSize, 0))
	}
	sum := sha256.Sum256([]byte(own))
	digits := strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))
	return a.OrderPrefix + standInMark + digits[:standInDigits], nil
}

// accepts says what order ids the gateway takes as they are.
func (a *Account) accepts() string {
	text := fmt.Sprintf("%d to %d letters, digits and _ . : -", a.Info.Limits.ShortestOrderID, a.Info.Limits.LongestOrderID)
	if a.OrderPrefix != "" {
		text += " with order_prefix in front"
	}
	return text
}

// Apart reports whether the orders of two accounts can be told apart. Those of one
// merchant are told by their prefixes. The error is that one prefix begins with the
// other, so that an order of one account is an order of the other, or that both are one by
// default; the warning that they have the same one, or that one has none, so that all
// orders are its own.
func (a *Account) Apart(b *Account) (warning string, err error) {
	if a.Info.AccountID != b.Info.AccountID {
		return "", nil
	}
	if len(a.OrderPrefix) > len(b.OrderPrefix) || len(a.OrderPrefix) == len(b.OrderPrefix) && a.Name > b.Name {
		a, b = b, a // whichever was opened first
	}
	both := fmt.Sprintf("%s and %s are one account at %s", a.Label(), b.Label(), a.Info.Title)
	switch {
	case a.OrderPrefix == b.OrderPrefix && a.Info.ByDefault && b.Info.ByDefault:
		return "", errors.New(both + ", by the credentials of the environment, and have the same order_prefix, or none: give one of them its own credentials, or each an order_prefix")
	case a.OrderPrefix == b.OrderPrefix:
		return both + " and have the same order_prefix, or none: the orders of each are the other's, too", nil
	case a.OrderPrefix == "":
		return fmt.Sprintf("%s, and %s has no order_prefix: it takes the other's orders for its own", both, a.Label()), nil
	case strings.HasPrefix(b.OrderPrefix, a.OrderPrefix):
		return "", fmt.Errorf("%s, and order_prefix %s begins with the other's, %s: orders of one would be the other's, choose prefixes of which none begins with another",
			both, b.OrderPrefix, a.OrderPrefix)
	}
	return "", nil
}

// IsStandIn reports whether an id at the gateway stands for an app's order id, which
// only the ledger knows.
func (a *Account) IsStandIn(id string) bool {
	own, ok := strings.CutPrefix(id, a.OrderPrefix)
	return ok && standIns.MatchString(own)
}

// OrderIDs returns the ids by which the ledger may have an order, by the app's id of
// it: first as a checkout makes it, and then as one that was made elsewhere, or by an
// earlier version's checkout, which has the app's id at the gateway whatever that is.
// Those of an order that accounts share are first the one that they all have for it, and
// then those that it has at each, from before they shared it.
func (a *Account) OrderIDs(own string) []ledger.OrderID {
	var ids []ledger.OrderID
	if a.Orders != "" {
		ids = append(ids, ledger.SharedOrder(a.Orders, own))
	}
	for _, one := range a.Group() {
		ids = append(ids, one.unshared(own)...)
	}
	return ids
}

// unshared is OrderIDs for an account alone.
func (a *Account) unshared(own string) []ledger.OrderID {
	var ids []ledger.OrderID
	made, err := a.GatewayOrderID(own)
	if err == nil {
		ids = append(ids, ledger.OrderID{AppID: a.Info.AccountID, ID: made})
	}
	if elsewhere := a.OrderPrefix + own; elsewhere != made && !standIns.MatchString(own) {
		ids = append(ids, ledger.OrderID{AppID: a.Info.AccountID, ID: elsewhere})
	}
	return ids
}
