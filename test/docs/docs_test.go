package docs

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const root = "../.."

// written is a test of this repository as its source has it.
type written struct {
	texts map[string]bool // in it: the names of its subtests are among them
	table int             // the elements of its longest list
}

// writtenTests are the tests and fuzz targets of each folder, "." and so on, by name.
func writtenTests(t *testing.T) map[string]map[string]written {
	t.Helper()
	found := make(map[string]map[string]written)
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == "node_modules" || len(entry.Name()) > 2 && entry.Name()[0] == '.') {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		folder, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		folder = filepath.ToSlash(folder)
		for _, declared := range file.Decls {
			function, isFunction := declared.(*ast.FuncDecl)
			if isFunction && function.Recv == nil && (strings.HasPrefix(function.Name.Name, "Test") || strings.HasPrefix(function.Name.Name, "Fuzz")) {
				if found[folder] == nil {
					found[folder] = make(map[string]written)
				}
				found[folder][function.Name.Name] = read(function)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func read(function *ast.FuncDecl) written {
	w := written{texts: make(map[string]bool)}
	ast.Inspect(function, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BasicLit:
			if text, err := strconv.Unquote(n.Value); err == nil {
				w.texts[text] = true
			}
		case *ast.CompositeLit:
			w.table = max(w.table, len(n.Elts))
		}
		return true
	})
	return w
}

var (
	// A test and its subtest, or the packages, in parentheses, of the tests before them.
	namedTest = regexp.MustCompile("`((?:Test|Fuzz)\\w+)(…?)(?:/([^`]+))?`|\\((`[^)]+`)\\)")
	inTicks   = regexp.MustCompile("`([^`]+)`")
)

// problems says which of the tests that a line of docs names are not there, and how many
// it names. A package in parentheses is that of the tests before it; a test without one
// may be in any package.
func problems(line string, tests map[string]map[string]written) (wrong []string, names int) {
	var waiting [][]string
	look := func(in ...string) {
		for _, name := range waiting {
			for _, folder := range in {
				if !isThere(name, folder, tests) {
					wrong = append(wrong, fmt.Sprintf("there is no %s in %s", strings.Trim(strings.Join(name[1:], " "), " "), folder))
				}
			}
		}
		waiting = nil
	}
	for _, match := range namedTest.FindAllStringSubmatch(line, -1) {
		if match[1] != "" {
			names++
			waiting = append(waiting, match[:4])
			continue
		}
		var folders []string
		for _, folder := range inTicks.FindAllStringSubmatch(match[4], -1) {
			if _, isFolder := tests[folder[1]]; isFolder {
				folders = append(folders, folder[1])
			}
		}
		if len(folders) > 0 {
			look(folders...)
		}
	}
	look("")
	return wrong, names
}

// isThere reports whether a test, as namedTest matches it, is in a folder; "": in any.
func isThere(name []string, folder string, tests map[string]map[string]written) bool {
	for in, here := range tests {
		if folder != "" && in != folder {
			continue
		}
		for test, w := range here {
			isIt := test == name[1] || name[2] != "" && strings.HasPrefix(test, name[1])
			if isIt && (name[3] == "" || w.texts[name[3]]) {
				return true
			}
		}
	}
	return false
}

func readDoc(t *testing.T, name string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(text), "\n")
}

// TestDocsNameTests: each test by which the docs say that something holds is there, and
// has the subtest that they name.
func TestDocsNameTests(t *testing.T) {
	t.Parallel()
	tests := writtenTests(t)
	for _, doc := range []string{"SECURITY.md", "docs/reliability.md"} {
		sum := 0
		for i, line := range readDoc(t, doc) {
			wrong, names := problems(line, tests)
			sum += names
			for _, problem := range wrong {
				t.Errorf("%s:%d: %s", doc, i+1, problem)
			}
		}
		if sum < 50 {
			t.Errorf("%s names %d tests only: are they written as they are looked for?", doc, sum)
		}
	}
}

