// Package strictjson reads JSON that a stranger wrote: it refuses what two
// parsers may read in two ways.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// The errors of [Object].
var (
	ErrNotJSON   = errors.New("not JSON")
	ErrNotObject = errors.New("not a JSON object")
)

// deepest is how many levels gjson may check: far more than a webhook has.
const deepest = 1000

// Object returns the object that the text is.
func Object(body []byte) (gjson.Result, error) {
	// gjson's check is the quicker one, and calls itself for each level, however
	// deep a body nests.
	valid := gjson.ValidBytes
	if bytes.Count(body, []byte{'{'})+bytes.Count(body, []byte{'['}) > deepest {
		valid = json.Valid
	}
	if !utf8.Valid(body) || !valid(body) {
		return gjson.Result{}, ErrNotJSON
	}
	object := gjson.ParseBytes(body)
	if !object.IsObject() {
		return gjson.Result{}, ErrNotObject
	}
	return object, nil
}

// Field is where the value of a key goes.
type Field struct {
	Key   string
	Value *gjson.Result
}

// Read reads the keys of an object for which there is a field. A key that stands
// there twice is an error: another reader might take the other one.
func Read(object gjson.Result, fields ...Field) error {
	repeated := ""
	object.ForEach(func(key, value gjson.Result) bool {
		for _, f := range fields {
			if f.Key != key.Str {
				continue
			}
			if f.Value.Exists() {
				repeated = key.Str
				return false
			}
			*f.Value = value
		}
		return true
	})
	if repeated != "" {
		return fmt.Errorf("%s stands in it twice", repeated)
	}
	return nil
}

// Text returns a value that is a text or a number; others count as absent.
func Text(value gjson.Result) string {
	switch value.Type {
	case gjson.String:
		if strings.ContainsRune(value.Str, utf8.RuneError) {
			return value.Raw // an escape that is no character: two such must stay apart
		}
		return value.Str
	case gjson.Number:
		return value.Raw
	default:
		return ""
	}
}

// RepeatedKey returns a key that an object in a valid JSON text, or one within,
// has twice; empty: there is none.
func RepeatedKey(body []byte) string {
	type level struct {
		keys  map[string]bool // nil: a list
		value bool            // the next text is a value, not a key
	}
	var open []*level
	decoder := json.NewDecoder(bytes.NewReader(body))
	for {
		token, err := decoder.Token()
		if err != nil {
			return ""
		}
		if token == json.Delim('}') || token == json.Delim(']') {
			open = open[:len(open)-1]
			continue
		}
		if len(open) > 0 {
			at := open[len(open)-1]
			if key, ok := token.(string); ok && at.keys != nil && !at.value {
				if at.keys[key] {
					return key
				}
				at.keys[key], at.value = true, true
				continue
			}
			at.value = false
		}
		switch token {
		case json.Delim('{'):
			open = append(open, &level{keys: make(map[string]bool)})
		case json.Delim('['):
			open = append(open, new(level))
		}
	}
}
