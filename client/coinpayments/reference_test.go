package coinpayments_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
	"github.com/seed-338f6760/caddy-ccpayment/internal/apiclient/apiclienttest"
)

// shown says which value of an answer a call returns, by the members that lead there, and
// its type.
var shown = map[string]struct {
	at   string
	kind reflect.Type
}{
	"Currencies":                {"", reflect.TypeFor[[]coinpayments.Currency]()},
	"Currency":                  {"", reflect.TypeFor[coinpayments.Currency]()},
	"LatestBlock":               {"latestBlockNumber", reflect.TypeFor[int64]()},
	"RequiredConfirmations":     {"", reflect.TypeFor[[]coinpayments.RequiredConfirmations]()},
	"Conversions":               {"", reflect.TypeFor[[]coinpayments.CurrencyPair]()},
	"ConversionLimits":          {"", reflect.TypeFor[coinpayments.ConversionLimits]()},
	"MerchantCurrencies":        {"items", reflect.TypeFor[[]coinpayments.MerchantCurrency]()},
	"Rates":                     {"items", reflect.TypeFor[[]coinpayments.Rate]()},
	"CreateWallet":              {"", reflect.TypeFor[coinpayments.CreatedWallet]()},
	"Wallets":                   {"", reflect.TypeFor[[]coinpayments.Wallet]()},
	"Wallet":                    {"", reflect.TypeFor[coinpayments.Wallet]()},
	"CreateAddress":             {"", reflect.TypeFor[coinpayments.CreatedAddress]()},
	"Addresses":                 {"", reflect.TypeFor[[]coinpayments.WalletAddress]()},
	"Address":                   {"", reflect.TypeFor[coinpayments.WalletAddress]()},
	"Transactions":              {"", reflect.TypeFor[[]coinpayments.Transaction]()},
	"Transaction":               {"", reflect.TypeFor[coinpayments.Transaction]()},
	"RequestSpend":              {"", reflect.TypeFor[coinpayments.Spend]()},
	"ConsolidationTransactions": {"", reflect.TypeFor[[]coinpayments.Transaction]()},
	"CreateInvoice":             {"invoices.0", reflect.TypeFor[coinpayments.CreatedInvoice]()},
	"Invoices":                  {"0.items", reflect.TypeFor[[]coinpayments.Invoice]()},
	"Invoice":                   {"", reflect.TypeFor[coinpayments.Invoice]()},
	"InvoicePayouts":            {"", reflect.TypeFor[coinpayments.PayoutDetails]()},
	"InvoiceHistory":            {"items", reflect.TypeFor[[]coinpayments.HistoryEvent]()},
	"PaymentDetails":            {"", reflect.TypeFor[coinpayments.PaymentDetails]()},
	"PaymentStatus":             {"", reflect.TypeFor[coinpayments.InvoicePaymentStatus]()},
	"Webhooks":                  {"items", reflect.TypeFor[[]coinpayments.ClientWebhook]()},
	"CreateWebhook":             {"id", reflect.TypeFor[string]()},
}

