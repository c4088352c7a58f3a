package test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client"
)

const (
	vectorBody = `{"type":"ApiDeposit","msg":{"orderId":"order-123"}}`
	vectorTime = "1710232720"
	vectorSign = "6f22d43389b194d796ca252dc6418c7e2cf931dc6eed371c61d5ef6ec8b2b9f7"
)

var vector = client.Credentials{AppID: "app-123", AppSecret: "secret-456"}

// ccpayment runs `caddy ccpayment` and returns what it printed and its exit code.
func ccpayment(t *testing.T, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	return caddy(t, withCredentials(), stdin, append([]string{"ccpayment"}, args...)...)
}

// ccpaymentIn runs it with an environment.
func ccpaymentIn(t *testing.T, env []string, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	return caddy(t, env, stdin, append([]string{"ccpayment"}, args...)...)
}

// withCredentials is an environment with the credentials of the examples.
func withCredentials() []string {
	return append(os.Environ(), "CCPAYMENT_APP_ID="+vector.AppID, "CCPAYMENT_APP_SECRET="+vector.AppSecret)
}

// caddy runs Caddy with an environment.
func caddy(t *testing.T, env []string, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Env = env
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if strings.Contains(out.String()+errs.String(), vector.AppSecret) {
		t.Errorf("the secret is in the output of %v", args)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func TestSignAndVerify(t *testing.T) {
	t.Parallel()
	config := filepath.Join(t.TempDir(), "Caddyfile")
	caddyfile := "{\n ccpayment {\n account b {\n app_id app1\n app_secret new\n previous_secret secret1\n previous_secret old 2020-01-01T00:00:00Z\n }\n }\n}\n"
	if err := os.WriteFile(config, []byte(caddyfile), 0o600); err != nil {
		t.Fatal(err)
	}
	// The subtests wait for their turn, on a machine that compiles for many minutes.
	now := strconv.FormatInt(time.Now().Unix(), 10)
	fresh := client.Sign(vector, now, []byte(vectorBody))
	signed := func(app, secret, timestamp, body string) string {
		return client.Sign(client.Credentials{AppID: app, AppSecret: secret}, timestamp, []byte(body))
	}
	for name, c := range map[string]struct {
		stdin string
		args  []string
		code  int
		want  string // in what is printed, or in the error
	}{
		"sign":                {vectorBody, []string{"sign", "--timestamp", vectorTime}, 0, "Appid: app-123\nTimestamp: " + vectorTime + "\nSign: " + vectorSign + "\n"},
		"sign no body":        {"", []string{"sign", "--timestamp", "1700000000", "--config", config, "--account", "b"}, 0, "Sign: " + signed("app1", "new", "1700000000", "")},
		"sign a wrong time":   {vectorBody, []string{"sign", "--timestamp", "soon"}, 2, "Timestamp is not digits only"},
		"sign an argument":    {vectorBody, []string{"sign", "body.json"}, 2, "standard input"},
		"verify":              {vectorBody, []string{"verify", "--timestamp", now, "--sign", fresh, "--tolerance", "24h"}, 0, "made with app_secret"},
		"an old one":          {vectorBody, []string{"verify", "--timestamp", vectorTime, "--sign", vectorSign}, 3, "outside 5m0s"},
		"an old one, allowed": {vectorBody, []string{"verify", "--timestamp", vectorTime, "--sign", vectorSign, "--tolerance", "1000000h"}, 0, "Timestamp  ok"},
		"a line break":        {vectorBody + "\n", []string{"verify", "--timestamp", now, "--sign", fresh}, 3, "without the line break"},
		"upper case":          {vectorBody, []string{"verify", "--timestamp", now, "--sign", strings.ToUpper(fresh)}, 3, "in lower case"},
		"written anew":        {`{ "a": 1 }`, []string{"verify", "--timestamp", now, "--sign", signed("app-123", "secret-456", now, `{"a":1}`)}, 3, "compact JSON"},
		"another secret":      {vectorBody, []string{"verify", "--timestamp", now, "--sign", signed("app-123", "x", now, vectorBody)}, 3, "another secret"},
		"another app":         {vectorBody, []string{"verify", "--app-id", "x", "--timestamp", now, "--sign", fresh}, 3, "x is not ours"},
		"malformed":           {vectorBody, []string{"verify", "--timestamp", "12", "--sign", fresh}, 3, "not 10 or 13"},
		"nothing to verify":   {vectorBody, []string{"verify"}, 2, "give --timestamp and --sign"},
		"a previous secret":   {"x", []string{"verify", "--config", config, "--account", "b", "--timestamp", now, "--sign", signed("app1", "secret1", now, "x"), "--tolerance", "24h"}, 0, "previous_secret 1"},
		"one that has ended":  {"x", []string{"verify", "--config", config, "--account", "b", "--timestamp", now, "--sign", signed("app1", "old", now, "x")}, 3, "which has ended"},
		"no such account":     {"x", []string{"sign", "--config", config, "--account", "c"}, 2, "is not configured"},
		"account, no config":  {"x", []string{"sign", "--account", "b"}, 2, "--config"},
		"no subcommand":       {"", nil, 2, "name a subcommand"},
		"unknown subcommand":  {"", []string{"forge"}, 2, "unknown subcommand"},
		"unknown flag":        {"", []string{"sign", "--secret", "x"}, 2, "unknown flag"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stdout, stderr, code := ccpayment(t, c.stdin, c.args...)
			if code != c.code || !strings.Contains(stdout+strings.ReplaceAll(stderr, `\"`, `"`), c.want) {
				t.Errorf("exit code %d, want %d and %q; it printed\n%s%s", code, c.code, c.want, stdout, stderr)
			}
		})
	}
}

func TestTrigger(t *testing.T) {
	var calls atomic.Int32
	var last atomic.Value
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		body, _ := io.ReadAll(r.Body)
		last.Store(string(body))
		switch err := client.Verify(r.Header, body, time.Minute, vector.AppID, vector.AppSecret); {
		case err != nil || r.URL.Path == "/refuses":
			http.Error(w, "no", http.StatusUnauthorized)
		case r.URL.Path == "/confirms":
			http.Error(w, "later", http.StatusServiceUnavailable)
		case r.URL.Path == "/moved":
			http.Redirect(w, r, "/hook", http.StatusPermanentRedirect)
		case r.URL.Path == "/ok":
			io.WriteString(w, "ok")
		case r.URL.Path == "/says": // what the query says
			io.WriteString(w, r.URL.Query().Get("text"))
		default:
			io.WriteString(w, "Success")
		}
	}))
	defer receiver.Close()
	closed := httptest.NewServer(nil)
	closed.Close()

	for name, c := range map[string]struct {
		args  []string
		calls int32
		code  int
		want  string // in the body that was sent, or in the error
	}{
		"deposit":                     {[]string{"ApiDeposit", "--to", receiver.URL, "--order-id", "o", "--record-id", "7"}, 1, 0, `{"type":"ApiDeposit","msg":{"recordId":"7","orderId":"o","coinId":1280,"coinSymbol":"USDT","status":"Success","isFlaggedAsRisky":false}}`},
		"direct":                      {[]string{"DirectDeposit", "--to", receiver.URL, "--reference-id", "r", "--risky"}, 1, 0, `"referenceId":"r","coinId":1280,"coinSymbol":"USDT","status":"Success","isFlaggedAsRisky":true}`},
		"withdrawal":                  {[]string{"UserWithdrawal", "--to", receiver.URL, "--user-id", "u", "--status", "Failed"}, 1, 0, `"userId":"u","coinId":1280,"coinSymbol":"USDT","status":"Failed"}`},
		"activation":                  {[]string{"ActivateWebhookURL", "--to", receiver.URL}, 1, 0, `{"type":"ActivateWebhookURL","msg":{}}`},
		"many":                        {[]string{"ApiDeposit", "--to", receiver.URL, "--repeat", "30", "--concurrency", "10"}, 30, 0, `"type":"ApiDeposit"`},
		"refused":                     {[]string{"ApiDeposit", "--to", receiver.URL + "/refuses"}, 1, 3, "1 of 1 were not acknowledged"},
		"cannot be confirmed":         {[]string{"ApiDeposit", "--to", receiver.URL + "/confirms"}, 1, 3, "set confirm off while you try"},
		"not acknowledged":            {[]string{"ApiDeposit", "--to", receiver.URL + "/ok"}, 1, 3, "were not acknowledged"},
		"lower case, case 13":         {[]string{"ApiDeposit", "--to", receiver.URL + "/says?text=%7B%22msg%22%3A%22success%22%7D"}, 1, 0, `"type":"ApiDeposit"`},
		"success is false, case 13":   {[]string{"ApiDeposit", "--to", receiver.URL + "/says?text=%7B%22success%22%3Afalse%7D"}, 1, 3, "were not acknowledged"},
		"as JavaScript writes it, 19": {[]string{"ApiDeposit", "--to", receiver.URL, "--order-id", "a&b<c>"}, 1, 0, `"orderId":"a&b<c>"`},
		"redirected":                  {[]string{"ApiDeposit", "--to", receiver.URL + "/moved"}, 1, 3, "were not acknowledged"},
		"unreachable":                 {[]string{"ApiDeposit", "--to", closed.URL}, 0, 4, "1 of 1 were not answered"},
		"unknown type":                {[]string{"Deposit", "--to", receiver.URL}, 0, 2, "there are ActivateWebhookURL, ApiDeposit"},
		"no type":                     {[]string{"--to", receiver.URL}, 0, 2, "name one type"},
		"no url":                      {[]string{"ApiDeposit", "--to", "shop"}, 0, 2, "--to takes"},
		"too many":                    {[]string{"ApiDeposit", "--to", receiver.URL, "--repeat", "1000000"}, 0, 2, "--repeat is from 1"},
		"a risky withdrawal":          {[]string{"ApiWithdrawal", "--to", receiver.URL, "--risky"}, 0, 2, "has no risk flag"},
	} {
		t.Run(name, func(t *testing.T) {
			calls.Store(0)
			last.Store("")
			stdout, stderr, code := ccpayment(t, "", append([]string{"trigger"}, c.args...)...)
			if got := last.Load().(string); code != c.code || calls.Load() != c.calls || !strings.Contains(got+stderr, c.want) {
				t.Errorf("exit code %d, %d calls, sent %s; want %d, %d, %s; it printed\n%s%s", code, calls.Load(), got, c.code, c.calls, c.want, stdout, stderr)
			}
		})
	}

	// Without an order id it is of an order that the shop has not.
	var bodies []string
	for range 2 {
		ccpayment(t, "", "trigger", "ApiDeposit", "--to", receiver.URL, "--record-id", "7")
		bodies = append(bodies, last.Load().(string))
	}
	if bodies[0] == bodies[1] || !strings.Contains(bodies[0], `"orderId":"order-`) {
		t.Errorf("it sends the orders of %s", bodies)
	}

	// An acknowledged event is not one that the app gets, which only one that is real does.
	for args, isInvented := range map[string]bool{"ApiDeposit": true, "ApiDeposit --record-id 7": false, "ActivateWebhookURL": false} {
		stdout, _, _ := ccpayment(t, "", append([]string{"trigger", "--to", receiver.URL}, strings.Fields(args)...)...)
		if strings.Contains(stdout, "pay in the sandbox") != isInvented {
			t.Errorf("%s prints\n%s", args, stdout)
		}
	}
}
