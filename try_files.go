package ccpayment

import (
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/fileserver"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/rewrite"
	"go.uber.org/zap"
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
// try_files before it has rewritten by then. It matches nothing, without an error. The
// handlers cannot match the path from before: an app behind them would get the other
// one, and a rewrite may be meant.
func (a *App) warnTryFiles() {
	for _, server := range a.servers {
		warnTryFiles(a.logger, server.Routes, false, false)
	}
}

func warnTryFiles(logger *zap.Logger, routes caddyhttp.RouteList, rewritten, matched bool) {
	for _, route := range routes {
		matched := matched || rewritten && matchesPath(route)
		for _, handler := range route.Handlers {
			switch h := handler.(type) {
			case *rewrite.Rewrite:
				rewritten = rewritten || fallsBack(route)
			case *caddyhttp.Subroute:
				warnTryFiles(logger, h.Routes, rewritten, matched)
			case *Webhook, *Status, *Checkout, *API:
				if rewritten && matched {
					logger.Warn("try_files rewrites the path before this directive can match it, so its requests go elsewhere: "+
						"put each in a `handle` of its own (docs/deploy.md#a-site-with-try_files)",
						zap.String("directive", handler.(caddy.Module).CaddyModule().ID.Name()))
				}
			}
		}
	}
}

// fallsBack reports whether the route's matcher is that of a try_files whose last file
// stands for all that are not there.
func fallsBack(route caddyhttp.Route) bool {
	if len(route.MatcherSets) != 1 {
		return false
	}
	found := false
	for _, matcher := range route.MatcherSets[0] {
		switch m := matcher.(type) {
		case *fileserver.MatchFile:
			found = len(m.TryFiles) > 0 && !strings.Contains(m.TryFiles[len(m.TryFiles)-1], "{")
		default:
			if !isGuard(matcher) {
				return false // somebody says which paths it is for
			}
		}
	}
	return found
}

func matchesPath(route caddyhttp.Route) bool {
	return slices.ContainsFunc(route.MatcherSets, func(set caddyhttp.MatcherSet) bool {
		return slices.ContainsFunc(set, func(matcher any) bool {
			switch matcher.(type) {
			case caddyhttp.MatchPath, *caddyhttp.MatchPath, caddyhttp.MatchPathRE, *caddyhttp.MatchPathRE:
				return true
			default:
				return false
			}
		})
	})
}
