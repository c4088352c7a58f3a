package ccpayment

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

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
	if ip = ip.Unmap().WithZone(""); ip.Is6() {
		network, _ := ip.Prefix(64)
		return network.String()
	}
	return ip.String()
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
	case !trusted && r.Header.Get("X-Forwarded-For") != "":
		return fmt.Errorf("X-Forwarded-For comes from %s, which is not in trusted_proxies, so that address counts for all its clients: if it is your proxy, add it there", text)
	default:
		return nil
	}
}
