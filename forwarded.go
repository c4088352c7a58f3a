package ccpayment

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// The headers in which a proxy says whom it asks for. reverse_proxy adds to the first and
// keeps the others where it trusts the proxy, and writes its own where it does not.
const (
	forwardedFor   = "X-Forwarded-For"
	forwardedProto = "X-Forwarded-Proto"
	forwardedHost  = "X-Forwarded-Host"
)

// longestForwarded is how many bytes of these headers are kept. The signature does not
// cover them, so they must not fill the ledger.
const longestForwarded = 4 << 10

// forwarded returns what a trusted proxy says of a webhook's client. It is empty where
// nobody trusts the sender: a handler that reads the headers without asking, as
// reverse_proxy does, must not see what a stranger wrote.
func (h *Webhook) forwarded(r *http.Request) ledger.Forwarded {
	var f ledger.Forwarded
	trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool)
	if trusted {
		f.ClientIP, _ = caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	}
	if !trusted && !h.proxiesTrust(r.RemoteAddr) {
		return f
	}
	list := strings.Join(r.Header.Values(forwardedFor), ", ")
	proto, host := lastValue(r.Header, forwardedProto), lastValue(r.Header, forwardedHost)
	if len(list)+len(proto)+len(host) <= longestForwarded {
		f.For, f.Proto, f.Host = list, proto, host
	}
	return f
}

func lastValue(header http.Header, name string) string {
	values := header.Values(name)
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}

// setForwarded sets the headers for the handlers in front of the app.
func setForwarded(header http.Header, f ledger.Forwarded) {
	for name, value := range map[string]string{forwardedFor: f.For, forwardedProto: f.Proto, forwardedHost: f.Host} {
		if value != "" {
			header.Set(name, value)
		}
	}
}

// proxiesTrust reports whether an address is one of the trusted_proxies of a
// reverse_proxy that events are delivered by. Those are known once all of the server's
// handlers are provisioned, so they are looked for at the first webhook.
func (h *Webhook) proxiesTrust(remote string) bool {
	h.findProxies.Do(func() {
		routes := h.Deliver
		if routes == nil && h.server != nil {
			routes = h.server.Routes
		}
		h.proxyTrust = proxyTrust(routes)
	})
	if len(h.proxyTrust) == 0 {
		return false
	}
	address, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	for _, prefix := range h.proxyTrust {
		if prefix.Contains(address.Addr().WithZone("")) {
			return true
		}
	}
	return false
}

// proxyTrust returns the trusted_proxies of every reverse_proxy in the routes.
func proxyTrust(routes caddyhttp.RouteList) (trust []netip.Prefix) {
	for _, route := range routes {
		for _, handler := range route.Handlers {
			switch handler := handler.(type) {
			case *caddyhttp.Subroute:
				trust = append(trust, proxyTrust(handler.Routes)...)
			case *reverseproxy.Handler:
				for _, text := range handler.TrustedProxies {
					if prefix, err := caddyhttp.CIDRExpressionToPrefix(text); err == nil {
						trust = append(trust, prefix)
					}
				}
			}
		}
	}
	return trust
}