// TestDocsFindMistakes: a test that is not there, is elsewhere, or lacks the subtest is
// found.
func TestDocsFindMistakes(t *testing.T) {
	t.Parallel()
	tests := map[string]map[string]written{
		".": {"TestA": {texts: map[string]bool{"one two": true}}, "TestB": {}}, "ledger": {"TestA": {}},
	}
	for line, want := range map[string]int{
		"`TestA/one two`, `TestB` (`.`); `TestA` (`ledger`), and (`words`)": 0, "`TestA` (`.` and `ledger`)": 0, "`TestB`": 0, "`Test…`": 0,
		"`TestC`": 1, "`TestB` (`ledger`)": 1, "`TestA/three` (`.`)": 1, "`TestA/one two` (`.` and `ledger`)": 1, "`TestX…` (`.`)": 1,
	} {
		if wrong, _ := problems(line, tests); len(wrong) != want {
			t.Errorf("%s: %q, want %d", line, wrong, want)
		}
	}
}

// TestAttackClasses: SECURITY.md's tables have as many classes as their headings and its
// text say, each with a test.
func TestAttackClasses(t *testing.T) {
	t.Parallel()
	const atLeast = 60
	heading := regexp.MustCompile(`^### (.+): (\d+)$`)
	text := regexp.MustCompile(`\*\*(\d+) attack classes\*\*: (\d+) at (.+), (\d+) at (.+), (\d+) at (.+), and (\d+) at none in particular`)
	counted, claimed, said, section, sum := make(map[string]int), make(map[string]int), []string(nil), "", 0
	for _, line := range readDoc(t, "SECURITY.md") {
		if found := text.FindStringSubmatch(line); found != nil {
			said = found[1:]
		}
		if strings.HasPrefix(line, "#") {
			section = ""
			if found := heading.FindStringSubmatch(line); found != nil {
				section = found[1]
				claimed[section], _ = strconv.Atoi(found[2])
			}
		}
		if section == "" || !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| ---") || strings.HasPrefix(line, "| an attacker tries") {
			continue
		}
		counted[section]++
		sum++
		if _, tests := problems(line, nil); tests == 0 {
			t.Errorf("no test is named for this class: %s", line)
		}
	}
	if !maps.Equal(counted, claimed) || sum < atLeast {
		t.Errorf("the tables have %v classes, and their headings say %v; there are to be %d at least", counted, claimed, atLeast)
	}
	if said == nil {
		t.Fatalf("SECURITY.md does not say how many there are, as %s", text)
	}
	rest := sum
	for i := 1; i < 7; i += 2 {
		if said[i] != strconv.Itoa(counted[said[i+1]]) {
			t.Errorf("it says %s at %s, and there are %d", said[i], said[i+1], counted[said[i+1]])
		}
		rest -= counted[said[i+1]]
	}
	if said[0] != strconv.Itoa(sum) || said[7] != strconv.Itoa(rest) {
		t.Errorf("it says %s, and %s at none in particular, and there are %d and %d", said[0], said[7], sum, rest)
	}
}

// TestReliabilityCounts: what docs/reliability.md says the number of is so many.
func TestReliabilityCounts(t *testing.T) {
	t.Parallel()
	tests, targets := writtenTests(t), 0
	for _, here := range tests {
		for name := range here {
			if strings.HasPrefix(name, "Fuzz") {
				targets++
			}
		}
	}
	doc := strings.Join(readDoc(t, "docs/reliability.md"), "\n")
	for words, counted := range map[string]int{
		`(\d+) fuzz targets`:                    targets,
		`(\d+) ways in which they can disagree`: tests["."]["TestDisagreements"].table,
		`(\d+) planted violations`:              tests["test/history"]["TestPlanted"].table,
		`(\d+) more for several Caddys`:         tests["test/history"]["TestPlantedShared"].table,
	} {
		found := regexp.MustCompile(words).FindStringSubmatch(doc)
		if found == nil {
			t.Errorf("docs/reliability.md has no %s", words)
		} else if found[1] != strconv.Itoa(counted) {
			t.Errorf("docs/reliability.md says %s, and there are %d", found[0], counted)
		}
	}
}
