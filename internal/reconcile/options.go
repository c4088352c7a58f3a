package reconcile

import (
	"fmt"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/options"
	"github.com/seed-338f6760/caddy-ccpayment/internal/placeholder"
)

// Options say how the records of all accounts are compared with the ledger. Durations are
// texts such as 15m.
type Options struct {
	// How often the records are looked at, or `off`. Default: `15m`.
	Every string `json:"every,omitempty"`

	// What is told: records of orders and payouts that this ledger knows (`ours`), or all
	// of the account, which no other shop uses then (`account`). Default: `ours`.
	Scope string `json:"scope,omitempty"`

	// The route that tells what was missed, where an account has several and neither the
	// order nor an earlier event names one. Default: none.
	Route string `json:"route,omitempty"`

	// How far each look goes back, at most `30d`. Default: to the last look, and never to
	// before the ledger was made.
	Back string `json:"back,omitempty"`

	// Younger records may still be told by their webhooks. Default: `35m` for CCPayment,
	// `10m` for CoinPayments.
	Grace string `json:"grace,omitempty"`
}

const (
	defaultEvery = "15m"
	longestBack  = 30 * 24 * time.Hour
	scopeOurs    = "ours"
	scopeAll     = "account"
)

// Dispenser is the part of Caddy's dispenser of tokens that is used.
type Dispenser interface {
	options.Dispenser
	NextArg() bool
	Nesting() int
	NextBlock(initialNestingLevel int) bool
}

// ReadBlock reads the block whose name is at the dispenser's position.
func (o *Options) ReadBlock(d Dispenser) error {
	if d.NextArg() {
		return d.ArgErr()
	}
	fields := map[string]*string{"every": &o.Every, "scope": &o.Scope, "route": &o.Route, "back": &o.Back, "grace": &o.Grace}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		field, ok := fields[d.Val()]
		if !ok {
			return options.Unknown(d, d.Val(), "every, scope, route, back, grace")
		}
		if err := options.Text(d, field); err != nil {
			return err
		}
	}
	return nil
}

// Resolve returns what the options come to, with their defaults. parse reads durations.
func (o Options) Resolve(repl placeholder.Replacer, parse func(string) (time.Duration, error)) (c Config, err error) {
	c.Grace = -1
	given := Options{Every: defaultEvery, Scope: scopeOurs}
	for _, option := range []struct {
		name, text string
		to         *string
	}{
		{"every", o.Every, &given.Every},
		{"scope", o.Scope, &given.Scope},
		{"route", o.Route, &given.Route},
		{"back", o.Back, &given.Back},
		{"grace", o.Grace, &given.Grace},
	} {
		text, err := placeholder.Optional(repl, "reconcile: "+option.name, option.text)
		if err != nil {
			return c, err
		}
		if text != "" {
			*option.to = text
		}
	}
	c.Route = given.Route
	if c.Foreign = given.Scope == scopeAll; !c.Foreign && given.Scope != scopeOurs {
		return c, fmt.Errorf("reconcile: unknown scope %q: use ours or account", given.Scope)
	}
	if given.Every != "off" {
		if c.Every, err = options.DurationText(given.Every).Parse("reconcile: every", parse); err != nil {
			return c, err
		}
	}
	if given.Grace != "" {
		if c.Grace, err = options.DurationText(given.Grace).Parse("reconcile: grace", parse); err != nil {
			return c, err
		}
	}
	if given.Back != "" {
		if c.Back, err = options.DurationText(given.Back).Parse("reconcile: back", parse); err == nil && c.Back > longestBack {
			err = fmt.Errorf("reconcile: back is %s, and 30d is the most: older records are told by `caddy ccpayment reconcile --since`", given.Back)
		}
	}
	return c, err
}
