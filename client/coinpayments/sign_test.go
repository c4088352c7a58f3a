package coinpayments_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
)

// vectors are messages that were signed without this code.
type vectors struct {
	Secret, Client, Timestamp string
	URL                       string
	URLQuery                  string `json:"url_query"`
	Paid, Wallet, Create      string
	Vectors                   []struct {
		Name, Signature string
		Good            bool
		KeyHex          string `json:"key_hex"`
		MessageHex      string `json:"message_hex"`
	}
}

func readVectors(t testing.TB) vectors {
	t.Helper()
	text, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// signature is that of a vector by the beginning of its name.
func (v vectors) signature(t testing.TB, name string) string {
	t.Helper()
	for _, each := range v.Vectors {
		if strings.Contains(each.Name, name) {
			return each.Signature
		}
	}
	t.Fatalf("no vector %s", name)
	return ""
}

func TestSignVectors(t *testing.T) {
	t.Parallel()
	v := readVectors(t)
	api := "https://a-api.coinpayments.net/api/v2/merchant/invoices"
	for name, test := range map[string]struct{ method, url, body string }{
		"api GET no body":    {"GET", api + "/2008d68d-0f66-44ec-8500-68d054b882b9", ""},
		"api GET with query": {"GET", api + "?q=order-1&limit=25", ""},
		"api POST body":      {"POST", api, v.Create},
		" W1 ":               {"POST", v.URLQuery, v.Paid},
		" W2 ":               {"POST", v.URL, v.Paid},
		" W3 ":               {"POST", v.URL + "/", v.Paid},
		" W4 ":               {"POST", v.URL, v.Wallet},
		" X5 ":               {"POST", "http://shop.example.com/cp-hook", v.Paid},
		" X8 ":               {"POST", "http://127.0.0.1:8080/cp-hook", v.Paid},
		" X9 ":               {"post", v.URL, v.Paid},
	} {
		if got, want := coinpayments.Sign(credentials, test.method, test.url, v.Timestamp, []byte(test.body)), v.signature(t, name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	// The one published vector that can be reproduced.
	got := coinpayments.Sign(coinpayments.Credentials{ClientID: "client-1", ClientSecret: "secret-token"}, "POST",
		"http://localhost:8000/pricing/webhooks/crypto", "2025-03-01T02:30:00", []byte(`{"invoice":"123","status":"100"}`))
	if want := v.signature(t, "field-note"); got != want {
		t.Errorf("field-note: %s, want %s", got, want)
	}
}

// Every vector's message, cut apart anywhere, has its signature: nothing stands between
// the parts.
func TestSignHasNoDelimiters(t *testing.T) {
	t.Parallel()
	for _, each := range readVectors(t).Vectors {
		key, err := hex.DecodeString(each.KeyHex)
		if err != nil {
			t.Fatal(err)
		}
		message, err := hex.DecodeString(each.MessageHex)
		if err != nil {
			t.Fatal(err)
		}
		rest, marked := strings.CutPrefix(string(message), "\uFEFF")
		if !marked {
			continue // X1 and X3 have no byte order mark, which cannot be signed here
		}
		for _, at := range []int{0, 4, len(rest) / 2, len(rest)} {
			c := coinpayments.Credentials{ClientSecret: string(key)}
			if got := coinpayments.Sign(c, rest[:at], "", "", []byte(rest[at:])); got != each.Signature {
				t.Errorf("%s at %d: %s, want %s", each.Name, at, got, each.Signature)
			}
		}
	}
}

func TestTimestamp(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 15, 10, 30, 0, 987_000_000, time.FixedZone("", 3600))
	if got := coinpayments.Timestamp(at); got != "2026-01-15T09:30:00" {
		t.Error(got)
	}
}

func TestNewHMACRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []coinpayments.Credentials{{}, {ClientID: clientID}, {ClientSecret: secret}, {ClientID: clientID + "\n", ClientSecret: secret}} {
		if key, err := coinpayments.NewHMAC(c); err == nil || key != nil {
			t.Errorf("%v is taken", c)
		}
	}
}

// The secret is printed by nothing.
func TestSecretIsNotPrinted(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "c", credentials, "list", []coinpayments.Credentials{credentials})
	text, err := json.Marshal(map[string]any{"c": credentials})
	if err != nil {
		t.Fatal(err)
	}
	for _, printed := range []string{
		fmt.Sprintf("%v %+v %#v %s %q %x", credentials, credentials, credentials, credentials, credentials, credentials),
		fmt.Sprint(&credentials), log.String(), string(text),
	} {
		if strings.Contains(printed, secret) || strings.Contains(printed, hex.EncodeToString([]byte(secret))) || !strings.Contains(printed, clientID) {
			t.Error(printed)
		}
	}
}
