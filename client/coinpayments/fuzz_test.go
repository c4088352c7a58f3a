package coinpayments

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/internal/apiclient/apiclienttest"
)

// addExamples seeds a target with the reference's examples.
func addExamples(f *testing.F, pattern string) {
	files, err := filepath.Glob("testdata/reference/" + pattern)
	if err != nil || len(files) == 0 {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add([]byte(strings.ReplaceAll(string(text), `"string"`, `"7.50"`)))
	}
}

// member finds a member of an object; nil where there is none.
func member(object json.RawMessage, names ...string) json.RawMessage {
	for _, name := range names {
		var members map[string]json.RawMessage
		if json.Unmarshal(object, &members) != nil {
			return nil
		}
		object = members[name]
	}
	return object
}

func checkExact(t *testing.T, got decimal.Decimal, written json.RawMessage) {
	t.Helper()
	if !apiclienttest.IsExactly(got, apiclienttest.Plain(written)) {
		t.Fatalf("%s is read as %s", written, got)
	}
}

// FuzzInvoice: an invoice that is read has the amounts, texts and states that stand in the
// JSON, and fields that nobody knows change nothing.
func FuzzInvoice(f *testing.F) {
	addExamples(f, "Invoice.answer.json")
	for _, text := range []string{
		`{"id":1,"status":["paid"],"amount":{"total":49.90},"payments":[{"nativeActualAmount":"1e-7","state":"Confirmed","pendingAt":1719831846}]}`,
		`{"amount":{"total":1e20000000}}`, `{"status":"a","\u0073tatus":"b"}`, `{"payments":{"actualAmount":1}}`, `{"customData":"{\"a\":1}"}`, `{"shipping":{"city":"x","address":null}}`,
		`{"currency":{"logo":"x"}}`, `{"isEmailDelivery":"TRUE"}`, `{"status":"\ud800"}`, `[]`, `null`, ` {} `, ``,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var got Invoice
		if decode(data, &got) != nil || !isObject(data) {
			return
		}
		checkExact(t, got.Amount.Total, member(data, "amount", "total"))
		if total := member(data, "invoiceId"); got.InvoiceID != apiclienttest.Plain(total) {
			t.Fatalf("invoiceId of %q is %q", data, got.InvoiceID)
		}
		if status := member(data, "status"); len(status) > 0 && status[0] != '[' && string(got.Status) != apiclienttest.Plain(status) {
			t.Fatalf("status of %q is %q", data, got.Status)
		}
		payments := member(data, "payments")
		var list []json.RawMessage
		if json.Unmarshal(payments, &list) != nil {
			list = []json.RawMessage{payments}
		}
		for i, payment := range got.Payments {
			checkExact(t, payment.NativeActualAmount, member(list[i], "nativeActualAmount"))
		}
		var more Invoice
		rest := strings.TrimLeft(strings.TrimSpace(string(data))[1:], " \t\r\n")
		front := `{"aFieldOfTomorrow":{"id":[1,{}]},`
		if rest == "}" {
			front = front[:len(front)-1]
		}
		if err := decode([]byte(front+rest), &more); err != nil {
			t.Fatalf("%s%s: %v", front, rest, err)
		}
		if more.Raw, got.Raw = nil, nil; !reflect.DeepEqual(more, got) {
			t.Fatalf("%+v became %+v", got, more)
		}
	})
}

