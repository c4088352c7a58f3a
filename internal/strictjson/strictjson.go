// Package strictjson reads JSON from the network: it refuses texts that two parsers may
// read differently.
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

// WithoutBOM returns a text without the byte order mark that some programs write in
// front of JSON.
func WithoutBOM(body []byte) []byte { return bytes.TrimPrefix(body, []byte("\xEF\xBB\xBF")) }

// deepest is how many objects and lists gjson may check: far more than a webhook has.
const deepest = 1000

// Object parses a text that must be one JSON object in UTF-8. The error is [ErrNotJSON]
// or [ErrNotObject].
func Object(body []byte) (gjson.Result, error) {
	// gjson's check is quicker, but recurses once for each level of nesting without a
	// limit.
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

// Field says where the value of an object's key is stored.
type Field struct {
	Key   string
	Value *gjson.Result
}

// Read stores the values of an object's keys in the fields of the same key. A key with a
// field that the object has twice is an error: another parser might take the other
// value.
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

// Text returns the text of a string or a number; empty for any other value. A string
// with an invalid escape is returned as it is written in JSON.
func Text(value gjson.Result) string {
	switch value.Type {
	case gjson.String:
		if strings.ContainsRune(value.Str, utf8.RuneError) {
			return value.Raw // an escape that is no character: two different ones must stay different
		}
		return value.Str
	case gjson.Number:
		return value.Raw
	default:
		return ""
	}
}

// RepeatedKey returns a key that any object in a valid JSON text has twice; empty:
// there is none.
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

// WithMember returns a JSON object, or one that is empty, with a member added in front.
func WithMember(object []byte, key string, value any) ([]byte, error) {
	var member bytes.Buffer
	encoder := json.NewEncoder(&member)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(map[string]any{key: value}); err != nil {
		return nil, err
	}
	rest := bytes.TrimSpace(bytes.TrimPrefix(bytes.TrimSpace(object), []byte("{")))
	front := bytes.TrimSuffix(member.Bytes(), []byte("}\n"))
	if len(rest) == 0 {
		rest = []byte("}")
	}
	if rest[0] != '}' {
		front = append(front, ',')
	}
	return append(front, rest...), nil
}
