package coinpayments_test

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
)

// fixed runs a test at the time of the vectors.
func fixed(t *testing.T, test func(*testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		<-time.NewTimer(time.Until(noon)).C
		test(t)
	})
}

func signedBy(client, timestamp, signature string) http.Header {
	h := make(http.Header)
	h.Set("X-CoinPayments-Client", client)
	h.Set("X-CoinPayments-Timestamp", timestamp)
	h.Set("X-CoinPayments-Signature", signature)
	return h
}

// verify is Verify with the vectors' secret, URL and client.
func verify(h http.Header, body string, url string) error {
	return coinpayments.Verify(h, []byte(body), 5*time.Minute, clientID, []string{url}, []string{secret})
}

func TestVerifyVectors(t *testing.T) {
	v := readVectors(t)
	fixed(t, func(t *testing.T) {
		for _, test := range []struct {
			name, url, body string
			want            error
		}{
			{" W1 ", v.URLQuery, v.Paid, nil},
			{" W2 ", v.URL, v.Paid, nil},
			{" W3 ", v.URL + "/", v.Paid, nil},
			{" W4 ", v.URL, v.Wallet, nil},
			{" W1 ", v.URL, v.Paid, coinpayments.ErrSignature},
			{" W2 ", v.URLQuery, v.Paid, coinpayments.ErrSignature},
			{" W2 ", v.URL + "/", v.Paid, coinpayments.ErrSignature},
			{" W3 ", v.URL, v.Paid, coinpayments.ErrSignature},
			{" W2 ", v.URL, v.Wallet, coinpayments.ErrSignature},
			{" X1 ", v.URL, v.Paid, coinpayments.ErrSignature},
			{" X2 ", v.URL, v.Paid, coinpayments.ErrSignature},
			{" X3 ", v.URL, v.Paid, coinpayments.ErrSignature},
			{" X4 ", v.URL, v.Paid, coinpayments.ErrSignature},
			{" X5 ", v.URL, v.Paid, coinpayments.ErrSignature},
			{" X6 ", v.URL, v.Paid, coinpayments.ErrSignature},
			{" X8 ", v.URL, v.Paid, coinpayments.ErrSignature},
			{" X9 ", v.URL, v.Paid, coinpayments.ErrSignature},
		} {
			if err := verify(signedBy(v.Client, v.Timestamp, v.signature(t, test.name)), test.body, test.url); !errors.Is(err, test.want) {
				t.Errorf("%s over %s: %v, want %v", test.name, test.url, err, test.want)
			}
		}
		// X7 verifies, and is refused for the form of its timestamp.
		x7 := signedBy(v.Client, v.Timestamp+"Z", v.signature(t, " X7 "))
		if err := verify(x7, v.Paid, v.URL); !errors.Is(err, coinpayments.ErrHeaders) {
			t.Errorf("X7: %v", err)
		}
		key, err := coinpayments.NewHMAC(credentials)
		if err != nil {
			t.Fatal(err)
		}
		if !key.Matches(v.URL, coinpayments.SignatureHeaders{ClientID: v.Client, Timestamp: v.Timestamp + "Z", Signature: v.signature(t, " X7 ")}, []byte(v.Paid)) {
			t.Error("X7 does not verify, and so shows nothing")
		}
	})
}

// Several secrets and several URLs serve at once, in any order.
func TestVerifyRotation(t *testing.T) {
	v := readVectors(t)
	h := signedBy(v.Client, v.Timestamp, v.signature(t, " W2 "))
	fixed(t, func(t *testing.T) {
		for _, urls := range [][]string{{v.URL, "https://new.example"}, {"https://new.example", v.URL}} {
			for _, secrets := range [][]string{{secret, "new"}, {"new", secret}} {
				if err := coinpayments.Verify(h, []byte(v.Paid), time.Minute, clientID, urls, secrets); err != nil {
					t.Errorf("%v, %v: %v", urls, len(secrets), err)
				}
			}
		}
	})
}

