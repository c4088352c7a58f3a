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
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-338f6760/caddy-ccpayment/internal/subcommand"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox/coinpayments"
)

// commandRate is how many calls a second the command allows before it answers
// 11004: far more than an app in development makes.
const commandRate = 100

// coinsRate is how many calls a second CoinPayments allows.
const coinsRate = 70

func init() { subcommand.Register(newCommand) }

type settings struct {
	listen, publicURL, webhook string
	speed                      uint
}

func newCommand() *cobra.Command {
	var set settings
	cmd := &cobra.Command{
		Use:   "sandbox [--listen <address>] [--public-url <url>] [--webhook <url>] [--speed <n>]",
		Short: "Runs a CCPayment and a CoinPayments on this machine, for development and tests",
		Long: `
Runs a CCPayment and a CoinPayments on this machine: the whole APIs, hosted
payment pages in the browser, and signed webhooks with their retries. No money
is involved, and all is forgotten when it ends.

The credentials are CCPAYMENT_APP_ID and CCPAYMENT_APP_SECRET, and
COINPAYMENTS_CLIENT_ID and COINPAYMENTS_CLIENT_SECRET, from the environment, or
are made at random and printed.

--speed divides the waiting times of retries and confirmations.

Exit codes: 0 done, 2 wrong usage, 4 the address cannot be had.`,
		SilenceUsage: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return subcommand.Fail(subcommand.ExitUsage, "unknown argument %q", args[0])
			}
			return set.run(cmd.Context(), cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&set.listen, "listen", "127.0.0.1:9580", "Address to listen on")
	cmd.Flags().StringVar(&set.publicURL, "public-url", "", "Base of links to hosted pages (default: as called)")
	cmd.Flags().StringVar(&set.webhook, "webhook", "", "Where webhooks go that have no notifyUrl")
	cmd.Flags().UintVar(&set.speed, "speed", 1, "Divides waiting times")
	return cmd
}

// run serves until the context or a signal ends it.
func (set settings) run(ctx context.Context, out io.Writer) error {
	local, err := loopback(set.listen)
	if err != nil {
		return subcommand.Fail(subcommand.ExitUsage, "--listen %s: %w", set.listen, err)
	}
	if !local && set.publicURL == "" {
		return subcommand.Fail(subcommand.ExitUsage,
			"--listen %s: others could reach it; listen on 127.0.0.1, or say with --public-url that this is meant", set.listen)
	}
	if set.speed == 0 {
		return subcommand.Fail(subcommand.ExitUsage, "--speed: must be 1 or more")
	}
	s, err := New(Options{
		AppID: os.Getenv("CCPAYMENT_APP_ID"), AppSecret: os.Getenv("CCPAYMENT_APP_SECRET"),
		WebhookURL: set.webhook, PublicURL: set.publicURL, Speed: set.speed,
		RateLimit: commandRate, Logger: newConsole(out),
		CoinPayments: coinpayments.Options{
			ClientID: os.Getenv("COINPAYMENTS_CLIENT_ID"), ClientSecret: os.Getenv("COINPAYMENTS_CLIENT_SECRET"),
			RateLimit: coinsRate,
		},
	})
	if err != nil {
		return &subcommand.ExitError{Code: subcommand.ExitUsage, Err: err}
	}
	defer s.Close()

	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	// From then on a second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", set.listen)
	if err != nil {
		return subcommand.Fail(subcommand.ExitUnreachable, "--listen %s: %w", set.listen, err)
	}
	s.introduce(out, "http://"+listener.Addr().String(), local)
	return s.serve(ctx, listener)
}

func (s *Sandbox) serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler: s, ReadHeaderTimeout: 10 * time.Second,
		BaseContext: func(net.Listener) context.Context { return s.engine.Context() },
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return &subcommand.ExitError{Code: subcommand.ExitUnreachable, Err: err}
	case <-ctx.Done():
	}
	s.Close() // calls that wait for something wait no longer
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := server.Shutdown(patience); err != nil {
		_ = server.Close()
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// loopback reports whether an address to listen on is reached from this machine
// only.
func loopback(address string) (bool, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false, err
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback(), nil
}

// credentials says how Caddy and the app get the credentials: the id and the secret of
// environment variables. A secret that was given is not shown.
func credentials(idName, id, secretName, secret string) string {
	if os.Getenv(secretName) != "" {
		return fmt.Sprintf("The id is %s, the secret that of %s.", id, secretName)
	}
	return fmt.Sprintf("The credentials, made for this run. For Caddy, and for the app if it calls the API:\n\n"+
		"  export %s=%s\n  export %s=%s", idName, id, secretName, secret)
}

// indented is a Caddyfile as the command prints it.
func indented(caddyfile string) string {
	lines := strings.ReplaceAll(strings.TrimSpace(caddyfile), "\t", "    ")
	return "  " + strings.ReplaceAll(lines, "\n", "\n  ")
}

// introduce prints what one needs to begin.
func (s *Sandbox) introduce(out io.Writer, base string, local bool) {
	gateways := s.gateways(base)
	fmt.Fprintf(out, `CCPayment sandbox on %[1]s

  API                       %[2]s
  API of CoinPayments       %[3]s/api
  orders, webhooks, pages   %[1]s

CCPayment. %[4]s

For `+"`caddy ccpayment call`, `doctor` and `resend`"+`, which else ask the real CCPayment:

  export CCPAYMENT_BASE_URL=%[2]s

In the Caddyfile:

%[5]s

To pay an order:

  curl %[1]s/sandbox/pay -d '{"order_id":"…","wait":true}'

CoinPayments. %[6]s

In the Caddyfile:

%[7]s

To pay an invoice:

  curl %[1]s/sandbox/coinpayments/pay -d '{"order_id":"…","wait":true}'

`, base, gateways[0].APIURL, gateways[1].APIURL,
		credentials("CCPAYMENT_APP_ID", s.AppID(), "CCPAYMENT_APP_SECRET", s.AppSecret()), indented(gateways[0].Caddyfile),
		credentials("COINPAYMENTS_CLIENT_ID", s.coins.ClientID(), "COINPAYMENTS_CLIENT_SECRET", s.coins.ClientSecret()),
		indented(gateways[1].Caddyfile))
	if s.opts.WebhookURL == "" {
		fmt.Fprintln(out, "CCPayment's webhooks go only where a notifyUrl says, for --webhook is not given.")
	}
	if !local || s.opts.PublicURL != "" {
		fmt.Fprintf(out, "Warning: whoever reaches %s controls this sandbox, and can have webhooks signed.\n",
			cmp.Or(s.opts.PublicURL, base))
	}
}
