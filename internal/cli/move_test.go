package cli

import (
	"strings"
	"testing"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
)

// TestMoveWithoutPostgres: a Caddy without the store, as this one, says how to get it.
func TestMoveWithoutPostgres(t *testing.T) {
	run := func(args ...string) string {
		cmd := moveCommand()
		cmd.Flags().String("config", "", "")
		cmd.Flags().String("account", "", "")
		if err := cmd.ParseFlags(args); err != nil {
			t.Fatal(err)
		}
		err := moveLedger(caddycmd.Flags{FlagSet: cmd.Flags()})
		if err == nil {
			t.Fatalf("%v: no error", args)
		}
		return err.Error()
	}
	for want, args := range map[string][]string{
		"caddy-ccpayment/store/postgres": {"--from", "ledger.db", "--to", "postgres://x"},
		"name the ledger's file":         {"--to", "postgres://x"},
		"unexpected argument":            {"ledger.db"},
		"nothing from --config":          {"--config", "Caddyfile"},
	} {
		if got := run(args...); !strings.Contains(got, want) {
			t.Errorf("%v: %s, want %q", args, got, want)
		}
	}
}
