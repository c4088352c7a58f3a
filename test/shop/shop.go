package shop

import (
	"cmp"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
	cpbox "github.com/seed-338f6760/caddy-ccpayment/sandbox/coinpayments"
	"github.com/seed-338f6760/caddy-ccpayment/test/history"
	"github.com/seed-338f6760/caddy-ccpayment/test/plot"
)

const (
	appID     = "test-app"
	appSecret = "test-secret"
	price     = 10 // of every order, in coins
	loopback  = "127.0.0.1"
)

var credentials = client.Credentials{AppID: appID, AppSecret: appSecret}

// The Caddyfile leaves to the environment what differs between two runs.
const (
	caddyfile = `{
	admin {$ADMIN}
	auto_https off
	persist_config off
	log {
		level WARN
	}
	ccpayment {
		ACCOUNT
		STORE
	}
}
http://127.0.0.1:{$PORT} {
	header X-Run {$CRASH_RUN}
	respond /ready 200
	ccpayment_webhook /hook {
		token test-token
		CONFIRM
		HANDOVER
	}
	SITE
	PROXY
}
`
	proxy = `reverse_proxy {$APP} {
			header_up X-Run {$CRASH_RUN}
		}`
	deliver = `deliver {
			` + proxy + `
		}
		retry {
			first 100ms
			max 500ms
		}`
)

// Mode is a way of delivery.
type Mode struct {
	Name          string
	PassesThrough bool
	// Trusts: nothing is confirmed with the gateway, and nothing fulfils.
	Trusts bool
	// Coins: the buyers pay at CoinPayments, and not at CCPayment.
	Coins bool
}

// Modes are all ways of delivery from CCPayment. In the first two Caddy asks it.
var Modes = []Mode{
	{Name: "pass-through", PassesThrough: true},
	{Name: "store-and-forward"},
	{Name: "pass-through, confirm off", PassesThrough: true, Trusts: true},
	{Name: "store-and-forward, confirm off", Trusts: true},
}

// AllModes are those of CCPayment, and then the same of CoinPayments.
func AllModes() []Mode {
	all := slices.Clone(Modes)
	for _, m := range Modes {
		m.Name, m.Coins = "CoinPayments, "+m.Name, true
		all = append(all, m)
	}
	return all
}

// Ledger is where the Caddys of a shop keep their ledger.
type Ledger struct {
	// Store is the option of the Caddyfile.
	Store string
	// Env is the environment that it needs; of one Caddy, which is counted from 0.
	Env func(caddy int) []string
	// Open opens it once all Caddys have ended.
	Open func() (ledger.Store, error)
	// Shared: several Caddys may share it.
	Shared bool
}

// Options are what a shop is made with.
type Options struct {
	Mode
	Ledger
	// Caddys is how many there are. Default: one.
	Caddys int
	// Under is a command that runs each Caddy, which is its last arguments, in its own
	// place.
	Under []string
	// Site is added to the Caddyfile's site.
	Site string
	// Pace is how often each buyer pays, if he may; copies come twice as often.
	// Default: 10 ms.
	Pace time.Duration
	// Backlog is how many events may wait for an acknowledgement before buyers wait.
	// Default: 40.
	Backlog int
}

// Caddy is one of the shop's.
type Caddy struct {
	*Process
	// Admin is the address of its admin endpoint, Address that of its site, and Hook
	// the webhook's URL.
	Admin, Address, Hook string
}

// Shop is one or several Caddys between an app with an inbox and a gateway whose retries
// come two hundred times as fast.
type Shop struct {
	Mode
	// Caddy is the first of the Caddys.
	Caddy  *Caddy
	Caddys []*Caddy
	App    *Process
	// Inbox is the app's file.
	Inbox string
	// Hook is where webhooks are sent. Where there are several Caddys, each goes to
	// one at random.
	Hook   string
	Box    *sandbox.Sandbox
	API    *client.Client
	Outbox *Outbox

	// Calls counts the Caddys' calls of the gateway's API by their path.
	Calls *Counter

	t       *testing.T
	gateway gateway
	open    atomic.Pointer[[]*Caddy] // those that get deliveries
	ledger  Ledger
	runs    runs // of all Caddys
	appRuns runs
	backlog int
	pace    time.Duration
	// rounds of sending again what was not acknowledged; one at a time.
	rounds      sync.WaitGroup
	isResending atomic.Bool
	// lies, if set, answers the Caddys' calls of the gateway's API.
	lies atomic.Pointer[http.HandlerFunc]
	// clockSet: the Caddys' clock was set.
	clockSet bool
	// happened is for the plot.
	happened []plot.Event

	mu     sync.Mutex
	paid   []string     // orders
	awaits []ledger.Key // what must be sent before all has settled
}

