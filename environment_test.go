package ccpayment_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// TestCase01_EverySecret: wherever a secret may stand, a name that the environment of this
// Caddy does not have is refused with the ways that give it one.
func TestCase01_EverySecret(t *testing.T) {
	const unset, site = "{env.CCPAYMENT_TEST_UNSET}", "http://:$PORT {\n%s\nreverse_proxy $APP\n}"
	for option, s := range map[string]setup{
		"app_id":                 {account: "account other {\napp_id " + unset + "\napp_secret x\n}"},
		"app_secret":             {account: "account other {\napp_id x\napp_secret " + unset + "\n}"},
		"previous_secret":        {account: "previous_secret " + unset},
		"webhook_key":            {account: "webhook_key " + unset},
		"private_key":            {account: "private_key " + unset},
		"token":                  {webhook: "token " + unset},
		"sign standard":          {webhook: "sign standard " + unset},
		"sign standard, before":  {webhook: "sign standard bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3 " + unset},
		"link_secret":            {site: strings.ReplaceAll(site, "%s", "ccpayment_checkout {\nlink_secret "+unset+"\n}")},
		"token of ccpayment_api": {site: strings.ReplaceAll(site, "%s", "ccpayment_api {\ntoken "+unset+"\n}")},
	} {
		t.Run(option, func(t *testing.T) {
			names := strings.NewReplacer("$DIR", t.TempDir(), "$PORT", "0", "$APP", "127.0.0.1:1")
			var config caddy.Config
			if err := json.Unmarshal(adapt(t, names.Replace(s.caddyfile())), &config); err != nil {
				t.Fatal(err)
			}
			err := caddy.Validate(&config)
			name, _, _ := strings.Cut(strings.TrimSuffix(option, " of ccpayment_api"), ",")
			for _, want := range []string{name, unset, "keeps the environment that it was started with", "restart it", "{file./path}"} {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("the error lacks %q: %v", want, err)
				}
			}
		})
	}
}
