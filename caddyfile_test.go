package ccpayment_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// TestAdapt adapts the Caddyfiles in testdata. Below the line of a file stands
// what it becomes: JSON, or the error.
func TestAdapt(t *testing.T) {
	files, err := filepath.Glob("testdata/*.caddyfiletest")
	if err != nil || len(files) == 0 {
		t.Fatalf("found %d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".caddyfiletest"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			caddyfile, want, ok := strings.Cut(string(text), "----------\n")
			if !ok {
				t.Fatal("no line in it")
			}
			var got string
			config, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), map[string]any{"filename": "Caddyfile"})
			if err != nil {
				got = err.Error()
			} else {
				got = indented(t, config)
			}
			for _, warning := range warnings {
				t.Errorf("warning: %s", warning)
			}
			if got != strings.TrimSpace(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func indented(t *testing.T, config []byte) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, config, "", "\t"); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestMistakes: every mistake is named, with its line.
func TestMistakes(t *testing.T) {
	type mistake struct{ block, options, want string }
	const app, webhook = "{\n ccpayment {\n$OPTIONS\n }\n}", ":80 {\n ccpayment_webhook /hook {\n$OPTIONS\n }\n}"
	const arguments = "wrong argument count"
	mistakes := []mistake{
		{"{\n ccpayment app-id\n}", "", arguments},
		{":80 {\n ccpayment_webhook /hook localhost:3000 {\n deliver {\n reverse_proxy localhost:3000\n }\n }\n}", "", "deliver is given twice: an upstream after the directive is one, too"},
		{app, "secret x", `unknown option "secret": use one of app_id, app_secret, previous_secret, webhook_key, order_prefix, orders, private_key, base_url, api_timeout, webhook_url, previous_webhook_url, file_grace, testing, gateway, store, reconcile, account`},
		{app, "account a {\n store bolt\n}", "previous_webhook_url, file_grace, testing, gateway"},
		{":80 {\n ccpayment_webhook /hook 3000\n}", "", `"3000" is neither a matcher nor an upstream: an upstream has a host, localhost:3000`},
		{":80 {\n ccpayment_webhook hook\n}", "", `a path begins with a slash, /hook, and an upstream has a port, hook:3000`},
		{app, "app_secret \"\"", "app_secret is empty"},
		{app, "app_secret {$CCPAYMENT_TEST_UNSET}", arguments},
		{app, "previous_secret", arguments},
		{app, "previous_secret a b c", arguments},
		{app, "account {\n}", arguments},
		{app, "account a b {\n}", arguments},
		{app, "account a {\n}\naccount a {\n}", "account a is given twice"},
		{app, "account a {\n store bolt\n}", `unknown option "store": use one of app_id, app_secret, previous_secret, webhook_key, order_prefix`},
		{app, "store", arguments},
		{app, "store nowhere", "module not registered: ccpayment.stores.nowhere"},
		{app, "store bolt\nstore bolt", "store is given twice"},
		{app, "store bolt /path", arguments},
		{app, "store bolt {\n file x\n}", `unknown option "file"`},
		{app, "store bolt {\n path\n}", arguments},
		{app, "store bolt {\n path a\n path a\n}", "path is given twice"},
		{app, "store bolt {\n retention long\n}", `retention: time: invalid duration "long"`},
		{app, "store bolt {\n retention 0s\n}", "retention must be positive"},
		{app, "store bolt {\n wait 0s\n}", "wait must be positive"},
		{app, "store bolt {\n wait long\n}", `wait: time: invalid duration "long"`},
		{app, "store bolt {\n wait 1s\n wait 2s\n}", "wait is given twice"},
		{webhook, "sign", "sign takes the gateway's name, as `sign ccpayment`, or `standard <secret> [<previous>]`"},
		{webhook, "sign jwt x", "sign takes the gateway's name, as `sign ccpayment`, or `standard <secret> [<previous>]`"},
		{webhook, "sign ccpayment x", "sign takes the gateway's name, as `sign ccpayment`, or `standard <secret> [<previous>]`"},
		{webhook, "sign standard", "sign takes the gateway's name, as `sign ccpayment`, or `standard <secret> [<previous>]`"},
		{webhook, "sign standard a b c", "sign takes the gateway's name, as `sign ccpayment`, or `standard <secret> [<previous>]`"},
		{webhook, "sign ccpayment\nsign ccpayment", "sign is given twice"},
		{webhook, "max_size", arguments},
		{webhook, "max_size big", `max_size: "big" is not a size like 64KiB`},
		{webhook, "max_size 0", "max_size must be from 1B to 1MiB"},
		{webhook, "max_size 2MiB", "max_size must be from 1B to 1MiB"},
		{webhook, "max_size 1KB\nmax_size 1KB", "max_size is given twice"},
		{webhook, "deliver {\n}", "deliver is empty: put a reverse_proxy to the app in it"},
		{webhook, "deliver here {\n reverse_proxy localhost:3000\n}", arguments},
		{webhook, "retry {\n often\n}", `unknown option "often": use one of first, max, give_up`},
		{webhook, "retry 5s", "retry takes a block"},
		{webhook, "token {$CCPAYMENT_TEST_UNSET}", "token has no value"},
		{webhook, "retry {\n first 0s\n}", "first must be longer than zero"},
		{webhook, "retry {\n first 5s\n}\nretry {\n max 5s\n}", "retry is given twice"},
	}
	for _, option := range []string{"app_id", "app_secret", "webhook_key", "order_prefix", "private_key", "base_url", "webhook_url"} {
		mistakes = append(mistakes, mistake{app, option, arguments}, mistake{app, option + " a b", arguments},
			mistake{app, option + " a\n" + option + " a", option + " is given twice"})
	}
	for _, option := range []string{"account", "route", "scheme", "stale", "confirm", "risky", "late", "accept_underpaid", "token", "ack"} {
		mistakes = append(mistakes, mistake{webhook, option, arguments}, mistake{webhook, option + " a b", arguments},
			mistake{webhook, option + " a\n" + option + " a", option + " is given twice"})
	}
	for _, option := range []string{"allow_ips", "types", "statuses"} {
		mistakes = append(mistakes, mistake{webhook, option, arguments},
			mistake{webhook, option + " a\n" + option + " b", option + " is given twice"})
	}
	for _, option := range []string{"tolerance", "timeout", "wait"} {
		mistakes = append(mistakes, mistake{webhook, option, arguments},
			mistake{webhook, option + " soon", option + `: time: invalid duration "soon"`},
			mistake{webhook, option + " 0s", option + " must be longer than zero"},
			mistake{webhook, option + " -1s", option + " must be longer than zero"},
			mistake{webhook, option + " 1s\n" + option + " 1s", option + " is given twice"})
	}
	for _, m := range mistakes {
		t.Run(m.options, func(t *testing.T) {
			caddyfile := strings.ReplaceAll(m.block, "$OPTIONS", m.options)
			_, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), map[string]any{"filename": "Caddyfile"})
			if err == nil || !strings.Contains(err.Error(), m.want) || !strings.Contains(err.Error(), "at Caddyfile:") {
				t.Errorf("got %v, want %q and where", err, m.want)
			}
		})
	}
}

