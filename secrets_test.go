package ccpayment_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestSecretsStaySecret: neither the running configuration nor a log line has
// one, nor a signature or a body.
func TestSecretsStaySecret(t *testing.T) {
	const token, key = "token-of-the-shop", "c3RhbmRhcmQtc2VjcmV0LXN0YW5kYXJkLXNlY3JldC0="
	for name, value := range map[string]string{"APP_SECRET": secret, "OLD_SECRET": "old-secret", "SHOP_TOKEN": token, "STANDARD_KEY": key} {
		t.Setenv("CCPAYMENT_TEST_"+name, value)
	}
	s := start(t, setup{
		global: "admin $ADMIN",
		account: "account shop {\n app_id " + appID + "\n app_secret {env.CCPAYMENT_TEST_APP_SECRET}\n" +
			"previous_secret {env.CCPAYMENT_TEST_OLD_SECRET}\n }",
		site: `http://:$PORT {
			bind 127.0.0.1
			log
			ccpayment_webhook /hook {
				confirm off
				account shop
				token {env.CCPAYMENT_TEST_SHOP_TOKEN}
				sign standard {env.CCPAYMENT_TEST_STANDARD_KEY}
			}
			reverse_proxy $APP
		}`,
	})
	deliveries := []delivery{
		{},
		{},
		{secret: "old-secret", body: deposit("r2", "Success")},
		{appID: "x"},
		{body: `{"type":1}`},
		{body: deposit("r3", "Success") + " "},
		{timestamp: unix(-1 << 40)},
		{method: http.MethodGet},
	}
	var signs []string
	for i, d := range deliveries {
		if i == len(deliveries)-3 {
			s.app.answers(status(http.StatusInternalServerError))
		}
		d = d.withDefaults()
		signs = append(signs, d.sign())
		s.deliver(d)
	}
	s.app.answers(nil)
	s.deliver(delivery{path: "/other", header: http.Header{"Sign": nil}}) // one that the access log has
	await(t, "the access log has a line", func() bool { return strings.Contains(s.logs(), "handled request") })

	response, err := s.client.Get("http://" + s.admin + "/config/")
	if err != nil {
		t.Fatal(err)
	}
	config, err := readReply(response)
	if err != nil || !strings.Contains(config.body, "{env.CCPAYMENT_TEST_APP_SECRET}") {
		t.Fatalf("the configuration is %s, %v", config.body, err)
	}
	// The default account's secret stands in this configuration as it is.
	shown := strings.ReplaceAll(config.body, `"app_secret":"`+secret+`"`, "")
	logs := s.logs()
	for _, private := range append(signs, secret, "old-secret", token, key) {
		if strings.Contains(shown, private) {
			t.Errorf("the configuration shows %q", private)
		}
		if strings.Contains(logs, private) {
			t.Errorf("the log shows %q", private)
		}
	}
	if strings.Contains(logs, "recordId") || strings.Contains(logs, "isFlaggedAsRisky") {
		t.Error("the log shows a body")
	}
}

// TestSchemeRSA: CCPayment's key verifies what the app secret otherwise does.
func TestSchemeRSA(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ccpayment.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, setup{account: "webhook_key " + file, webhook: "scheme rsa"})

	sign := func(d delivery) string {
		digest := sha256.Sum256([]byte(appID + d.timestamp + d.body))
		signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		return base64.StdEncoding.EncodeToString(signature)
	}
	d := delivery{}.withDefaults()
	d.header = http.Header{"Sign": {sign(d)}}
	s.deliver(d).wants(t, http.StatusOK)

	d.body += " "
	s.deliver(d).wants(t, http.StatusUnauthorized)
	d.header["Sign"] = []string{"no base64!"}
	s.deliver(d).wants(t, http.StatusBadRequest)
	d.header = nil // signed with the app secret
	s.deliver(d).wants(t, http.StatusUnauthorized)
	d.secret = string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})) // or with what anybody has
	s.deliver(d).wants(t, http.StatusUnauthorized)
	s.app.wants(t, 1)
}

// TestMetrics: webhooks are counted by what became of them, and the count goes
// on over a reload.
func TestMetrics(t *testing.T) {
	// The counters are this process's, so the route is one of this run's.
	usual := setup{global: "admin $ADMIN", webhook: "route counted-$PORT"}
	s := start(t, usual)
	route := s.names.Replace("counted-$PORT")
	wants := func(outcome string, want int) {
		t.Helper()
		response, err := s.client.Get("http://" + s.admin + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		page, err := readReply(response)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(page.body, "made up") {
			t.Error("a label is what a webhook says")
		}
		line := regexp.MustCompile(`(?m)^caddy_ccpayment_webhooks_total\{account="",outcome="` + outcome + `",route="` + route + `",type="[^"]*"\} (\d+)$`)
		got := 0
		for _, match := range line.FindAllStringSubmatch(page.body, -1) {
			n, _ := strconv.Atoi(match[1])
			got += n
		}
		if got != want {
			t.Errorf("%d webhooks %s are counted, want %d", got, outcome, want)
		}
	}
	s.deliver(delivery{}).wants(t, http.StatusOK)
	s.deliver(delivery{}).wants(t, http.StatusOK)
	s.deliver(delivery{secret: "x"}).wants(t, http.StatusUnauthorized)
	s.deliver(delivery{body: `{"type":"made up","msg":{}}`}).wants(t, http.StatusOK)
	await(t, "all are counted", func() bool { return strings.Count(s.logs(), "answered webhook") == 4 })
	wants("delivered", 2)
	wants("duplicate", 1)
	wants("bad_signature", 1)

	s.load(usual)
	s.deliverAgain(delivery{body: deposit("r2", "Success")}).wants(t, http.StatusOK)
	await(t, "it is counted", func() bool { return strings.Count(s.logs(), "answered webhook") == 5 })
	wants("delivered", 3)
	wants("duplicate", 1)
}
