package ccpayment

import (
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/seed-338f6760/caddy-ccpayment/internal/relay"
)

// headerGuard removes client-sent Ccpayment headers from every request of a
// server. It is a matcher of the server's first route, which every request passes
// first, wherever in the site the directive stands: the app may take a path for its
// webhook path that the directive does not match.
type headerGuard struct {
	// matches is the matcher's result: true where the guard is alone, on a route
	// without other matchers.
	matches bool
}

// guardServer puts the guard in front of a server's routes, and of its error
// routes, which answer some requests alone (one without a Host, say). It is
// called while handlers are provisioned, and rests on what Caddy does then: the
// server's routes have their matchers, are compiled only after all are
// provisioned, and keep matchers that were added. It reports false where that
// is too late: named routes and error routes are provisioned after the server
// has compiled its own.
func guardServer(server *caddyhttp.Server) bool {
	if len(server.Routes) == 0 {
		return false
	}
	first := &server.Routes[0]
	if isGuarded(first) {
		return true
	}
	compiled := !slices.ContainsFunc(server.Routes, func(r caddyhttp.Route) bool { return r.HandlersRaw != nil })
	if compiled {
		return false
	}
	guardRoute(first, len(first.MatcherSets) == 0)
	if server.Errors != nil && len(server.Errors.Routes) > 0 {
		// Their matchers are provisioned later, and are still raw.
		first := &server.Errors.Routes[0]
		guardRoute(first, len(first.MatcherSetsRaw) == 0)
	}
	return true
}

func isGuarded(route *caddyhttp.Route) bool {
	return len(route.MatcherSets) > 0 && slices.ContainsFunc(route.MatcherSets[0], isGuard)
}

func guardRoute(route *caddyhttp.Route, alone bool) {
	guard := caddyhttp.MatcherSet{headerGuard{matches: alone}}
	route.MatcherSets = append(caddyhttp.MatcherSets{guard}, route.MatcherSets...)
}

func isGuard(matcher any) bool {
	_, ok := matcher.(headerGuard)
	return ok
}

// ownMatchers returns a route's matchers without the guard; none: it matches all.
func ownMatchers(route caddyhttp.Route) caddyhttp.MatcherSets {
	return slices.DeleteFunc(slices.Clone(route.MatcherSets), func(set caddyhttp.MatcherSet) bool { return len(set) == 1 && isGuard(set[0]) })
}

// listsAround returns the lists of routes that lead to the handler which is being
// provisioned. As guardServer, it rests on what Caddy does then: in each, the route that
// leads on is the first whose handlers are not there yet.
func listsAround(ctx caddy.Context) (lists []caddyhttp.RouteList) {
	if server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server); ok {
		lists = append(lists, server.Routes)
	}
	for _, module := range ctx.Modules() {
		if subroute, ok := module.(*caddyhttp.Subroute); ok {
			lists = append(lists, subroute.Routes)
		}
	}
	return lists
}

// hasName reports whether the handler that is being provisioned gets requests for a host
// only that the configuration names.
func hasName(ctx caddy.Context) bool {
	return slices.ContainsFunc(listsAround(ctx), func(routes caddyhttp.RouteList) bool {
		i := slices.IndexFunc(routes, func(r caddyhttp.Route) bool { return r.HandlersRaw != nil })
		return i >= 0 && namesHost(routes[i].MatcherSets)
	})
}

// namesHost reports whether every matcher set has a host that is not all wildcards.
func namesHost(sets caddyhttp.MatcherSets) bool {
	sets = slices.DeleteFunc(slices.Clone(sets), func(set caddyhttp.MatcherSet) bool { return slices.ContainsFunc(set, isGuard) })
	return len(sets) > 0 && !slices.ContainsFunc(sets, func(set caddyhttp.MatcherSet) bool {
		return !slices.ContainsFunc(set, func(matcher any) bool {
			hosts, ok := matcher.(*caddyhttp.MatchHost)
			return ok && !slices.ContainsFunc(*hosts, func(host string) bool { return strings.HasSuffix(host, "*") })
		})
	})
}

// MatchWithError removes the headers from the request, and the trailers once its body
// is read.
func (g headerGuard) MatchWithError(r *http.Request) (bool, error) {
	relay.RemoveHeaders(r)
	return g.matches, nil
}

var _ caddyhttp.RequestMatcherWithError = headerGuard{}
