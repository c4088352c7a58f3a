package apiproxy

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
)

// The proxy's own endpoints, beside the gateway's.
var (
	ownCheckout = gateway.Endpoint{Name: "checkout", Method: http.MethodPost, Group: gateway.GroupDeposit}
	ownOrders   = gateway.Endpoint{Name: "orders", Method: http.MethodGet, Group: gateway.GroupRead}
	ownClose    = gateway.Endpoint{Name: "close", Method: http.MethodDelete, Group: gateway.GroupDeposit}
)

// own returns the proxy's own endpoints: none, where the account makes no checkouts.
func (p *Proxy) own() []gateway.Endpoint {
	if _, makesCheckouts := p.account.Gateway.(gateway.Checkouts); makesCheckouts {
		return []gateway.Endpoint{ownCheckout, ownOrders, ownClose}
	}
	return nil
}

// allowNotifyURL in the option allow lets a call choose the URL of its webhooks.
const allowNotifyURL = "notify_url"

// rules are what the option allow lets through.
type rules struct {
	endpoints map[string]bool // by name
	notifyURL bool            // a call may say where its webhooks are sent to
	payouts   bool            // a call may say where money goes
}

// readRules reads the words of the option allow, which are groups, endpoints and
// notify_url. The word swap is the group. The error is an unknown word, or that no
// endpoint is allowed.
func readRules(words []string, endpoints []gateway.Endpoint) (rules, error) {
	r := rules{endpoints: make(map[string]bool)}
	for _, word := range words {
		named := endpointsOf(word, endpoints)
		switch {
		case word == allowNotifyURL:
			r.notifyURL = true
		case len(named) == 0:
			return r, fmt.Errorf("allow: %.60q is none of the groups %s, nor %s, nor the name of an endpoint such as %s",
				word, groupsOf(endpoints), allowNotifyURL, endpoints[0].Name)
		}
		for _, e := range named {
			r.endpoints[e.Name] = true
		}
		r.payouts = r.payouts || word == string(gateway.GroupWithdraw)
	}
	if len(r.endpoints) == 0 {
		return r, fmt.Errorf("allow names no group and no endpoint: use %s, or an endpoint's name", groupsOf(endpoints))
	}
	return r, nil
}

// endpointsOf returns the endpoints of a group, or the one of a name.
func endpointsOf(word string, endpoints []gateway.Endpoint) []gateway.Endpoint {
	var group, one []gateway.Endpoint
	for _, e := range endpoints {
		if string(e.Group) == word {
			group = append(group, e)
		} else if e.Name == word {
			one = append(one, e)
		}
	}
	if len(group) > 0 {
		return group
	}
	return one
}

// groupsOf names the groups that have endpoints, in the order of the documentation.
func groupsOf(endpoints []gateway.Endpoint) string {
	var names []string
	for _, group := range gateway.Groups() {
		if len(endpointsOf(string(group), endpoints)) > 0 {
			names = append(names, string(group))
		}
	}
	return strings.Join(names, ", ")
}
