package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	appBody     = "ok"
	respondBody = "a plain answer of Caddy's own, about as long as that of a checkout, so that what is sent is much the same"
	bigSize     = 100 << 20
)

// zeros is an endless file.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// app is the app behind Caddy: it reads the body and responds 200.
type app struct {
	net.Listener
	events   atomic.Int64 // that were delivered to it
	arrivals sync.Map     // when each record's event arrived, while watched is set
	watched  atomic.Bool
}

func startApp() (*app, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	a := &app{Listener: listener}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if id := r.Header.Get("Ccpayment-Record-Id"); id != "" {
			a.events.Add(1)
			if a.watched.Load() {
				a.arrivals.Store(id, time.Now())
			}
		}
		if r.URL.Path == "/big" {
			_, _ = io.CopyN(w, zeros{}, bigSize) // whoever downloads counts
			return
		}
		_, _ = io.WriteString(w, appBody) // the proxy is gone: its response is checked
	})}
	go func() { _ = server.Serve(listener) }() // ends with the listener
	return a, nil
}

// caddyfile has the sites that are compared, side by side in one process: plain,
// pass-through, and store-and-forward with an app and without one; and what Caddy can do
// at all, without looking at a webhook and with the least that has to be done. They keep as
// many connections to the app as there can be: Caddy's default is 32, and what
// is not measured here is how fast it dials. Nor is CCPayment's API, which
// confirming would ask about every event.
const caddyfile = `{
	admin {$BENCH_ADMIN}
	auto_https off
	ccpayment {
		app_id ` + appID + `
		app_secret ` + appSecret + `
		base_url {$BENCH_API}
		{$BENCH_STORE}
	}
}
(app) {
	reverse_proxy {$BENCH_APP} {
		transport http {
			keepalive_idle_conns_per_host 1024
		}
	}
}
http://:{$BENCH_PLAIN} {
	bind 127.0.0.1
	import app
}
http://:{$BENCH_WEBHOOK} {
	bind 127.0.0.1
	ccpayment_webhook /hook {
		confirm off
		token bench-token
	}
	import app
}
http://:{$BENCH_STORED} {
	bind 127.0.0.1
	ccpayment_webhook /hook {
		confirm off
		route stored
		token bench-token
		deliver {
			import app
		}
	}
	import app
}
http://:{$BENCH_RESPOND} {
	bind 127.0.0.1
	respond "` + respondBody + `"
}
http://:{$BENCH_CHECKOUT} {
	bind 127.0.0.1
	ccpayment_checkout {
		price 10
		order_id bench-order
		limit off
	}
}
http://:{$BENCH_INTERCEPT} {
	bind 127.0.0.1
	ccpayment_checkout
	import app
}
http://:{$BENCH_REFUSE} {
	bind 127.0.0.1
	respond "` + refusal + `" 401
}
http://:{$BENCH_DOWN} {
	bind 127.0.0.1
	ccpayment_webhook /hook 127.0.0.1:1 {
		confirm off
		route down
		token bench-token
	}
	import app
}
`

// limitSite is in the Caddy of the benchmark: earlier ones do not have its handler.
const limitSite = `http://:{$BENCH_LIMIT} {
	bind 127.0.0.1
	bench_limit ` + appID + ` ` + appSecret + ` {$BENCH_LIMIT_FILE}
}
`

// server is the Caddy that is measured.
type server struct {
	binary                       string
	dir                          string // its ledger, log and data; removed at the end
	admin                        string
	plain, webhook               string // the addresses of the sites
	stored, down                 string
	respond, checkout, intercept string
	refuse, limit                string
	cmd                          *exec.Cmd
	ended                        chan struct{}
	took                         time.Duration // to start
}

