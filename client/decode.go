package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/shopspring/decimal"
)

// decode reads a JSON value into what v points to, by the names in the json
// tags. It differs from encoding/json in what this API needs: a text or a
// number where either stands in the answers, times as Unix seconds, amounts
// within bounds, a key of ours that stands twice refused, and a field named
// Raw that keeps the object as it was received.
func decode(data []byte, v any) error {
	if !json.Valid(data) {
		return errors.New("it is not JSON")
	}
	return decodeValue(bytes.TrimSpace(data), reflect.ValueOf(v).Elem())
}

var (
	decimalType = reflect.TypeFor[decimal.Decimal]()
	timeType    = reflect.TypeFor[time.Time]()
	riskType    = reflect.TypeFor[Risk]()
	refundType  = reflect.TypeFor[RefundedDeposit]()
	rawType     = reflect.TypeFor[json.RawMessage]()
)

func decodeValue(data json.RawMessage, v reflect.Value) error {
	if bytes.Equal(data, []byte("null")) {
		if v.Kind() == reflect.Slice && v.Type() != rawType {
			v.Set(reflect.MakeSlice(v.Type(), 0, 0)) // an empty list, as some programs write it
		}
		return nil
	}
	switch v.Type() {
	case rawType:
		v.Set(reflect.ValueOf(bytes.Clone(data)).Convert(rawType))
		return nil
	case decimalType, timeType:
		return decodeText(data, func(text string) (err error) {
			var value any
			if v.Type() == decimalType {
				value, err = ParseAmount(text)
			} else {
				value, err = parseUnix(text)
			}
			v.Set(reflect.ValueOf(value))
			return err
		})
	case riskType:
		var risky bool
		if err := json.Unmarshal(data, &risky); err != nil {
			return fmt.Errorf("%.60s is neither true nor false", data)
		}
		v.Set(reflect.ValueOf(riskOf(risky)))
		return nil
	case refundType:
		if data[0] != '{' {
			return decodeValue(data, v.Field(0))
		}
	}
	switch v.Kind() {
	case reflect.String:
		return decodeText(data, func(text string) error { v.SetString(text); return nil })
	case reflect.Int:
		return decodeText(data, func(text string) error {
			if text == "" {
				return nil
			}
			n, err := strconv.Atoi(text)
			v.SetInt(int64(n))
			return err
		})
	case reflect.Slice:
		return decodeList(data, v)
	case reflect.Map:
		return decodeMap(data, v)
	case reflect.Struct:
		return decodeObject(data, v)
	default:
		return json.Unmarshal(data, v.Addr().Interface())
	}
}

// decodeText takes a JSON text or number as its text, digit for digit.
func decodeText(data json.RawMessage, set func(string) error) error {
	switch c := data[0]; {
	case c == '"':
		var text string
		if err := json.Unmarshal(data, &text); err != nil {
			return err
		}
		return set(text)
	case c == '-' || c >= '0' && c <= '9':
		return set(string(data))
	default:
		return fmt.Errorf("%.60s is neither a text nor a number", data)
	}
}

// maxItems is far more than any list of the API has.
const maxItems = 50_000

func decodeList(data json.RawMessage, v reflect.Value) error {
	if data[0] != '[' {
		return fmt.Errorf("%.60s is not a list", data)
	}
	var items []json.RawMessage
	for rest := data[1:]; ; {
		item, after := nextValue(rest)
		if item == nil {
			break
		}
		if len(items) == maxItems {
			return fmt.Errorf("a list has more than %d items", maxItems)
		}
		items, rest = append(items, item), after
	}
	list := reflect.MakeSlice(v.Type(), len(items), len(items))
	for i, item := range items {
		if string(item) == "null" {
			return fmt.Errorf("[%d] is null", i)
		}
		if err := decodeValue(item, list.Index(i)); err != nil {
			return fmt.Errorf("[%d]: %w", i, err)
		}
	}
	v.Set(list)
	return nil
}