// FuzzAnswers: whatever an answer holds, no type panics on it or takes it for a list that
// has no end.
func FuzzAnswers(f *testing.F) {
	addExamples(f, "*.json")
	f.Add([]byte(`[{"items":[{"id":"a"}],"paging":{"cursors":{"after":"b"}}}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, v := range []any{
			new(Currency), new(Transaction), new(Wallet), new(WalletAddress), new(PayoutDetails), new(PaymentDetails), new(InvoicePaymentStatus),
			new(createdInvoices), new(Spend), new(Consolidation), new(MerchantCurrency), new(ClientWebhook), new(Rate), new(permissions),
		} {
			_ = decode(data, v)
			_ = lenient.Decode(data, v)
		}
		var list page
		if decode(data, &list.all) == nil {
			if err := list.open(); err == nil && list.records == nil && list.paged && list.after == "" && len(list.all) == 0 {
				t.Fatalf("%q is a list", data)
			}
		}
		failure := &Error{Route: "GET /", Status: 400}
		failure.read(data)
		if strings.ContainsAny(failure.Error(), "\r\n") {
			t.Fatalf("%q ends a line", failure.Error())
		}
	})
}

// FuzzOutcome: whatever answers in CoinPayments' place, a call succeeded only with a 2xx,
// and is refused for good only by a status that is known.
func FuzzOutcome(f *testing.F) {
	for _, status := range []int{100, 200, 204, 301, 400, 401, 404, 408, 418, 429, 500, 503, 599, 0, -1} {
		f.Add(status, []byte(`{"title":"x","detail":"y\r\nz"}`))
	}
	f.Add(200, []byte(``))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		data, happened, err := readAnswer(routeSpendConfirmation, status, body)
		success := status >= 200 && status < 300
		if success != (err == nil) || err == nil && string(data) != string(body) {
			t.Fatalf("%d: %q, %v", status, data, err)
		}
		_, known := hints[StatusError(status)]
		if err != nil && (happened == refused || happened == later) && !known {
			t.Fatalf("%d proves that nothing happened", status)
		}
		var failure *Error
		if err != nil && (!errors.As(err, &failure) || failure.Hint() == "" || strings.ContainsAny(err.Error(), "\r\n")) {
			t.Fatalf("%d: %v", status, err)
		}
	})
}

// FuzzEvent: a webhook that is read names an invoice or a transaction as its JSON does, and
// its amounts are exact or left out.
func FuzzEvent(f *testing.F) {
	addExamples(f, "*.webhook.json")
	vectors, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range []string{"paid", "wallet"} {
		f.Add([]byte(apiclienttest.Plain(member(vectors, name))))
	}
	for _, text := range []string{`{"invoice":{"id":1}}`, `{"transactionId":"a","invoice":{"id":""}}`, `{"invoice":{"id":"a","amount":{"total":"1,0"}}}`, `{"id":"a","id":"b","invoice":{"id":"c"}}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		event, err := ReadEvent(body)
		switch {
		case err != nil:
			if event.Invoice != nil || event.Wallet != nil || strings.ContainsAny(err.Error(), "\r\n") {
				t.Fatalf("%q: %+v, %v", body, event, err)
			}
		case event.Invoice != nil:
			if id := apiclienttest.Plain(member(body, "invoice", "id")); event.Wallet != nil || id == "" || event.Invoice.Invoice.ID != id {
				t.Fatalf("%q is about %q", body, event.Invoice.Invoice.ID)
			}
			if total := event.Invoice.Invoice.Amount.Total; !total.IsZero() {
				checkExact(t, total, member(body, "invoice", "amount", "total"))
			}
		default:
			if id := apiclienttest.Plain(member(body, "transactionId")); id == "" || event.Wallet.TransactionID != id {
				t.Fatalf("%q is about %q", body, event.Wallet.TransactionID)
			}
			if amount := event.Wallet.Amount; !amount.IsZero() {
				checkExact(t, amount, member(body, "amount"))
			}
		}
	})
}

