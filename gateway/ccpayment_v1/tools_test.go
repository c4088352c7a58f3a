package ccpaymentv1

import (
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	v1 "github.com/seed-338f6760/caddy-ccpayment/client/v1"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/apiclient/apiclienttest"
	"github.com/seed-338f6760/caddy-ccpayment/internal/rotation"
)

// TestSignRequest: a request that people sign verifies as a webhook.
func TestSignRequest(t *testing.T) {
	v := open(t, Config{AppID: "aid", AppSecret: "sec"})
	headers, err := v.SignRequest(gateway.SignRequest{Timestamp: "1700000000", Body: []byte(`{"a":1}`)})
	want := [][2]string{{"Appid", "aid"}, {"Timestamp", "1700000000"}, {"Sign", "3a163ced0372fa1a4ddf8c94a003363d94287065499c201e9b643ffd6b68a8b6"}}
	if err != nil || !slices.Equal(headers, want) {
		t.Errorf("%v, %v", headers, err)
	}
	if headers, err := v.SignRequest(gateway.SignRequest{Now: now}); err != nil || headers[1][1] != "1700000000" {
		t.Errorf("now: %v, %v", headers, err)
	}
	if _, err := v.SignRequest(gateway.SignRequest{Timestamp: "today"}); err == nil {
		t.Error("a timestamp of another form is signed")
	}
}

// TestExplain: of a signature people learn which secret made it, and whether that one still
// counts.
func TestExplain(t *testing.T) {
	v := open(t, Config{AppID: ours.AppID, AppSecret: ours.AppSecret, Previous: []rotation.Secret{{Secret: "old"}, {Secret: "ended", Until: now.Add(-time.Hour)}}})
	with := func(timestamp, sign string, body []byte) gateway.SignedWebhook {
		return gateway.SignedWebhook{Header: http.Header{"Timestamp": {timestamp}, "Sign": {sign}}, Body: body}
	}
	by := func(secret string) gateway.SignedWebhook {
		return with("1700000000", v1.Sign(client.Credentials{AppID: ours.AppID, AppSecret: secret}, "1700000000", []byte(body)), []byte(body))
	}
	for secret, want := range map[string]gateway.Origin{
		ours.AppSecret: {Secret: "app_secret"}, "old": {Secret: "previous_secret 1"}, "ended": {Secret: "previous_secret 2", Ended: true}, "guess": {},
	} {
		want.SignedAt, want.AccountID, want.IsOurs = now, ours.AppID, true
		if got, err := v.Explain(by(secret), now); err != nil || got != want {
			t.Errorf("%s: %+v, %v, want %+v", secret, got, err, want)
		}
	}
	w := by(ours.AppSecret)
	w.Header.Set("Appid", "app-2")
	if got, err := v.Explain(w, now); err != nil || got.IsOurs || got.AccountID != "app-2" {
		t.Errorf("another account: %+v, %v", got, err)
	}
	behind, forged := apiclienttest.Extend(t, w.Header.Get("Sign"), len(ours.AppID+ours.AppSecret+"1700000000"+body), []byte("{}"))
	for name, w := range map[string]gateway.SignedWebhook{
		"lengthened": with("1700000000", forged, append([]byte(body), behind...)), "no time": with("x", "y", []byte(body)), "no signature": with("1700000000", "", []byte(body)),
	} {
		if _, err := v.Explain(w, now); !errors.Is(err, gateway.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
