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

// NewChoices returns the choices among accounts: with the accounts' own webhook URLs, and the
// hosts of their gateways. The error is that an account stands twice.
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
// the account that it was first opened at, else two checkouts of it could be paid. The
// error wraps an [*Error].
func (c Choices) Open(ctx context.Context, at Choice, r Request) (Session, error) {
	if len(c) == 1 {
		return at.Sessions.Open(ctx, r)
	}
	lock, release := at.registry.locks.take(r.OrderID)
	defer release()
	lock.Lock()
	defer lock.Unlock()
	l, release, err := at.ledger()
	if err != nil {
		return Session{}, Unavailable(err)
	}
	defer release()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*at.account.Budget)
	defer cancel()
	ctx, unlock, err := l.Lock(ctx, ledger.Record{Type: "#account", ID: r.OrderID}, 2*at.account.Budget, 2*at.account.Budget)
	if err != nil {
		return Session{}, Unavailable(err)
	}
	defer unlock()
	for _, other := range c {
		if other.account == at.account {
			continue
		}
		switch _, err := l.Order(ctx, other.account.OrderIDs(r.OrderID)...); {
		case err == nil:
			return Session{}, conflict("other_account", "the order is one of the "+other.account.Label()+", where it stays")
		case !errors.Is(err, ledger.ErrNotFound):
			return Session{}, Unavailable(err)
		}
	}
	return at.Sessions.Open(ctx, r)
}

// Order returns the ledger's order of the app's id, at the first of the accounts that has
// one. The error wraps [ledger.ErrNotFound] where none has.
func (c Choices) Order(ctx context.Context, orderID string, l *ledger.Ledger) (order ledger.Order, at Choice, err error) {
	for _, at = range c {
		if order, err = l.Order(ctx, at.account.OrderIDs(orderID)...); !errors.Is(err, ledger.ErrNotFound) {
			break
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
