package ccpayment_test

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

const lossySite = `http://:$PORT {
	bind 127.0.0.1
	ccpayment_webhook /hook {
		deliver {
			reverse_proxy $APP
		}
		retry {
			first 10ms
			max 50ms
		}
	}
	ccpayment_checkout
	reverse_proxy $APP
}`

// lossy is a shop whose webhooks get lost, and whose Caddy looks for what they were to tell.
type lossy struct {
	*shop
	setup setup
	// through is the base URL of the API, if it is not the sandbox's own.
	through string

	mu sync.Mutex
	// told are the events that the app was sent, by their Idempotency-Key, and fulfilled how
	// often it was told to fulfil each order.
	told      map[string]int
	fulfilled map[string]int
	reasons   map[string]int
	records   map[string]http.Header // of the last event of each
}

// newLossy starts the shop; options are those of reconcile, and prepare runs before it.
func newLossy(t *testing.T, site, options string, prepare func(*lossy)) *lossy {
	t.Helper()
	box, c, base := newSandbox(t, 1)
	s := &lossy{shop: &shop{box: box, c: c}, told: make(map[string]int), fulfilled: make(map[string]int), reasons: make(map[string]int), records: make(map[string]http.Header)}
	if prepare != nil {
		prepare(s)
	}
	s.setup = setup{
		global: adminOn, site: site, app: s.serve,
		account: "webhook_url http://127.0.0.1:$PORT/hook\nbase_url " + cmp.Or(s.through, base) + "\nreconcile {\n" + options + "\n}",
	}
	s.server = start(t, s.setup)
	return s
}

// serve is the app: it asks for ten dollars for each order.
func (s *lossy) serve(w http.ResponseWriter, r *http.Request) {
	if order, ok := strings.CutPrefix(r.URL.Path, "/buy/"); ok {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusPaymentRequired)
		fmt.Fprintf(w, `{"order_id":%q,"price":"10","currency":"USD"}`, order)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told[r.Header.Get("Idempotency-Key")]++
	s.reasons[r.Header.Get("Ccpayment-Attempt-Reason")]++
	s.records[r.Header.Get("Ccpayment-Record-Id")] = r.Header.Clone()
	if r.Header.Get("Ccpayment-Fulfill") == "true" {
		s.fulfilled[r.Header.Get("Ccpayment-Order-Id")]++
	}
}

// sell has the shop's checkout make an order, and pays it.
func (s *lossy) sell(order string) (recordID string) {
	s.t.Helper()
	v := s.visit(http.MethodPost, "/buy/"+order, "", http.Header{"Accept": {"application/json"}})
	if v.answer.CheckoutURL == "" {
		s.t.Fatalf("no checkout: %d %s", v.status, v.body)
	}
	return s.payFor(s.t, order)
}

func (s *lossy) payFor(t *testing.T, order string) (recordID string) {
	t.Helper()
	paid, err := s.box.Pay(t.Context(), sandbox.Payment{OrderID: order, Instant: true})
	if err != nil {
		t.Fatal(err)
	}
	return paid.RecordID
}

// elsewhere pays an invoice that another shop of the account has made.
func (s *lossy) elsewhere(t *testing.T, order string) {
	t.Helper()
	_, err := s.c.CreateInvoice(t.Context(), client.InvoiceRequest{OrderID: order, Price: decimal.New(10, 0), PriceFiatID: "1033"})
	if err != nil {
		t.Fatal(err)
	}
	s.payFor(t, order)
}

// lose has all webhooks get lost until the faults are cleared.
func (s *lossy) lose() {
	s.t.Helper()
	if err := s.box.SetFaults(sandbox.Fault{Endpoint: "webhook", Drop: "before", Times: -1}); err != nil {
		s.t.Fatal(err)
	}
}

// wantFulfilled waits until the app was told to fulfil n orders, and checks that it was told
// nothing twice.
func (s *lossy) wantFulfilled(n int) {
	s.t.Helper()
	await(s.t, fmt.Sprintf("%d orders are fulfilled", n), func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.fulfilled) >= n
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.fulfilled) != n {
		s.t.Errorf("%d orders are fulfilled, want %d", len(s.fulfilled), n)
	}
	for what, times := range s.told {
		if times != 1 {
			s.t.Errorf("the app was sent %s %d times", what, times)
		}
	}
	for order, times := range s.fulfilled {
		if times != 1 {
			s.t.Errorf("the app was told to fulfil %s %d times", order, times)
		}
	}
}

