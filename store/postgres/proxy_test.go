package postgres

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/postgrestest"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// proxy stands between a store and its server, and cuts connections.
type proxy struct {
	listener net.Listener
	// cut, if not 0, has the next connections that the client sends on cut: before the
	// server gets what is sent, or when it answers.
	cut atomic.Int32
	// left is how many more connections are cut.
	left atomic.Int32
	// silent: nothing passes.
	silent atomic.Bool
	// stalls: of the next batch that the client sends the end does not pass, nor does
	// anything later on its connection. The server sees it open.
	stalls atomic.Bool

	closed chan struct{}

	mu    sync.Mutex
	conns []net.Conn
	// watch, if set, returns what is told of all that the client of a new connection sends.
	watch func() io.Writer
}

const (
	beforeTheServer = 1
	beforeTheAnswer = 2

	// shortBatch is longer than what connections say to begin and to end, and
	// syncLength is how long the message is by which a batch ends.
	shortBatch = 100
	syncLength = 5
)

// tell has what clients of new connections send be told.
func (p *proxy) tell(watch func() io.Writer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watch = watch
}

func newProxy(t testing.TB, server *postgrestest.Server) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: listener, closed: make(chan struct{})}
	t.Cleanup(func() {
		close(p.closed)
		listener.Close()
		p.cutAll()
	})
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			upstream, err := net.Dial("tcp", "127.0.0.1:"+server.Port)
			if err != nil {
				client.Close()
				continue
			}
			p.mu.Lock()
			p.conns = append(p.conns, client, upstream)
			watched := io.Discard
			if p.watch != nil {
				watched = p.watch()
			}
			p.mu.Unlock()
			var isCut atomic.Bool
			go p.pass(upstream, client, func(sent []byte) bool {
				_, _ = watched.Write(sent)
				if len(sent) > shortBatch && p.stalls.CompareAndSwap(true, false) {
					_, _ = upstream.Write(sent[:len(sent)-syncLength])
					<-p.closed
					return false
				}
				// What a step writes has its checksum and the like: it is long.
				if p.cut.Load() == 0 || len(sent) < 8 || p.left.Add(-1) < 0 {
					return true
				}
				if p.cut.Load() == beforeTheAnswer {
					isCut.Store(true)
					return true
				}
				return false
			})
			go p.pass(client, upstream, func([]byte) bool { return !isCut.Load() })
		}
	}()
	return p
}

func (p *proxy) pass(to, from net.Conn, passes func([]byte) bool) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		for p.silent.Load() {
			time.Sleep(10 * time.Millisecond)
		}
		if n > 0 && !passes(buffer[:n]) {
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
		if errors.Is(err, io.EOF) || err != nil {
			return
		}
	}
}

func (p *proxy) cutAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range p.conns {
		conn.Close()
	}
	p.conns = nil
}

func (p *proxy) url() string {
	return fmt.Sprintf("postgres://test@%s/postgres?sslmode=disable", p.listener.Addr())
}

// cutNext cuts the next connection that is used.
func (p *proxy) cutNext(how int32) {
	p.left.Store(1)
	p.cut.Store(how)
}

// one is a change of a new event.
func one(id string, states ...ledger.State) ledger.Change {
	c := received(id)
	for i, state := range states {
		step := ledger.Transition{At: c.Event.ReceivedAt, State: state}
		if i > 0 || state != ledger.Received {
			step.Attempt, step.Seq = 1, 1
		}
		c.Transitions = append(c.Transitions, step)
	}
	return c
}

func acceptOnce(c ledger.Change) func(*ledger.Event) *ledger.Change {
	return func(known *ledger.Event) *ledger.Change {
		if known != nil {
			return nil
		}
		return &c
	}
}

