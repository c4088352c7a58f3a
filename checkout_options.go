package ccpayment

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"golang.org/x/time/rate"

	"github.com/seed-338f6760/caddy-ccpayment/internal/checkout"
	"github.com/seed-338f6760/caddy-ccpayment/internal/metrics"
	"github.com/seed-338f6760/caddy-ccpayment/internal/options"
	"github.com/seed-338f6760/caddy-ccpayment/internal/placeholder"
	"github.com/seed-338f6760/caddy-ccpayment/internal/secrets"
)

// resolve replaces placeholders, checks the options and builds what requests need.
func (h *Checkout) resolve(repl *caddy.Replacer, siteHasName bool) error {
	if err := h.resolveSource(repl); err != nil {
		return err
	}
	// Placeholders of the request are refused in these options: a buyer who could
	// set one could pay a cheap page's price for an expensive order.
	var expires string
	for _, field := range []struct {
		name, from, fallback string
		to                   *string
	}{
		{"price", h.Price, "", &h.fixed.Price},
		{"currency", h.Currency, "USD", &h.fixed.Currency},
		{"coin", h.Coin, "", &h.fixed.Coin},
		{"chain", h.Chain, "", &h.fixed.Chain},
		{"notify_url", h.NotifyURL, "", &h.fixed.NotifyURL},
		{"expires", string(h.Expires), "", &expires},
	} {
		value, err := placeholder.Fixed(repl, field.name, field.from)
		if err != nil {
			return err
		}
		*field.to = cmp.Or(value, field.fallback)
	}
	var invalid error
	h.fixed.Expires, invalid = options.DurationText(expires).Parse("expires", caddy.ParseDuration)
	parts := strings.Split(h.OrderID, checkout.RequestUUID)
	for i, part := range parts {
		value, err := placeholder.Fixed(repl, "order_id", part)
		if err != nil {
			return err
		}
		parts[i] = value
	}
	h.fixed.OrderID = strings.Join(parts, checkout.RequestUUID)
	return errors.Join(invalid, h.checkFixed(), h.resolveTargets(repl, siteHasName), h.resolveResponse(repl))
}

// resolveSource resolves the one source of the terms that is configured.
func (h *Checkout) resolveSource(repl *caddy.Replacer) error {
	sources := 0
	for _, given := range []bool{h.Intercept != nil, len(h.LinkSecrets) > 0, h.Price != "", h.BuyerPrice != nil} {
		if given {
			sources++
		}
	}
	if sources == 0 {
		h.Intercept = new(Intercept)
	}
	if sources > 1 {
		return errors.New("terms come from one source: intercept, link_secret, price or buyer_price")
	}
	source := "price"
	if len(h.LinkSecrets) > 0 {
		source = "link"
	}
	var err error
	if h.Intercept != nil {
		source = "intercept"
		setDefault(&h.Intercept.Status, http.StatusPaymentRequired)
		if h.Intercept.Status < 200 || h.Intercept.Status > 599 {
			return fmt.Errorf("intercept: %d is no status of an answer", h.Intercept.Status)
		}
		if h.paths, err = checkout.PathsWith(h.Intercept.Paths); err != nil {
			return err
		}
	}
	h.count = metrics.CountCheckouts(source)
	h.linkSecrets, err = secrets.Follow(h.app.secrets, "link_secret of ccpayment_checkout, "+h.account.Label(), h.readLinkSecrets, h.LinkSecrets...)
	if err != nil {
		return err
	}
	if h.BuyerPrice == nil {
		return nil
	}
	if h.OrderID != "" && !strings.Contains(h.OrderID, checkout.RequestUUID) {
		return errors.New("buyer_price makes a new order each time: leave order_id out, or put {http.request.uuid} in it")
	}
	if h.min, err = placeholder.Fixed(repl, "buyer_price", h.BuyerPrice.Min); err != nil {
		return err
	}
	h.max, err = placeholder.Fixed(repl, "buyer_price", h.BuyerPrice.Max)
	return err
}

// readLinkSecrets resolves the secrets of links.
func (h *Checkout) readLinkSecrets(repl placeholder.Replacer) ([]string, error) {
	list, err := placeholder.SecretList(repl, "link_secret", h.LinkSecrets)
	for _, secret := range list {
		if len(secret) < checkout.MinimumLinkSecret {
			return nil, fmt.Errorf("link_secret must have at least %d characters", checkout.MinimumLinkSecret)
		}
	}
	return list, err
}

