package ccpayment_test

import (
	"context"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// buyAs makes an order as a proxy says that a client does.
func (s *shop) buyAs(forwardedFor string) int {
	s.t.Helper()
	header := http.Header{}
	if forwardedFor != "" {
		header.Set("X-Forwarded-For", forwardedFor)
	}
	return s.visit(http.MethodPost, "/buy", "", header).status
}

const trustsLoopback = "\nservers {\ntrusted_proxies static 127.0.0.1/32\ntrusted_proxies_strict\n}"

// limitedShop is a shop with a limit, whose Caddyfile has more global options.
func limitedShop(t *testing.T, global string) *shop {
	t.Helper()
	box, c, base := newSandbox(t, 1)
	s := &shop{box: box, c: c}
	s.server = start(t, setup{
		global: adminOn + global, account: "webhook_url http://127.0.0.1:$PORT/hook\nbase_url " + base,
		site: checkoutSite, webhook: "price 5\nlimit 2/1h",
	})
	return s
}

// Case 22: behind a proxy that is not trusted all buyers share one limit, and the log
// says so once, with what to do.
func TestCase22_LimitBehindAProxy(t *testing.T) {
	for name, test := range map[string]struct {
		global, forwardedFor string
		third, warnings      int
	}{
		"a proxy that is not trusted": {"", "192.0.2.", http.StatusTooManyRequests, 1},
		"a proxy that is trusted":     {trustsLoopback, "192.0.2.", http.StatusCreated, 0},
		"no proxy":                    {"", "", http.StatusTooManyRequests, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := limitedShop(t, test.global)
			for i, want := range []int{http.StatusCreated, http.StatusCreated, test.third} {
				client := test.forwardedFor
				if client != "" {
					client += string(rune('1' + i))
				}
				if got := s.buyAs(client); got != want {
					t.Errorf("buyer %d: %d, want %d", i+1, got, want)
				}
			}
			if got := strings.Count(s.logs(), "limit may count many buyers as one"); got != test.warnings {
				t.Errorf("warned %d times, want %d", got, test.warnings)
			}
			if test.warnings > 0 && !strings.Contains(s.logs(), "X-Forwarded-For comes from 127.0.0.1, which is not in trusted_proxies") {
				t.Error("the log does not name the proxy")
			}
		})
	}
}

// Case 22: allow_ips refuses what comes through such a proxy, and the log says why.
func TestCase22_AllowIPsBehindAProxy(t *testing.T) {
	s := start(t, setup{webhook: "allow_ips 192.0.2.0/24"})
	s.deliver(delivery{header: http.Header{"X-Forwarded-For": {"192.0.2.1"}}}).wants(t, http.StatusForbidden)
	if !strings.Contains(s.logs(), `"reason":"bad_ip","client_ip":"127.0.0.1","cause":"X-Forwarded-For comes from 127.0.0.1, which is not in trusted_proxies`) {
		t.Errorf("the log does not say why:\n%s", s.logs())
	}
}

// Case 23: a client on a unix socket has no address: the log says so, and what to set.
func TestCase23_UnixSocket(t *testing.T) {
	const unixSite = `http://shop.example {
	bind unix/$DIR/caddy.sock
	ccpayment_webhook /hook {
		confirm off
		allow_ips 192.0.2.0/24
	}
	ccpayment_checkout /buy {
		price 5
		limit 1/1h
	}
	reverse_proxy $APP
}`
	const unixTrusted = "\nservers {\ntrusted_proxies_unix\ntrusted_proxies_strict\n}"
	for name, test := range map[string]struct {
		global, forwardedFor string
		status               int
		cause                string
		second               int
	}{
		"not trusted":        {"", "192.0.2.1", http.StatusForbidden, "a client on a unix socket has no address: set trusted_proxies_unix", http.StatusTooManyRequests},
		"trusted":            {unixTrusted, "192.0.2.1", http.StatusOK, "", http.StatusCreated},
		"trusted and silent": {unixTrusted, "", http.StatusForbidden, "the proxy on the unix socket says no client address: have it send X-Forwarded-For", http.StatusTooManyRequests},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, base := newSandbox(t, 1)
			s := start(t, setup{
				global: test.global, site: unixSite,
				account: "webhook_url http://shop.example/hook\nbase_url " + base,
			})
			socket := filepath.Join(s.dir, "caddy.sock")
			transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "unix", socket)
			}}
			t.Cleanup(transport.CloseIdleConnections)
			s.client.Transport, s.addr = transport, "shop.example"
			header := http.Header{}
			if test.forwardedFor != "" {
				header["X-Forwarded-For"] = []string{test.forwardedFor}
			}
			s.deliver(delivery{header: header}).wants(t, test.status)
			for i, want := range []int{http.StatusCreated, test.second} {
				r, err := http.NewRequest(http.MethodPost, "http://"+s.addr+"/buy", nil)
				if err != nil {
					t.Fatal(err)
				}
				if test.forwardedFor != "" {
					r.Header.Set("X-Forwarded-For", "192.0.2."+string(rune('1'+i)))
				}
				response, err := s.client.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				response.Body.Close()
				if response.StatusCode != want {
					t.Errorf("buyer %d: %d, want %d", i+1, response.StatusCode, want)
				}
			}
			want := 0
			if test.cause != "" {
				want = 2 // of the webhook, and of the limit
			}
			if got := strings.Count(s.logs(), `"cause":"`+test.cause); test.cause != "" && got != want || test.cause == "" && strings.Contains(s.logs(), "unix socket") {
				t.Errorf("the log says it %d times, want %d:\n%s", got, want, s.logs())
			}
		})
	}
}

// TestForgedAddress: trusted_proxies that are not strict let a buyer write the address that
// limit counts by. The log says so, also where a stranger has had his own warning before.
func TestForgedAddress(t *testing.T) {
	const warning = "limit can be passed with a forged X-Forwarded-For: set trusted_proxies_strict"
	lax := strings.Replace(trustsLoopback, "trusted_proxies_strict\n", "", 1)
	for global, want := range map[string]int{lax: 1, trustsLoopback: 0, "": 0} {
		s := limitedShop(t, global)
		for range 3 {
			s.buyAs("203.0.113.7, 192.0.2.1")
		}
		if got := strings.Count(s.logs(), warning); got != want {
			t.Errorf("with %q warned %d times, want %d", global, got, want)
		}
	}
}
