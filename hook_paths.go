package ccpayment

import (
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/fileserver"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/rewrite"

	"github.com/seed-338f6760/caddy-ccpayment/internal/hookpath"
	"github.com/seed-338f6760/caddy-ccpayment/internal/relay"
)

// addServer remembers a server that has one of our handlers.
func (a *App) addServer(server *caddyhttp.Server) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !slices.Contains(a.servers, server) {
		a.servers = append(a.servers, server)
	}
}

// warnPaths logs a warning for each account whose webhooks cannot arrive, and for each
// directive that requests do not reach.
func (a *App) warnPaths() {
	for _, p := range a.site().Problems() {
		a.logger.Warn(p.Text, p.Fields...)
	}
}

// routeOf returns which route of an account takes webhooks; see [hookpath.Site.RouteOf].
func (a *App) routeOf(account, url string) string { return a.site().RouteOf(account, url) }

// relays returns the configured routes.
func (a *App) relays() []*relay.Route {
	a.mu.Lock()
	defer a.mu.Unlock()
	routes := make([]*relay.Route, 0, len(a.handlers))
	for _, h := range a.handlers {
		routes = append(routes, h.route)
	}
	return routes
}

// sketch is what the configuration does with webhooks, once it is whole.
func (a *App) sketch() hookpath.Site {
	site := hookpath.Site{URLs: make(map[string]string), Hooks: make(map[string]string)}
	for _, account := range a.opened() {
		site.URLs[account.Name] = account.WebhookURL
	}
	for _, h := range a.handlers {
		site.Hooks[h.route.Name] = h.route.Account.Name
	}
	for _, server := range a.servers {
		site.Servers = append(site.Servers, sketchRoutes(server.Routes))
	}
	return site
}

// sketchRoutes returns what package hookpath is to know of routes.
func sketchRoutes(routes caddyhttp.RouteList) []hookpath.Route {
	sketch := make([]hookpath.Route, 0, len(routes))
	for _, route := range routes {
		r := hookpath.Route{Sets: sketchMatchers(ownMatchers(route)), IsTerminal: route.Terminal}
		for _, handler := range route.Handlers {
			var s hookpath.Handler
			switch h := handler.(type) {
			case *rewrite.Rewrite:
				s.IsRewrite, s.Rewrite = true, h.URI
			case *caddyhttp.Subroute:
				s.Routes = sketchRoutes(h.Routes)
			case *Webhook:
				s.Account, s.Hook, s.TakesAll = h.route.Account.Name, h.route.Name, h.Deliver != nil
			case *Checkout:
				if h.NotifyURL == "" {
					s.Sells = h.choices.Names()
				}
			case *API:
				s.Sells = h.proxy.Sells()
			}
			switch handler.(type) {
			case *Webhook, *Status, *Checkout, *API, *Console:
				s.Directive = handler.(caddy.Module).CaddyModule().ID.Name()
			}
			r.Handlers = append(r.Handlers, s)
		}
		sketch = append(sketch, r)
	}
	return sketch
}

func sketchMatchers(sets caddyhttp.MatcherSets) [][]hookpath.Matcher {
	sketch := make([][]hookpath.Matcher, 0, len(sets))
	for _, set := range sets {
		matchers := make([]hookpath.Matcher, 0, len(set))
		for _, matcher := range set {
			var s hookpath.Matcher
			switch m := matcher.(type) {
			case *caddyhttp.MatchPath:
				s.Paths = *m
			case *caddyhttp.MatchPathRE:
				s.IsPattern = true
			case *fileserver.MatchFile:
				if s.IsFile = true; len(m.TryFiles) > 0 {
					s.LastFile = m.TryFiles[len(m.TryFiles)-1]
				}
			case *caddyhttp.MatchNot:
				s.Not = sketchMatchers(m.MatcherSets)
			}
			matchers = append(matchers, s)
		}
		sketch = append(sketch, matchers)
	}
	return sketch
}
