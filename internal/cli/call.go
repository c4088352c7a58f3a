package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/internal/subcommand"
)

func callCommand(c Config) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "call <endpoint> [<json> | -]",
		Short: "Makes a call of CCPayment's API and prints the answer",
		Long: `
Signs a call of CCPayment's API, makes it, and prints the data of the answer. The
parameters are a JSON object, or - for one on standard input. It has no safety
beyond that of the API itself: what withdraws or swaps, does so.

    caddy ccpayment call getCoinList
    caddy ccpayment call getAppOrderInfo '{"orderId":"order-1"}'

The endpoints are:

    ` + strings.Join(client.Endpoints(), "\n    "),
		Args: cobra.ArbitraryArgs,
	}
	cmd.Flags().Bool("json", false, "Print code, msg and data in one object, also of a refusal")
	cmd.RunE = runWith(c.call)
	return cmd
}

func (c Config) call(fl caddycmd.Flags) error {
	if fl.NArg() < 1 || fl.NArg() > 2 {
		return subcommand.Fail(exitUsage, "name one endpoint, such as getCoinList, and its parameters as one JSON object")
	}
	endpoint, parameters, err := callInput(fl)
	if err != nil {
		return &subcommand.ExitError{Code: exitUsage, Err: err}
	}
	account, err := c.ccpayment(fl)
	if err != nil {
		return &subcommand.ExitError{Code: exitUsage, Err: err}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	data, err := account.Client().Call(ctx, endpoint, parameters)
	if fl.Bool("json") {
		if err := printEnvelope(data, err); err != nil {
			return err
		}
	} else if err == nil {
		var text bytes.Buffer
		if json.Indent(&text, data, "", "  ") != nil {
			text.Reset()
			text.Write(data)
		}
		printRaw(text.Bytes())
	}
	return explainCall(endpoint, err)
}

func callInput(fl caddycmd.Flags) (endpoint string, parameters json.RawMessage, err error) {
	endpoint = fl.Arg(0)
	if err := knowEndpoint(endpoint); err != nil {
		return "", nil, err
	}
	switch text := fl.Arg(1); text {
	case "":
		return endpoint, nil, nil
	case "-":
		parameters, err = readStdin()
		return endpoint, parameters, err
	default:
		return endpoint, json.RawMessage(text), nil
	}
}

// knowEndpoint refuses what is no endpoint, and names those that may be meant.
func knowEndpoint(endpoint string) error {
	endpoints := client.Endpoints()
	if slices.Contains(endpoints, endpoint) {
		return nil
	}
	typed := strings.ToLower(endpoint)
	for mistakes := 1; mistakes <= 4; mistakes++ {
		near := slices.DeleteFunc(slices.Clone(endpoints), func(name string) bool {
			name = strings.ToLower(name)
			return !strings.HasPrefix(name, typed) && distance(typed, name) > mistakes
		})
		if len(near) > 0 {
			return fmt.Errorf("CCPayment has no endpoint %q: is it %s?", endpoint, strings.Join(near, ", "))
		}
	}
	return fmt.Errorf("CCPayment has no endpoint %q: caddy ccpayment call --help lists them", endpoint)
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

// printEnvelope prints an answer as CCPayment words it. One that is not of
// CCPayment is not printed.
func printEnvelope(data json.RawMessage, err error) error {
	envelope := struct {
		Code int             `json:"code"`
		Msg  string          `json:"msg"`
		Data json.RawMessage `json:"data"`
	}{10000, "success", data}
	var refusal *client.Error
	switch {
	case errors.As(err, &refusal) && refusal.Code != 0:
		envelope.Code, envelope.Msg = refusal.Code, refusal.Msg
	case err != nil:
		return nil
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(envelope)
}

// explainCall says what a failed call means, with the exit code and what to do.
func explainCall(endpoint string, err error) error {
	var lost *client.OutcomeUnknownError
	var argument *client.ArgumentError
	var refusal *client.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &lost):
		return subcommand.Fail(exitUnreachable, "%w: what CCPayment's records say is the last word from %s on", err, localTime(lost.ProvenAfter))
	case errors.As(err, &argument):
		return subcommand.Fail(exitUsage, "%w", err)
	case errors.As(err, &refusal) && refusal.Code != 0:
		return subcommand.Fail(exitRefused, "%w: %s", err, refusal.Hint())
	case errors.As(err, &refusal):
		return subcommand.Fail(exitUnreachable, "%w: %s", err, refusal.Hint())
	default:
		return subcommand.Fail(exitUnreachable, "CCPayment cannot be reached for %s: check the network and the base URL (%w)", endpoint, err)
	}
}
