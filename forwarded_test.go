package ccpayment_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// forwardingSite has an app behind a plain reverse_proxy, one that gets events in
// pass-through, and one that gets them from the ledger.
const forwardingSite = `http://:$PORT {
	bind 127.0.0.1
	handle /plain {
		reverse_proxy $APP {
			$PROXY
			header_up X-Client {client_ip}
		}
	}
	handle /through {
		ccpayment_webhook {
			confirm off
			route through
		}
		reverse_proxy $APP {
			$PROXY
			header_up X-Client {client_ip}
		}
	}
	handle /stored {
		ccpayment_webhook {
			confirm off
			route stored
			deliver {
				reverse_proxy $APP {
					$PROXY
					header_up X-Client {client_ip}
				}
			}
			retry {
				first 10ms
				max 10ms
			}
		}
	}
}`

// seen is what the app learns of the client.
func seen(r received) string {
	var lines []string
	for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Client"} {
		lines = append(lines, fmt.Sprintf("%s: %q", name, r.header.Values(name)))
	}
	return strings.Join(lines, "\n")
}

// TestCase14_ClientAddress: in both modes the app sees what plain reverse_proxy would have
// sent, byte for byte, and so a stranger's headers never.
func TestCase14_ClientAddress(t *testing.T) {
	sent := map[string]http.Header{
		"nothing":      {},
		"one":          {"X-Forwarded-For": {"203.0.113.9"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"shop.example"}},
		"chain":        {"X-Forwarded-For": {"198.51.100.7, 203.0.113.9"}},
		"two lines":    {"X-Forwarded-For": {"198.51.100.7", "203.0.113.9,192.0.2.1"}, "X-Forwarded-Proto": {"ftp", "https"}, "X-Forwarded-Host": {"a", "b"}},
		"nonsense":     {"X-Forwarded-For": {"<script>, unknown"}},
		"IPv6":         {"X-Forwarded-For": {"2001:db8::1"}},
		"empty":        {"X-Forwarded-For": {""}},
		"other header": {"Cf-Connecting-Ip": {"198.51.100.77"}, "X-Forwarded-For": {"203.0.113.9"}},
	}
	for name, config := range map[string]struct{ servers, proxy string }{
		"untrusted":     {},
		"trusted":       {servers: "trusted_proxies static 127.0.0.0/8"},
		"strict":        {servers: "trusted_proxies static 127.0.0.0/8 203.0.113.0/24\ntrusted_proxies_strict"},
		"other header":  {servers: "trusted_proxies static 127.0.0.0/8\nclient_ip_headers Cf-Connecting-Ip X-Forwarded-For"},
		"others":        {servers: "trusted_proxies static 10.0.0.0/8"},
		"by the proxy":  {proxy: "trusted_proxies 127.0.0.0/8"},
		"not the proxy": {proxy: "trusted_proxies 10.0.0.0/8"},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, setup{global: "servers {\n" + config.servers + "\n}", site: strings.ReplaceAll(forwardingSite, "$PROXY", config.proxy)})
			n := 0
			for what, header := range sent {
				var plain string
				for _, path := range []string{"/plain", "/through", "/stored"} {
					n++
					d := delivery{path: path, body: deposit(fmt.Sprint(n), "Success"), header: header}
					if reply := s.deliver(d); reply.status != http.StatusOK {
						t.Fatalf("%s: %d", path, reply.status)
					}
					got := awaitCalls(t, s, n)[n-1]
					if path == "/plain" {
						plain = seen(got)
					} else if saw := seen(got); saw != plain {
						t.Errorf("%s, %s: the app sees\n%s\nwant, as of reverse_proxy,\n%s", what, path, saw, plain)
					}
				}
			}
		})
	}
}

// TestCase14_ForgedByAStranger: the app never sees what an untrusted client claims, however
// the handlers in front of it read the headers.
func TestCase14_ForgedByAStranger(t *testing.T) {
	site := strings.ReplaceAll(forwardingSite, "$PROXY", "header_up X-Raw {http.request.header.X-Forwarded-For}{http.request.header.X-Forwarded-Host}")
	s := start(t, setup{site: site})
	forged := http.Header{"X-Forwarded-For": {"198.51.100.66"}, "X-Forwarded-Host": {"evil.example"}, "X-Forwarded-Proto": {"https"}, "Forwarded": {"for=198.51.100.66"}, "X-Real-Ip": {"198.51.100.66"}}
	for i, path := range []string{"/through", "/stored"} {
		s.deliver(delivery{path: path, header: forged}).wants(t, http.StatusOK)
		for name, values := range awaitCalls(t, s, i+1)[i].header {
			if text := strings.Join(values, " "); strings.Contains(text, "198.51.100.66") || strings.Contains(text, "evil") {
				t.Errorf("%s: %s: %s", path, name, text)
			}
		}
	}
}

// TestCase14_LongList: a list that fills the ledger is left out.
func TestCase14_LongList(t *testing.T) {
	s := start(t, setup{global: "servers {\n trusted_proxies static 127.0.0.0/8\n }", site: strings.ReplaceAll(forwardingSite, "$PROXY", "")})
	s.deliver(delivery{path: "/stored", header: http.Header{"X-Forwarded-For": {"192.0.2.1" + strings.Repeat(", 203.0.113.9", 1000)}}}).wants(t, http.StatusOK)
	if got := awaitCalls(t, s, 1)[0].header.Values("X-Forwarded-For"); !slices.Equal(got, []string{"127.0.0.1"}) {
		t.Errorf("X-Forwarded-For %.100q", got)
	}
}

// TestCase14_AfterReload: an event that waits says after a reload, too, what was true when
// it came, though the proxy is not trusted any more.
func TestCase14_AfterReload(t *testing.T) {
	site := strings.ReplaceAll(forwardingSite, "$PROXY", "")
	s := start(t, setup{global: "servers {\n trusted_proxies static 127.0.0.0/8\n }", site: site, app: status(http.StatusInternalServerError)})
	s.deliver(delivery{path: "/stored", header: http.Header{"X-Forwarded-For": {"198.51.100.7"}}}).wants(t, http.StatusOK)
	await(t, "an attempt", func() bool { return len(s.app.received()) > 0 })
	s.load(setup{site: site})
	calls := len(s.app.received())
	await(t, "an attempt on the new configuration", func() bool { return len(s.app.received()) > calls+1 })
	s.app.answers(nil)
	first, all := seen(s.app.received()[0]), s.app.received()
	if last := seen(all[len(all)-1]); last != first || !strings.Contains(first, `"198.51.100.7, 127.0.0.1"`) {
		t.Errorf("the first attempt said\n%s\nand the last\n%s", first, last)
	}
}
