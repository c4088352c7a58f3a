package ccpayment_test

import (
	"errors"
	"flag"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

var rounds = flag.Int("rounds", 8, "how many orders TestOneFulfillEach and TestMoneyThroughCaddy pay")

// TestOneFulfillEach: payments of one order that succeed at once, each of which
// finds the order paid, fulfil it once.
func TestOneFulfillEach(t *testing.T) {
	s := newShop(t, "")
	var fulfilled, succeeded atomic.Int64
	s.app.answers(func(_ http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Ccpayment-Fulfill") == "true" {
			fulfilled.Add(1)
		}
		if r.Header.Get("Ccpayment-Status") == "Success" {
			succeeded.Add(1)
		}
	})
	const payments = 20
	for n := range *rounds {
		id := "order-" + strconv.Itoa(n)
		if err := kinds["order in coin"](s, id); err != nil {
			t.Fatal(err)
		}
		var arrived, all sync.WaitGroup
		arrived.Add(payments)
		for range payments {
			all.Go(func() {
				paid, err := s.box.Pay(t.Context(), sandbox.Payment{OrderID: id, Amount: decimal.New(1, 0), Status: "processing", Wait: patience})
				arrived.Done()
				arrived.Wait()
				if err := errors.Join(err, s.box.Finish(paid.RecordID, "success")); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		await(t, "all payments of "+id, func() bool { return succeeded.Load() >= int64(payments*(n+1)) })
		if fulfilled.Load() != int64(n+1) || succeeded.Load() != int64(payments*(n+1)) {
			t.Fatalf("%d orders were fulfilled %d times by %d payments", n+1, fulfilled.Load(), succeeded.Load())
		}
	}
}

// TestFulfillSurvivesAFailure: the event that carries Fulfill carries it on every
// attempt, and no other does, even where the app refuses it and Caddy is
// configured anew in between.
func TestFulfillSurvivesAFailure(t *testing.T) {
	s := newShop(t, "")
	if err := kinds["order in coin"](s, "order-1"); err != nil {
		t.Fatal(err)
	}
	s.app.answers(status(http.StatusInternalServerError))
	paid := map[string]string{"Confirmed": "true", "Fulfill": "true", "Order-State": "paid"}
	wantMoney(t, "the first attempt", s.pay(sandbox.Payment{OrderID: "order-1"}), paid)
	s.app.answers(nil)
	wantMoney(t, "another payment meanwhile", s.pay(sandbox.Payment{OrderID: "order-1", Amount: decimal.New(20, 0)}),
		map[string]string{"Confirmed": "true", "Order-State": "overpaid", "Reason": "already_fulfilled"})
	s.box.Advance(30 * time.Second)
	calls := s.app.received()
	last := calls[len(calls)-1].header
	wantMoney(t, "the second attempt", last, map[string]string{"Confirmed": "true", "Fulfill": "true", "Order-State": "overpaid"})
	if last.Get("Ccpayment-Attempt") != "2" {
		t.Errorf("it is attempt %s", last.Get("Ccpayment-Attempt"))
	}
}

// TestOrderPrefix: two shops on one account do not see each other's orders, and
// know their own by their own ids.
func TestOrderPrefixIsConfirmed(t *testing.T) {
	box, c, base := newSandbox(t, 1)
	s := &shop{box: box, c: c}
	s.server = start(t, setup{account: "order_prefix eu-\nbase_url " + base, confirm: true})
	if err := box.SetWebhookURL("http://" + s.addr + "/hook"); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"eu-1001", "us-1001"} {
		if err := kinds["order in coin"](s, id); err != nil {
			t.Fatal(err)
		}
	}
	got := s.pay(sandbox.Payment{OrderID: "eu-1001"})
	wantMoney(t, "ours", got, map[string]string{"Confirmed": "true", "Fulfill": "true", "Order-State": "paid"})
	if got.Get("Ccpayment-Order-Id") != "1001" {
		t.Errorf("the order id is %q", got.Get("Ccpayment-Order-Id"))
	}
	if got := s.pay(sandbox.Payment{OrderID: "us-1001"}); got != nil {
		t.Errorf("the other shop's was delivered: %v", got)
	}
}

// TestRiskComesLater: a resend that is flagged as risky is another event, and is held;
// the event before it was delivered already.
func TestRiskComesLater(t *testing.T) {
	s := newShop(t, "")
	if err := kinds["order in coin"](s, "order-1"); err != nil {
		t.Fatal(err)
	}
	s.app.answers(status(http.StatusInternalServerError))
	got := s.pay(sandbox.Payment{OrderID: "order-1"})
	wantMoney(t, "before", got, map[string]string{"Confirmed": "true", "Fulfill": "true", "Order-State": "paid"})
	s.app.answers(nil)
	if err := s.box.SetRisky(got.Get("Ccpayment-Record-Id"), true); err != nil {
		t.Fatal(err)
	}
	n := len(s.app.received())
	s.box.Advance(30 * time.Second) // the retry says what it said, and the record is risky now
	if calls := s.app.received()[n:]; len(calls) != 0 {
		t.Errorf("a payment that turned risky was delivered: %v", calls[0].header)
	}
}

// TestFlagStaysOnItsEvent: what an order becomes after its carrier was first
// sent takes the flag away from no attempt of it.
func TestFlagStaysOnItsEvent(t *testing.T) {
	s := newShop(t, "")
	if err := kinds["order in coin"](s, "order-1"); err != nil {
		t.Fatal(err)
	}
	half := s.pay(sandbox.Payment{OrderID: "order-1", Amount: decimal.New(5, 0)})
	s.app.answers(status(http.StatusInternalServerError))
	wantMoney(t, "the carrier", s.pay(sandbox.Payment{OrderID: "order-1"}),
		map[string]string{"Confirmed": "true", "Fulfill": "true", "Order-State": "paid"})
	if err := s.box.SetRisky(half.Get("Ccpayment-Record-Id"), true); err != nil {
		t.Fatal(err)
	}
	s.app.answers(nil)
	s.box.Advance(30 * time.Second)
	calls := s.app.received()
	last := calls[len(calls)-1].header
	if last.Get("Ccpayment-Fulfill") != "true" || last.Get("Ccpayment-Attempt") != "2" || last.Get("Ccpayment-Order-State") != "review" {
		t.Errorf("the carrier's second attempt is %v", last)
	}
}

// TestTwoShopsOneAccount: the prefix is part of an order's name, so that two
// shops with an order 1001 each fulfil their own.
func TestTwoShopsOneAccount(t *testing.T) {
	box, c, base := newSandbox(t, 1)
	s := &shop{box: box, c: c}
	account := func(name string) string {
		return "account " + name + " {\n app_id " + appID + "\n app_secret " + secret + "\n order_prefix " + name + "-\n base_url " + base + "\n}\n"
	}
	s.server = start(t, setup{account: account("eu") + account("us"), site: `http://:$PORT {
		bind 127.0.0.1
		ccpayment_webhook /eu {
			account eu
			route eu
		}
		ccpayment_webhook /us {
			account us
			route us
		}
		reverse_proxy $APP
	}`})
	for _, name := range []string{"eu", "us"} {
		if err := box.SetWebhookURL("http://" + s.addr + "/" + name); err != nil {
			t.Fatal(err)
		}
		if err := kinds["order in coin"](s, name+"-1001"); err != nil {
			t.Fatal(err)
		}
		wantMoney(t, name, s.pay(sandbox.Payment{OrderID: name + "-1001"}),
			map[string]string{"Confirmed": "true", "Fulfill": "true", "Order-State": "paid"})
	}
}

// TestOneRecordOfOneKind: the payment of an order is not credited to a
// reference that the webhook names.
func TestOneRecordOfOneKind(t *testing.T) {
	s := newShop(t, "")
	if err := kinds["order in coin"](s, "order-1"); err != nil {
		t.Fatal(err)
	}
	record := s.pay(sandbox.Payment{OrderID: "order-1"}).Get("Ccpayment-Record-Id")
	n := len(s.app.received())
	s.deliver(delivery{body: `{"type":"DirectDeposit","msg":{"recordId":"` + record +
		`","referenceId":"mallory","coinId":1280,"status":"Success","isFlaggedAsRisky":false}}`}).wants(t, http.StatusOK)
	if calls := s.app.received()[n:]; len(calls) != 0 {
		t.Errorf("it was delivered: %v", calls[0].header)
	}
}
