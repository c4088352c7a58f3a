package hookpath

import (
	"regexp"
	"slices"
	"strings"

	"go.uber.org/zap"
)

// replacement is a rewrite that puts one path in the place of all but these.
type replacement []string

// replaced finds our directives that are matched by a path which a try_files or rewrite
// before them has replaced by then: such a matcher matches nothing, without an error. The
// directives cannot match the path from before: an app behind them would get the other one,
// and a rewrite may be meant.
//
// It goes through routes that are behind these replacements. isLost: what leads to them
// matches none of what was replaced. It returns the replacements that their caller's next
// routes are behind.
func (f *finder) replaced(routes []Route, before []replacement, isLost bool) []replacement {
	for _, route := range routes {
		isLost := isLost || slices.ContainsFunc(before, func(r replacement) bool { return r.hides(route) })
		except, isForAll := reach(route)
		inside := slices.Clip(before)
		for _, h := range route.Handlers {
			switch {
			case h.IsRewrite:
				if isForAll && losesPath(strings.Replace(h.Rewrite, "{http.matchers.file.relative}", "/", 1)) {
					inside = append(inside, except)
				}
			case h.Routes != nil:
				inside = f.replaced(h.Routes, inside, isLost)
			case h.Directive != "" && isLost:
				f.add("a rewrite or try_files rewrites the path before this directive can match it, so its requests go elsewhere: "+
					"put each in a `handle` of its own (docs/deploy.md#a-site-with-try_files)", zap.String("directive", h.Directive))
			}
		}
		if isForAll && !route.IsTerminal {
			for _, r := range inside[len(before):] {
				before = append(before, slices.Concat(r, except))
			}
		}
	}
	return before
}

// hides reports whether a route matches a path that was replaced.
func (r replacement) hides(route Route) bool {
	return slices.ContainsFunc(route.Sets, func(set []Matcher) bool {
		return slices.ContainsFunc(set, func(m Matcher) bool {
			return m.IsPattern || slices.ContainsFunc(m.Paths, func(path string) bool { return !isCovered(path, r) })
		})
	})
}

// reach returns which paths alone a route's matchers leave out, and false where they may
// leave out more. Files that are there count as nothing: a webhook's path is none.
func reach(route Route) (except []string, isForAll bool) {
	if len(route.Sets) == 0 {
		return nil, true
	}
	for _, m := range route.Sets[0] {
		switch {
		case m.IsFile && isFallback(m.LastFile):
		case m.Not != nil:
			for _, set := range m.Not {
				if len(set) != 1 || !set[0].IsFile && set[0].Paths == nil {
					return nil, false
				}
				except = append(except, set[0].Paths...)
			}
		default:
			return nil, false
		}
	}
	return except, len(route.Sets) == 1
}

// isFallback reports whether the last of a try_files stands for all that are not there: one
// file, or an error.
func isFallback(last string) bool { return strings.HasPrefix(last, "=") || losesPath(last) }

// withoutPath are placeholders that have nothing of the path that is asked for.
var withoutPath = regexp.MustCompile(`\{(?:env\.|file\.|system\.|time\.|http\.request\.(?:host|scheme|method|proto|uuid|remote|port|header|cookie|tls|uri\.query))[^{}]*\}`)

// losesPath reports whether a rewrite to this URI puts one path in the place of all.
func losesPath(uri string) bool {
	path, _, _ := strings.Cut(uri, "?")
	return path != "" && !strings.Contains(withoutPath.ReplaceAllLiteralString(path, ""), "{")
}

// isCovered reports whether what a pattern of Caddy's path matcher matches is left alone by
// a rewrite of all paths but these, because it is one of them, or whatever path there is.
func isCovered(pattern string, except []string) bool {
	return strings.Trim(pattern, "/") == "*" || slices.ContainsFunc(except, func(e string) bool {
		if begin, ok := strings.CutSuffix(e, "*"); ok {
			return strings.HasPrefix(strings.TrimSuffix(pattern, "*"), begin)
		}
		return pattern == e
	})
}
