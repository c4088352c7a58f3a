// Package cli is `caddy ccpayment`: commands that operate and debug an integration
// of CCPayment, or of another payment gateway.
package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/adminapi"
	"github.com/seed-338f6760/caddy-ccpayment/internal/subcommand"
)

// The exit codes of the commands, for scripts.
const (
	exitDone        = 0
	exitUsage       = subcommand.ExitUsage
	exitRefused     = 3
	exitUnreachable = subcommand.ExitUnreachable
)

// Config is what the commands work with. The flags are those of the command that
// runs, with --config, --adapter and --account.
type Config struct {
	// Account opens the merchant account that the flags name, or that of the
	// environment.
	Account func(fl caddycmd.Flags) (*gateway.Account, error)
	// AppID reads the account's id at the gateway only. It needs no secret.
	AppID func(fl caddycmd.Flags) (string, error)
}

// Setup adds the commands, and those of [subcommand.All], to `caddy ccpayment`.
func Setup(cmd *cobra.Command, c Config) {
	addGroup(cmd, eventsCommand(), ordersCommand(), statusCommand(), backupCommand(), moveCommand(), reconcileCommand(),
		callCommand(c), resendCommand(c), doctorCommand(c), signCommand(c), verifyCommand(c), triggerCommand(c), linkCommand(c))
	cmd.PersistentFlags().StringP("config", "c", "", "Configuration file to take credentials and addresses from")
	cmd.PersistentFlags().StringP("adapter", "a", "", "Name of config adapter to apply (if --config is used)")
	cmd.PersistentFlags().String("account", "", "Account in the configuration")
	for _, sub := range subcommand.All() {
		cmd.AddCommand(withExitCode(sub))
	}
	usageErrors(cmd)
}

// addGroup makes a command one that only has others below it.
func addGroup(cmd *cobra.Command, below ...*cobra.Command) *cobra.Command {
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = runWith(func(fl caddycmd.Flags) error {
		if fl.NArg() == 0 {
			return subcommand.Fail(exitUsage, "name a subcommand: %s", namesBelow(cmd))
		}
		return subcommand.Fail(exitUsage, "unknown subcommand %q: there are %s", fl.Arg(0), namesBelow(cmd))
	})
	cmd.AddCommand(below...)
	return cmd
}

func namesBelow(cmd *cobra.Command) string {
	names := make([]string, 0, len(cmd.Commands()))
	for _, sub := range cmd.Commands() {
		names = append(names, sub.Name())
	}
	return strings.Join(names, ", ")
}

// runWith makes a command end Caddy with the code that its error holds.
func runWith(run func(caddycmd.Flags) error) func(*cobra.Command, []string) error {
	return caddycmd.WrapCommandFuncForCobra(func(fl caddycmd.Flags) (int, error) {
		err := run(fl)
		var exit *subcommand.ExitError
		var unread *adminapi.AnswerError
		switch {
		case err == nil:
			return exitDone, nil
		case errors.As(err, &exit):
			return exit.Code, exit.Err
		case errors.As(err, &unread):
			return exitUnreachable, err
		default:
			return exitRefused, err
		}
	})
}

// withExitCode makes a command of another package end Caddy with the code that
// its error holds.
func withExitCode(cmd *cobra.Command) *cobra.Command {
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return runWith(func(fl caddycmd.Flags) error {
			if fl.String("config") != "" || fl.String("account") != "" {
				return subcommand.Fail(exitUsage, "%s takes its credentials from the environment, not from --config", cmd.Name())
			}
			return run(cmd, args)
		})(cmd, args)
	}
	return cmd
}

// usageErrors makes a wrong flag exit like every other wrong usage.
func usageErrors(cmd *cobra.Command) {
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if cmd.HasSubCommands() {
			err = fmt.Errorf("%w: flags stand behind a subcommand: %s", err, namesBelow(cmd))
		}
		fail := func(caddycmd.Flags) (int, error) { return exitUsage, err }
		return caddycmd.WrapCommandFuncForCobra(fail)(cmd, nil)
	})
}

// open opens the account for a command that needs an ability of its gateway; lacks is what
// is said of a gateway without it.
func open[T any](c Config, fl caddycmd.Flags, lacks string) (able T, account *gateway.Account, err error) {
	if account, err = c.Account(fl); err != nil {
		return able, nil, err
	}
	able, ok := account.Gateway.(T)
	if !ok {
		return able, nil, &lacksError{account.Info.Title, lacks}
	}
	return able, account, nil
}

// lacksError: the account's gateway has not the ability that a command needs.
type lacksError struct{ title, lacks string }

func (e *lacksError) Error() string { return "the account is at " + e.title + ", which " + e.lacks }

// checkURL refuses a URL, or a method, that is to be signed by a gateway that signs none.
func checkURL(fl caddycmd.Flags, account *gateway.Account, flags ...string) error {
	for _, name := range flags {
		if fl.String(name) != "" && !account.Info.SignsURL {
			return fmt.Errorf("--%s: %s does not sign it, leave it out", name, account.Info.Title)
		}
	}
	return nil
}

// largestStdin is far more than any webhook or call has.
const largestStdin = 1 << 20

func readStdin() ([]byte, error) {
	if term.IsTerminal(int(os.Stdin.Fd())) {
		return nil, errors.New("the body comes on standard input: … < body.json")
	}
	body, err := io.ReadAll(io.LimitReader(os.Stdin, largestStdin+1))
	if err != nil {
		return nil, fmt.Errorf("reading standard input: %v", err)
	}
	if len(body) > largestStdin {
		return nil, fmt.Errorf("the body on standard input is larger than %d bytes", largestStdin)
	}
	return body, nil
}
