package ccpayment_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// repricing is a shop that asks for the terms that were set last.
type repricing struct {
	*shop
	mu    sync.Mutex
	terms string
}

func newRepricing(t *testing.T, checkout string) *repricing {
	t.Helper()
	r := &repricing{}
	r.shop = checkoutShop(t, checkout, func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		terms := r.terms
		r.mu.Unlock()
		asks(terms)(w, req)
	})
	return r
}

// asksFor sets the terms and visits the checkout.
func (r *repricing) asksFor(terms string) visit {
	r.t.Helper()
	r.mu.Lock()
	r.terms = `{"order_id":"order-1",` + terms + `}`
	r.mu.Unlock()
	return r.visit(http.MethodPost, "/buy", "", nil)
}

// TestAnotherCurrency: payments for a price in another currency wait for an operator,
// however many there are.
func TestAnotherCurrency(t *testing.T) {
	for _, first := range []string{`"price":"1500","currency":"JPY"`, `"price":"30","currency":"TRX"`} {
		r := newRepricing(t, "")
		if v := r.asksFor(first); v.status != http.StatusCreated {
			t.Fatalf("%d %s", v.status, v.body)
		}
		if v := r.asksFor(`"price":"10","currency":"USD"`); v.status != http.StatusCreated {
			t.Fatalf("%d %s", v.status, v.body)
		}
		r.payAll("order-1")
		await(t, "somebody must look", func() bool { return r.orderState("order-1") == "review" })
		if got := fulfils(r.app.received()); len(got) != 0 {
			t.Errorf("%s: fulfilled by %v", first, got)
		}
		r.payAll(r.latestGeneration("order-1"))
		await(t, "it is paid", func() bool { return len(fulfils(r.app.received())) == 1 })
	}
}

// TestDearCoins: a price that cannot be computed back from a coin's amount is
// paid all the same.
func TestDearCoins(t *testing.T) {
	for _, price := range []string{`"1500","currency":"JPY"`, `"50000","currency":"BRL"`, `"15007","currency":"INR"`} {
		r := newRepricing(t, "")
		if v := r.asksFor(`"price":` + price + `,"coin":"BTC","chain":"BTC"`); v.status != http.StatusCreated {
			t.Fatalf("%d %s", v.status, v.body)
		}
		r.payAll("order-1")
		await(t, price+" is paid", func() bool { return len(fulfils(r.app.received())) == 1 })
	}
}

// TestAcceptedNeverFulfils: a payment that turns risky after its first attempt
// is held, and accepted, it does not fulfil.
func TestAcceptedNeverFulfils(t *testing.T) {
	s := storedShop(t, "retry {\nfirst 20ms\n}")
	s.app.answers(status(http.StatusInternalServerError))
	if err := kinds["order in coin"](s, "order-1"); err != nil {
		t.Fatal(err)
	}
	paid, err := s.box.Pay(t.Context(), sandbox.Payment{OrderID: "order-1", Instant: true, Wait: patience})
	if err != nil {
		t.Fatal(err)
	}
	await(t, "an attempt that fulfils", func() bool { return len(fulfils(s.app.received())) > 0 })
	if err := s.box.SetRisky(paid.RecordID, true); err != nil {
		t.Fatal(err)
	}
	id := s.awaitState("status=success", "held")
	before := len(s.app.received())
	s.app.answers(nil)
	s.ask(http.MethodPost, "events/"+id+"/release", `{"reason":"fine","accept":true}`, http.StatusOK, nil)
	s.awaitState("status=success", "delivered")
	got := s.app.received()[before:]
	if last := got[len(got)-1].header; last.Get("Ccpayment-Fulfill") != "" || last.Get("Ccpayment-Risky") != "true" {
		t.Errorf("the app got %v", last)
	}
}

// TestRepriced: an order of which more is paid than its new price is paid, and
// the app gets Fulfill.
func TestRepriced(t *testing.T) {
	for _, kind := range []string{"", `,"coin":"USDT","chain":"TRX"`} {
		r := newRepricing(t, "")
		r.asksFor(`"price":"100","currency":"USD"` + kind)
		if _, err := r.box.Pay(t.Context(), sandbox.Payment{OrderID: "order-1", Amount: r.half("order-1"), Instant: true, Wait: patience}); err != nil {
			t.Fatal(err)
		}
		await(t, "half is paid", func() bool { return r.orderState("order-1") == "partial" })
		if v := r.asksFor(`"price":"40","currency":"USD"` + kind); v.status != http.StatusConflict || v.answer.Error.Code != "paid" {
			t.Fatalf("%d %s", v.status, v.body)
		}
		await(t, "the app gets it", func() bool { return len(fulfils(r.app.received())) == 1 })
		await(t, "the order says so", func() bool { return r.orderState("order-1") == "overpaid" })
	}
}

// TestRepricedBesideOthers: Fulfill comes with a payment that counts, and not with a
// later one that is held or of another coin.
func TestRepricedBesideOthers(t *testing.T) {
	for name, other := range map[string]sandbox.Payment{
		"held":       {Amount: decimal.New(3, 0), Risky: true},
		"wrong coin": {Amount: decimal.New(3, 0), Coin: "TRX"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRepricing(t, "")
			r.asksFor(`"price":"100","currency":"USD","coin":"USDT","chain":"TRX"`)
			half := sandbox.Payment{OrderID: "order-1", Amount: r.half("order-1"), Instant: true, Wait: patience}
			if _, err := r.box.Pay(t.Context(), half); err != nil {
				t.Fatal(err)
			}
			await(t, "half is paid", func() bool { return r.orderState("order-1") == "partial" })
			other.OrderID, other.Instant, other.Wait = "order-1", true, patience
			if _, err := r.box.Pay(t.Context(), other); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				v := r.asksFor(`"price":"40","currency":"USD","coin":"USDT","chain":"TRX"`)
				if v.status != http.StatusConflict || v.answer.Error.Code != "paid" {
					t.Fatalf("%d %s", v.status, v.body)
				}
			}
			await(t, "the app gets it", func() bool { return len(fulfils(r.app.received())) == 1 })
		})
	}
}

// TestManyTerms: going to and fro between prices comes to an end.
func TestManyTerms(t *testing.T) {
	r := newRepricing(t, "")
	first := r.asksFor(`"price":"10","currency":"USD"`)
	r.asksFor(`"price":"20","currency":"USD"`)
	again := r.asksFor(`"price":"10","currency":"USD"`)
	if again.status != http.StatusOK || again.answer.CheckoutURL != first.answer.CheckoutURL {
		t.Errorf("the first terms again: %d %s", again.status, again.body)
	}
	for i := range 20 {
		v := r.asksFor(fmt.Sprintf(`"price":"%d","currency":"USD"`, 30+i))
		if v.status == http.StatusConflict && v.answer.Error.Code == "too_many_terms" {
			return
		}
	}
	t.Error("twenty prices made twenty orders")
}
