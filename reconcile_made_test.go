package ccpayment_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

var apiLossySite = strings.Replace(lossySite, "\tccpayment_checkout\n", `	handle_path /api/* {
		ccpayment_api {
			allow read deposit withdraw
		}
	}
`, 1)

// payTo has a deposit arrive at an address.
func (s *lossy) payTo(address string) (recordID string) {
	s.t.Helper()
	paid, err := s.box.Pay(s.t.Context(), sandbox.Payment{Address: address, Amount: decimal.New(30, 0), Coin: "USDT", Instant: true})
	if err != nil {
		s.t.Fatal(err)
	}
	return paid.RecordID
}

// address gets a permanent address through the shop's Caddy.
func (s *lossy) address(reference string) string {
	s.t.Helper()
	return s.addressBy("/api", reference)
}

// addressBy is address through the endpoints at a path.
func (s *lossy) addressBy(api, reference string) string {
	s.t.Helper()
	var made struct{ Address string }
	answer := s.call(api+"/getOrCreateAppDepositAddress", `{"referenceId":"`+reference+`","chain":"TRX"}`)
	if err := json.Unmarshal(answer.Data, &made); err != nil || made.Address == "" {
		s.t.Fatalf("no address: %s, %v", answer.body, err)
	}
	return made.Address
}

// hears waits until the app was told of a record, and returns the headers.
func (s *lossy) hears(what, recordID string) (header http.Header) {
	s.t.Helper()
	await(s.t, "the app is told of "+what, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		header = s.records[recordID]
		return header != nil
	})
	return header
}

// TestMadeByTheAPI: what an app makes through ccpayment_api is known to be its own, also
// where the answer was lost, and by another configuration; what another shop of the account
// makes is not.
func TestMadeByTheAPI(t *testing.T) {
	s := newLossy(t, apiLossySite, quick, nil)
	if err := s.box.Credit(appID, 1280, decimal.New(1000, 0)); err != nil {
		t.Fatal(err)
	}
	s.lose()
	address := s.address("buyer-1")
	if got := s.hears("the deposit", s.payTo(address)); got.Get("Ccpayment-Credit") != "true" || got.Get("Ccpayment-Attempt-Reason") != "backfill" {
		t.Errorf("the deposit came as %v", got)
	}

	answer := s.call("/api/applyAppWithdrawToCwallet", `{"coinId":1280,"cwalletUser":"9558861","amount":"5","orderId":"payout-1"}`)
	var made struct {
		RecordID string `json:"recordId"`
	}
	if err := json.Unmarshal(answer.Data, &made); err != nil || made.RecordID == "" {
		t.Fatalf("no payout: %s, %v", answer.body, err)
	}
	if got := s.hears("the payout, of which no webhook ever comes", made.RecordID); got.Get("Ccpayment-Payout") != "sent" {
		t.Errorf("the payout came as %v", got)
	}

	if err := s.box.SetFaults(sandbox.Fault{Endpoint: "createInvoiceUrl", Drop: "after", Times: -1}); err != nil {
		t.Fatal(err)
	}
	if got := s.call("/api/createInvoiceUrl", `{"orderId":"order-1","price":"10","priceFiatId":"1033"}`); got.status != http.StatusGatewayTimeout {
		t.Fatalf("the lost answer is %d %s", got.status, got.body)
	}
	s.box.ClearFaults()
	s.lose()
	if got := s.hears("the order", s.payFor(t, "order-1")); got.Get("Ccpayment-Fulfill") != "true" {
		t.Errorf("the order came as %v", got)
	}

	theirs, err := s.c.PermanentAddress(t.Context(), client.AddressRequest{ReferenceID: "buyer-2", Chain: "TRX"})
	if err != nil {
		t.Fatal(err)
	}
	foreign := s.payTo(theirs.Address)
	s.load(s.setup)
	s.hears("the next deposit", s.payTo(address))
	if look := s.look(`{}`).Accounts[0]; look.NotOurs != 1 || len(look.Missing) != 0 || s.header(foreign) != nil {
		t.Errorf("of the other shop's deposit the look says %+v, and the app got %v", look, s.header(foreign))
	}

	// A webhook about one deposit says that the address is the app's.
	s.box.ClearFaults()
	if err := s.box.SetWebhookURL("http://" + s.addr + "/hook"); err != nil {
		t.Fatal(err)
	}
	s.hears("a deposit by its webhook", s.payTo(theirs.Address))
	s.lose()
	s.hears("a deposit to the address of which a webhook came", s.payTo(theirs.Address))
}

func (s *lossy) header(recordID string) http.Header {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.records[recordID]
}

const twoRoutesSite = `http://:$PORT {
	bind 127.0.0.1
	ccpayment_webhook /hook {
		route first
		deliver {
			reverse_proxy $APP
		}
	}
	ccpayment_webhook /other-hook {
		route second
		deliver {
			reverse_proxy $APP
		}
	}
	ccpayment_checkout /buy/* {
		notify_url http://127.0.0.1:$PORT/other-hook
		intercept 402
	}
	handle_path /api/* {
		ccpayment_api {
			allow read deposit notify_url
		}
	}
	reverse_proxy $APP
}`

