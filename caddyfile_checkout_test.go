package ccpayment_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// TestCheckoutMistakes: every mistake in the directives of orders is named, with
// its line.
func TestCheckoutMistakes(t *testing.T) {
	const arguments = "wrong argument count"
	type mistake struct {
		directive, options, want string
		line                     int
	}
	mistakes := []mistake{
		{"ccpayment_checkout", "intercept often", `intercept: "often" is no status such as 402`, 3},
		{"ccpayment_checkout", "intercept 402 403", arguments, 3},
		{"ccpayment_checkout", "intercept {\n}\nintercept", "intercept is given twice", 5},
		{"ccpayment_checkout", "intercept {\norder_id\n}", arguments, 4},
		{"ccpayment_checkout", "intercept {\nprize total\n}", `unknown option "prize": use one of order_id`, 4},
		{"ccpayment_checkout", "intercept {\norder_id a\norder_id b\n}", "order_id is given twice", 5},
		{"ccpayment_checkout", "link_secret", arguments, 3},
		{"ccpayment_checkout", "link_secret a b c", arguments, 3},
		{"ccpayment_checkout", "link_secret a\nlink_secret b", "link_secret is given twice", 4},
		{"ccpayment_checkout", "buyer_price", "buyer_price takes a field's name, a smallest and a largest amount", 3},
		{"ccpayment_checkout", "buyer_price amount 5", "buyer_price takes a field's name, a smallest and a largest amount", 3},
		{"ccpayment_checkout", "buyer_price amount 5 10 15", "buyer_price takes a field's name, a smallest and a largest amount", 3},
		{"ccpayment_checkout", "buyer_price a 5 10\nbuyer_price a 5 10", "buyer_price is given twice", 4},
		{"ccpayment_checkout", "coin USDT", "coin takes a symbol or coin:<id>, and a chain", 3},
		{"ccpayment_checkout", "coin USDT TRX ETH", "coin takes a symbol or coin:<id>, and a chain", 3},
		{"ccpayment_checkout", "coin USDT TRX\ncoin USDT TRX", "coin is given twice", 4},
		{"ccpayment_checkout", "expires", arguments, 3},
		{"ccpayment_checkout", "expires soon", `expires: time: invalid duration "soon"`, 3},
		{"ccpayment_checkout", "expires -1s", "expires must be longer than zero", 3},
		{"ccpayment_checkout", "expires 1h\nexpires 1h", "expires is given twice", 4},
		{"ccpayment_checkout", "price 1\nprise 2", `unknown option "prise"`, 4},
		{"ccpayment_status", "account", arguments, 3},
		{"ccpayment_status", "account a\naccount a", "account is given twice", 4},
		{"ccpayment_status", "cors", arguments, 3},
		{"ccpayment_status", "cors a\ncors b", "cors is given twice", 4},
		{"ccpayment_status", "token x", `unknown option "token": use one of account, cors`, 3},
		{"ccpayment_api", "cache", arguments, 3},
		{"ccpayment_api", "cache off getCoinList", arguments, 3},
		{"ccpayment_api", "cache soon getCoinList", "cache: time: invalid duration", 3},
		{"ccpayment_api", "cache getCoinList", "it takes off, or a duration and names of endpoints", 3},
		{"ccpayment_api", "cache 0s", "cache must be longer than zero, or off", 3},
		{"ccpayment_api", "cache off\ncache 1m", "cache is given twice", 4},
		{"ccpayment_api", "secret x", `unknown option "secret": use one of account, allow, token, cache`, 3},
	}
	for _, directive := range []string{"ccpayment_checkout", "ccpayment_api"} {
		mistakes = append(mistakes, mistake{directive, "account", arguments, 3}, mistake{directive, `account ""`, "account is empty", 3},
			mistake{directive, `account "" a ""`, "account is empty", 3}, mistake{directive, "account a b\naccount a", "account is given twice", 4})
	}
	for _, option := range []string{"price", "currency", "order_id", "product", "buyer_email", "return_url", "close_url", "notify_url", "respond", "status_token", "limit"} {
		mistakes = append(mistakes, mistake{"ccpayment_checkout", option, arguments, 3}, mistake{"ccpayment_checkout", option + " a b", arguments, 3},
			mistake{"ccpayment_checkout", option + ` ""`, option + " is empty", 3},
			mistake{"ccpayment_checkout", option + " a\n" + option + " a", option + " is given twice", 4})
	}
	for _, option := range []string{"methods", "checkout_hosts"} {
		mistakes = append(mistakes, mistake{"ccpayment_checkout", option, arguments, 3},
			mistake{"ccpayment_checkout", option + " a\n" + option + " a", option + " is given twice", 4})
	}
	for _, option := range []string{"token"} {
		mistakes = append(mistakes, mistake{"ccpayment_api", option, arguments, 3}, mistake{"ccpayment_api", option + " a b", arguments, 3},
			mistake{"ccpayment_api", option + " a\n" + option + " a", option + " is given twice", 4})
	}
	mistakes = append(mistakes, mistake{"ccpayment_api", "allow", arguments, 3}, mistake{"ccpayment_api", "allow read\nallow deposit", "allow is given twice", 4})
	for _, directive := range []string{"ccpayment_checkout", "ccpayment_status", "ccpayment_api"} {
		mistakes = append(mistakes, mistake{directive + " /path more", "", arguments, 2})
	}
	for _, m := range mistakes {
		t.Run(m.directive+" "+m.options, func(t *testing.T) {
			text := ":80 {\n" + m.directive + " {\n" + m.options + "\n}\n}"
			_, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})
			if err == nil || !strings.Contains(err.Error(), m.want) || !strings.HasSuffix(err.Error(), fmt.Sprintf("at Caddyfile:%d", m.line)) {
				t.Errorf("got %v, want %q and line %d", err, m.want, m.line)
			}
		})
	}
}

