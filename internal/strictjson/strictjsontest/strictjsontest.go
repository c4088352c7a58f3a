// Package strictjsontest reads JSON by encoding/json, for tests that hold what
// package strictjson reads against it.
package strictjsontest

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// Text is a text or a number as the pipeline takes it: a text that has an
// escape which is no character stays as it was written, so that two such stay
// apart.
func Text(value json.RawMessage) string {
	if len(value) == 0 || value[0] != '"' && value[0] != '-' && (value[0] < '0' || value[0] > '9') {
		return ""
	}
	var text string
	if value[0] != '"' || json.Unmarshal(value, &text) != nil || strings.ContainsRune(text, utf8.RuneError) {
		return string(value)
	}
	return text
}

// Count returns how often the one of the names that stands there most
// often stands in an object.
func Count(object json.RawMessage, names ...string) int {
	times := make(map[string]int)
	decoder := json.NewDecoder(bytes.NewReader(object))
	if first, err := decoder.Token(); err != nil || first != json.Delim('{') {
		return 0
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil || decoder.Decode(new(json.RawMessage)) != nil {
			return 0
		}
		times[name.(string)]++
	}
	most := 0
	for _, name := range names {
		most = max(most, times[name])
	}
	return most
}
