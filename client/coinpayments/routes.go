package coinpayments

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Route is one route of the API.
type Route struct {
	Method string
	// Pattern is its path, such as /api/v2/merchant/invoices/{id}.
	Pattern string
	// Open: CoinPayments answers without a signature, and gets none.
	Open bool
	// Repeatable: making the call twice is as good as making it once. The others move
	// money or create something, and are never sent again by themselves.
	Repeatable bool
}

// String is the method and the pattern, as errors and [Call] name the route.
func (r Route) String() string { return r.Method + " " + r.Pattern }

// path fills the pattern's names with values that are escaped already.
func (r Route) path(values []string) string {
	var b strings.Builder
	for rest := r.Pattern; ; {
		before, after, found := strings.Cut(rest, "{")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteString(values[0])
		values = values[1:]
		_, rest, _ = strings.Cut(after, "}")
	}
}

// names are the names in the pattern, in their order.
func (r Route) names() []string {
	var names []string
	for rest := r.Pattern; ; {
		_, after, found := strings.Cut(rest, "{")
		if !found {
			return names
		}
		var name string
		name, rest, _ = strings.Cut(after, "}")
		names = append(names, name)
	}
}

func read(pattern string) Route { return Route{Method: "GET", Pattern: pattern, Repeatable: true} }

func open(pattern string) Route {
	return Route{Method: "GET", Pattern: pattern, Repeatable: true, Open: true}
}

func create(pattern string) Route { return Route{Method: "POST", Pattern: pattern} }

// preview is a POST that changes nothing, or the same again.
func preview(pattern string) Route {
	return Route{Method: "POST", Pattern: pattern, Repeatable: true}
}

func replace(pattern string) Route { return Route{Method: "PUT", Pattern: pattern, Repeatable: true} }

// The routes of typed methods.
var (
	routeCurrencies    = open("/api/v2/currencies")
	routeCreateInvoice = create("/api/v2/merchant/invoices")
	routeInvoices      = read("/api/v2/merchant/invoices")
	routeInvoice       = read("/api/v2/merchant/invoices/{id}")
	routeCancelInvoice = create("/api/v1/merchant/invoices/{id}/cancel")
	routeTransaction   = read("/api/v2/merchant/wallets/{id}/transaction")
)

// routes are all that [Client.Call] makes.
var routes = []Route{
	routeCurrencies, routeCreateInvoice, routeInvoices, routeInvoice, routeCancelInvoice, routeTransaction,
}

// Routes returns the routes that [Client.Call] makes.
func Routes() []Route { return slices.Clone(routes) }

// FindRoute finds the route of a call by its method and its path, which is escaped as in a
// URL and without a query. A path with an empty part, with one of dots, or with an escaped
// slash in it is none: what it means depends on who reads it.
func FindRoute(method, path string) (Route, error) {
	parts := strings.Split(path, "/")
	for _, part := range parts[1:] {
		if !validPart(part) {
			return Route{}, fmt.Errorf("coinpayments has no route %.10s %.100q", method, path)
		}
	}
	var found Route
	best := -1
	for _, r := range routes {
		if literal := r.matches(parts); r.Method == method && literal > best {
			found, best = r, literal
		}
	}
	if best < 0 {
		return Route{}, fmt.Errorf("coinpayments has no route %.10s %.100q", method, path)
	}
	return found, nil
}

// matches counts the parts of a path that are the pattern's own; -1: it is another
// route's.
func (r Route) matches(parts []string) int {
	pattern := strings.Split(r.Pattern, "/")
	if len(pattern) != len(parts) {
		return -1
	}
	literal := 0
	for i, part := range pattern {
		switch {
		case part == parts[i]:
			literal++
		case !strings.HasPrefix(part, "{"):
			return -1
		}
	}
	return literal
}

// validPart reports whether a part of a path has one meaning only.
func validPart(part string) bool {
	if strings.ContainsFunc(part, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"#?<>[]\^`+"`{|}", r) }) {
		return false
	}
	plain, err := url.PathUnescape(part)
	return err == nil && plain != "" && plain != "." && plain != ".." && !strings.ContainsAny(plain, "/\\\x00")
}

// validQuery reports whether a query is escaped, so that it is sent as it is signed.
func validQuery(query string) bool {
	if strings.ContainsFunc(query, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"#<>`, r) }) {
		return false
	}
	_, err := url.ParseQuery(query)
	return err == nil
}
