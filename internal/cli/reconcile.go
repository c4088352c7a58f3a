package cli

import (
	"fmt"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/seed-338f6760/caddy-ccpayment/internal/adminapi"
	"github.com/seed-338f6760/caddy-ccpayment/internal/subcommand"
)

func reconcileCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reconcile [--account <name>] [--since 3h] [--dry-run]",
		Short: "Has the Caddy that runs look for records of which no webhook came",
		Long: `
Compares the gateway's records with the ledger, now, and has the app told of those of
which no webhook came, as the Caddy that runs does by itself every 15 minutes. Records
that are older than the ledger are told with --since only, because an older
integration has dealt with them: look at them first, with --dry-run.

The exit code is 3 while a record is missing.`,
	}
	cmd.Flags().String("since", "", "Look at records since then: "+adminapi.TimeForms+zoneNote)
	cmd.Flags().Bool("dry-run", false, "Tell nobody, and show what is missing")
	addJSONFlag(cmd)
	cmd.AddCommand(dismissCommand())
	return serverCommand(cmd, func(admin *adminapi.Client, fl caddycmd.Flags) error {
		if err := noArguments(fl); err != nil {
			return err
		}
		since, err := adminapi.ReadTime("--since", fl.String("since"), time.Now())
		if err != nil {
			return subcommand.Fail(exitUsage, "%w", err)
		}
		ask := adminapi.Reconcile{DryRun: fl.Bool("dry-run")}
		if !since.IsZero() {
			ask.Since = since.UTC().Format(time.RFC3339Nano)
		}
		if account := fl.String("account"); account != "" {
			ask.Account = &account
		}
		answer, err := admin.Reconcile(ask)
		if err != nil {
			return err
		}
		found, err := answer.Read()
		if err != nil {
			return err
		}
		if err := printAnswer(fl, answer, printLooks); err != nil {
			return err
		}
		return lookedError(found)
	})
}

func dismissCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dismiss <record id> --reason <text> [--account <name>]",
		Short: "Has a record that is missing waited for no more, because you have settled it",
	}
	cmd.Flags().String("reason", "", "Why, for the log")
	addJSONFlag(cmd)
	return serverCommand(cmd, func(admin *adminapi.Client, fl caddycmd.Flags) error {
		switch {
		case fl.NArg() != 1:
			return subcommand.Fail(exitUsage, "name one record by its id: caddy ccpayment reconcile shows those that are missing")
		case fl.String("reason") == "":
			return subcommand.Fail(exitUsage, "say why with --reason, for the log")
		}
		answer, err := admin.Dismiss(adminapi.Dismiss{Account: fl.String("account"), RecordID: fl.Arg(0), Reason: fl.String("reason")})
		if err != nil {
			return advise(err, "caddy ccpayment reconcile shows the ids and accounts")
		}
		return printAnswer(fl, answer, printLooks)
	})
}

// lookedError is the error of looks that found something missing, or broke off.
func lookedError(found adminapi.Reconciled) error {
	missing := 0
	for _, look := range found.Accounts {
		if look.LastError != "" {
			return subcommand.Fail(exitUnreachable, "the look at the %s account broke off, and the next one goes on: %s", accountLabel(look.Account), look.LastError)
		}
		missing += len(look.Missing)
	}
	if missing > 0 {
		return subcommand.Fail(exitRefused, "records are missing: %d", missing)
	}
	return nil
}

func printLooks(found adminapi.Reconciled) {
	t := table{{"ACCOUNT", "FROM", "TO", "RECORDS", "NOT OURS", "TOLD", "MISSING", "UNFINISHED"}}
	missing := table{{"RECORD", "TYPE", "STATUS", "ORDER", "MADE", "WHY"}}
	for _, l := range found.Accounts {
		t.add(accountLabel(l.Account), localTime(l.From), localTime(l.To), fmt.Sprint(l.Records), fmt.Sprint(l.NotOurs),
			fmt.Sprint(l.Told), fmt.Sprint(len(l.Missing)), fmt.Sprint(l.Unfinished))
		for _, m := range l.Missing {
			missing.add(m.RecordID, m.Type, m.Status, m.GatewayOrderID, localTime(m.MadeAt), m.Why)
		}
	}
	t.print()
	if len(missing) > 1 {
		fmt.Println()
		missing.print()
	}
}
