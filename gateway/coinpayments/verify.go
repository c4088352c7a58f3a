package coinpayments

import (
	"encoding/base64"
	"fmt"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/rotation"
)

// Verify implements [gateway.Webhooks]: base64 of HMAC-SHA256 over a byte order mark,
// POST, the URL that is configured, the client id as it stands in the header, the
// timestamp and the body.
func (v *V2) Verify(r gateway.Request, now time.Time) (time.Time, error) {
	signed, err := coinpayments.ReadSignatureHeaders(r.Header)
	if err != nil {
		return time.Time{}, gateway.Tag(gateway.ErrMalformed, err)
	}
	if !isBase64(signed.Signature) {
		return time.Time{}, fmt.Errorf("%w: %s is not base64", gateway.ErrMalformed, coinpayments.HeaderSignature)
	}
	matches := v.matches(r.URL, signed, r.Body, now)
	for _, previous := range r.PreviousURLs {
		if !rotation.Ended(previous.Until, now) {
			matches = v.matches(previous.URL, signed, r.Body, now) || matches
		}
	}
	switch {
	// The response to both is the same; the log says which it was.
	case signed.ClientID != v.info.AccountID && !coinpayments.SameID(signed.ClientID, v.info.AccountID):
		return time.Time{}, fmt.Errorf("%w: the client id is not ours: compare client_id with CoinPayments' dashboard", gateway.ErrSignature)
	case !matches:
		return time.Time{}, fmt.Errorf("%w: no live secret made it for webhook_url: compare client_secret with CoinPayments' dashboard, "+
			"and webhook_url with the URL that is registered there, which must be the same to the letter", gateway.ErrSignature)
	}
	return signed.Time, nil
}

// matches reports whether any live secret made the signature for this URL. All are tried,
// whichever matches. An empty URL is none.
func (v *V2) matches(url string, signed coinpayments.SignatureHeaders, body []byte, now time.Time) bool {
	matches := false
	for key := range v.keys.Load().ring.Live(now) {
		matches = key.Matches(url, signed, body) || matches
	}
	return matches && url != ""
}

// longestSignature is more than any hash has in base64.
const longestSignature = 128

// isBase64 reports whether a text is base64 in the standard alphabet.
func isBase64(text string) bool {
	var into, from [longestSignature]byte
	if len(text) > longestSignature {
		return false
	}
	_, err := base64.StdEncoding.Decode(into[:], from[:copy(from[:], text)])
	return err == nil
}
