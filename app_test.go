package ccpayment_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// TestAppHangs: an attempt ends when its time is over, before or after the
// first byte of a response.
func TestAppHangs(t *testing.T) {
	hangs := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for name, app := range map[string]http.HandlerFunc{
		"before the answer": hangs,
		"in the answer": func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).Flush()
			hangs(w, r)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, setup{app: app, webhook: "timeout 1s"})
			s.deliver(delivery{}).wants(t, http.StatusGatewayTimeout)
			s.app.answers(nil)
			s.deliver(delivery{}).wants(t, http.StatusOK)
			if got := s.app.wants(t, 2)[1].header.Get("Ccpayment-Attempt"); got != "2" {
				t.Errorf("the retry is attempt %s", got)
			}
		})
	}
}

// TestAppBreaksOff: half a response does not acknowledge an event.
func TestAppBreaksOff(t *testing.T) {
	for name, said := range map[string]string{
		"before the answer": "",
		"in the headers":    "HTTP/1.1 200 OK\r\nContent-Le",
		"in the body":       "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nSuccess",
		"in a chunk":        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nSuccess",
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, setup{app: func(w http.ResponseWriter, _ *http.Request) {
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				_, _ = conn.Write([]byte(said))
			}})
			s.deliver(delivery{}).wants(t, http.StatusBadGateway)
			s.app.answers(nil)
			s.deliver(delivery{}).wants(t, http.StatusOK)
		})
	}
}

// TestSecondUpstream: reverse_proxy may try another upstream, which gets all of
// the event too.
func TestSecondUpstream(t *testing.T) {
	s := start(t, setup{site: `http://:$PORT {
		bind 127.0.0.1
		ccpayment_webhook /hook {
			confirm off
		}
		reverse_proxy 127.0.0.1:1 $APP {
			lb_policy first
			lb_try_duration 5s
			lb_try_interval 1ms
			fail_duration 1m
		}
	}`})
	s.deliver(delivery{}).wants(t, http.StatusOK)
	got := s.app.wants(t, 1)[0]
	if got.body != deposit("r1", "Success") || got.header.Get("Ccpayment-Attempt") != "1" {
		t.Errorf("the app got %+v", got)
	}
}

// TestYes: which responses of the app acknowledge an event.
func TestYes(t *testing.T) {
	says := func(code int, texts ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			for _, text := range texts {
				_, _ = w.Write([]byte(text))
				_ = http.NewResponseController(w).Flush()
			}
		}
	}
	long := strings.Repeat("x ", 32<<10)
	tests := []struct {
		name, ack string
		app       http.HandlerFunc
		want      int
	}{
		{"200", "", says(200), http.StatusOK},
		{"202", "", says(202), http.StatusOK},
		{"204", "", says(204), http.StatusOK},
		{"302", "", says(302), http.StatusBadGateway},
		{"early hints and 200", "", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(103); w.WriteHeader(200) }, http.StatusOK},
		{"early hints and 500", "", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(103); w.WriteHeader(500) }, http.StatusBadGateway},
		{"text", "ack taken", says(200, `{"order":"taken"}`), http.StatusOK},
		{"text in parts", "ack taken", says(200, "ta", "k", "en"), http.StatusOK},
		{"no text", "ack taken", says(200, "no"), http.StatusBadGateway},
		{"no body", "ack taken", says(204), http.StatusBadGateway},
		{"text, but 500", "ack taken", says(500, "taken"), http.StatusBadGateway},
		{"text at the end of 64 KiB", "ack taken", says(200, long[5:], "taken"), http.StatusOK},
		{"text beyond 64 KiB", "ack taken", says(200, long[4:], "taken"), http.StatusBadGateway},
		{"much else", "", says(200, long, long, long), http.StatusOK},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := start(t, setup{app: test.app, webhook: test.ack})
			s.deliver(delivery{}).wants(t, test.want)
			s.app.wants(t, 1)
		})
	}
}

// panics is a handler that panics while its switch is on.
type panics struct{}

var panicking struct {
	sync.Mutex
	on bool
}

func setPanicking(on bool) {
	panicking.Lock()
	defer panicking.Unlock()
	panicking.on = on
}

func init() {
	caddy.RegisterModule(panics{})
	httpcaddyfile.RegisterHandlerDirective("test_panic", func(httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		return panics{}, nil
	})
}

func (panics) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.test_panic", New: func() caddy.Module { return new(panics) }}
}

func (panics) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	panicking.Lock()
	on := panicking.on
	panicking.Unlock()
	if on {
		panic("a handler's mistake")
	}
	return next.ServeHTTP(w, r)
}

// TestPanicBehindUs: a handler's panic does not acknowledge the event, and blocks no
// later copy.
func TestPanicBehindUs(t *testing.T) {
	s := start(t, setup{site: `http://:$PORT {
		bind 127.0.0.1
		route {
			ccpayment_webhook /hook {
				confirm off
			}
			test_panic
			reverse_proxy $APP
		}
	}`})
	setPanicking(true)
	if reply, err := s.tryDeliver(delivery{}); err == nil {
		t.Errorf("answer %+v", reply)
	}
	setPanicking(false)
	s.deliver(delivery{}).wants(t, http.StatusOK)
	header := s.app.wants(t, 1)[0].header
	if header.Get("Ccpayment-Attempt") != "1" || header.Get("Ccpayment-Attempt-Reason") != "initial" {
		t.Errorf("attempt %s, %s", header.Get("Ccpayment-Attempt"), header.Get("Ccpayment-Attempt-Reason"))
	}
}
