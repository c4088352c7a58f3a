package ccpayment_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/client"
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

// secretState is how a secret stands, as the admin API says.
type secretState struct {
	Generation int
	Error      string
}

func (s *server) secrets() []secretState {
	s.t.Helper()
	response, err := s.client.Get("http://" + s.admin + "/ccpayment/status")
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	var status struct{ Secrets []secretState }
	if err := json.NewDecoder(response.Body).Decode(&status); err != nil || len(status.Secrets) == 0 {
		s.t.Fatalf("%v %v", status, err)
	}
	return status.Secrets
}

// secretStatus is how the first secret stands.
func (s *server) secretStatus() (generation int, failure string) {
	s.t.Helper()
	first := s.secrets()[0]
	return first.Generation, first.Error
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

// TestCase02_OtherSecrets: what signs links, authorizes at ccpayment_api, verifies
// CCPayment's RSA signatures and signs our own calls follows its file, too, at once.
func TestCase02_OtherSecrets(t *testing.T) {
	const linkNumber, tokenNumber = "secret-of-the-links-", "token-of-the-api-"
	keys := []*rsa.PrivateKey{nil, newKey(t), newKey(t)} // from 1
	private, public, links, token := newSecretFile(t, ""), newSecretFile(t, ""), newSecretFile(t, ""), newSecretFile(t, "")
	write := func(n int) {
		number := strconv.Itoa(n)
		pkcs8, err := x509.MarshalPKCS8PrivateKey(keys[n])
		if err != nil {
			t.Fatal(err)
		}
		pkix, err := x509.MarshalPKIXPublicKey(&keys[n].PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		private.write(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})))
		public.write(string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pkix})))
		links.write(linkNumber + number)
		token.write(tokenNumber + number)
	}
	write(1)

	// CCPayment's API, which notes whose signature a call has.
	box, _, _ := newSandbox(t, 1)
	var signedBy atomic.Int64
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		digest := sha256.Sum256([]byte(appID + r.Header.Get("Timestamp") + string(body)))
		signature, _ := base64.StdEncoding.DecodeString(r.Header.Get("Sign"))
		signedBy.Store(0)
		for n := 1; n < len(keys); n++ {
			if rsa.VerifyPKCS1v15(&keys[n].PublicKey, crypto.SHA256, digest[:], signature) == nil {
				signedBy.Store(int64(n))
			}
		}
		r.Header.Set("Sign", client.Sign(client.Credentials{AppID: appID, AppSecret: secret}, r.Header.Get("Timestamp"), body))
		box.ServeHTTP(w, r)
	}))
	t.Cleanup(api.Close)
	s := &shop{box: box, server: start(t, setup{
		global:  adminOn,
		account: "webhook_url http://127.0.0.1:$PORT/hook\nbase_url " + api.URL + "/ccpayment/v2\nprivate_key " + private.path + "\nwebhook_key " + public.path,
		site: `http://:$PORT {
			bind 127.0.0.1
			ccpayment_webhook /hook $APP {
				confirm off
				scheme rsa
			}
			handle_path /api/* {
				ccpayment_api {
					token {file.` + token.path + `}
				}
			}
			ccpayment_checkout /pay {
				link_secret {file.` + links.path + `}
			}
		}`,
	})}
	check := func(now, other int) {
		t.Helper()
		for n, isNow := range map[int]bool{now: true, other: false} {
			number := strconv.Itoa(n)
			d := delivery{body: deposit("r"+strconv.Itoa(now)+number, "Success")}.withDefaults()
			digest := sha256.Sum256([]byte(appID + d.timestamp + d.body))
			signature, err := rsa.SignPKCS1v15(rand.Reader, keys[n], crypto.SHA256, digest[:])
			if err != nil {
				t.Fatal(err)
			}
			d.header = http.Header{"Sign": {base64.StdEncoding.EncodeToString(signature)}}
			link := "/pay?" + linkOf(appID, linkNumber+number, "order_id=order-"+strconv.Itoa(now)+number, "price=10", "currency=USD", "valid_until=4000000000")
			wants := map[bool][3]int{true: {http.StatusOK, http.StatusCreated, http.StatusOK}, false: {http.StatusUnauthorized, http.StatusForbidden, http.StatusUnauthorized}}[isNow]
			if got := s.deliver(d).status; got != wants[0] {
				t.Errorf("when %d is in use, a webhook of key %d gets %d, want %d", now, n, got, wants[0])
			}
			if v := s.visit(http.MethodGet, link, "", nil); v.status != wants[1] {
				t.Errorf("when %d is in use, a link of secret %d gets %d %s, want %d", now, n, v.status, v.body, wants[1])
			}
			header := http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + tokenNumber + number}}
			if got := s.callWith(http.MethodPost, "/api/getAppOrderInfo", `{"orderId":"none"}`, header); got.status != wants[2] {
				t.Errorf("when %d is in use, token %d gets %d %s, want %d", now, n, got.status, got.body, wants[2])
			}
			if got := int(signedBy.Load()); isNow && got != now {
				t.Errorf("when %d is in use, a call is signed by key %d", now, got)
			}
		}
	}
	check(1, 2)
	write(2)
	await(t, "the second of each is in use", func() bool {
		all := s.secrets()
		return len(all) == 3 && !slices.ContainsFunc(all, func(one secretState) bool { return one.Generation != 2 || one.Error != "" })
	})
	check(2, 1)
}

func newKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