func example(t testing.TB, name string) any {
	t.Helper()
	text, err := os.ReadFile("testdata/reference/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, text)
}

func parse(t testing.TB, text []byte) any {
	t.Helper()
	var value any
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

// Every example answer of CoinPayments' reference is read without loss, also
// where each number is written as a text and each numeric text as a number. The
// reference writes "string" and 0 for most values: those are replaced by values of the
// right kind, each another one.
func TestReferenceAnswers(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/reference/*.answer.json")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != len(shown) {
		t.Errorf("%d examples, and %d are read", len(files), len(shown))
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".answer.json")
		value, ok := shown[name]
		if !ok {
			t.Errorf("nothing reads the example of %s", name)
			continue
		}
		answer := fillAt(example(t, name+".answer"), strings.FieldsFunc(value.at, isDot), value.kind, new(int))
		text, err := json.Marshal(dropPaging(answer))
		if err != nil {
			t.Fatal(err)
		}
		for kind, text := range map[string][]byte{"as published": text, "numbers and texts exchanged": apiclienttest.ExchangeKinds(text)} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				checkAnswer(t, name, value.at, text)
			})
		}
	}
}

func isDot(r rune) bool { return r == '.' }

// dropPaging takes the cursors out of a list, whose only page it is.
func dropPaging(answer any) any {
	if object, ok := answer.(map[string]any); ok && object["items"] != nil {
		delete(object, "paging")
	}
	return answer
}

func checkAnswer(t *testing.T, name, at string, text []byte) {
	// A list that is asked for by skip and take ends with an empty page.
	api := newFakeAPI(t, sayInTurn(say(string(text)), say(`[]`)))
	for _, each := range everyCall {
		if each.method != name {
			continue
		}
		var known struct {
			ID        json.RawMessage
			WalletID  json.RawMessage
			AddressID json.RawMessage
		}
		_ = json.Unmarshal(text, &known)
		id := "none"
		for _, one := range []json.RawMessage{known.ID, known.WalletID, known.AddressID} {
			if len(one) > 0 {
				id = strings.Trim(string(one), `"`)
				break
			}
		}
		got, err := each.call(t.Context(), api.dial(t), id)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		expected := json.RawMessage(text)
		for member := range strings.FieldsFuncSeq(at, isDot) {
			expected = memberOf(t, expected, member)
		}
		leaves, problems := comparison.Compare(name, expected, reflect.ValueOf(got))
		for _, problem := range problems {
			t.Error(problem)
		}
		if leaves == 0 {
			t.Error("the example has no values")
		}
		return
	}
	t.Errorf("no call %s", name)
}

func memberOf(t *testing.T, value json.RawMessage, member string) json.RawMessage {
	t.Helper()
	if n, err := strconv.Atoi(member); err == nil {
		var list []json.RawMessage
		if err := json.Unmarshal(value, &list); err != nil || len(list) <= n {
			t.Fatalf("%s has no item %d", value, n)
		}
		return list[n]
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(value, &object); err != nil {
		t.Fatal(err)
	}
	return object[member]
}

// The webhooks of the reference are read without loss, in the same way.
func TestReferenceWebhooks(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]reflect.Type{
		"InvoiceEvent": reflect.TypeFor[coinpayments.InvoiceEvent](),
		"WalletEvent":  reflect.TypeFor[coinpayments.WalletEvent](),
	} {
		text, err := json.Marshal(fill(example(t, name+".webhook"), kind, new(int)))
		if err != nil {
			t.Fatal(err)
		}
		for _, body := range [][]byte{text, apiclienttest.ExchangeKinds(text)} {
			event, err := coinpayments.ReadEvent(body)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			got := reflect.ValueOf(event).FieldByName(strings.TrimSuffix(name, "Event"))
			if got.IsNil() {
				t.Fatalf("%s was read as %+v", name, event)
			}
			_, problems := comparison.Compare(name, body, got.Elem())
			for _, problem := range problems {
				t.Error(problem)
			}
		}
	}
}

// comparison knows the ways in which the API writes one thing.
var comparison = apiclienttest.Comparison{
	SameTime: func(text string, at time.Time) bool {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return at.Unix() == n
		}
		if whole, cut := strings.CutSuffix(text, "+00:0"); cut { // in one example
			text = whole + "Z"
		}
		for _, form := range []string{time.RFC3339Nano, "2006-01-02T15:04:05"} {
			if want, err := time.Parse(form, text); err == nil {
				return want.Equal(at)
			}
		}
		return false
	},
	Normal: func(value json.RawMessage, kind reflect.Type) json.RawMessage {
		first := byte(0)
		if len(value) > 0 {
			first = value[0]
		}
		switch {
		case (kind == moneyType || kind == dueType) && first != '{':
			return json.RawMessage(`{"valueAsDecimal":` + string(value) + `}`)
		case kind == reflect.TypeFor[coinpayments.Logo]() && first != '{':
			return json.RawMessage(`{"imageUrl":` + string(value) + `}`)
		case kind == reflect.TypeFor[coinpayments.Shipping]() && !strings.Contains(string(value), `"address":`):
			return json.RawMessage(`{"address":` + string(value) + `}`)
		case kind.Kind() == reflect.Slice && kind != reflect.TypeFor[json.RawMessage]() && first != '[':
			return json.RawMessage(`[` + string(value) + `]`)
		case kind.Kind() == reflect.String && first == '[':
			return json.RawMessage(strings.Trim(string(value), "[]"))
		case kind.Kind() == reflect.String && first == '{': // nothing is in it
			return json.RawMessage(`""`)
		}
		return value
	},
}

var (
	moneyType   = reflect.TypeFor[coinpayments.Money]()
	dueType     = reflect.TypeFor[coinpayments.AmountDue]()
	decimalType = reflect.TypeFor[decimal.Decimal]()
	timeType    = reflect.TypeFor[time.Time]()
)

// fillAt fills the part of an example that a call returns.
func fillAt(value any, at []string, kind reflect.Type, n *int) any {
	if len(at) == 0 {
		return fill(value, kind, n)
	}
	switch value := value.(type) {
	case map[string]any:
		value[at[0]] = fillAt(value[at[0]], at[1:], kind, n)
	case []any:
		i, _ := strconv.Atoi(at[0])
		value[i] = fillAt(value[i], at[1:], kind, n)
	}
	return value
}

// fill replaces the reference's placeholders by values of the type that they are read
// into, each another one.
func fill(value any, kind reflect.Type, n *int) any {
	if kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	*n++
	switch v := value.(type) {
	case map[string]any:
		if kind.Kind() == reflect.Slice { // one for a list
			kind = kind.Elem()
		}
		switch {
		case kind == reflect.TypeFor[coinpayments.CustomData]():
			return map[string]any{"order_id": "order-1", "n": strconv.Itoa(*n)}
		case kind.Kind() != reflect.Struct:
			return v
		}
		if kind == reflect.TypeFor[coinpayments.Shipping]() && v["address"] == nil {
			kind = reflect.TypeFor[coinpayments.Address]()
		}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			for _, field := range reflect.VisibleFields(kind) {
				if field.Tag.Get("json") == name || field.Tag.Get("also") == name {
					v[name] = fill(v[name], field.Type, n)
				}
			}
		}
		return v
	case []any:
		if kind.Kind() == reflect.String { // the words that may stand there
			return "paid"
		}
		if kind.Kind() != reflect.Slice {
			return v
		}
		for i := range v {
			v[i] = fill(v[i], kind.Elem(), n)
		}
		return v
	case bool:
		return true
	case string:
		if v != "string" {
			return v
		}
	case json.Number:
		switch {
		case v != "0":
			return v
		case kind == timeType:
			return json.Number(strconv.Itoa(1_768_469_400 + *n))
		default:
			return json.Number(strconv.Itoa(*n))
		}
	case nil:
		if kind.Kind() == reflect.Struct && kind != decimalType && kind != timeType && kind != moneyType {
			return v
		}
	}
	switch {
	case kind == decimalType || kind == moneyType || kind == dueType:
		return fmt.Sprintf("%d.50", *n)
	case kind == timeType:
		return noon.Add(time.Duration(*n) * time.Second).Format(time.RFC3339)
	case kind.Kind() == reflect.Int || kind.Kind() == reflect.Int64:
		return json.Number(strconv.Itoa(*n))
	case kind.Kind() == reflect.Bool:
		return true
	default:
		return fmt.Sprintf("text-%d", *n)
	}
}

// Every field of the reference's example requests can be sent.
func TestReferenceRequests(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]func(ctx, client) error{
		"CreateInvoice": func(ctx ctx, c client) error { _, err := c.CreateInvoice(ctx, fullInvoice); return err },
		"CreateButton":  func(ctx ctx, c client) error { _, err := c.CreateButton(ctx, fullButton); return err },
		"CreateWallet":  nil, "CreateAddress": nil, "RequestSpend": nil, "ConfirmSpend": nil, "CreateWebhook": nil, "UpdateWebhook": nil,
	} {
		answer := ""
		for _, each := range everyCall {
			if each.method != name {
				continue
			}
			answer = each.answer
			if call == nil {
				call = func(ctx ctx, c client) error { _, err := each.call(ctx, c, ""); return err }
			}
		}
		api := newFakeAPI(t, say(answer))
		if err := call(t.Context(), api.dial(t)); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		sent := paths("", parse(t, api.Sent()[0].Body))
		for _, path := range paths("", example(t, name+".request")) {
			if !slices.Contains(sent, path) {
				t.Errorf("%s: %s is not sent", name, path)
			}
		}
	}
}

// paths are the names of all members below a value.
func paths(at string, value any) []string {
	var all []string
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			all = append(append(all, at+name), paths(at+name+".", member)...)
		}
	case []any:
		for _, item := range value {
			all = append(all, paths(at, item)...)
		}
	}
	return all
}

var (
	fullItems = []coinpayments.Item{{
		CustomID: "c-1", SKU: "s-1", Name: "A hat", Description: "of felt", Quantity: coinpayments.Quantity{Value: 2, Type: coinpayments.QuantityHours},
		OriginalAmount: amount("60"), Amount: amount("50.00"), Tax: amount("4.5"),
	}}
	fullAmount = coinpayments.InvoiceAmount{
		Total: amount("52.5"),
		Breakdown: coinpayments.AmountBreakdown{
			Subtotal: amount("50"), Shipping: amount("3"), Handling: amount("1"), TaxTotal: amount("4.5"), Discount: amount("6"),
		},
	}
	fullAddress = coinpayments.Address{
		Address1: "a", Address2: "b", Address3: "c", ProvinceOrState: "d", City: "e", SuburbOrDistrict: "f", CountryCode: "CH", PostalCode: "8000",
	}
	fullInvoice = coinpayments.InvoiceRequest{
		Currency: "5057", Items: fullItems, Amount: fullAmount, InvoiceID: "order-1", PONumber: "0123456789abcdef", Description: "hats",
		CustomData: map[string]string{"order_id": "order-1"}, SuccessURL: "https://shop.example.com/thanks", CancelURL: "https://shop.example.com/cart",
		Webhooks: []coinpayments.InvoiceWebhook{{NotificationsURL: hook, Notifications: coinpayments.Notifications()}},
		Payment:  coinpayments.PaymentRequest{RefundEmail: "jane@doe.example", PaymentCurrency: usdt},
		DueDate:  noon, InvoiceDate: noon, Draft: true, ClientID: clientID,
		Buyer: coinpayments.Buyer{
			CompanyName: "Doe & Co", Name: coinpayments.FullName{FirstName: "Jane", LastName: "Doe"}, EmailAddress: "jane@doe.example", PhoneNumber: "+41 1", Address: fullAddress,
		},
		Shipping: coinpayments.Shipping{
			Method: "post", CompanyName: "Doe & Co", Name: coinpayments.FullName{FirstName: "Jane", LastName: "Doe"}, EmailAddress: "jane@doe.example", PhoneNumber: "+41 1", Address: fullAddress,
		},
		RequireBuyerNameAndEmail: true, BuyerDataCollectionMessage: "who?", Notes: "n", NotesToRecipient: "two\nlines", TermsAndConditions: "t",
		MerchantOptions: coinpayments.MerchantOptions{ShowAddress: true, ShowEmail: true, ShowPhone: true, ShowRegistrationNumber: true, AdditionalInfo: "i"},
		IsEmailDelivery: true, EmailDelivery: coinpayments.EmailDelivery{To: "a@b.example", CC: "c@d.example;e@f.example", BCC: "g@h.example"},
		Metadata:        coinpayments.Metadata{Integration: "caddy", HostName: "shop.example.com"},
		PayoutOverrides: []coinpayments.PayoutOverride{{FromCurrency: "1002", ToCurrency: "1", Address: "mtxASJ", Frequency: "normal"}}, HideShoppingCart: true,
	}
	fullButton = func() coinpayments.ButtonRequest {
		full := button
		full.Items, full.Amount = fullItems, fullAmount
		return full
	}()
)