// validate provisions a site with a directive, and starts nothing. The JSON may
// be edited before.
func validate(t *testing.T, dir, directive, options string, edit func([]byte) []byte) error {
	t.Helper()
	config := setup{
		account: "order_prefix shop-\naccount b {\n app_id b\n app_secret b-secret\n }",
		site:    "http://shop.example:0 {\n map {host} {my_price} {\n default 1\n }\n " + directive + " /x {\n" + options + "\n }\n}",
	}
	text := adapt(t, strings.NewReplacer("$DIR", dir, "$PORT", "0", "$APP", "127.0.0.1:1").Replace(config.caddyfile()))
	if edit != nil {
		text = edit(text)
	}
	var c caddy.Config
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	return caddy.Validate(&c)
}

// TestLateOptions: what is known at load may stand in expires and checkout_hosts, in JSON too,
// and what is wrong with it is said at load.
func TestLateOptions(t *testing.T) {
	for name, value := range map[string]string{"TTL": "1d", "LONG": "100d", "NEVER": "-1s", "SOON": "soon", "PAGES": "pay.example"} {
		t.Setenv("CCPAYMENT_TEST_"+name, value)
	}
	for options, want := range map[string]string{
		"expires {env.CCPAYMENT_TEST_TTL}":            "",
		"expires {env.CCPAYMENT_TEST_LONG}":           "expires must be at most",
		"expires {env.CCPAYMENT_TEST_NEVER}":          "expires must be longer than zero",
		"expires {env.CCPAYMENT_TEST_SOON}":           `expires: time: invalid duration "soon"`,
		"expires {env.CCPAYMENT_TEST_UNSET}":          "CCPAYMENT_TEST_UNSET",
		"expires {query.x}":                           "only placeholders that are known at load",
		"limit 100/1d":                                "",
		"checkout_hosts {env.CCPAYMENT_TEST_PAGES}":   "",
		"checkout_hosts *.pay.example .other.example": "",
		"checkout_hosts https://pay.example":          `checkout_hosts: "https://pay.example" is no host such as pay.example`,
		"checkout_hosts pay.example:443":              `"pay.example:443" is no host`,
		"checkout_hosts *":                            `"*" is no host`,
		"checkout_hosts *pay.example":                 `"*pay.example" is no host`,
		"checkout_hosts *.*.example":                  `"*.*.example" is no host`,
		"checkout_hosts 127.0.0.1 ::1":                "",
		"checkout_hosts {env.CCPAYMENT_TEST_UNSET}":   "CCPAYMENT_TEST_UNSET",
	} {
		err := validate(t, t.TempDir(), "ccpayment_checkout", options, nil)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", options, err, want)
		}
	}
	for written, want := range map[string]string{"3600000000000": "", `"1h"`: "", "0": "", "-1": "expires must be longer than zero", `"soon"`: "invalid duration", "1.5": "json"} {
		err := validate(t, t.TempDir(), "ccpayment_checkout", "expires 2h", func(config []byte) []byte {
			return bytes.Replace(config, []byte(`"expires":7200000000000`), []byte(`"expires":`+written), 1)
		})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s in JSON: %v, want %q", written, err, want)
		}
	}
}