func decodeMap(data json.RawMessage, v reflect.Value) error {
	m := reflect.MakeMap(v.Type())
	err := eachMember(data, func(name string, value json.RawMessage) error {
		key, item := reflect.ValueOf(name), reflect.New(v.Type().Elem()).Elem()
		if m.MapIndex(key).IsValid() {
			return fmt.Errorf("%q stands there twice", name)
		}
		if err := decodeValue(value, item); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		m.SetMapIndex(key, item)
		return nil
	})
	v.Set(m)
	return err
}

func decodeObject(data json.RawMessage, v reflect.Value) error {
	layout := layoutOf(v.Type())
	for _, raw := range layout.raw {
		v.FieldByIndex(raw).SetBytes(bytes.Clone(data))
	}
	seen := make([]bool, len(layout.fields))
	return eachMember(data, func(name string, value json.RawMessage) error {
		at, ours := layout.names[name]
		if !ours {
			return nil
		}
		if seen[at] {
			return fmt.Errorf("%q stands there twice", name)
		}
		seen[at] = true
		if err := decodeValue(value, v.FieldByIndex(layout.fields[at])); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
}

// layout is where a struct keeps what: its fields by their names in JSON, those
// of embedded structs among them, and its Raws.
type layout struct {
	names  map[string]int
	fields [][]int
	raw    [][]int
}

var layouts sync.Map // of *layout by reflect.Type

func layoutOf(t reflect.Type) *layout {
	if known, ok := layouts.Load(t); ok {
		return known.(*layout)
	}
	l := &layout{names: make(map[string]int)}
	l.add(t, nil)
	layouts.Store(t, l)
	return l
}

func (l *layout) add(t reflect.Type, parent []int) {
	for i := range t.NumField() {
		field, at := t.Field(i), append(slices.Clone(parent), i)
		switch name, _, _ := strings.Cut(field.Tag.Get("json"), ","); {
		case field.Anonymous:
			l.add(field.Type, at)
		case field.Name == "Raw":
			l.raw = append(l.raw, at)
		case name != "":
			l.names[name] = len(l.fields)
			l.fields = append(l.fields, at)
		}
	}
}

// eachMember calls do for each member of a JSON object, in its order.
func eachMember(data json.RawMessage, do func(name string, value json.RawMessage) error) error {
	if data[0] != '{' {
		return fmt.Errorf("%.60s is not an object", data)
	}
	for rest := data[1:]; ; {
		key, after := nextValue(rest)
		if key == nil {
			return nil
		}
		var name string
		if err := json.Unmarshal(key, &name); err != nil {
			return err
		}
		value, after := nextValue(after)
		if err := do(name, value); err != nil {
			return err
		}
		rest = after
	}
}

// nextValue cuts the next value off what stands inside a list or an object,
// and nil at its end. The JSON is known to be valid.
func nextValue(data json.RawMessage) (value, rest json.RawMessage) {
	for len(data) > 0 && strings.IndexByte(" \t\r\n,:", data[0]) >= 0 {
		data = data[1:]
	}
	if data[0] == ']' || data[0] == '}' {
		return nil, nil
	}
	depth, inText := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case inText && c == '\\':
			i++ // what follows is no end of the text
			continue
		case c == '"':
			inText = !inText
		case inText:
			continue
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		}
		if depth == 0 && !inText && (i+1 == len(data) || strings.IndexByte(" \t\r\n,:]}", data[i+1]) >= 0) {
			return data[:i+1], data[i+1:]
		}
	}
	return data, nil
}

// parseUnix reads Unix seconds, or milliseconds where there are 13 digits.
// Nothing, 0 and a date in the year 1 are the zero time: the API sends them for
// "not yet".
func parseUnix(text string) (time.Time, error) {
	if text == "" || text == "0" || strings.HasPrefix(text, "0001-01-01") {
		return time.Time{}, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil || n < 0 || len(text) > 13:
		return time.Time{}, fmt.Errorf("%.60q is not a Unix time", text)
	case len(text) == 13:
		return time.UnixMilli(n), nil
	default:
		return time.Unix(n, 0), nil
	}
}
