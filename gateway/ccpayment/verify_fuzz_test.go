package ccpayment

import (
	"bytes"
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/rotation"
)

const (
	fuzzAppID   = "app-123"
	fuzzWebhook = `{"type":"ApiDeposit","msg":{"recordId":"20240312000000000000000000000001","status":"Success","isFlaggedAsRisky":false}}`
)

var timestamps = regexp.MustCompile(`^([0-9]{10}|[0-9]{13})$`)

func fuzzHMAC(secret string) (*client.HMAC, error) {
	return client.NewHMAC(client.Credentials{AppID: fuzzAppID, AppSecret: secret})
}

// signedBy is the signature that the contract describes, by crypto/hmac.
func signedBy(secret, appID, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(appID + timestamp))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// FuzzVerify: a webhook verifies if, and only if, a live secret signed exactly
// its app id, timestamp and body. The signer signs signed, and body arrives; from
// 128 on it signs for our app id, whatever the header says.
func FuzzVerify(f *testing.F) {
	for signer := range byte(5) {
		f.Add(fuzzAppID, "1710232720", "", signer, []byte(fuzzWebhook), []byte(fuzzWebhook))
	}
	f.Add(fuzzAppID, "1710232720123", "", byte(0), []byte(fuzzWebhook), []byte(fuzzWebhook+" "))
	f.Add("app-12", "31710232720", "", byte(0), []byte("{}"), []byte("{}"))
	f.Add(fuzzAppID, "+171023272", "", byte(0), []byte("{}"), []byte("{}"))
	f.Add(fuzzAppID, "1710232720", strings.Repeat("0", 64), byte(4), []byte("{}"), []byte("{}"))
	f.Add("app-124", "1710232720", "", byte(128), []byte(fuzzWebhook), []byte(fuzzWebhook))
	f.Add("", "", "", byte(4), []byte(""), []byte(""))
	now := time.Unix(1_710_232_720, 0)
	g := &V2{info: gateway.Info{AccountID: fuzzAppID}}
	ring, err := rotation.NewRing("current", []rotation.Secret{{Secret: "previous"}, {Secret: "ended", Until: now.Add(-time.Second)}}, fuzzHMAC)
	if err != nil {
		f.Fatal(err)
	}
	g.keys.Store(&keys{ring: ring})
	secrets := []string{"current", "previous", "ended", "a stranger's"}
	f.Fuzz(func(t *testing.T, appID, timestamp, sign string, signer byte, signed, body []byte) {
		if int(signer) < len(secrets) {
			sign = signedBy(secrets[signer], appID, timestamp, signed)
		} else if signer >= 128 {
			sign = signedBy("current", fuzzAppID, timestamp, signed)
		}
		live := slices.ContainsFunc(secrets[:2], func(secret string) bool {
			return sign == signedBy(secret, fuzzAppID, timestamp, body)
		})
		want := live && appID == fuzzAppID && timestamps.MatchString(timestamp)
		header := http.Header{"Appid": {appID}, "Timestamp": {timestamp}, "Sign": {sign}}
		at, err := g.Verify(gateway.Request{Header: header, Body: body}, now)
		if (err == nil) != want {
			t.Fatalf("%q over %q: %v, want a yes to be %t", header, body, err, want)
		}
		if err == nil && (at.Year() < 1970 || at.Year() > 2290) {
			t.Fatalf("%q was signed at %s", timestamp, at)
		}
		if err != nil && !errors.Is(err, gateway.ErrMalformed) && !errors.Is(err, gateway.ErrSignature) {
			t.Fatalf("%q: %v is neither 400 nor 401", header, err)
		}
		for name := range header {
			twice := header.Clone()
			twice.Add(name, "x")
			if _, err := g.Verify(gateway.Request{Header: twice, Body: body}, now); !errors.Is(err, gateway.ErrMalformed) {
				t.Fatalf("with %s twice: %v", name, err)
			}
		}
	})
}

// FuzzVerifyRSA: of one genuine webhook nothing can be changed, the spelling
// of the signature aside.
func FuzzVerifyRSA(f *testing.F) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		f.Fatal(err)
	}
	digest := sha256.Sum256([]byte(fuzzAppID + "1710232720" + fuzzWebhook))
	genuine, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	if err != nil {
		f.Fatal(err)
	}
	g := rsaWebhooks{&V2{info: gateway.Info{AccountID: fuzzAppID}}}
	g.keys.Store(&keys{webhookKey: &key.PublicKey})
	f.Add(fuzzAppID, "1710232720", "genuine", []byte(fuzzWebhook))
	f.Add(fuzzAppID, "1710232720", "", []byte(fuzzWebhook))
	f.Add(fuzzAppID, "1710232720", "AAAA", []byte(fuzzWebhook))
	f.Add(fuzzAppID, "1710232720", "not base64", []byte(fuzzWebhook))
	f.Add(fuzzAppID+"1", "710232720", "genuine", []byte(fuzzWebhook))
	f.Add(fuzzAppID, "1710232721", "genuine", []byte("{}"))
	f.Fuzz(func(t *testing.T, appID, timestamp, sign string, body []byte) {
		if sign == "genuine" {
			sign = base64.StdEncoding.EncodeToString(genuine)
		}
		raw, decodeErr := base64.StdEncoding.DecodeString(sign)
		want := appID == fuzzAppID && timestamp == "1710232720" && string(body) == fuzzWebhook && bytes.Equal(raw, genuine)
		_, err := g.Verify(gateway.Request{Header: http.Header{"Appid": {appID}, "Timestamp": {timestamp}, "Sign": {sign}}, Body: body}, time.Now())
		if (err == nil) != want {
			t.Fatalf("%q %q %q over %q: %v", appID, timestamp, sign, body, err)
		}
		if decodeErr != nil && !errors.Is(err, gateway.ErrMalformed) {
			t.Fatalf("%q is malformed: %v", sign, err)
		}
	})
}
