package v1_test

import (
	"errors"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	v1 "github.com/seed-338f6760/caddy-ccpayment/client/v1"
)

// TestVerify: a webhook verifies that CCPayment has signed a moment ago with any of the
// secrets, over one JSON object, and no other does.
func TestVerify(t *testing.T) {
	t.Parallel()
	const webhook = `{"order_type":"API Deposit","pay_status":"success","record_id":"r1"}`
	by := func(secret string, at time.Time, body string) http.Header {
		timestamp := strconv.FormatInt(at.Unix(), 10)
		sign := v1.Sign(client.Credentials{AppID: credentials.AppID, AppSecret: secret}, timestamp, []byte(body))
		return http.Header{"Appid": {credentials.AppID}, "Timestamp": {timestamp}, "Sign": {sign}}
	}
	now := time.Now()
	twice := by("new", now, webhook)
	twice.Add("Sign", twice.Get("Sign"))
	for name, test := range map[string]struct {
		header http.Header
		body   string
		want   error
	}{
		"the first secret":  {by("new", now, webhook), webhook, nil},
		"the second secret": {by("old", now, webhook), webhook, nil},
		"another secret":    {by("older", now, webhook), webhook, client.ErrSignature},
		"another body":      {by("new", now, webhook), webhook + " ", client.ErrSignature},
		"no object":         {by("new", now, "[]"), "[]", client.ErrSignature},
		"two objects":       {by("new", now, webhook+webhook), webhook + webhook, client.ErrSignature},
		"no time":           {http.Header{"Appid": {credentials.AppID}, "Timestamp": {"1"}, "Sign": {"x"}}, webhook, client.ErrHeaders},
		"a header twice":    {twice, webhook, client.ErrHeaders},
		"no headers":        {nil, webhook, client.ErrHeaders},
		"old":               {by("new", now.Add(-2*time.Minute), webhook), webhook, client.ErrStale},
		"of tomorrow":       {by("new", now.Add(24*time.Hour), webhook), webhook, client.ErrStale},
	} {
		if err := v1.Verify(test.header, []byte(test.body), time.Minute, credentials.AppID, "new", "old"); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	right := by("new", now, webhook)
	if err := v1.Verify(right, []byte(webhook), time.Minute, "app-2", "new"); !errors.Is(err, client.ErrSignature) {
		t.Errorf("another app id: %v", err)
	}
	for name, err := range map[string]error{
		"no secret":       v1.Verify(right, []byte(webhook), time.Minute, credentials.AppID),
		"an empty secret": v1.Verify(right, []byte(webhook), time.Minute, credentials.AppID, "new", ""),
		"no app id":       v1.Verify(right, []byte(webhook), time.Minute, "", "new"),
		"no tolerance":    v1.Verify(right, []byte(webhook), 0, credentials.AppID, "new"),
	} {
		if err == nil || errors.Is(err, client.ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
