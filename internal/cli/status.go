package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/seed-338f6760/caddy-ccpayment/internal/adminapi"
	"github.com/seed-338f6760/caddy-ccpayment/internal/subcommand"
)

func statusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Shows how the routes and the ledger of the Caddy that runs stand",
		Long: `
Shows of each route how many events are pending, held, dead and delivered, and
how long the oldest pending one has waited. A route that is unconfigured has
events in the ledger, and nobody hands them over. Of what was refused, because
the app did not take it or the ledger could not be used, it shows for how long
the gateway goes on trying.`,
	}
	addJSONFlag(cmd)
	return serverCommand(cmd, func(admin *adminapi.Client, fl caddycmd.Flags) error {
		if err := errors.Join(noArguments(fl), noAccount(fl)); err != nil {
			return err
		}
		answer, err := admin.Status()
		if err != nil {
			return err
		}
		return printAnswer(fl, answer, printStatus)
	})
}

func printStatus(s adminapi.Status) {
	t := table{{"ROUTE", "ACCOUNT", "MODE", "PENDING", "OLDEST", "HELD", "DEAD", "DELIVERED"}}
	for _, r := range s.Routes {
		account, oldest := accountLabel(r.Account), ""
		if r.Mode == adminapi.Unconfigured {
			account = "" // which one it was of, is not known
		}
		if r.Pending > 0 {
			oldest = time.Duration(r.OldestPendingSeconds * float64(time.Second)).Round(time.Second).String()
		}
		t.add(r.Route, account, string(r.Mode), fmt.Sprint(r.Pending), oldest,
			fmt.Sprint(r.Held), fmt.Sprint(r.Dead), fmt.Sprint(r.Delivered))
	}
	t.print()
	printRefused(s.Routes)
	if s.LedgerBytes > 0 {
		fmt.Printf("\nThe ledger has %s.\n", humanize.IBytes(uint64(s.LedgerBytes)))
	}
	if s.Store != nil {
		for _, care := range s.Store.Care {
			fmt.Printf("To be mended: %s.\n", printable(care))
		}
	}
	printMembers(s.Members)
	if s.LastConfirmedAt != nil {
		fmt.Printf("An event was last confirmed at %s.\n", localTime(*s.LastConfirmedAt))
	} else {
		fmt.Println("No event was confirmed since the configuration was loaded.")
	}
	printSecrets(s.Secrets)
}

// printRefused prints what is left of the gateways' own retries.
func printRefused(routes []adminapi.RouteStatus) {
	for _, r := range routes {
		switch {
		case r.Refused == 0:
		case r.RetriesLeftSeconds == nil:
			fmt.Printf("\n%s: %d refused, and for how long the gateway tries again is not known.\n", printable(r.Route), r.Refused)
		case *r.RetriesLeftSeconds == 0:
			fmt.Printf("\n%s: %d refused, and the gateway does not try the oldest any more: have it send again.\n", printable(r.Route), r.Refused)
		default:
			left := time.Duration(*r.RetriesLeftSeconds * float64(time.Second)).Round(time.Second)
			fmt.Printf("\n%s: %d refused, and the gateway tries the oldest for %s more.\n", printable(r.Route), r.Refused, left)
		}
	}
}

// sameOptions is what to do where Caddys that share a ledger differ.
const sameOptions = "load the same configuration into all"

// printMembers prints which Caddys share the ledger, and which of them differ from the
// one that answers.
func printMembers(members []adminapi.Member) {
	if len(members) == 0 {
		return
	}
	var names, gone []string
	for _, m := range members {
		if m.Gone {
			gone = append(gone, m.Name+" at "+localTime(m.SeenAt))
		} else {
			names = append(names, m.Name)
		}
	}
	fmt.Printf("It is shared by: %s.\n", printable(strings.Join(names, ", ")))
	if len(gone) > 0 {
		fmt.Printf("No longer there, and last seen: %s.\n", printable(strings.Join(gone, ", ")))
	}
	for _, m := range members {
		if len(m.Differs) > 0 {
			fmt.Printf("%s has not the same %s: %s.\n", printable(m.Name), printable(strings.Join(m.Differs, ", ")), sameOptions)
		}
	}
}

// printSecrets prints how the secrets stand that are read from files.
func printSecrets(secrets []adminapi.Secret) {
	if len(secrets) == 0 {
		return
	}
	fmt.Println()
	t := table{{"SECRET", "GENERATION", "SINCE", "FILES"}}
	for _, s := range secrets {
		since := "start"
		if s.ChangedAt != nil {
			since = localTime(*s.ChangedAt)
		}
		t.add(s.Name, fmt.Sprint(s.Generation), since, strings.Join(s.Files, " "))
	}
	t.print()
	for _, s := range secrets {
		if s.Error != "" {
			fmt.Printf("%s: what the file holds now is not in use: %s\n", printable(s.Name), printable(s.Error))
		}
	}
}

func backupCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup <file> [--force]",
		Short: "Writes a copy of the ledger of the Caddy that runs",
		Long: `
Writes a consistent copy of the ledger while Caddy goes on using it. The copy is
a ledger's file: to go back to it, stop Caddy and put it in the ledger's place.
It is readable for its owner only, and is there whole or not at all.`,
	}
	cmd.Flags().Bool("force", false, "Replace the file if it exists")
	return serverCommand(cmd, func(admin *adminapi.Client, fl caddycmd.Flags) error {
		if fl.NArg() != 1 {
			return subcommand.Fail(exitUsage, "name one file to write")
		}
		if err := noAccount(fl); err != nil {
			return err
		}
		file := fl.Arg(0)
		if _, err := os.Lstat(file); !fl.Bool("force") && !errors.Is(err, fs.ErrNotExist) {
			if err == nil {
				err = fmt.Errorf("%s exists", file)
			}
			return subcommand.Fail(exitRefused, "%w: name another file, or replace it with --force", err)
		}
		size, err := backup(admin, file)
		if err != nil {
			return err
		}
		fmt.Printf("%s holds a copy of the ledger, %s.\n", file, humanize.IBytes(uint64(size)))
		return nil
	})
}

// backup writes the ledger's copy beside the file, and renames it when all of
// it is on the disk.
func backup(admin *adminapi.Client, file string) (size int64, err error) {
	answer, err := admin.Backup()
	if err != nil {
		return 0, err
	}
	defer answer.Close()
	// An interrupt ends the reading, and so takes the unfinished copy away.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, func() { _ = answer.Close() })

	part, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".*") // with mode 0600
	if err != nil {
		return 0, subcommand.Fail(exitRefused, "%w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(part.Name())
		}
	}()
	size, err = io.Copy(part, answer)
	if err != nil {
		_ = part.Close()
		return 0, subcommand.Fail(exitUnreachable, "the copy broke off, and nothing is left of it: try again (%w)", err)
	}
	if err := errors.Join(part.Sync(), part.Close()); err != nil {
		return 0, subcommand.Fail(exitRefused, "%w", err)
	}
	if err := os.Rename(part.Name(), file); err != nil {
		return 0, subcommand.Fail(exitRefused, "%w", err)
	}
	return size, nil
}