// TestLostConnection: a step whose connection is lost has an outcome that is unknown,
// unless it may be run again. Then it is.
func TestLostConnection(t *testing.T) {
	server := postgrestest.Shared(t)
	for how, name := range map[int32]string{beforeTheServer: "BeforeTheServer", beforeTheAnswer: "BeforeTheAnswer"} {
		t.Run(name, func(t *testing.T) {
			p := newProxy(t, server)
			schema := server.Schema(t)
			s := member(t, Options{URL: p.url(), Schema: schema, NoListen: true, MaxConns: 1})
			direct := member(t, Options{URL: server.URL(), Schema: schema, NoListen: true})
			id := func(step string) ledger.Key { return received(step).Event.Key }
			isKnown := func(step string, want bool) {
				t.Helper()
				if how == beforeTheServer {
					want = false
				}
				deadline := time.Now().Add(10 * time.Second)
				for {
					_, err := direct.Load(bg, id(step))
					if (err == nil) == want {
						return
					}
					if time.Now().After(deadline) || !errors.Is(err, ledger.ErrNotFound) && err != nil {
						t.Errorf("%s: %v, want it known: %t", step, err, want)
						return
					}
					time.Sleep(10 * time.Millisecond)
				}
			}
			lost := func(step string, err error) {
				t.Helper()
				if !errors.Is(err, ledger.ErrUnknown) {
					t.Errorf("%s: %v, want %v", step, err, ledger.ErrUnknown)
				}
			}
			// cut cuts the connection once its statements are prepared.
			n := 0
			cut := func() {
				t.Helper()
				p.cut.Store(0)
				for range 3 {
					n++
					warm := fmt.Sprint("warm", n)
					if err := s.Accept(bg, id(warm), acceptOnce(one(warm))); err != nil {
						t.Fatal(err)
					}
				}
				p.cutNext(how)
			}

			cut()
			lost("Accept", s.Accept(bg, id("accept"), acceptOnce(one("accept"))))
			isKnown("accept", true)
			if err := s.Accept(bg, id("accept"), acceptOnce(one("accept"))); err != nil {
				t.Errorf("the copy: %v", err)
			}

			cut()
			claim, err := s.Claim(bg, id("commit").Record, time.Minute)
			if err != nil {
				t.Fatalf("Claim: %v", err)
			}
			cut()
			lost("Commit", s.Commit(bg, claim, []ledger.Change{one("commit", ledger.Delivering, ledger.Delivered)}))
			isKnown("commit", true)
			// Whatever became of it, it can be said again under the next claim.
			cut()
			if err := s.Unlock(bg, claim); err != nil {
				t.Errorf("Unlock: %v", err)
			}
			if claim, err = s.Claim(bg, id("commit").Record, time.Minute); err != nil {
				t.Fatal(err)
			}
			c := one("commit", ledger.Delivering, ledger.Delivered)
			if len(claim.Events) > 0 {
				c.Transitions = c.Transitions[1:]
			}
			if err := s.Commit(bg, claim, []ledger.Change{c}); err != nil {
				t.Error(err)
			}

			bind := func(name string) error {
				claim, err := s.Claim(bg, id(name).Record, time.Minute)
				if err != nil {
					t.Fatal(err)
				}
				if name == "bind" {
					p.cutNext(how)
				}
				_, err = s.Bind(bg, claim, one(name), []ledger.Flag{ledger.CreditOf(id(name).Record)})
				return err
			}
			p.cut.Store(0)
			if err := bind("warm bind"); err != nil {
				t.Fatal(err)
			}
			err = bind("bind")
			lost("Bind", err)
			isKnown("bind", true)
			cut()
			lost("UpdateOrder", updateUnread(s, p, how))

			for read, ask := range map[string]func() error{
				"Load":   func() error { _, err := s.Load(bg, id("warm1")); return err },
				"List":   func() error { _, err := s.List(bg, ledger.Query{Limit: 5}); return err },
				"Counts": func() error { _, err := s.Counts(bg); return err },
				"Keep":   func() error { _, err := s.Keep(bg, ledger.Session{}, nil); return err },
				"Take":   func() error { _, err := s.Take(bg, "webhook", time.Minute, 1); return err },
				"Spend":  func() error { _, err := s.Spend(bg, "a", time.Second, 9); return err },
				"Prune":  func() error { _, err := s.Prune(bg, time.Now(), 1); return err },
			} {
				cut()
				if err := ask(); err != nil {
					t.Errorf("%s is not asked again: %v", read, err)
				}
			}
		})
	}
}

// updateUnread updates an order, and has the connection cut after it was read.
func updateUnread(s *Store, p *proxy, how int32) error {
	p.cut.Store(0)
	id := ledger.OrderID{AppID: "a", ID: "1"}
	return s.UpdateOrder(bg, id, func(o *ledger.Order) {
		o.OrderID = id
		p.cutNext(how)
	})
}

