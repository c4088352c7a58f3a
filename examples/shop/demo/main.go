// Command demo shows the shop example at work: it starts the shop, Caddy and the
// sandbox instead of CCPayment and CoinPayments, plays the buyers, and compares what each saw
// with what was promised.
// It ends with 0 only if all of it was so.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
)

func main() {
	caddy := flag.String("caddy", "bin/caddy", "the Caddy to run, with the plugin in it")
	config := flag.String("config", "Caddyfile.example", "its configuration")
	cluster := flag.Bool("cluster", false, "three Caddys on one PostgreSQL, of which two are killed")
	flag.Parse()

	// With SIGPIPE and SIGHUP among them, a closed pipe or window also leads to
	// the clean-up below instead of leaving Caddy and the shop behind.
	ctx, stop := signal.NotifyContext(context.Background(),
		os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	defer stop()
	play := run
	if *cluster {
		play = runCluster
		*config = clusterConfig
	}
	if err := play(ctx, *caddy, *config); err != nil {
		fmt.Fprintf(os.Stderr, "\ndemo: %v\n", err)
		os.Exit(1)
	}
}

// demo is the stage: three processes, and what is needed to talk to them.
type demo struct {
	credentials client.Credentials
	coins       coinpayments.Credentials
	token       string
	dir         string // everything the processes write; removed at the end
	sitePort    string
	siteURL     string
	shopAddr    string
	adminAddr   string
	sandboxAddr string
	http        *http.Client
	ccpayment   *client.Client

	sandbox *process
	caddy   *process
	shop    *process

	mu     sync.Mutex
	orders map[string]placed // by the name that the steps have for them
}

func run(ctx context.Context, caddy, config string) (err error) {
	for _, file := range []string{caddy, config} {
		if _, err := os.Stat(file); err != nil {
			return fmt.Errorf("%w\nrun make build first, and the demo from the top of the repository", err)
		}
	}
	d, err := newDemo()
	if err != nil {
		return err
	}
	defer func() {
		if err != nil && ctx.Err() == nil {
			d.showLogs()
		}
		err = errors.Join(err, d.close())
	}()

	fmt.Println("building the shop, and starting it behind Caddy, with a sandbox for both gateways ...")
	if err := d.start(ctx, caddy, config); err != nil {
		return err
	}
	if err := d.play(ctx, steps()); err != nil {
		return err
	}
	if err := d.playCoins(ctx); err != nil {
		return err
	}
	if isTerminal(os.Stdin) && isTerminal(os.Stdout) {
		return d.stay(ctx)
	}
	return nil
}

func newDemo() (*demo, error) {
	ports, err := freePorts(4)
	if err != nil {
		return nil, fmt.Errorf("finding free ports: %w", err)
	}
	dir, err := os.MkdirTemp("", "ccpayment-demo-")
	if err != nil {
		return nil, err
	}
	// Fifty deliveries at once are to find fifty connections.
	transport := &http.Transport{MaxIdleConnsPerHost: 100}
	return &demo{
		credentials: client.Credentials{AppID: "demo-" + rand.Text()[:8], AppSecret: rand.Text()},
		coins:       coinpayments.Credentials{ClientID: fmt.Sprintf("%032x", []byte(rand.Text()[:16])), ClientSecret: rand.Text()},
		token:       rand.Text(),
		dir:         dir,
		sitePort:    ports[0],
		siteURL:     "http://" + net.JoinHostPort(loopback, ports[0]),
		shopAddr:    net.JoinHostPort(loopback, ports[1]),
		adminAddr:   net.JoinHostPort(loopback, ports[2]),
		sandboxAddr: net.JoinHostPort(loopback, ports[3]),
		orders:      make(map[string]placed),
		http:        &http.Client{Transport: transport, Timeout: 20 * time.Second},
	}, nil
}

const loopback = "127.0.0.1"

// freePorts holds all the ports until it has enough, so that no two are equal.
func freePorts(n int) ([]string, error) {
	var ports []string
	for range n {
		listener, err := net.Listen("tcp", net.JoinHostPort(loopback, "0"))
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

// start returns once a request through Caddy reaches the shop.
func (d *demo) start(ctx context.Context, caddy, config string) error {
	if err := d.buildShop(ctx); err != nil {
		return err
	}
	if err := d.startShop(ctx); err != nil {
		return err
	}
	if err := d.startSandbox(ctx, caddy); err != nil {
		return err
	}
	var err error
	d.caddy, err = startProcess("Caddy", filepath.Join(d.dir, "caddy.log"), []string{
		"CCPAYMENT_APP_ID=" + d.credentials.AppID,
		"CCPAYMENT_APP_SECRET=" + d.credentials.AppSecret,
		"CCPAYMENT_BASE_URL=" + d.apiURL(),
		"COINPAYMENTS_CLIENT_ID=" + d.coins.ClientID,
		"COINPAYMENTS_CLIENT_SECRET=" + d.coins.ClientSecret,
		"COINPAYMENTS_BASE_URL=http://" + d.sandboxAddr + "/coinpayments",
		"SHOP_TOKEN=" + d.token,
		"SHOP_BIND=" + loopback,
		"SHOP_URL=" + d.siteURL,
		"SHOP_LISTEN=:" + d.sitePort,
		"SHOP_UPSTREAM=" + d.shopAddr,
		"CADDY_ADMIN=" + d.adminAddr,
		"XDG_DATA_HOME=" + d.dir, // the ledger
		"XDG_CONFIG_HOME=" + d.dir,
	}, caddy, "run", "--config", config, "--adapter", "caddyfile")
	if err != nil {
		return err
	}
	return d.caddy.until(ctx, 30*time.Second, d.answers(d.siteURL+"/events"))
}

func (d *demo) buildShop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "go", "build", "-o", d.shopBinary(), "./examples/shop").CombinedOutput()
	if err != nil {
		return fmt.Errorf("building the shop: %w\n%s", err, out)
	}
	return nil
}

func (d *demo) shopBinary() string { return filepath.Join(d.dir, "shop") }

func (d *demo) startShop(ctx context.Context) error {
	var err error
	d.shop, err = startProcess("the shop", filepath.Join(d.dir, "shop.log"), []string{
		"SHOP_TOKEN=" + d.token,
		"SHOP_LISTEN_APP=" + d.shopAddr,
		"SHOP_JOURNAL=" + filepath.Join(d.dir, "journal.jsonl"),
		"SHOP_WORK=250ms", // long enough for a crowd to arrive while the first is at work
	}, d.shopBinary())
	if err != nil {
		return err
	}
	return d.shop.until(ctx, 10*time.Second, d.answers("http://"+d.shopAddr+"/events"))
}

// answers reports whether a GET of the URL is answered with 200.
func (d *demo) answers(url string) func(context.Context) bool {
	return func(ctx context.Context) bool {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return false
		}
		response, err := d.http.Do(request)
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	}
}

