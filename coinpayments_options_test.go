package ccpayment_test

import (
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// TestCoinPaymentsFromEnvironment: an account with a name that gives no credentials has the
// environment's, as the one at the top. Half of them is a mistake, and so are two such
// accounts, which would be one.
func TestCoinPaymentsFromEnvironment(t *testing.T) {
	t.Setenv("COINPAYMENTS_CLIENT_ID", "dc6a16e545c34187ba21a9edbbe484a5")
	t.Setenv("COINPAYMENTS_CLIENT_SECRET", "s")
	account := func(name, options string) string {
		return "account " + name + " {\n gateway coinpayments {\n instance a\n " + options + "\n }\n webhook_url https://shop.example.com/" + name + "\n $PREFIX\n }\n"
	}
	coins := account("coins", "")
	const own = "client_id 00000000000000000000000000000001\n client_secret s"
	for text, want := range map[string]string{
		coins: "",
		strings.Replace(coins+account("more", ""), "$PREFIX", "order_prefix a-", 1): "",
		coins + account("more", own):                                   "",
		coins + account("more", ""):                                    "by the credentials of the environment",
		account("coins", "client_id dc6a16e545c34187ba21a9edbbe484a5"): "client_secret is empty",
		account("coins", "client_secret s"):                            "client_id is empty",
	} {
		text = strings.ReplaceAll(text, "$PREFIX", "")
		dir := t.TempDir()
		err := validateText("{\n admin off\n storage file_system " + dir + "\n ccpayment {\n store bolt {\n path " + dir + "/ledger.db\n }\n" + text + "}\n}\n")
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s\nis answered with %v, want %q", text, err, want)
		}
	}
}

// TestCoinPaymentsMistakes: an account at CoinPayments that cannot work, and a directive
// that asks what CoinPayments cannot do, are refused by name when they are loaded.
func TestCoinPaymentsMistakes(t *testing.T) {
	const gateway = "gateway coinpayments {\n client_id dc6a16e545c34187ba21a9edbbe484a5\n client_secret s\n $INSTANCE\n }"
	const hook = "\n webhook_url https://shop.example.com/cp-hook"
	good := strings.Replace(gateway, "$INSTANCE", "instance a", 1) + hook
	with := func(instance string) string { return strings.Replace(gateway, "$INSTANCE", instance, 1) + hook }
	dir := t.TempDir()
	for _, test := range []struct{ account, webhook, checkout, want string }{
		{good, "", "", ""},
		{good + "\n previous_webhook_url https://old.example.com/h 2026-01-31T12:00:00Z\n testing on", "allow_ips coinpayments", "price 49.90", ""},
		{with("base_url https://c-api.coinpayments.net"), "scheme hmac", "coin LTC BTC\n buyer_email {http.request.uri.query.e}\n price 1", ""},
		{good, "", "coin LTC BTC", ""}, // the app names the address
		{good, "sign standard MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "", ""},

		{strings.Replace(good, hook, "", 1), "", "", "webhook_url is missing: CoinPayments signs"},
		{strings.Replace(gateway, "$INSTANCE", "instance a", 1) + "\n webhook_url https://a-api.coinpayments.net/api/v2/merchant/invoices", "", "", "is one of CoinPayments' API"},
		{good + "\n previous_webhook_url https://a-api.coinpayments.net/api/v1/x", "", "", "is one of CoinPayments' API"},
		{good + "\n previous_webhook_url shop", "", "", `previous_webhook_url: "shop" is not an http or https address`},
		{good + "\n previous_webhook_url https://old.example.com/h tomorrow", "", "", `previous_webhook_url: the end "tomorrow" is not a time like`},
		{with(""), "", "", "instance is missing: a, b or c"},
		{with("instance d"), "", "", "the instance is a, b or c"},
		{with("instance a\n base_url https://a-api.coinpayments.net"), "", "", "instance and base_url both say"},
		{with("base_url http://a-api.coinpayments.net"), "", "", "neither https nor http on loopback"},
		{strings.Replace(good, "client_secret s", "", 1), "", "", "client_secret is empty"},
		{strings.Replace(good, "client_secret s", "client_secret s\n client_secret s", 1), "", "", "client_secret is given twice"},
		{strings.Replace(good, "client_secret s", "app_secret s", 1), "", "", `unknown option "app_secret" of the gateway coinpayments`},
		{strings.Replace(good, "client_secret s", "client_secret s\n previous_secret a b", 1), "", "", `previous_secret: the end "b" is not a time`},
		{good + "\n testing yes", "", "", `unknown testing "yes": use on or off`},
		{good + "\n app_id x", "", "", "the account has a gateway: app_id and the like stand in its block"},
		{good, "scheme rsa", "", "CoinPayments has one way to sign"},
		{good, "sign ccpayment", "", "sign ccpayment: CoinPayments's signature cannot be made here: use standard"},
		{good, "sign coinpayments", "", "sign coinpayments: CoinPayments's signature cannot be made here: use standard"},
		{with("instance c"), "allow_ips coinpayments", "", "allow_ips: CoinPayments publishes no addresses"},
		{good, "allow_ips ccpayment", "", `"ccpayment" is neither coinpayments, an IP address nor a CIDR range`},
		{good, "", "price 1\n coin LTC BTC", "CoinPayments takes a coin only together with the buyer's e-mail address"},
		{good, "", "notify_url https://shop.example.com/other", "notify_url: CoinPayments's webhooks go to the account's webhook_url"},
		{"app_id a\n app_secret s\n previous_webhook_url https://old.example.com/h", "", "", "previous_webhook_url: CCPayment does not sign the URL"},
	} {
		text := "{\n admin off\n storage file_system " + dir + "\n ccpayment {\n store bolt {\n path " + dir + "/ledger.db\n }\n account coins {\n" + test.account + "\n }\n }\n}\n" +
			"http://127.0.0.1:1 {\n ccpayment_webhook /cp-hook {\n account coins\n" + test.webhook + "\n }\n ccpayment_checkout /buy {\n account coins\n" + test.checkout + "\n }\n}\n"
		err := validateText(text)
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%s\nis refused: %v", text, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s\n%s\n%s\nis answered with %v, want %s", test.account, test.webhook, test.checkout, err, test.want)
		}
	}
}

// validateText is the error of loading a Caddyfile.
func validateText(text string) error {
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), nil)
	if err != nil {
		return err
	}
	parsed := new(caddy.Config)
	if err := caddy.StrictUnmarshalJSON(config, parsed); err != nil {
		return err
	}
	return caddy.Validate(parsed)
}
