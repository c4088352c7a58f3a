package client_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client"
)

// read returns the deposit record that an answer with these members makes.
func read(t *testing.T, members string) (client.DepositRecord, error) {
	t.Helper()
	answer := `{"code":10000,"msg":"success","data":{"record":{"recordId":"1"` + members + `}}}`
	return newFakeAPI(t, say(answer)).dial(t).DepositRecord(t.Context(), "1")
}

func TestAmountBounds(t *testing.T) {
	t.Parallel()
	nines := strings.Repeat("9", 40)
	for _, good := range []struct{ json, want string }{
		{`"0.000000000000000001"`, "0.000000000000000001"},
		{`0.1`, "0.1"},
		{`"-5"`, "-5"},
		{`1e3`, "1000"},
		{`"1E-18"`, "0.000000000000000001"},
		{`1e40`, "1" + strings.Repeat("0", 40)},
		{nines, nines},
		{`"` + nines[:20] + "." + nines[20:] + `"`, nines[:20] + "." + nines[20:]},
		{`""`, "0"},
		{`null`, "0"},
		{`1.022400000000000008`, "1.022400000000000008"},
	} {
		record, err := read(t, `,"amount":`+good.json)
		if err != nil || record.Amount.String() != good.want {
			t.Errorf("%s: %s, %v", good.json, record.Amount, err)
		}
	}
	for _, bad := range []string{
		`1e20000000`, `1e-20000000`, `"1e20000000"`, `1e41`, `1e-41`, `"1e99999999999999999999"`, `"1e"`, nines + "9", `"` + nines + `.9"`,
		`"0.` + nines + `"`, `"much"`, `"."`, `"1,5"`, `"0x10"`, `"NaN"`, `"Infinity"`, `"1 "`, `"1.2.3"`, `true`, `[]`, `{}`,
	} {
		record, err := read(t, `,"amount":`+bad)
		var answer *client.AnswerError
		if !errors.As(err, &answer) || !strings.Contains(err.Error(), "amount") || len(err.Error()) > 250 {
			t.Errorf("%s: %s, %v", bad, record.Amount, err)
		}
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Time{
		`1737012813`:      time.Unix(1737012813, 0),
		`"1737012813"`:    time.Unix(1737012813, 0),
		`1737012813500`:   time.UnixMilli(1737012813500),
		`"1737012813500"`: time.UnixMilli(1737012813500),
		`0`:               {},
		`""`:              {},
		`null`:            {},
	} {
		if record, err := read(t, `,"arrivedAt":`+text); err != nil || !record.ArrivedAt.Equal(want) {
			t.Errorf("%s: %s, %v", text, record.ArrivedAt, err)
		}
	}
	for _, bad := range []string{`-1`, `1.5`, `"yesterday"`, `17370128135000`, `1e9`, `true`} {
		if record, err := read(t, `,"arrivedAt":`+bad); err == nil {
			t.Errorf("%s: %s", bad, record.ArrivedAt)
		}
	}
}

// Only a flag that says so makes a payment not risky.
func TestRisk(t *testing.T) {
	t.Parallel()
	for members, want := range map[string]client.Risk{
		``: client.RiskUnknown, `,"isFlaggedAsRisky":null`: client.RiskUnknown,
		`,"isFlaggedAsRisky":false`: client.RiskNone, `,"isFlaggedAsRisky":true`: client.RiskFlagged,
	} {
		if record, err := read(t, members); err != nil || record.Risk != want {
			t.Errorf("%s: %s, %v", members, record.Risk, err)
		}
	}
	for _, bad := range []string{`"false"`, `0`, `""`, `{}`} {
		if record, err := read(t, `,"isFlaggedAsRisky":`+bad); err == nil {
			t.Errorf("%s: %s", bad, record.Risk)
		}
	}
	if fmt.Sprint(client.RiskUnknown, client.RiskNone, client.RiskFlagged) != "unknown none flagged" {
		t.Error("the names of the risks differ")
	}
}

// Which of two amounts is meant cannot be told; two unknown fields harm nobody.
func TestDuplicateKeys(t *testing.T) {
	t.Parallel()
	for _, members := range []string{
		`,"recordId":"2"`, `,"amount":"1","amount":"100"`, `,"amount":"1","\u0061mount":"100"`, `,"isFlaggedAsRisky":false,"isFlaggedAsRisky":true`,
	} {
		if record, err := read(t, members); err == nil || !strings.Contains(err.Error(), "twice") {
			t.Errorf("%s: %+v, %v", members, record, err)
		}
	}
	if _, err := read(t, `,"later":1,"later":2,"AMOUNT":"5"`); err != nil {
		t.Error(err)
	}
	prices := say(`{"code":10000,"data":{"prices":{"1280":"1","1280":"2"}}}`)
	if got, err := newFakeAPI(t, prices).dial(t).Prices(t.Context(), "1280"); err == nil {
		t.Errorf("%v", got)
	}
}

// Names are compared exactly, so that another field is not taken for ours.
func TestKeysOfAnotherCase(t *testing.T) {
	t.Parallel()
	record, err := read(t, `,"Amount":"100","STATUS":"Success"`)
	if err != nil || !record.Amount.IsZero() || record.Status != "" {
		t.Errorf("%+v, %v", record, err)
	}
}

// A status and a field of next year are kept.
func TestUnknownSurvives(t *testing.T) {
	t.Parallel()
	record, err := read(t, `,"status":"Frozen","refund":{"to":"T1", "amount":0.10}`)
	if err != nil || record.Status != "Frozen" || record.Status.Final() {
		t.Fatalf("%+v, %v", record, err)
	}
	if want := `{"recordId":"1","status":"Frozen","refund":{"to":"T1", "amount":0.10}}`; string(record.Raw) != want {
		t.Errorf("Raw is %s", record.Raw)
	}
	for status, final := range map[client.Status]bool{
		"": false, "Processing": false, "Pending": false, "WaitingApproval": false, "success": true, "SUCCESS": true, "Failed": true, "Rejected": true,
	} {
		if status.Final() != final {
			t.Errorf("%q.Final() = %v", status, !final)
		}
	}
}

func TestWrongKinds(t *testing.T) {
	t.Parallel()
	for _, members := range []string{`,"status":{}`, `,"coinId":[1]`, `,"txId":true`, `,"toMemo":false`} {
		if record, err := read(t, members); err == nil {
			t.Errorf("%s: %+v", members, record)
		}
	}
	for _, answer := range []string{`[]`, `"text"`, `10000`, `{"code":null}`, `{"code":"ten"}`, `{"code":10000.5}`, `{"code":10000,"data":[]}`, `{"code":10000,"data":"x"}`} {
		if _, err := newFakeAPI(t, say(answer)).dial(t).Balances(t.Context()); err == nil {
			t.Errorf("%s is accepted", answer)
		}
	}
}

// An answer that agrees but holds nothing is not read as a thing of zeros: an
// order of which nothing is to be paid would be paid.
func TestEmptyAnswers(t *testing.T) {
	t.Parallel()
	for _, data := range []string{`null`, `{}`, `{"record":null}`, `{"record":{}}`, `{"record":{"recordId":""}}`} {
		for _, each := range everyCall {
			single := each.value == "record" || each.endpoint == "getAppOrderInfo" || each.endpoint == "getInvoiceOrderInfo" ||
				each.endpoint == "getOrCreateAppDepositAddress" || each.endpoint == "getOrCreateUserDepositAddress"
			if !single {
				continue
			}
			got, err := each.call(t.Context(), newFakeAPI(t, say(`{"code":10000,"msg":"success","data":`+data+`}`)).dial(t))
			var answer *client.AnswerError
			if !errors.As(err, &answer) || errors.Is(err, client.ErrOutcomeUnknown) {
				t.Errorf("%s of %s: %+v, %v", data, each.endpoint, got, err)
			}
		}
	}
	// A list that is missing is not an empty one.
	for data, isList := range map[string]bool{`null`: false, `{}`: false, `{"records":null}`: true, `{"records":[],"nextId":null}`: true} {
		got, err := collect(newFakeAPI(t, say(`{"code":10000,"data":`+data+`}`)).dial(t).DepositRecords(t.Context(), client.DepositFilter{}))
		if (err == nil) != isList || len(got) != 0 {
			t.Errorf("%s: %v, %v", data, got, err)
		}
	}
}

// An amount goes from an answer into a request digit for digit.
func TestAmountsRoundTrip(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"0.000000000000000001", "1.022400000000000008", "194.09158706508187", "193.123456789012345678", "123456.123456789012345678",
		"1" + strings.Repeat("0", 22) + "1", "999999999999999999999.999999999999999999", "9007199254740993", "0.1",
	} {
		for _, written := range []string{text, `"` + text + `"`} {
			record, err := read(t, `,"amount":`+written)
			if err != nil {
				t.Fatalf("%s: %v", written, err)
			}
			api := newFakeAPI(t, agree)
			if _, err := api.dial(t).Withdraw(t.Context(), withdrawal(func(w *client.WithdrawalRequest) { w.Amount = record.Amount })); err != nil {
				t.Fatalf("%s: %v", written, err)
			}
			var sent struct {
				Amount json.RawMessage `json:"amount"`
			}
			if err := json.Unmarshal(api.sent()[0].Body, &sent); err != nil || string(sent.Amount) != `"`+text+`"` {
				t.Errorf("%s became %s, %v", written, sent.Amount, err)
			}
		}
	}
}
