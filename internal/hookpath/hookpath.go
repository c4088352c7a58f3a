// Package hookpath finds out whether an account's webhooks can arrive: one that is sent to
// another path gets the app's 404, or its page, and nobody says a word.
package hookpath

import (
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Hook is a place that takes webhooks.
type Hook struct {
	Account, Route string
	// Paths are the path patterns that lead to it. Of each list one must match; an empty
	// list stands for all paths.
	Paths [][]string
}

// Config is what a configuration does with webhooks. An account's name may be empty.
type Config struct {
	// URLs are where the gateway is told to send webhooks, by account; empty: it has them
	// from its console.
	URLs map[string]string
	// Routes are the accounts of all routes, also of those that are not among the Hooks.
	Routes map[string]string
	Hooks  []Hook
	// Checkouts are the accounts that orders are made of.
	Checkouts map[string]bool
}

// Problem is an account whose webhooks cannot arrive.
type Problem struct{ Account, URL, Text string }

// Problems returns what is certainly wrong: what may match counts as matching.
func (c Config) Problems() []Problem {
	var problems []Problem
	for _, account := range slices.Sorted(maps.Keys(c.URLs)) {
		found := make(map[string]bool) // the account's routes
		arrives := c.URLs[account] == ""
		for _, h := range c.Hooks {
			if h.Account == account {
				found[h.Route] = true
				arrives = arrives || h.takes(c.URLs[account])
			}
		}
		isHidden := func(route string) bool { return c.Routes[route] == account && !found[route] }
		switch {
		case slices.ContainsFunc(slices.Collect(maps.Keys(c.Routes)), isHidden):
		case len(found) == 0 && c.Checkouts[account]:
			problems = append(problems, Problem{account, c.URLs[account], "orders are made here, and no ccpayment_webhook takes the webhooks of their account, " +
				"so the app is not told when they are paid: add one"})
		case !arrives:
			problems = append(problems, Problem{account, c.URLs[account], "no ccpayment_webhook of the account matches the path of webhook_url, " +
				"so webhooks that are sent there are lost: make the two the same, down to the slash at the end"})
		}
	}
	return problems
}

func (h Hook) takes(to string) bool {
	u, err := url.Parse(to)
	return err != nil || !slices.ContainsFunc(h.Paths, func(patterns []string) bool {
		return len(patterns) > 0 && !slices.ContainsFunc(patterns, func(p string) bool { return matches(p, "/"+strings.TrimPrefix(u.Path, "/")) })
	})
}

// matches is what Caddy's path matcher matches, and more: a star stands for anything, and
// a pattern with more than stars matches all.
func matches(pattern, path string) bool {
	if strings.ContainsAny(pattern, `{%[?\`) {
		return true
	}
	expression := strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, `.*`)
	is, err := regexp.MatchString(`(?is)^`+expression+`$`, path)
	return is || err != nil
}
