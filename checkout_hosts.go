package ccpayment

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/seed-338f6760/caddy-ccpayment/client"
)

// usualHosts are where a buyer may be sent unless checkout_hosts says otherwise.
func usualHosts(api *client.Client) []string {
	hosts := []string{"ccpayment.com", ".ccpayment.com"}
	if u, err := url.Parse(api.BaseURL()); err == nil {
		hosts = append(hosts, strings.ToLower(u.Hostname()))
	}
	return hosts
}

// checkHost refuses to send a buyer anywhere but to a checkout. A host with a
// dot in front stands for its subdomains.
func checkHost(link string, hosts []string) error {
	u, err := url.Parse(link)
	refused := &checkoutError{
		status: http.StatusBadGateway, code: "bad_checkout", text: "CCPayment named a checkout that buyers are not sent to",
		cause: fmt.Errorf("the checkout is at %.200q: allow its host with checkout_hosts if it is CCPayment's", link),
	}
	if err != nil || u.User != nil || u.Hostname() == "" || strings.ContainsAny(link, "\\ \t\r\n") || !isASCII(link) {
		return refused
	}
	host := strings.ToLower(u.Hostname())
	if u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(host)) {
		return refused
	}
	for _, allowed := range hosts {
		if host == allowed || strings.HasPrefix(allowed, ".") && strings.HasSuffix(host, allowed) {
			return nil
		}
	}
	return refused
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
