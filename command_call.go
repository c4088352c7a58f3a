package ccpayment

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/internal/subcommand"
)

func callCommand() *cobra.Command {
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
	cmd.RunE = runWith(cmdCall)
	return cmd
}

func cmdCall(fl caddycmd.Flags) error {
	if fl.NArg() < 1 || fl.NArg() > 2 {
		return subcommand.Fail(exitUsage, "name one endpoint, such as getCoinList, and its parameters as one JSON object")
	}
	endpoint, parameters, err := callInput(fl)
	if err != nil {
		return &subcommand.ExitError{Code: exitUsage, Err: err}
	}
	creds, err := commandCredentials(fl)
	if err != nil {
		return &subcommand.ExitError{Code: exitUsage, Err: err}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	data, err := creds.api.Call(ctx, endpoint, parameters)
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
	// Cobra finds what is like a name among commands.
	names := new(cobra.Command)
	for _, name := range client.Endpoints() {
		if name == endpoint {
			return nil
		}
		names.AddCommand(&cobra.Command{Use: name, Run: func(*cobra.Command, []string) {}})
	}
	for names.SuggestionsMinimumDistance = 1; names.SuggestionsMinimumDistance <= 4; names.SuggestionsMinimumDistance++ {
		if near := names.SuggestionsFor(endpoint); len(near) > 0 {
			return fmt.Errorf("CCPayment has no endpoint %q: is it %s?", endpoint, strings.Join(near, ", "))
		}
	}
	return fmt.Errorf("CCPayment has no endpoint %q: caddy ccpayment call --help lists them", endpoint)
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
