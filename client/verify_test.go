package client_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client"
)

const (
	appID  = "app-123"
	secret = "secret-456"
)

var webhook = []byte(`{"type":"ApiDeposit", "msg":{"recordId":"20240312000000000000000000000001","status":"Success","isFlaggedAsRisky":false}}`)

// signed returns the headers of a webhook.
func signed(secret, timestamp string, body []byte) http.Header {
	h := make(http.Header)
	h.Set("Appid", appID)
	h.Set("Timestamp", timestamp)
	h.Set("Sign", client.Sign(client.Credentials{AppID: appID, AppSecret: secret}, timestamp, body))
	return h
}

func seconds(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

func TestVerify(t *testing.T) {
	now := time.Now()
	tests := []struct {
		name    string
		headers http.Header
		secrets []string
		want    error
	}{
		{"seconds", signed(secret, seconds(now), webhook), []string{secret}, nil},
		{"milliseconds", signed(secret, strconv.FormatInt(now.UnixMilli(), 10), webhook), []string{secret}, nil},
		{"the first of two secrets", signed("new", seconds(now), webhook), []string{"new", "old"}, nil},
		{"the last of three secrets", signed("oldest", seconds(now), webhook), []string{"new", "old", "oldest"}, nil},
		{"none of the secrets", signed("older", seconds(now), webhook), []string{"new", "old"}, client.ErrSignature},
		{"two secrets run together", signed("newold", seconds(now), webhook), []string{"new", "old"}, client.ErrSignature},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if err := client.Verify(test.headers, webhook, time.Minute, appID, test.secrets...); !errors.Is(err, test.want) {
				t.Errorf("Verify = %v, want %v", err, test.want)
			}
		})
	}
}