// New makes a shop, of which the app runs.
func New(t *testing.T, o Options) *Shop {
	t.Helper()
	o.Caddys = max(o.Caddys, 1)
	o.Backlog, o.Pace = cmp.Or(o.Backlog, 40), cmp.Or(o.Pace, 10*time.Millisecond)
	dir, ports := t.TempDir(), processtest.Ports(t, 1+2*o.Caddys)
	s := &Shop{
		t: t, Mode: o.Mode, ledger: o.Ledger, backlog: o.Backlog, pace: o.Pace, Outbox: newOutbox(), Calls: new(Counter), Inbox: filepath.Join(dir, "inbox"),
	}
	s.Hook = "http://" + net.JoinHostPort(loopback, ports[2]) + "/hook"
	url := s.startSandbox()
	confirm, background, rest := "confirm on", deliver, ""
	if o.Trusts {
		confirm = "confirm off"
	}
	if o.PassesThrough {
		background, rest = "", proxy
	}
	config := strings.NewReplacer("ACCOUNT", s.gateway.account(), "STORE", o.Store, "CONFIRM", confirm, "HANDOVER", background, "SITE", o.Site, "PROXY", rest)
	file := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(file, []byte(config.Replace(caddyfile)), 0o600); err != nil {
		t.Fatal(err)
	}
	app := net.JoinHostPort(loopback, ports[0])
	s.App = &Process{
		t: t, runs: &s.appRuns, args: []string{os.Args[0]}, ready: "http://" + app,
		env: []string{inboxVariable + "=" + s.Inbox, addressVariable + "=" + app},
	}
	for i := range o.Caddys {
		admin, address := net.JoinHostPort(loopback, ports[1+2*i]), net.JoinHostPort(loopback, ports[2+2*i])
		c := &Caddy{
			Admin: admin, Address: address, Hook: "http://" + address + "/hook",
			Process: &Process{
				t: t, runs: &s.runs, ready: "http://" + address + "/ready",
				args: append(slices.Clone(o.Under), binary, "run", "--config", file, "--adapter", "caddyfile"),
				env:  []string{"ADMIN=" + admin, "PORT=" + ports[2+2*i], "APP=" + app, "API=" + url, "HOOK=" + s.Hook, "XDG_DATA_HOME=" + dir, "XDG_CONFIG_HOME=" + dir},
			},
		}
		if o.Env != nil {
			c.env = append(c.env, o.Env(i)...)
		}
		s.Caddys = append(s.Caddys, c)
	}
	s.Caddy = s.Caddys[0]
	s.SendTo(s.Caddys...)
	if o.Caddys > 1 {
		s.Outbox.balance = func() string { return s.Any().Address }
	}
	t.Cleanup(func() {
		for _, p := range s.processes() {
			if p.Process != nil {
				p.Kill()
				if t.Failed() {
					p.keepLog()
					t.Logf("%s, run %d, ended with:\n%s", p.args[0], p.Run, p.Output.Tail())
				}
			}
		}
	})
	s.App.Start()
	return s
}

func (s *Shop) processes() (all []*Process) {
	for _, c := range s.Caddys {
		all = append(all, c.Process)
	}
	return append(all, s.App)
}

// Any returns one of the Caddys that get deliveries at random.
func (s *Shop) Any() *Caddy {
	all := *s.open.Load()
	return all[rand.IntN(len(all))]
}

// Kill ends some of the Caddys at once, as a power cut does that they share.
func (s *Shop) Kill(victims ...*Caddy) {
	s.t.Helper()
	for _, c := range victims {
		c.strike()
	}
	for _, c := range victims {
		c.Wait(s.t)
	}
}

// AnyUp returns one of the Caddys that have started at random, and waits for one.
func (s *Shop) AnyUp() (up *Caddy) {
	s.t.Helper()
	processtest.Until(s.t, "a Caddy has started", func() bool {
		up = s.Caddys[rand.IntN(len(s.Caddys))]
		return up.Responds()
	})
	return up
}

// AllUp waits until all Caddys have started.
func (s *Shop) AllUp() {
	s.t.Helper()
	for _, c := range s.Caddys {
		c.Answers(s.t, c.ready)
	}
}

// Revive starts the Caddys again that have ended by themselves, as a service manager does.
func (s *Shop) Revive() {
	s.t.Helper()
	for _, c := range s.Caddys {
		if c.Gone() {
			c.Died()
			c.Begin()
		}
	}
}

// SendTo has all deliveries be sent to these Caddys, from now on.
func (s *Shop) SendTo(some ...*Caddy) { s.open.Store(&some) }

// Counter counts by name.
type Counter struct {
	mu     sync.Mutex
	counts map[string]int
}

func (c *Counter) add(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = make(map[string]int)
	}
	c.counts[name]++
}

// Of returns how often what ends so was counted.
func (c *Counter) Of(suffix string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, times := range c.counts {
		if strings.HasSuffix(name, suffix) {
			n += times
		}
	}
	return n
}

// Start starts all Caddys.
func (s *Shop) Start() {
	s.t.Helper()
	for _, c := range s.Caddys {
		c.Begin()
	}
	s.AllUp()
}

// Cut notes that in this time a run of Caddy was cut off from its ledger; 0: all were.
func (s *Shop) Cut(run int, from, to time.Time) {
	s.runs.cut(history.Cut{Caddy: run, From: from, To: to})
}

// startSandbox plays the gateway, and returns where for the Caddys; buyers go elsewhere.
func (s *Shop) startSandbox() (url string) {
	s.t.Helper()
	box, err := sandbox.New(sandbox.Options{
		AppID: appID, AppSecret: appSecret, WebhookURL: s.Hook, Speed: 200,
		CoinPayments: cpbox.Options{ClientID: integration.ClientID, ClientSecret: integration.ClientSecret},
		HTTPClient:   &http.Client{Transport: s.Outbox, Timeout: 10 * time.Second},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	server, own := httptest.NewServer(s.answers(box)), httptest.NewServer(box)
	connections := client.NewHTTPClient()
	s.t.Cleanup(func() {
		server.Close()
		own.Close()
		box.Close()
		connections.CloseIdleConnections()
		s.Outbox.transport.CloseIdleConnections()
	})
	s.Box = box
	s.API, err = client.New(credentials, client.WithBaseURL(own.URL+"/ccpayment/v2"), client.WithHTTPClient(connections), client.WithTimeout(processtest.Patience))
	s.gateway = ccPayment{s}
	if err == nil && s.Coins {
		s.gateway, err = newCoinPayments(s, own.URL, connections)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.Outbox.gateway = s.gateway
	return server.URL
}
