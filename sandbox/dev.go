package sandbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-338f6760/caddy-ccpayment/internal/subcommand"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox/coinpayments"
)

func init() { subcommand.Register(newDevCommand) }

// dev is Caddy and a sandbox in front of an app on this machine.
type dev struct {
	to, listen, gateway string
	print               bool

	sandbox string // its address
	admin   string // that of Caddy's admin endpoint
	dir     string // everything that Caddy writes; removed at the end
}

func newDevCommand() *cobra.Command {
	var d dev
	cmd := &cobra.Command{
		Use:   "dev --to <host:port> [--listen <address>] [--gateway <name>] | dev --print-caddyfile [--to <host:port>] [--gateway <name>]",
		Short: "Runs Caddy and a sandbox in front of an app on this machine",
		Long: `
Runs Caddy with everything in it that takes payments, and the sandbox in the
gateway's place, in front of an app on this machine. Needs no Caddyfile, no
account and no money; all is forgotten when it ends. It prints what becomes of
each order: made, paid, handed over, fulfilled.

--gateway is ccpayment or coinpayments: the app is the same for each.

The app answers 402 with an order, and gets POST /hook when it is paid. Its
token is SHOP_TOKEN from the environment, or else "dev".

--print-caddyfile prints the Caddyfile for going live, and ends.

Exit codes: 0 done, 2 wrong usage, 4 an address cannot be had.`,
		SilenceUsage: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return subcommand.Fail(subcommand.ExitUsage, "unknown argument %q", args[0])
			}
			if err := d.check(); err != nil {
				return &subcommand.ExitError{Code: subcommand.ExitUsage, Err: err}
			}
			if d.print {
				_, err := io.WriteString(cmd.OutOrStdout(), d.liveCaddyfile())
				return err
			}
			return d.run(cmd.Context(), cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&d.to, "to", "", "Address of the app, such as localhost:3000")
	cmd.Flags().StringVar(&d.listen, "listen", ":8080", "Address to listen on; without a host, 127.0.0.1")
	cmd.Flags().StringVar(&d.gateway, "gateway", gatewayName, "Payment gateway: "+strings.Join(devGatewayNames(), " or "))
	cmd.Flags().BoolVar(&d.print, "print-caddyfile", false, "Print the Caddyfile for going live, and end")
	return cmd
}

// check refuses what cannot stand in a Caddyfile as an address, and a gateway that there
// is none of.
func (d *dev) check() error {
	if _, ok := devGateways[d.gateway]; !ok {
		return fmt.Errorf("--gateway %q: must be %s", d.gateway, strings.Join(devGatewayNames(), " or "))
	}
	for _, flag := range []struct {
		name string
		text *string
	}{{"to", &d.to}, {"listen", &d.listen}} {
		if d.print && *flag.text == "" {
			*flag.text = "localhost:3000"
		}
		host, port, err := net.SplitHostPort(strings.TrimPrefix(*flag.text, "http://"))
		if err != nil || port == "" || strings.ContainsAny(host+port, " \t\r\n\"'`{}/\\,") {
			return fmt.Errorf("--%s %q: must be a host and a port, such as localhost:3000", flag.name, *flag.text)
		}
		*flag.text = net.JoinHostPort(cmp.Or(host, "127.0.0.1"), port)
	}
	if local, err := loopback(d.listen); err != nil || !local {
		return fmt.Errorf("--listen %s: others could reach it, and this is for one machine", d.listen)
	}
	_, port, _ := net.SplitHostPort(d.to)
	if local, err := loopback(d.to); err == nil && local && port == d.port() && !d.print {
		return fmt.Errorf("--to and --listen are both port %s of this machine: the app and Caddy need one each", port)
	}
	return nil
}

