package sandbox

import (
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/coinpayments"
)

// devGateway is what differs between the gateways that dev runs.
type devGateway struct {
	idName, secretName string // the environment variables of the credentials
	credentials        func(*Sandbox) (id, secret string)
	api                string                                                // the path of the sandbox's API
	account            string                                                // the account's options, with %s for the API's address
	use                func(config, apiURL string) (flags, variables string) // by which commands find the account, beside the credentials
	live               string                                                // all of the Caddyfile for going live but the site
}

var devGateways = map[string]devGateway{
	gatewayName: {
		idName: "CCPAYMENT_APP_ID", secretName: "CCPAYMENT_APP_SECRET",
		credentials: func(s *Sandbox) (id, secret string) { return s.AppID(), s.AppSecret() },
		api:         strings.TrimSuffix(apiPrefix, "/"),
		account:     "base_url %s",
		use:         func(_, apiURL string) (flags, variables string) { return "", "export CCPAYMENT_BASE_URL=" + apiURL },
		live: `# Put your domain in place of shop.example.com, and enter
# https://shop.example.com/hook as the webhook URL in CCPayment's console
# (Developer), where the app id and the secret are, too. Put this machine's
# address on the list there of those that may call the API.
#
# Caddy needs CCPAYMENT_APP_ID, CCPAYMENT_APP_SECRET and SHOP_TOKEN in its
# environment; the app needs SHOP_TOKEN, a random text of yours.
`,
	},
	coinpayments.Name: {
		idName: "COINPAYMENTS_CLIENT_ID", secretName: "COINPAYMENTS_CLIENT_SECRET",
		credentials: func(s *Sandbox) (id, secret string) { return s.coins.ClientID(), s.coins.ClientSecret() },
		api:         coinpayments.BasePath,
		account:     "gateway coinpayments {\n\t\t\tbase_url %s\n\t\t}",
		use:         func(config, _ string) (flags, variables string) { return " --config " + config, "" },
		live: `# Put your domain in place of shop.example.com, twice, and the instance that
# has your account in place of a: the address of CoinPayments' dashboard shows
# whether it is a, b or c. In the dashboard, make an API integration that may
# create, list, find and cancel invoices; it has the client id and the secret.
#
# Caddy needs COINPAYMENTS_CLIENT_ID, COINPAYMENTS_CLIENT_SECRET and SHOP_TOKEN
# in its environment; the app needs SHOP_TOKEN, a random text of yours.
{
	ccpayment {
		gateway coinpayments {
			instance a
		}
		webhook_url https://shop.example.com/hook
	}
}
`,
	},
}

// devGatewayNames are what --gateway may be.
func devGatewayNames() []string { return slices.Sorted(maps.Keys(devGateways)) }

// introduction says how to use the sandbox's credentials. A secret that was given is not
// shown.
func (g devGateway) introduction(d *dev, box *Sandbox) string {
	id, secret := g.credentials(box)
	flags, variables := g.use(d.config(), d.apiURL())
	lines := []string{"  commands      call and trigger" + flags + ", doctor" + flags + " --address " + d.admin + ", in a shell with"}
	if variables != "" {
		lines = append(lines, variables)
	}
	lines = append(lines, "export "+g.idName+"="+id)
	if os.Getenv(g.secretName) == "" {
		lines = append(lines, "export "+g.secretName+"="+secret)
	} else {
		lines = append(lines, "and "+g.secretName+" as it is here")
	}
	return strings.Join(lines, "\n                  ")
}
