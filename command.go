package ccpayment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/cli"
	"github.com/seed-338f6760/caddy-ccpayment/internal/secrets"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "ccpayment",
		Usage: "<subcommand>",
		Short: "Operates and debugs an integration of CCPayment, or of another gateway",
		Long: `
Tools for operating, developing and debugging an integration of CCPayment, or of
another gateway that an account of the configuration names.

events, orders, status, reconcile and backup ask the Caddy that runs, at its admin endpoint:
the one that --address names, or that of the configuration that --config names,
or Caddy's default.

The others act by themselves. Their credentials are CCPAYMENT_APP_ID and
CCPAYMENT_APP_SECRET from the environment, with CCPAYMENT_BASE_URL for another
API than CCPayment's, or those of the configuration that --config names, of which
--account picks an account.

Exit codes: 0 done, 2 wrong usage, 3 refused or not found, 4 unreachable.`,
		CobraFunc: func(cmd *cobra.Command) {
			cli.Setup(cmd, cli.Config{Account: commandAccount, AppID: commandAppID})
		},
	})
}

// commandApp is the app of the configuration that --config names, or one without
// options, and the account's name. The account's gateway module is loaded, and no
// other: it lives as long as the command.
func commandApp(fl caddycmd.Flags) (app *App, name string, err error) {
	file, name := fl.String("config"), fl.String("account")
	app = &App{now: time.Now, secrets: secrets.New(caddy.NewReplacer(), zap.NewNop())}
	if file == "" {
		if name != "" {
			return nil, "", errors.New("--account picks one from the configuration that --config names")
		}
		app.BaseURL = os.Getenv("CCPAYMENT_BASE_URL")
		return app, "", nil
	}
	config, err := cli.LoadConfig(fl)
	if err != nil {
		return nil, "", err
	}
	var apps struct {
		Apps struct {
			CCPayment *App `json:"ccpayment"`
		} `json:"apps"`
	}
	apps.Apps.CCPayment = app
	if err := json.Unmarshal(config, &apps); err != nil {
		return nil, "", fmt.Errorf("reading the configuration: %v", err)
	}
	account := &app.Account
	if name != "" {
		account = app.Accounts[name]
	}
	if account == nil {
		return app, name, nil // whoever asks for it gets to know
	}
	ctx, _ := caddy.NewContext(caddy.Context{Context: context.Background()})
	return app, name, account.loadGateway(ctx)
}

// commandAccount opens the account of the environment, or of the configuration
// that --config names.
func commandAccount(fl caddycmd.Flags) (*gateway.Account, error) {
	app, name, err := commandApp(fl)
	if err != nil {
		return nil, err
	}
	return app.account(name)
}

// commandAppID is the id of the account of the environment, or of the configuration that
// --config names. It needs no secret: a link is made where there is none.
func commandAppID(fl caddycmd.Flags) (string, error) {
	app, name, err := commandApp(fl)
	if err != nil {
		return "", err
	}
	account := &app.Account
	if name != "" {
		if account = app.Accounts[name]; account == nil {
			return "", fmt.Errorf("account %q is not configured", name)
		}
	}
	namer, ok := account.opener().(gateway.Namer)
	if !ok {
		return "", errors.New("the account's gateway does not say the account's id")
	}
	return namer.AccountID(name)
}