// run serves until the context or a signal ends it.
func (d *dev) run(ctx context.Context, out io.Writer) (err error) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	// From then on a second signal ends the process at once.
	context.AfterFunc(ctx, stop)

	if d.dir, err = os.MkdirTemp("", "ccpayment-dev-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(d.dir)) }()
	// Caddy would share the port with another that has it already.
	if d.admin, err = freeAddress(ctx, d.listen); err != nil {
		return subcommand.Fail(subcommand.ExitUnreachable, "%w: end what has it, or choose another with --listen", err)
	}
	told := &steps{out: out}
	box, err := New(Options{
		AppID: os.Getenv("CCPAYMENT_APP_ID"), AppSecret: os.Getenv("CCPAYMENT_APP_SECRET"), Logger: told.ofSandbox(),
		WebhookURL: d.hook(),
		CoinPayments: coinpayments.Options{
			ClientID: os.Getenv("COINPAYMENTS_CLIENT_ID"), ClientSecret: os.Getenv("COINPAYMENTS_CLIENT_SECRET"),
		},
	})
	if err != nil {
		return &subcommand.ExitError{Code: subcommand.ExitUsage, Err: err}
	}
	defer box.Close()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return subcommand.Fail(subcommand.ExitUnreachable, "the sandbox: %w", err)
	}
	d.sandbox = listener.Addr().String()

	// What ends first ends the other, too.
	ctx, end := context.WithCancel(ctx)
	defer end()
	served := make(chan error, 1)
	go func() {
		served <- box.serve(ctx, listener)
		end()
	}()
	err = d.runCaddy(ctx, box, out, told)
	end()
	return errors.Join(err, <-served)
}

// runCaddy runs this very program as Caddy: the sandbox itself stays free of Caddy.
func (d *dev) runCaddy(ctx context.Context, box *Sandbox, out io.Writer, told *steps) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if err := os.WriteFile(d.config(), []byte(d.caddyfile()), 0o600); err != nil {
		return err
	}
	caddy := exec.CommandContext(ctx, self, "run", "--config", d.config(), "--adapter", "caddyfile")
	caddy.Cancel = func() error { return caddy.Process.Signal(syscall.SIGTERM) }
	caddy.WaitDelay = 10 * time.Second
	at := devGateways[d.gateway]
	id, secret := at.credentials(box)
	caddy.Env = append(os.Environ(), at.idName+"="+id, at.secretName+"="+secret, "SHOP_TOKEN="+devToken(),
		"XDG_DATA_HOME="+d.dir, "XDG_CONFIG_HOME="+d.dir)
	log, err := caddy.StdoutPipe()
	if err != nil {
		return err
	}
	problems := &tail{}
	caddy.Stderr = problems
	if err := caddy.Start(); err != nil {
		return err
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		told.follow(log)
	}()
	if d.waitForCaddy(ctx, read) {
		d.introduce(ctx, out, box)
	}
	<-read           // before Wait, which closes the pipe
	_ = caddy.Wait() // its state says more
	if ctx.Err() != nil {
		return nil
	}
	return subcommand.Fail(subcommand.ExitUnreachable, "Caddy ended (%s):\n%s", caddy.ProcessState, problems)
}

// freeAddress returns an address for the admin endpoint, if the given one is
// free, too.
func freeAddress(ctx context.Context, listen string) (string, error) {
	taken, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
	if err != nil {
		return "", err
	}
	defer taken.Close()
	free, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer free.Close()
	return free.Addr().String(), nil
}

// waitForCaddy reports whether Caddy is ready, and not gone.
func (d *dev) waitForCaddy(ctx context.Context, gone <-chan struct{}) bool {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Second}
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+d.listen+"/status", nil)
		if err != nil {
			return false
		}
		// Without a token ccpayment_status says 404, and it names its server.
		if answer, err := client.Do(request); err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusNotFound && answer.Header.Get("Server") == "Caddy" {
				return true
			}
		}
		select {
		case <-gone:
			return false
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
}

func devToken() string { return cmp.Or(os.Getenv("SHOP_TOKEN"), "dev") }

