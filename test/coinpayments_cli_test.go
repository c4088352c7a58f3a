package test

import (
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
	"github.com/seed-338f6760/caddy-ccpayment/internal/checkout"
	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
	cpbox "github.com/seed-338f6760/caddy-ccpayment/sandbox/coinpayments"
)

const (
	cpClient = "dc6a16e545c34187ba21a9edbbe484a5"
	cpSecret = "b3JkaW5hcnkgdGV4dCwgbm90IGRlY29kZWQgYmFzZTY0IQ=="
	cpHook   = "https://shop.example.com/cp-hook"
	cpTime   = "2026-01-15T09:30:00"
)

// cpCaddyfile is that of an account at CoinPayments; $OPTIONS are more of the gateway's.
const cpCaddyfile = `{
	admin {$ADMIN}
	auto_https disable_redirects
	ccpayment {
		store bolt {
			path {$LEDGER}
		}
		account coins {
			gateway coinpayments {
				client_id ` + cpClient + `
				client_secret {$CP_SECRET}
				base_url {$CP_API}
				$OPTIONS
			}
			webhook_url ` + cpHook + `
			previous_webhook_url https://old.example.com/cp-hook
			previous_webhook_url https://older.example.com/ 2020-01-01T00:00:00Z
			api_timeout 2s
		}
	}
}
http://127.0.0.1:{$PORT} {
	ccpayment_webhook /hook {
		account coins
		confirm off
		deliver {
			reverse_proxy {$APP}
		}
	}
	respond 200
}
`

// cpCLI is a CoinPayments, and the configuration of an account there.
type cpCLI struct {
	*server
	box    *sandbox.Sandbox
	config string
	stdin  string
	stdout string // of the latest command, without what went to standard error
}

func newCPCLI(t *testing.T, app string) *cpCLI {
	t.Helper()
	s := &cpCLI{server: newServer(t, app)}
	var err error
	if s.box, err = sandbox.New(sandbox.Options{CoinPayments: cpbox.Options{ClientID: cpClient, ClientSecret: cpSecret}}); err != nil {
		t.Fatal(err)
	}
	api := httptest.NewServer(s.box)
	t.Cleanup(func() { api.Close(); s.box.Close() })
	s.env = append(s.env, "CP_SECRET="+cpSecret, "CP_API="+api.URL+cpbox.BasePath)
	s.config = filepath.Join(s.dir, "Caddyfile")
	s.write("previous_secret before\n previous_secret long-ago 2020-01-01T00:00:00Z")
	return s
}

