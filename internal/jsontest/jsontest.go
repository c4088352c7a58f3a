// Package jsontest has what tests look into JSON with.
package jsontest

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
)

// Tree is a JSON value that is looked into by path: names and indexes, divided by dots.
type Tree struct{ Value any }

// Read parses a JSON value. What is none fails the test.
func Read(t *testing.T, raw []byte) Tree {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return Tree{v}
}

// At follows names and indexes, divided by dots.
func (n Tree) At(path string) Tree {
	for step := range strings.SplitSeq(path, ".") {
		switch v := n.Value.(type) {
		case map[string]any:
			n = Tree{v[step]}
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(v) {
				return Tree{}
			}
			n = Tree{v[i]}
		default:
			return Tree{}
		}
	}
	return n
}

// Text is the value at a path as JSON, so that "1" and 1 differ.
func (n Tree) Text(path string) string {
	raw, _ := json.Marshal(n.At(path).Value)
	return string(raw)
}

// Str is the string at a path.
func (n Tree) Str(path string) string {
	text, _ := n.At(path).Value.(string)
	return text
}

// Len is how many the array at a path has.
func (n Tree) Len(path string) int {
	list, _ := n.At(path).Value.([]any)
	return len(list)
}

// Expect compares values at paths with JSON.
func (n Tree) Expect(t *testing.T, want map[string]string) {
	t.Helper()
	for path, value := range want {
		if got := n.Text(path); got != value {
			t.Errorf("%s: got %s, want %s", path, got, value)
		}
	}
}
