package apiclienttest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

var (
	decimalType = reflect.TypeFor[decimal.Decimal]()
	timeType    = reflect.TypeFor[time.Time]()
	rawType     = reflect.TypeFor[json.RawMessage]()
)

// Comparison compares what a client read with what it was sent.
type Comparison struct {
	// SameTime reports whether a text of the API is a time.
	SameTime func(text string, at time.Time) bool
	// Normal writes a value in the way that its type has, where the API has several; nil:
	// it has one.
	Normal func(value json.RawMessage, t reflect.Type) json.RawMessage
	// Types compare values of types of their own.
	Types map[reflect.Type]func(expected json.RawMessage, got reflect.Value) bool
}

// Compare walks through a JSON value and what was read from it, and counts
// the values that it compared. Nothing may be lost, and nothing come from nowhere.
func (c Comparison) Compare(path string, expected json.RawMessage, got reflect.Value) (leaves int, problems []string) {
	add := func(path string, expected json.RawMessage, got reflect.Value) {
		n, more := c.Compare(path, expected, got)
		leaves += n
		problems = append(problems, more...)
	}
	differs := func(why string) (int, []string) {
		return 1, []string{fmt.Sprintf("%s: %s was read as %v: %s", path, expected, got, why)}
	}
	if c.Normal != nil {
		expected = c.Normal(expected, got.Type())
	}
	if same, ok := c.Types[got.Type()]; ok {
		if !same(expected, got) {
			return differs("another value")
		}
		return 1, nil
	}
	switch kind := got.Kind(); {
	case got.Type() == decimalType:
		text := textOf(expected)
		amount := got.Interface().(decimal.Decimal)
		_, decimals, _ := strings.Cut(text, ".")
		if text == "" && amount.IsZero() {
			return 1, nil
		}
		if want, err := decimal.NewFromString(text); err != nil || !want.Equal(amount) {
			return differs("another amount")
		}
		if amount.StringFixed(int32(len(decimals))) != text || int(-amount.Exponent()) != len(decimals) {
			return differs("shortened")
		}
	case got.Type() == timeType:
		if !c.SameTime(textOf(expected), got.Interface().(time.Time)) {
			return differs("another time")
		}
	case kind == reflect.String:
		if got.String() != textOf(expected) {
			return differs("another text")
		}
	case kind == reflect.Pointer && !got.IsNil():
		return c.Compare(path, expected, got.Elem())
	case kind == reflect.Int, kind == reflect.Int64:
		if strconv.FormatInt(got.Int(), 10) != textOf(expected) {
			return differs("another number")
		}
	case kind == reflect.Bool:
		if strconv.FormatBool(got.Bool()) != string(expected) {
			return differs("the opposite")
		}
	case kind == reflect.Slice:
		var items []json.RawMessage
		if err := json.Unmarshal(expected, &items); err != nil || len(items) != got.Len() {
			return differs("another length")
		}
		for i, item := range items {
			add(fmt.Sprintf("%s[%d]", path, i), item, got.Index(i))
		}
		return leaves, problems
	case kind == reflect.Map:
		var members map[string]json.RawMessage
		if err := json.Unmarshal(expected, &members); err != nil || len(members) != got.Len() {
			return differs("other keys")
		}
		for name, member := range members {
			value := got.MapIndex(reflect.ValueOf(name))
			if !value.IsValid() {
				return differs(name + " is missing")
			}
			add(path+"."+name, member, value)
		}
		return leaves, problems
	case kind == reflect.Struct:
		var members map[string]json.RawMessage
		if err := json.Unmarshal(expected, &members); err != nil {
			return differs("not an object")
		}
		for _, field := range reflect.VisibleFields(got.Type()) {
			value := got.FieldByIndex(field.Index)
			name := field.Tag.Get("json")
			if _, given := members[name]; !given && field.Tag.Get("also") != "" {
				name = field.Tag.Get("also")
			}
			member, given := members[name]
			switch {
			case field.Anonymous:
			case field.Type == rawType:
				if !bytes.Equal(value.Bytes(), expected) {
					problems = append(problems, fmt.Sprintf("%s.Raw is %s", path, value.Bytes()))
				}
			case given:
				add(path+"."+name, member, value)
			case !value.IsZero():
				problems = append(problems, fmt.Sprintf("%s.%s is %v, from nothing", path, name, value))
			}
			delete(members, name)
		}
		for name := range members {
			problems = append(problems, fmt.Sprintf("%s.%s has no field", path, name))
		}
		return leaves, problems
	default:
		return differs("a kind that this test does not know")
	}
	return 1, nil
}

// textOf is the text that a JSON text or number stands for.
func textOf(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text
	}
	return string(value)
}

var (
	jsonToken   = regexp.MustCompile(`"(?:[^"\\]|\\.)*"(?:\s*:)?|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?`)
	numericText = regexp.MustCompile(`^"(-?(?:0|[1-9]\d*)(?:\.\d+)?)"$`)
)

// ExchangeKinds writes each number of a JSON document as a text, and each text
// that could be a number as one. Keys stay.
func ExchangeKinds(document []byte) []byte {
	return jsonToken.ReplaceAllFunc(document, func(token []byte) []byte {
		switch numeric := numericText.FindSubmatch(token); {
		case numeric != nil:
			return numeric[1]
		case token[0] == '"':
			return token
		default:
			return []byte(`"` + string(token) + `"`)
		}
	})
}
