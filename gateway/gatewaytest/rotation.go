package gatewaytest

import (
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
)

// previousSecrets: a previous secret verifies until its end.
func previousSecrets(t *testing.T, s *stand) {
	others := s.others(t)
	end := s.now().Add(time.Hour).Truncate(time.Second)
	g := s.open(t, Options{AccountID: s.AccountID, Secret: s.Secret, Previous: []Previous{
		{Secret: others[0], Until: end.Format(time.RFC3339)}, {Secret: others[1]},
	}}, gateway.OpenOptions{})
	for _, test := range []struct {
		secret string
		at     time.Time
		want   bool
	}{
		{s.Secret, end.Add(time.Hour), true},
		{others[0], end, true},
		{others[0], end.Add(time.Second), false},
		{others[1], end.Add(1000 * time.Hour), true},
		{others[2], end, false},
		{"", end, false},
	} {
		if err := s.verifies(t, g, test.secret, test.at); (err == nil) != test.want {
			t.Errorf("%q at %s: %v, want a yes to be %t", test.secret, test.at, err, test.want)
		}
	}
}

// others returns the other secrets, or skips the test where there are none.
func (s *stand) others(t *testing.T) []string {
	t.Helper()
	switch len(s.OtherSecrets) {
	case 0:
		t.Skip("the account has one secret")
	case 1, 2, 3:
		t.Fatal("four other secrets are needed")
	}
	return s.OtherSecrets
}

// verifies returns the error of verifying what a secret has signed.
func (s *stand) verifies(t *testing.T, g gateway.Gateway, secret string, at time.Time) error {
	t.Helper()
	signing := s.signing()
	signing.Secret = secret
	r := gateway.Request{Method: http.MethodPost, URL: s.hookURL, Header: s.sandbox.Sign(signing), Body: body}
	_, err := s.verifyBy(t, secret, g, r, at)
	return err
}

// files are an account's, which change while it is in use.
type files struct {
	*stand
	secrets []string // which an account has had one after the other
	texts   map[string]string
	grace   time.Duration
	apply   func(func(string) ([]byte, error)) error // of the account that was opened last
}

func newFiles(t *testing.T, s *stand) *files {
	t.Helper()
	if _, ok := s.account.Gateway.(gateway.Rotating); !ok {
		t.Skip("the gateway's secrets do not change while it is in use")
	}
	f := &files{stand: s, grace: time.Hour, texts: map[string]string{"/id": s.AccountID}}
	f.secrets = s.others(t)
	f.texts["/secret"], f.texts["/previous"] = f.secrets[1], f.secrets[0]
	return f
}

func (f *files) read(name string) ([]byte, error) {
	if text, ok := f.texts[name]; ok {
		return []byte(text), nil
	}
	return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
}

// changed has the account use what the files hold now.
func (f *files) changed(t *testing.T) {
	t.Helper()
	if err := f.apply(f.read); err != nil {
		t.Fatal(err)
	}
}

// next opens the account anew, as a configuration after the one before does; nil: there
// was none.
func (f *files) next(t *testing.T, before gateway.Gateway) gateway.Gateway {
	t.Helper()
	g, err := f.tryNext(t)
	if err != nil {
		t.Fatal(err)
	}
	if before != nil {
		g.(gateway.Rotating).Succeed(before)
	}
	return g
}

func (f *files) tryNext(t *testing.T) (gateway.Gateway, error) {
	t.Helper()
	o := Options{AccountID: "{file./id}", Secret: "{file./secret}", Previous: []Previous{{Secret: "{file./previous}"}}}
	var changes func(func(string) ([]byte, error)) error
	g, err := f.tryOpen(o, gateway.OpenOptions{
		Grace: f.grace,
		Watch: func(apply func(func(string) ([]byte, error)) error, texts ...string) error {
			if !slices.Contains(texts, o.Secret) || !slices.Contains(texts, o.Previous[0].Secret) {
				t.Errorf("watched are %q, and not all files with secrets", texts)
			}
			changes = apply
			return apply(f.read)
		},
	})
	if err == nil {
		f.apply = changes
	}
	return g, err
}

