package test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const modulePath = "github.com/seed-338f6760/caddy-ccpayment"

// mayImport says which packages of ours each package may import; docs/design.md
// says why. A pattern that ends in a star stands for all that begin so. The root
// and what stands beside it to start or try it have no entry: they may import
// everything that the last rules of TestImports do not forbid.
var mayImport = map[string][]string{
	"client":              {"internal/apiclient"},
	"client/coinpayments": {"internal/apiclient"},
	"client/v1":           {"client", "internal/apiclient"},
	"settle":              {},
	"ledger":              {"internal/failpoint"},
	"internal/ack":        {},
	"internal/ccanswer":   {},
	"internal/apiclient":  {},
	"internal/coalesce":   {},
	"internal/failpoint":  {},
	"internal/palette":    {},
	"internal/redact":     {},
	"internal/strictjson": {},
	"internal/subcommand": {},
	// Reads options from a Caddyfile, for guest modules and the root.
	"internal/options": {},
	// Compares where webhooks are sent with where they are taken.
	"internal/hookpath": {},
	// Says what may be meant.
	"internal/hint": {},
	// Resolves placeholders for guest modules and the root.
	"internal/placeholder": {},
	// Reads the options of an account about what it has replaced.
	"internal/rotation": {"gateway", "internal/options", "internal/placeholder"},
	// Reads secrets again when their files change.
	"internal/secrets": {"internal/placeholder"},

	"gateway":         {"ledger", "settle", "internal/strictjson"},
	"internal/reload": {"ledger"},
	// What every store writes.
	"internal/encoding": {"ledger"},
	"ledger/*":          {"ledger"},
	"store/*":           {"ledger", "internal/encoding"},
	// Moves a ledger from a store to another, neither of which it knows.
	"internal/move": {"ledger", "internal/encoding"},

	"gateway/ccpayment":    {"gateway", "ledger", "settle", "internal/ack", "internal/ccanswer", "internal/strictjson", "internal/coalesce", "internal/hint", "internal/options", "internal/placeholder", "internal/rotation", "client"},
	"gateway/ccpayment_v1": {"gateway", "ledger", "internal/ccanswer", "internal/strictjson", "internal/options", "internal/placeholder", "internal/rotation", "client", "client/v1"},
	"gateway/coinpayments": {"gateway", "ledger", "settle", "internal/strictjson", "internal/coalesce", "internal/hint", "internal/options", "internal/placeholder", "internal/rotation", "client/coinpayments"},
	// The suite that every gateway must pass, from the webhook to the app.
	"gateway/gatewaytest": {"gateway", "ledger", "internal/relay", "internal/confirm", "internal/checkout", "store/bolt"},
	"internal/confirm":    {"gateway", "ledger", "settle"},
	"internal/operator":   {"gateway", "ledger", "internal/checkout", "internal/reconcile", "internal/secrets"},
	"internal/metrics":    {"gateway"},
	// Looks for what no webhook told.
	"internal/reconcile": {"internal/relay", "internal/confirm", "gateway", "ledger", "settle", "internal/failpoint", "internal/hookpath", "internal/options", "internal/placeholder", "internal/redact"},

	"internal/relay":    {"internal/confirm", "gateway", "ledger", "internal/ack", "internal/failpoint"},
	"internal/checkout": {"internal/confirm", "gateway", "ledger", "settle", "internal/strictjson", "internal/redact"},
	"internal/adminapi": {"internal/operator", "internal/relay", "internal/confirm", "internal/checkout", "internal/reconcile", "internal/redact", "ledger", "settle"},

	"internal/console":  {"internal/adminapi", "internal/operator", "internal/palette", "internal/redact", "ledger"},
	"internal/apiproxy": {"internal/checkout", "gateway", "ledger", "internal/strictjson", "internal/redact"},
	"internal/cli":      {"internal/adminapi", "internal/confirm", "internal/checkout", "gateway", "ledger", "client", "internal/ack", "internal/move", "internal/subcommand"},

	"sandbox": {"sandbox/coinpayments", "sandbox/engine", "sandbox/hosted", "internal/ack", "internal/subcommand"},
	// What the sandboxes of all gateways run on.
	"sandbox/engine": {"sandbox/hosted", "internal/ack"},
	"sandbox/hosted": {"internal/palette"},
	// CoinPayments' side of the sandbox.
	"sandbox/coinpayments": {"sandbox/engine", "sandbox/hosted"},
}

