package placeholder

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Routes are the placeholders in the JSON of a list of routes, and what its handlers
// set.
type Routes struct {
	// Upstreams are those that name the app to dial.
	Upstreams []string

	all                  []string
	vars, mapped         map[string]bool
	regexps, auth, heads bool // there is a handler or matcher that sets such
	foreign              bool // there is a handler of another's, which may set any
	rootless             bool // there is a fastcgi transport that takes its root from a variable
}

// InRoutes reads routes. isForeign reports whether a handler, by its name, is not one
// of Caddy's own.
func InRoutes(routes any, isForeign func(handler string) bool) (Routes, error) {
	p := Routes{vars: map[string]bool{}, mapped: map[string]bool{}}
	text, err := json.Marshal(routes)
	if err != nil {
		return p, fmt.Errorf("encoding the routes: %v", err)
	}
	var tree any
	if err := json.Unmarshal(text, &tree); err != nil {
		return p, fmt.Errorf("reading the routes: %v", err)
	}
	p.walk(tree, false, isForeign)
	if p.rootless {
		p.all = append(p.all, "http.vars.root")
	}
	return p, nil
}

// placeholderName matches a placeholder, and neither an escaped brace nor JSON.
var placeholderName = regexp.MustCompile(`(^|[^\\])\{([a-zA-Z][^\s{}"',]*)\}`)

func (p *Routes) walk(node any, isUpstream bool, isForeign func(string) bool) {
	switch node := node.(type) {
	case []any:
		for _, item := range node {
			p.walk(item, isUpstream, isForeign)
		}
	case string:
		for _, match := range placeholderName.FindAllStringSubmatch(node, -1) {
			p.all = append(p.all, match[2])
			if isUpstream {
				p.Upstreams = append(p.Upstreams, match[2])
			}
		}
	case map[string]any:
		p.handler(node, isForeign)
		for key, value := range node {
			if key == "destinations" && node["handler"] == "map" {
				continue // which it sets
			}
			p.regexps = p.regexps || strings.HasSuffix(key, "_regexp")
			p.walk(value, isUpstream || key == "upstreams" || key == "dynamic_upstreams", isForeign)
		}
	}
}

// handler notes what a handler sets, where the object is one.
func (p *Routes) handler(node map[string]any, isForeign func(string) bool) {
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
	case "tracing":
		p.vars["trace_id"], p.vars["span_id"] = true, true
	case "invoke": // a named route, which is not at hand
		p.foreign = true
	}
	p.foreign = p.foreign || isForeign(name)
}

// everywhere are the beginnings of the names that are set for every request, or by a
// handler for its own use.
var everywhere = []string{
	"env.", "file.", "system.", "time.", "http.request.", "http.reverse_proxy.", "http.response.", "http.error", "http.intercept.",
	"http.handlers.", "http.matchers.", "http.shutting_down", "http.time_until_shutdown",
}

// Unset returns the placeholders that nothing in the routes sets, in braces. isSet
// reports of a name whether something else does. mapped are the names that a map outside
// of the routes sets: of others without http. in front, only upstreams are surely
// placeholders, and {ok} in a text may be just that.
func (p *Routes) Unset(mapped []string, isSet func(name string) bool) []string {
	var unset []string
	for _, name := range p.all {
		isOne := strings.HasPrefix(name, "http.") || slices.Contains(mapped, name) || slices.Contains(p.Upstreams, name)
		if isOne && !p.foreign && !isSet(name) && !p.sets(name) {
			unset = append(unset, "{"+name+"}")
		}
	}
	slices.Sort(unset)
	return slices.Compact(unset)
}

func (p *Routes) sets(name string) bool {
	if strings.HasPrefix(name, "http.request.header.") {
		return p.heads
	}
	if variable, ok := strings.CutPrefix(name, "http.vars."); ok {
		return p.vars[variable]
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
