package ccpayment_test

import (
	"strings"
	"testing"
)

// TestHookPaths: a webhook_url that no directive takes is warned of at load, and so are a
// checkout whose webhooks nobody takes, and a directive that takes a whole site.
func TestHookPaths(t *testing.T) {
	const (
		lost  = "no ccpayment_webhook of the account matches the path of webhook_url"
		none  = "no ccpayment_webhook takes the webhooks of their account"
		whole = "ccpayment_webhook takes every request"
	)
	for name, test := range map[string]struct {
		site, want string
	}{
		"the same":             {"ccpayment_webhook /pay/hook $APP\nccpayment_checkout\nreverse_proxy $APP", ""},
		"another":              {"ccpayment_webhook /hook $APP\nccpayment_checkout\nreverse_proxy $APP", lost},
		"in a handle":          {"handle /pay/* {\nccpayment_webhook $APP\n}\nhandle {\nreverse_proxy $APP\n}", ""},
		"in another handle":    {"handle /hooks/* {\nccpayment_webhook $APP\n}\nhandle {\nreverse_proxy $APP\n}", lost},
		"behind a prefix":      {"handle_path /pay/* {\nccpayment_webhook /hook $APP\n}\nhandle {\nreverse_proxy $APP\n}", ""},
		"in a route":           {"route /pay/* {\nroute {\nccpayment_webhook /pay/hook $APP\n}\n}\nreverse_proxy $APP", ""},
		"by a matcher":         {"@hook {\nmethod POST\npath /pay/*\n}\nccpayment_webhook @hook $APP\nreverse_proxy $APP", ""},
		"by another matcher":   {"@hook {\nmethod POST\npath /hook\n}\nccpayment_webhook @hook $APP\nreverse_proxy $APP", lost},
		"by an expression":     {"@hook expression path('/hook')\nccpayment_webhook @hook $APP\nreverse_proxy $APP", ""},
		"behind a rewrite":     {"rewrite /pay/hook /hook\nccpayment_webhook /hook $APP\nreverse_proxy $APP", ""},
		"a checkout alone":     {"ccpayment_checkout\nreverse_proxy $APP", none},
		"a checkout elsewhere": {"ccpayment_checkout {\nnotify_url https://pay.example/hook\n}\nreverse_proxy $APP", lost},
		"the API":              {"ccpayment_api /api/*\nreverse_proxy $APP", none},
		"the API, to read":     {"ccpayment_api /api/* {\nallow read\n}\nreverse_proxy $APP", lost},
		"the whole site":       {"ccpayment_webhook $APP\nreverse_proxy $APP", whole},
		"a site of its own":    {"ccpayment_webhook $APP", ""},
		"pass-through":         {"ccpayment_webhook\nreverse_proxy $APP", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, setup{account: "webhook_url https://shop.example/pay/hook", site: "http://:$PORT {\n" + test.site + "\n}"})
			for _, warning := range []string{lost, none, whole} {
				want := 0
				if warning == test.want {
					want = 1
				}
				if got := strings.Count(s.logs(), warning); got != want {
					t.Errorf("%q stands in the log %d times", warning, got)
				}
			}
		})
	}
}

// TestHookPathsOfAccounts: of several accounts that a directive sells for, the one whose webhooks
// nobody takes is named.
func TestHookPathsOfAccounts(t *testing.T) {
	for _, directive := range []string{"ccpayment_checkout", "ccpayment_api /api/*"} {
		for _, order := range []string{"one two", "two one"} {
			s := start(t, setup{
				account: "account one {\n orders shop\n app_id app-1\n app_secret s1\n}\naccount two {\n orders shop\n app_id app-2\n app_secret s2\n}",
				site:    "http://:$PORT {\n ccpayment_webhook /hook $APP {\n account one\n }\n " + directive + " {\n account " + order + "\n }\n}",
			})
			var warned []string
			for line := range strings.Lines(s.logs()) {
				if strings.Contains(line, "no ccpayment_webhook takes the webhooks of their account") {
					warned = append(warned, line)
				}
			}
			if len(warned) != 1 || !strings.Contains(warned[0], `"account":"two"`) {
				t.Errorf("%s of %s: %q", directive, order, warned)
			}
		}
	}
}
