package ccpayment_test

import (
	"net/http"
	"strings"
	"testing"
)

// forged are header lines that an app might take for ours.
var forged = []string{
	"Ccpayment-Type: Forged", "cCpAyMeNt-Status: Forged", "Ccpayment_Order_Id: Forged",
	"CCPAYMENT_RECORD-ID: Forged", "Ccpayment.Risky: Forged", "Ccpayment-Credit: Forged",
	"Ccpayment-Fulfill: Forged", "Ccpayment-Payout: Forged", "Ccpayment-Anything: Forged",
}

// wantsNothingForged fails the test if the app got a forged header or trailer.
func wantsNothingForged(t *testing.T, got received) {
	t.Helper()
	for _, header := range []http.Header{got.header, got.trailer} {
		for name, values := range header {
			if strings.Contains(strings.Join(values, ","), "Forged") {
				t.Errorf("%s %s: the app got %s: %q", got.method, got.uri, name, values)
			}
		}
	}
}

func TestForgedHeaders(t *testing.T) {
	sites := map[string]string{
		"usual": usualSite,
		"with a host": `http://shop.example:$PORT {
			bind 127.0.0.1
			ccpayment_webhook /hook {
				confirm off
			}
			reverse_proxy $APP
		}`,
		"in handle": `http://:$PORT {
			bind 127.0.0.1
			handle /hook {
				ccpayment_webhook {
					confirm off
				}
				reverse_proxy $APP
			}
			handle {
				reverse_proxy $APP
			}
		}`,
		"in route": `http://:$PORT {
			bind 127.0.0.1
			route {
				reverse_proxy /other* $APP
				ccpayment_webhook /hook {
					confirm off
				}
				reverse_proxy $APP
			}
		}`,
		"in handle_path": `http://:$PORT {
			bind 127.0.0.1
			@others not path /hook
			reverse_proxy @others $APP
			handle_path /hook {
				ccpayment_webhook {
					confirm off
				}
				rewrite /hook
				reverse_proxy $APP
			}
		}`,
		"in the second of two sites": `http://other.example:$PORT {
			bind 127.0.0.1
			reverse_proxy $APP
		}
		http://shop.example:$PORT {
			bind 127.0.0.1
			ccpayment_webhook /hook {
				confirm off
			}
			reverse_proxy $APP
		}`,
		"in the first of two sites": `http://a.shop.example:$PORT {
			bind 127.0.0.1
			ccpayment_webhook /hook {
				confirm off
			}
			reverse_proxy $APP
		}
		http://:$PORT {
			bind 127.0.0.1
			reverse_proxy $APP
		}`,
		"in two sites": `http://shop.example:$PORT {
			bind 127.0.0.1
			ccpayment_webhook /hook {
				confirm off
				route one
			}
			reverse_proxy $APP
		}
		http://other.example:$PORT {
			bind 127.0.0.1
			ccpayment_webhook /hook {
				confirm off
				route two
			}
			reverse_proxy $APP
		}`,
	}
	// Caddy itself drops such names with underscores and dots, unless it is told
	// that they are expected.
	const expected = "servers {\n expected_underscore_headers Ccpayment_*\n expected_dot_headers Ccpayment.Risky\n }"
	for name, site := range sites {
		for _, global := range []string{"", expected} {
			t.Run(name+global[:min(len(global), 7)], func(t *testing.T) {
				s := start(t, setup{site: site, global: global})
				requests := []string{"GET /hook?", "GET /hook/", "POST //other", "GET /other", "GET /", "DELETE /hook/../other"}
				for _, host := range []string{"shop.example", "other.example", "a.shop.example"} {
					for _, request := range requests {
						s.send(request + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\nContent-Length: 0\r\n" + strings.Join(forged, "\r\n") + "\r\n\r\n")
					}
					s.send(strings.Replace(delivery{}.raw(forged...), "shop.example", host, 1))
				}
				calls := s.app.received()
				for _, got := range calls {
					wantsNothingForged(t, got)
				}
				if len(calls) == 0 {
					t.Error("nothing reached the app")
				}
			})
		}
	}
}

// TestForgedTrailers: what comes after the body is no better than what comes
// before it, announced or not.
func TestForgedTrailers(t *testing.T) {
	for _, path := range []string{"/hook", "/other"} {
		for _, announced := range []string{"", "Trailer: Ccpayment-Type, Idempotency-Key", "Trailer: X-Checksum"} {
			t.Run(path+" "+announced, func(t *testing.T) {
				s := start(t, setup{})
				d := delivery{path: path, body: deposit("r1", "Success")}
				var lines []string
				if announced != "" {
					lines = []string{announced}
				}
				trailers := []string{"Ccpayment-Type: Forged", "ccpayment_status: Forged", "Idempotency-Key: 1", "X-Checksum: 1"}
				s.sendRaw(chunkedWithTrailers(d, lines, trailers, d.body))
				got := s.app.wants(t, 1)[0]
				wantsNothingForged(t, got)
				if path == "/hook" && len(got.trailer) > 0 {
					t.Errorf("the app got the trailers %v", got.trailer)
				}
				if path == "/other" && strings.Contains(announced, "X-Checksum") && got.trailer.Get("X-Checksum") != "1" {
					t.Errorf("another's trailer was lost: the app got %v", got.trailer)
				}
			})
		}
	}
}

// TestConnectionNamesOurHeaders: a proxy removes the headers that Connection
// names, which must not be ours.
func TestConnectionNamesOurHeaders(t *testing.T) {
	s := start(t, setup{webhook: "token shop-token"})
	request := strings.Replace(delivery{}.raw(), "Connection: close",
		"Connection: close, Ccpayment-Type, Idempotency-Key, Authorization, Content-Type\r\nTe: trailers\r\nUpgrade: websocket\r\nKeep-Alive: 5", 1)
	s.sendRaw(request).wants(t, http.StatusOK)
	header := s.app.wants(t, 1)[0].header
	for _, name := range []string{"Ccpayment-Type", "Idempotency-Key", "Authorization", "Content-Type"} {
		if header.Get(name) == "" {
			t.Errorf("the app got no %s", name)
		}
	}
	for _, name := range []string{"Te", "Upgrade", "Keep-Alive", "Connection"} {
		if header.Get(name) != "" {
			t.Errorf("the app got %s: %s", name, header.Get(name))
		}
	}
}

const guardWarning = "client-sent Ccpayment headers are removed from the requests of this route only"

// TestNamedRoute: a named route is set up too late to guard the whole site,
// and says so. The webhook itself is as safe as elsewhere.
func TestNamedRoute(t *testing.T) {
	s := start(t, setup{site: `&(webhook) {
		ccpayment_webhook /hook {
			confirm off
		}
		reverse_proxy $APP
	}
	http://:$PORT {
		bind 127.0.0.1
		invoke webhook
	}`})
	s.sendRaw(delivery{}.raw(forged...)).wants(t, http.StatusOK)
	wantsNothingForged(t, s.app.wants(t, 1)[0])
	if !strings.Contains(s.logs(), guardWarning) {
		t.Error("there was no warning")
	}
}

// TestNamedRouteInGuardedSite: beside a directive that guards the site already,
// there is nothing to warn of.
func TestNamedRouteInGuardedSite(t *testing.T) {
	s := start(t, setup{site: `&(webhook) {
		ccpayment_webhook {
			confirm off
			route named
		}
		reverse_proxy $APP
	}
	http://:$PORT {
		bind 127.0.0.1
		ccpayment_webhook /hook {
			confirm off
		}
		handle /named {
			invoke webhook
		}
		reverse_proxy $APP
	}`})
	s.send("GET /other HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + strings.Join(forged, "\r\n") + "\r\n\r\n")
	wantsNothingForged(t, s.app.wants(t, 1)[0])
	if strings.Contains(s.logs(), guardWarning) {
		t.Error("there was a warning although the site is guarded")
	}
}

// TestOthersHeadersStay: the guard takes only what could be ours.
func TestOthersHeadersStay(t *testing.T) {
	s := start(t, setup{})
	s.send("GET /other HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCcpaymentology: kept\r\nX-Ccpayment-Type: kept\r\nCcpayment: kept\r\nIdempotency-Key: kept\r\nSign: kept\r\n\r\n")
	header := s.app.wants(t, 1)[0].header
	for _, name := range []string{"Ccpaymentology", "X-Ccpayment-Type", "Ccpayment", "Idempotency-Key", "Sign"} {
		if header.Get(name) != "kept" {
			t.Errorf("the app got no %s", name)
		}
	}
}

// TestForgedHeadersOnErrors: some requests are answered by a site's error
// routes alone, which may lead to the app as well.
func TestForgedHeadersOnErrors(t *testing.T) {
	for name, handleErrors := range map[string]string{
		"without matcher": "handle_errors {\n reverse_proxy $APP\n}",
		"with matcher":    "handle_errors 5xx 4xx {\n reverse_proxy $APP\n}",
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, setup{site: "http://:$PORT {\n bind 127.0.0.1\n ccpayment_webhook /hook {\n confirm off\n }\n reverse_proxy $APP\n" + handleErrors + "\n}"})
			lines := "Connection: close\r\nContent-Length: 0\r\n" + strings.Join(forged, "\r\n") + "\r\n\r\n"
			s.send(strings.Repeat("A", 33) + " /hook HTTP/1.1\r\nHost: shop.example\r\n" + lines)
			s.send("POST /hook HTTP/1.1\r\nHost: ...\r\n" + lines)
			for _, got := range s.app.wants(t, 2) {
				wantsNothingForged(t, got)
			}
		})
	}
}
