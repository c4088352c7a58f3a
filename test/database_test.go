package test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/internal/postgrestest"
)

// onDatabase is the usual configuration with the ledger in a database.
func onDatabase(url string) string {
	store := "store postgres {\n url \"" + url + "\"\n}"
	return strings.Replace(globals, "store bolt {\n\t\t\tpath {$LEDGER}\n\t\t}", store, 1) + site
}

// lineOf returns the line of what a command printed that begins with a word.
func lineOf(text, word string) string {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, word+" ") {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// TestDoctorLooksAtTheDatabase: it and `status` say what to do where the connection to
// the database can be read by others, unless that was asked for, and doctor how the
// database stands.
func TestDoctorLooksAtTheDatabase(t *testing.T) {
	t.Parallel()
	database := postgrestest.StartRemote(t)
	for name, test := range map[string]struct {
		url string
		ok  bool
	}{
		"loopback":  {database.URL(), true},
		"unproven":  {database.RemoteURL(url.Values{"sslmode": {"prefer"}}), false},
		"asked for": {database.RemoteURL(url.Values{"sslmode": {"disable"}}), true},
		"verified":  {database.RemoteURL(url.Values{"sslmode": {"verify-full"}, "sslrootcert": {database.Authority()}}), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, startApp(t).url)
			config := onDatabase(test.url)
			s.start(config)
			defer s.stop()
			doctor, _ := s.command("ccpayment", "doctor", "--address", s.admin, "--config", s.file(withoutAPI(config)))
			status, _ := s.command("ccpayment", "status", "--address", s.admin)
			line, advice := lineOf(doctor, "Database"), "add sslmode=verify-full&sslrootcert="
			wantIn(t, line, "PostgreSQL ", "answers in ", "its clock is known to ", "no standby is synchronous")
			if strings.HasPrefix(line, "Database   ok ") != test.ok || strings.Contains(line, advice) == test.ok || strings.Contains(status, advice) == test.ok {
				t.Errorf("doctor says %q, and status\n%s", line, status)
			}
		})
	}
}

// withoutAPI is a configuration whose commands reach no CCPayment.
func withoutAPI(config string) string {
	return strings.Replace(config, "ccpayment {", "ccpayment {\nbase_url http://127.0.0.1:1", 1)
}