// A webhook for another app of the same merchant, even one with the same
// secret, is not ours, and is answered like a wrong signature.
func TestVerifyOtherApp(t *testing.T) {
	now := seconds(time.Now())
	theirs := make(http.Header)
	theirs.Set("Appid", "app-124")
	theirs.Set("Timestamp", now)
	theirs.Set("Sign", client.Sign(client.Credentials{AppID: "app-124", AppSecret: secret}, now, webhook))
	relabelled := theirs.Clone()
	relabelled.Set("Appid", appID)
	claimed := signed(secret, now, webhook)
	claimed.Set("Appid", "app-124")
	for name, h := range map[string]http.Header{"theirs": theirs, "theirs with our id": relabelled, "ours with their id": claimed} {
		if err := client.Verify(h, webhook, time.Minute, appID, secret); err != client.ErrSignature { //nolint:errorlint // exactly it: nothing may tell the cases apart
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestVerifyHeaders(t *testing.T) {
	now := seconds(time.Now())
	tests := []struct {
		name   string
		change func(http.Header)
	}{
		{"no Appid", func(h http.Header) { h.Del("Appid") }},
		{"no Timestamp", func(h http.Header) { h.Del("Timestamp") }},
		{"no Sign", func(h http.Header) { h.Del("Sign") }},
		{"empty Appid", func(h http.Header) { h.Set("Appid", "") }},
		{"empty Timestamp", func(h http.Header) { h.Set("Timestamp", "") }},
		{"empty Sign", func(h http.Header) { h.Set("Sign", "") }},
		{"Appid twice", func(h http.Header) { h.Add("Appid", appID) }},
		{"Timestamp twice", func(h http.Header) { h.Add("Timestamp", now) }},
		{"Sign twice", func(h http.Header) { h.Add("Sign", h.Get("Sign")) }},
		{"Sign twice, first empty", func(h http.Header) { h["Sign"] = []string{"", h.Get("Sign")} }},
		{"Timestamp twice, last empty", func(h http.Header) { h.Add("Timestamp", "") }},
		{"nothing", func(h http.Header) { clear(h) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := signed(secret, now, webhook)
			test.change(h)
			if err := client.Verify(h, webhook, time.Minute, appID, secret); !errors.Is(err, client.ErrHeaders) {
				t.Errorf("Verify = %v, want %v", err, client.ErrHeaders)
			}
		})
	}
	if err := client.Verify(nil, webhook, time.Minute, appID, secret); !errors.Is(err, client.ErrHeaders) {
		t.Errorf("without any headers: %v", err)
	}
}

// Each is signed as it stands there, so only its form can be what is wrong.
func TestVerifyTimestampForm(t *testing.T) {
	for _, timestamp := range []string{
		"1", "171023272", "17102327200", "171023272000", "17102327200000", strings.Repeat("1", 64),
		"-171023272", "+171023272", "-171023272000", "+1710232720", "-1710232720",
		" 1710232720", "1710232720 ", "171023272 ", "1710 232720", "\t171023272", "171023272\n",
		"1710232720.0", "17102327.0", "1.71023272e9", "0x65f00000", "1_71023272", "1,71023272",
		"\u0661\u0667\u0661\u0660\u0662", "\uff11\uff17\uff11\uff10", "171023272\u0660", "17102327²", "171023272\x00",
		`1710232720{"t`, "1710232720{", "2024-03-12", "Tue, 12 Ma",
	} {
		t.Run(strconv.QuoteToASCII(timestamp), func(t *testing.T) {
			h := signed(secret, timestamp, webhook)
			if err := client.Verify(h, webhook, math.MaxInt64, appID, secret); !errors.Is(err, client.ErrHeaders) {
				t.Errorf("Verify = %v, want %v", err, client.ErrHeaders)
			}
		})
	}
}

// App id, timestamp and body are signed without a delimiter. What was captured
// must not verify when it is cut elsewhere.
func TestVerifyMovedBytes(t *testing.T) {
	now := time.Now()
	for _, timestamp := range []string{seconds(now), strconv.FormatInt(now.UnixMilli(), 10)} {
		captured := signed(secret, timestamp, webhook)
		all := timestamp + string(webhook)
		for cut := range len(all) + 1 {
			h := captured.Clone()
			h.Set("Timestamp", all[:cut])
			err := client.Verify(h, []byte(all[cut:]), math.MaxInt64, appID, secret)
			if genuine := cut == len(timestamp); genuine != (err == nil) {
				t.Errorf("Timestamp %q and the rest as body: %v", all[:cut], err)
			}
		}
	}
	// A body of digits could only come of such a cut.
	if err := client.Verify(signed(secret, seconds(now), []byte("123{}")), []byte("123{}"), time.Minute, appID, secret); !errors.Is(err, client.ErrSignature) {
		t.Errorf("a body that begins with digits: %v", err)
	}
}

func TestVerifySignForm(t *testing.T) {
	now := seconds(time.Now())
	right := signed(secret, now, webhook).Get("Sign")
	for name, sign := range map[string]string{
		"upper case": strings.ToUpper(right), "prefix": "sha256=" + right, "short": right[:63], "long": right + "0",
		"space": " " + right, "not hex": "signature", "zeros": strings.Repeat("0", 64),
	} {
		h := signed(secret, now, webhook)
		h.Set("Sign", sign)
		if err := client.Verify(h, webhook, time.Minute, appID, secret); !errors.Is(err, client.ErrSignature) {
			t.Errorf("%s: %v, want %v", name, err, client.ErrSignature)
		}
	}
}

func TestVerifyBodyAsReceived(t *testing.T) {
	var value map[string]any
	if err := json.Unmarshal(webhook, &value); err != nil {
		t.Fatal(err)
	}
	reserialised, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	h := signed(secret, seconds(time.Now()), webhook)
	for name, body := range map[string][]byte{
		"reserialised": reserialised, "with a newline": append(bytes.Clone(webhook), '\n'), "cut short": webhook[:len(webhook)-1],
		"edited": bytes.Replace(webhook, []byte("Success"), []byte("Failure"), 1), "empty": {}, "none": nil,
	} {
		if err := client.Verify(h, body, time.Minute, appID, secret); !errors.Is(err, client.ErrSignature) {
			t.Errorf("%s: %v, want %v", name, err, client.ErrSignature)
		}
	}
}

func TestVerifyTolerance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		tests := []struct {
			name string
			at   time.Time
			want error
		}{
			{"now", start, nil},
			{"five minutes ago", start.Add(-5 * time.Minute), nil},
			{"a second more", start.Add(-5*time.Minute - time.Second), client.ErrStale},
			{"in five minutes", start.Add(5 * time.Minute), nil},
			{"in a second more", start.Add(5*time.Minute + time.Second), client.ErrStale},
			{"days ago", start.Add(-72 * time.Hour), client.ErrStale},
			{"in a year", start.AddDate(1, 0, 0), client.ErrStale},
		}
		for _, test := range tests {
			h := signed(secret, seconds(test.at), webhook)
			if len(h.Get("Timestamp")) == 9 { // the bubble's clock starts in 2000
				h = signed(secret, "0"+seconds(test.at), webhook)
			}
			if err := client.Verify(h, webhook, 5*time.Minute, appID, secret); !errors.Is(err, test.want) {
				t.Errorf("%s: %v, want %v", test.name, err, test.want)
			}
		}
		for _, timestamp := range []string{"0000000000", "9999999999", "0000000000000", "9999999999999"} {
			if err := client.Verify(signed(secret, timestamp, webhook), webhook, 5*time.Minute, appID, secret); !errors.Is(err, client.ErrStale) {
				t.Errorf("%s: %v, want %v", timestamp, err, client.ErrStale)
			}
		}
	})
}

