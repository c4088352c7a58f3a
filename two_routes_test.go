package ccpayment_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// twoRoutes is a shop with two routes of one account, as where a notifyUrl says
// so, and two that fulfil no order. Its sandbox sends no webhooks: the test does.
type twoRoutes struct {
	*shop
	base string // of the API
}

// newTwoRoutes starts the shop, which calls the API through the handler given, if any.
func newTwoRoutes(t *testing.T, through func(base *url.URL) http.Handler) *twoRoutes {
	t.Helper()
	box, c, base := newSandbox(t, 1)
	if through != nil {
		api, err := url.Parse(base)
		if err != nil {
			t.Fatal(err)
		}
		front := httptest.NewServer(through(&url.URL{Scheme: api.Scheme, Host: api.Host}))
		t.Cleanup(front.Close)
		base = front.URL + api.Path
	}
	s := &twoRoutes{shop: &shop{box: box, c: c}, base: base}
	s.server = start(t, s.setup(`
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
		}`))
	s.order("order-1")
	return s
}

func (s *twoRoutes) setup(routes string) setup {
	return setup{account: "base_url " + s.base, site: "http://:$PORT {\nbind 127.0.0.1\n" + routes + "\nreverse_proxy $APP\n}"}
}

// part makes half of the order's price arrive.
func (s *twoRoutes) part() (recordID string) {
	s.t.Helper()
	return s.arrive(sandbox.Payment{OrderID: "order-1", Amount: decimal.New(5, 0)})
}

// risky sets or clears CCPayment's flag of a payment.
func (s *twoRoutes) risky(recordID string, risky bool) {
	s.t.Helper()
	if err := s.box.SetRisky(recordID, risky); err != nil {
		s.t.Fatal(err)
	}
}

func toldOf(recordID string) string {
	return `{"type":"ApiDeposit","msg":{"recordId":"` + recordID +
		`","orderId":"order-1","coinId":1280,"status":"Success","isFlaggedAsRisky":false}}`
}

// notifyOn delivers the webhook of an order's payment to a route, and returns
// what the app got of it.
func (s *twoRoutes) notifyOn(path string, want int, recordID string) http.Header {
	s.t.Helper()
	before := len(s.app.received())
	s.deliver(delivery{path: path, body: toldOf(recordID)}).wants(s.t, want)
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
			s := newTwoRoutes(t, nil)
			s.app.answers(status(http.StatusInternalServerError))
			first := s.part()
			wantMoney(t, "the first part", s.notifyOn(paths[0], http.StatusBadGateway, first),
				map[string]string{"Confirmed": "true", "Order-State": "partial", "Reason": "partial"})
			s.risky(first, true)
			second := s.part()
			wantMoney(t, "the second part", s.notifyOn(paths[1], http.StatusBadGateway, second),
				map[string]string{"Confirmed": "true", "Order-State": "review", "Reason": "review"})
			s.risky(first, false)
			s.app.answers(nil)
			wantMoney(t, "the first part again", s.notifyOn(paths[0], http.StatusOK, first), paid)
			wantMoney(t, "the second part again", s.notifyOn(paths[1], http.StatusOK, second),
				map[string]string{"Confirmed": "true", "Order-State": "paid", "Reason": "already_fulfilled"})
		})
	}
}

// TestRestIsToCome: a part that the app may have leaves Fulfill to the rest as
// long as that is still to be delivered on a route that confirms, and to nobody
// else: a payment whose webhook came on a route that gives no Fulfill does not come on
// another.
func TestRestIsToCome(t *testing.T) {
	for _, test := range []struct {
		before, comes string
		isLeft        bool
	}{
		{"", "/one", true},
		{"", "/two", true},
		{"/one", "/one", true}, // where the API does not answer at first
		{"/two", "/two", true},
		{"/filtered", "/one", false},
		{"/unasked", "/one", false},
	} {
		t.Run(test.before+test.comes, func(t *testing.T) {
			s := newTwoRoutes(t, nil)
			s.app.answers(status(http.StatusInternalServerError))
			part := s.part()
			s.notifyOn("/one", http.StatusBadGateway, part)
			s.app.answers(nil)
			rest := s.arrive(sandbox.Payment{OrderID: "order-1"})
			switch test.before {
			case "":
			case test.comes:
				if err := s.box.SetFaults(sandbox.Fault{Endpoint: "getAppOrderInfo", Code: 11003}); err != nil {
					t.Fatal(err)
				}
				s.notifyOn(test.before, http.StatusServiceUnavailable, rest)
				s.box.ClearFaults()
			default:
				s.notifyOn(test.before, http.StatusOK, rest)
			}
			wantPart, wantRest := paid, map[string]string{"Confirmed": "true", "Order-State": "paid", "Reason": "already_fulfilled"}
			if test.isLeft {
				wantPart, wantRest = map[string]string{"Confirmed": "true", "Order-State": "paid", "Reason": "partial"}, paid
			}
			wantMoney(t, "the part again", s.notifyOn("/one", http.StatusOK, part), wantPart)
			wantMoney(t, "the rest", s.notifyOn(test.comes, http.StatusOK, rest), wantRest)
		})
	}
}

