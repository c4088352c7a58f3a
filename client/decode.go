package client

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/internal/apiclient"
)

// ParseAmount reads a decimal number of at most 40 digits, with an exponent
// within ±40. The empty text is 0: the API sends it for "none".
func ParseAmount(text string) (decimal.Decimal, error) { return apiclient.ParseAmount(text) }

// decode reads a JSON value into what v points to, with times as Unix seconds.
func decode(data []byte, v any) error { return decoder.Decode(data, v) }

var decoder apiclient.Decoder

func init() {
	decoder.Time = parseUnix
	decoder.Types = map[reflect.Type]func(json.RawMessage, reflect.Value) error{
		reflect.TypeFor[Risk](): func(data json.RawMessage, v reflect.Value) error {
			var risky bool
			if err := json.Unmarshal(data, &risky); err != nil {
				return fmt.Errorf("%.60s is neither true nor false", data)
			}
			v.Set(reflect.ValueOf(riskOf(risky)))
			return nil
		},
		reflect.TypeFor[BatchRecord](): readBatchRecord,
		reflect.TypeFor[RefundedDeposit](): func(data json.RawMessage, v reflect.Value) error {
			if data[0] != '{' {
				return decoder.Value(data, v.Field(0))
			}
			return decoder.Object(data, v)
		},
	}
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
