package apiclient

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

// Decoder reads JSON into Go values by the names in the json tags. It differs from
// encoding/json in what the APIs need: a text or a number where either stands in
// the answers, amounts within bounds, a key of ours that stands twice refused, a
// second name of a field in its tag `also`, and a field named Raw that keeps the
// object as it was received. It is made once and is safe for concurrent use.
type Decoder struct {
	// Time reads the text or number of a time.
	Time func(text string) (time.Time, error)
	// Types read values of types of their own, which are never null.
	Types map[reflect.Type]func(data json.RawMessage, v reflect.Value) error
	// OneForList reads a value that is no list as the list of that one, where a list
	// is expected.
	OneForList bool
	// SkipUnreadable leaves a member that cannot be read at its zero value.
	SkipUnreadable bool

	layouts sync.Map // of *layout by reflect.Type
}

// Decode reads a JSON value into what v points to.
func (d *Decoder) Decode(data []byte, v any) error {
	if !json.Valid(data) {
		return errors.New("it is not JSON")
	}
	return d.Value(bytes.TrimSpace(data), reflect.ValueOf(v).Elem())
}

var (
	decimalType = reflect.TypeFor[decimal.Decimal]()
	timeType    = reflect.TypeFor[time.Time]()
	rawType     = reflect.TypeFor[json.RawMessage]()
)

// Value reads a valid JSON value, without white space around it, into v. It is for
// the functions in Types.
func (d *Decoder) Value(data json.RawMessage, v reflect.Value) error {
	if string(data) == "null" {
		if v.Kind() == reflect.Slice && v.Type() != rawType {
			v.Set(reflect.MakeSlice(v.Type(), 0, 0)) // an empty list, as some programs write it
		}
		return nil
	}
	if read, ok := d.Types[v.Type()]; ok {
		return read(data, v)
	}
	switch v.Type() {
	case rawType:
		v.Set(reflect.ValueOf(bytes.Clone(data)).Convert(rawType))
		return nil
	case decimalType:
		return Text(data, func(text string) error {
			amount, err := ParseAmount(text)
			v.Set(reflect.ValueOf(amount))
			return err
		})
	case timeType:
		return Text(data, func(text string) error {
			at, err := d.Time(text)
			v.Set(reflect.ValueOf(at))
			return err
		})
	}
	switch v.Kind() {
	case reflect.String:
		return Text(data, func(text string) error { v.SetString(text); return nil })
	case reflect.Int, reflect.Int64:
		return Text(data, func(text string) error {
			if text == "" {
				return nil
			}
			n, err := strconv.ParseInt(text, 10, v.Type().Bits())
			v.SetInt(n)
			return err
		})
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return d.Value(data, v.Elem())
	case reflect.Slice:
		return d.list(data, v)
	case reflect.Map:
		return d.mapping(data, v)
	case reflect.Struct:
		return d.Object(data, v)
	default:
		return json.Unmarshal(data, v.Addr().Interface())
	}
}

// Text takes a JSON text or number as its text, digit for digit.
func Text(data json.RawMessage, set func(string) error) error {
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

// Items are the values of a JSON list.
func Items(list json.RawMessage) ([]json.RawMessage, error) {
	if list[0] != '[' {
		return nil, fmt.Errorf("%.60s is not a list", list)
	}
	var items []json.RawMessage
	for rest := list[1:]; ; {
		item, after := nextValue(rest)
		if item == nil {
			return items, nil
		}
		if len(items) == maxItems {
			return nil, fmt.Errorf("a list has more than %d items", maxItems)
		}
		items, rest = append(items, item), after
	}
}

func (d *Decoder) list(data json.RawMessage, v reflect.Value) error {
	items := []json.RawMessage{data}
	if data[0] == '[' || !d.OneForList {
		var err error
		if items, err = Items(data); err != nil {
			return err
		}
	}
	list := reflect.MakeSlice(v.Type(), len(items), len(items))
	for i, item := range items {
		if string(item) == "null" {
			return fmt.Errorf("[%d] is null", i)
		}
		if err := d.Value(item, list.Index(i)); err != nil {
			return fmt.Errorf("[%d]: %w", i, err)
		}
	}
	v.Set(list)
	return nil
}

func (d *Decoder) mapping(data json.RawMessage, v reflect.Value) error {
	m := reflect.MakeMap(v.Type())
	err := EachMember(data, func(name string, value json.RawMessage) error {
		key, item := reflect.ValueOf(name), reflect.New(v.Type().Elem()).Elem()
		if m.MapIndex(key).IsValid() {
			return fmt.Errorf("%q %w", name, errTwice)
		}
		if err := d.Value(value, item); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		m.SetMapIndex(key, item)
		return nil
	})
	v.Set(m)
	return err
}

// Object reads a JSON object into a struct, past the function in Types that may be
// there for it.
func (d *Decoder) Object(data json.RawMessage, v reflect.Value) error {
	layout := d.layoutOf(v.Type())
	for _, raw := range layout.raw {
		v.FieldByIndex(raw).SetBytes(bytes.Clone(data))
	}
	seen := make([]bool, len(layout.fields))
	return EachMember(data, func(name string, value json.RawMessage) error {
		at, ours := layout.names[name]
		if !ours {
			return nil
		}
		if seen[at] {
			return fmt.Errorf("%q %w", name, errTwice)
		}
		seen[at] = true
		field := v.FieldByIndex(layout.fields[at])
		if err := d.Value(value, field); err != nil {
			if d.SkipUnreadable && !errors.Is(err, errTwice) {
				field.SetZero()
				return nil
			}
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
}

// errTwice: whoever reads the object in another way may take the other value.
var errTwice = errors.New("stands there twice")

// layout is where a struct keeps what: its fields by their names in JSON, those
// of embedded structs among them, and its Raws.
type layout struct {
	names  map[string]int
	fields [][]int
	raw    [][]int
}

func (d *Decoder) layoutOf(t reflect.Type) *layout {
	if known, ok := d.layouts.Load(t); ok {
		return known.(*layout)
	}
	l := &layout{names: make(map[string]int)}
	l.add(t, nil)
	d.layouts.Store(t, l)
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
			if also := field.Tag.Get("also"); also != "" {
				l.names[also] = len(l.fields)
			}
			l.fields = append(l.fields, at)
		}
	}
}

// EachMember calls do for each member of a JSON object, in its order.
func EachMember(data json.RawMessage, do func(name string, value json.RawMessage) error) error {
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