// TestNoTermsOfTheBuyers: what a buyer could choose stands in nothing that makes
// the order, and is refused when the configuration is loaded, as JSON too.
func TestNoTermsOfTheBuyers(t *testing.T) {
	dir := t.TempDir()
	placeholders := []string{
		"{http.request.uri.query.x}", "{query.x}", "{form.x}", "{http.request.form.x}", "{header.X}", "{http.request.header.X}", "{cookie.x}",
		"{vars.x}", "{http.vars.x}", "{my_price}", "{host}", "{http.request.host}", "{http.request.body}", "{path.0}", "{re.a.1}",
		"{http.auth.user.id}", "{http.request.uuid}", "{env.CCPAYMENT_TEST_UNSET}", "1{query.x}0", `\{query.x}`,
	}
	options := map[string]string{
		"price": "price MARK", "currency": "price 1\ncurrency MARK", "coin": "price 1\ncoin MARK TRX", "chain": "price 1\ncoin USDT MARK",
		"order_id": "price 1\norder_id MARK", "notify_url": "price 1\nnotify_url https://shop.example/MARK",
		"smallest": "buyer_price amount MARK 5", "largest": "buyer_price amount 1 MARK", "link_secret": "link_secret MARK-at-least-16-characters",
		"the host of return_url": "price 1\nreturn_url https://MARK/thanks", "half the host of close_url": "price 1\nclose_url https://shop.MARK/",
		"the scheme of return_url": "price 1\nreturn_url MARK://shop.example/", "all of return_url": "price 1\nreturn_url MARK",
	}
	for name, text := range options {
		for _, placeholder := range placeholders {
			switch {
			case placeholder == "{http.request.uuid}" && name == "order_id":
				continue // a new one each time, which nobody chooses
			case strings.Contains(placeholder, "host}") && strings.Contains(name, "host"):
				continue // where the buyer is already
			case strings.HasPrefix(placeholder, `\`) && name == "link_secret":
				continue // a brace, as any other character of a secret
			}
			t.Run(name+" "+placeholder, func(t *testing.T) {
				if validate(t, dir, "ccpayment_checkout", strings.ReplaceAll(text, "MARK", placeholder), nil) == nil {
					t.Error("the Caddyfile is valid")
				}
				err := validate(t, dir, "ccpayment_checkout", text, func(config []byte) []byte {
					quoted, _ := json.Marshal(placeholder)
					if !bytes.Contains(config, []byte("MARK")) {
						t.Fatal("the JSON lacks the mark")
					}
					return bytes.ReplaceAll(config, []byte("MARK"), bytes.Trim(quoted, `"`))
				})
				if err == nil {
					t.Error("the JSON is valid")
				}
			})
		}
	}
}