// TestPartOnAFormerRoute: nobody waits for a payment that was delivered without
// Fulfill on a route that is gone, or does not confirm any more.
func TestPartOnAFormerRoute(t *testing.T) {
	for name, after := range map[string]string{
		"removed": "",
		"renamed": "ccpayment_webhook /two {\nroute three\n}",
		"off":     "ccpayment_webhook /two {\nroute two\nconfirm off\n}",
	} {
		t.Run(name, func(t *testing.T) {
			s := newTwoRoutes(t, nil)
			s.app.answers(status(http.StatusInternalServerError))
			first := s.part()
			s.notifyOn("/one", http.StatusBadGateway, first)
			s.app.answers(nil)
			s.risky(first, true)
			second := s.part()
			wantMoney(t, "the second part", s.notifyOn("/two", http.StatusOK, second),
				map[string]string{"Confirmed": "true", "Order-State": "review", "Reason": "review"})
			s.risky(first, false)
			s.load(s.setup("ccpayment_webhook /one {\nroute one\n}\n" + after))
			wantMoney(t, "the first part again", s.notifyOn("/one", http.StatusOK, first), paid)
		})
	}
}

// TestPartsPassEachOther: the second part's view of the order is out of date when
// it goes out, and the first, which the app may have, looks for it at just that
// moment and leaves Fulfill to it. Then one of the two is to be delivered once more.
// Who is first is chance, so it is tried several times.
func TestPartsPassEachOther(t *testing.T) {
	for range 5 {
		for _, path := range []string{"/one", "/two"} {
			t.Run(path, func(t *testing.T) { passEachOther(t, path) })
		}
	}
}

func passEachOther(t *testing.T, path string) {
	var slow atomic.Bool
	read, asked := make(chan struct{}), make(chan struct{})
	var once sync.Once
	s := newTwoRoutes(t, func(api *url.URL) http.Handler {
		proxy := httputil.NewSingleHostReverseProxy(api)
		proxy.ModifyResponse = func(r *http.Response) error {
			switch {
			case strings.HasSuffix(r.Request.URL.Path, "/getAppOrderInfo") && slow.CompareAndSwap(true, false):
				close(read) // the order as it is now
				<-asked
			case strings.HasSuffix(r.Request.URL.Path, "/getAppDepositRecord"):
				select {
				case <-read: // the first part is about to ask for the order too
					once.Do(func() { close(asked) })
				default:
				}
			}
			return nil
		}
		return proxy
	})
	s.app.answers(status(http.StatusInternalServerError))
	first := s.part()
	s.notifyOn("/one", http.StatusBadGateway, first)
	s.app.answers(nil)
	s.risky(first, true)
	second := s.part()
	slow.Store(true)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.deliver(delivery{path: path, body: toldOf(second)}).wants(t, http.StatusOK)
	}()
	<-read
	s.risky(first, false)
	s.deliver(delivery{path: "/one", body: toldOf(first)}).wants(t, http.StatusOK)
	<-done
	// What is replayed in pass-through comes with CCPayment's next copy.
	s.deliver(delivery{path: "/one", body: toldOf(first)}).wants(t, http.StatusOK)
	s.deliver(delivery{path: path, body: toldOf(second)}).wants(t, http.StatusOK)
	fulfilled := 0
	for _, call := range s.app.received() {
		if call.header.Get("Ccpayment-Fulfill") != "" {
			fulfilled++
		}
	}
	if fulfilled != 1 {
		t.Errorf("the app is told to fulfil %d times", fulfilled)
	}
}
