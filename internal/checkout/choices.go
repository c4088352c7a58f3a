package checkout

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Choice is an account at which a handler's buyers check out.
type Choice struct {
	*Sessions
	// NotifyURL is where the gateway sends the webhooks of orders.
	NotifyURL string
	// Hosts are those of checkout pages that buyers may be sent to.
	Hosts []string
}

// Account returns the account.
func (c Choice) Account() *gateway.Account { return c.account }

// CheckHost returns an error unless buyers may be sent to a checkout page; see
// [CheckHost].
func (c Choice) CheckHost(link string) error {
	return CheckHost(link, c.Hosts, c.account.Info.Title)
}

// Choices are the accounts among which an app chooses one for an order, by its name.
type Choices []Choice

// NewChoices returns the choices among accounts: with the accounts' own webhook URLs, and
// the hosts of their gateways. The error is that an account stands twice, or that they do
// not share their orders: an order could be paid at each then.
func (g *Registry) NewChoices(accounts ...*gateway.Account) (Choices, error) {
	var all Choices
	for i, account := range accounts {
		if slices.Contains(accounts[:i], account) {
			return nil, fmt.Errorf("account: %s is named twice", account.Label())
		}
		if first := accounts[0]; i > 0 && (first.Orders == "" || account.Orders != first.Orders) {
			return nil, fmt.Errorf("account: an order could be paid at the %s and at the %s: give both the option `orders <name>`, with one name, and it is one order at both",
				first.Label(), account.Label())
		}
		s, err := g.Of(account)
		if err != nil {
			return nil, err
		}
		all = append(all, Choice{Sessions: s, NotifyURL: account.WebhookURL, Hosts: slices.Clone(account.Info.PageHosts)})
	}
	return all, nil
}

// AllowHosts lets buyers be sent to these hosts alone, unless there are none. *. in front
// stands for subdomains. The error is that one is no host.
func (c Choices) AllowHosts(hosts []string) error {
	if len(hosts) == 0 {
		return nil
	}
	allowed := make([]string, 0, len(hosts))
	for _, host := range hosts {
		if !isPageHost(host) {
			return fmt.Errorf("checkout_hosts: %q is no host such as pay.example or *.pay.example", host)
		}
		allowed = append(allowed, strings.ToLower(strings.TrimPrefix(host, "*")))
	}
	for i := range c {
		c[i].Hosts = allowed
	}
	return nil
}

// isPageHost reports whether a text is a name or an address without a port, or stands for all
// subdomains of a name.
func isPageHost(text string) bool {
	if _, err := netip.ParseAddr(text); err == nil {
		return true
	}
	name := strings.TrimPrefix(strings.TrimPrefix(text, "*."), ".")
	u, err := url.Parse("https://" + name)
	return err == nil && u.Hostname() == name && isASCII(name) && name != "" && name[0] != '.' && !strings.Contains(name, "*")
}

// Names returns the names of the accounts; the default account's is empty.
func (c Choices) Names() []string {
	names := make([]string, 0, len(c))
	for _, one := range c {
		names = append(names, one.account.Name)
	}
	return names
}

// Of returns the choice of the account that a request names: the first where it names
// none, or the default account which is not among them. The first, too, where there is no
// other and it is the default account, which has no name: the field is then the app's own
// business. The error is an [*Error].
func (c Choices) Of(r Request) (Choice, error) {
	isNameless := len(c) == 1 && c[0].account.Name == ""
	i := slices.IndexFunc(c, func(one Choice) bool { return one.account.Name == r.Account })
	switch isNamed := r.Account != "" || r.IsDefault && i >= 0; {
	case isNameless || !isNamed:
		return c[0], nil
	case i >= 0:
		return c[i], nil
	}
	names := c.Names()
	for i, name := range names {
		names[i] = cmp.Or(name, `""`)
	}
	return c[0], BadTerms(gateway.WrongField("account", "%.60q is none of those that the directive names, which are %s: add it to the directive's `account` option, or leave the field out for the first",
		r.Account, strings.Join(names, ", ")))
}

// noteRoute has the ledger note the route of an order's webhooks, which is told if they get
// lost.
func (s *Sessions) noteRoute(ctx context.Context, id, route string, l *ledger.Ledger) {
	if route == "" {
		return
	}
	if err := l.NoteMade(context.WithoutCancel(ctx), s.account.Info.AccountID, route, gateway.OrderMark(id)); err != nil {
		s.logger.Error("the route of an order's webhooks is not noted in the ledger", zap.String("gateway_order_id", id), zap.Error(err))
	}
}