// checkFixed checks the order's options as far as they are known at load.
func (h *Checkout) checkFixed() error {
	fiat := checkout.IsFiat(h.fixed.Currency)
	if h.fixed.Price != "" {
		if _, err := checkout.ParsePrice(h.fixed.Price, fiat); err != nil {
			return err
		}
	}
	if h.BuyerPrice != nil {
		var err error
		if h.bounds, err = checkout.ParseBounds(h.BuyerPrice.Field, h.min, h.max, fiat); err != nil {
			return err
		}
	}
	if h.fixed.Chain == "" && h.fixed.Coin != "" || h.fixed.Chain != "" && h.fixed.Coin == "" {
		return errors.New("coin takes a symbol or coin:<id>, and a chain")
	}
	if err := checkout.CheckConfiguredOrderID(h.account, h.fixed.OrderID); err != nil {
		return err
	}
	mayNameEmail := h.BuyerEmail != "" || h.Intercept != nil || len(h.LinkSecrets) > 0
	for i, at := range h.choices {
		info := at.Account().Info
		if longest := info.Limits.LongestExpiry; h.fixed.Expires > longest {
			return fmt.Errorf("expires must be at most %s", longest)
		}
		h.choices[i].NotifyURL = cmp.Or(h.fixed.NotifyURL, h.choices[i].NotifyURL)
		if err := checkout.CheckURL("notify_url", h.choices[i].NotifyURL, info); err != nil {
			return err
		}
		if err := checkout.CheckLimits(at.Account(), h.fixed.NotifyURL, h.fixed.Coin, mayNameEmail); err != nil {
			return err
		}
	}
	return nil
}

// resolveTargets resolves where buyers are sent, but for the placeholders of the request.
func (h *Checkout) resolveTargets(repl *caddy.Replacer, siteHasName bool) error {
	for _, target := range []struct {
		name, from string
		to         *string
	}{{"return_url", h.ReturnURL, &h.returnURL}, {"close_url", h.CloseURL, &h.closeURL}} {
		link, err := repl.ReplaceOrErr(target.from, true, false)
		if err != nil {
			return fmt.Errorf("%s: %v", target.name, err)
		}
		for _, at := range h.choices {
			if err := checkout.CheckTarget(target.name, link, siteHasName, at.Account().Info); err != nil {
				return err
			}
		}
		*target.to = link
	}
	return nil
}

// resolveResponse resolves the options of methods, limits and responses.
func (h *Checkout) resolveResponse(repl *caddy.Replacer) error {
	if len(h.Methods) == 0 {
		switch {
		case h.Intercept != nil: // any
		case len(h.LinkSecrets) > 0:
			h.Methods = []string{http.MethodGet, http.MethodPost}
		default:
			h.Methods = []string{http.MethodPost}
		}
	}
	for i, method := range h.Methods {
		h.Methods[i] = strings.ToUpper(method)
		if checkout.NeverBuys(h.Methods[i]) {
			return fmt.Errorf("methods: %s never makes an order", h.Methods[i])
		}
	}
	setDefault(&h.Respond, "auto")
	switch h.Respond {
	case "auto", "redirect", "json":
	default:
		return fmt.Errorf("unknown respond %q: use auto, redirect or json", h.Respond)
	}
	setDefault(&h.StatusToken, "on")
	if h.StatusToken != "on" && h.StatusToken != "off" {
		return fmt.Errorf("unknown status_token %q: use on or off", h.StatusToken)
	}
	// Once a minute, because any visitor may cause the warning, and must not hide it from
	// then on.
	h.warned, h.warnLimit = rate.Sometimes{Interval: time.Minute}, rate.Sometimes{Interval: time.Minute}
	if h.Intercept != nil {
		setDefault(&h.Limit, "off")
	}
	setDefault(&h.Limit, "10/1m")
	var err error
	if h.limits, err = checkout.ParseLimit(h.Limit, caddy.ParseDuration); err != nil {
		return err
	}
	if h.limits != nil {
		name, err := h.limitName()
		if err != nil {
			return err
		}
		h.limits.Name = h.app.nameLimit(name)
	}
	hosts, err := placeholder.RequiredList(repl, "checkout_hosts", h.CheckoutHosts)
	if err != nil {
		return err
	}
	return h.choices.AllowHosts(hosts)
}

// limitName names the directive by its account and its options, without what is secret.
func (h *Checkout) limitName() (string, error) {
	options, err := json.Marshal(&Checkout{
		Intercept: h.Intercept, Price: h.Price, BuyerPrice: h.BuyerPrice, Currency: h.Currency, Coin: h.Coin, Chain: h.Chain,
		OrderID: h.OrderID, Product: h.Product, ReturnURL: h.ReturnURL, CloseURL: h.CloseURL, Limit: h.Limit,
	})
	return h.account.Name + " " + string(options), err
}