// TestValidate has what only turns out when the configuration is provisioned.
func TestValidate(t *testing.T) {
	t.Setenv("CCPAYMENT_TEST_EMPTY", "")
	t.Setenv("CCPAYMENT_TEST_BLANK", "  ")
	const key = "bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3"
	account := func(options string) setup { return setup{account: "account b {\n" + options + "\n}"} }
	webhook := func(options string) setup { return setup{webhook: options, confirm: true} }
	two := func(one, other string) setup {
		return setup{site: fmt.Sprintf("http://:$PORT {\n ccpayment_webhook /a {\n%s\n}\n ccpayment_webhook /b {\n%s\n}\n}", one, other)}
	}
	tests := []struct {
		name  string
		setup setup
		want  string // in the error; empty: it is valid
	}{
		{"usual", setup{}, ""},
		{"empty secret", account("app_id b\napp_secret {env.CCPAYMENT_TEST_EMPTY}"), `account "b": app_secret: `},
		{"unset secret", account("app_id b\napp_secret {env.CCPAYMENT_TEST_UNSET}"), `account "b": app_secret: `},
		{"blank token", webhook(`token "{env.CCPAYMENT_TEST_BLANK}"`), "token is blank"},
		{"blank prefix", account(`app_id b
			app_secret s
			order_prefix "{env.CCPAYMENT_TEST_BLANK}"`), `account "b": order_prefix is blank`},
		{"no secret", account("app_id b"), `account "b": app_secret is empty`},
		{"no app id", account("app_secret b"), `account "b": app_id is empty`},
		{"secret from the request", account("app_id b\napp_secret {http.request.header.Secret}"), `account "b": app_secret: `},
		{"previous secret empty", account("app_id b\napp_secret b\nprevious_secret {env.CCPAYMENT_TEST_EMPTY}"), `account "b": previous_secret: `},
		{"previous secret's end", account("app_id b\napp_secret b\nprevious_secret c tomorrow"), `account "b": previous_secret: the end "tomorrow" is not a time`},
		{"webhook key missing", account("app_id b\napp_secret b\nwebhook_key /nowhere.pem"), `account "b": webhook_key: stat /nowhere.pem`},
		{"webhook key no PEM", account("app_id b\napp_secret b\nwebhook_key $DIR/text"), `/text: it has no PEM block`},
		{"private key missing", account("app_id b\napp_secret b\nprivate_key /nowhere.pem"), `account "b": private_key: stat /nowhere.pem`},
		{"private key no PEM", account("app_id b\napp_secret b\nprivate_key $DIR/text"), `there is no PEM block`},
		{"base URL without TLS", account("app_id b\napp_secret b\nbase_url http://api.example/v2"), `is neither https nor http on loopback`},
		{"base URL on loopback", account("app_id b\napp_secret b\nbase_url http://127.0.0.1:9580/ccpayment/v2"), ""},
		{"unknown account", webhook("account b"), `account "b" is not configured`},
		{"unknown scheme", webhook("scheme md5"), `unknown scheme "md5": use hmac or rsa`},
		{"no scheme", webhook("scheme none"), `unknown scheme "none"`},
		{"rsa without key", webhook("scheme rsa"), `scheme rsa needs the account's webhook_key`},
		{"body unknown", webhook("body rich"), `unknown body "rich": use original or enriched`},
		{"stale unknown", webhook("stale accept"), `unknown stale "accept"`},
		{"an unknown confirm", webhook("confirm maybe"), `unknown confirm "maybe": use on or off`},
		{"an unknown risky", webhook("risky ignore"), `unknown risky "ignore": use hold or forward`},
		{"an unknown late", webhook("late forward"), `unknown late "forward": use fulfill or hold`},
		{"a share without a sign", webhook("accept_underpaid 1"), `accept_underpaid "1" is not a share`},
		{"a share too large", webhook("accept_underpaid 51%"), `accept_underpaid "51%" is not a share`},
		{"a share below nothing", webhook("accept_underpaid -1%"), `accept_underpaid "-1%" is not a share`},
		{"a share of many digits", webhook("accept_underpaid 1e-2000%"), `is not a share`},
		{"confirm unknown", webhook("confirm maybe"), `unknown confirm "maybe"`},
		{"allow_ips wrong", webhook("allow_ips 192.0.2"), `allow_ips: "192.0.2" is neither`},
		{"allow_ips wrong range", webhook("allow_ips 192.0.2.0/33"), `allow_ips: "192.0.2.0/33" is neither`},
		{"allow_ips empty", webhook("allow_ips {env.CCPAYMENT_TEST_EMPTY}"), `allow_ips: `},
		{"types empty", webhook("types {env.CCPAYMENT_TEST_EMPTY}"), `types: `},
		{"token empty", webhook("token {env.CCPAYMENT_TEST_EMPTY}"), `token: `},
		{"token with a space", webhook("token \"a b\""), `token must be printable ASCII`},
		{"sign standard, no base64", webhook("sign standard secret!"), `sign standard: a Standard Webhooks secret is base64`},
		{"sign standard, too short", webhook("sign standard c2hvcnQ="), `has 24 to 64 bytes, not 5`},
		{"sign standard, empty", webhook("sign standard {env.CCPAYMENT_TEST_EMPTY}"), `sign standard: secret: `},
		{"sign standard, previous wrong", webhook("sign standard " + key + " x!"), `sign standard: a Standard Webhooks secret is base64`},
		{"one route with different options", two("timeout 1s", "timeout 2s"), `two directives with different options have the route name "webhook"`},
		{"the other way round", two("timeout 2s", "timeout 1s"), `two directives with different options have the route name "webhook"`},
		{"one route with an account's", two("", "token a"), `two directives with different options have the route name "webhook"`},
		{"one route with the same options", two("timeout 1s\ntoken a", "token a\ntimeout 1s"), ""},
		{"one route, a default spelled out", two("timeout 30s", "confirm on"), ""},
		{"one route at two sites", setup{site: `(hook) {
				ccpayment_webhook /hook {
					deliver {
						handle /hook {
							rewrite * /x
							reverse_proxy $APP
						}
						handle {
							rewrite * /y
							reverse_proxy $APP
						}
					}
				}
			}
			http://a.example:$PORT {
				import hook
			}
			http://b.example:$PORT {
				import hook
			}`}, ""},
		{"upstreams without a dot", setup{site: "http://:$PORT {\n ccpayment_webhook /hook unix//run/puma unix+h2c//run/other\n}"}, ""},
		{"an account that operators call otherwise", setup{account: "account default {\napp_id b\napp_secret b\n}"}, `account "default": operators call the account at the top level by this name`},
		{"two routes", two("route a\ntimeout 1s", "route b\ntimeout 2s"), ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "text"), []byte("text"), 0o600); err != nil {
				t.Fatal(err)
			}
			names := strings.NewReplacer("$DIR", dir, "$PORT", "0", "$APP", "127.0.0.1:1")
			var config caddy.Config
			if err := json.Unmarshal(adapt(t, names.Replace(test.setup.caddyfile())), &config); err != nil {
				t.Fatal(err)
			}
			err := caddy.Validate(&config)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("the error has a secret in it: %v", err)
			}
			if _, err := os.Stat(filepath.Join(dir, "ledger.db")); err == nil {
				t.Error("validating made the ledger")
			}
		})
	}
}

// TestNoSecretAtAll: without options the secret comes from the environment, and
// where there is none nothing starts.
func TestNoSecretAtAll(t *testing.T) {
	const caddyfile = "{\n admin off\n auto_https off\n persist_config off\n}\nhttp://:0 {\n ccpayment_webhook\n}\n"
	for name, test := range map[string]struct{ id, secret, want string }{
		"both":      {"app", "secret", ""},
		"no secret": {"app", "", "default account: app_secret: "},
		"no id":     {"", "secret", "default account: app_id: "},
		"blank":     {"app", " ", "default account: app_secret is blank"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("CCPAYMENT_APP_ID", test.id)
			t.Setenv("CCPAYMENT_APP_SECRET", test.secret)
			var config caddy.Config
			if err := json.Unmarshal(adapt(t, caddyfile), &config); err != nil {
				t.Fatal(err)
			}
			err := caddy.Validate(&config)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
