package ccpayment

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/seed-338f6760/caddy-ccpayment/internal/subcommand"
)

// runWith makes a command end Caddy with the code that its error holds.
func runWith(run func(caddycmd.Flags) error) func(*cobra.Command, []string) error {
	return caddycmd.WrapCommandFuncForCobra(func(fl caddycmd.Flags) (int, error) {
		err := run(fl)
		var exit *subcommand.ExitError
		switch {
		case err == nil:
			return exitDone, nil
		case errors.As(err, &exit):
			return exit.Code, exit.Err
		default:
			return exitRefused, err
		}
	})
}

// serverCommand makes a command that asks the Caddy that runs.
func serverCommand(cmd *cobra.Command, run func(*adminClient, caddycmd.Flags) error) *cobra.Command {
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

// adminClient asks the operator's doors of the Caddy that runs.
type adminClient struct{ address string }

// findAdmin finds the admin endpoint as `caddy reload` does.
func findAdmin(fl caddycmd.Flags) (*adminClient, error) {
	address, file, adapter := fl.String("address"), fl.String("config"), fl.String("adapter")
	var config []byte
	if address == "" && file != "" {
		var err error
		if config, _, _, err = caddycmd.LoadConfig(file, adapter); err != nil {
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
	return &adminClient{address}, nil
}

func (a *adminClient) get(path string, query url.Values) ([]byte, error) {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return a.ask(http.MethodGet, path, nil)
}

// post sends the wish as JSON.
func (a *adminClient) post(path string, query url.Values, wish any) ([]byte, error) {
	body, err := json.Marshal(wish)
	if err != nil {
		return nil, err
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return a.ask(http.MethodPost, path, bytes.NewReader(body))
}

func (a *adminClient) ask(method, path string, body io.Reader) ([]byte, error) {
	answer, err := a.open(method, path, body)
	if err != nil {
		return nil, err
	}
	defer answer.Close()
	text, err := io.ReadAll(answer)
	if err != nil {
		return nil, subcommand.Fail(exitUnreachable, "reading the answer of the Caddy at %s: %w", a.address, err)
	}
	return text, nil
}

// open asks and leaves the answer to be read.
func (a *adminClient) open(method, path string, body io.Reader) (io.ReadCloser, error) {
	answer, err := caddycmd.AdminAPIRequest(a.address, method, "/ccpayment/"+path, nil, body)
	if err != nil {
		return nil, a.explain(err)
	}
	return answer.Body, nil
}

// explain reads the error of Caddy's own client, which holds the status and
// the answer as text.
func (a *adminClient) explain(err error) error {
	answer, answered := strings.CutPrefix(err.Error(), "caddy responded with error: HTTP ")
	switch {
	case answered:
	case strings.HasPrefix(err.Error(), "invalid admin address") || strings.HasPrefix(err.Error(), "making request"):
		return subcommand.Fail(exitUsage, "%s is no address like localhost:2019 or unix//run/caddy/admin.sock (%w)", a.address, err)
	default:
		return subcommand.Fail(exitUnreachable,
			"no Caddy answers at %s: start it, or name its admin endpoint with --address, or its configuration with --config (%w)", a.address, err)
	}
	status, text, _ := strings.Cut(answer, ": ")
	var refusal struct {
		Error string `json:"error"`
	}
	if json.Unmarshal([]byte(text), &refusal) != nil || refusal.Error == "" {
		return subcommand.Fail(exitUnreachable,
			"what answers at %s is no Caddy with this plugin (HTTP %s): name its admin endpoint with --address, or its configuration with --config", a.address, status)
	}
	// In words of the command line.
	reason := strings.NewReplacer("?route=", "--route ", "with force", "with --force").Replace(refusal.Error)
	if status == fmt.Sprint(http.StatusBadRequest) {
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

// noArguments refuses what a command does not take.
func noArguments(fl caddycmd.Flags) error {
	if fl.NArg() > 0 {
		return subcommand.Fail(exitUsage, "unexpected argument %q", fl.Arg(0))
	}
	return nil
}

// noAccount refuses --account, which the server would not hear of.
func noAccount(fl caddycmd.Flags) error {
	if fl.String("account") != "" {
		return subcommand.Fail(exitUsage, "--account is not for this command: events are told apart by --route")
	}
	return nil
}

// printRaw prints JSON as it came.
func printRaw(text []byte) {
	_, _ = os.Stdout.Write(append(bytes.TrimRight(text, "\n"), '\n'))
}
