package checkout

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// StatusFields are the query fields that may have an order's status token, the first
// before the others: the second stands in a return URL whose own query has no field of
// that name, the first in others.
var StatusFields = []string{"ccpayment_t", "t"}

// ReturnURL returns the request's return URL with the order's status token added, unless
// the request wants none, or the URL would become longer than the gateway takes. The
// URL's own query stays as it is, byte for byte: it may be signed.
func (s *Sessions) ReturnURL(r Request) string {
	if r.ReturnURL == "" || r.NoStatusToken {
		return r.ReturnURL
	}
	with := withField(r.ReturnURL, s.StatusToken(r.OrderID))
	if len(with) > s.account.Info.Limits.LongestURL {
		return r.ReturnURL
	}
	return with
}

// withField returns a URL with a status token added to its query.
func withField(link, token string) string {
	link, fragment, hasFragment := strings.Cut(link, "#")
	base, query, _ := strings.Cut(link, "?")
	// A ccpayment_t that is there is ours: an app may make a return URL of the page that
	// the buyer came back to from an earlier order.
	pairs := slices.DeleteFunc(strings.Split(query, "&"), func(pair string) bool { return isNamed(pair, StatusFields[0]) })
	name := StatusFields[1]
	if slices.ContainsFunc(strings.FieldsFunc(query, func(c rune) bool { return c == '&' || c == ';' }),
		func(pair string) bool { return isNamed(pair, name) }) {
		name = StatusFields[0]
	}
	if query = strings.Join(pairs, "&"); query != "" && !strings.HasSuffix(query, "&") {
		query += "&"
	}
	link = base + "?" + query + name + "=" + token
	if hasFragment {
		link += "#" + fragment
	}
	return link
}

// isNamed reports whether a pair of a query is a field of this name, or, as PHP reads
// it, an item of a list of this name.
func isNamed(pair, name string) bool {
	key, _, _ := strings.Cut(pair, "=")
	if decoded, err := url.QueryUnescape(key); err == nil {
		key = decoded
	}
	return key == name || strings.HasPrefix(key, name+"[")
}

// CheckTarget refuses a redirect target whose host a buyer could choose.
func CheckTarget(name, link string) error {
	if link == "" {
		return nil
	}
	host, _, _ := strings.Cut(strings.NewReplacer("{http.request.scheme}", "https", "{scheme}", "https",
		"{http.request.host}", "host", "{host}", "host", "{http.request.hostport}", "host", "{hostport}", "host").Replace(link), "?")
	scheme, rest, ok := strings.Cut(host, "://")
	authority, _, _ := strings.Cut(rest, "/")
	if !ok || scheme != "http" && scheme != "https" || authority == "" || strings.ContainsAny(authority, "{}@\\") {
		return fmt.Errorf("%s: %q must be an http or https address whose host is fixed or {host}", name, link)
	}
	return nil
}
