package ccpayment

import (
	"io/fs"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
)

// TestPreviousFileGone: the log says once that the file of a previous secret is gone,
// however often another file changes.
func TestPreviousFileGone(t *testing.T) {
	core, logs := observer.New(zap.WarnLevel)
	texts := map[string]string{"/secret": "secret-1", "/previous": "secret-0"}
	read := func(name string) ([]byte, error) {
		if text, ok := texts[name]; ok {
			return []byte(text), nil
		}
		return nil, fs.ErrNotExist
	}
	var apply func(func(string) ([]byte, error)) error
	m := &Module{Options{AppID: "app-1", AppSecret: "{file./secret}", PreviousSecrets: []PreviousSecret{{Secret: "{file./previous}"}}}}
	_, err := m.Open(gateway.OpenOptions{
		Timeout: time.Second, Grace: time.Hour, Logger: zap.New(core),
		Watch: func(changed func(func(string) ([]byte, error)) error, _ ...string) error {
			apply = changed
			return changed(read)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	delete(texts, "/previous")
	for _, secret := range []string{"secret-1", "secret-1", "secret-2"} {
		texts["/secret"] = secret
		if err := apply(read); err != nil {
			t.Fatal(err)
		}
	}
	if n := logs.FilterMessageSnippet("previous secret is gone").Len(); n != 1 {
		t.Errorf("%d lines of the log say so", n)
	}
}