// TestIdleConnectionsDie: what happens to connections that nobody uses does not put a
// step's outcome in doubt.
func TestIdleConnectionsDie(t *testing.T) {
	server := postgrestest.Shared(t)
	schema := server.Schema(t)
	s := member(t, Options{URL: server.URL(), Schema: schema})
	for i := range 5 {
		var wg sync.WaitGroup
		for j := range 20 {
			wg.Go(func() {
				c := one(fmt.Sprint(i, "-", j))
				if err := s.Accept(bg, c.Event.Key, acceptOnce(c)); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		server.Exec(t, `select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1`, "caddy-ccpayment "+schema)
		time.Sleep(100 * time.Millisecond) // until the connections have heard of it
	}
	if list, err := s.Counts(bg); err != nil || len(list) != 1 || list[0].N != 100 {
		t.Errorf("counted %v, %v", list, err)
	}
}

// TestKilledUnderLoad: whatever was acknowledged while connections were killed and the
// server crashed is there, and what was not may be accepted again.
func TestKilledUnderLoad(t *testing.T) {
	server := postgrestest.Start(t)
	s := member(t, Options{URL: server.URL(), Schema: "killed"})
	stopped := make(chan struct{})
	stop := sync.OnceFunc(func() { close(stopped) })
	var wg sync.WaitGroup
	var mu sync.Mutex
	acknowledged := make(map[string]bool)
	unknown, n := 0, 0
	// more waits until more are acknowledged.
	more := func(when string) {
		t.Helper()
		mu.Lock()
		before := n
		mu.Unlock()
		eventually(t, "nothing is acknowledged "+when, func() bool {
			mu.Lock()
			defer mu.Unlock()
			return n >= before+20
		})
	}
	for g := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stopped:
					return
				default:
				}
				name := fmt.Sprint(g, "-", i)
				c := one(name)
				err := s.Accept(bg, c.Event.Key, acceptOnce(c))
				mu.Lock()
				acknowledged[name] = err == nil
				if err == nil {
					n++
				}
				if errors.Is(err, ledger.ErrUnknown) {
					unknown++
				}
				mu.Unlock()
				if err != nil {
					time.Sleep(10 * time.Millisecond)
				}
			}
		})
	}
	defer wg.Wait()
	defer stop()
	for range 5 {
		more("between two cuts")
		server.Exec(t, `select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'caddy-ccpayment%'`)
	}
	server.Kill()
	if err := server.Run(); err != nil {
		t.Fatal(err)
	}
	more("after the crash")
	stop()
	wg.Wait()
	for name, is := range acknowledged {
		_, err := s.Load(bg, received(name).Event.Key)
		if is && err != nil {
			t.Errorf("%s was acknowledged: %v", name, err)
		}
		if !is && !errors.Is(err, ledger.ErrNotFound) && err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d of %d were acknowledged, of %d it is unknown", n, len(acknowledged), unknown)
	if _, err := s.Keep(bg, ledger.Session{}, nil); err != nil {
		t.Error(err)
	}
}

// TestNobodyWaitsLong: a database that does not answer keeps no caller for longer than
// its patience, and the steps that it left are not begun later.
func TestNobodyWaitsLong(t *testing.T) {
	server := postgrestest.Shared(t)
	p := newProxy(t, server)
	schema := server.Schema(t)
	s := member(t, Options{URL: p.url(), Schema: schema, NoListen: true, patience: 3 * time.Second})
	p.silent.Store(true)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	for i := range 20 {
		wg.Go(func() {
			c := one(fmt.Sprint(i))
			err := s.Accept(bg, c.Event.Key, acceptOnce(c))
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, err)
		})
	}
	began := time.Now()
	wg.Wait()
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("they waited %s", took)
	}
	for _, err := range errs {
		if !errors.Is(err, errStuck) {
			t.Errorf("%v", err)
		}
	}
	if !slices.ContainsFunc(errs, func(err error) bool { return strings.Contains(fmt.Sprint(err), "not answer") }) {
		t.Errorf("%v", errs)
	}
	p.silent.Store(false)
	deadline := time.Now().Add(10 * time.Second)
	for {
		c := one("after")
		if err := s.Accept(bg, c.Event.Key, acceptOnce(c)); err == nil {
			break
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