// write writes the configuration, with more options of the gateway.
func (s *cpCLI) write(options string) {
	s.t.Helper()
	if err := os.WriteFile(s.config, []byte(strings.Replace(cpCaddyfile, "$OPTIONS", options, 1)), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// run runs a command for the account, with its exit code, and returns what it printed.
func (s *cpCLI) run(want int, args ...string) string {
	s.t.Helper()
	stdout, stderr, code := ccpaymentIn(s.t, s.env, s.stdin, append(args, "--config", s.config, "--account", "coins")...)
	if code != want || strings.Contains(stdout+stderr, cpSecret) {
		s.t.Errorf("%v: exit code %d, want %d; it printed\n%s%s", args, code, want, stdout, stderr)
	}
	s.stdout = stdout
	return stdout + strings.ReplaceAll(stderr, `\"`, `"`)
}

// TestCoinPaymentsSignAndVerify: sign makes CoinPayments' signature, by the vectors that
// others computed, and verify says by which secret and for which URL one was made.
func TestCoinPaymentsSignAndVerify(t *testing.T) {
	t.Parallel()
	s := newCPCLI(t, "")
	text, err := os.ReadFile("../client/coinpayments/testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct{ Paid string }
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	s.stdin = vectors.Paid
	w2 := "X-CoinPayments-Client: " + cpClient + "\nX-CoinPayments-Timestamp: " + cpTime + "\nX-CoinPayments-Signature: v6QNFx83LfrOIxrIY0Gz6eoDNXF6IstG/5K5EpCL+IY=\n"
	if s.run(0, "sign", "--timestamp", cpTime); s.stdout != w2 {
		t.Errorf("it prints %s", s.stdout)
	}
	wantIn(t, s.run(0, "sign", "--timestamp", cpTime, "--url", cpHook+"/"), "suS+hn1cVxC5X95auhjNGChEonMkrTkp3Z4fLNluWfU=")
	wantIn(t, s.run(2, "sign", "--timestamp", "1768469400"), "X-CoinPayments-Timestamp is not like")
	s.stdin = ""
	wantIn(t, s.run(0, "sign", "--timestamp", cpTime, "--method", "get", "--url", "https://a-api.coinpayments.net/api/v2/merchant/invoices?q=order-1&limit=25"),
		"n4Sp42+LIvj6hJIkfbxU1t7hvm3C+H+cm9XZLiMceGM=")
	s.stdin = vectors.Paid
	wantIn(t, s.run(3, "verify", "--timestamp", cpTime, "--sign", "v6QNFx83LfrOIxrIY0Gz6eoDNXF6IstG/5K5EpCL+IY="),
		"X-CoinPayments-Client    ok     "+cpClient, "X-CoinPayments-Signature ok     made with client_secret, for "+cpHook, "X-CoinPayments-Timestamp WRONG")

	now := coinpayments.Timestamp(time.Now())
	signed := func(client, secret, url, body string) string {
		return coinpayments.Sign(coinpayments.Credentials{ClientID: client, ClientSecret: secret}, "POST", url, now, []byte(body))
	}
	const dashed, other = "dc6a16e5-45c3-4187-ba21-a9edbbe484a5", "00000000000000000000000000000000"
	for name, c := range map[string]struct {
		args      []string
		signature string
		code      int
		want      string
	}{
		"ours":                {nil, signed(cpClient, cpSecret, cpHook, s.stdin), 0, "made with client_secret, for " + cpHook},
		"a previous secret":   {nil, signed(cpClient, "before", cpHook, s.stdin), 0, "made with previous_secret 1, for " + cpHook},
		"one that has ended":  {nil, signed(cpClient, "long-ago", cpHook, s.stdin), 3, "made with previous_secret 2, for " + cpHook + ", which has ended"},
		"a previous URL":      {nil, signed(cpClient, cpSecret, "https://old.example.com/cp-hook", s.stdin), 0, "made with client_secret, for https://old.example.com/cp-hook"},
		"an older URL":        {nil, signed(cpClient, cpSecret, "https://older.example.com/", s.stdin), 3, "for https://older.example.com/, which has ended"},
		"with dashes":         {[]string{"--app-id", dashed}, signed(dashed, cpSecret, cpHook, s.stdin), 0, dashed},
		"a URL that is named": {[]string{"--url", "https://b.example/"}, signed(cpClient, cpSecret, "https://b.example/", s.stdin), 0, "for https://b.example/"},
		"a slash":             {nil, signed(cpClient, cpSecret, cpHook+"/", s.stdin), 3, "it would match for " + cpHook + "/: webhook_url must be"},
		"http":                {nil, signed(cpClient, cpSecret, "http://shop.example.com/cp-hook", s.stdin), 3, "it would match for http://shop.example.com/cp-hook"},
		"a line break":        {nil, signed(cpClient, cpSecret, cpHook, s.stdin+"\n"), 3, "with a line break"},
		"another client":      {[]string{"--app-id", other}, signed(other, cpSecret, cpHook, s.stdin), 3, other + " is not ours"},
		"another secret":      {nil, signed(cpClient, "x", cpHook, s.stdin), 3, "made with another secret, client id, URL, timestamp or body"},
	} {
		if got := s.run(c.code, append(c.args, "verify", "--timestamp", now, "--sign", c.signature)...); !strings.Contains(got, c.want) {
			t.Errorf("%s: it prints\n%s\nwant %s", name, got, c.want)
		}
	}
	// CCPayment signs no URL, and says so.
	_, stderr, code := ccpayment(t, "x", "sign", "--url", cpHook)
	if code != 2 || !strings.Contains(stderr, "CCPayment does not sign it") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

// TestCoinPaymentsTrigger: what trigger sends is taken as a webhook of CoinPayments', and
// copies of it are one event.
func TestCoinPaymentsTrigger(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var got []http.Header
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, r.Header)
	}))
	defer app.Close()
	s := newCPCLI(t, app.Listener.Addr().String())
	text, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	s.start(string(text))
	handedOver := func(n int) http.Header {
		t.Helper()
		processtest.Until(t, "the app is called", func() bool { mu.Lock(); defer mu.Unlock(); return len(got) >= n })
		mu.Lock()
		defer mu.Unlock()
		if len(got) != n {
			t.Fatalf("the app was called %d times, want %d", len(got), n)
		}
		return got[n-1]
	}
	wantIn(t, s.run(0, "trigger", "InvoicePaid", "--to", s.hook, "--order-id", "order-7", "--repeat", "20", "--concurrency", "10"), `"type":"InvoicePaid"`, "20 ×", "OK")
	if h := handedOver(1); h.Get("Ccpayment-Order-Id") != "order-7" || h.Get("Ccpayment-Type") != "Invoice" || h.Get("Ccpayment-Status") != "Paid" {
		t.Errorf("the app got %v", h)
	}
	const record = "407ee3f9-4d8d-4ebe-8b82-39704906f931"
	s.run(0, "trigger", "UtxoExternalReceive", "--to", s.hook, "--reference-id", "addr", "--record-id", record, "--status", "Processing")
	if h := handedOver(2); h.Get("Ccpayment-Kind") != "deposit" || h.Get("Ccpayment-Status") != "Processing" || h.Get("Ccpayment-Reference-Id") != "addr" || h.Get("Ccpayment-Record-Id") != record {
		t.Errorf("the app got %v", h)
	}
	s.run(0, "trigger", "ExternalSpend", "--to", s.hook, "--reference-id", "spend-1")
	if h := handedOver(3); h.Get("Ccpayment-Kind") != "payout" || h.Get("Ccpayment-Status") != "Success" || h.Get("Ccpayment-Reference-Id") != "spend-1" {
		t.Errorf("the app got %v", h)
	}
	wantIn(t, s.run(3, "trigger", "InvoicePaid", "--to", s.hook, "--url", s.hook), "1 of 1 were not acknowledged: CoinPayments would send them again")
	wantIn(t, s.run(2, "trigger", "ApiDeposit", "--to", s.hook), "there are AccountBasedExternalReceive", "InvoicePaid")
	wantIn(t, s.run(2, "trigger", "InvoicePaid", "--to", s.hook, "--risky"), "flags no payment")
	wantIn(t, s.run(2, "trigger", "ExternalSpend", "--to", s.hook, "--status", "Failed"), "Processing or Success")
	handedOver(3)

	// What doctor sends is no event.
	wantIn(t, s.run(0, "doctor", "--webhook", s.hook, "--address", s.admin), "Webhook    ok     answers as CoinPayments expects")
	wantIn(t, s.run(3, "doctor", "--webhook", s.hook+"/elsewhere", "--address", s.admin), "Webhook    WRONG  answers \"\" instead of 400")
	s.write("previous_secret before")
	s.env = append(s.env, "CP_SECRET=another")
	wantIn(t, s.run(3, "doctor", "--webhook", s.hook, "--address", s.admin), "Webhook    WRONG  answers 401: the Caddy that runs has another id, secret or webhook_url")
	handedOver(3)
}

