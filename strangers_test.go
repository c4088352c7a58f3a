package ccpayment_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// TestAdminEndpointFromAPage: a page that is open in a browser on this machine cannot use
// Caddy's admin endpoint, neither by a form nor by a name of its own that leads here.
func TestAdminEndpointFromAPage(t *testing.T) {
	s := storedShop(t, "")
	id := s.heldPayment(sandbox.Payment{OrderID: "order-1", Risky: true})
	for name, test := range map[string]struct {
		host   string
		header http.Header
	}{
		"another origin":         {"", http.Header{"Origin": {"https://evil.example"}}},
		"no origin, by itself":   {"", http.Header{"Origin": {"null"}}},
		"without cors":           {"", http.Header{"Sec-Fetch-Mode": {"no-cors"}}},
		"a form":                 {"", http.Header{"Sec-Fetch-Mode": {"navigate"}, "Origin": {"https://evil.example"}, "Content-Type": {"text/plain"}}},
		"a name that leads here": {"evil.example:" + port(s.admin), nil},
		"the same, as its own":   {"evil.example:" + port(s.admin), http.Header{"Origin": {"http://evil.example:" + port(s.admin)}, "Sec-Fetch-Mode": {"cors"}}},
	} {
		for method, path := range map[string]string{http.MethodPost: "events/" + id + "/discard", http.MethodGet: "events"} {
			r, err := http.NewRequest(method, "http://"+s.admin+"/ccpayment/"+path, strings.NewReader(`{"reason":"attack"}`))
			if err != nil {
				t.Fatal(err)
			}
			r.Host = test.host
			for key, values := range test.header {
				r.Header[key] = values
			}
			response, err := s.client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			got, err := readReply(response)
			if err != nil {
				t.Fatal(err)
			}
			if got.status != http.StatusForbidden && got.status != http.StatusBadRequest || strings.Contains(got.body, "order-1") {
				t.Errorf("%s, %s: %d %s", name, method, got.status, got.body)
			}
		}
	}
	s.awaitState("status=success&order_id=order-1", "held")
}

// TestStrangersNameForUs: a stranger's name that leads to this machine reaches neither the
// console of a fixed user nor the API of this machine's apps, where the site has a name or
// a matcher, as the docs tell. A browser sends that name in Host, and on plain HTTP nothing
// else that tells.
func TestStrangersNameForUs(t *testing.T) {
	const inside = `
		handle_path /console/* {
			ccpayment_console {
				user ops
			}
		}
		handle_path /ccpayment/* {
			ccpayment_api
		}`
	for name, site := range map[string]string{
		"a named site":     "http://127.0.0.1:$PORT, http://localhost:$PORT {" + inside + "\n}",
		"behind a matcher": "http://:$PORT {\n bind 127.0.0.1\n @here host localhost 127.0.0.1\n handle @here {" + inside + "\n}\n}",
	} {
		t.Run(name, func(t *testing.T) {
			s, f := apiShop(t, "", site)
			ask := func(host, path string) reply {
				t.Helper()
				r, err := http.NewRequest(http.MethodGet, "http://"+s.addr+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				r.Host = host
				response, err := s.client.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				got, err := readReply(response)
				if err != nil {
					t.Fatal(err)
				}
				return got
			}
			if got := ask(s.addr, "/console/"); !strings.Contains(got.body, `<span class="who">ops`) {
				t.Errorf("by our name the console is %d %s", got.status, got.body)
			}
			if got := ask(s.addr, "/ccpayment/orders/order-1"); !strings.Contains(got.body, `"code":90404`) {
				t.Errorf("by our name the API is %d %s", got.status, got.body)
			}
			for _, host := range []string{"evil.example", "evil.example:" + port(s.addr), "localhost.evil.example", "127.0.0.1.evil.example:" + port(s.addr)} {
				for _, path := range []string{"/console/", "/console/events", "/ccpayment/orders/order-1"} {
					if got := ask(host, path); got.body != "" {
						t.Errorf("%s at %s: %d %s", path, host, got.status, got.body)
					}
				}
			}
			if len(f.asked) > 0 {
				t.Errorf("CCPayment was asked %v", f.asked)
			}
		})
	}
}
