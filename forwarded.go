package ccpayment

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/seed-338f6760/caddy-ccpayment/internal/checkout"
	"github.com/seed-338f6760/caddy-ccpayment/internal/relay"
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
	for _, field := range [...]relay.Field{{Name: forwardedFor, Value: f.For}, {Name: forwardedProto, Value: f.Proto}, {Name: forwardedHost, Value: f.Host}} {
		if field.Value != "" {
			header.Set(field.Name, field.Value)
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

// clientIP returns the client's address by Caddy's trusted_proxies; for IPv6 the /64
// network, because one client has many addresses in it.
func clientIP(ctx context.Context, remote string) string {
	text, _ := caddyhttp.GetVar(ctx, caddyhttp.ClientIPVarKey).(string)
	if text == "" {
		text, _, _ = net.SplitHostPort(remote)
	}
	ip, err := netip.ParseAddr(text)
	if err != nil {
		return text
	}
	return checkout.ClientOf(ip)
}

// doubtClientIP returns why the address that Caddy has for the client may not be the
// client's: it has none, or it is that of a proxy. Otherwise it returns nil.
func doubtClientIP(r *http.Request) error {
	text, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool)
	_, err := netip.ParseAddr(text)
	switch {
	case err != nil && trusted:
		return errors.New("the proxy on the unix socket says no client address: have it send X-Forwarded-For")
	case err != nil && r.RemoteAddr == "@":
		return errors.New("a client on a unix socket has no address: set trusted_proxies_unix, so that the X-Forwarded-For of the proxy there counts")
	case err != nil:
		return errors.New("the client has no address")
	case !trusted && r.Header.Get(forwardedFor) != "":
		return fmt.Errorf("%s comes from %s, which is not in trusted_proxies, so that address counts for all its clients: if it is your proxy, add it there", forwardedFor, text)
	default:
		return nil
	}
}

// isForgeable reports whether a client may have written the address that Caddy has for
// it: without trusted_proxies_strict the left-most of X-Forwarded-For counts, to which
// proxies add on the right.
func isForgeable(r *http.Request) bool {
	trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool)
	server, ok := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	return trusted && ok && server.TrustedProxiesStrict == 0
}
