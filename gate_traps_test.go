package ccpayment_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/shopspring/decimal"
	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
	"github.com/seed-338f6760/caddy-ccpayment/store/bolt"
)

// altered is a sandbox's API whose answers a test alters.
type altered struct {
	*sandbox.Sandbox
	mu    sync.Mutex
	alter func(call, answer string) string
}

func (a *altered) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	recorder := httptest.NewRecorder()
	a.Sandbox.ServeHTTP(recorder, r)
	a.mu.Lock()
	answer := a.alter(path.Base(r.URL.Path), recorder.Body.String())
	a.mu.Unlock()
	w.WriteHeader(recorder.Code)
	_, _ = io.WriteString(w, answer)
}

// alters sets what becomes of the answers from now on; nil: nothing.
func (a *altered) alters(alter func(call, answer string) string) {
	if alter == nil {
		alter = func(_, answer string) string { return answer }
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.alter = alter
}

// newAlteredShop is a shop whose sandbox sends no webhooks: the test does.
func newAlteredShop(t *testing.T, webhook string) (*shop, *altered) {
	t.Helper()
	box, c, _ := newSandbox(t, 1)
	front := &altered{Sandbox: box}
	front.alters(nil)
	api := httptest.NewServer(front)
	t.Cleanup(api.Close)
	s := &shop{box: box, c: c}
	s.server = start(t, setup{account: "api_timeout 500ms\nbase_url " + api.URL + "/ccpayment/v2", webhook: webhook, confirm: true})
	return s, front
}

// arrive makes a payment arrive without a webhook.
func (s *shop) arrive(p sandbox.Payment) (recordID string) {
	s.t.Helper()
	p.Instant, p.Wait = true, patience
	paid, err := s.box.Pay(s.t.Context(), p)
	if err != nil {
		s.t.Fatal(err)
	}
	return paid.RecordID
}

// order creates an order of ten coins.
func (s *shop) order(id string) string {
	s.t.Helper()
	if err := kinds["order in coin"](s, id); err != nil {
		s.t.Fatal(err)
	}
	return id
}

// notify delivers a webhook of an order's payment, and returns what the app got
// of it; nothing if it was not called.
func (s *shop) notify(want int, recordID, orderID, status string, risky bool) http.Header {
	s.t.Helper()
	before, flag := len(s.app.received()), "false"
	if risky {
		flag = "true"
	}
	s.deliver(delivery{body: `{"type":"ApiDeposit","msg":{"recordId":"` + recordID + `","orderId":"` + orderID +
		`","coinId":1280,"status":"` + status + `","isFlaggedAsRisky":` + flag + `}}`}).wants(s.t, want)
	calls := s.app.received()[before:]
	if len(calls) == 0 {
		return nil
	}
	return calls[0].header
}

var paid = map[string]string{"Confirmed": "true", "Fulfill": "true", "Order-State": "paid"}

// TestDisagreements: where CCPayment's API says other than the webhook of a
// Success, or nothing, or nonsense, nothing is delivered, and the ledger says
// why. What may change is tried again and then delivered; what contradicts is
// held.
func TestDisagreements(t *testing.T) {
	const anyCall = ""
	s, front := newAlteredShop(t, "")
	type disagreement struct {
		what, call, from, to string
		fault                *sandbox.Fault
		state                ledger.State
		cause                string
	}
	cases := []disagreement{
		{what: "Processing", call: "getAppDepositRecord", from: `"status":"Success"`, to: `"status":"Processing"`, state: ledger.Retrying, cause: `behind: the status is Success in the webhook and "Processing"`},
		{what: "Failed", call: "getAppDepositRecord", from: `"status":"Success"`, to: `"status":"Failed"`, state: ledger.Held, cause: "mismatch: the status"},
		{what: "unknown record", fault: &sandbox.Fault{Endpoint: "getAppDepositRecord", Code: 11003}, state: ledger.Retrying, cause: "knows no such record"},
		{what: "other coin", call: "getAppDepositRecord", from: `"coinId":1280`, to: `"coinId":1482`, state: ledger.Held, cause: "mismatch: the coin"},
		{what: "other order", call: "getAppDepositRecord", from: `"orderId":"`, to: `"orderId":"other-`, state: ledger.Held, cause: "mismatch: the order"},
		{what: "other record", call: "getAppDepositRecord", from: `"recordId":"`, to: `"recordId":"9`, state: ledger.Retrying, cause: "it is about record"},
		{what: "risky", call: "getAppDepositRecord", from: `"isFlaggedAsRisky":false`, to: `"isFlaggedAsRisky":true`, state: ledger.Held, cause: "risky"},
		{what: "HTTP 500", fault: &sandbox.Fault{Endpoint: "*", HTTPStatus: 500, Times: -1}, state: ledger.Retrying, cause: "HTTP 500"},
		// Longer than all tries, and not much: the sandbox holds on when the caller has gone.
		{what: "timeout", fault: &sandbox.Fault{Endpoint: "*", DelayMS: 2500, Times: -1}, state: ledger.Retrying, cause: "deadline exceeded"},
		{what: "rate limit", fault: &sandbox.Fault{Endpoint: "*", Code: 11004, Times: -1}, state: ledger.Retrying, cause: "11004"},
		{what: "no JSON", call: anyCall, from: `{"code"`, to: `<html>{"code"`, state: ledger.Retrying, cause: "not CCPayment's"},
		{what: "no record", call: "getAppDepositRecord", from: `"record":`, to: `"other":`, state: ledger.Retrying, cause: "record"},
		{what: "a key twice", call: "getAppDepositRecord", from: `"amount":`, to: `"amount":"1","amount":`, state: ledger.Retrying, cause: "twice"},
		{what: "unknown order", fault: &sandbox.Fault{Endpoint: "getAppOrderInfo", Code: 11003}, state: ledger.Retrying, cause: "knows no such order"},
		{what: "order as of before the payment", call: "getAppOrderInfo", from: `"recordId":"`, to: `"recordId":"9`, state: ledger.Retrying, cause: "does not list the payment"},
		{what: "order as of Processing", call: "getAppOrderInfo", from: `"status":"Success"`, to: `"status":"Processing"`, state: ledger.Retrying, cause: "not as Success"},
		{what: "due of zero", call: "getAppOrderInfo", from: `"amountToPay":"10"`, to: `"amountToPay":"0"`, state: ledger.Retrying, cause: "no amountToPay"},
		{what: "no due", call: "getAppOrderInfo", from: `"amountToPay":"10"`, to: `"amountToPay":""`, state: ledger.Retrying, cause: "no amountToPay"},
		{what: "due missing", call: "getAppOrderInfo", from: `"amountToPay"`, to: `"amount"`, state: ledger.Retrying, cause: "no amountToPay"},
		{what: "negative due", call: "getAppOrderInfo", from: `"amountToPay":"10"`, to: `"amountToPay":"-10"`, state: ledger.Retrying, cause: "no amountToPay"},
		{what: "no amount", call: "getAppDepositRecord", from: `"amount":"10"`, to: `"amount":""`, state: ledger.Retrying, cause: "no amount"},
		{what: "huge amount", call: "getAppDepositRecord", from: `"amount":"10"`, to: `"amount":1e20000000`, state: ledger.Retrying, cause: "exponent beyond"},
		{what: "tiny amount", call: "getAppDepositRecord", from: `"amount":"10"`, to: `"amount":"1e-20000000"`, state: ledger.Retrying, cause: "exponent beyond"},
		{what: "huge due", call: "getAppOrderInfo", from: `"amountToPay":"10"`, to: `"amountToPay":"1e20000000"`, state: ledger.Retrying, cause: "exponent beyond"},
		{what: "huge payment in the list", call: "getAppOrderInfo", from: `"amount":"10"`, to: `"amount":1e20000000`, state: ledger.Retrying, cause: "exponent beyond"},
	}
	records := make([]string, len(cases))
	for i, one := range cases {
		id := s.order("order-" + strings.ReplaceAll(one.what, " ", "-"))
		records[i] = s.arrive(sandbox.Payment{OrderID: id})
		struck := 0
		front.alters(func(call, answer string) string {
			if one.fault != nil || one.call != anyCall && call != one.call {
				return answer
			}
			struck += strings.Count(answer, one.from)
			return strings.ReplaceAll(answer, one.from, one.to)
		})
		if one.fault != nil {
			if err := s.box.SetFaults(*one.fault); err != nil {
				t.Fatal(err)
			}
		}
		want := http.StatusServiceUnavailable
		if one.state == ledger.Held {
			want = http.StatusOK
		}
		begun := time.Now()
		if got := s.notify(want, records[i], id, "Success", false); got != nil {
			t.Errorf("%s was delivered: %v", one.what, got)
		}
		if took := time.Since(begun); took > patience/2 {
			t.Errorf("%s took %s", one.what, took)
		}
		front.alters(nil)
		s.box.ClearFaults()
		if one.fault == nil && struck == 0 {
			t.Errorf("%s: no answer was altered", one.what)
		}
		again := s.notify(http.StatusOK, records[i], id, "Success", false)
		if one.state == ledger.Retrying {
			wantMoney(t, one.what+", once it is over", again, paid)
		} else if again != nil {
			t.Errorf("%s was held and then delivered: %v", one.what, again)
		}
	}

	store := s.stopAndOpen()
	for i, one := range cases {
		event, err := store.Load(t.Context(), ledger.Key{
			Record: ledger.Record{Route: "webhook", AppID: appID, Type: "ApiDeposit", ID: records[i]}, Status: "success", Risk: ledger.NotRisky,
		})
		if err != nil {
			t.Errorf("%s: %v", one.what, err)
			continue
		}
		last := event.State
		if one.state == ledger.Retrying {
			last = ledger.Delivered
		}
		if step := event.Transitions[2]; step.State != one.state || !strings.Contains(step.Cause, one.cause) || event.State != last {
			t.Errorf("%s: it was %s for %q, want %s for %q; in the end it is %s", one.what, step.State, step.Cause, one.state, one.cause, event.State)
		}
	}
}

// stopAndOpen stops Caddy and opens its ledger.
func (s *server) stopAndOpen() ledger.Store {
	s.t.Helper()
	if err := caddy.Stop(); err != nil {
		s.t.Fatal(err)
	}
	module := &bolt.Module{Path: filepath.Join(s.dir, "ledger.db")}
	if err := module.Provision(caddy.Context{}); err != nil {
		s.t.Fatal(err)
	}
	store, err := module.Open(ledger.OpenOptions{Logger: zap.NewNop()})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := store.Close(); err != nil {
			s.t.Error(err)
		}
	})
	return store
}

