//go:build cluster

package cluster

import (
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/postgrestest"
	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/test/shop"
)

// proxy stands between a Caddy and the database.
type proxy struct {
	address, target string
	// silent: nothing passes, in either direction, and nobody is told. refuses: nobody
	// is connected.
	silent, refuses atomic.Bool
	// delay is how long each piece is on its way.
	delay atomic.Int64
	// budget is how many bytes still pass to the database until a connection is cut;
	// 0: none is. Its answer is lost.
	budget atomic.Int64

	mu    sync.Mutex
	conns map[net.Conn]bool
}

func startProxy(t *testing.T, database *postgrestest.Server) *proxy {
	t.Helper()
	p := &proxy{target: "127.0.0.1:" + database.Port, conns: make(map[net.Conn]bool)}
	listener := processtest.Listen(t, "127.0.0.1:"+processtest.Ports(t, 1)[0])
	p.address = listener.Addr().String()
	t.Cleanup(func() {
		listener.Close()
		p.silent.Store(false)
		p.cutAll()
	})
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go p.serve(client)
		}
	}()
	return p
}

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	if p.refuses.Load() {
		return
	}
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	p.mu.Lock()
	p.conns[client], p.conns[server] = true, true
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.conns, client)
		delete(p.conns, server)
	}()
	var isCut atomic.Bool // the database has what was sent, and its answer is lost
	var both sync.WaitGroup
	both.Go(func() {
		p.pass(server, client, func(piece []byte) []byte {
			if left := p.budget.Load(); left > 0 {
				n := int64(len(piece))
				if p.budget.CompareAndSwap(left, max(left-n, 0)) && left <= n {
					isCut.Store(true)
					return piece[:left]
				}
			}
			return piece
		})
	})
	both.Go(func() {
		p.pass(client, server, func(piece []byte) []byte {
			if isCut.Load() {
				return nil
			}
			return piece
		})
	})
	both.Wait()
}

// pass hands on what comes until the connection ends, or until nothing is to pass.
func (p *proxy) pass(to, from net.Conn, of func(piece []byte) []byte) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		for p.silent.Load() {
			<-time.After(10 * time.Millisecond)
		}
		if delay := time.Duration(p.delay.Load()); delay > 0 {
			<-time.After(delay)
		}
		piece := of(buffer[:n])
		if _, failure := to.Write(piece); failure != nil || err != nil || len(piece) < n {
			return
		}
	}
}

// cutAll resets all connections.
func (p *proxy) cutAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.conns {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		conn.Close()
	}
}

// TestNetwork cuts the connections between one Caddy and the database, and slows them
// down, under load. The proxy is in this process, which therefore has not much else to
// do: one at a time, and at a slower pace.
func TestNetwork(t *testing.T) {
	faults := map[string]func(p *proxy, flow func(int)){
		"black hole": func(p *proxy, flow func(int)) {
			p.silent.Store(true)
			<-time.After(20 * time.Second)
			flow(20)
			p.silent.Store(false)
		},
		"away": func(p *proxy, flow func(int)) {
			p.refuses.Store(true)
			p.cutAll()
			<-time.After(20 * time.Second)
			flow(20)
			p.refuses.Store(false)
		},
		"reset": func(p *proxy, flow func(int)) {
			for range 10 {
				p.cutAll()
				flow(5)
			}
		},
		"cut within what is sent": func(p *proxy, flow func(int)) {
			for range 30 {
				p.budget.Store(1 + rand.Int64N(5000))
				flow(3)
			}
			p.budget.Store(0)
		},
		"slow": func(p *proxy, flow func(int)) {
			p.delay.Store(int64(100 * time.Millisecond))
			flow(50)
			p.delay.Store(0)
		},
	}
	for name, fault := range faults {
		for _, m := range shop.Modes[:2] {
			t.Run(name+"/"+m.Name, func(t *testing.T) {
				database := postgrestest.Start(t)
				p := startProxy(t, database)
				s := newShop(t, m, database, func(o *shop.Options) {
					o.Pace = 50 * time.Millisecond
					o.Env = func(i int) []string {
						url := database.URL()
						if i == 0 {
							url = strings.Replace(url, p.target, p.address, 1)
						}
						return []string{"LEDGER=" + url}
					}
				})
				s.Start()
				enough := watchSpeed(t, s, database)
				end := s.Load()
				s.Flow(20)
				own := func() (n int) {
					for _, a := range inbox(t, s) {
						if a.Caddy == s.Caddys[0].Run {
							n++
						}
					}
					return n
				}
				processtest.Until(t, "the Caddy behind the proxy hands something over", func() bool { return own() > 0 })
				from := time.Now()
				fault(p, s.Flow)
				to := time.Now().Add(afterwards)
				s.Cut(s.Caddys[0].Run, from, to)
				s.Flow(20)
				end()
				s.Settle()
				enough()
				h := s.History()
				report := shop.Check(t, h)
				t.Logf("from %s to %s run %d was disturbed: %d events, %d attempts of which %d made again, %d at the Caddy behind the proxy",
					from.Format(time.StampMilli), to.Format(time.StampMilli), s.Caddys[0].Run, len(h.Events), len(h.Attempts), report.Again, own())
			})
		}
	}
}