// stay keeps everything running, for a look around, until it is interrupted.
func (d *demo) stay(ctx context.Context) error {
	fmt.Printf(`
All is as promised. Caddy, the shop and the sandbox stay up: be a buyer.

  the shop, through Caddy   %[1]s
  what it was told          %[1]s/inbox
  the sandbox's orders      http://%[2]s
  how the ledger stands     http://%[3]s/ccpayment/status

Ctrl-C ends it.
`, d.siteURL, d.sandboxAddr, d.adminAddr)
	select {
	case <-ctx.Done():
		return nil
	case <-d.caddy.ended:
	case <-d.shop.ended:
	case <-d.sandbox.ended:
	}
	// Ctrl-C reaches the two processes as well, and they may be the quicker.
	select {
	case <-ctx.Done():
		return nil
	case <-time.After(time.Second):
		return errors.New("a process ended by itself")
	}
}

// showLogs prints what the processes said last.
func (d *demo) showLogs() {
	for _, p := range []*process{d.caddy, d.shop, d.sandbox} {
		if p != nil {
			p.printTail(20)
		}
	}
}

// close stops what runs and removes what was written. Who calls goes first, so
// that nobody finds the other gone.
func (d *demo) close() error {
	d.sandbox.stop()
	d.caddy.stop()
	d.shop.stop()
	return os.RemoveAll(d.dir)
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }
