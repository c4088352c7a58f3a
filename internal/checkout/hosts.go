package checkout

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// CheckHost returns an error unless a link leads to a checkout page that a buyer may be
// redirected to: by https, or http on this machine, on one of the hosts. A host with a
// dot in front stands for its subdomains. title is what people call the gateway that named the link. The
// error is an [*Error].
func CheckHost(link string, hosts []string, title string) error {
	if isOn(hosts, link) {
		return nil
	}
	return &Error{
		Status: http.StatusBadGateway, Code: "bad_checkout", Text: title + " named a checkout that buyers are not sent to",
		Cause: fmt.Errorf("the checkout is at %.200q: allow its host with checkout_hosts if it is %s's", link, title),
	}
}

func isOn(hosts []string, link string) bool {
	u, err := url.Parse(link)
	if err != nil || u.User != nil || u.Hostname() == "" || strings.ContainsAny(link, "\\ \t\r\n") || !isASCII(link) {
		return false
	}
	host := strings.ToLower(u.Hostname())
	if u.Scheme != "https" && (u.Scheme != "http" || !IsLoopback(host)) {
		return false
	}
	return slices.ContainsFunc(hosts, func(allowed string) bool {
		return host == allowed || strings.HasPrefix(allowed, ".") && strings.HasSuffix(host, allowed)
	})
}

// IsLoopback reports whether a host is this machine itself.
func IsLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
