package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/seed-338f6760/caddy-ccpayment/internal/move"
	"github.com/seed-338f6760/caddy-ccpayment/internal/subcommand"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// The modules that a ledger is moved between. They are looked up by their names,
// because the second is not in every build.
const (
	sourceModule = "ccpayment.stores.bolt"
	targetModule = "ccpayment.stores.postgres"
)

func moveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "move-ledger --from <file> --to <dsn> [--schema <name>] [--skip-damaged]",
		Short: "Moves the ledger from its file into PostgreSQL",
		Long: `
Copies all that a ledger's file has into an empty ledger in PostgreSQL, compares
the two, and marks the file as moved: no Caddy opens it from then on. Stop the
Caddy that uses the file first; CCPayment sends again what comes meanwhile.

It may be interrupted at any moment. Started again, it goes on where it was; and
until it has ended, Caddy can be started with the file as before.

--to is a URL or the settings that libpq takes. With a password in it, give it as
'{env.DATABASE_URL}' or '{file./path}': other users of the machine see the
arguments of a process.`,
		Args: cobra.ArbitraryArgs,
		RunE: runWith(moveLedger),
	}
	cmd.Flags().String("from", "", "The ledger's file")
	cmd.Flags().String("to", "", "The database")
	cmd.Flags().String("schema", "", "The schema in the database (default: ccpayment)")
	cmd.Flags().Bool("skip-damaged", false, "Leave behind what cannot be read, and list it")
	return cmd
}

func moveLedger(fl caddycmd.Flags) (err error) {
	if err := noArguments(fl); err != nil {
		return err
	}
	if fl.String("config") != "" || fl.String("account") != "" {
		return subcommand.Fail(exitUsage, "move-ledger takes --from and --to, and nothing from --config")
	}
	file, dsn := fl.String("from"), fl.String("to")
	if file == "" || dsn == "" {
		return subcommand.Fail(exitUsage, "name the ledger's file with --from and the database with --to")
	}
	if _, err := caddy.GetModule(targetModule); err != nil {
		return errors.New("this Caddy has no store postgres: build it with xcaddy, with --with github.com/seed-338f6760/caddy-ccpayment/store/postgres besides")
	}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	defer cancel()
	source, err := loadStore[ledger.Exporter](ctx, sourceModule, map[string]string{"path": file})
	if err != nil {
		return subcommand.Fail(exitUsage, "--from: %w", err)
	}
	target, err := loadStore[ledger.Importer](ctx, targetModule, map[string]string{"url": dsn, "schema": fl.String("schema")})
	if err != nil {
		return subcommand.Fail(exitUsage, "--to: %w", err)
	}
	from, err := source.Export()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	to, err := target.Import()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	return move.Run(from, to, move.Options{
		SkipDamaged: fl.Bool("skip-damaged"),
		Print: func(format string, args ...any) {
			fmt.Printf("%s  %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
		},
	})
}

// loadStore loads a store's module with options, which opens nothing yet.
func loadStore[T any](ctx caddy.Context, name string, options map[string]string) (T, error) {
	var able T
	config, err := json.Marshal(options)
	if err != nil {
		return able, err
	}
	module, err := ctx.LoadModuleByID(name, config)
	if err != nil {
		return able, err
	}
	able, ok := module.(T)
	if !ok {
		return able, fmt.Errorf("%s cannot do this", name)
	}
	return able, nil
}