// TestAPIAhead: a Processing that comes when the API has the Success stays a
// Processing, and does not carry the flag that the Success will.
func TestAPIAhead(t *testing.T) {
	s, _ := newAlteredShop(t, "")
	record := s.arrive(sandbox.Payment{OrderID: s.order("order-1")})
	early := s.notify(http.StatusOK, record, "order-1", "Processing", false)
	wantMoney(t, "the Processing", early, map[string]string{"Confirmed": "true", "Order-State": "paid"})
	if got := early.Get("Ccpayment-Status"); got != "Processing" {
		t.Errorf("its status became %q", got)
	}
	wantMoney(t, "the Success", s.notify(http.StatusOK, record, "order-1", "Success", false), paid)
}

// TestResendGainsTheFlag: the same Success, flagged this time, is another event:
// it is held, or delivered as risky, and fulfils nothing again.
func TestResendGainsTheFlag(t *testing.T) {
	for policy, want := range map[string]map[string]string{
		"hold":    nil,
		"forward": {"Confirmed": "true", "Risky": "true", "Reason": "risky", "Order-State": "review"},
	} {
		t.Run(policy, func(t *testing.T) {
			s, _ := newAlteredShop(t, "risky "+policy)
			record := s.arrive(sandbox.Payment{OrderID: s.order("order-1")})
			wantMoney(t, "the first", s.notify(http.StatusOK, record, "order-1", "Success", false), paid)
			if err := s.box.SetRisky(record, true); err != nil {
				t.Fatal(err)
			}
			flagged := s.notify(http.StatusOK, record, "order-1", "Success", true)
			if want == nil && flagged != nil {
				t.Errorf("the resend was delivered: %v", flagged)
			}
			if want != nil {
				wantMoney(t, "the resend", flagged, want)
			}
		})
	}
}

