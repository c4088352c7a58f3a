package ccpayment

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
)

// files are an account's, which change while it is in use.
type files struct {
	*testing.T
	texts map[string]string
	now   time.Time
	logs  *observer.ObservedLogs
	grace time.Duration
	apply func(func(string) ([]byte, error)) error
}

func newFiles(t *testing.T, grace time.Duration) *files {
	return &files{T: t, texts: map[string]string{"/id": "app-1", "/secret": "secret-1", "/previous": "secret-0"}, now: time.Unix(1_800_000_000, 0), grace: grace}
}

func (f *files) read(name string) ([]byte, error) {
	if text, ok := f.texts[name]; ok {
		return []byte(text), nil
	}
	return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
}

// changed has the account use what the files hold now.
func (f *files) changed() error { return f.apply(f.read) }

func (f *files) open() (*V2, error) {
	core, logs := observer.New(zap.WarnLevel)
	f.logs = logs
	m := &Module{Options{AppID: "{file./id}", AppSecret: "{file./secret}", PreviousSecrets: []PreviousSecret{{Secret: "{file./previous}"}}}}
	g, err := m.Open(gateway.OpenOptions{
		Timeout: time.Second, Grace: f.grace, Now: func() time.Time { return f.now }, Logger: zap.New(core),
		Watch: func(apply func(func(string) ([]byte, error)) error, _ ...string) error {
			f.apply = apply
			return apply(f.read)
		},
	})
	if err != nil {
		return nil, err
	}
	return g.(*V2), nil
}

// verifies fails the test unless exactly these of all secrets verify webhooks.
func (f *files) verifies(when string, v *V2, want ...string) {
	f.Helper()
	var got []string
	for _, secret := range []string{"secret-0", "secret-1", "secret-2", "secret-3"} {
		timestamp := strconv.FormatInt(f.now.Unix(), 10)
		sign := client.Sign(client.Credentials{AppID: "app-1", AppSecret: secret}, timestamp, []byte("{}"))
		r := gateway.Request{Method: http.MethodPost, Header: http.Header{"Appid": {"app-1"}, "Timestamp": {timestamp}, "Sign": {sign}}, Body: []byte("{}")}
		_, err := v.Verify(r, f.now)
		if err == nil {
			got = append(got, secret)
		} else if !errors.Is(err, gateway.ErrSignature) {
			f.Fatal(err)
		}
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		f.Errorf("%s: %q verify, want %q", when, got, want)
	}
}

// TestPreviousFileGone: it is a previous secret less, after the grace, and keeps no new
// secret from being used. When the account is opened, it is a mistake.
func TestPreviousFileGone(t *testing.T) {
	for _, grace := range []time.Duration{0, time.Hour} {
		f := newFiles(t, grace)
		v, err := f.open()
		if err != nil {
			t.Fatal(err)
		}
		f.verifies("at first", v, "secret-0", "secret-1")
		delete(f.texts, "/previous")
		for range 2 {
			if err := f.changed(); err != nil {
				t.Fatal(err)
			}
		}
		if n := f.logs.FilterMessageSnippet("previous secret is gone").Len(); n != 1 {
			t.Errorf("%d lines of the log say so", n)
		}
		f.texts["/secret"] = "secret-2"
		if err := f.changed(); err != nil {
			t.Fatal(err)
		}
		if grace > 0 {
			f.verifies("within the grace", v, "secret-0", "secret-1", "secret-2")
			f.now = f.now.Add(grace + time.Second)
		}
		f.verifies("after the grace", v, "secret-2")
		if _, err := f.open(); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("opened without the file: %v", err)
		}
	}
}

// TestAppIDFile: a secret that comes with another account's id is not used, and the
// error says what does it; an id whose file is gone is the same.
func TestAppIDFile(t *testing.T) {
	f := newFiles(t, 0)
	v, err := f.open()
	if err != nil {
		t.Fatal(err)
	}
	f.texts["/id"], f.texts["/secret"] = "app-2", "secret-2"
	if err := f.changed(); err == nil || !strings.Contains(err.Error(), "caddy reload --force") {
		t.Errorf("another app id: %v", err)
	}
	f.verifies("with another app id", v, "secret-0", "secret-1")
	delete(f.texts, "/id")
	if err := f.changed(); err != nil {
		t.Error(err)
	}
	f.verifies("without an app id", v, "secret-0", "secret-2")
}

func (f *files) mustOpen(before ...*V2) *V2 {
	f.Helper()
	v, err := f.open()
	if err != nil {
		f.Fatal(err)
	}
	for _, b := range before {
		v.Succeed(b)
	}
	return v
}

// TestSucceed: replaced secrets keep their grace in the next configuration, with their
// end, and so does the secret that its file has lost since. A configuration that was
// opened and never ran leaves nothing behind.
func TestSucceed(t *testing.T) {
	f := newFiles(t, time.Hour)
	first := f.mustOpen()
	f.texts["/secret"] = "secret-2"
	if err := f.changed(); err != nil {
		t.Fatal(err)
	}
	f.now = f.now.Add(30 * time.Minute)
	f.texts["/secret"] = "secret-3"
	f.mustOpen(first) // and its load fails
	f.texts["/secret"] = "secret-2"
	f.verifies("before", first, "secret-0", "secret-1", "secret-2")
	second := f.mustOpen(first, first)
	f.verifies("after the load", second, "secret-0", "secret-1", "secret-2")
	f.now = f.now.Add(31 * time.Minute)
	f.verifies("after the grace", second, "secret-0", "secret-2")

	f.texts["/secret"] = "secret-3"
	third := f.mustOpen(second)
	f.verifies("changed before the load", third, "secret-0", "secret-2", "secret-3")
	f.verifies("a new account", f.mustOpen(), "secret-0", "secret-3")
	f.grace = 0
	f.verifies("without a grace", f.mustOpen(third), "secret-0", "secret-3")
	f.grace = time.Hour
	f.texts["/id"] = "app-2"
	other := f.mustOpen(third)
	if n := len(other.Keys("status")); n != 2 {
		t.Errorf("another account got %d keys", n)
	}
}

// TestKeys: they follow the secret, and those of replaced secrets end with their grace.
func TestKeys(t *testing.T) {
	f := newFiles(t, time.Hour)
	v := f.mustOpen()
	expect := func(secrets ...string) {
		t.Helper()
		var want [][]byte
		for _, secret := range secrets {
			want = append(want, gateway.DeriveKey(secret, "app-1", "status"))
		}
		if got := gateway.Keys(v, "status"); fmt.Sprint(got) != fmt.Sprint(want) || string(v.Key("status")) != string(want[0]) {
			t.Errorf("the keys are %x, want those of %q: %x", got, secrets, want)
		}
	}
	expect("secret-1", "secret-0")
	f.texts["/secret"] = "secret-2"
	if err := f.changed(); err != nil {
		t.Fatal(err)
	}
	expect("secret-2", "secret-0", "secret-1")
	f.now = f.now.Add(time.Hour + time.Second)
	expect("secret-2", "secret-0")
}
