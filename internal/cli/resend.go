package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/adminapi"
	"github.com/seed-338f6760/caddy-ccpayment/internal/subcommand"
)

// longestResend keeps a mistyped --since from asking for years, hour by hour.
const longestResend = 30 * 24 * time.Hour

func resendCommand(c Config) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "resend --since 3h [--type <type>] [--all]",
		Short: "Asks CCPayment to send webhooks again",
		Long: `
Asks CCPayment to send the webhooks again of all records since then: those that
were not acknowledged, or with --all the others too. What Caddy has handed over
already is acknowledged and not handed over again.

CCPayment is asked for one hour after the other, at most thirty days of them.`,
		Args: cobra.ArbitraryArgs,
	}
	cmd.Flags().String("since", "", "Since then: "+adminapi.TimeForms+zoneNote)
	cmd.Flags().String("type", "", "Only webhooks of this type, such as ApiDeposit")
	cmd.Flags().Bool("all", false, "Also webhooks that were acknowledged")
	cmd.Flags().Bool("json", false, `Print {"resent":n}`)
	cmd.RunE = runWith(c.resend)
	return cmd
}

func (c Config) resend(fl caddycmd.Flags) error {
	if err := noArguments(fl); err != nil {
		return err
	}
	now := time.Now()
	since, err := adminapi.ReadTime("--since", fl.String("since"), now)
	switch {
	case err != nil:
		return subcommand.Fail(exitUsage, "%w", err)
	case since.IsZero():
		return subcommand.Fail(exitUsage, "give --since, such as --since 3h")
	case since.After(now):
		return subcommand.Fail(exitUsage, "--since %s is still to come", fl.String("since"))
	case now.Sub(since) > longestResend:
		return subcommand.Fail(exitUsage, "--since goes back at most %d days", longestResend/(24*time.Hour))
	}
	resender, account, err := open[gateway.Resender](c, fl,
		"has no call that sends webhooks again: what was not acknowledged it repeats by itself")
	if err != nil {
		return subcommand.Fail(exitUsage, "%w", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	resent := 0
	for from := since; from.Before(now); from = from.Add(time.Hour) {
		n, err := resender.Resend(ctx, gateway.ResendRequest{
			From: from, To: earlier(from.Add(time.Hour), now), Unacknowledged: !fl.Bool("all"), Type: fl.String("type"),
		})
		resent += n
		if err != nil {
			fmt.Fprintf(os.Stderr, "%d were asked for until %s, where it broke off.\n", resent, localTime(from))
			return explainCall(account.Info.Title, "resend", err)
		}
	}
	if fl.Bool("json") {
		fmt.Printf("{\"resent\":%d}\n", resent)
	} else {
		fmt.Printf("%s sends %d again.\n", account.Info.Title, resent)
	}
	return nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
