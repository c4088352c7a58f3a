package coinpayments

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/rotation"
)

// files are an account's, which change while it is in use.
type files struct {
	*testing.T
	texts map[string]string
	now   time.Time
	grace time.Duration
	apply func(func(string) ([]byte, error)) error
}

func (f *files) read(name string) ([]byte, error) {
	if text, ok := f.texts[name]; ok {
		return []byte(text), nil
	}
	return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
}

// changed has the account use what the files hold now.
func (f *files) changed() {
	f.Helper()
	if err := f.apply(f.read); err != nil {
		f.Fatal(err)
	}
}

func (f *files) open() (*V2, error) {
	m := &Module{
		ClientID: "{file./id}", ClientSecret: "{file./secret}", Instance: "a",
		PreviousSecrets: []rotation.PreviousSecret{{Secret: "{file./previous}"}},
	}
	g, err := m.Open(gateway.OpenOptions{
		Timeout: time.Second, Grace: f.grace, Now: func() time.Time { return f.now }, WebhookURL: hookURL,
		Watch: func(apply func(func(string) ([]byte, error)) error, texts ...string) error {
			if !slices.Contains(texts, "{file./secret}") || !slices.Contains(texts, "{file./previous}") {
				return fmt.Errorf("%q are watched", texts)
			}
			f.apply = apply
			return apply(f.read)
		},
	})
	if err != nil {
		return nil, err
	}
	return g.(*V2), nil
}

func (f *files) mustOpen() *V2 {
	f.Helper()
	v, err := f.open()
	if err != nil {
		f.Fatal(err)
	}
	return v
}

// verifies fails the test unless exactly these of all secrets verify webhooks and make
// keys, and calls are signed with the one.
func (f *files) verifies(when string, v *V2, want ...string) {
	f.Helper()
	var got []string
	for _, secret := range []string{"secret-0", "secret-1", "secret-2", "secret-3"} {
		header := signed(coinpayments.Credentials{ClientID: vectors.Client, ClientSecret: secret}, hookURL, coinpayments.Timestamp(f.now), nil)
		_, err := v.Verify(gateway.Request{Method: http.MethodPost, URL: hookURL, Header: header}, f.now)
		if err == nil {
			got = append(got, secret)
		}
		key := gateway.DeriveKey(secret, vectors.Client, "status")
		isKey := slices.ContainsFunc(v.Keys("status"), func(k []byte) bool { return string(k) == string(key) })
		if isKey != (err == nil) {
			f.Errorf("%s: %s makes a key: %v", when, secret, isKey)
		}
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		f.Errorf("%s: %q verify, want %q", when, got, want)
	}
	if string(v.Keys("status")[0]) != string(v.Key("status")) {
		f.Errorf("%s: the first key is not the account's", when)
	}
}

// TestRotate: a secret that its file replaces goes on verifying for the grace, over a
// change of the configuration, too, and so does one whose file is gone.
func TestRotate(t *testing.T) {
	f := &files{T: t, texts: map[string]string{"/id": "DC6A16E5-45c3-4187-ba21-a9edbbe484a5", "/secret": "secret-1", "/previous": "secret-0"}, now: time.Now(), grace: time.Hour}
	first := f.mustOpen()
	f.verifies("at first", first, "secret-0", "secret-1")
	f.texts["/secret"] = "secret-2"
	f.changed()
	f.verifies("after a change", first, "secret-0", "secret-1", "secret-2")
	if string(first.Key("status")) != string(gateway.DeriveKey("secret-2", vectors.Client, "status")) {
		t.Error("keys are not made of the new secret")
	}
	f.now = f.now.Add(30 * time.Minute)
	delete(f.texts, "/previous")
	f.changed()
	f.verifies("without the previous one's file", first, "secret-0", "secret-1", "secret-2")
	if _, err := f.open(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("opened without it: %v", err)
	}
	f.texts["/previous"], f.texts["/secret"] = "secret-2", "secret-3"
	second := f.mustOpen()
	second.Succeed(first)
	f.verifies("in the next configuration", second, "secret-0", "secret-1", "secret-2", "secret-3")
	f.now = f.now.Add(31 * time.Minute)
	f.verifies("after the grace of the first", second, "secret-0", "secret-2", "secret-3")
	f.now = f.now.Add(30 * time.Minute)
	f.verifies("after the grace", second, "secret-2", "secret-3")

	f.texts["/id"] = "dc6a16e545c34187ba21a9edbbe484a6"
	if err := f.apply(f.read); err == nil || !strings.Contains(err.Error(), "caddy reload --force") {
		t.Errorf("another client id: %v", err)
	}
	delete(f.texts, "/id")
	f.changed()
	f.texts["/id"], f.grace = vectors.Client, 0
	third := f.mustOpen()
	third.Succeed(second)
	f.verifies("without a grace", third, "secret-2", "secret-3")
}
