package coinpayments

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/apiclient"
)

// decode reads an answer's JSON into what v points to.
func decode(data []byte, v any) error { return strict.Decode(data, v) }

// strict is for answers, whose amounts and states are relied on. lenient is for
// webhooks and refusals: what cannot be read in them is left out.
var strict, lenient apiclient.Decoder

func init() {
	words := []reflect.Type{
		reflect.TypeFor[CurrencyType](), reflect.TypeFor[CurrencyStatus](), reflect.TypeFor[InvoiceStatus](), reflect.TypeFor[PaymentState](),
		reflect.TypeFor[TransactionStatus](), reflect.TypeFor[TransactionType](), reflect.TypeFor[WalletType](), reflect.TypeFor[EventType](),
	}
	for _, d := range []*apiclient.Decoder{&strict, &lenient} {
		d.Time = parseTime
		d.OneForList = true
		d.Types = map[reflect.Type]func(json.RawMessage, reflect.Value) error{
			reflect.TypeFor[bool]():       decodeBool,
			reflect.TypeFor[Money]():      decodeMoney[Money](d),
			reflect.TypeFor[AmountDue]():  decodeMoney[AmountDue](d),
			reflect.TypeFor[Logo]():       decodeLogo(d),
			reflect.TypeFor[Shipping]():   decodeShipping(d),
			reflect.TypeFor[CustomData](): decodeCustomData,
		}
		for _, t := range words {
			d.Types[t] = decodeWord
		}
	}
	lenient.SkipUnreadable = true
}

// decodeBool takes true and false, and their texts.
func decodeBool(data json.RawMessage, v reflect.Value) error {
	b, err := strconv.ParseBool(strings.Trim(string(data), `"`))
	if err != nil {
		return fmt.Errorf("%.60s is neither true nor false", data)
	}
	v.SetBool(b)
	return nil
}

// decodeWord takes a text of an enumeration; the reference has one or none in a list here
// and there.
func decodeWord(data json.RawMessage, v reflect.Value) error {
	if data[0] == '[' {
		items, err := apiclient.Items(data)
		switch {
		case err != nil || len(items) > 1:
			return fmt.Errorf("%.60s is not one word", data)
		case len(items) == 0:
			return nil
		}
		data = items[0]
	}
	return apiclient.Text(data, func(text string) error { v.SetString(text); return nil })
}

// decodeLogo also takes the picture's URL alone.
func decodeLogo(d *apiclient.Decoder) func(json.RawMessage, reflect.Value) error {
	return func(data json.RawMessage, v reflect.Value) error {
		if isObject(data) {
			return d.Object(data, v)
		}
		var logo Logo
		err := apiclient.Text(data, func(text string) error { logo.ImageURL = text; return nil })
		v.Set(reflect.ValueOf(logo))
		return err
	}
}

// decodeShipping also takes the address alone.
func decodeShipping(d *apiclient.Decoder) func(json.RawMessage, reflect.Value) error {
	return func(data json.RawMessage, v reflect.Value) error {
		var shipping Shipping
		if err := d.Object(data, reflect.ValueOf(&shipping).Elem()); err != nil {
			return err
		}
		if shipping.Address == (Address{}) {
			if err := d.Object(data, reflect.ValueOf(&shipping.Address).Elem()); err != nil {
				return err
			}
		}
		v.Set(reflect.ValueOf(shipping))
		return nil
	}
}

// decodeCustomData takes an object of texts, and the text of one, as v1 has it. Other
// values keep their JSON.
func decodeCustomData(data json.RawMessage, v reflect.Value) error {
	if !isObject(data) {
		var text string
		if json.Unmarshal(data, &text) != nil || text == "" || !isObject([]byte(text)) || !json.Valid([]byte(text)) {
			return nil
		}
		data = bytes.TrimSpace([]byte(text))
	}
	custom := make(CustomData)
	err := apiclient.EachMember(data, func(name string, value json.RawMessage) error {
		if _, twice := custom[name]; twice {
			return fmt.Errorf("%q stands there twice", name)
		}
		if apiclient.Text(value, func(text string) error { custom[name] = text; return nil }) != nil {
			custom[name] = string(value)
		}
		return nil
	})
	v.Set(reflect.ValueOf(custom))
	return err
}

// isObject reports whether a JSON value is an object.
func isObject(data []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) }

// zone is a zone at a time's end, which may lack its last digits.
var zone = regexp.MustCompile(`([+-]\d\d):?(\d{0,2})$`)

// parseTime reads the times of the API and its webhooks: ISO 8601 with or without a
// fraction and a zone, UTC where it has none, or Unix seconds, or milliseconds where
// there are 13 digits. Nothing, 0 and a date in the year 1 are the zero time.
func parseTime(text string) (time.Time, error) {
	if text == "" || text == "0" || strings.HasPrefix(text, "0001-01-01") {
		return time.Time{}, nil
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n > 0 && len(text) <= 13 {
		if len(text) == 13 {
			return time.UnixMilli(n).UTC(), nil
		}
		return time.Unix(n, 0).UTC(), nil
	}
	if at, err := time.Parse(time.DateOnly, text); err == nil {
		return at, nil
	}
	iso := text
	if at := zone.FindStringSubmatchIndex(text); at != nil && strings.Contains(text[:at[0]], "T") {
		iso = text[:at[3]] + ":" + (text[at[4]:at[5]] + "00")[:2]
	} else if !strings.HasSuffix(text, "Z") {
		iso += "Z"
	}
	at, err := time.Parse(time.RFC3339Nano, iso)
	if err != nil {
		return time.Time{}, fmt.Errorf("%.60q is not a time", text)
	}
	return at.UTC(), nil
}