// TestHostOfAStranger: a site that has no name answers to any, and so sends no buyer to
// the host that a visitor named.
func TestHostOfAStranger(t *testing.T) {
	const line = "return_url https://{host}/thanks"
	checkout := func(option string) string { return "ccpayment_checkout {\n price 1\n " + option + "\n }" }
	for _, test := range []struct {
		site, directive string
		valid           bool
	}{
		{":0", checkout(line), false},
		{":0", checkout("return_url https://{hostport}/thanks"), false},
		{":0", checkout("return_url {scheme}://{http.request.host}/thanks"), false},
		{":0", checkout("return_url https://{http.request.hostport}"), false},
		{":0", checkout("close_url https://{host}/cart"), false},
		{"http://", checkout(line), false},
		{"http://*:0", checkout(line), false},
		{"http://shop.example:0, http://:0", checkout(line), false},
		{":0", "handle /buy {\n " + checkout(line) + "\n }", false},
		{":0", "@other host other.example\n handle @other {\n respond ok\n }\n handle {\n " + checkout(line) + "\n }", false},
		{":0", "@not not host shop.example\n route @not {\n " + checkout(line) + "\n }", false},
		{":0", checkout("return_url https://shop.example/thanks?at={host}"), true},
		{"http://shop.example:0", checkout(line), true},
		{"http://shop.example:0, http://www.shop.example:0", checkout("close_url https://{hostport}/cart"), true},
		{"http://*.shop.example:0", checkout(line), true},
		{"http://shop.example:0", "route /buy* {\n route {\n " + checkout(line) + "\n }\n }", true},
		{":0", "@shop host shop.example\n handle @shop {\n route {\n " + checkout(line) + "\n }\n }", true},
		{":0", "ccpayment_webhook /hook {\n confirm off\n }\n " + checkout(line), false},
		{"http://shop.example:0", "ccpayment_webhook /hook {\n confirm off\n }\n " + checkout(line), true},
	} {
		text := strings.NewReplacer("$DIR", t.TempDir(), "$PORT", "0").Replace(setup{site: test.site + " {\n" + test.directive + "\n}"}.caddyfile())
		var c caddy.Config
		if err := json.Unmarshal(adapt(t, text), &c); err != nil {
			t.Fatal(err)
		}
		err := caddy.Validate(&c)
		if test.valid && err != nil || !test.valid && (err == nil || !strings.Contains(err.Error(), "because this site has no name: write the host")) {
			t.Errorf("%s {\n%s\n}: %v", test.site, test.directive, err)
		}
	}
}

