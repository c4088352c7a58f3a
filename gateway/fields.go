package gateway

import (
	"fmt"

	"github.com/tidwall/gjson"

	"github.com/seed-338f6760/caddy-ccpayment/internal/strictjson"
)

// ReadFields reads texts and numbers of a JSON object by their keys, and returns the
// object. A key that the object does not have leaves its text empty. The error is that
// the text is not a JSON object, or that one of the keys stands in it twice: another
// reader might take the other one.
func ReadFields(text []byte, into map[string]*string) (gjson.Result, error) {
	object, err := strictjson.Object(text)
	if err != nil {
		return object, err
	}
	values := make(map[string]*gjson.Result, len(into))
	fields := make([]strictjson.Field, 0, len(into))
	for key := range into {
		values[key] = new(gjson.Result)
		fields = append(fields, strictjson.Field{Key: key, Value: values[key]})
	}
	if err := strictjson.Read(object, fields...); err != nil {
		return object, fmt.Errorf("reading the object: %w", err)
	}
	for key, to := range into {
		*to = strictjson.Text(*values[key])
	}
	return object, nil
}