// TestToldOnTheRightRoute: an account with several routes is told on that which takes the
// webhooks of the order or the address, else on that of its earlier events; where nothing
// names one, it is reported only, until `route` does.
func TestToldOnTheRightRoute(t *testing.T) {
	s := newLossy(t, twoRoutesSite, quick+"\nscope account", nil)
	begun := time.Now()
	s.lose()
	route := func(record string) string {
		t.Helper()
		s.hears(record, record)
		return s.list("record_id=" + record).Events[0].Route
	}
	if got := route(s.sell("order-1")); got != "second" {
		t.Errorf("an order with a notify_url is told on the route %s", got)
	}
	s.call("/api/createInvoiceUrl", `{"orderId":"order-2","price":"10","priceFiatId":"1033"}`)
	if got := route(s.payFor(t, "order-2")); got != "first" {
		t.Errorf("an order of the API is told on the route %s", got)
	}
	s.call("/api/createInvoiceUrl", `{"orderId":"order-3","price":"10","priceFiatId":"1033","notifyUrl":"http://127.0.0.1:`+port(s.addr)+`/other-hook"}`)
	if got := route(s.payFor(t, "order-3")); got != "second" {
		t.Errorf("an order of the API with a notifyUrl is told on the route %s", got)
	}

	if _, err := s.c.CreateInvoice(t.Context(), client.InvoiceRequest{OrderID: "order-5", Price: decimal.New(10, 0), PriceFiatID: "1033"}); err != nil {
		t.Fatal(err)
	}
	part := func(amount int64) string {
		t.Helper()
		paid, err := s.box.Pay(t.Context(), sandbox.Payment{OrderID: "order-5", Amount: decimal.New(amount, 0), Coin: "USDT", Instant: true})
		if err != nil {
			t.Fatal(err)
		}
		return paid.RecordID
	}
	first := part(4)
	body := `{"type":"ApiDeposit","msg":{"recordId":"` + first + `","orderId":"order-5","coinId":1280,"status":"Success","isFlaggedAsRisky":false}}`
	if got := s.deliver(delivery{path: "/other-hook", body: body}); got.status != http.StatusOK {
		t.Fatalf("the webhook got %d %s", got.status, got.body)
	}
	route(first)
	if got := route(part(7)); got != "second" {
		t.Errorf("an order with an event on the second route is told on the route %s", got)
	}

	// Gateways count in seconds, and what was made in the one in which the ledger began is old.
	await(t, "another second", func() bool { return time.Now().Unix() > begun.Unix() })
	s.elsewhere(t, "order-4")
	var missing []string
	await(t, "the order that no route is named for is reported", func() bool {
		missing = nil
		for _, m := range s.look(`{}`).Accounts[0].Missing {
			missing = append(missing, m.Why)
		}
		return len(missing) == 1 && strings.Contains(missing[0], "in the option `reconcile`")
	})
	s.setup.account = strings.Replace(s.setup.account, "reconcile {", "reconcile {\n route second", 1)
	s.load(s.setup)
	await(t, "it is told on the route that is named", func() bool {
		l := s.list("order_id=order-4")
		return len(l.Events) == 1 && l.Events[0].Route == "second"
	})
	s.wantFulfilled(5)
}

// TestReloadInALook: a look that a reload cuts off goes on with the next configuration, and
// the app is told of everything once.
func TestReloadInALook(t *testing.T) {
	s := newLossy(t, lossySite, quick, nil)
	s.lose()
	if err := s.box.SetFaults(
		sandbox.Fault{Endpoint: "webhook", Drop: "before", Times: -1},
		sandbox.Fault{Endpoint: "getAppDepositRecordList", DelayMS: 100, Times: -1},
	); err != nil {
		t.Fatal(err)
	}
	const orders = 8
	for i := range orders {
		s.sell(fmt.Sprintf("order-%d", i))
		s.load(s.setup)
	}
	s.wantFulfilled(orders)
	await(t, "a look is whole", func() bool { look := s.look(`{}`).Accounts[0]; return look.LastError == "" && len(look.Missing) == 0 })
	s.wantFulfilled(orders)
}

// TestSince: with `since` the app is told of what is older than the ledger, once, and with
// `dry_run` nobody is; of a shared account only of its own.
func TestSince(t *testing.T) {
	const old = 5
	for scope, want := range map[string]int{"account": old, "ours": 0} {
		t.Run(scope, func(t *testing.T) {
			s := newLossy(t, lossySite, "every off\ngrace 1ms\nscope "+scope, func(s *lossy) {
				for i := range old {
					s.elsewhere(t, fmt.Sprintf("old-%d", i))
				}
			})
			s.lose()
			if look := s.look(`{}`).Accounts[0]; look.Told != 0 || len(look.Missing) != 0 {
				t.Errorf("a look by itself finds %+v", look)
			}
			if dry := s.look(`{"since":"2h","dry_run":true}`).Accounts[0]; len(dry.Missing) != want || dry.NotOurs != old-want || dry.Told != 0 {
				t.Errorf("the dry run finds %+v", dry)
			}
			s.wantFulfilled(0)
			for range 2 {
				if look := s.look(`{"since":"2h"}`).Accounts[0]; len(look.Missing) != 0 || look.LastError != "" {
					t.Errorf("with since the look finds %+v", look)
				}
				s.wantFulfilled(want)
			}
		})
	}
}