// Each header must be there once; in any case of its name.
func TestVerifyHeaders(t *testing.T) {
	v := readVectors(t)
	good := v.signature(t, " W2 ")
	fixed(t, func(t *testing.T) {
		for _, name := range []string{"X-CoinPayments-Client", "X-CoinPayments-Timestamp", "X-CoinPayments-Signature"} {
			h := signedBy(v.Client, v.Timestamp, good)
			value := h.Get(name)
			for kind, values := range map[string][]string{"missing": nil, "empty": {""}, "twice": {value, value}, "right first": {value, "other"}, "right last": {"other", value}, "an empty one first": {"", value}} {
				h.Del(name)
				for _, each := range values {
					h.Add(name, each)
				}
				if err := verify(h, v.Paid, v.URL); !errors.Is(err, coinpayments.ErrHeaders) {
					t.Errorf("%s %s: %v", name, kind, err)
				}
			}
			for _, spelt := range []string{strings.ToLower(name), strings.ToUpper(name), name} {
				h.Del(name)
				h[spelt] = []string{value}
				if err := verify(h, v.Paid, v.URL); err != nil {
					t.Errorf("%s: %v", spelt, err)
				}
				both := h.Clone()
				both["x-coinpayments-CLIENT"] = []string{v.Client}
				if err := verify(both, v.Paid, v.URL); name == "X-CoinPayments-Client" && !errors.Is(err, coinpayments.ErrHeaders) {
					t.Errorf("twice in two spellings: %v", err)
				}
				delete(h, spelt)
			}
		}
	})
}

// The timestamp has one form, and is a real date: else the front of a body could be moved
// into it under the same signature.
func TestVerifyTimestamp(t *testing.T) {
	v := readVectors(t)
	fixed(t, func(t *testing.T) {
		for _, timestamp := range []string{
			v.Timestamp + v.Paid[:40], v.Timestamp[:18], v.Timestamp + ".5", v.Timestamp + "Z", "2026-01-15 09:30:00", "2026-02-30T09:30:00", "2026-01-15T24:30:00",
			"2026-01-15T09:30:60", "2026-01-15T09:30:0x", " 026-01-15T09:30:00", "1768469400", "2026-1-015T09:30:00", "٢٠٢٦-01-15T09:30:00",
		} {
			body, moved := strings.CutPrefix(timestamp, v.Timestamp)
			rest := v.Paid
			if moved && strings.HasPrefix(v.Paid, body) {
				rest = v.Paid[len(body):]
			}
			h := signedBy(v.Client, timestamp, coinpayments.Sign(credentials, "POST", v.URL, timestamp, []byte(rest)))
			if err := verify(h, rest, v.URL); !errors.Is(err, coinpayments.ErrHeaders) {
				t.Errorf("%q: %v", timestamp, err)
			}
		}
		for offset, want := range map[time.Duration]error{
			0: nil, 5 * time.Minute: nil, -5 * time.Minute: nil, 5*time.Minute + time.Second: coinpayments.ErrStale, -time.Hour: coinpayments.ErrStale, 10 * time.Minute: coinpayments.ErrStale,
		} {
			timestamp := coinpayments.Timestamp(time.Now().Add(offset))
			h := signedBy(v.Client, timestamp, coinpayments.Sign(credentials, "POST", v.URL, timestamp, []byte(v.Paid)))
			if err := verify(h, v.Paid, v.URL); !errors.Is(err, want) || (want == nil) != (err == nil) {
				t.Errorf("%s away: %v", offset, err)
			}
		}
	})
}

