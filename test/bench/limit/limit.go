// Package limit is the least that a receiver of webhooks can do: it reads and verifies
// each, and acknowledges it once its bytes are on the disk, by a sync that those which
// come at the same time share. It recognises no copy, delivers nothing, and cannot find
// what it has written.
package limit

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/seed-338f6760/caddy-ccpayment/client"
)

func init() {
	caddy.RegisterModule(new(Handler))
	httpcaddyfile.RegisterHandlerDirective("bench_limit", parse)
	httpcaddyfile.RegisterDirectiveOrder("bench_limit", httpcaddyfile.Before, "respond")
}

// Handler receives CCPayment's webhooks.
type Handler struct {
	AppID     string `json:"app_id"`
	AppSecret string `json:"app_secret"`
	// File is where they are appended.
	File string `json:"file"`

	hmac *client.HMAC
	log  log
}

// CaddyModule returns the Caddy module information.
func (*Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.bench_limit", New: func() caddy.Module { return new(Handler) }}
}

// parse reads the directive. Syntax:
//
//	bench_limit <app_id> <app_secret> <file>
func parse(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	handler := new(Handler)
	return handler, handler.UnmarshalCaddyfile(h.Dispenser)
}

// UnmarshalCaddyfile implements caddyfile.Unmarshaler.
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume the directive's name
	if !d.AllArgs(&h.AppID, &h.AppSecret, &h.File) {
		return d.ArgErr()
	}
	return nil
}

// Provision opens the file.
func (h *Handler) Provision(caddy.Context) (err error) {
	if h.hmac, err = client.NewHMAC(client.Credentials{AppID: h.AppID, AppSecret: h.AppSecret}); err != nil {
		return err
	}
	h.log.file, err = os.OpenFile(h.File, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	return err
}

// Cleanup closes the file.
func (h *Handler) Cleanup() error {
	if h.log.file == nil {
		return nil
	}
	return h.log.file.Close()
}

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<10))
	if err != nil {
		return caddyhttp.Error(http.StatusBadRequest, err)
	}
	signed, err := client.ReadSignatureHeaders(r.Header)
	if err != nil {
		return caddyhttp.Error(http.StatusBadRequest, err)
	}
	if signed.AppID != h.AppID || !h.hmac.Matches(signed.Timestamp, body, signed.Sign) {
		return caddyhttp.Error(http.StatusUnauthorized, client.ErrHeaders)
	}
	if err := h.log.commit(signed.Timestamp, signed.Sign, string(body)); err != nil {
		return caddyhttp.Error(http.StatusServiceUnavailable, err)
	}
	const yes = "Success"
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(yes)))
	_, _ = io.WriteString(w, yes) // the sender is gone
	return nil
}

// log is a file to which those who come while it is synced are appended together.
type log struct {
	file *os.File

	mu     sync.Mutex
	next   *group // gathers while another is synced
	isBusy bool
}

type group struct {
	bytes []byte
	done  chan struct{}
	err   error
}

// commit returns when the texts are on the disk.
func (l *log) commit(texts ...string) error {
	l.mu.Lock()
	g := l.next
	if g == nil {
		g = &group{done: make(chan struct{})}
		l.next = g
	}
	for _, text := range texts {
		g.bytes = append(g.bytes, text...)
	}
	if !l.isBusy {
		l.isBusy = true
		go l.run()
	}
	l.mu.Unlock()
	<-g.done
	return g.err
}

func (l *log) run() {
	for g := l.take(); g != nil; g = l.take() {
		if _, g.err = l.file.Write(g.bytes); g.err == nil {
			g.err = l.file.Sync()
		}
		if g.err != nil {
			g.err = fmt.Errorf("writing the log: %w", g.err)
		}
		close(g.done)
	}
}

func (l *log) take() *group {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.next
	l.next, l.isBusy = nil, g != nil
	return g
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddy.CleanerUpper          = (*Handler)(nil)
	_ caddyfile.Unmarshaler       = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
