package ccpaymentv1

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/rotation"
)

// TestRotate: a secret that its file replaces goes on verifying for the grace, over a
// change of the configuration, too. Each opening warns once that V1 is deprecated.
func TestRotate(t *testing.T) {
	files := map[string]string{"/id": ours.AppID, "/secret": "s1", "/previous": "s0"}
	at := now
	read := func(name string) ([]byte, error) {
		if text, ok := files[name]; ok {
			return []byte(text), nil
		}
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	var change func(func(string) ([]byte, error)) error
	core, logs := observer.New(zap.WarnLevel)
	open := func() *V1 {
		t.Helper()
		m := &Module{AppID: "{file./id}", AppSecret: "{file./secret}", PreviousSecrets: []rotation.PreviousSecret{{Secret: "{file./previous}"}}}
		g, err := m.Open(gateway.OpenOptions{
			Timeout: time.Second, Grace: time.Hour, Now: func() time.Time { return at }, Logger: zap.New(core), Account: "old",
			Watch: func(apply func(func(string) ([]byte, error)) error, texts ...string) error {
				if !slices.Contains(texts, "{file./secret}") || !slices.Contains(texts, "{file./previous}") {
					return fmt.Errorf("%q are watched", texts)
				}
				change = apply
				return apply(read)
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		return g.(*V1)
	}
	verifies := func(when string, v *V1, want ...string) {
		t.Helper()
		var got []string
		for _, secret := range []string{"s0", "s1", "s2", "s3"} {
			header := signed(client.Credentials{AppID: ours.AppID, AppSecret: secret}, "1700000000", []byte(body))
			_, err := v.Verify(gateway.Request{Header: header, Body: []byte(body)}, at)
			if err == nil {
				got = append(got, secret)
			}
			key := string(gateway.DeriveKey(secret, v.Info().AccountID, "status"))
			if isKey := slices.ContainsFunc(v.Keys("status"), func(k []byte) bool { return string(k) == key }); isKey != (err == nil) {
				t.Errorf("%s: %s makes a key: %v", when, secret, isKey)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q verify, want %q", when, got, want)
		}
		if string(v.Keys("status")[0]) != string(v.Key("status")) {
			t.Errorf("%s: the first key is not the account's", when)
		}
	}
	changed := func() {
		t.Helper()
		if err := change(read); err != nil {
			t.Fatal(err)
		}
	}

	first := open()
	verifies("at first", first, "s0", "s1")
	files["/secret"] = "s2"
	changed()
	verifies("after a change", first, "s0", "s1", "s2")
	at = at.Add(30 * time.Minute)
	delete(files, "/previous")
	changed()
	verifies("without the previous one's file", first, "s0", "s1", "s2")
	files["/previous"], files["/secret"] = "s2", "s3"
	second := open()
	second.Succeed(first)
	verifies("in the next configuration", second, "s0", "s1", "s2", "s3")
	at = at.Add(2 * time.Hour)
	verifies("after the grace", second, "s2", "s3")

	files["/id"] = "app-2"
	if err := change(read); err == nil || !strings.Contains(err.Error(), "caddy reload --force") {
		t.Errorf("another app id: %v", err)
	}
	delete(files, "/id")
	changed()
	verifies("without the id's file", second, "s2", "s3")
	if deprecated := logs.FilterMessageSnippet("deprecated"); deprecated.Len() != 2 || deprecated.All()[0].ContextMap()["account"] != "old" {
		t.Errorf("two openings warned %d times", deprecated.Len())
	}
}
