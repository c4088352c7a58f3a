package ccpayment_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// secretFile is a file with a secret, which is replaced as a secret's volume
// does it.
type secretFile struct {
	t    *testing.T
	path string
}

func newSecretFile(t *testing.T, text string) secretFile {
	t.Helper()
	f := secretFile{t, filepath.Join(t.TempDir(), "secret")}
	f.write(text)
	return f
}

func (f secretFile) write(text string) {
	f.t.Helper()
	if err := os.WriteFile(f.path+".new", []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
	if err := os.Rename(f.path+".new", f.path); err != nil {
		f.t.Fatal(err)
	}
}

// account is one whose app secret is in the file.
func (f secretFile) account(more string) string {
	return "account shop {\n app_id " + appID + "\n app_secret {file." + f.path + "}\n " + more + "\n }"
}

// secretStatus is how the first secret stands, as the admin API says.
func (s *server) secretStatus() (generation int, failure string) {
	s.t.Helper()
	response, err := s.client.Get("http://" + s.admin + "/ccpayment/status")
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	var status struct {
		Secrets []struct {
			Generation int
			Error      string
		}
	}
	if err := json.NewDecoder(response.Body).Decode(&status); err != nil || len(status.Secrets) == 0 {
		s.t.Fatalf("%v %v", status, err)
	}
	return status.Secrets[0].Generation, status.Secrets[0].Error
}

func (s *server) awaitGeneration(want int) {
	s.t.Helper()
	await(s.t, "generation "+strconv.Itoa(want)+" of the secret is in use", func() bool {
		generation, failure := s.secretStatus()
		return generation == want && failure == ""
	})
}

const rotatedSite = `http://:$PORT {
	bind 127.0.0.1
	ccpayment_webhook /hook {
		confirm off
		$WEBHOOK
	}
	reverse_proxy $APP
}`

// TestCase02_RotateUnderLoad: a secret's file changes while webhooks come in that
// are signed with the old secret and, once that is in use, with the new one: none
// is refused.
func TestCase02_RotateUnderLoad(t *testing.T) {
	file := newSecretFile(t, "secret-1\n")
	s := start(t, setup{global: adminOn, account: file.account(""), webhook: "account shop", site: rotatedSite})
	var signs atomic.Pointer[string]
	current := "secret-1"
	signs.Store(&current)
	stop := make(chan struct{})
	var senders sync.WaitGroup
	for sender := range 4 {
		senders.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				body := deposit("r"+strconv.Itoa(sender)+"-"+strconv.Itoa(i), "Success")
				if got, err := s.tryDeliver(delivery{secret: *signs.Load(), body: body}); err != nil || got.status != http.StatusOK {
					t.Errorf("signed with %s: %d %s %v", *signs.Load(), got.status, got.body, err)
					return
				}
			}
		})
	}
	for n := 2; n <= 3; n++ {
		next := "secret-" + strconv.Itoa(n)
		file.write(next + "\n")
		s.awaitGeneration(n)
		signs.Store(&next)
	}
	close(stop)
	senders.Wait()
	// Those before are within their grace, and a stranger's is not.
	s.deliver(delivery{secret: "secret-1", body: deposit("late", "Success")}).wants(t, http.StatusOK)
	s.deliver(delivery{secret: "secret-0", body: deposit("forged", "Success")}).wants(t, http.StatusUnauthorized)
	if logs := s.logs(); strings.Contains(logs, "secret-2") || strings.Contains(logs, "secret-3") {
		t.Error("the log shows a secret")
	}
}

// TestCase02_Reload: the grace of a replaced secret goes on in a configuration that is
// loaded meanwhile, also where the file changed right before; file_grace 0 ends it.
func TestCase02_Reload(t *testing.T) {
	file := newSecretFile(t, "secret-1")
	with := func(options string) setup {
		return setup{global: adminOn, account: file.account(options), webhook: "account shop", site: rotatedSite}
	}
	s := start(t, with(""))
	file.write("secret-2")
	s.awaitGeneration(2)
	s.load(with("api_timeout 9s"))
	s.deliver(delivery{secret: "secret-1", body: deposit("r1", "Success")}).wants(t, http.StatusOK)
	s.deliver(delivery{secret: "secret-2", body: deposit("r2", "Success")}).wants(t, http.StatusOK)

	file.write("secret-3")
	s.load(with("api_timeout 8s"))
	for i, secret := range []string{"secret-1", "secret-2", "secret-3"} {
		s.deliver(delivery{secret: secret, body: deposit("r3"+strconv.Itoa(i), "Success")}).wants(t, http.StatusOK)
	}
	s.deliver(delivery{secret: "secret-0", body: deposit("forged", "Success")}).wants(t, http.StatusUnauthorized)

	s.load(with("file_grace 0"))
	s.deliver(delivery{secret: "secret-2", body: deposit("r4", "Success")}).wants(t, http.StatusUnauthorized)
	s.deliver(delivery{secret: "secret-3", body: deposit("r5", "Success")}).wants(t, http.StatusOK)
}

// TestCase02_NoGrace: with file_grace 0 a leaked secret ends with its file.
func TestCase02_NoGrace(t *testing.T) {
	file := newSecretFile(t, "secret-1")
	s := start(t, setup{global: adminOn, account: file.account("file_grace 0"), webhook: "account shop", site: rotatedSite})
	s.deliver(delivery{secret: "secret-1", body: deposit("r1", "Success")}).wants(t, http.StatusOK)
	file.write("secret-2")
	s.awaitGeneration(2)
	s.deliver(delivery{secret: "secret-2", body: deposit("r2", "Success")}).wants(t, http.StatusOK)
	s.deliver(delivery{secret: "secret-1", body: deposit("r3", "Success")}).wants(t, http.StatusUnauthorized)
}

// TestCase02_BadFile: what is empty, removed or blank is not used: the secret
// before it goes on, and the status says why.
func TestCase02_BadFile(t *testing.T) {
	file := newSecretFile(t, "secret-1")
	s := start(t, setup{global: adminOn, account: file.account(""), webhook: "account shop", site: rotatedSite})
	for i, bad := range []struct {
		failure string
		do      func()
	}{
		{"is empty", func() { file.write("") }},
		{"blank", func() { file.write(" \n ") }},
		{"no such file", func() {
			if err := os.Remove(file.path); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		bad.do()
		await(t, "the status says that the file "+bad.failure, func() bool {
			generation, failure := s.secretStatus()
			return generation == 1 && strings.Contains(failure, bad.failure)
		})
		s.deliver(delivery{secret: "secret-1", body: deposit("r"+strconv.Itoa(i), "Success")}).wants(t, http.StatusOK)
	}
	file.write("secret-2")
	s.awaitGeneration(2)
	s.deliver(delivery{secret: "secret-2", body: deposit("r9", "Success")}).wants(t, http.StatusOK)
}

// TestCase02_Token: the app's token follows its file, at once.
func TestCase02_Token(t *testing.T) {
	file := newSecretFile(t, "token-1")
	s := start(t, setup{global: adminOn, site: rotatedSite, webhook: "token {file." + file.path + "}"})
	for n := 1; n <= 2; n++ {
		token := "token-" + strconv.Itoa(n)
		file.write(token)
		s.awaitGeneration(n)
		s.deliver(delivery{body: deposit("r"+strconv.Itoa(n), "Success")}).wants(t, http.StatusOK)
		got := s.app.wants(t, n)
		if header := got[len(got)-1].header.Get("Authorization"); header != "Bearer "+token {
			t.Errorf("the app got %q", header)
		}
	}
}
