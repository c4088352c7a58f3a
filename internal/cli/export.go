package cli

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/seed-338f6760/caddy-ccpayment/internal/adminapi"
)

func exportEventsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export [--state <state>] [--since 3h] [--payments] [--format csv|jsonl]",
		Short: "Writes events, or the payments among them, as a file",
		Long: `
Writes all events that the filters select, newest first, as CSV or as one JSON
object a line. With --payments it writes those that are confirmed payments,
deposits and payouts, with their fees and what they are worth in US dollars.

    caddy ccpayment events export --since 30d --payments >payments.csv`,
	}
	addEventFilters(cmd)
	cmd.Flags().Bool("payments", false, "Only the payments, with fee and value")
	return exportCommand(cmd, func(fl caddycmd.Flags) (string, url.Values, error) {
		given, err := givenFilter(fl)
		what := "events"
		if fl.Bool("payments") {
			what = "payments"
		}
		return what, given.Values(), errors.Join(err, noAccount(fl))
	})
}

func exportOrdersCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export [--state <state>] [--account <name>] [--format csv|jsonl]",
		Short: "Writes orders as a file",
	}
	addOrderFilters(cmd)
	return exportCommand(cmd, func(fl caddycmd.Flags) (string, url.Values, error) {
		query, err := givenOrders(fl)
		return "orders", query, err
	})
}

// exportCommand makes a command that writes what a filter selects to the standard output.
func exportCommand(cmd *cobra.Command, read func(caddycmd.Flags) (string, url.Values, error)) *cobra.Command {
	cmd.Flags().String("format", adminapi.CSV, "csv, or jsonl: one JSON object a line")
	return serverCommand(cmd, func(admin *adminapi.Client, fl caddycmd.Flags) error {
		if err := noArguments(fl); err != nil {
			return err
		}
		what, query, err := read(fl)
		if err != nil {
			return err
		}
		query.Set("format", fl.String("format"))
		file, err := admin.Export(what, query)
		if err != nil {
			return err
		}
		defer file.Close()
		if _, err := io.Copy(os.Stdout, file); err != nil {
			return &adminapi.AnswerError{Err: fmt.Errorf("the export broke off, and what was written is a part of it: %w", err)}
		}
		return nil
	})
}
