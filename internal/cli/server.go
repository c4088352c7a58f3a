package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/internal/adminapi"
	"github.com/seed-338f6760/caddy-ccpayment/internal/subcommand"
)

// serverCommand makes a command that makes requests of the Caddy that runs.
func serverCommand(cmd *cobra.Command, run func(*adminapi.Client, caddycmd.Flags) error) *cobra.Command {
	cmd.Args = cobra.ArbitraryArgs
	cmd.Flags().String("address", "", "Address of Caddy's admin endpoint (default: that of --config, or Caddy's own default)")
	cmd.RunE = runWith(func(fl caddycmd.Flags) error {
		admin, err := findAdmin(fl)
		if err != nil {
			return err
		}
		return run(admin, fl)
	})
	return cmd
}

// findAdmin finds the admin endpoint as `caddy reload` does.
func findAdmin(fl caddycmd.Flags) (*adminapi.Client, error) {
	address, file, adapter := fl.String("address"), fl.String("config"), fl.String("adapter")
	var config []byte
	if address == "" && file != "" {
		var err error
		if config, err = LoadConfig(fl); err != nil {
			return nil, subcommand.Fail(exitUsage, "%w", err)
		}
		var parts struct {
			Admin caddy.AdminConfig `json:"admin"`
		}
		if err := json.Unmarshal(config, &parts); err == nil && parts.Admin.Disabled {
			return nil, subcommand.Fail(exitUnreachable,
				"%s has `admin off`, so the Caddy that runs it cannot be asked: give it an admin endpoint, such as `admin unix//run/caddy/admin.sock`", file)
		}
	}
	address, err := caddycmd.DetermineAdminAPIAddress(address, config, file, adapter)
	if err != nil {
		return nil, subcommand.Fail(exitUsage, "%w", err)
	}
	do := func(method, uri string, body io.Reader) (*http.Response, error) {
		response, err := caddycmd.AdminAPIRequest(address, method, uri, nil, body)
		if err != nil {
			return nil, explainAdmin(address, err)
		}
		return response, nil
	}
	return &adminapi.Client{Address: address, Do: do}, nil
}

// LoadConfig reads the configuration that --config names. What Caddy logs on the way, which
// is that it was read and how it is formatted, is not said.
func LoadConfig(fl caddycmd.Flags) ([]byte, error) {
	_, log, said := caddy.BufferedLog()
	defer caddy.UnbufferDefaultLogger(log)
	config, _, _, err := caddycmd.LoadConfig(fl.String("config"), fl.String("adapter"))
	said.FlushTo(zap.NewNop())
	return config, err
}

// explainAdmin reads the error of Caddy's own client, which holds the status and
// the body of a response as text.
func explainAdmin(address string, err error) error {
	answer, answered := strings.CutPrefix(err.Error(), "caddy responded with error: HTTP ")
	switch {
	case answered:
	case strings.HasPrefix(err.Error(), "invalid admin address") || strings.HasPrefix(err.Error(), "making request"):
		return subcommand.Fail(exitUsage, "%s is no address like localhost:2019 or unix//run/caddy/admin.sock (%w)", address, err)
	default:
		return subcommand.Fail(exitUnreachable,
			"no Caddy answers at %s: start it, or name its admin endpoint with --address, or its configuration with --config (%w)", address, err)
	}
	code, text, _ := strings.Cut(answer, ": ")
	status, _ := strconv.Atoi(code) // Caddy writes a number
	refusal, ok := adminapi.ReadError(status, []byte(text))
	if !ok {
		return subcommand.Fail(exitUnreachable,
			"what answers at %s is no Caddy with this plugin (HTTP %s): name its admin endpoint with --address, or its configuration with --config", address, code)
	}
	// In words of the command line.
	reason := strings.NewReplacer("?route=", "--route ", "with force", "with --force").Replace(refusal.Error())
	if refusal.Status == http.StatusBadRequest {
		return subcommand.Fail(exitUsage, "%s", reason)
	}
	return subcommand.Fail(exitRefused, "%s", reason)
}

// advise adds what to do to a refusal.
func advise(err error, advice string) error {
	var exit *subcommand.ExitError
	if errors.As(err, &exit) && exit.Code == exitRefused {
		return subcommand.Fail(exitRefused, "%w: %s", exit.Err, advice)
	}
	return err
}

// printAnswer prints an answer for people, or with --json as it was received.
func printAnswer[T any](fl caddycmd.Flags, answer adminapi.Answer[T], print func(T)) error {
	if fl.Bool("json") {
		printRaw(answer)
		return nil
	}
	value, err := answer.Read()
	if err != nil {
		return err
	}
	print(value)
	return nil
}

// printRaw prints JSON as it was received.
func printRaw(text []byte) {
	_, _ = os.Stdout.Write(append(bytes.TrimRight(text, "\n"), '\n'))
}

func addJSONFlag(cmd *cobra.Command) {
	cmd.Flags().Bool("json", false, "Print JSON, as the admin endpoint answers it")
}

// noArguments refuses what a command does not take.
func noArguments(fl caddycmd.Flags) error {
	if fl.NArg() > 0 {
		return subcommand.Fail(exitUsage, "unexpected argument %q", fl.Arg(0))
	}
	return nil
}

// noAccount refuses --account, which the server would not get.
func noAccount(fl caddycmd.Flags) error {
	if fl.String("account") != "" {
		return subcommand.Fail(exitUsage, "--account is not for this command: events are told apart by --route")
	}
	return nil
}
