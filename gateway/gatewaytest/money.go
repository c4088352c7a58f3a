package gatewaytest

import (
	"net/http"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// buyer is an order of a money case.
type buyer struct {
	*stand
	order ledger.GatewayOrder
	// refunds: the gateway sends back by itself what is too little in the end, or too late.
	refunds bool
}

// pays has the order paid in a way, delivers the webhooks, and returns the app's calls. Of
// a payment that failed, a webhook may tell what is not true any more.
func (b *buyer) pays(t *testing.T, way Way) (calls []http.Header) {
	t.Helper()
	list := b.pay(t, b.order, way)
	if way != Failed {
		return b.deliverAll(t, list)
	}
	for _, w := range list {
		_, called := b.deliver(t, w, http.StatusOK)
		calls = append(calls, called...)
	}
	return calls
}

// fulfils fails the test unless the payment fulfils the order, in this state.
func (b *buyer) fulfils(t *testing.T, way Way, state string) http.Header {
	t.Helper()
	flagged := fulfilled(t, string(way), b.pays(t, way), 1)
	if len(flagged) == 0 {
		return nil
	}
	if got := flagged[0].Get("Ccpayment-Order-State"); got != state {
		t.Errorf("%s: the order is %s, want %s", way, got, state)
	}
	return flagged[0]
}

// doesNot fails the test where a payment fulfils the order, and returns the last call.
func (b *buyer) doesNot(t *testing.T, way Way) http.Header {
	t.Helper()
	calls := b.pays(t, way)
	fulfilled(t, string(way), calls, 0)
	if len(calls) == 0 {
		return nil
	}
	return calls[len(calls)-1]
}

// isPart pays half of what is due.
func (b *buyer) isPart(t *testing.T) {
	t.Helper()
	call, state := b.doesNot(t, Half), "partial"
	if b.refunds {
		state = "processing"
	}
	if got := call.Get("Ccpayment-Order-State"); got != state {
		t.Errorf("half is paid, and the order is %q, want %s", got, state)
	}
}

// money: each way to pay an order has the outcome that docs/money.md says, as far as the
// sandbox knows it. A gateway that sends back what is too little in the end, or too late,
// has an order that is paid in part as processing, and no order is paid late.
func money(t *testing.T, s *stand) {
	s.shops(t)
	for _, test := range []struct {
		name string
		ways []Way
		run  func(t *testing.T, b *buyer)
	}{
		{"exact", nil, func(t *testing.T, b *buyer) { b.fulfils(t, Exact, "paid") }},
		{"split", []Way{Half, Rest}, func(t *testing.T, b *buyer) {
			b.isPart(t)
			b.fulfils(t, Rest, "paid")
		}},
		{"too little", []Way{Half}, func(t *testing.T, b *buyer) { b.isPart(t) }},
		{"too much", []Way{Over}, func(t *testing.T, b *buyer) { b.fulfils(t, Over, "overpaid") }},
		{"late", []Way{Late}, func(t *testing.T, b *buyer) {
			if b.refunds {
				b.doesNot(t, Late)
			} else if call := b.fulfils(t, Late, "paid"); call.Get("Ccpayment-Order-Late") != "true" {
				t.Errorf("the app does not learn that it is late: %v", call)
			}
		}},
		{"in the wrong coin", []Way{WrongCoin}, func(t *testing.T, b *buyer) {
			if call := b.doesNot(t, WrongCoin); call.Get("Ccpayment-Reason") != "wrong_coin" {
				t.Errorf("the app does not learn that the coin is wrong: %v", call)
			}
		}},
		{"risky", []Way{Risky}, func(t *testing.T, b *buyer) {
			if call := b.doesNot(t, Risky); call != nil {
				t.Errorf("it is delivered, and not held: %v", call)
			}
		}},
		{"failed", []Way{Failed}, func(t *testing.T, b *buyer) { b.doesNot(t, Failed) }},
		{"once more", []Way{Again}, func(t *testing.T, b *buyer) {
			b.fulfils(t, Exact, "paid")
			if call := b.doesNot(t, Again); call.Get("Ccpayment-Reason") != "already_fulfilled" {
				t.Errorf("the app does not learn that the order was fulfilled: %v", call)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, way := range test.ways {
				if !s.has(way) {
					t.Skipf("the sandbox knows no payment that is %q", way)
				}
			}
			order := s.buy(t)
			made := &order
			if s.sessions == nil {
				made = nil
			}
			read, err := s.account.Gateway.Order(t.Context(), order.ID, made)
			if err != nil {
				t.Fatalf("reading an order that was made: %v", err)
			}
			test.run(t, &buyer{stand: s, order: order, refunds: read.Due.Refunds})
		})
	}
}