// FuzzVerify: a webhook passes only with the signature of its very URL, client id, timestamp
// and body, a timestamp of the one form, and our client id. The message that the
// signature is over, cut in another place, does not pass.
func FuzzVerify(f *testing.F) {
	const (
		ours = "dc6a16e545c34187ba21a9edbbe484a5"
		key  = "b3JkaW5hcnkgdGV4dCwgbm90IGRlY29kZWQgYmFzZTY0IQ=="
		hook = "https://shop.example.com/cp-hook"
	)
	for _, seed := range []struct {
		client, timestamp, body, signature string
	}{
		{ours, "2026-01-15T09:30:00", `{"id":"1"}`, ""},
		{"DC6A16E5-45C3-4187-BA21-A9EDBBE484A5", "2026-01-15T09:30:00", `{"id":"1"}`, ""},
		{ours, `2026-01-15T09:30:00{"id":`, `"1"}`, ""},
		{ours + "2026", "-01-15T09:30:00", ``, ""},
		{ours, "2026-02-30T09:30:00", `{}`, ""},
		{ours, "2026-01-15T09:30:00", `{}`, "v6QNFx83LfrOIxrIY0Gz6eoDNXF6IstG/5K5EpCL+IY="},
		{"other", "2026-01-15T09:30:00", ``, ""},
		{"", "", ``, ""},
	} {
		f.Add(seed.client, seed.timestamp, []byte(seed.body), seed.signature, 3)
	}
	f.Fuzz(func(t *testing.T, client, timestamp string, body []byte, signature string, cut int) {
		genuine := Sign(Credentials{ClientID: client, ClientSecret: key}, "POST", hook, timestamp, body)
		if signature == "" {
			signature = genuine
		}
		verify := func(client, timestamp string, body []byte) error {
			h := http.Header{http.CanonicalHeaderKey(HeaderClient): {client}, http.CanonicalHeaderKey(HeaderTimestamp): {timestamp}, http.CanonicalHeaderKey(HeaderSignature): {signature}}
			return Verify(h, body, time.Hour, ours, []string{"https://old.example.com", hook}, []string{"new", key})
		}
		err := verify(client, timestamp, body)
		at, formErr := time.Parse("2006-01-02T15:04:05", timestamp)
		wellFormed := formErr == nil && len(timestamp) == 19 && client != ""
		matches := wellFormed && signature == genuine && SameID(client, ours)
		switch {
		case err == nil && (!matches || time.Since(at).Abs() > time.Hour):
			t.Fatalf("passed: %q, %q, %q, %q", client, timestamp, body, signature)
		case !wellFormed && !errors.Is(err, ErrHeaders), wellFormed && !matches && !errors.Is(err, ErrSignature), matches && err != nil && !errors.Is(err, ErrStale):
			t.Fatalf("%q, %q, %q, %q: %v", client, timestamp, body, signature, err)
		}
		// The same message with its parts elsewhere.
		message := client + timestamp + string(body)
		if !matches || cut < 0 || cut > len(message) {
			return
		}
		for _, split := range [][2]int{{len(client), len(client) + cut}, {cut, cut + len(timestamp)}, {cut, len(client) + len(timestamp)}} {
			if split[0] > split[1] || split[1] > len(message) || split == [2]int{len(client), len(client) + len(timestamp)} {
				continue
			}
			moved := verify(message[:split[0]], message[split[0]:split[1]], []byte(message[split[1]:]))
			if moved == nil || errors.Is(moved, ErrStale) {
				t.Fatalf("%q passes as cut at %v", message, split)
			}
		}
	})
}

// FuzzFindRoute: a path that is a route has the meaning that it has for every reader.
func FuzzFindRoute(f *testing.F) {
	for _, path := range []string{
		"/api/v2/merchant/invoices/i-1", "/api/v2/merchant/wallets/a%20b/transactions", "/api/v2/merchant/invoices/%2e%2e", "/api/v2/merchant/invoices/a%2Fcancel", "//api",
		"/api/v3/merchant/wallets/shop/4:0xda/addresses/x", "/api/v2/merchant/invoices/a;b", "", "/", "/api/v2/merchant/wallets/../invoices",
	} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		for _, method := range []string{"GET", "POST"} {
			route, err := FindRoute(method, path)
			if err != nil {
				continue
			}
			u, err := url.Parse("https://a-api.coinpayments.net" + path)
			if err != nil || u.EscapedPath() != path || u.RawQuery != "" || u.Fragment != "" || u.Host != "a-api.coinpayments.net" {
				t.Fatalf("%q is %s, and another URL: %v", path, route, u)
			}
			if strings.Count(u.Path, "/") != strings.Count(route.Pattern, "/") || strings.Contains(u.Path, "/../") || strings.HasSuffix(u.Path, "/..") {
				t.Fatalf("%q is %s", path, route)
			}
		}
	})
}

// FuzzTime: a time that is read is one, and what is written in its usual form is read
// exactly.
func FuzzTime(f *testing.F) {
	for _, text := range []string{"2024-07-01T11:04:06.8033575+00:00", "2023-04-07T06:58:19.9798764+00:0", "2024-07-01T11:04:06", "2024-07-01", "1719831846", "1719831846123", "-1", "T+0", "2024-07-01T-01"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parseTime(text)
		if want, usual := time.Parse(time.RFC3339Nano, text); usual == nil && want.Year() > 1 && (err != nil || !got.Equal(want)) {
			t.Fatalf("%q is %s, %v", text, got, err)
		}
		if err != nil && !got.IsZero() {
			t.Fatalf("%q: %s, %v", text, got, err)
		}
	})
}
