package v1

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client"
)

// Verify reports whether a webhook with these headers and this raw body was signed by
// CCPayment for the app id with any one of the secrets, at most tolerance before or after
// now (V1 documentation, Webhook notification). Several secrets serve while one is being
// rotated. The body must be the bytes as they were received, and one JSON object: see
// [Key.Matches].
//
// The error is, or wraps, [client.ErrHeaders], [client.ErrSignature] or [client.ErrStale];
// an empty app id or secret, no secret, or a tolerance that is not positive is an error of
// its own, so that a missing setting never lets a webhook pass.
func Verify(h http.Header, body []byte, tolerance time.Duration, appID string, secrets ...string) error {
	if len(secrets) == 0 {
		return errors.New("no app secret to verify with")
	}
	if tolerance <= 0 {
		return errors.New("the tolerance is not positive")
	}
	keys := make([]*Key, len(secrets))
	for i, secret := range secrets {
		key, err := NewKey(client.Credentials{AppID: appID, AppSecret: secret})
		if err != nil {
			return err
		}
		keys[i] = key
	}
	signed, err := VerifyBy(h, body, appID, keys...)
	if err != nil {
		return err
	}
	if age := time.Since(signed.Time).Abs(); age > tolerance {
		return fmt.Errorf("%w: it is %s away from now", client.ErrStale, age.Round(time.Second))
	}
	return nil
}

// VerifyBy is [Verify] with keys, all of which are tried, and returns the headers, of
// which the caller checks how old the time is. It returns them with a
// [client.ErrSignature], too.
func VerifyBy(h http.Header, body []byte, appID string, keys ...*Key) (client.SignatureHeaders, error) {
	signed, err := client.ReadSignatureHeaders(h)
	if err != nil {
		return signed, err
	}
	matches := false
	for _, key := range keys {
		matches = key.Matches(signed.Timestamp, body, signed.Sign) || matches
	}
	if signed.AppID != appID || !matches {
		return signed, client.ErrSignature
	}
	return signed, nil
}