// TestCheckoutValidate has what only turns out when the configuration is
// provisioned.
func TestCheckoutValidate(t *testing.T) {
	t.Setenv("CCPAYMENT_TEST_PRICE", "25")
	t.Setenv("CCPAYMENT_TEST_HOST", "shop.example")
	t.Setenv("CCPAYMENT_TEST_BRACES", "{http.request.uri.query.x}")
	dir := t.TempDir()
	const checkout, api = "ccpayment_checkout", "ccpayment_api"
	for _, test := range []struct {
		directive, options, want string // empty: it is valid
	}{
		{checkout, "", ""},
		{checkout, "price {env.CCPAYMENT_TEST_PRICE}", ""},
		{checkout, "price {env.CCPAYMENT_TEST_BRACES}", "price: "},
		{checkout, "price 4.505", "more than 2 decimals"},
		{checkout, "price 4.505\ncoin USDT TRX", "more than 2 decimals"}, // it is in USD all the same
		{checkout, "price 4.505\ncurrency fiat:1033", "more than 2 decimals"},
		{checkout, "price 0.0005\ncurrency BTC", ""},
		{checkout, "price 0.0005\ncurrency coin:1", ""},
		{checkout, "buyer_price amount 0.001 10", "more than 2 decimals"},
		{checkout, "buyer_price amount 0.001 10\ncurrency BTC", ""},
		{checkout, "price 1\norder_id tea-{http.request.uuid}\nreturn_url {scheme}://{host}/thanks?from={query.x}\nclose_url https://shop.example/{query.x}\nproduct {query.x}", ""},
		{checkout, "price 1\nreturn_url https://{env.CCPAYMENT_TEST_HOST}/thanks", ""},
		{checkout, "price 1\nreturn_url https://{env.CCPAYMENT_TEST_BRACES}/thanks", "return_url: "},
		{checkout, "price 1\nreturn_url https://shop.example{path}", "return_url: "},
		{checkout, "price 1\nreturn_url https://{query.x}@shop.example/", "return_url: "},
		{checkout, "price 1\nreturn_url //shop.example/", "return_url: "},
		{checkout, "price 1\nreturn_url javascript:alert(1)", "return_url: "},
		{checkout, "price 1\nnotify_url ftp://shop.example/", "notify_url: "},
		{checkout, "price 1\nlink_secret sixteen-characters", "terms come from one source"},
		{checkout, "price 1\nbuyer_price amount 1 2", "terms come from one source"},
		{checkout, "price 1\nintercept", "terms come from one source"},
		{checkout, "intercept\nlink_secret sixteen-characters", "terms come from one source"},
		{checkout, "intercept 99", "intercept: 99 is no status"},
		{checkout, "link_secret short", "link_secret must have at least 16 characters"},
		{checkout, "price 0", "price: "},
		{checkout, "price ten", "price: "},
		{checkout, "price -1", "price: "},
		{checkout, "buyer_price amount 5 1", "buyer_price takes"},
		{checkout, "buyer_price amount 0 1", "buyer_price takes"},
		{checkout, "buyer_price amount 1 2\norder_id gift", "buyer_price makes a new order each time"},
		{checkout, "buyer_price amount 1 2\norder_id gift-{http.request.uuid}", ""},
		{checkout, "price 1\norder_id \"a\tb\"", "order_id: "},
		{checkout, "price 1\norder_id " + strings.Repeat("x", 129), "order_id: it has 129 characters"},
		{checkout, "price 1\nexpires 241h", "expires must be at most"},
		{checkout, "price 1\nstatus_token no", `unknown status_token "no": use on or off`},
		{checkout, "price 1\nreturn_url https://shop.example/" + strings.Repeat("x", 150), "return_url: it has 171 characters; CCPayment takes at most 150"},
		{checkout, "price 1\nrespond html", `unknown respond "html": use auto, redirect or json`},
		{checkout, "price 1\nmethods GET HEAD", "HEAD never makes an order"},
		{checkout, "price 1\nmethods POST options", "OPTIONS never makes an order"},
		{checkout, "price 1\nlimit often", `limit "often" is neither off nor such as 10/1m`},
		{checkout, "price 1\nlimit 0/1m", `limit "0/1m"`},
		{checkout, "price 1\nlimit 5/0s", `limit "5/0s"`},
		{checkout, "account c", `account "c" is not configured`},
		{"ccpayment_status", "account b", ""},
		{"ccpayment_status", "account c", `account "c" is not configured`},
		{api, "", ""},
		{api, "account b\nallow read withdraw getCoinList webhook/resend notify_url checkout orders", ""},
		{api, "account c", `account "c" is not configured`},
		{api, "allow everything", `allow: "everything" is none of the groups read, deposit, withdraw, swap, wallet, webhook`},
		{api, "allow getcoinlist", `allow: "getcoinlist" is none`},
		{api, "allow notify_url", "allow names no group and no endpoint"},
		{api, `token "a b"`, "token must be printable ASCII"},
		{api, "token {env.CCPAYMENT_TEST_UNSET}", "token: "},
		{api, "token {header.X}", "token: "},
		{api, "cache 1m createInvoiceUrl", `cache: "createInvoiceUrl" is no endpoint that only reads`},
		{api, "cache 1m applyAppWithdrawToNetwork", "is no endpoint that only reads"},
		{api, "cache 1m orders", "is no endpoint that only reads"},
	} {
		t.Run(test.directive+" "+test.options, func(t *testing.T) {
			err := validate(t, dir, test.directive, test.options, nil)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
