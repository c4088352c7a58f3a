package ccpaymentv1

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	v1 "github.com/seed-338f6760/caddy-ccpayment/client/v1"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/apiclient/apiclienttest"
	"github.com/seed-338f6760/caddy-ccpayment/internal/rotation"
)

var (
	ours = client.Credentials{AppID: "app-1", AppSecret: "secret-1"}
	now  = time.Unix(1_700_000_000, 0)
)

const body = `{"order_type":"API Deposit","pay_status":"success","record_id":"r1"}`

func open(t testing.TB, c Config) *V1 {
	t.Helper()
	if c.AppID == "" {
		c.AppID, c.AppSecret = ours.AppID, ours.AppSecret
	}
	v, err := New(c, gateway.OpenOptions{Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// signed are the headers that sign a webhook.
func signed(c client.Credentials, timestamp string, body []byte) http.Header {
	return http.Header{"Appid": {c.AppID}, "Timestamp": {timestamp}, "Sign": {v1.Sign(c, timestamp, body)}}
}

// TestVector: the signature that two other programs computed verifies.
func TestVector(t *testing.T) {
	v := open(t, Config{AppID: "aid", AppSecret: "sec"})
	header := http.Header{"Appid": {"aid"}, "Timestamp": {"1700000000"}, "Sign": {"3a163ced0372fa1a4ddf8c94a003363d94287065499c201e9b643ffd6b68a8b6"}}
	at, err := v.Verify(gateway.Request{Header: header, Body: []byte(`{"a":1}`)}, now)
	if err != nil || !at.Equal(now) {
		t.Errorf("%s, %v", at, err)
	}
}

// TestHeaders: what is not exactly three headers of the right form is no signature, and
// what is one of another account's, of another kind, or over anything but one JSON object,
// does not match.
func TestHeaders(t *testing.T) {
	const timestamp = "1700000000"
	good := signed(ours, timestamp, []byte(body))
	sign := good.Get("Sign")
	with := func(name string, values ...string) http.Header {
		header := good.Clone()
		header[name] = values
		return header
	}
	of := func(c client.Credentials, timestamp, body string) http.Header {
		return signed(c, timestamp, []byte(body))
	}
	for name, test := range map[string]struct {
		header http.Header
		body   string
		want   error
	}{
		"right":                  {good, body, nil},
		"in milliseconds":        {of(ours, "1700000000123", body), body, nil},
		"no Appid":               {with("Appid"), body, gateway.ErrMalformed},
		"an empty Appid":         {with("Appid", ""), body, gateway.ErrMalformed},
		"two Appids":             {with("Appid", ours.AppID, ours.AppID), body, gateway.ErrMalformed},
		"no Timestamp":           {with("Timestamp"), body, gateway.ErrMalformed},
		"two Timestamps":         {with("Timestamp", timestamp, timestamp), body, gateway.ErrMalformed},
		"no Sign":                {with("Sign"), body, gateway.ErrMalformed},
		"two Signs":              {with("Sign", sign, "x"), body, gateway.ErrMalformed},
		"two, the other way":     {with("Sign", "x", sign), body, gateway.ErrMalformed},
		"no digits":              {of(ours, "soon", body), body, gateway.ErrMalformed},
		"eleven digits":          {of(ours, "17000000001", body), body, gateway.ErrMalformed},
		"a sign":                 {of(ours, "+170000000", body), body, gateway.ErrMalformed},
		"the body moved":         {of(ours, timestamp+body[:1], body[1:]), body[1:], gateway.ErrMalformed},
		"another Appid":          {of(client.Credentials{AppID: "app-2", AppSecret: ours.AppSecret}, timestamp, body), body, gateway.ErrSignature},
		"another secret":         {of(client.Credentials{AppID: ours.AppID, AppSecret: "secret-2"}, timestamp, body), body, gateway.ErrSignature},
		"split elsewhere":        {of(client.Credentials{AppID: "app-1s", AppSecret: "ecret-1"}, timestamp, body), body, gateway.ErrSignature},
		"another body":           {good, body + " ", gateway.ErrSignature},
		"another time":           {with("Timestamp", "1700000001"), body, gateway.ErrSignature},
		"in capitals":            {with("Sign", strings.ToUpper(sign)), body, gateway.ErrSignature},
		"no hex":                 {with("Sign", "!"), body, gateway.ErrSignature},
		"very long":              {with("Sign", strings.Repeat("a", 1<<16)), body, gateway.ErrSignature},
		"V2's":                   {with("Sign", client.Sign(ours, timestamp, []byte(body))), body, gateway.ErrSignature},
		"over nothing":           {of(ours, timestamp, ""), "", gateway.ErrSignature},
		"over a list":            {of(ours, timestamp, "[]"), "[]", gateway.ErrSignature},
		"over two objects":       {of(ours, timestamp, body+body), body + body, gateway.ErrSignature},
		"over no UTF-8":          {of(ours, timestamp, "{\"a\":\"\xff\"}"), "{\"a\":\"\xff\"}", gateway.ErrSignature},
		"over what breaks off":   {of(ours, timestamp, body[:20]), body[:20], gateway.ErrSignature},
		"over a byte order mark": {of(ours, timestamp, "\xef\xbb\xbf{}"), "\xef\xbb\xbf{}", gateway.ErrSignature},
	} {
		_, err := open(t, Config{}).Verify(gateway.Request{Header: test.header, Body: []byte(test.body)}, now)
		if !errors.Is(err, test.want) || test.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
}

// TestExtension: an attacker who has seen a webhook, an answer or a call and knows how long
// the secret is can sign longer texts. None of them verifies, however they are divided
// between the timestamp and the body.
func TestExtension(t *testing.T) {
	v := open(t, Config{})
	for _, seen := range []struct{ timestamp, body string }{
		{"1700000000", body}, {"1700000000", ""}, {"1700000000", `{"code":10000,"msg":"success","data":null}`}, {"1700000000123", body},
	} {
		sign := v1.Sign(ours, seen.timestamp, []byte(seen.body))
		for _, suffix := range []string{body, "", `,"order_type":"API Deposit","record_id":"r2"}`} {
			behind, forged := apiclienttest.Extend(t, sign, len(ours.AppID+ours.AppSecret+seen.timestamp+seen.body), []byte(suffix))
			if all := seen.body + string(behind); forged != v1.Sign(ours, seen.timestamp, []byte(all)) {
				t.Fatal("it was not lengthened: the test tries nothing")
			}
			text := seen.timestamp + seen.body + string(behind)
			for at := 0; at <= len(text); at++ {
				header := http.Header{"Appid": {ours.AppID}, "Timestamp": {text[:at]}, "Sign": {forged}}
				if _, err := v.Verify(gateway.Request{Header: header, Body: []byte(text[at:])}, now); err == nil {
					t.Errorf("%q at %q verifies", text[at:], text[:at])
				}
			}
		}
	}
}

// TestSecrets: a previous secret verifies until its end.
func TestSecrets(t *testing.T) {
	v := open(t, Config{AppID: ours.AppID, AppSecret: ours.AppSecret, Previous: []rotation.Secret{{Secret: "old", Until: now.Add(time.Hour)}, {Secret: "older"}}})
	for _, test := range []struct {
		secret string
		at     time.Time
		want   bool
	}{
		{ours.AppSecret, now, true},
		{"old", now, true},
		{"old", now.Add(time.Hour + time.Second), false},
		{"older", now.Add(1000 * time.Hour), true},
		{"", now, false},
		{"new", now, false},
	} {
		header := signed(client.Credentials{AppID: ours.AppID, AppSecret: test.secret}, "1700000000", []byte(body))
		if _, err := v.Verify(gateway.Request{Header: header, Body: []byte(body)}, test.at); (err == nil) != test.want {
			t.Errorf("%q: %v", test.secret, err)
		}
	}
	if _, err := New(Config{AppID: "a", AppSecret: "b", Previous: []rotation.Secret{{}}}, gateway.OpenOptions{Timeout: time.Second}); err == nil {
		t.Error("an empty secret is taken")
	}
}

// TestSign: what is signed for an app verifies as a webhook does.
func TestSign(t *testing.T) {
	v := open(t, Config{})
	header := make(http.Header)
	for _, field := range v.Sign(now, []byte(body)) {
		header.Set(field[0], field[1])
	}
	if at, err := v.Verify(gateway.Request{Header: header, Body: []byte(body)}, now); err != nil || !at.Equal(now) {
		t.Errorf("%s, %v", at, err)
	}
}

// TestNothingConfirms: no type of V1 is one whose records could be asked for, and there is
// no record. Nothing that confirms an event, or gives it a flag, begins without one.
func TestNothingConfirms(t *testing.T) {
	v := open(t, Config{})
	info := v.Info()
	kinds := map[string]gateway.Kind{"API Deposit": gateway.Payment, "API Withdrawal": gateway.Payout, "Refund": gateway.Other, "Something": gateway.Other}
	for name, kind := range kinds {
		if typ, _ := info.Type(name); typ.Kind != kind || info.Confirms(name) {
			t.Errorf("%s is %s, and confirmed: %v", name, typ.Kind, info.Confirms(name))
		}
	}
	if len(info.Types) != len(kinds)-1 {
		t.Errorf("there are more types: %v", info.Types)
	}
	if _, err := v.Record(t.Context(), gateway.Notice{Type: "API Deposit", RecordID: "r1"}); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("a record: %v", err)
	}
	if _, err := v.Order(t.Context(), "order-1", nil); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("an order: %v", err)
	}
	if _, ok := gateway.Gateway(v).(gateway.Checkouts); ok {
		t.Error("it makes checkouts")
	}
	if v2 := "app-1"; info.AccountID == v2 || !strings.HasSuffix(info.AccountID, v2) {
		t.Errorf("the account is %s, which could be one at V2", info.AccountID)
	}
}
