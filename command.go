package ccpayment

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/seed-338f6760/caddy-ccpayment/internal/subcommand"
)

// The exit codes of `caddy ccpayment`, for scripts.
const (
	exitDone        = 0
	exitUsage       = subcommand.ExitUsage
	exitRefused     = 3
	exitUnreachable = subcommand.ExitUnreachable
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "ccpayment",
		Usage: "<subcommand>",
		Short: "Operates and debugs an integration of CCPayment",
		Long: `
Tools for operating, developing and debugging an integration of CCPayment.

events, orders, status and backup ask the Caddy that runs, at its admin endpoint:
the one that --address names, or that of the configuration that --config names,
or Caddy's default.

The others act by themselves. Their credentials are CCPAYMENT_APP_ID and
CCPAYMENT_APP_SECRET from the environment, with CCPAYMENT_BASE_URL for another
API than CCPayment's, or those of the configuration that --config names, of which
--account picks an account.

Exit codes: 0 done, 2 wrong usage, 3 refused or not found, 4 unreachable.`,
		CobraFunc: func(cmd *cobra.Command) {
			commandGroup(cmd, eventsCommand(), ordersCommand(), statusCommand(), backupCommand(),
				callCommand(), resendCommand(), doctorCommand(), signCommand(), verifyCommand(), triggerCommand(), linkCommand())
			cmd.PersistentFlags().StringP("config", "c", "", "Configuration file to take credentials and addresses from")
			cmd.PersistentFlags().StringP("adapter", "a", "", "Name of config adapter to apply (if --config is used)")
			cmd.PersistentFlags().String("account", "", "Account in the configuration")
			for _, sub := range subcommand.All() {
				cmd.AddCommand(withExitCode(sub))
			}
			usageErrors(cmd)
		},
	})
}

// commandGroup makes a command that only has others below it.
func commandGroup(cmd *cobra.Command, below ...*cobra.Command) *cobra.Command {
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = runWith(func(fl caddycmd.Flags) error {
		names := make([]string, 0, len(cmd.Commands()))
		for _, sub := range cmd.Commands() {
			names = append(names, sub.Name())
		}
		if fl.NArg() == 0 {
			return subcommand.Fail(exitUsage, "name a subcommand: %s", strings.Join(names, ", "))
		}
		return subcommand.Fail(exitUsage, "unknown subcommand %q: there are %s", fl.Arg(0), strings.Join(names, ", "))
	})
	cmd.AddCommand(below...)
	return cmd
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
		fail := func(caddycmd.Flags) (int, error) { return exitUsage, err }
		return caddycmd.WrapCommandFuncForCobra(fail)(cmd, nil)
	})
}

// commandCredentials are those of the environment, or of the configuration
// that --config names.
func commandCredentials(fl caddycmd.Flags) (*credentials, error) {
	app, err := commandApp(fl)
	if err != nil {
		return nil, err
	}
	return app.credentials(fl.String("account"))
}

// commandApp is the app of the configuration that --config names, or one without
// options.
func commandApp(fl caddycmd.Flags) (*App, error) {
	file := fl.String("config")
	if file == "" {
		if fl.String("account") != "" {
			return nil, errors.New("--account picks one from the configuration that --config names")
		}
		return &App{Account: Account{BaseURL: os.Getenv("CCPAYMENT_BASE_URL")}}, nil
	}
	config, _, _, err := caddycmd.LoadConfig(file, fl.String("adapter"))
	if err != nil {
		return nil, err
	}
	var apps struct {
		Apps struct {
			CCPayment App `json:"ccpayment"`
		} `json:"apps"`
	}
	if err := json.Unmarshal(config, &apps); err != nil {
		return nil, fmt.Errorf("reading the configuration: %v", err)
	}
	return &apps.Apps.CCPayment, nil
}

// largestStdin is far more than any webhook or call has.
const largestStdin = largestMaxSize

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
