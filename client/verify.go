package client

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// The errors of verifying. A receiver responds to [ErrHeaders] with 400 and to
// the others with 401, and says no more than that.
var (
	// ErrHeaders: Appid, Timestamp or Sign is missing, stands there more than
	// once, or is malformed.
	ErrHeaders = errors.New("signature headers are missing, repeated or malformed")
	// ErrSignature: the app id is not ours, or none of the secrets made the
	// signature. The two are one error, so that a response cannot show which it was.
	ErrSignature = errors.New("signature does not match")
	// ErrStale: the signature is right, but its time is too far from now.
	ErrStale = errors.New("timestamp is outside the tolerance")
)

// SignatureHeaders are the three headers of a signed request, as they stand
// there.
type SignatureHeaders struct {
	AppID     string
	Timestamp string
	Sign      string
	// Time is what Timestamp says; seconds and milliseconds are both understood.
	Time time.Time
}

// ReadSignatureHeaders reads the headers that sign a webhook (API reference,
// How to Handle Incoming Webhooks). Each must be there exactly once, and
// Timestamp must be 10 or 13 digits and nothing else: app id, timestamp and
// body are signed without a delimiter, so a looser reading would let a forger
// move the front of a captured body into the header. The error is [ErrHeaders].
func ReadSignatureHeaders(h http.Header) (SignatureHeaders, error) {
	var s SignatureHeaders
	var err error
	if s.AppID, err = single(h, "Appid"); err != nil {
		return s, err
	}
	if s.Timestamp, err = single(h, "Timestamp"); err != nil {
		return s, err
	}
	if s.Sign, err = single(h, "Sign"); err != nil {
		return s, err
	}
	s.Time, err = parseTimestamp(s.Timestamp)
	return s, err
}

func single(h http.Header, name string) (string, error) {
	switch values := h[name]; {
	case len(values) == 0 || values[0] == "":
		return "", fmt.Errorf("%w: %s is missing", ErrHeaders, name)
	case len(values) > 1:
		return "", fmt.Errorf("%w: %s is repeated", ErrHeaders, name)
	default:
		return values[0], nil
	}
}

func parseTimestamp(text string) (time.Time, error) {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return time.Time{}, fmt.Errorf("%w: Timestamp is not digits only", ErrHeaders)
		}
	}
	if len(text) != 10 && len(text) != 13 {
		return time.Time{}, fmt.Errorf("%w: Timestamp has %d digits, not 10 or 13", ErrHeaders, len(text))
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: Timestamp: %v", ErrHeaders, err)
	}
	if len(text) == 13 {
		return time.UnixMilli(n), nil
	}
	return time.Unix(n, 0), nil
}

// Verify reports whether a webhook with these headers and this raw body was
// signed by CCPayment for the app id with any one of the secrets, at most
// tolerance before or after now. Several secrets serve while one is being
// rotated. The body must be the bytes as they were received: parsing and
// writing it again changes it. Every secret is tried, in constant time. A body
// that begins with a digit does not verify: a webhook is a JSON object, and the
// digits could be the end of a longer timestamp.
//
// The error is, or wraps, [ErrHeaders], [ErrSignature] or [ErrStale]; an empty
// app id or secret, no secret, or a tolerance that is not positive is an error
// of its own, so that a missing setting never lets a webhook pass.
func Verify(h http.Header, body []byte, tolerance time.Duration, appID string, secrets ...string) error {
	if len(secrets) == 0 {
		return errors.New("no app secret to verify with")
	}
	if tolerance <= 0 {
		return errors.New("the tolerance is not positive")
	}
	keys := make([]*HMAC, len(secrets))
	for i, secret := range secrets {
		key, err := NewHMAC(Credentials{AppID: appID, AppSecret: secret})
		if err != nil {
			return err
		}
		keys[i] = key
	}
	signed, err := ReadSignatureHeaders(h)
	if err != nil {
		return err
	}
	matches := false
	for _, key := range keys {
		if key.Matches(signed.Timestamp, body, signed.Sign) {
			matches = true
		}
	}
	if signed.AppID != appID || !matches || len(body) > 0 && '0' <= body[0] && body[0] <= '9' {
		return ErrSignature
	}
	if age := time.Since(signed.Time).Abs(); age > tolerance {
		return fmt.Errorf("%w: it is %s away from now", ErrStale, age.Round(time.Second))
	}
	return nil
}
