package cli

import (
	"errors"
	"fmt"
	"os"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/seed-338f6760/caddy-ccpayment/internal/adminapi"
	"github.com/seed-338f6760/caddy-ccpayment/internal/subcommand"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

func replayCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "replay <id>… | replay --state dead [--since 3h] [--dry-run]",
		Short: "Hands events over again, with the same Idempotency-Key",
		Long: `
Hands events over again, with the same Idempotency-Key: those whose ids are
given, or all that the filters select. Filters without --state select dead
events only. With --dry-run nothing happens, and it says how many they are.

On a route without deliver there is nothing to hand over: CCPayment is asked to
send the record again.`,
	}
	addEventFilters(cmd)
	cmd.Flags().String("reason", "by hand", "Why, for the event's history")
	cmd.Flags().Bool("dry-run", false, "Only count what the filters select")
	addJSONFlag(cmd)
	return serverCommand(cmd, func(admin *adminapi.Client, fl caddycmd.Flags) error {
		if err := noAccount(fl); err != nil {
			return err
		}
		filter, err := givenFilter(fl)
		if err != nil {
			return err
		}
		if fl.NArg() == 0 {
			return replayAll(admin, fl, filter)
		}
		filter.Route = "" // which tells apart events of one id
		if filter != (adminapi.Filter{}) || fl.Bool("dry-run") {
			return subcommand.Fail(exitUsage, "give either ids, or filters and --dry-run")
		}
		return takeSteps(admin, "replay", fl, adminapi.Step{Reason: fl.String("reason")})
	})
}

func releaseCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "release <id>… --reason <text> [--accept]",
		Short: "Lets held events go on to the app",
		Long: `
Lets held events go on: they are confirmed with CCPayment again, and handed over
if nothing holds them any more. One that is still risky is held again, unless you
accept it; then the app gets it, but it never fulfils its order.`,
	}
	cmd.Flags().Bool("accept", false, "Hand it over as it is, without a flag")
	return stepCommand(cmd, "release", func(fl caddycmd.Flags) adminapi.Step {
		return adminapi.Step{Reason: fl.String("reason"), Accept: fl.Bool("accept")}
	})
}

func discardCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "discard <id>… --reason <text> [--force]",
		Short: "Throws events away for ever",
		Long: `
Throws events away: the app never gets them, and nothing brings them back. One
that carries Ccpayment-Fulfill, or another flag that no other event will carry,
is discarded only with --force: its order is then yours to settle by hand.`,
	}
	cmd.Flags().Bool("force", false, "Discard it although it carries a flag")
	return stepCommand(cmd, "discard", func(fl caddycmd.Flags) adminapi.Step {
		return adminapi.Step{Reason: fl.String("reason"), Force: fl.Bool("force")}
	})
}

// stepCommand makes a command that needs ids and a reason.
func stepCommand(cmd *cobra.Command, step string, read func(caddycmd.Flags) adminapi.Step) *cobra.Command {
	cmd.Flags().String("reason", "", "Why, for the event's history; required")
	cmd.Flags().String("route", "", "Name of the route, where an event came on several")
	addJSONFlag(cmd)
	return serverCommand(cmd, func(admin *adminapi.Client, fl caddycmd.Flags) error {
		if err := noAccount(fl); err != nil {
			return err
		}
		s := read(fl)
		if fl.NArg() == 0 || s.Reason == "" {
			return subcommand.Fail(exitUsage, "give the ids of events, and --reason: caddy ccpayment events list shows the ids")
		}
		return takeSteps(admin, step, fl, s)
	})
}

// takeSteps takes each of the events through a step. One that is refused does not
// keep the others from theirs.
func takeSteps(admin *adminapi.Client, name string, fl caddycmd.Flags, s adminapi.Step) error {
	var failed error
	for _, id := range fl.Args() {
		if err := takeStep(admin, name, id, fl, s); err != nil {
			var exit *subcommand.ExitError
			if !errors.As(err, &exit) || exit.Code != exitRefused {
				return err
			}
			if fl.NArg() > 1 {
				fmt.Fprintf(os.Stderr, "%s: %v\n", printable(id), err)
				err = subcommand.Fail(exitRefused, "not every event could be taken through it: see above")
			}
			failed = err
		}
	}
	return failed
}

func takeStep(admin *adminapi.Client, name, id string, fl caddycmd.Flags, s adminapi.Step) error {
	answer, err := admin.Step(name, id, fl.String("route"), s)
	if err != nil {
		return advise(err, "caddy ccpayment events list shows the ids and states")
	}
	return printAnswer(fl, answer, printStep)
}

func printStep(result adminapi.StepResult) {
	text := "is " + result.State.String()
	switch {
	case result.Resent != nil:
		text = fmt.Sprintf("is due, and waits for its next copy: CCPayment was asked to send %d", *result.Resent)
	case result.Warning != "":
		text = result.Warning
	case result.State == ledger.Retrying:
		text = "is due now"
	}
	fmt.Printf("%s %s\n", result.ID, printable(text))
}

// replayAll replays the events that the filter selects.
func replayAll(admin *adminapi.Client, fl caddycmd.Flags, filter adminapi.Filter) error {
	if filter == (adminapi.Filter{}) {
		return subcommand.Fail(exitUsage, "give the ids of events, or select some: --state dead selects all that are dead")
	}
	answer, err := admin.ReplayAll(adminapi.ReplayAll{Filter: filter, Reason: fl.String("reason"), DryRun: fl.Bool("dry-run")})
	if err != nil {
		return err
	}
	result, err := answer.Read()
	if err != nil {
		return err
	}
	switch {
	case fl.Bool("json"):
		printRaw(answer)
	case fl.Bool("dry-run"):
		fmt.Printf("%d would be replayed.\n", result.Matched)
	default:
		fmt.Printf("%d of %d are replayed.\n", result.Replayed, result.Matched)
		for _, warning := range result.Warnings {
			fmt.Fprintln(os.Stderr, printable(warning))
		}
	}
	if !fl.Bool("dry-run") && result.Replayed < result.Matched {
		return subcommand.Fail(exitRefused, "%d of %d could not be replayed: caddy ccpayment events show <id> tells more",
			result.Matched-result.Replayed, result.Matched)
	}
	return nil
}
