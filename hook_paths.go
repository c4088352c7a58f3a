package ccpayment

import (
	"slices"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/rewrite"
	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/internal/hookpath"
)

// warnHookPaths logs a warning for each account whose webhooks cannot arrive, and for each
// directive that takes what is meant for others.
func (a *App) warnHookPaths() {
	c := hookpath.Config{URLs: make(map[string]string), Routes: make(map[string]string), Checkouts: make(map[string]bool)}
	for name, account := range a.accounts {
		c.URLs[name] = account.WebhookURL
	}
	for _, h := range a.handlers {
		c.Routes[h.route.Name] = h.route.Account.Name
	}
	for _, server := range a.servers {
		findHooks(&c, a.logger, server.Routes, nil, false)
	}
	for _, p := range c.Problems() {
		a.logger.Warn(p.Text, zap.String("account", p.Account), zap.String("webhook_url", p.URL))
	}
}

// findHooks goes through routes that these paths lead to. It reports whether the path may
// be another one behind them: matchers there count as matching.
func findHooks(c *hookpath.Config, logger *zap.Logger, routes caddyhttp.RouteList, before [][]string, isRewritten bool) bool {
	for i, route := range routes {
		paths := slices.Clip(before)
		if !isRewritten {
			paths = append(paths, pathsOf(route))
		}
		for j, handler := range route.Handlers {
			switch h := handler.(type) {
			case *rewrite.Rewrite:
				isRewritten = true
			case *caddyhttp.Subroute:
				isRewritten = findHooks(c, logger, h.Routes, paths, isRewritten)
			case *Checkout:
				c.Checkouts[h.account.Name] = c.Checkouts[h.account.Name] || h.NotifyURL == ""
			case *Webhook:
				c.Hooks = append(c.Hooks, hookpath.Hook{Account: h.route.Account.Name, Route: h.route.Name, Paths: paths})
				if h.Deliver != nil && len(ownMatchers(route)) == 0 && (i < len(routes)-1 || j < len(route.Handlers)-1) {
					logger.Warn("ccpayment_webhook takes every request, so that what stands behind it is never reached: give it a path",
						zap.String("route", h.route.Name))
				}
			}
		}
	}
	return isRewritten
}

// pathsOf returns the patterns of paths that a route matches; nil: it may match any.
func pathsOf(route caddyhttp.Route) (patterns []string) {
	for _, set := range ownMatchers(route) {
		i := slices.IndexFunc(set, func(matcher any) bool { _, isPath := matcher.(*caddyhttp.MatchPath); return isPath })
		if i < 0 {
			return nil
		}
		patterns = append(patterns, *set[i].(*caddyhttp.MatchPath)...)
	}
	return patterns
}
