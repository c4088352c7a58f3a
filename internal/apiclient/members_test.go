package apiclient

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/shopspring/decimal"
)

// FuzzMembers: an object is taken apart as encoding/json does it, whatever
// stands in it, and reading it never panics.
func FuzzMembers(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{ }`, `{"a":1}`, ` { "a" : "b" , "c" : [ 1 , { "d" : null } ] } `, `{"a\"b":"\\","c":"}]\\\""}`,
		`{"a":{"b":{}},"c":[[],[]],"d":-1e5,"e":true}`, `{"a":"\u007d","":""}`, `[]`, `"{"`, `null`, `{"a":1,"a":2}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d := Decoder{Time: func(string) (time.Time, error) { return time.Time{}, nil }}
		var record struct {
			A   string                     `json:"a" also:"d"`
			B   []decimal.Decimal          `json:"b"`
			C   map[string]json.RawMessage `json:"c"`
			E   *bool                      `json:"e"`
			Raw json.RawMessage
		}
		_ = d.Decode(data, &record)

		var want map[string]json.RawMessage
		data = bytes.TrimSpace(data)
		if !json.Valid(data) || data[0] != '{' || json.Unmarshal(data, &want) != nil {
			return
		}
		got := make(map[string]json.RawMessage)
		err := EachMember(data, func(name string, value json.RawMessage) error {
			got[name] = value
			return nil
		})
		if err != nil || len(got) != len(want) {
			t.Fatalf("%q has the members %q, not %q: %v", data, got, want, err)
		}
		for name, value := range want {
			if !bytes.Equal(got[name], value) {
				t.Fatalf("%q of %q is %q, not %q", name, data, got[name], value)
			}
		}
	})
}
