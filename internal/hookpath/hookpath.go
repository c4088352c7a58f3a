// Package hookpath finds out whether requests reach the directives of a site: a webhook that
// is sent to another path gets the app's 404, or its page, and nobody says a word.
package hookpath

import (
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"go.uber.org/zap"
)

// Site is what a configuration does with webhooks. An account's name may be empty.
type Site struct {
	// URLs are where the gateway is told to send webhooks, by account; empty: it has them
	// from its console.
	URLs map[string]string
	// Hooks are the accounts of all routes of webhooks, also of those that are not in Servers.
	Hooks map[string]string
	// Servers are the routes of each server.
	Servers [][]Route
}

// Route is one of the routes of a server.
type Route struct {
	// Sets are its matchers. One set must match; none: it matches all requests.
	Sets     [][]Matcher
	Handlers []Handler
	// IsTerminal: no route behind it gets what it matches.
	IsTerminal bool
}

// Matcher is a matcher of a route. The zero value is one that is none of these kinds.
type Matcher struct {
	Paths     []string    // patterns of paths of which one must match
	IsPattern bool        // it matches paths by a regular expression
	IsFile    bool        // it matches what is a file
	LastFile  string      // which a matcher of files tries last
	Not       [][]Matcher // none of these sets may match
}

// Handler is a handler of a route. The zero value is one that is none of these kinds.
type Handler struct {
	IsRewrite bool    // it changes the path
	Rewrite   string  // the URI that it puts in the place of another
	Routes    []Route // those that it has of its own
	Directive string  // the name of a directive of ours
	Account   string  // of a directive that is a webhook
	Hook      string  // the name of the route of webhooks
	TakesAll  bool    // it passes no request on
	// Sells are the accounts of which it makes orders whose webhooks go to their addresses.
	Sells []string
}

// Problem is why requests do not reach what they are meant for.
type Problem struct {
	Text   string
	Fields []zap.Field
}

// Problems returns what is certainly wrong: what may match counts as matching.
func (s Site) Problems() []Problem {
	f := finder{sells: make(map[string]bool)}
	for _, routes := range s.Servers {
		f.replaced(routes, nil, false)
	}
	for _, routes := range s.Servers {
		f.findHooks(routes, nil, false)
	}
	f.findAccounts(s)
	return f.problems
}

// finder collects what it finds in the routes.
type finder struct {
	hooks    []hook
	sells    map[string]bool // the accounts that orders are made of
	problems []Problem
}

// hook is a place that takes webhooks.
type hook struct {
	account, route string
	// paths are the path patterns that lead to it. Of each list one must match; an empty
	// list stands for all paths.
	paths [][]string
}

func (f *finder) add(text string, fields ...zap.Field) {
	f.problems = append(f.problems, Problem{text, fields})
}

// findHooks goes through routes that these paths lead to. It reports whether the path may
// be another one behind them: matchers there count as matching.
func (f *finder) findHooks(routes []Route, before [][]string, isRewritten bool) bool {
	for i, route := range routes {
		paths := slices.Clip(before)
		if !isRewritten {
			paths = append(paths, pathsOf(route))
		}
		for j, h := range route.Handlers {
			switch {
			case h.IsRewrite:
				isRewritten = true
			case h.Routes != nil:
				isRewritten = f.findHooks(h.Routes, paths, isRewritten)
			case h.Hook != "":
				f.hooks = append(f.hooks, hook{h.Account, h.Hook, paths})
				if h.TakesAll && len(route.Sets) == 0 && (i < len(routes)-1 || j < len(route.Handlers)-1) {
					f.add("ccpayment_webhook takes every request, so that what stands behind it is never reached: give it a path", zap.String("route", h.Hook))
				}
			}
			for _, account := range h.Sells {
				f.sells[account] = true
			}
		}
	}
	return isRewritten
}