// A forger learns nothing of the clock: the signature is judged first.
func TestVerifyStaleForgery(t *testing.T) {
	h := signed("guess", "1000000000", webhook)
	if err := client.Verify(h, webhook, time.Minute, appID, secret); !errors.Is(err, client.ErrSignature) {
		t.Errorf("Verify = %v, want %v", err, client.ErrSignature)
	}
}

// A setting that is missing never lets a webhook pass, and is not mistaken for
// the sender's fault.
func TestVerifySettings(t *testing.T) {
	now := seconds(time.Now())
	tests := []struct {
		name      string
		appID     string
		tolerance time.Duration
		secrets   []string
	}{
		{"no secret", appID, time.Minute, nil},
		{"empty secret", appID, time.Minute, []string{""}},
		{"one empty secret of two", appID, time.Minute, []string{secret, ""}},
		{"empty app id", "", time.Minute, []string{secret}},
		{"no tolerance", appID, 0, []string{secret}},
		{"negative tolerance", appID, -time.Minute, []string{secret}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := signed(strings.Join(test.secrets, ""), now, webhook)
			h.Set("Sign", client.Sign(client.Credentials{AppID: test.appID, AppSecret: strings.Join(test.secrets, "")}, now, webhook))
			err := client.Verify(h, webhook, test.tolerance, test.appID, test.secrets...)
			if err == nil {
				t.Fatal("it verifies")
			}
			for _, fault := range []error{client.ErrHeaders, client.ErrSignature, client.ErrStale} {
				if errors.Is(err, fault) {
					t.Errorf("Verify = %v", err)
				}
			}
		})
	}
}

func TestReadSignatureHeaders(t *testing.T) {
	h := http.Header{"Appid": {appID}, "Timestamp": {"1710232720"}, "Sign": {"abc"}}
	s, err := client.ReadSignatureHeaders(h)
	want := client.SignatureHeaders{AppID: appID, Timestamp: "1710232720", Sign: "abc", Time: time.Unix(1710232720, 0)}
	if err != nil || s != want {
		t.Errorf("%+v, %v, want %+v", s, err, want)
	}
	h.Set("Timestamp", "1710232720123")
	if s, err = client.ReadSignatureHeaders(h); err != nil || !s.Time.Equal(time.UnixMilli(1710232720123)) || s.Timestamp != "1710232720123" {
		t.Errorf("milliseconds: %+v, %v", s, err)
	}
}

func TestVerifyConcurrently(t *testing.T) {
	now := seconds(time.Now())
	good, bad := signed(secret, now, webhook), signed("guess", now, webhook)
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for range 50 {
				if err := client.Verify(good, webhook, time.Minute, appID, "other", secret); err != nil {
					t.Errorf("the right signature: %v", err)
				}
				if err := client.Verify(bad, webhook, time.Minute, appID, "other", secret); !errors.Is(err, client.ErrSignature) {
					t.Errorf("the wrong signature: %v", err)
				}
			}
		})
	}
	wg.Wait()
}

// FuzzVerify: of all the ways to cut what was signed into timestamp and body,
// at most one verifies, and of a webhook only the genuine one.
func FuzzVerify(f *testing.F) {
	f.Add("1710232720", webhook)
	f.Add("1710232720123", webhook)
	f.Add("1710232720", []byte("123{}"))
	f.Add("171023", []byte("2720{}"))
	f.Add("1710232720", []byte(""))
	f.Add("", []byte("1710232720123"))
	f.Add("1710232720\x00", []byte("{}"))
	timestamps := regexp.MustCompile(`^([0-9]{10}|[0-9]{13})$`)
	f.Fuzz(func(t *testing.T, timestamp string, body []byte) {
		h := signed(secret, timestamp, body)
		all := timestamp + string(body)
		var verified []int
		for cut := range min(len(all), 64) + 1 {
			h.Set("Timestamp", all[:cut])
			if client.Verify(h, []byte(all[cut:]), math.MaxInt64, appID, secret) == nil {
				verified = append(verified, cut)
			}
		}
		webhook := len(body) > 0 && body[0] == '{' && timestamps.MatchString(timestamp)
		if len(verified) > 1 || webhook && !slices.Equal(verified, []int{len(timestamp)}) {
			t.Errorf("signed with timestamp %q and body %q, verifies when cut at %d", timestamp, body, verified)
		}
	})
}