// TestClearedLater: a risky payment that CCPayment clears counts from then on,
// for its own resend and for the next payment.
func TestClearedLater(t *testing.T) {
	s, _ := newAlteredShop(t, "")
	five := decimal.New(5, 0)
	record := s.arrive(sandbox.Payment{OrderID: s.order("order-1"), Risky: true, Amount: decimal.New(10, 0)})
	half := s.arrive(sandbox.Payment{OrderID: s.order("order-2"), Risky: true, Amount: five})
	for order, record := range map[string]string{"order-1": record, "order-2": half} {
		if got := s.notify(http.StatusOK, record, order, "Success", true); got != nil {
			t.Errorf("a risky payment was delivered: %v", got)
		}
		if err := s.box.SetRisky(record, false); err != nil {
			t.Fatal(err)
		}
		if got := s.notify(http.StatusOK, record, order, "Success", true); got != nil {
			t.Errorf("what is held was delivered by a copy: %v", got)
		}
	}
	wantMoney(t, "its resend", s.notify(http.StatusOK, record, "order-1", "Success", false), paid)
	rest := s.arrive(sandbox.Payment{OrderID: "order-2", Amount: five})
	wantMoney(t, "the other half", s.notify(http.StatusOK, rest, "order-2", "Success", false), paid)
	wantMoney(t, "the cleared half", s.notify(http.StatusOK, half, "order-2", "Success", false),
		map[string]string{"Confirmed": "true", "Order-State": "paid", "Reason": "already_fulfilled"})
}

