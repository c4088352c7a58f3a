package test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// TestCCPaymentV1Commands: sign makes V1's signature, by the vector that others computed,
// verify says by which secret one was made, and call withdraws by V1.
func TestCCPaymentV1Commands(t *testing.T) {
	t.Parallel()
	box, err := sandbox.New(sandbox.Options{AppID: "aid", AppSecret: "sec"})
	if err != nil {
		t.Fatal(err)
	}
	api := httptest.NewServer(box)
	t.Cleanup(func() {
		api.Close()
		box.Close()
	})
	if err := box.Credit("aid", 1280, decimal.NewFromInt(100)); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "Caddyfile")
	text := "{\n ccpayment {\n store bolt {\n path " + dir + "/ledger.db\n }\n account old {\n gateway ccpayment_v1 {\n app_id aid\n app_secret sec\n previous_secret before\n base_url " + api.URL + "/ccpayment/v1\n }\n }\n }\n}\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(want int, stdin string, args ...string) string {
		t.Helper()
		stdout, stderr, code := ccpaymentIn(t, os.Environ(), stdin, append(args, "--config", config, "--account", "old")...)
		if code != want {
			t.Errorf("%v: exit code %d, want %d; it printed\n%s%s", args, code, want, stdout, stderr)
		}
		return stdout + stderr
	}
	const body = `{"a":1}`
	want := "Appid: aid\nTimestamp: 1700000000\nSign: 3a163ced0372fa1a4ddf8c94a003363d94287065499c201e9b643ffd6b68a8b6\n"
	if got := run(0, body, "sign", "--timestamp", "1700000000"); !strings.HasPrefix(got, want) {
		t.Errorf("it prints %s", got)
	}
	now := strconv.FormatInt(time.Now().Unix(), 10)
	wantIn(t, run(0, body, "verify", "--timestamp", now, "--sign", sandbox.SignV1("aid", "sec", now, []byte(body))), "made with app_secret")
	wantIn(t, run(0, body, "verify", "--timestamp", now, "--sign", sandbox.SignV1("aid", "before", now, []byte(body))), "made with previous_secret 1")
	wantIn(t, run(3, body, "verify", "--timestamp", now, "--sign", sandbox.Sign("aid", "sec", now, []byte(body))), "WRONG", "made with another secret")
	wantIn(t, run(3, body+body, "verify", "--timestamp", now, "--sign", sandbox.SignV1("aid", "sec", now, []byte(body+body))), "not one JSON object")

	// Nothing can be asked about an account at V1, which is no mistake; and Caddy's own log
	// of reading the file is not shown.
	admin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"routes":[]}`) }))
	t.Cleanup(admin.Close)
	said := run(0, "", "doctor", "--address", strings.TrimPrefix(admin.URL, "http://"))
	wantIn(t, said, "Account    -      the account is at CCPayment V1, which says nothing about accounts", "Ledger     ok", "Webhook    -")
	if strings.Contains(said, "WRONG") || strings.Contains(said, "using config from file") || strings.Contains(said, "adapted config") || strings.Contains(said, "not formatted") {
		t.Errorf("doctor says\n%s", said)
	}
	wantIn(t, run(2, "", "call", "getCoinList"), `CCPayment V1 has no endpoint \"getCoinList\": there are withdraw`)

	payout := `{"merchant_order_id":"p-1","token_id":"` + sandbox.TokenID("USDT", "TRX") + `","address":"TAkmn3f8bgwMAwdVrGfUVSRg4W2XwqgHGc","value":"10"}`
	wantIn(t, run(0, "", "call", "withdraw", payout), `"record_id"`)
	if left := box.Balance("aid", 1280); !left.Equal(decimal.NewFromInt(90)) {
		t.Errorf("%s are left of 100", left)
	}
}
