package ccpayment_test

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

var noSecrets = map[string]string{ // what a file holds that holds no secret, and what is said of it
	strings.Repeat("\x00", 64): "NUL characters", "\xef\xbb\xbfsecret-of-the-shop-1": "byte order mark",
	"secret-of-the-shop-1\nsecret-of-the-shop-2\n": "more than one line", "secret-of-the-\x1bshop": "control characters",
}

// TestNoSecret: a file with zeros, as after a power cut, a byte order mark or several
// lines holds no secret, of whichever option: zeros are the empty key to an HMAC. At the
// start it is a mistake in the configuration.
func TestNoSecret(t *testing.T) {
	const good = "secret-of-the-shop-1"
	file := newSecretFile(t, good)
	account := func(secret, more string) string {
		return "account shop {\n app_id " + appID + "\n app_secret " + secret + "\n" + more + "\n}"
	}
	fileText := "{file." + file.path + "}"
	s := start(t, setup{global: adminOn})
	for option, config := range map[string]setup{
		"app_secret":      {account: account(fileText, "")},
		"app_id":          {account: "account shop {\n app_id " + fileText + "\n app_secret s\n}"},
		"previous_secret": {account: account("s", "previous_secret "+fileText)},
		"token":           {webhook: "token " + fileText},
		"sign standard":   {webhook: "sign standard " + fileText},
		"link_secret":     {site: "http://:$PORT {\n bind 127.0.0.1\n ccpayment_checkout /pay {\n link_secret " + fileText + "\n }\n}"},
		"token of api":    {site: "http://:$PORT {\n bind 127.0.0.1\n ccpayment_api /api/* {\n token " + fileText + "\n }\n}"},
	} {
		config.global = adminOn
		for text, want := range noSecrets {
			file.write(text)
			err := caddy.Load(adapt(t, s.names.Replace(config.caddyfile())), true)
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), good) {
				t.Errorf("%s of %.8q: %v, want %q", option, text, err, want)
			}
		}
	}
}

// TestNoSecretLater: at a change, the secret before stays in use, and the log and the
// status say why.
func TestNoSecretLater(t *testing.T) {
	file := newSecretFile(t, "secret-1")
	s := start(t, setup{global: adminOn, account: file.account(""), webhook: "account shop", site: rotatedSite})
	const want = "NUL characters"
	file.write(strings.Repeat("\x00", 64))
	await(t, "the status says "+want, func() bool {
		generation, failure := s.secretStatus()
		return generation == 1 && strings.Contains(failure, want) && strings.Contains(s.logs(), want)
	})
	for _, key := range []string{"\x00", strings.Repeat("\x00", 64)} {
		s.deliver(delivery{secret: key, body: deposit("forged", "Success")}).wants(t, http.StatusUnauthorized)
	}
	s.deliver(delivery{secret: "secret-1", body: deposit("r1", "Success")}).wants(t, http.StatusOK)
}

// TestPreviousSecretGone: a previous secret whose file is gone ends, and keeps no new
// secret in a good file from being used.
func TestPreviousSecretGone(t *testing.T) {
	file, previous := newSecretFile(t, "secret-1"), newSecretFile(t, "secret-0")
	s := start(t, setup{
		global: adminOn, webhook: "account shop", site: rotatedSite,
		account: file.account("file_grace 0\n previous_secret {file." + previous.path + "}"),
	})
	s.deliver(delivery{secret: "secret-0", body: deposit("r0", "Success")}).wants(t, http.StatusOK)
	if err := os.Remove(previous.path); err != nil {
		t.Fatal(err)
	}
	s.awaitGeneration(2)
	file.write("secret-2")
	s.awaitGeneration(3)
	s.deliver(delivery{secret: "secret-2", body: deposit("r2", "Success")}).wants(t, http.StatusOK)
	s.deliver(delivery{secret: "secret-0", body: deposit("r3", "Success")}).wants(t, http.StatusUnauthorized)
	if !strings.Contains(s.logs(), "the file of a previous secret is gone") {
		t.Error("the log does not say so")
	}
}

