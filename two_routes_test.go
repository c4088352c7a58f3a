package ccpayment_test

import (
	"net/http"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// newTwoRoutes is a shop with two routes of one account, as where a notifyUrl
// says so, and two that fulfil no order. Its sandbox sends no webhooks: the test
// does.
func newTwoRoutes(t *testing.T) *shop {
	t.Helper()
	box, c, base := newSandbox(t, 1)
	return &shop{box: box, c: c, server: start(t, setup{account: "base_url " + base, site: `http://:$PORT {
		bind 127.0.0.1
		ccpayment_webhook /one {
			route one
		}
		ccpayment_webhook /two {
			route two
		}
		ccpayment_webhook /filtered {
			route filtered
			types UserDeposit
		}
		ccpayment_webhook /unasked {
			route unasked
			confirm off
		}
		reverse_proxy $APP
	}`})}
}

// tellsOn delivers the webhook of an order's payment to a route, and returns
// what the app got of it.
func (s *shop) tellsOn(path string, want int, recordID string) http.Header {
	s.t.Helper()
	before := len(s.app.received())
	s.deliver(delivery{path: path, body: `{"type":"ApiDeposit","msg":{"recordId":"` + recordID +
		`","orderId":"order-1","coinId":1280,"status":"Success","isFlaggedAsRisky":false}}`}).wants(s.t, want)
	if calls := s.app.received()[before:]; len(calls) > 0 {
		return calls[0].header
	}
	return nil
}

// TestPartsOnTwoRoutes: two payments that the app may have without Fulfill, each
// of its own route, do not leave it to each other: the first that comes again
// has it, and the other has not.
func TestPartsOnTwoRoutes(t *testing.T) {
	for _, paths := range [][2]string{{"/one", "/one"}, {"/one", "/two"}} {
		t.Run(paths[0]+paths[1], func(t *testing.T) {
			s := newTwoRoutes(t)
			s.order("order-1")
			s.app.answers(status(http.StatusInternalServerError))
			first := s.arrive(sandbox.Payment{OrderID: "order-1", Amount: decimal.New(5, 0)})
			wantMoney(t, "the first part", s.tellsOn(paths[0], http.StatusBadGateway, first),
				map[string]string{"Confirmed": "true", "Order-State": "partial", "Reason": "partial"})
			if err := s.box.SetRisky(first, true); err != nil {
				t.Fatal(err)
			}
			second := s.arrive(sandbox.Payment{OrderID: "order-1", Amount: decimal.New(5, 0)})
			wantMoney(t, "the second part", s.tellsOn(paths[1], http.StatusBadGateway, second),
				map[string]string{"Confirmed": "true", "Order-State": "review", "Reason": "review"})
			if err := s.box.SetRisky(first, false); err != nil {
				t.Fatal(err)
			}
			s.app.answers(nil)
			wantMoney(t, "the first part again", s.tellsOn(paths[0], http.StatusOK, first), paid)
			wantMoney(t, "the second part again", s.tellsOn(paths[1], http.StatusOK, second),
				map[string]string{"Confirmed": "true", "Order-State": "paid", "Reason": "already_fulfilled"})
		})
	}
}

// TestRestIsToCome: a part that the app may have leaves Fulfill to the rest as
// long as that has not been handed over on a route that confirms.
func TestRestIsToCome(t *testing.T) {
	for _, test := range []struct{ before, comes string }{
		{"", "/one"}, {"", "/two"}, {"/one", "/one"}, {"/two", "/two"}, // where the API does not answer at first
		{"/filtered", "/one"}, {"/unasked", "/one"},
	} {
		t.Run(test.before+test.comes, func(t *testing.T) {
			s := newTwoRoutes(t)
			s.order("order-1")
			s.app.answers(status(http.StatusInternalServerError))
			part := s.arrive(sandbox.Payment{OrderID: "order-1", Amount: decimal.New(5, 0)})
			s.tellsOn("/one", http.StatusBadGateway, part)
			s.app.answers(nil)
			rest := s.arrive(sandbox.Payment{OrderID: "order-1"})
			switch test.before {
			case "":
			case test.comes:
				if err := s.box.SetFaults(sandbox.Fault{Endpoint: "getAppOrderInfo", Code: 11003}); err != nil {
					t.Fatal(err)
				}
				s.tellsOn(test.before, http.StatusServiceUnavailable, rest)
				s.box.ClearFaults()
			default:
				s.tellsOn(test.before, http.StatusOK, rest)
			}
			wantMoney(t, "the part again", s.tellsOn("/one", http.StatusOK, part),
				map[string]string{"Confirmed": "true", "Order-State": "paid", "Reason": "partial"})
			wantMoney(t, "the rest", s.tellsOn(test.comes, http.StatusOK, rest), paid)
		})
	}
}
