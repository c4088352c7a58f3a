package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/subcommand"
)

func callCommand(c Config) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "call <endpoint> [<json> | -] | call <method> <path> [<json> | -]",
		Short: "Makes a call of the gateway's API and prints the answer",
		Long: `
Signs a call of the gateway's API, makes it, and prints the data of the answer. The
parameters are a JSON object, or - for one on standard input. It has no safety
beyond that of the API itself: what withdraws or swaps, does so.

    caddy ccpayment call getCoinList
    caddy ccpayment call getAppOrderInfo '{"orderId":"order-1"}'

At CoinPayments an endpoint is a method and a path, with its query:

    caddy ccpayment call -c Caddyfile --account coins GET '/api/v2/merchant/invoices?limit=5'

The endpoints of CCPayment are:

    ` + strings.Join(client.Endpoints(), "\n    "),
		Args: cobra.ArbitraryArgs,
	}
	cmd.Flags().Bool("json", false, "Print the answer as the gateway words it, also a refusal")
	cmd.RunE = runWith(c.call)
	return cmd
}

var errNoCall = errors.New("name one endpoint, such as getCoinList or GET /api/v2/currencies, and its parameters as one JSON object")

func (c Config) call(fl caddycmd.Flags) error {
	if fl.NArg() == 0 {
		return &subcommand.ExitError{Code: exitUsage, Err: errNoCall}
	}
	api, account, err := open[gateway.API](c, fl, "has no API that can be called")
	if err != nil {
		return &subcommand.ExitError{Code: exitUsage, Err: err}
	}
	call, err := readCall(fl, gateway.Methods(api.Endpoints()))
	if err != nil {
		return &subcommand.ExitError{Code: exitUsage, Err: err}
	}
	endpoint, ok := api.FindEndpoint(call.Method, call.Path)
	if !ok {
		typed := strings.TrimPrefix(call.Path, "/")
		if strings.Contains(typed, "/") && typed != fl.Arg(0) {
			typed = call.Method + " " + call.Path
		}
		return &subcommand.ExitError{Code: exitUsage, Err: noEndpoint(account.Info.Title, api.Endpoints(), typed)}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	answer, err := api.Call(ctx, call)
	var lost *gateway.LostError
	if errors.As(err, &lost) {
		answer.Body = lost.Body
	}
	switch {
	case fl.Bool("json") && len(answer.Body) > 0:
		printRaw(answer.Body)
	case len(answer.Data) > 0:
		var text bytes.Buffer
		if json.Indent(&text, answer.Data, "", "  ") != nil {
			text.Reset()
			text.Write(answer.Data)
		}
		printRaw(text.Bytes())
	}
	if answer.Refusal != nil {
		err = answer.Refusal
	}
	return explainCall(account.Info.Title, endpoint.Name, err)
}

// readCall reads the command line: an endpoint's name, or one of the methods and a path,
// and the parameters.
func readCall(fl caddycmd.Flags, methods []string) (call gateway.APICall, err error) {
	args := fl.Args()
	call.Method = http.MethodPost
	if len(args) > 0 && slices.Contains(methods, args[0]) {
		call.Method, args = args[0], args[1:]
	}
	if len(args) < 1 || len(args) > 2 {
		return call, errNoCall
	}
	path, query, _ := strings.Cut(args[0], "?")
	call.Path, call.Query = "/"+strings.TrimPrefix(path, "/"), query
	if len(args) == 2 && args[1] == "-" {
		call.Body, err = readStdin()
	} else if len(args) == 2 {
		call.Body = json.RawMessage(args[1])
	}
	return call, err
}

// noEndpoint says that there is no endpoint, and names those that may be meant.
func noEndpoint(title string, endpoints []gateway.Endpoint, typed string) error {
	for mistakes := 1; mistakes <= 4; mistakes++ {
		var near []string
		for _, e := range endpoints {
			name, typed := strings.ToLower(e.Name), strings.ToLower(typed)
			if strings.HasPrefix(name, typed) || distance(typed, name) <= mistakes {
				near = append(near, e.Name)
			}
		}
		if len(near) > 0 {
			slices.Sort(near)
			return fmt.Errorf("%s has no endpoint %q: is it %s?", title, typed, strings.Join(near, ", "))
		}
	}
	if slices.ContainsFunc(endpoints, func(e gateway.Endpoint) bool { return slices.Contains(client.Endpoints(), e.Name) }) && len(endpoints) > 1 {
		return fmt.Errorf("%s has no endpoint %q: caddy ccpayment call --help says which there are", title, typed)
	}
	names := make([]string, 0, len(endpoints))
	for _, e := range endpoints {
		names = append(names, e.Name)
	}
	return fmt.Errorf("%s has no endpoint %q: there are %s", title, typed, strings.Join(names, ", "))
}

// distance is how many bytes must be changed, added or removed to make one text of
// the other.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}

// explainCall says what a failed call means, with the exit code and what to do.
func explainCall(title, endpoint string, err error) error {
	var lost *gateway.LostError
	var field *gateway.FieldError
	var refused *gateway.RefusedError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &lost):
		return subcommand.Fail(exitUnreachable, "%w: %s", err, lost.Hint)
	case errors.As(err, &field):
		return subcommand.Fail(exitUsage, "%s: %s %s", endpoint, field.Field, field.Problem)
	case errors.As(err, &refused) && refused.Code != "":
		return subcommand.Fail(exitRefused, "%w: %s", err, refused.Hint)
	case errors.As(err, &refused):
		return subcommand.Fail(exitUnreachable, "%w: %s", err, refused.Hint)
	default:
		return subcommand.Fail(exitUnreachable, "%s cannot be reached for %s: check the network and the base URL (%w)", title, endpoint, err)
	}
}
