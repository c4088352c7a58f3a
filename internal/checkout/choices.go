package checkout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Choice is an account at which a handler's buyers check out.
type Choice struct {
	*Sessions
	registry *Registry
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

// AllowHosts lets buyers be sent to these hosts alone, unless there are none. *. in front
// stands for subdomains.
func (c *Choice) AllowHosts(hosts []string) {
	if len(hosts) == 0 {
		return
	}
	c.Hosts = nil
	for _, host := range hosts {
		c.Hosts = append(c.Hosts, strings.ToLower(strings.Replace(host, "*.", ".", 1)))
	}
}

// Choices are the accounts among which an app chooses one for an order, by its name.
type Choices []Choice

// NewChoices returns the choices among accounts: with the accounts' own webhook URLs, and
// the hosts of their gateways. The error is that an account stands twice.
func (g *Registry) NewChoices(accounts ...*gateway.Account) (Choices, error) {
	var all Choices
	for i, account := range accounts {
		if slices.Contains(accounts[:i], account) {
			return nil, fmt.Errorf("account: %s is named twice", account.Label())
		}
		s, err := g.Of(account)
		if err != nil {
			return nil, err
		}
		all = append(all, Choice{Sessions: s, registry: g, NotifyURL: account.WebhookURL, Hosts: slices.Clone(account.Info.PageHosts)})
	}
	return all, nil
}

// Open opens the checkout session of a request at one of the accounts. An order stays at
// the account that it was first opened at, else two checkouts of it could be paid; one
// that its gateway has refused to make was not opened. The error wraps an [*Error].
func (c Choices) Open(ctx context.Context, at Choice, r Request) (Session, error) {
	var others Choices
	for _, one := range c {
		if one.account != at.account {
			others = append(others, one)
		}
	}
	return at.openAlone(ctx, r, others)
}

// lock keeps an order to one call at a time of this process, whichever account it is for.
func (c Choices) lock(orderID string) (unlock func()) {
	if len(c) == 0 {
		return func() {}
	}
	lock, release := c[0].registry.locks.take(orderID)
	lock.Lock()
	return func() {
		lock.Unlock()
		release()
	}
}

// haveNot returns an [*Error] where the order was opened at one of the accounts.
func (c Choices) haveNot(ctx context.Context, orderID string, l *ledger.Ledger) error {
	for _, one := range c {
		switch order, err := l.Order(ctx, one.account.OrderIDs(orderID)...); {
		case err == nil && wasOpened(order):
			return conflict("other_account", "the order is one of the "+one.account.Label()+", where it stays")
		case err != nil && !errors.Is(err, ledger.ErrNotFound):
			return Unavailable(err)
		}
	}
	return nil
}

// wasOpened reports whether there may be anything of an order at its gateway, which may
// have refused all that it was asked to make.
func wasOpened(order ledger.Order) bool {
	return order.Checkout == nil || order.State != "" || len(order.Events) > 0 ||
		slices.ContainsFunc(order.Checkout.Generations, func(g ledger.GatewayOrder) bool { return !g.IsRefused() })
}

// Order returns the ledger's order of the app's id, at the account that it was opened at,
// else at the first that has it. The error wraps [ledger.ErrNotFound] where none has.
func (c Choices) Order(ctx context.Context, orderID string, l *ledger.Ledger) (order ledger.Order, at Choice, err error) {
	err = ledger.ErrNotFound
	for _, one := range c {
		found, failure := l.Order(ctx, one.account.OrderIDs(orderID)...)
		switch {
		case errors.Is(failure, ledger.ErrNotFound):
		case failure != nil, wasOpened(found):
			return found, one, failure
		case err != nil:
			order, at, err = found, one, nil
		}
	}
	return order, at, err
}

// Of returns the choice of the account that a request names: the first where it names
// none. The first, too, where there is no other and it is the default account, which has
// no name: the field is then the app's own business. The error is an [*Error].
func (c Choices) Of(r Request) (Choice, error) {
	isNameless := len(c) == 1 && c[0].account.Name == ""
	if r.Account == "" || isNameless {
		return c[0], nil
	}
	i := slices.IndexFunc(c, func(one Choice) bool { return one.account.Name == r.Account })
	if i >= 0 {
		return c[i], nil
	}
	var names []string
	for _, one := range c {
		if one.account.Name != "" {
			names = append(names, one.account.Name)
		}
	}
	return c[0], BadTerms(gateway.WrongField("account", "%.60q is none of those that the directive names, which are %s: add it to the directive's `account` option, or leave the field out for the first",
		r.Account, strings.Join(names, ", ")))
}