// The client id is signed as the header has it, and may have dashes or capitals there.
func TestVerifyClientID(t *testing.T) {
	v := readVectors(t)
	dashed := "dc6a16e5-45c3-4187-ba21-a9edbbe484a5"
	fixed(t, func(t *testing.T) {
		for _, configured := range []string{clientID, dashed} {
			for header, want := range map[string]error{
				clientID: nil, dashed: nil, strings.ToUpper(dashed): nil,
				"00000000000000000000000000000000": coinpayments.ErrSignature, clientID + "-": coinpayments.ErrSignature, "-" + clientID: coinpayments.ErrSignature,
				"-": coinpayments.ErrSignature, clientID[:31]: coinpayments.ErrSignature,
			} {
				c := coinpayments.Credentials{ClientID: header, ClientSecret: secret}
				h := signedBy(header, v.Timestamp, coinpayments.Sign(c, "POST", v.URL, v.Timestamp, []byte(v.Paid)))
				err := coinpayments.Verify(h, []byte(v.Paid), time.Minute, configured, []string{v.URL}, []string{secret})
				if !errors.Is(err, want) || (want == nil) != (err == nil) {
					t.Errorf("header %s, configured %s: %v", header, configured, err)
				}
			}
		}
	})
}

// Signatures of another form are wrong, also of the right bytes.
func TestVerifyForms(t *testing.T) {
	v := readVectors(t)
	good := v.signature(t, " W2 ")
	raw, err := base64.StdEncoding.DecodeString(good)
	if err != nil {
		t.Fatal(err)
	}
	fixed(t, func(t *testing.T) {
		for _, signature := range []string{
			hex.EncodeToString(raw), base64.URLEncoding.EncodeToString(raw), base64.RawStdEncoding.EncodeToString(raw), good + "=", good[:43], " " + good, good + "\n",
			strings.ToLower(good), "X", strings.Repeat("A", 100_000),
		} {
			if err := verify(signedBy(v.Client, v.Timestamp, signature), v.Paid, v.URL); signature != good && !errors.Is(err, coinpayments.ErrSignature) {
				t.Errorf("%.60q: %v", signature, err)
			}
		}
		for _, body := range []string{"", v.Paid + " ", v.Paid[1:], strings.Replace(v.Paid, "4990", "4991", 1)} {
			if err := verify(signedBy(v.Client, v.Timestamp, good), body, v.URL); !errors.Is(err, coinpayments.ErrSignature) {
				t.Errorf("%.40q: %v", body, err)
			}
		}
	})
}

// A missing setting never lets a webhook pass.
func TestVerifySettings(t *testing.T) {
	v := readVectors(t)
	h := signedBy("", v.Timestamp, coinpayments.Sign(coinpayments.Credentials{}, "POST", "", v.Timestamp, nil))
	fixed(t, func(t *testing.T) {
		one := []string{"x"}
		for name, err := range map[string]error{
			"nothing":         coinpayments.Verify(h, nil, time.Minute, "", nil, nil),
			"no client":       coinpayments.Verify(h, nil, time.Minute, "", one, one),
			"no secret":       coinpayments.Verify(h, nil, time.Minute, "x", one, nil),
			"an empty secret": coinpayments.Verify(h, nil, time.Minute, "x", one, []string{"x", ""}),
			"no URL":          coinpayments.Verify(h, nil, time.Minute, "x", nil, one),
			"an empty URL":    coinpayments.Verify(signedBy("x", v.Timestamp, "y"), nil, time.Minute, "x", []string{""}, one),
			"no tolerance":    coinpayments.Verify(h, nil, 0, "x", one, one),
		} {
			if err == nil || errors.Is(err, coinpayments.ErrSignature) || errors.Is(err, coinpayments.ErrHeaders) || errors.Is(err, coinpayments.ErrStale) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestSameID(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"2008d68d-0f66-44ec-8500-68d054b882b9", "2008D68D0f6644ec850068d054b882b9", true},
		{"a", "a", true},
		{"a", "b", false},
		{"", "", false},
		{"-", "-", false},
		{"-a", "a", false},
		{"a-", "a", false},
	} {
		if got := coinpayments.SameID(test.a, test.b); got != test.want {
			t.Errorf("%q, %q: %v", test.a, test.b, got)
		}
	}
}