// introduce prints what one needs to begin.
func (d *dev) introduce(ctx context.Context, out io.Writer, box *Sandbox) {
	token := `the text "dev"; set SHOP_TOKEN to choose another`
	if os.Getenv("SHOP_TOKEN") != "" {
		token = "that of SHOP_TOKEN"
	}
	at := devGateways[d.gateway]
	fmt.Fprintf(out, `Open http://%[1]s: that is your app, at %[2]s, behind Caddy.

  to be paid    answer 402 with JSON: {"order_id":"order-1","price":"49.90","currency":"USD","return_url":"http://%[1]s/thanks"}
  when paid     your app gets POST /hook with Ccpayment-Order-Id and Ccpayment-Fulfill: true
  the token     comes with it as "Authorization: Bearer …": %[3]s
  is it paid?   http://%[1]s/status?t=…, with the t that return_url gets
  the sandbox   http://%[4]s shows all orders, and plays the buyers
  the ledger    caddy ccpayment events list --address %[5]s
%[6]s

Ctrl-C ends it; all is forgotten then.

`, d.listen, d.to, token, d.sandbox, d.admin, at.introduction(d, box))
	dialer := net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", d.to)
	if err != nil {
		fmt.Fprintf(out, "Nobody answers at %s yet: start your app there.\n\n", d.to)
		return
	}
	_ = conn.Close()
}

// caddyfile is what dev runs.
func (d *dev) caddyfile() string {
	return fmt.Sprintf(`{
	admin %[7]s
	persist_config off
	auto_https off
	grace_period 1s
	log default {
		output stderr
		level ERROR
		exclude %[1]s
	}
	log steps {
		output stdout
		format json
		level DEBUG
		include %[1]s
	}
	ccpayment {
		%[2]s
		webhook_url %[3]s
		store bolt {
			path %[4]q
		}
	}
}
http://:%[8]s {
	bind %[5]s
	%[6]s
	# What is wrong with a checkout, instead of an empty page. A shop has a page of its own.
	handle_errors {
		@checkout expression {http.ccpayment.cause} != null
		respond @checkout "{err.status_code} {err.status_text}: {http.ccpayment.cause}"
		respond "{err.status_code} {err.status_text}: {err.message}"
	}
}
`, stepLoggers, fmt.Sprintf(devGateways[d.gateway].account, d.apiURL()), d.hook(), filepath.Join(d.dir, "ledger.db"), d.bind(), d.site("\n\t"),
		d.admin, d.port())
}

// config is the file with what dev runs, which the commands read.
func (d *dev) config() string { return filepath.Join(d.dir, "Caddyfile") }

// hook is where webhooks go.
func (d *dev) hook() string { return "http://" + d.listen + "/hook" }

// apiURL is where the sandbox has the gateway's API.
func (d *dev) apiURL() string { return "http://" + d.sandbox + devGateways[d.gateway].api }

func (d *dev) port() string {
	_, port, _ := net.SplitHostPort(d.listen)
	return port
}

// bind is where Caddy listens: without a host of one's choice both loopback
// addresses, because localhost may be either.
func (d *dev) bind() string {
	host, port, _ := net.SplitHostPort(d.listen)
	if host != "127.0.0.1" {
		return host
	}
	if taken, err := net.Listen("tcp", net.JoinHostPort("::1", port)); err == nil { //nolint:noctx // it is closed at once
		_ = taken.Close()
		return "127.0.0.1 ::1"
	}
	return host
}

// site is what is the same here and where it goes live.
func (d *dev) site(newLine string) string {
	return strings.Join([]string{
		"ccpayment_webhook /hook " + d.to + " {", "\ttoken {env.SHOP_TOKEN}", "}",
		"ccpayment_checkout",
		"ccpayment_status /status",
		"reverse_proxy " + d.to,
	}, newLine)
}

// liveCaddyfile is the same set-up with the gateway itself.
func (d *dev) liveCaddyfile() string {
	return devGateways[d.gateway].live + fmt.Sprintf("shop.example.com {\n\t%s\n}\n", d.site("\n\t"))
}