// TestFailedLoad: a secret that only a configuration has read which was never in use, or
// was only validated, verifies nothing.
func TestFailedLoad(t *testing.T) {
	file := newSecretFile(t, "secret-1")
	good := setup{global: adminOn, account: file.account(""), webhook: "account shop", site: rotatedSite}
	s := start(t, good)
	bad := good
	bad.site = "http://:$PORT {\n bind 127.0.0.1\n ccpayment_checkout {\n account shop\n price 1 \n currency nonsense!\n limit never\n }\n}"
	config := func(c setup) []byte { return adapt(t, s.names.Replace(c.caddyfile())) }
	file.write("secret-2")
	if err := caddy.Load(config(bad), true); err == nil {
		t.Fatal("it is loaded")
	}
	file.write("secret-3")
	var parsed caddy.Config
	if err := json.Unmarshal(config(good), &parsed); err != nil {
		t.Fatal(err)
	}
	if err := caddy.Validate(&parsed); err != nil {
		t.Fatal(err)
	}
	file.write("secret-1")
	good.account = file.account("api_timeout 9s")
	s.load(good)
	for _, never := range []string{"secret-2", "secret-3"} {
		s.deliver(delivery{secret: never, body: deposit("forged", "Success")}).wants(t, http.StatusUnauthorized)
	}
	s.deliver(delivery{secret: "secret-1", body: deposit("r1", "Success")}).wants(t, http.StatusOK)
}

// TestRemovedAccount: with an account its replaced secrets go.
func TestRemovedAccount(t *testing.T) {
	file := newSecretFile(t, "secret-1")
	with := setup{global: adminOn, account: file.account(""), webhook: "account shop", site: rotatedSite}
	s := start(t, with)
	file.write("secret-2")
	s.awaitGeneration(2)
	s.deliver(delivery{secret: "secret-1", body: deposit("r1", "Success")}).wants(t, http.StatusOK)
	s.load(setup{global: adminOn})
	s.load(with)
	s.deliver(delivery{secret: "secret-1", body: deposit("r2", "Success")}).wants(t, http.StatusUnauthorized)
	s.deliver(delivery{secret: "secret-2", body: deposit("r3", "Success")}).wants(t, http.StatusOK)
}

// TestStatusTokensFollow: status tokens are made with the secret that is in use now, and
// those of a replaced one are read for its grace, over a reload, and no longer.
func TestStatusTokensFollow(t *testing.T) {
	box, c, base := newSandbox(t, 1)
	file := newSecretFile(t, secret)
	config := func(options string) setup {
		return setup{
			global: adminOn, account: file.account("base_url " + base + "\n" + options), app: asks(cart),
			site: "http://:$PORT {\n bind 127.0.0.1\n ccpayment_status /status {\n account shop\n }\n ccpayment_checkout {\n account shop\n }\n reverse_proxy $APP\n}",
		}
	}
	s := &shop{box: box, c: c}
	s.server = start(t, config(""))
	buy := func() string {
		v := s.visit(http.MethodPost, "/buy", "", nil)
		if v.answer.Token == "" {
			t.Fatalf("no token: %d %s", v.status, v.body)
		}
		return v.answer.Token
	}
	reads := func(when, token string, want int) {
		t.Helper()
		if v := s.visit(http.MethodGet, "/status?t="+token, "", nil); v.status != want {
			t.Errorf("%s: %d %s, want %d", when, v.status, v.body, want)
		}
	}
	old := buy()
	file.write("another-secret")
	s.awaitGeneration(2)
	current := buy() // the ledger has the order: the API, which has the old secret, is not asked
	if current == old {
		t.Error("a token is made with the replaced secret")
	}
	for _, options := range []string{"", "api_timeout 9s"} {
		if options != "" {
			s.load(config(options))
		}
		reads("within the grace", old, http.StatusOK)
		reads("a new token", current, http.StatusOK)
	}
	s.load(config("file_grace 0"))
	reads("without a grace", old, http.StatusNotFound)
	reads("a new token", current, http.StatusOK)
	file.write("the-third-secret")
	s.awaitGeneration(2)
	reads("changed without a grace", current, http.StatusNotFound)
}
