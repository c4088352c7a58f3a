package client_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/client"
)

// Every example answer of CCPayment's reference is read without loss, also
// where each number is written as a text and each numeric text as a number.
// The files are named <endpoint>.<source>.json.
func TestReferenceExamples(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/reference/*.json")
	if err != nil {
		t.Fatal(err)
	}
	const published = 38
	if len(files) != published {
		t.Errorf("%d examples, want %d", len(files), published)
	}
	for _, file := range files {
		example, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		endpoint, _, _ := strings.Cut(name, ".")
		endpoint = strings.ReplaceAll(endpoint, "_", "/")
		t.Run(name+"/as published", func(t *testing.T) {
			t.Parallel()
			checkExample(t, endpoint, example)
		})
		t.Run(name+"/numbers and texts exchanged", func(t *testing.T) {
			t.Parallel()
			checkExample(t, endpoint, exchangeKinds(example))
		})
	}
}

// askFor asks for the very record or coin that an example shows: an answer
// about another one is refused.
func askFor(t *testing.T, endpoint string, example []byte) (call func(context.Context, *client.Client) (any, error), ok bool) {
	var shown struct {
		Data struct {
			Record struct{ RecordID json.RawMessage }
			Asset  struct{ CoinID json.RawMessage }
		}
	}
	if err := json.Unmarshal(example, &shown); err != nil {
		t.Fatal(err)
	}
	recordID, coinID := strings.Trim(string(shown.Data.Record.RecordID), `"`), strings.Trim(string(shown.Data.Asset.CoinID), `"`)
	calls := map[string]func(context.Context, *client.Client) (any, error){
		"getAppDepositRecord": func(ctx context.Context, c *client.Client) (any, error) { return c.DepositRecord(ctx, recordID) },
		"getAppWithdrawRecord": func(ctx context.Context, c *client.Client) (any, error) {
			return c.WithdrawalRecord(ctx, client.ByRecord(recordID))
		},
		"getUserTransferRecord": func(ctx context.Context, c *client.Client) (any, error) {
			return c.UserTransferRecord(ctx, client.ByRecord(recordID))
		},
		"getUserSwapRecord": func(ctx context.Context, c *client.Client) (any, error) {
			return c.UserSwapRecord(ctx, client.ByRecord(recordID))
		},
		"getAppCoinAsset": func(ctx context.Context, c *client.Client) (any, error) { return c.Balance(ctx, coinID) },
		"getUserCoinAsset": func(ctx context.Context, c *client.Client) (any, error) {
			return c.UserBalance(ctx, "user_12345", coinID)
		},
	}
	call, ok = calls[endpoint]
	return call, ok
}

func checkExample(t *testing.T, endpoint string, example []byte) {
	api := newFakeAPI(t, say(string(example)))
	for _, each := range everyCall {
		if each.endpoint != endpoint {
			continue
		}
		call := each.call
		if named, ok := askFor(t, endpoint, example); ok {
			call = named
		}
		got, err := call(t.Context(), api.dial(t))
		if err != nil {
			t.Fatal(err)
		}
		if requests := api.sent(); len(requests) != 1 || requests[0].path != "/ccpayment/v2/"+endpoint {
			t.Errorf("requests: %v", requests)
		}
		var envelope struct {
			Data json.RawMessage `json:"data"`
		}
		if err := json.Unmarshal(example, &envelope); err != nil {
			t.Fatal(err)
		}
		expected := envelope.Data
		if each.value != "" {
			expected = onlyMember(t, envelope.Data, each.value)
		}
		leaves, problems := compareJSON("data", expected, reflect.ValueOf(got))
		for _, problem := range problems {
			t.Error(problem)
		}
		if leaves == 0 {
			t.Error("the example has no values")
		}
		return
	}
	t.Errorf("no call for %s", endpoint)
}

// onlyMember returns one member of an object, in which nothing else stands
// that the caller does not know already: the end of the list, and whose it is.
func onlyMember(t *testing.T, object json.RawMessage, name string) json.RawMessage {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal(object, &members); err != nil {
		t.Fatal(err)
	}
	for other := range members {
		if other != name && other != "nextId" && other != "userId" {
			t.Errorf("data.%s cannot be reached", other)
		}
	}
	return members[name]
}

var (
	decimalType = reflect.TypeFor[decimal.Decimal]()
	timeType    = reflect.TypeFor[time.Time]()
	riskType    = reflect.TypeFor[client.Risk]()
	rawType     = reflect.TypeFor[json.RawMessage]()
)

// compareJSON walks through a JSON value and what was read from it, and counts
// the values that it compared.
func compareJSON(path string, expected json.RawMessage, got reflect.Value) (leaves int, problems []string) {
	add := func(path string, expected json.RawMessage, got reflect.Value) {
		n, more := compareJSON(path, expected, got)
		leaves += n
		problems = append(problems, more...)
	}
	differs := func(why string) (int, []string) {
		return 1, []string{fmt.Sprintf("%s: %s was read as %v: %s", path, expected, got, why)}
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
		if strconv.FormatInt(got.Interface().(time.Time).Unix(), 10) != textOf(expected) {
			return differs("another time")
		}
	case got.Type() == riskType:
		want := map[string]client.Risk{"true": client.RiskFlagged, "false": client.RiskNone}[string(expected)]
		if got.Interface() != want {
			return differs("another risk")
		}
	case kind == reflect.String:
		if got.String() != textOf(expected) {
			return differs("another text")
		}
	case kind == reflect.Int:
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

// exchangeKinds writes each number of a JSON document as a text, and each text
// that could be a number as one. Keys stay.
func exchangeKinds(document []byte) []byte {
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

// The comparison itself finds what it is there to find.
func TestCompareJSONFindsLosses(t *testing.T) {
	c := client.DepositRecord{
		RecordID: "1", Amount: decimal.RequireFromString("0.5"), Risk: client.RiskNone, ArrivedAt: time.Unix(1737012813, 0),
		Raw: json.RawMessage(`{}`),
	}
	for _, test := range []struct{ example, want string }{
		{`{"recordId":"1","amount":"0.5","isFlaggedAsRisky":false,"arrivedAt":1737012813}`, "data.Raw"},
		{`{"recordId":"01"}`, "data.recordId"},
		{`{"amount":"0.50"}`, "shortened"},
		{`{"amount":"0.51"}`, "another amount"},
		{`{"isFlaggedAsRisky":true}`, "another risk"},
		{`{"arrivedAt":1737012814}`, "another time"},
		{`{"surprise":1}`, "data.surprise has no field"},
		{`{}`, "data.amount is 0.5, from nothing"},
	} {
		_, problems := compareJSON("data", json.RawMessage(test.example), reflect.ValueOf(c))
		if !strings.Contains(strings.Join(problems, "\n"), test.want) {
			t.Errorf("%s: found %q, not %q", test.example, problems, test.want)
		}
	}
}
