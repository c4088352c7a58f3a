package coinpayments

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/rotation"
)

var timestamps = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}$`)

// FuzzVerify: a webhook verifies if, and only if, a live secret has signed exactly its
// client id, timestamp and body for the URL that is configured. The signer signs one body
// and another arrives.
func FuzzVerify(f *testing.F) {
	now := time.Date(2026, 1, 15, 9, 30, 0, 0, time.UTC)
	g := open(f, Config{Previous: []rotation.Secret{{Secret: "previous"}, {Secret: "ended", Until: now.Add(-time.Hour)}}})
	secrets := []string{vectors.Secret, "previous", "ended", "a stranger's"}
	urls := []string{hookURL, hookURL + "/", "http://127.0.0.1/cp-hook"}
	for i := range secrets {
		f.Add(vectors.Client, vectors.Timestamp, uint8(i), uint8(0), []byte(vectors.Paid), []byte(vectors.Paid))
		f.Add(vectors.Client, vectors.Timestamp, uint8(0), uint8(i), []byte(vectors.Paid), []byte(vectors.Paid))
	}
	f.Add("DC6A16E5-45c3-4187-ba21-a9edbbe484a5", vectors.Timestamp, uint8(0), uint8(0), []byte("{}"), []byte("{}"))
	f.Add("dc6a16e545c34187ba21a9edbbe484a6", vectors.Timestamp, uint8(0), uint8(0), []byte("{}"), []byte("{}"))
	f.Add(vectors.Client, vectors.Timestamp+"Z", uint8(0), uint8(0), []byte("{}"), []byte("{}"))
	f.Add(vectors.Client, vectors.Timestamp+"{", uint8(0), uint8(0), []byte("}"), []byte("}"))
	f.Add(vectors.Client, "2026-02-30T09:30:00", uint8(0), uint8(0), []byte("{}"), []byte("{}"))
	f.Add("", "", uint8(0), uint8(0), []byte(""), []byte(""))
	f.Fuzz(func(t *testing.T, client, timestamp string, by, to uint8, signedBody, body []byte) {
		secret, url := secrets[int(by)%len(secrets)], urls[int(to)%len(urls)]
		header := signed(coinpayments.Credentials{ClientID: client, ClientSecret: secret}, url, timestamp, signedBody)
		at, err := g.Verify(gateway.Request{Method: http.MethodPost, URL: hookURL, Header: header, Body: body}, now)
		isOurs := strings.EqualFold(strings.ReplaceAll(client, "-", ""), vectors.Client) && !strings.HasPrefix(client, "-") && !strings.HasSuffix(client, "-")
		isLive := secret == vectors.Secret || secret == "previous"
		parsed, parseErr := time.Parse("2006-01-02T15:04:05", timestamp)
		isTime := parseErr == nil && timestamps.MatchString(timestamp)
		want := isOurs && isLive && isTime && url == hookURL && string(signedBody) == string(body)
		if (err == nil) != want {
			t.Fatalf("%q at %q by %q for %q: %v", client, timestamp, secret, url, err)
		}
		if err == nil && !at.Equal(parsed) {
			t.Fatalf("%q was signed at %s", timestamp, at)
		}
		if err != nil && !errors.Is(err, gateway.ErrMalformed) && !errors.Is(err, gateway.ErrSignature) {
			t.Fatalf("%v is neither 400 nor 401", err)
		}
	})
}

// FuzzRead: a body is unreadable, or it names an event that does not depend on white
// space, on the order of keys, on the notice's own id and time, or on amounts.
func FuzzRead(f *testing.F) {
	for _, body := range []string{
		vectors.Paid, vectors.Wallet, `{"type":"New","x":1}`, `{"type":"Payment","x":{"y":[1]}}`, `{"type":"PaymentCreated","invoice":{"id":"1","payments":[{"id":"2","isActive":true}]}}`,
		`{"type":"InvoicePaid","invoice":{"id":1,"invoiceId":2e3,"customData":{"order_id":"a"},"state":"paid"}}`,
		`{"type":"InvoicePaid","invoice":{"id":"1","id":"2"}}`, `{"transactionId":"1","transactionType":"x","confirmations":"99999999999999999999"}`,
		`{"type":"a","invoice":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`, `[]`, `null`, ``, "{\"type\":\"\xff\"}",
	} {
		f.Add([]byte(body))
	}
	g := new(V2)
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := g.Read(body)
		if err != nil {
			if !errors.Is(err, gateway.ErrUnreadable) || !reflect.DeepEqual(got, gateway.Notice{}) {
				t.Fatalf("%q: %+v, %v", body, got, err)
			}
			return
		}
		if got.Type == "" || got.RecordID == "" && got.Digest == "" || got.Risk == "" {
			t.Fatalf("%q: %+v names no event", body, got)
		}
		var outer map[string]json.RawMessage
		if json.Unmarshal(body, &outer) != nil {
			t.Fatalf("%q is not what encoding/json takes", body)
		}
		if got.RecordID == "" && !strings.Contains(got.Digest, " of ") {
			return // its name is all that it says, whatever it is called
		}
		for _, other := range [][]byte{spaced(t, body), without(t, outer)} {
			again, err := g.Read(other)
			if err != nil || !reflect.DeepEqual(again, got) {
				t.Fatalf("%q: %+v, %v, and %q: %+v", other, again, err, body, got)
			}
		}
	})
}

func spaced(t *testing.T, body []byte) []byte {
	var b bytes.Buffer
	if err := json.Indent(&b, body, " ", "\t"); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// without is a body without the notice's own id and time, with its keys in order.
func without(t *testing.T, outer map[string]json.RawMessage) []byte {
	delete(outer, "id")
	delete(outer, "timestamp")
	text, err := json.Marshal(outer)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// FuzzInvoice: whatever an invoice's answer holds, the record and the order that are made
// of it agree, and each payment is there once or can be told from the others.
func FuzzInvoice(f *testing.F) {
	for _, text := range []string{
		`{"id":"1","status":"paid","currency":{"id":"5057","symbol":"USD"},"amount":{"total":"49.90"},"payments":[{"state":"confirmed","nativeActualAmount":"49.90","actualAmount":"0.01","expectedAmount":"0.01","nativeExpectedAmount":"49.90","paymentAddress":"0xA","nativeCurrencyId":"5057"}]}`,
		`{"id":"1","status":"pending","currency":{"id":"4:0xDAC1","symbol":"USDT"},"amount":{"total":"1e3"},"payments":[{"state":"timedOutWaitingRefund"},{"state":"refunded"},{"state":"created"},{}]}`,
		`{"id":"1","status":"cancelled","currency":{"id":"1"},"amount":{"total":"-1"},"payments":null,"cancelled":"2026-01-15T09:20:00"}`,
		`{"payments":{}}`, `[]`, `{"id":"1","customData":{"order_id":"x"},"payments":[{"state":"completed","errorCode":4},{"state":"completed","nativeActualAmount":"1e-99"}]}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var asked struct{ ID string }
		_ = json.Unmarshal(text, &asked)
		g := open(t, Config{}, func(o *gateway.OpenOptions) { o.HTTP = &http.Client{Transport: answering(text)} })
		invoice, err := g.Client().Invoice(t.Context(), asked.ID)
		if err != nil {
			return
		}
		r, again := g.invoiceRecord(invoice), g.order(invoice)
		if r.Order == nil || !reflect.DeepEqual(*r.Order, again) {
			t.Fatalf("%q: the record has the order %+v, and it is %+v", text, r.Order, again)
		}
		if len(r.Order.Payments) > len(invoice.Payments) || !again.Due.Refunds || again.Ref != r.ID {
			t.Fatalf("%q: %+v", text, again)
		}
		for _, p := range again.Payments {
			if gateway.RecordOf(p.RecordID) != r.ID && r.ID != "" {
				t.Fatalf("%q: the payment %q is none of %q", text, p.RecordID, r.ID)
			}
			if p.Returned && p.Failed && !p.Finished || !p.Clean {
				t.Fatalf("%q: %+v", text, p)
			}
		}
	})
}

// answering answers every call with a text.
type answering []byte

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(a)), Request: r}, nil
}
