package checkout

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// LinkFields are the query fields of a signed link, in the order that is signed.
var LinkFields = []string{
	"order_id", "price", "currency", "valid_until", "product", "buyer_email", "return_url", "close_url", "coin", "chain",
}

// requiredOfLinks are those that every link has.
var requiredOfLinks = []string{"order_id", "price", "currency", "valid_until"}

// linkNames are all fields of a link that mean anything.
var linkNames = append(slices.Clone(LinkFields), "sig")

// MinimumLinkSecret is how many bytes a secret of links must have at least.
const MinimumLinkSecret = 16

// SignLink returns the MAC of a link's fields, which goes in hex into the query field
// sig. value returns the value of a field; empty: the link has none. accountID is the
// account's id at the gateway.
func SignLink(secret, accountID string, value func(field string) string) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(accountID))
	for _, name := range LinkFields {
		mac.Write([]byte("\n" + value(name)))
	}
	return mac.Sum(nil)
}

// ReadLink reads the request in the raw query of a link that is signed with one
// of the secrets. Names that are not signed, such as those that newsletters add,
// are ignored, however they are written. The error is an [*Error].
func ReadLink(rawQuery string, secrets []string, accountID string, now time.Time) (Request, error) {
	forged := &Error{Status: http.StatusForbidden, Code: "bad_link", Text: "this link is not one of this shop's"}
	query, err := readLinkQuery(rawQuery)
	if err != nil {
		return Request{}, forged
	}
	for _, name := range linkNames {
		values := query[name]
		if len(values) > 1 || len(values) == 1 && strings.ContainsAny(values[0], "\r\n") {
			return Request{}, forged
		}
	}
	for _, name := range requiredOfLinks {
		if query.Get(name) == "" { // or the page that it is opened at would fill it in
			return Request{}, forged
		}
	}
	sig, err := hex.DecodeString(query.Get("sig"))
	if err != nil || !slices.ContainsFunc(secrets, func(secret string) bool {
		return hmac.Equal(sig, SignLink(secret, accountID, query.Get))
	}) {
		return Request{}, forged
	}
	until, err := strconv.ParseInt(query.Get("valid_until"), 10, 64)
	if err != nil {
		return Request{}, forged
	}
	if !now.Before(time.Unix(until, 0)) {
		return Request{}, &Error{Status: http.StatusGone, Code: "link_expired", Text: "this link has expired"}
	}
	return Request{
		OrderID: query.Get("order_id"), Price: query.Get("price"), Currency: query.Get("currency"),
		Coin: query.Get("coin"), Chain: query.Get("chain"), Product: query.Get("product"),
		BuyerEmail: query.Get("buyer_email"), ReturnURL: query.Get("return_url"), CloseURL: query.Get("close_url"),
	}, nil
}

// readLinkQuery reads a link's query. What is not well written in it is left out, where it is
// none of the link's own fields.
func readLinkQuery(raw string) (url.Values, error) {
	query, err := url.ParseQuery(raw)
	if err == nil {
		return query, nil
	}
	for pair := range strings.SplitSeq(raw, "&") {
		if _, broken := url.ParseQuery(pair); broken == nil {
			continue
		}
		name, _, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(name); err == nil {
			name = plain
		}
		if slices.Contains(linkNames, name) {
			return nil, err
		}
	}
	return query, nil
}