// TestBinaryNoise: 10.002 coins at 0.9998 are 9.9999996, which is ten.
func TestBinaryNoise(t *testing.T) {
	s := newShop(t, "")
	if err := s.box.SetPrice(1280, decimal.RequireFromString("0.9998")); err != nil {
		t.Fatal(err)
	}
	for amount, want := range map[string]map[string]string{
		"10.002": paid,
		"10.001": {"Confirmed": "true", "Order-State": "partial", "Reason": "partial"},
	} {
		if err := kinds["invoice in fiat"](s, "order-"+amount); err != nil {
			t.Fatal(err)
		}
		wantMoney(t, amount, s.pay(sandbox.Payment{OrderID: "order-" + amount, Amount: decimal.RequireFromString(amount)}), want)
	}
}

// TestInvoiceWithoutAPrice: nothing is due of it yet, so nothing is paid.
func TestInvoiceWithoutAPrice(t *testing.T) {
	s, front := newAlteredShop(t, "")
	if _, err := s.c.CreateInvoice(t.Context(), client.InvoiceRequest{OrderID: "order-1", Price: decimal.New(10, 0), PriceFiatID: "1033"}); err != nil {
		t.Fatal(err)
	}
	record := s.arrive(sandbox.Payment{OrderID: "order-1"})
	for _, price := range []string{`"price":"0"`, `"price":""`, `"cost":"10"`, `"price":"1e20000000"`} {
		front.alters(func(_, answer string) string { return strings.ReplaceAll(answer, `"price":"10"`, price) })
		if got := s.notify(http.StatusServiceUnavailable, record, "order-1", "Success", false); got != nil {
			t.Errorf("%s: delivered: %v", price, got)
		}
	}
	front.alters(nil)
	wantMoney(t, "with its price", s.notify(http.StatusOK, record, "order-1", "Success", false), paid)
}

// TestCase31_AmountOfAWebhook: a user's deposit has an amount in its webhook. What is
// credited is the record's, whatever the webhook says.
func TestCase31_AmountOfAWebhook(t *testing.T) {
	s, _ := newAlteredShop(t, "")
	user, err := s.c.UserDepositAddress(t.Context(), client.UserAddressRequest{UserID: "user-1", Chain: "TRX"})
	if err != nil {
		t.Fatal(err)
	}
	record := s.arrive(sandbox.Payment{Address: user.Address, Amount: decimal.New(5, 0)})
	s.deliver(delivery{body: `{"type":"UserDeposit","msg":{"recordId":"` + record +
		`","userId":"user-1","coinId":1280,"coinSymbol":"USDT","amount":"5000","status":"Success","isFlaggedAsRisky":false}}`}).wants(t, http.StatusOK)
	calls := s.app.received()
	if len(calls) != 1 {
		t.Fatalf("the app was called %d times", len(calls))
	}
	wantMoney(t, "a user's deposit", calls[0].header, map[string]string{"Confirmed": "true", "Credit": "true"})
	if amount := calls[0].header.Get("Ccpayment-Amount"); amount != "5" {
		t.Errorf("%s is to be credited, want 5", amount)
	}
}
