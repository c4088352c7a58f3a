package v1_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	v1 "github.com/seed-338f6760/caddy-ccpayment/client/v1"
	"github.com/seed-338f6760/caddy-ccpayment/internal/apiclient/apiclienttest"
)

// vector is a signature that was computed by two other programs.
var vector = struct{ appID, secret, timestamp, body, sign string }{
	"aid", "sec", "1700000000", `{"a":1}`, "3a163ced0372fa1a4ddf8c94a003363d94287065499c201e9b643ffd6b68a8b6",
}

func key(t testing.TB) *v1.Key {
	t.Helper()
	k, err := v1.NewKey(client.Credentials{AppID: vector.appID, AppSecret: vector.secret})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestVector: the known signature is the one that is made, and nothing but it matches.
func TestVector(t *testing.T) {
	k := key(t)
	if got := k.Sign(vector.timestamp, []byte(vector.body)); got != vector.sign {
		t.Errorf("signed as %s", got)
	}
	for _, test := range []struct {
		name, timestamp, body, sign string
		want                        bool
	}{
		{"right", vector.timestamp, vector.body, vector.sign, true},
		{"another time", "1700000001", vector.body, vector.sign, false},
		{"another body", vector.timestamp, `{"a":2}`, vector.sign, false},
		{"in capitals", vector.timestamp, vector.body, strings.ToUpper(vector.sign), false},
		{"cut", vector.timestamp, vector.body, vector.sign[:63], false},
		{"none", vector.timestamp, vector.body, "", false},
	} {
		if got := k.Matches(test.timestamp, []byte(test.body), test.sign); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
	for _, c := range []client.Credentials{{AppID: "a"}, {AppSecret: "s"}, {}} {
		if _, err := v1.NewKey(c); err == nil {
			t.Errorf("%v makes a key", c)
		}
	}
}

// TestOnlyObjects: a right signature is none where its body is not one JSON object.
func TestOnlyObjects(t *testing.T) {
	k := key(t)
	for body, want := range map[string]bool{
		`{}`: true, " \r\n{\"a\":[{}]}\t": true,
		``: false, ` `: false, `[]`: false, `null`: false, `"a"`: false, `1`: false, `{`: false, `{} {}`: false, `{}x`: false, `{"a":1,}`: false,
		"{}\x00": false, "{}\x80": false, "{\"a\":\"\x80\"}": false, "{\"a\":\"\x00\"}": false, "\xef\xbb\xbf{}": false,
	} {
		if got := k.Matches(vector.timestamp, []byte(body), k.Sign(vector.timestamp, []byte(body))); got != want {
			t.Errorf("%q: %v", body, got)
		}
	}
}

// TestExtension: whoever has seen a signature can compute those of longer texts, and none
// of these texts matches, whichever of what CCPayment or a merchant signs it begins with.
func TestExtension(t *testing.T) {
	k := key(t)
	for _, seen := range []string{vector.body, ``, `{}`, `{"a":"` + strings.Repeat("x", 100) + `"}`, `{"a":"`, "{\"a\":\"\xc2"} {
		sign := k.Sign(vector.timestamp, []byte(seen))
		length := len(vector.appID + vector.secret + vector.timestamp + seen)
		for _, suffix := range []string{``, `{}`, `}`, `"}`, `,"order_type":"API Deposit"}`, ` `} {
			behind, forged := apiclienttest.Extend(t, sign, length, []byte(suffix))
			body := append([]byte(seen), behind...)
			if forged != k.Sign(vector.timestamp, body) {
				t.Fatalf("%q was not lengthened: the test tries nothing", seen)
			}
			if k.Matches(vector.timestamp, body, forged) {
				t.Errorf("%q, lengthened by %q, matches", seen, suffix)
			}
		}
	}
}

// FuzzMatches: what matches is one JSON object that the secret has signed, and no text
// that a signature of another was lengthened to.
func FuzzMatches(f *testing.F) {
	f.Add(vector.timestamp, []byte(vector.body), []byte("{}"))
	f.Add("1700000000123", []byte(""), []byte("}"))
	f.Add("", []byte("{\"a\":\"\xc2"), []byte("\"}"))
	k := key(f)
	f.Fuzz(func(t *testing.T, timestamp string, body, suffix []byte) {
		sign := k.Sign(timestamp, body)
		if k.Matches(timestamp, body, sign) != v1.IsObject(body) {
			t.Fatalf("%q at %q: whether it matches is not whether it is an object", body, timestamp)
		}
		behind, forged := apiclienttest.Extend(t, sign, len(vector.appID+vector.secret+timestamp)+len(body), suffix)
		if k.Matches(timestamp, append(body[:len(body):len(body)], behind...), forged) {
			t.Fatalf("%q, lengthened by %q, matches", body, suffix)
		}
	})
}

func ExampleSign() {
	fmt.Println(v1.Sign(client.Credentials{AppID: "aid", AppSecret: "sec"}, "1700000000", []byte(`{"a":1}`)))
	// Output: 3a163ced0372fa1a4ddf8c94a003363d94287065499c201e9b643ffd6b68a8b6
}