// guests are the packages below the root that may import Caddy: modules that
// people add to Caddy beside ours, and the command line.
var guests = []string{"store/*", "gateway/*", "internal/cli"}

// outside are packages that nothing of ours but tests and commands is built from.
var outside = []string{"cmd/*", "examples", "examples/*", "internal/apiclient/apiclienttest", "internal/stage", "internal/browser", "internal/jsontest", "internal/needs", "internal/postgrestest", "internal/processtest", "internal/simstore", "internal/strictjson/strictjsontest", "test", "test/*"}

// only are packages that nobody may import but those named.
var only = map[string][]string{
	"gateway/ccpayment":    {"", "test/*"},
	"gateway/ccpayment_v1": {""},
	"gateway/coinpayments": {""},
	"store/bolt":           {"", "gateway/gatewaytest", "test/*"},
	"store/postgres":       {"cmd/*", "test/*"},
	"internal/encoding":    {"store/*", "internal/move"},
	"internal/move":        {"internal/cli"},
	"internal/reload":      {""},
	"":                     {"cmd/*", "internal/stage", "test", "test/*", "examples/*"},
	"sandbox":              {"cmd/*", "internal/stage", "test", "test/*", "examples/*"},
}

// TestImports holds the walls between the packages: what each may import of ours,
// and who may import Caddy. Tests of a package may import more.
func TestImports(t *testing.T) {
	for name, imports := range packages(t) {
		allowed, hasEntry := entry(mayImport, name)
		if !hasEntry && name != "" && !matches(outside, name) {
			t.Errorf("%s has no entry in mayImport: say where in the house it stands", name)
		}
		for _, imported := range imports {
			ours, isOurs := strings.CutPrefix(imported, modulePath)
			ours = strings.TrimPrefix(ours, "/")
			switch {
			case !isOurs && strings.HasPrefix(imported, "github.com/caddyserver/caddy/"):
				if hasEntry && !matches(guests, name) {
					t.Errorf("%s imports %s: below the root only guest modules and the command line know Caddy", name, imported)
				}
			case !isOurs:
			case hasEntry && !matches(allowed, ours):
				t.Errorf("%s imports %s, and may import only %v", name, ours, allowed)
			default:
				if who, ok := only[ours]; ok && !matches(who, name) {
					t.Errorf("%s imports %s, which only %v may", name, ours, who)
				}
			}
		}
	}
}

// packages are the imports of every package of the module, without those of
// tests, by the package's path below the root.
func packages(t *testing.T) map[string][]string {
	t.Helper()
	list := exec.Command("go", "list", "-json=ImportPath,Imports", "-tags", "nobadger,nomysql,nopgx", "./...")
	list.Dir = ".."
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	found := make(map[string][]string)
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		found[strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, modulePath), "/")] = p.Imports
	}
}

// entry finds a package's entry, its own before that of a pattern.
func entry(table map[string][]string, name string) ([]string, bool) {
	if allowed, ok := table[name]; ok {
		return allowed, true
	}
	for pattern, allowed := range table {
		if matches([]string{pattern}, name) {
			return allowed, true
		}
	}
	return nil, false
}

func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		if prefix, ok := strings.CutSuffix(pattern, "/*"); ok {
			return path.Dir(name) == prefix || strings.HasPrefix(name, prefix+"/")
		}
		return pattern == name
	})
}
