package ccpayment

import (
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/fileserver"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/rewrite"
	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/internal/placeholder"
)

// addServer remembers a server that has one of our handlers.
func (a *App) addServer(server *caddyhttp.Server) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !slices.Contains(a.servers, server) {
		a.servers = append(a.servers, server)
	}
}

// warnTryFiles logs a warning for each of our handlers that is matched by a path which a
// try_files or rewrite before it has replaced by then. It matches nothing, without an
// error. The handlers cannot match the path from before: an app behind them would get
// the other one, and a rewrite may be meant.
func (a *App) warnTryFiles() {
	for _, server := range a.servers {
		warnTryFiles(a.logger, server.Routes, nil, false)
	}
}

// replacement is a rewrite that puts one path in the place of all but these.
type replacement []string

// warnTryFiles goes through routes that are behind these replacements. isLost: what leads
// to them matches none of what was replaced. It returns the replacements that their
// caller's next routes are behind.
func warnTryFiles(logger *zap.Logger, routes caddyhttp.RouteList, before []replacement, isLost bool) []replacement {
	for _, route := range routes {
		isLost := isLost || slices.ContainsFunc(before, func(r replacement) bool { return r.hides(route) })
		except, isForAll := reach(route)
		inside := slices.Clip(before)
		for _, handler := range route.Handlers {
			switch h := handler.(type) {
			case *rewrite.Rewrite:
				if isForAll && placeholder.LosesPath(strings.Replace(h.URI, "{http.matchers.file.relative}", "/", 1)) {
					inside = append(inside, except)
				}
			case *caddyhttp.Subroute:
				inside = warnTryFiles(logger, h.Routes, inside, isLost)
			case *Webhook, *Status, *Checkout, *API:
				if isLost {
					logger.Warn("a rewrite or try_files rewrites the path before this directive can match it, so its requests go elsewhere: "+
						"put each in a `handle` of its own (docs/deploy.md#a-site-with-try_files)",
						zap.String("directive", handler.(caddy.Module).CaddyModule().ID.Name()))
				}
			}
		}
		if isForAll && !route.Terminal {
			for _, r := range inside[len(before):] {
				before = append(before, slices.Concat(r, except))
			}
		}
	}
	return before
}

// hides reports whether a route matches a path that was replaced.
func (r replacement) hides(route caddyhttp.Route) bool {
	return slices.ContainsFunc(route.MatcherSets, func(set caddyhttp.MatcherSet) bool {
		return slices.ContainsFunc(set, func(matcher any) bool {
			switch m := matcher.(type) {
			case *caddyhttp.MatchPath:
				return slices.ContainsFunc(*m, func(path string) bool { return !placeholder.Covered(path, r) })
			case *caddyhttp.MatchPathRE:
				return true
			default:
				return false
			}
		})
	})
}

// reach returns which paths alone a route's matchers leave out, and false where they may
// leave out more. Files that are there count as nothing: a webhook's path is none.
func reach(route caddyhttp.Route) (except []string, isForAll bool) {
	sets := ownMatchers(route)
	if len(sets) == 0 {
		return nil, true
	}
	for _, matcher := range sets[0] {
		switch m := matcher.(type) {
		case *fileserver.MatchFile:
			if len(m.TryFiles) == 0 || !isFallback(m.TryFiles[len(m.TryFiles)-1]) {
				return nil, false
			}
		case *caddyhttp.MatchNot:
			for _, set := range m.MatcherSets {
				if len(set) != 1 {
					return nil, false
				}
				switch m := set[0].(type) {
				case *fileserver.MatchFile:
				case *caddyhttp.MatchPath:
					except = append(except, *m...)
				default:
					return nil, false
				}
			}
		default:
			return nil, false
		}
	}
	return except, len(sets) == 1
}

// isFallback reports whether the last of a try_files stands for all that are not there: one
// file, or an error.
func isFallback(last string) bool { return strings.HasPrefix(last, "=") || placeholder.LosesPath(last) }
