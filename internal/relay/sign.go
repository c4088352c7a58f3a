package relay

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
)

// Signer signs what is sent to the app, so that the app can verify where it comes
// from. It returns the headers for one attempt.
type Signer func(eventID string, now time.Time, body []byte) []Field

// SignAsGateway signs as the gateway does, for apps that verify by themselves.
func SignAsGateway(g gateway.Signer) Signer {
	return func(_ string, now time.Time, body []byte) []Field {
		signed := g.Sign(now, body)
		list := make([]Field, 0, len(signed))
		for _, h := range signed {
			list = append(list, Field{h[0], h[1]})
		}
		return list
	}
}

// SignAsStandard signs by Standard Webhooks v1 with every secret given, so that
// an app can move from one to the next.
func SignAsStandard(secrets ...string) (Signer, error) {
	var keys [][]byte
	for _, secret := range secrets {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
		if err != nil {
			return nil, errors.New("a Standard Webhooks secret is base64, with or without whsec_ in front, and has no quotes: quotes in an env file are part of the value")
		}
		if len(key) < 24 || len(key) > 64 {
			return nil, fmt.Errorf("a Standard Webhooks secret has 24 to 64 bytes, not %d: make one with `openssl rand -base64 32`", len(key))
		}
		keys = append(keys, key)
	}
	return func(eventID string, now time.Time, body []byte) []Field {
		timestamp := strconv.FormatInt(now.Unix(), 10)
		signatures := make([]string, len(keys))
		for i, key := range keys {
			mac := hmac.New(sha256.New, key)
			fmt.Fprintf(mac, "%s.%s.", eventID, timestamp)
			mac.Write(body)
			signatures[i] = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
		}
		return []Field{
			{"Webhook-Id", eventID},
			{"Webhook-Timestamp", timestamp},
			{"Webhook-Signature", strings.Join(signatures, " ")},
		}
	}, nil
}
