package client_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/internal/apiclient/apiclienttest"
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
			checkExample(t, endpoint, apiclienttest.ExchangeKinds(example))
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
		if requests := api.sent(); len(requests) != 1 || requests[0].URI != "/ccpayment/v2/"+endpoint {
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

// compareJSON walks through a JSON value and what was read from it.
var compareJSON = apiclienttest.Comparison{
	SameTime: func(text string, at time.Time) bool { return strconv.FormatInt(at.Unix(), 10) == text },
	Types: map[reflect.Type]func(json.RawMessage, reflect.Value) bool{
		reflect.TypeFor[client.Risk](): func(expected json.RawMessage, got reflect.Value) bool {
			return got.Interface() == map[string]client.Risk{"true": client.RiskFlagged, "false": client.RiskNone}[string(expected)]
		},
	},
}.Compare

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
		{`{"isFlaggedAsRisky":true}`, "another value"},
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
