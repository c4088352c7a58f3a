package placeholder

import (
	"regexp"
	"slices"
	"strings"
)

// withoutPath are placeholders that have nothing of the path that is asked for.
var withoutPath = regexp.MustCompile(`\{(?:env\.|file\.|system\.|time\.|http\.request\.(?:host|scheme|method|proto|uuid|remote|port|header|cookie|tls|uri\.query))[^{}]*\}`)

// LosesPath reports whether a rewrite to this URI puts one path in the place of all.
func LosesPath(uri string) bool {
	path, _, _ := strings.Cut(uri, "?")
	return path != "" && !strings.Contains(withoutPath.ReplaceAllLiteralString(path, ""), "{")
}

// Covered reports whether what a pattern of Caddy's path matcher matches is left alone by
// a rewrite of all paths but these, because it is one of them, or whatever path there is.
func Covered(pattern string, except []string) bool {
	return strings.Trim(pattern, "/") == "*" || slices.ContainsFunc(except, func(e string) bool {
		if begin, ok := strings.CutSuffix(e, "*"); ok {
			return strings.HasPrefix(strings.TrimSuffix(pattern, "*"), begin)
		}
		return pattern == e
	})
}
