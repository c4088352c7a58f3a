package checkout

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
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
	if !s.account.Info.Limits.TakesURL(with) {
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

// ofSite are the placeholders whose values a visitor cannot choose where the site has a
// name.
var ofSite = []string{"{http.request.scheme}", "{http.request.host}", "{http.request.hostport}"}

// visitors are the placeholders whose values a visitor may choose freely.
var visitors = regexp.MustCompile(`\{http\.[^{}]*\}`)

// Target returns where the checkout page sends the buyer, from a configured address with
// the HTTP request's placeholders, which replace replaces. What a visitor put into it is
// left out, with a warning, where the URL could not be used with it, or not with the status
// token: any link to the shop may have a long query.
func (s *Sessions) Target(name, from string, replace func(string) string, r *Request) string {
	link := replace(from)
	if !visitors.MatchString(from) {
		return link
	}
	err := CheckURL(name, link, s.account.Info)
	if err == nil && name == "return_url" && !r.NoStatusToken {
		full := *r
		if full.ReturnURL = link; s.ReturnURL(full) == link {
			err = fmt.Errorf("%s: with the status token it has more than %d characters", name, s.account.Info.Limits.LongestURL)
		}
	}
	if err == nil {
		return link
	}
	fixed := visitors.ReplaceAllStringFunc(from, func(placeholder string) string {
		if slices.Contains(ofSite, placeholder) {
			return placeholder
		}
		return ""
	})
	if fixed == from && CheckURL(name, link, s.account.Info) == nil {
		return link // without the token, as one that has no placeholder
	}
	if link = replace(fixed); CheckURL(name, link, s.account.Info) != nil {
		link = ""
	}
	r.Warnings = append(r.Warnings, fmt.Sprintf("what the visitor put into it was left out of %v", err))
	return link
}

// CheckTarget checks a redirect target as far as it is known at load. It refuses one whose
// host a buyer could choose, as anybody can who sends a Host to a site that has no name.
func CheckTarget(name, link string, siteHasName bool, info gateway.Info) error {
	if link == "" {
		return nil
	}
	host, _, _ := strings.Cut(strings.NewReplacer("{http.request.scheme}", "https", "{scheme}", "https",
		"{http.request.host}", "{host}", "{http.request.hostport}", "{host}", "{hostport}", "{host}").Replace(link), "?")
	if siteHasName {
		host = strings.ReplaceAll(host, "{host}", "host")
	}
	scheme, rest, ok := strings.Cut(host, "://")
	authority, _, _ := strings.Cut(rest, "/")
	if authority == "{host}" {
		return fmt.Errorf("%s: %q leads to whatever host a visitor names, because this site has no name: write the host, as in https://shop.example/thanks", name, link)
	}
	if !ok || scheme != "http" && scheme != "https" || authority == "" || strings.ContainsAny(authority, "{}@\\") {
		return fmt.Errorf("%s: %q must be an http or https address whose host is fixed or {host}", name, link)
	}
	if !strings.Contains(link, "{") {
		return CheckURL(name, link, info)
	}
	return nil
}
