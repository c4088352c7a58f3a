package ccpayment

import (
	"crypto/hmac"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// fromLink reads the offer of a signed link. Names that are not signed, such as
// those that newsletters add, are ignored.
func (h *Checkout) fromLink(r *http.Request) (offer, error) {
	forged := &checkoutError{status: http.StatusForbidden, code: "bad_link", text: "this link is not one of this shop's"}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return offer{}, forged
	}
	for _, name := range append(slices.Clone(linkFields), "sig") {
		values := query[name]
		if len(values) > 1 || len(values) == 1 && strings.ContainsAny(values[0], "\r\n") {
			return offer{}, forged
		}
	}
	sig, err := hex.DecodeString(query.Get("sig"))
	if err != nil || !slices.ContainsFunc(h.linkSecrets, func(secret string) bool {
		return hmac.Equal(sig, signLink(secret, h.till.appID, query.Get))
	}) {
		return offer{}, forged
	}
	until, err := strconv.ParseInt(query.Get("valid_until"), 10, 64)
	if err != nil {
		return offer{}, forged
	}
	if !h.app.now().Before(time.Unix(until, 0)) {
		return offer{}, &checkoutError{status: http.StatusGone, code: "link_expired", text: "this link has expired"}
	}
	return offer{
		orderID: query.Get("order_id"), price: query.Get("price"), currency: query.Get("currency"),
		coin: query.Get("coin"), chain: query.Get("chain"), product: query.Get("product"),
		buyerEmail: query.Get("buyer_email"), returnURL: query.Get("return_url"), closeURL: query.Get("close_url"),
	}, nil
}