// reconciled is the answer of the admin endpoint about the one account.
type reconciled struct {
	Account  *string
	Accounts []struct {
		From, To, LookedAt string
		Records            int
		NotOurs            int `json:"not_ours"`
		Told               int
		Unfinished         int
		Missing            []struct {
			RecordID string `json:"record_id"`
			Why      string
		}
		LastError string `json:"last_error"`
	}
}

func (s *lossy) look(body string) reconciled {
	s.t.Helper()
	var r reconciled
	s.ask(http.MethodPost, "reconcile", body, http.StatusOK, &r)
	if len(r.Accounts) != 1 || r.Account == nil {
		s.t.Fatalf("there are %d accounts, and the only one does not stand by itself", len(r.Accounts))
	}
	return r
}

// quick looks all the time, at records of any age.
const quick = "every 50ms\ngrace 1ms"

// TestLostWebhooks: what lost webhooks were to tell is told once, and a webhook that comes
// late all the same is a copy.
func TestLostWebhooks(t *testing.T) {
	for _, share := range []int{10, 50, 100} {
		t.Run(fmt.Sprint(share, "%"), func(t *testing.T) {
			s := newLossy(t, lossySite, quick, nil)
			const orders, missing = 20, `caddy_ccpayment_reconcile_missing_total{account=""}`
			before := s.scrape()[missing]
			for i := range orders {
				s.box.ClearFaults()
				if i*share%100 < share {
					s.lose()
				}
				s.sell(fmt.Sprintf("order-%d", i))
			}
			s.wantFulfilled(orders)
			s.mu.Lock()
			backfilled := s.reasons["backfill"]
			s.mu.Unlock()
			if backfilled == 0 {
				t.Error("no event says that it is a backfill")
			}

			s.box.ClearFaults()
			s.box.Advance(40 * 60e9) // the gateway's own retries
			s.wantFulfilled(orders)
			if got := s.scrape()[missing] - before; got != float64(backfilled) {
				t.Errorf("%v are counted as missing, and %d were backfilled", got, backfilled)
			}
		})
	}
}

// TestNewLedgerTellsNothingOld: what an older integration has fulfilled is told to nobody,
// unless somebody asks for it.
func TestNewLedgerTellsNothingOld(t *testing.T) {
	const old = 200
	s := newLossy(t, lossySite, quick+"\nscope account", func(s *lossy) {
		for i := range old {
			s.elsewhere(t, fmt.Sprintf("old-%d", i))
		}
	})
	s.lose()
	s.sell("new-1")
	s.wantFulfilled(1)
	if dry := s.look(`{"since":"2h","dry_run":true}`).Accounts[0]; len(dry.Missing) != old || dry.Told != 0 || dry.LastError != "" {
		t.Errorf("the dry run finds %d missing and %d unfinished, and tells %d: %s", len(dry.Missing), dry.Unfinished, dry.Told, dry.LastError)
	}
	s.wantFulfilled(1)
}

// TestOtherShopsRecords: of a shared account nothing is told that is the other shop's.
func TestOtherShopsRecords(t *testing.T) {
	s := newLossy(t, lossySite, quick, nil)
	s.lose()
	s.elsewhere(t, "theirs")
	s.sell("ours")
	s.wantFulfilled(1)
	if look := s.look(`{}`).Accounts[0]; look.NotOurs != 1 || len(look.Missing) != 0 || s.fulfilled["ours"] != 1 {
		t.Errorf("the look found %+v", look)
	}
	var orders struct{ Orders []struct{ Account string } }
	s.ask(http.MethodGet, "orders?account=default", "", http.StatusOK, &orders)
	var looks reconciled
	s.ask(http.MethodGet, "reconcile?account=default", "", http.StatusOK, &looks)
	if len(orders.Orders) != 1 || len(looks.Accounts) != 1 {
		t.Errorf("by the name that it is shown with, the account without one has %d orders and %d looks", len(orders.Orders), len(looks.Accounts))
	}
}

