package gateway

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"regexp"
	"strings"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// plainIDs are the order ids that every gateway takes as they are, if their length
// suits it.
var plainIDs = regexp.MustCompile(`^[A-Za-z0-9_.:-]+$`)

// A stand-in is the id at the gateway, behind the prefix, of an order whose own id the
// gateway does not take. A later generation of the order has a suffix; see
// [ledger.GatewayOrder].
var standIns = regexp.MustCompile(`^x\.[a-z2-7]{26}(-[a-z2-7]{10})?$`)

const (
	standInMark   = "x."
	standInDigits = 26 // of 5 bits: nobody finds two ids with the same
	standInSize   = len(standInMark) + standInDigits
)

// GatewayOrderID returns the id at the gateway of an order, by the app's id of it: the
// account's prefix and that id, where the gateway takes it, and else the prefix and a
// stand-in. The stand-in is computed from the app's id alone, so that every process
// finds the same, also without its ledger. An app's id that looks like a stand-in gets
// one itself, and so never names another's order. The error is a [*FieldError] where
// the prefix leaves no room.
func (a *Account) GatewayOrderID(own string) (string, error) {
	limits := a.Info.Limits
	if size := len(a.OrderPrefix) + len(own); plainIDs.MatchString(own) && !standIns.MatchString(own) &&
		size >= limits.ShortestOrderID && size <= limits.LongestOrderID {
		return a.OrderPrefix + own, nil
	}
	if len(a.OrderPrefix)+standInSize > limits.LongestOrderID {
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

// IsStandIn reports whether an id at the gateway stands for an app's order id, which
// only the ledger knows.
func (a *Account) IsStandIn(id string) bool {
	own, ok := strings.CutPrefix(id, a.OrderPrefix)
	return ok && standIns.MatchString(own)
}

// OrderIDs returns the ids by which the ledger may have an order, by the app's id of
// it: first as a checkout makes it, and then as one that was made elsewhere, which has
// the app's id at the gateway whatever that is.
func (a *Account) OrderIDs(own string) []ledger.OrderID {
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
