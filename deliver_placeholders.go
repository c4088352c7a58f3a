package ccpayment

import (
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	maphandler "github.com/caddyserver/caddy/v2/modules/caddyhttp/map"

	"github.com/seed-338f6760/caddy-ccpayment/internal/placeholder"
	"github.com/seed-338f6760/caddy-ccpayment/internal/relay"
)

// isForeignHandler reports whether a handler is not one of Caddy's own, by its name.
func isForeignHandler(name string) bool {
	info, err := caddy.GetModule("http.handlers." + name)
	if err != nil {
		return false
	}
	module := reflect.TypeOf(info.New())
	if module.Kind() == reflect.Pointer {
		module = module.Elem()
	}
	return !strings.HasPrefix(module.PkgPath(), "github.com/caddyserver/caddy/v2")
}

// mapped returns the placeholders that the map handlers in the routes set.
func mapped(lists []caddyhttp.RouteList) (names []string) {
	for _, route := range slices.Concat(lists...) {
		for _, handler := range route.Handlers {
			switch h := handler.(type) {
			case *maphandler.Handler:
				for _, name := range h.Destinations {
					names = append(names, strings.Trim(name, "{}"))
				}
			case *caddyhttp.Subroute:
				names = append(names, mapped([]caddyhttp.RouteList{h.Routes})...)
			}
		}
	}
	return names
}

// isSetHere reports whether a placeholder can have a value in a delivery, whatever
// stands in `deliver`.
func isSetHere(name string) bool {
	if header, ok := strings.CutPrefix(name, "http.request.header."); ok {
		header = http.CanonicalHeaderKey(header)
		return relay.IsSent(header) || slices.Contains([]string{forwardedFor, forwardedProto, forwardedHost}, header)
	}
	if variable, ok := strings.CutPrefix(name, "http.vars."); ok {
		return strings.HasPrefix(variable, varPrefix) || variable == caddyhttp.ClientIPVarKey || variable == caddyhttp.TrustedProxyVarKey
	}
	return strings.HasPrefix(name, placeholderPrefix)
}

// emptyUpstream returns the error of a delivery whose upstream has a placeholder that is
// empty, as one that says so; else the error as it is.
func emptyUpstream(p placeholder.Routes, r *http.Request, err error) error {
	repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if err == nil || !ok {
		return err
	}
	for _, name := range p.Upstreams {
		if value, _ := repl.GetString(name); value == "" {
			return fmt.Errorf("{%s} is empty: handlers before `ccpayment_webhook` do not run for a delivery, so set it in `deliver` (%w)", name, err)
		}
	}
	return err
}
