//go:build unix

package ccpayment_test

import (
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
)

func (f secretFile) becomesPipe() {
	f.t.Helper()
	if err := os.Remove(f.path); err != nil {
		f.t.Fatal(err)
	}
	if err := syscall.Mkfifo(f.path, 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// TestSecretIsPipe: a secret's file that becomes a pipe, reading which waits for ever,
// stops neither the status nor what is delivered; at the start it is a mistake.
func TestSecretIsPipe(t *testing.T) {
	file := newSecretFile(t, "secret-1")
	stored := "http://:$PORT {\n bind 127.0.0.1\n ccpayment_webhook /hook $APP {\n confirm off\n account shop\n token {file." + file.path + "}\n }\n}"
	config := setup{global: adminOn, account: file.account(""), site: stored}
	s := start(t, config)
	file.becomesPipe()
	impatient := &http.Client{Transport: s.client.Transport, Timeout: 5 * time.Second}
	await(t, "the status says that it is a pipe", func() bool {
		response, err := impatient.Get("http://" + s.admin + "/ccpayment/status")
		if err != nil {
			t.Fatalf("asking for the status: %v", err)
		}
		defer response.Body.Close()
		text, _ := io.ReadAll(response.Body)
		return strings.Count(string(text), "not a regular file") == 2
	})
	s.deliver(delivery{secret: "secret-1"}).wants(t, http.StatusOK)
	await(t, "it is delivered", func() bool { return len(s.app.received()) == 1 })

	loaded := make(chan error)
	go func() { loaded <- caddy.Load(adapt(t, s.names.Replace(config.caddyfile())), true) }()
	select {
	case err := <-loaded:
		if err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("loading it: %v", err)
		}
	case <-time.After(patience):
		t.Fatal("loading it waits for the pipe")
	}
}

// TestSecretOnTwoListeners: a handler that stands on two has one secret, whose name says
// whose it is.
func TestSecretOnTwoListeners(t *testing.T) {
	file := newSecretFile(t, "link-secret-of-the-shop")
	second := port(freeAddr(t))
	s := start(t, setup{global: adminOn, account: file.account(""), site: `http://:$PORT, http://:` + second + ` {
		bind 127.0.0.1
		ccpayment_webhook /hook {
			confirm off
			token {file.` + file.path + `}
		}
		ccpayment_checkout /pay {
			account shop
			link_secret {file.` + file.path + `}
		}
		reverse_proxy $APP
	}`})
	response, err := s.client.Get("http://" + s.admin + "/ccpayment/status")
	if err != nil {
		t.Fatal(err)
	}
	got, err := readReply(response)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{`"account \"shop\""`, `"token of route `, `"link_secret of ccpayment_checkout, account \"shop\""`} {
		if strings.Count(got.body, `"name":`+name) != 1 {
			t.Errorf("%s stands %d times in %s", name, strings.Count(got.body, name), got.body)
		}
	}
}