// startServer returns once the sites respond. Where a ledger's file is named, it is
// moved to be the server's; where a database is, the ledger is there.
func (b *bench) startServer(ctx context.Context, binary, ledger, database string) (s *server, err error) {
	dir, err := os.MkdirTemp(b.ledgerDir, "bench-")
	if err != nil {
		return nil, err
	}
	s = &server{binary: binary, dir: dir, ended: make(chan struct{})}
	defer func() {
		if err != nil {
			log, _ := os.ReadFile(filepath.Join(dir, "log"))
			err = fmt.Errorf("%w\n%s", err, log)
			_ = s.stop() // what went wrong is known already
		}
	}()
	if ledger != "" {
		if err := os.Rename(ledger, s.ledger()); err != nil {
			return s, err
		}
	}
	ports, err := freePorts(10)
	if err != nil {
		return s, err
	}
	s.admin, s.plain, s.webhook = "127.0.0.1:"+ports[0], "127.0.0.1:"+ports[1], "127.0.0.1:"+ports[2]
	s.stored, s.down = "127.0.0.1:"+ports[3], "127.0.0.1:"+ports[4]
	s.respond, s.checkout, s.intercept = "127.0.0.1:"+ports[5], "127.0.0.1:"+ports[6], "127.0.0.1:"+ports[7]
	s.refuse, s.limit = "127.0.0.1:"+ports[8], "127.0.0.1:"+ports[9]
	store := "store bolt {\n path " + s.ledger() + "\n}"
	if database != "" {
		store = "store postgres {\n url " + database + "\n}"
	}
	config := filepath.Join(dir, "Caddyfile")
	sites := caddyfile
	if binary == b.caddy {
		sites += limitSite
	}
	if err := os.WriteFile(config, []byte(sites), 0o600); err != nil {
		return s, err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return s, err
	}
	defer log.Close() // the process has a handle of its own
	cmd := exec.Command(binary, "run", "--config", config, "--adapter", "caddyfile")
	cmd.Env = append(os.Environ(),
		"BENCH_ADMIN="+s.admin, "BENCH_PLAIN="+ports[1], "BENCH_WEBHOOK="+ports[2], "BENCH_STORED="+ports[3], "BENCH_DOWN="+ports[4], "BENCH_APP="+b.app.Addr().String(),
		"BENCH_RESPOND="+ports[5], "BENCH_CHECKOUT="+ports[6], "BENCH_INTERCEPT="+ports[7], "BENCH_API="+b.api,
		"BENCH_REFUSE="+ports[8], "BENCH_LIMIT="+ports[9], "BENCH_LIMIT_FILE="+filepath.Join(dir, "limit"),
		"BENCH_STORE="+store, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return s, err
	}
	s.cmd = cmd
	go func() {
		_ = cmd.Wait() // why it ended is in its log
		close(s.ended)
	}()
	started := time.Now()
	err = s.ready(ctx)
	s.took = time.Since(started)
	return s, err
}

func (s *server) ledger() string { return filepath.Join(s.dir, "ledger.db") }

// target is one of its sites.
func (s *server) target(name, addr string) *target {
	t := &target{name: name, addr: addr, processes: processes{s.cmd.Process.Pid}, yes: yes, later: addr == s.stored}
	if addr == s.plain {
		t.yes = plainYes
	}
	return t
}

func (s *server) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for _, addr := range []string{s.plain, s.webhook} {
		for {
			response, err := http.Get("http://" + addr + "/")
			if err == nil {
				response.Body.Close()
				break
			}
			select {
			case <-ticker.C:
			case <-s.ended:
				return fmt.Errorf("%s ended", s.binary)
			case <-ctx.Done():
				return fmt.Errorf("waiting for %s: %w", s.binary, ctx.Err())
			}
		}
	}
	return nil
}

func (s *server) stop() error {
	if s.cmd != nil {
		_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
		select {
		case <-s.ended:
		case <-time.After(10 * time.Second):
			_ = s.cmd.Process.Kill()
			<-s.ended
		}
	}
	return os.RemoveAll(s.dir)
}

// profile writes a CPU profile of the time that follows.
func (s *server) profile(file string, duration time.Duration) error {
	response, err := http.Get(fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", s.admin, max(1, int(duration.Seconds()))))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var text bytes.Buffer
	if _, err := io.Copy(&text, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("profile: %s: %s", response.Status, text.String())
	}
	return os.WriteFile(file, text.Bytes(), 0o600)
}

// freePorts holds all the ports until it has enough, so that no two are equal.
func freePorts(n int) ([]string, error) {
	var ports []string
	for range n {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer listener.Close()
		_, port, err := net.SplitHostPort(listener.Addr().String())
		if err != nil {
			return nil, err
		}
		ports = append(ports, port)
	}
	return ports, nil
}
