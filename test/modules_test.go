package test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

var modules = []string{"ccpayment", "ccpayment.gateways.ccpayment", "ccpayment.stores.bolt", "http.handlers.ccpayment_webhook", "http.handlers.ccpayment_checkout", "http.handlers.ccpayment_status", "http.handlers.ccpayment_api"}

func TestModules(t *testing.T) {
	t.Parallel()
	listings := map[string]func() ([]byte, error){
		"caddy list-modules": exec.Command(binary, "list-modules").CombinedOutput,
		// xcaddy writes a program that imports the root package and nothing else
		// of the repository.
		"import of the root package": exec.Command("go", "run", "-tags", tags, "./testdata/rootonly").CombinedOutput,
	}
	for name, listing := range listings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := listing()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			lines := strings.Split(string(out), "\n")
			listed := modules
			if name == "caddy list-modules" {
				listed = append(slices.Clone(modules), "ccpayment.stores.postgres")
			}
			for _, module := range listed {
				if !slices.Contains(lines, module) {
					t.Errorf("no module %s in\n%s", module, out)
				}
			}
		})
	}
}
