package ccpayment_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// Case 25: secrets with the quotes of an env file are warned of when they are loaded,
// without their text.
func TestCase25_QuotedSecrets(t *testing.T) {
	const text = "a-secret-of-some-length"
	standard := base64.StdEncoding.EncodeToString([]byte(text))
	for name, value := range map[string]string{"PLAIN": text, "DOUBLE": `"` + text + `"`, "SINGLE": "'" + text + "'", "STANDARD": `"` + standard + `"`} {
		t.Setenv("QUOTED_"+name, value)
	}
	webhook := func(option string) string {
		return "http://:$PORT {\nbind 127.0.0.1\nccpayment_webhook /hook {\nconfirm off\n" + option + "\n}\nreverse_proxy $APP\n}"
	}
	for option, s := range map[string]setup{
		"app_secret":           {account: "account other {\napp_id other\napp_secret %s\n}", site: webhook("")},
		"app_id":               {account: "account other {\napp_id %s\napp_secret x\n}", site: webhook("")},
		"previous_secret":      {account: "previous_secret %s", site: webhook("")},
		"token of route":       {site: webhook("token %s")},
		"link_secret":          {site: "http://:$PORT {\nbind 127.0.0.1\nccpayment_checkout {\nlink_secret %s\n}\n}"},
		"token of ccpayment_a": {site: "http://:$PORT {\nbind 127.0.0.1\nccpayment_api {\ntoken %s\n}\n}"},
	} {
		for _, value := range []string{"PLAIN", "DOUBLE", "SINGLE"} {
			t.Run(fmt.Sprint(option, value), func(t *testing.T) {
				given := s
				given.account = strings.ReplaceAll(given.account, "%s", "{env.QUOTED_"+value+"}")
				given.site = strings.ReplaceAll(given.site, "%s", "{env.QUOTED_"+value+"}")
				logs := start(t, given).logs()
				warned := strings.Contains(logs, "begins and ends with a quote") && strings.Contains(logs, `"option":"`+option)
				if warned != (value != "PLAIN") {
					t.Errorf("warned: %t\n%s", warned, logs)
				}
				if strings.Contains(logs, text) {
					t.Errorf("the log has the secret:\n%s", logs)
				}
			})
		}
	}
	t.Run("sign", func(t *testing.T) { // which refuses them: quotes are no base64
		s := start(t, setup{})
		err := caddy.Load(adapt(t, s.names.Replace(setup{webhook: "sign standard {env.QUOTED_STANDARD}"}.caddyfile())), true)
		if err == nil || !strings.Contains(err.Error(), "quotes in an env file are part of the value") || strings.Contains(err.Error(), standard) {
			t.Errorf("loading it: %v", err)
		}
	})
}