// TestCoinPaymentsCall: call makes any call of the API, and says what came of it.
func TestCoinPaymentsCall(t *testing.T) {
	t.Parallel()
	s := newCPCLI(t, "")
	const invoice = `{"currency":"5057","items":[{"name":"A hat","quantity":{"value":1,"type":"quantity"},"amount":"49.90"}],"amount":{"breakdown":{"subtotal":"49.90"},"total":"49.90"},"invoiceId":"order-1","poNumber":"po-1"}`
	made := s.run(0, "call", "POST", "/api/v2/merchant/invoices", invoice)
	wantIn(t, made, "{\n", `  "invoices": [`)
	id := regexp.MustCompile(`"id": "([0-9a-f-]{36})"`).FindStringSubmatch(made)
	if id == nil {
		t.Fatalf("it prints %s", made)
	}
	wantIn(t, s.run(0, "call", "GET", "/api/v2/merchant/invoices?q=order-1&limit=5"), id[1])
	s.stdin = "{}"
	if s.run(0, "call", "POST", "/api/v1/merchant/invoices/"+id[1]+"/cancel", "-"); s.stdout != "" {
		t.Errorf("it prints %s", s.stdout)
	}
	wantIn(t, s.run(3, "call", "GET", "/api/v2/merchant/invoices/"+cpClient), "404 Not Found", "check the id")
	wantIn(t, s.run(3, "call", "GET", "/api/v2/merchant/invoices/"+cpClient, "--json"), `"status":404`)
	wantIn(t, s.run(2, "call", "GET", "/api/v2/merchant/invoces"), "CoinPayments has no endpoint", "is it GET /api/v2/merchant/invoices")
	wantIn(t, s.run(2, "call", "getCoinList"), "CoinPayments has no endpoint", "there are GET /api/", "POST /api/v2/merchant/invoices")
	wantIn(t, s.run(2, "call", "GET"), "name one endpoint")
	wantIn(t, s.run(2, "call", "POST", "/api/v2/merchant/invoices", "[1]"), "is not a JSON object")
	wantIn(t, s.run(2, "resend", "--since", "2h"), "CoinPayments, which has no call that sends webhooks again")

	s.env = append(s.env, "CCPAYMENT_LINK_SECRET="+strings.Repeat("s", checkout.MinimumLinkSecret))
	s.run(0, "link", "--url", "https://shop.example/pay", "--order-id", "order-1", "--price", "1")
	link, err := url.Parse(strings.TrimSpace(s.stdout))
	if err != nil {
		t.Fatal(err)
	}
	if sig := hex.EncodeToString(checkout.SignLink(strings.Repeat("s", checkout.MinimumLinkSecret), cpClient, link.Query().Get)); link.Query().Get("sig") != sig {
		t.Errorf("%s is signed otherwise, want %s", link, sig)
	}

	if err := s.box.SetFaults(sandbox.Fault{Endpoint: "coinpayments/createInvoice", Drop: "after"}); err != nil {
		t.Fatal(err)
	}
	wantIn(t, s.run(4, "call", "POST", "/api/v2/merchant/invoices", strings.Replace(invoice, "po-1", "po-2", 1)), "the outcome is unknown", "po-2", "look twice")
}

