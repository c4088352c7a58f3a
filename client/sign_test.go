package client_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/client"
)

// vectors were computed with two other tools.
var vectors = []struct {
	name, appID, secret, timestamp, body, sign string
}{
	{"ApiDeposit", "app-123", "secret-456", "1710232720", `{"type":"ApiDeposit","msg":{"orderId":"order-123"}}`, "6f22d43389b194d796ca252dc6418c7e2cf931dc6eed371c61d5ef6ec8b2b9f7"},
	{"ActivateWebhookURL", "app-123", "secret-456", "1710232720", `{"type":"ActivateWebhookURL","msg":{}}`, "61179d6a7894b970354f4e76d9670267e0d6c1bac257b63a8fe498286b3885b9"},
	{"small", "app1", "secret1", "1700000000", `{"a":1}`, "5d6a5d9dccbd0a0fc2e96f3cdd0257860285ae03a1f3a9beec506b618663193d"},
	{"no body", "app1", "secret1", "1700000000", "", "d94e3a1029130877eab3f312ed3d96de349c6e0c22b21e04f1876c34962756ce"},
}

func newHMAC(t testing.TB, appID, secret string) *client.HMAC {
	t.Helper()
	h, err := client.NewHMAC(client.Credentials{AppID: appID, AppSecret: secret})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestSignVectors(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			c := client.Credentials{AppID: v.appID, AppSecret: v.secret}
			if got := client.Sign(c, v.timestamp, []byte(v.body)); got != v.sign {
				t.Errorf("Sign = %s, want %s", got, v.sign)
			}
			h := newHMAC(t, v.appID, v.secret)
			for range 3 { // the pooled state starts afresh each time
				if got := h.Sign(v.timestamp, []byte(v.body)); got != v.sign {
					t.Errorf("HMAC.Sign = %s, want %s", got, v.sign)
				}
				if !h.Matches(v.timestamp, []byte(v.body), v.sign) {
					t.Error("HMAC.Matches refuses the right signature")
				}
			}
			if v.body == "" && h.Sign(v.timestamp, nil) != v.sign {
				t.Error("no body is not signed as no bytes")
			}
		})
	}
}

func TestMatchesRefuses(t *testing.T) {
	v := vectors[0]
	tests := []struct {
		name                string
		appID, secret       string
		timestamp, body, to string
	}{
		{"upper-case hex", v.appID, v.secret, v.timestamp, v.body, strings.ToUpper(v.sign)},
		{"an empty signature", v.appID, v.secret, v.timestamp, v.body, ""},
		{"half a signature", v.appID, v.secret, v.timestamp, v.body, v.sign[:32]},
		{"a longer signature", v.appID, v.secret, v.timestamp, v.body, v.sign + "0"},
		{"a space after it", v.appID, v.secret, v.timestamp, v.body, v.sign + " "},
		{"the last digit changed", v.appID, v.secret, v.timestamp, v.body, v.sign[:63] + "8"},
		{"another app id", "app-124", v.secret, v.timestamp, v.body, v.sign},
		{"another secret", v.appID, "secret-457", v.timestamp, v.body, v.sign},
		{"another time", v.appID, v.secret, "1710232721", v.body, v.sign},
		{"another body", v.appID, v.secret, v.timestamp, v.body + "\n", v.sign},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if newHMAC(t, test.appID, test.secret).Matches(test.timestamp, []byte(test.body), test.to) {
				t.Error("it matches")
			}
		})
	}
}

func TestNewHMACRefusesWhatAnybodyHas(t *testing.T) {
	for _, c := range []client.Credentials{{}, {AppID: "app-123"}, {AppSecret: "secret-456"}} {
		if h, err := client.NewHMAC(c); err == nil || h != nil {
			t.Errorf("NewHMAC(%+v) = %v, %v", c, h, err)
		}
	}
}

func TestHMACConcurrently(t *testing.T) {
	h := newHMAC(t, "app-123", "secret-456")
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			v, other := vectors[i%2], vectors[1-i%2]
			for range 200 {
				if !h.Matches(v.timestamp, []byte(v.body), v.sign) || h.Matches(v.timestamp, []byte(v.body), other.sign) {
					t.Error("a signature was mixed up with another")
					return
				}
				if got := h.Sign(v.timestamp, []byte(v.body)); got != v.sign {
					t.Errorf("Sign = %s, want %s", got, v.sign)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestMatchesAllocatesNothing(t *testing.T) {
	v := vectors[0]
	h, body := newHMAC(t, v.appID, v.secret), []byte(v.body)
	allocations := testing.AllocsPerRun(100, func() { h.Matches(v.timestamp, body, v.sign) })
	if allocations != 0 && !raceEnabled {
		t.Errorf("Matches allocates %v times", allocations)
	}
}

func BenchmarkMatches(b *testing.B) {
	v := vectors[0]
	h, body := newHMAC(b, v.appID, v.secret), []byte(v.body)
	b.ReportAllocs()
	for b.Loop() {
		if !h.Matches(v.timestamp, body, v.sign) {
			b.Fatal("it does not match")
		}
	}
}