// pathsOf returns the patterns of paths that a route matches; nil: it may match any.
func pathsOf(route Route) (patterns []string) {
	for _, set := range route.Sets {
		i := slices.IndexFunc(set, func(m Matcher) bool { return m.Paths != nil })
		if i < 0 {
			return nil
		}
		patterns = append(patterns, set[i].Paths...)
	}
	return patterns
}

// findAccounts finds the accounts whose webhooks cannot arrive.
func (f *finder) findAccounts(s Site) {
	for _, account := range slices.Sorted(maps.Keys(s.URLs)) {
		to := s.URLs[account]
		found := make(map[string]bool) // the account's routes
		arrives := to == ""
		for _, h := range f.hooks {
			if h.account == account {
				found[h.route] = true
				arrives = arrives || h.takes(to)
			}
		}
		isHidden := func(route string) bool { return s.Hooks[route] == account && !found[route] }
		fields := []zap.Field{zap.String("account", account), zap.String("webhook_url", to)}
		switch {
		case slices.ContainsFunc(slices.Collect(maps.Keys(s.Hooks)), isHidden):
		case len(found) == 0 && f.sells[account]:
			f.add("orders are made here, and no ccpayment_webhook takes the webhooks of their account, "+
				"so the app is not told when they are paid: add one", fields...)
		case !arrives:
			f.add("no ccpayment_webhook of the account matches the path of webhook_url, "+
				"so webhooks that are sent there are lost: make the two the same, down to the slash at the end", fields...)
		}
	}
}

func (h hook) takes(to string) bool {
	u, err := url.Parse(to)
	return err != nil || !slices.ContainsFunc(h.paths, func(patterns []string) bool {
		return len(patterns) > 0 && !slices.ContainsFunc(patterns, func(p string) bool { return matches(p, "/"+strings.TrimPrefix(u.Path, "/")) })
	})
}

// matches is what Caddy's path matcher matches, and more: a star stands for anything, and
// a pattern with more than stars matches all.
func matches(pattern, path string) bool {
	if strings.ContainsAny(pattern, `{%[?\`) {
		return true
	}
	expression := strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, `.*`)
	is, err := regexp.MatchString(`(?is)^`+expression+`$`, path)
	return is || err != nil
}

// places are all places that take webhooks.
func (s Site) places() []hook {
	f := finder{sells: make(map[string]bool)}
	for _, routes := range s.Servers {
		f.findHooks(routes, nil, false)
	}
	return f.hooks
}

// Path returns a path that leads to a route of webhooks, or the part of it that is sure.
func (s Site) Path(route string) string {
	for _, h := range s.places() {
		for _, patterns := range slices.Backward(h.paths) {
			if h.route == route && len(patterns) > 0 {
				path, _, _ := strings.Cut(patterns[0], "*")
				return "/" + strings.TrimPrefix(path, "/")
			}
		}
	}
	return "/"
}

// Hook returns the URL that the webhooks of an account's route are sent to, or else a path that
// leads to the route.
func (s Site) Hook(account, route string) string {
	to, others := s.URLs[account], 0
	for other, of := range s.Hooks {
		if of == account && other != route {
			others++
		}
	}
	if to == "" || others > 0 && s.RouteOf(account, to) != route {
		return s.Path(route)
	}
	return to
}

// RouteOf returns which of an account's routes takes the webhooks that are sent to a URL, or
// to the one in the gateway's console; empty: that is not sure. Of the latter an only route is.
func (s Site) RouteOf(account, to string) string {
	var all, taking []string
	places := s.places()
	for route, of := range s.Hooks {
		if of != account {
			continue
		}
		all = append(all, route)
		isIt := func(h hook) bool { return h.route == route }
		if !slices.ContainsFunc(places, isIt) || slices.ContainsFunc(places, func(h hook) bool { return isIt(h) && h.takes(to) }) {
			taking = append(taking, route)
		}
	}
	switch {
	case to == "" && len(all) == 1:
		return all[0]
	case to != "" && len(taking) == 1:
		return taking[0]
	}
	return ""
}
