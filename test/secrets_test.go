package test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
)

// mustKnow checks which secrets' webhooks are taken, and that nobody else's are.
func mustKnow(t *testing.T, s *server, secrets ...string) {
	t.Helper()
	for _, secret := range secrets {
		if a, err := deliver(t.Context(), processtest.Once, s.hook, newEvent(), secret); err != nil || !a.yes() {
			t.Errorf("signed with %s: %d %q, %v", secret, a.status, a.text, err)
		}
	}
	if a, err := deliver(t.Context(), processtest.Once, s.hook, newEvent(), "secret-of-nobody"); err != nil || a.status != http.StatusUnauthorized {
		t.Errorf("signed with a stranger's secret: %d %q, %v", a.status, a.text, err)
	}
}

// withSecrets is the usual configuration with these options of the account.
func withSecrets(options string) string {
	return strings.Replace(globals, "ccpayment {", "ccpayment {\n"+options, 1) + site
}

// TestCase01_SecretByEnvironment: a running Caddy does not get a new secret from the
// environment of `caddy reload`. It refuses that and goes on, and says the two ways that
// work: a file, without a restart, and a restart.
func TestCase01_SecretByEnvironment(t *testing.T) {
	t.Parallel()
	const next = "next-secret"
	s := newServer(t, startApp(t).url)
	s.start(globals + site)
	mustKnow(t, s, appSecret)
	s.env = append(s.env, "NEW="+next) // which commands from now on have, and the Caddy that runs has not
	reload := func(caddyfile string) (string, error) {
		return s.command("reload", "--config", s.file(caddyfile), "--adapter", "caddyfile", "--address", s.admin)
	}
	inEnvironment := withSecrets("app_secret {env.NEW}\nprevious_secret {env.CCPAYMENT_APP_SECRET}")
	out, err := reload(inEnvironment)
	if err == nil {
		t.Error("the reload did not fail")
	}
	wantIn(t, out, "app_secret: ", "{env.NEW}", "a running Caddy keeps the environment that it was started with", "restart it", "{file./path}")
	if strings.Contains(out, next) {
		t.Errorf("it shows the secret:\n%s", out)
	}
	mustKnow(t, s, appSecret)

	file := filepath.Join(s.dir, "secret")
	if err := os.WriteFile(file, []byte(next+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := reload(withSecrets("app_secret {file." + file + "}\nprevious_secret {env.CCPAYMENT_APP_SECRET}")); err != nil {
		t.Fatalf("with a file: %v\n%s", err, out)
	}
	mustKnow(t, s, appSecret, next)

	s.stop()
	s.start(inEnvironment)
	mustKnow(t, s, appSecret, next)

	guide, err := os.ReadFile(filepath.Join("..", "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(guide), "\n## Rotating the secret\n")
	section, _, _ = strings.Cut(section, "\n## ")
	wantIn(t, section, "app_secret {file./", "Secrets in the environment need a restart", "previous_secret {env.")
}

// TestCase02_CommandsShowTheGeneration: `status` says which generation of a secret is in
// use, and it and `doctor` say of a file why it is not; neither shows the secret.
func TestCase02_CommandsShowTheGeneration(t *testing.T) {
	t.Parallel()
	s := newServer(t, startApp(t).url)
	file := filepath.Join(s.dir, "secret")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
	write("secret-one")
	config := withSecrets("base_url http://127.0.0.1:1\napp_secret {file." + file + "}")
	s.start(config)
	ask := func(command string) string {
		t.Helper()
		args := []string{"ccpayment", command, "--address", s.admin}
		if command == "doctor" {
			args = append(args, "--config", s.file(config))
		}
		out, _ := s.command(args...) // doctor finds that there is no API
		for _, secret := range []string{"secret-one", "secret-two"} {
			if strings.Contains(out, secret) {
				t.Errorf("%s shows a secret:\n%s", command, out)
			}
		}
		return out
	}
	row := func() string {
		for line := range strings.Lines(ask("status")) {
			if strings.Contains(line, file) {
				return strings.Join(strings.Fields(line), " ")
			}
		}
		return ""
	}
	if got, want := row(), "default account 1 start "+file; got != want {
		t.Errorf("at the start the status has %q, want %q", got, want)
	}
	write("secret-two")
	processtest.Until(t, "the second one is in use", func() bool { return strings.HasPrefix(row(), "default account 2 ") })
	mustKnow(t, s, "secret-one", "secret-two")
	write("")
	processtest.Until(t, "the status says that the file is empty", func() bool {
		return strings.Contains(ask("status"), "what the file holds now is not in use: ")
	})
	wantIn(t, ask("doctor"), "mend the file of default account, of which the value before is still in use: ")
	mustKnow(t, s, "secret-two")
}
