package ccpaymentv1

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/gateway/gatewaytest"
	"github.com/seed-338f6760/caddy-ccpayment/internal/rotation"
)

// merchant is V1 for the suite. It has no records, and makes no orders.
type merchant struct{ http.Handler }

func (merchant) Driver(o gatewaytest.Options) gateway.Driver {
	m := &Module{AppID: o.AccountID, AppSecret: o.Secret, BaseURL: o.BaseURL + "/ccpayment/v1"}
	for _, p := range o.Previous {
		m.PreviousSecrets = append(m.PreviousSecrets, rotation.PreviousSecret{Secret: p.Secret, Until: p.Until})
	}
	return m
}

func (merchant) Sign(s gatewaytest.Signing) http.Header {
	return signed(client.Credentials{AppID: s.AccountID, AppSecret: s.Secret}, strconv.FormatInt(s.At.Unix(), 10), s.Body)
}

// Pay implements [gatewaytest.Sandbox].
func (merchant) Pay(t *testing.T, _ string, _ gatewaytest.Way) {
	t.Helper()
	t.Fatal("V1 makes no orders here")
}

// forgery is a signature over other parts, or in another encoding.
func forgery(encode func([]byte) string, parts func(s gatewaytest.Signing, timestamp string) string) func(gatewaytest.Signing) http.Header {
	return func(s gatewaytest.Signing) http.Header {
		header := merchant{}.Sign(s)
		sum := sha256.Sum256([]byte(parts(s, header.Get("Timestamp"))))
		header.Set("Sign", encode(sum[:]))
		return header
	}
}

// TestConformance: V1's webhooks are verified as those of others are.
func TestConformance(t *testing.T) {
	whole := func(s gatewaytest.Signing, at string) string { return s.AccountID + s.Secret + at + string(s.Body) }
	gatewaytest.Run(t, gatewaytest.Features{
		AccountID: ours.AppID, Secret: ours.AppSecret, StrangerID: "app-2", AccountHeader: "Appid", TimestampHeader: "Timestamp",
		OtherSecrets: []string{"secret-2", "secret-3", "secret-4", "secret-5"},
		Forgeries: map[string]func(gatewaytest.Signing) http.Header{
			"in capitals":  forgery(func(sum []byte) string { return strings.ToUpper(hex.EncodeToString(sum)) }, whole),
			"base64":       forgery(base64.StdEncoding.EncodeToString, whole),
			"no app id":    forgery(hex.EncodeToString, func(s gatewaytest.Signing, at string) string { return s.Secret + at + string(s.Body) }),
			"no secret":    forgery(hex.EncodeToString, func(s gatewaytest.Signing, at string) string { return s.AccountID + at + string(s.Body) }),
			"no timestamp": forgery(hex.EncodeToString, func(s gatewaytest.Signing, _ string) string { return s.AccountID + s.Secret + string(s.Body) }),
			"no body":      forgery(hex.EncodeToString, func(s gatewaytest.Signing, at string) string { return s.AccountID + s.Secret + at }),
			"V2's": func(s gatewaytest.Signing) http.Header {
				header := merchant{}.Sign(s)
				header.Set("Sign", client.Sign(client.Credentials{AppID: s.AccountID, AppSecret: s.Secret}, header.Get("Timestamp"), s.Body))
				return header
			},
		},
	}, func(*testing.T) gatewaytest.Sandbox { return merchant{http.NotFoundHandler()} })
}