// TestWebhookAfterABackfill: a webhook of what the app was told already is a copy, also where
// it does not say whether the payment is risky. One that says it is risky is news.
func TestWebhookAfterABackfill(t *testing.T) {
	s := newLossy(t, lossySite, quick, nil)
	s.lose()
	record := s.sell("order-1")
	s.wantFulfilled(1)
	came := func(risk string) {
		t.Helper()
		body := `{"type":"ApiDeposit","msg":{"recordId":"` + record + `","orderId":"order-1","coinId":1280,"status":"Success"` + risk + `}}`
		if got := s.deliver(delivery{body: body}); got.status != http.StatusOK {
			t.Errorf("it got %d %s", got.status, got.body)
		}
	}
	states := func() (all string) {
		for _, e := range s.list("status=success&record_id=" + record).Events {
			all += e.State + " "
		}
		return all
	}
	came(`,"isFlaggedAsRisky":false`)
	came("")
	await(t, "the webhook is superseded", func() bool { return states() == "superseded delivered " })
	came(`,"isFlaggedAsRisky":true`)
	await(t, "the risky one is held", func() bool { return states() == "held superseded delivered " })
	s.wantFulfilled(1)
}

// TestUnfinishedRecord: a payment that is on its way is asked for again until it has arrived,
// and then told.
func TestUnfinishedRecord(t *testing.T) {
	s := newLossy(t, lossySite, quick, nil)
	s.lose()
	s.visit(http.MethodPost, "/buy/order-1", "", http.Header{"Accept": {"application/json"}})
	paid, err := s.box.Pay(t.Context(), sandbox.Payment{OrderID: "order-1", Status: "processing"})
	if err != nil {
		t.Fatal(err)
	}
	await(t, "the record waits", func() bool { return s.look(`{}`).Accounts[0].Unfinished == 1 })
	s.wantFulfilled(0)
	if err := s.box.Finish(paid.RecordID, "success"); err != nil {
		t.Fatal(err)
	}
	s.wantFulfilled(1)
	await(t, "nothing waits", func() bool { return s.look(`{}`).Accounts[0].Unfinished == 0 })
}

// TestLostOnThePassThrough: on a route that hands on each webhook's own request, the gateway
// is asked to send again what was lost.
func TestLostOnThePassThrough(t *testing.T) {
	s := newLossy(t, strings.NewReplacer("\t\tdeliver {\n\t\t\treverse_proxy $APP\n\t\t}\n", "", "\t\tretry {\n\t\t\tfirst 10ms\n\t\t\tmax 50ms\n\t\t}\n", "").Replace(lossySite), "every off\ngrace 1ms", nil)
	s.lose()
	s.sell("order-1")
	var missing reconciled
	await(t, "the look finds it", func() bool { missing = s.look(`{}`); return len(missing.Accounts[0].Missing) == 1 })
	s.wantFulfilled(0)
	s.box.ClearFaults()
	s.look(`{}`)
	s.wantFulfilled(1)
	if again := s.look(`{}`).Accounts[0]; len(again.Missing) != 0 {
		t.Errorf("it is still missing: %+v", again.Missing)
	}
}

// TestLookAtAGatewayInTrouble: a look that the gateway refuses, cuts off or holds up says so,
// and the next one goes on.
func TestLookAtAGatewayInTrouble(t *testing.T) {
	for what, fault := range map[string]sandbox.Fault{
		"busy":   {Code: 11004, Times: 20},
		"broken": {HTTPStatus: 500, Times: 20},
		"away":   {Drop: "before", Times: 20},
		"slow":   {DelayMS: 700, Times: 2},
	} {
		t.Run(what, func(t *testing.T) {
			s := newLossy(t, lossySite, "every off\ngrace 1ms", nil)
			s.lose()
			fault.Endpoint = "getAppDepositRecordList"
			s.sell("order-1")
			s.sell("order-2")
			if err := s.box.SetFaults(fault); err != nil {
				t.Fatal(err)
			}
			if look := s.look(`{}`).Accounts[0]; what != "slow" && look.LastError == "" {
				t.Errorf("the look says %+v", look)
			}
			s.box.ClearFaults()
			s.lose()
			await(t, "a look tells both", func() bool { s.look(`{}`); s.mu.Lock(); defer s.mu.Unlock(); return len(s.fulfilled) == 2 })
			s.wantFulfilled(2)
		})
	}
}
