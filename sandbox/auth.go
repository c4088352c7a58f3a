package sandbox

import (
	"crypto"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"time"
)

// maxSkew is how far a call's Timestamp may be from the wall clock.
const maxSkew = 2 * time.Minute

// Sign makes the Sign header of a message: HMAC-SHA256 with the secret over
// app id, timestamp and body with nothing between them, in lower-case hex.
func Sign(appID, secret, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(appID + timestamp))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// authenticate checks the three headers of a call, in the order in which
// CCPayment answers for them, and the signature by isSigned.
func (s *Sandbox) authenticate(header http.Header, body []byte, isSigned func(timestamp, sign string, body []byte) bool) error {
	appID, err := single(header, "Appid")
	if err != nil {
		return err
	}
	timestamp, err := single(header, "Timestamp")
	if err != nil {
		return err
	}
	sign, err := single(header, "Sign")
	if err != nil {
		return err
	}
	sent, err := parseTimestamp(timestamp)
	if err != nil {
		return err
	}
	if appID != s.opts.AppID {
		return refuse(codeMerchantUnknown, "Appid: no merchant has this app id")
	}
	if skew := time.Since(sent).Abs(); skew > maxSkew {
		return refuse(codeExpiredRequest, "Timestamp: %s away from the server's clock, at most %s are allowed",
			skew.Round(time.Second), maxSkew)
	}
	if !isSigned(timestamp, sign, body) {
		return refuse(codeSign, "Sign: does not match app id, timestamp and body as they were received")
	}
	return nil
}

func (s *Sandbox) signedByMerchant(timestamp, sign string, body []byte) bool {
	if hmac.Equal([]byte(Sign(s.opts.AppID, s.opts.AppSecret, timestamp, body)), []byte(sign)) {
		return true
	}
	if s.opts.RSAKey == nil {
		return false
	}
	signature, err := base64.StdEncoding.DecodeString(sign)
	if err != nil {
		return false
	}
	hash := sha256.New()
	hash.Write([]byte(s.opts.AppID + timestamp))
	hash.Write(body)
	return rsa.VerifyPKCS1v15(s.opts.RSAKey, crypto.SHA256, hash.Sum(nil), signature) == nil
}

func single(header http.Header, name string) (string, error) {
	values := header.Values(name)
	if len(values) != 1 || values[0] == "" {
		return "", refuse(codeHeaders, "%s: this header is needed exactly once", name)
	}
	return values[0], nil
}

// parseTimestamp reads Unix seconds, or the milliseconds that some
// integrations send and that the live API takes too. Anything but digits would
// let the front of a body slip into the header, for nothing divides them in
// what is signed.
func parseTimestamp(text string) (time.Time, error) {
	n, err := strconv.ParseUint(text, 10, 63)
	switch {
	case err == nil && len(text) == 10:
		return time.Unix(int64(n), 0), nil
	case err == nil && len(text) == 13:
		return time.UnixMilli(int64(n)), nil
	}
	return time.Time{}, refuse(codeHeaders, "Timestamp: must be Unix seconds, ten digits (milliseconds, thirteen, are taken too)")
}
