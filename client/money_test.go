package client_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Nothing that handles money uses a float, not even for a moment.
func TestNoFloats(t *testing.T) {
	checked := 0
	for _, folder := range []string{".", "../sandbox", "../settle"} {
		err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			checked++
			problems, err := findFloats(path, nil)
			for _, problem := range problems {
				t.Error(problem)
			}
			return err
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	}
	if checked < 15 {
		t.Errorf("only %d files were found", checked)
	}
}

var (
	floatNames = []string{"float64", "float32", "ParseFloat", "AppendFloat", "FormatFloat", "InexactFloat64", "Float64", "Float32", "Float"}
	// floatVerb is a verb that prints floats, with its flags and width.
	floatVerb = regexp.MustCompile(`%[-+# 0]*(?:\[\d+\])?(?:\d+|\*)?(?:\.(?:\d+|\*)?)?[feEgG]`)
)

// findFloats names the places in a file of Go where floats are used. The source
// is a string, or nil for the file of that name.
func findFloats(name string, source any) (problems []string, err error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	ast.Inspect(file, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.Ident:
			if slices.Contains(floatNames, node.Name) || strings.HasPrefix(node.Name, "NewFromFloat") {
				problems = append(problems, fmt.Sprintf("%s: %s", files.Position(node.Pos()), node.Name))
			}
		case *ast.BasicLit:
			// 1e9 is a whole number, and not the worse for it.
			if node.Kind == token.FLOAT && strings.Contains(node.Value, ".") {
				problems = append(problems, fmt.Sprintf("%s: %s", files.Position(node.Pos()), node.Value))
			}
			if text, err := strconv.Unquote(node.Value); node.Kind == token.STRING && err == nil {
				if verb := floatVerb.FindString(strings.ReplaceAll(text, "%%", "")); verb != "" {
					problems = append(problems, fmt.Sprintf("%s: %s", files.Position(node.Pos()), verb))
				}
			}
		}
		return true
	})
	return problems, nil
}

func TestFindFloats(t *testing.T) {
	planted := []string{
		`var amount float64`,
		`func fee(amounts ...float32) {}`,
		`var amount, err = strconv.ParseFloat("0.1", 64)`,
		`var amount = decimal.NewFromFloat(1)`,
		`var amount = decimal.NewFromFloatWithExponent(1, -2)`,
		`var amount = price.InexactFloat64()`,
		`var amount, exact = price.Float64()`,
		`var text = fmt.Sprintf("%f", price)`,
		`var text = fmt.Sprintf("to pay: %8.2f USD", price)`,
		`var text = fmt.Sprintf("%+g", price)`,
		"var text = fmt.Sprintf(`%e`, price)",
		`var text = fmt.Sprintf("%[1]*.[2]*f %.2f", 1, 2, price)`,
		`var half = 0.5`,
	}
	for _, line := range planted {
		if problems, err := findFloats("planted.go", "package planted\n\n"+line+"\n"); err != nil || len(problems) == 0 {
			t.Errorf("%s passes: %v", line, err)
		}
	}
	for _, line := range []string{
		`import "strconv"`, `// a float64 in a comment: %f`, `var text = fmt.Sprintf("100%% free, %d %s", 1, "a")`, `var amount = decimal.RequireFromString("0.1")`,
		`const longest int64 = 1e9`,
	} {
		problems, err := findFloats("clean.go", "package clean\n\n"+line+"\n")
		if err != nil || len(problems) != 0 {
			t.Errorf("%s: %v, %v", line, problems, err)
		}
	}
}
