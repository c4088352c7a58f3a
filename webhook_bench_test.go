package ccpayment_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	ccpayment "github.com/seed-338f6760/caddy-ccpayment"
)

// BenchmarkWebhook is what one webhook costs in the handler, with a ledger on the disk:
// without reading and writing HTTP, and with an app that takes no time. As many come at
// once as the program in test/bench has connections, so they share commits.
func BenchmarkWebhook(b *testing.B) {
	const passThrough, appIsDown = "", "127.0.0.1:1"
	b.Run("Fresh", func(b *testing.B) {
		h := provision(b, passThrough)
		h.run(b, func(n int) []*http.Request { return h.requests(n, secret) })
	})
	b.Run("Copy", func(b *testing.B) {
		h := provision(b, passThrough)
		first := h.records
		h.serve(b, h.requests(atOnce, secret))
		h.run(b, func(n int) []*http.Request {
			h.records = first
			return h.requests(min(n, atOnce), secret)
		})
	})
	b.Run("Forged", func(b *testing.B) {
		h := provision(b, passThrough)
		h.status = http.StatusUnauthorized
		h.run(b, func(n int) []*http.Request { return h.requests(n, "a guess") })
	})
	b.Run("Acknowledged", func(b *testing.B) {
		h := provision(b, appIsDown)
		h.run(b, func(n int) []*http.Request { return h.requests(n, secret) })
	})
}

const (
	connections = 64
	// atOnce is how many requests are made ahead, while no time is taken.
	atOnce = 2048
)

// provisioned is a handler of a running Caddy.
type provisioned struct {
	handler caddyhttp.MiddlewareHandler
	server  *caddyhttp.Server
	records int
	status  int // that the webhooks are to be answered with
}

// provision runs Caddy with the directive, until the benchmark ends.
func provision(b *testing.B, upstream string) *provisioned {
	b.Helper()
	s := setup{
		site: "http://shop.example {\n bind unix/$DIR/caddy.sock\n ccpayment_webhook /hook " + upstream + " {\n confirm off\n token bench-token\n }\n}",
	}
	caddyfile := strings.ReplaceAll(s.caddyfile(), "$DIR", b.TempDir())
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(strings.ReplaceAll(caddyfile, "level DEBUG", "level INFO")), nil)
	if err != nil {
		b.Fatal(err)
	}
	if err := caddy.Load(config, true); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			b.Error(err)
		}
	})
	app, err := caddy.ActiveContext().App("http")
	if err != nil {
		b.Fatal(err)
	}
	for _, server := range app.(*caddyhttp.App).Servers {
		if handler := findWebhook(server.Routes); handler != nil {
			return &provisioned{handler: handler, server: server, status: http.StatusOK}
		}
	}
	b.Fatal("there is no ccpayment_webhook")
	return nil
}

func findWebhook(routes caddyhttp.RouteList) caddyhttp.MiddlewareHandler {
	for _, route := range routes {
		for _, handler := range route.Handlers {
			switch handler := handler.(type) {
			case *ccpayment.Webhook:
				return handler
			case *caddyhttp.Subroute:
				if found := findWebhook(handler.Routes); found != nil {
					return found
				}
			}
		}
	}
	return nil
}

// requests returns n webhooks, each of an event of its own, as they come to a handler.
func (h *provisioned) requests(n int, secret string) []*http.Request {
	all := make([]*http.Request, n)
	for i := range all {
		h.records++
		d := delivery{secret: secret, body: deposit(fmt.Sprintf("20250116%024d", h.records), "Success")}.withDefaults()
		r, err := http.NewRequest(d.method, "http://shop.example"+d.path, io.NopCloser(strings.NewReader(d.body)))
		if err != nil {
			panic(err)
		}
		r.ContentLength, r.RequestURI, r.RemoteAddr = int64(len(d.body)), d.path, "192.0.2.1:4711"
		r.Header = http.Header{
			"Content-Type": {"application/json"}, "User-Agent": {"CCPayment"},
			"Appid": {d.appID}, "Timestamp": {d.timestamp}, "Sign": {d.sign()},
		}
		all[i] = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), nil, h.server)
	}
	return all
}

// run serves webhooks until there were as many as the benchmark asks for.
func (h *provisioned) run(b *testing.B, requests func(n int) []*http.Request) {
	b.ReportAllocs()
	b.ResetTimer()
	for left := b.N; left > 0; {
		b.StopTimer()
		all := requests(min(left, atOnce))
		b.StartTimer()
		h.serve(b, all)
		left -= len(all)
	}
}

// serve serves all the requests, over so many connections.
func (h *provisioned) serve(b *testing.B, all []*http.Request) {
	var next atomic.Int64
	var senders sync.WaitGroup
	for range min(connections, len(all)) {
		senders.Go(func() {
			w := &answer{header: make(http.Header)}
			for i := next.Add(1) - 1; i < int64(len(all)); i = next.Add(1) - 1 {
				w.reset()
				if err := h.handler.ServeHTTP(w, all[i], takesAll); err != nil || w.status != h.status {
					b.Errorf("answered %d %q, %v", w.status, w.body.Bytes(), err)
					return
				}
			}
		})
	}
	senders.Wait()
}

// takesAll is an app that says yes.
var takesAll = caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
})

// answer takes what a handler answers.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *answer) reset() {
	clear(w.header)
	w.status = 0
	w.body.Reset()
}

func (w *answer) Header() http.Header         { return w.header }
func (w *answer) WriteHeader(status int)      { w.status = status }
func (w *answer) Write(p []byte) (int, error) { return w.body.Write(p) }