// TestCoinPaymentsDoctor: doctor names what a 401 may come from, and the webhooks that go
// elsewhere.
func TestCoinPaymentsDoctor(t *testing.T) {
	t.Parallel()
	s := newCPCLI(t, "")
	nobody := []string{"doctor", "--address", loopback + ":" + processtest.Ports(t, 1)[0], "--webhook", s.hook}
	wantIn(t, s.run(3, nobody...), "Account    ok     "+cpClient+" may call http://127.0.0.1", "Registered ok     no webhook, and none is needed", "Clock      ok     within 30s of CoinPayments'")
	register := func(url string) {
		t.Helper()
		s.run(0, "call", "POST", "/api/v1/merchant/clients/"+cpClient+"/webhooks", `{"notificationsUrl":"`+url+`","notifications":["invoicePaid"]}`)
	}
	register(cpHook)
	wantIn(t, s.run(3, nobody...), "Registered ok     1 to webhook_url")
	register(cpHook + "/")
	wantIn(t, s.run(3, nobody...), "Registered WRONG  in CoinPayments' dashboard webhooks go to "+cpHook+"/, and webhook_url is "+cpHook+": ")
	s.env = append(s.env, "CP_SECRET=another")
	wantIn(t, s.run(3, nobody...), "Account    WRONG  wrong instance, clock, secret or IP list: http://127.0.0.1", "Clock      ok")
}