// honours fails the test unless exactly these of the secrets verify webhooks and make
// keys. The first of them is the account's own.
func (f *files) honours(t *testing.T, when string, g gateway.Gateway, want ...int) {
	t.Helper()
	keys := gateway.Keys(g, "status")
	for n, secret := range f.secrets[:4] {
		isWanted := slices.Contains(want, n)
		if err := f.verifies(t, g, secret, f.now()); (err == nil) != isWanted {
			t.Errorf("%s: secret %d: %v, want a yes to be %t", when, n, err, isWanted)
		}
		key := string(f.open(t, Options{AccountID: f.AccountID, Secret: secret}, gateway.OpenOptions{}).Key("status"))
		isKey := func(k []byte) bool { return string(k) == key }
		if slices.ContainsFunc(keys, isKey) != isWanted {
			t.Errorf("%s: that secret %d makes a key is %t", when, n, !isWanted)
		}
		if n == want[0] && (!isKey(keys[0]) || !isKey(g.Key("status"))) {
			t.Errorf("%s: the first key is not that of secret %d", when, n)
		}
	}
	if len(keys) != len(want) {
		t.Errorf("%s: there are %d keys, want %d", when, len(keys), len(want))
	}
}

// rotation: a secret that its file replaces goes on verifying for the grace, and so does
// one whose file is gone. An account's id is not replaced.
func rotation(t *testing.T, s *stand) {
	f := newFiles(t, s)
	g := f.next(t, nil)
	f.honours(t, "at first", g, 1, 0)
	f.texts["/secret"] = f.secrets[2]
	f.changed(t)
	f.honours(t, "after a change", g, 2, 1, 0)
	s.advance(30 * time.Minute)
	delete(f.texts, "/previous")
	f.changed(t)
	f.changed(t)
	f.honours(t, "without the previous one's file", g, 2, 1, 0)
	if _, err := f.tryNext(t); err == nil {
		t.Error("the account is opened without the previous one's file")
	}
	s.advance(30*time.Minute + time.Second)
	f.honours(t, "after the grace of the first", g, 2, 0)
	s.advance(30 * time.Minute)
	f.honours(t, "after the grace", g, 2)

	f.texts["/id"], f.texts["/secret"] = s.StrangerID, f.secrets[3]
	if err := f.apply(f.read); err == nil || !strings.Contains(err.Error(), "caddy reload --force") {
		t.Errorf("another account's id: %v, want an error that says what uses it", err)
	}
	f.honours(t, "with another account's id", g, 2)
	delete(f.texts, "/id")
	f.changed(t)
	f.honours(t, "without an id", g, 3, 2)

	f.grace, f.texts = 0, map[string]string{"/id": s.AccountID, "/secret": f.secrets[1], "/previous": f.secrets[0]}
	g = f.next(t, nil)
	f.texts["/secret"] = f.secrets[2]
	delete(f.texts, "/previous")
	f.changed(t)
	f.honours(t, "without a grace", g, 2)
}

// succession: replaced secrets keep their grace in the next configuration, with their end.
// A configuration that was opened and never ran leaves nothing behind.
func succession(t *testing.T, s *stand) {
	f := newFiles(t, s)
	first := f.next(t, nil)
	f.texts["/secret"] = f.secrets[2]
	f.changed(t)
	s.advance(30 * time.Minute)
	f.texts["/secret"] = f.secrets[3]
	f.next(t, first) // and its load fails
	f.texts["/secret"] = f.secrets[2]
	f.honours(t, "before", first, 2, 1, 0)
	second := f.next(t, first)
	second.(gateway.Rotating).Succeed(first)
	f.honours(t, "after the load", second, 2, 1, 0)
	s.advance(31 * time.Minute)
	f.honours(t, "after the grace", second, 2, 0)

	f.texts["/secret"] = f.secrets[3]
	f.honours(t, "changed before the load", f.next(t, second), 3, 2, 0)
	f.honours(t, "a new account", f.next(t, nil), 3, 0)
	f.grace = 0
	f.honours(t, "without a grace", f.next(t, second), 3, 0)
	f.grace = time.Hour
	f.texts["/id"] = s.StrangerID
	other := f.next(t, second)
	if n := len(gateway.Keys(other, "status")); n != 2 {
		t.Errorf("another account has %d keys, of which 2 are its own", n)
	}
}
