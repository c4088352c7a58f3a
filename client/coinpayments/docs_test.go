package coinpayments_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
)

func doc(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/client-coinpayments.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var routeRow = regexp.MustCompile("(?m)^\\| `([A-Z]+) (\\S+)`( open)? \\| `(\\w+)` \\| ([^|]+) \\|$")

// The table has each typed route once, with the method that makes that very call.
func TestDocRoutes(t *testing.T) {
	t.Parallel()
	rows := routeRow.FindAllStringSubmatch(doc(t), -1)
	if len(rows) != len(everyCall) {
		t.Errorf("%d rows for %d methods", len(rows), len(everyCall))
	}
	made := map[string]bool{}
	for _, row := range rows {
		method, pattern, open, name, what := row[1], row[2], row[3] != "", row[4], row[5]
		if words := len(strings.Fields(what)); words > 7 {
			t.Errorf("%s: %q has %d words", name, what, words)
		}
		if open != isOpen(name) {
			t.Errorf("%s: open is %v", name, open)
		}
		for _, each := range everyCall {
			if each.method != name {
				continue
			}
			sent := strings.Fields(strings.ReplaceAll(each.sends, "{id}", "1"))
			path, _, _ := strings.Cut(sent[1], "?")
			if route, err := coinpayments.FindRoute(sent[0], path); err != nil || route.String() != method+" "+pattern {
				t.Errorf("%s makes %s, not %s %s: %v", name, route, method, pattern, err)
			}
			made[name] = true
		}
	}
	if len(made) != len(everyCall) {
		t.Errorf("%d methods of %d are in the table", len(made), len(everyCall))
	}
}

// The calls that are said to change something are those that are never sent again.
func TestDocNeverAgain(t *testing.T) {
	t.Parallel()
	_, list, _ := strings.Cut(doc(t), "Calls that change something are ")
	list, _, _ = strings.Cut(list, ". ")
	names := regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(list, -1)
	for _, name := range names {
		if _, never := neverAgain[name[1]]; !never {
			t.Errorf("%s may be repeated", name[1])
		}
	}
	if len(names) != len(neverAgain) {
		t.Errorf("%d calls, want %d", len(names), len(neverAgain))
	}
}

// The code that is shown is code that runs: the examples'.
func TestDocCode(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)\n```").FindAllStringSubmatch(doc(t), -1)
	if len(blocks) < 6 {
		t.Errorf("%d blocks of code", len(blocks))
	}
	for _, block := range blocks {
		indented := "\t" + strings.ReplaceAll(block[1], "\n", "\n\t")
		indented = strings.ReplaceAll(indented, "\n\t\n", "\n\n")
		if !strings.Contains(string(source), indented) {
			t.Errorf("no example runs\n%s", block[1])
		}
	}
}
