package ccpayment

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// placeholders are those in the handlers of `deliver`. The handlers in front of the route
// ran for the webhook, and do not run for a delivery in the background: what map, vars or
// a matcher sets there is empty here.
type placeholders struct {
	unset     []string // that nothing in `deliver` sets
	upstreams []string // that name the app to dial

	all                  []string
	vars, mapped         map[string]bool
	regexps, auth, heads bool // there is a handler or matcher that sets such
	foreign              bool // there is a handler of another's, which may set any
	rootless             bool // there is a fastcgi transport that takes its root from a variable
}

// placeholdersOf reads the routes of `deliver`, before they are provisioned.
func placeholdersOf(routes caddyhttp.RouteList) (placeholders, error) {
	p := placeholders{vars: map[string]bool{}, mapped: map[string]bool{}}
	text, err := json.Marshal(routes)
	if err != nil {
		return p, fmt.Errorf("encoding deliver: %v", err)
	}
	var tree any
	if err := json.Unmarshal(text, &tree); err != nil {
		return p, fmt.Errorf("reading deliver: %v", err)
	}
	p.walk(tree, false)
	if p.rootless {
		p.all = append(p.all, "http.vars.root")
	}
	for _, name := range p.all {
		if !p.sets(name) && !p.foreign {
			p.unset = append(p.unset, "{"+name+"}")
		}
	}
	slices.Sort(p.unset)
	p.unset = slices.Compact(p.unset)
	return p, nil
}

// placeholderName matches a placeholder, and neither an escaped brace nor JSON.
var placeholderName = regexp.MustCompile(`(^|[^\\])\{([a-zA-Z][^\s{}"',]*)\}`)

func (p *placeholders) walk(node any, isUpstream bool) {
	switch node := node.(type) {
	case []any:
		for _, item := range node {
			p.walk(item, isUpstream)
		}
	case string:
		for _, match := range placeholderName.FindAllStringSubmatch(node, -1) {
			p.all = append(p.all, match[2])
			if isUpstream {
				p.upstreams = append(p.upstreams, match[2])
			}
		}
	case map[string]any:
		p.handler(node)
		for key, value := range node {
			if key == "destinations" && node["handler"] == "map" {
				continue // which it sets
			}
			p.regexps = p.regexps || strings.HasSuffix(key, "_regexp")
			p.walk(value, isUpstream || key == "upstreams" || key == "dynamic_upstreams")
		}
	}
}

// handler notes what a handler sets, where the object is one.
func (p *placeholders) handler(node map[string]any) {
	if node["protocol"] == "fastcgi" && node["root"] == nil {
		p.rootless = true
	}
	name, ok := node["handler"].(string)
	if !ok {
		return
	}
	switch name {
	case "vars":
		for key := range node {
			p.vars[key] = true
		}
	case "map":
		destinations, _ := node["destinations"].([]any)
		for _, d := range destinations {
			p.mapped[strings.Trim(fmt.Sprint(d), "{}")] = true
		}
	case "headers":
		p.heads = p.heads || node["request"] != nil
	case "authentication":
		p.auth = true
	}
	if info, err := caddy.GetModule("http.handlers." + name); err == nil {
		module := reflect.TypeOf(info.New())
		if module.Kind() == reflect.Pointer {
			module = module.Elem()
		}
		p.foreign = p.foreign || !strings.HasPrefix(module.PkgPath(), "github.com/caddyserver/caddy/v2")
	}
}

// everywhere are the beginnings of the names that are set for every request, or by a
// handler for its own use.
var everywhere = []string{
	"env.", "file.", "system.", "time.", "http.request.", "http.reverse_proxy.", "http.response.", "http.error", "http.intercept.",
	"http.handlers.", "http.matchers.", "http.shutting_down", "http.time_until_shutdown", placeholderPrefix,
}

// sets reports whether a placeholder can have a value in a delivery.
func (p *placeholders) sets(name string) bool {
	if header, ok := strings.CutPrefix(name, "http.request.header."); ok {
		return p.heads || isSent(http.CanonicalHeaderKey(header))
	}
	if variable, ok := strings.CutPrefix(name, "http.vars."); ok {
		return p.vars[variable] || strings.HasPrefix(variable, varPrefix) || variable == caddyhttp.ClientIPVarKey || variable == caddyhttp.TrustedProxyVarKey
	}
	switch {
	case strings.HasPrefix(name, "http.request.cookie."):
		return false
	case strings.HasPrefix(name, "http.regexp."):
		return p.regexps
	case strings.HasPrefix(name, "http.auth."):
		return p.auth
	}
	return p.mapped[name] || slices.ContainsFunc(everywhere, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// isSent reports whether a delivery can have a header.
func isSent(name string) bool {
	switch name {
	case "Content-Type", "User-Agent", "Idempotency-Key", "Authorization", "Appid", "Timestamp", "Sign",
		"Webhook-Id", "Webhook-Timestamp", "Webhook-Signature", forwardedFor, forwardedProto, forwardedHost:
		return true
	default:
		return isOurHeader(name)
	}
}

// emptyUpstream returns the error of a delivery whose upstream has a placeholder that is
// empty, as one that says so; else the error as it is.
func (p *placeholders) emptyUpstream(r *http.Request, err error) error {
	repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if err == nil || !ok {
		return err
	}
	for _, name := range p.upstreams {
		if value, _ := repl.GetString(name); value == "" {
			return fmt.Errorf("{%s} is empty: handlers before `ccpayment_webhook` do not run for a delivery, so set it in `deliver` (%w)", name, err)
		}
	}
	return err
}
