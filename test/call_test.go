package test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// TestCallCommands: what asks CCPayment itself.
func TestCallCommands(t *testing.T) {
	t.Parallel()
	s := newCLIShop(t)
	s.pay("order-1", sandbox.Payment{}, "delivered")
	stdout, _ := s.run(0, "call", "getAppOrderInfo", `{"orderId":"order-1"}`)
	wantIn(t, stdout, "{\n", `  "amountToPay": "10"`)
	stdout, _ = s.run(0, "call", "getAppOrderInfo", `{"orderId":"order-1"}`, "--json")
	wantIn(t, stdout, `{"code":10000,"msg":"success","data":{`)
	stdout, stderr := s.run(3, "call", "getAppOrderInfo", `{"orderId":"order-9"}`, "--json")
	wantIn(t, stdout, `"code":11003`)
	wantIn(t, stderr, "11003 NotFound")
	_, stderr = s.run(2, "call", "getCoinLst")
	wantIn(t, stderr, "is it getCoinList")
	_, stderr = s.run(2, "call", "getCoinList", "[1]")
	wantIn(t, stderr, "not a JSON object")

	if err := s.box.SetFaults(sandbox.Fault{Endpoint: "createAppOrderDepositAddress", Drop: "after"}); err != nil {
		t.Fatal(err)
	}
	_, stderr = s.run(4, "call", "createAppOrderDepositAddress", `{"orderId":"order-7","coinId":1280,"chain":"TRX","price":"10"}`)
	wantIn(t, stderr, "the outcome is unknown", "order-7", "the last word from")

	// Case 29: a code that nobody knows leaves the outcome unknown, and is shown.
	for range 2 {
		if err := s.box.SetFaults(sandbox.Fault{Endpoint: "createAppOrderDepositAddress", Code: 19999}); err != nil {
			t.Fatal(err)
		}
	}
	odd := []string{"call", "createAppOrderDepositAddress", `{"orderId":"order-8","coinId":1280,"chain":"TRX","price":"10"}`}
	_, stderr = s.run(4, odd...)
	wantIn(t, stderr, "the outcome is unknown", "order-8", "19999: code 19999", "the last word from")
	stdout, stderr = s.run(4, append(odd, "--json")...)
	wantIn(t, stdout, `"code":19999,"msg":"code 19999"`)
	wantIn(t, stderr, "the outcome is unknown")

	stdout, _ = s.run(0, "resend", "--since", "2h30m")
	wantIn(t, stdout, "CCPayment sends 0 again.")
	stdout, _ = s.run(0, "resend", "--since", "2h30m", "--all", "--type", "ApiDeposit")
	wantIn(t, stdout, "CCPayment sends 1 again.")

	s.golden("doctor", "doctor", "--webhook", s.hook)
	configured := filepath.Join(t.TempDir(), "Caddyfile")
	for path, code := range map[string]int{"": 0, "/elsewhere": 3} {
		global := "{\n ccpayment {\n base_url {$CCPAYMENT_BASE_URL}\n webhook_url " + s.hook + path + "\n }\n}\n"
		if err := os.WriteFile(configured, []byte(global), 0o600); err != nil {
			t.Fatal(err)
		}
		stdout, _ = s.ask(code, "doctor", "--config", configured)
		if strings.Contains(stdout, "Webhook    ok") != (code == 0) {
			t.Errorf("with webhook_url %s%s it prints\n%s", s.hook, path, stdout)
		}
	}
	stdout, _ = s.ask(3, "doctor", "--webhook", s.hook+"/elsewhere")
	wantIn(t, stdout, "WRONG", "not the path of ccpayment_webhook", "a try_files in the site takes it") // case 24
	if err := s.box.SetFaults(sandbox.Fault{Endpoint: "getFiatList", Code: 12002}); err != nil {
		t.Fatal(err)
	}
	stdout, _ = s.ask(3, "doctor")
	wantIn(t, stdout, "Account    WRONG", "12002 IpNotInWhitelist", "public IP address", "Clock      ok")
	s.answer.Store(http.StatusGone)
	s.pay("order-2", sandbox.Payment{}, "dead")
	stdout, _ = s.ask(3, "doctor")
	wantIn(t, stdout, "Ledger     WRONG", "events list --state dead")
}

// TestDoctorAlone: it names the address that CCPayment does not let in, a clock
// that is wrong, and a Caddy that does not run.
func TestDoctorAlone(t *testing.T) {
	t.Parallel()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", time.Now().Add(10*time.Minute).UTC().Format(http.TimeFormat))
		io.WriteString(w, `{"code":12002,"msg":"ip 203.0.113.7 is not in the whitelist"}`)
	}))
	defer api.Close()
	env := append(os.Environ(), "CCPAYMENT_APP_ID=a", "CCPAYMENT_APP_SECRET=b", "CCPAYMENT_BASE_URL="+api.URL)
	stdout, _, code := ccpaymentIn(t, env, "", "doctor", "--address", loopback+":"+processtest.Ports(t, 1)[0])
	if code != 3 {
		t.Errorf("exit code %d", code)
	}
	wantIn(t, stdout, "it is 203.0.113.7\n", "Clock      WRONG", "behind CCPayment's: let NTP set it", "Ledger     WRONG  no Caddy answers", "give --webhook")
}

// TestCallUsage: what is wrong with the command line, or out of reach.
func TestCallUsage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"call", 2, "name one endpoint"},
		{"call frobnicate", 2, "call --help"},
		{"resend", 2, "give --since"},
		{"resend --since soon", 2, "neither a time"},
		{"resend --since 2000-01-01T00:00:00Z", 2, "at most 30 days"},
		{"doctor --webhook shop", 2, "--webhook takes"},
	} {
		_, stderr, code := ccpayment(t, "", strings.Fields(c.args)...)
		if code != c.code || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit code %d, want %d and %q; it printed\n%s", c.args, code, c.code, c.want, stderr)
		}
	}
	away := processtest.Ports(t, 1)[0]
	env := append(os.Environ(), "CCPAYMENT_APP_ID=a", "CCPAYMENT_APP_SECRET=b", "CCPAYMENT_BASE_URL=http://127.0.0.1:"+away)
	if _, stderr, code := ccpaymentIn(t, env, "", "call", "swap", "{}"); code != 4 || !strings.Contains(stderr, "cannot be reached") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}
