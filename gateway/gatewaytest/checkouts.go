package gatewaytest

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/checkout"
)

// oneCheckout: whoever asks for an order's checkout, and however many at once, gets the
// same page, and the gateway makes one order. When it is paid there is none.
func oneCheckout(t *testing.T, s *stand) {
	s.checksOut(t)
	if s.Made == nil {
		t.Fatal("nothing says which calls make orders")
	}
	ask := s.ask()
	var all sync.WaitGroup
	var mu sync.Mutex
	pages, news := make(map[string]bool), 0
	for range 20 {
		all.Go(func() {
			session, err := s.sessions.Open(t.Context(), ask)
			if err != nil {
				t.Errorf("opening the checkout: %v", err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if pages[session.CheckoutURL] = true; session.IsNew {
				news++
			}
		})
	}
	all.Wait()
	session, err := s.sessions.Open(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	if pages[session.CheckoutURL] = true; len(pages) != 1 || news != 1 || session.IsNew || s.front.count() != 1 {
		t.Errorf("there are %d pages, %d of them new, and %d orders at the gateway; want one of each", len(pages), news, s.front.count())
	}
	if err := s.isSafe(session.CheckoutURL); err != nil {
		t.Errorf("buyers are not sent to the sandbox's page: %v", err)
	}
	fulfilled(t, "the order", s.deliverAll(t, s.pay(t, session.GatewayOrder, Exact)), 1)
	var refused *checkout.Error
	if _, err := s.sessions.Open(t.Context(), ask); !errors.As(err, &refused) || refused.Code != "paid" {
		t.Errorf("asked for a paid order's checkout: %v, want that it is paid", err)
	}
}

// isSafe returns an error unless buyers are sent to a page.
func (s *stand) isSafe(page string) error {
	return checkout.CheckHost(page, s.account.Info.PageHosts, s.account.Info.Title)
}

// lostAnswer: an order whose making was not answered is found again, and not made twice.
func lostAnswer(t *testing.T, s *stand) {
	s.retried(t, func(_ http.ResponseWriter, perform func() *httptest.ResponseRecorder) {
		perform()
		cut()
	})
}

// lostCall: an order whose making did not reach the gateway is made when it is asked for
// again, once nothing is in doubt any more.
func lostCall(t *testing.T, s *stand) {
	s.retried(t, func(http.ResponseWriter, func() *httptest.ResponseRecorder) { cut() })
}

// retried has one call lost that makes an order, asks until there is one, and pays it.
func (s *stand) retried(t *testing.T, loses func(http.ResponseWriter, func() *httptest.ResponseRecorder)) {
	t.Helper()
	s.checksOut(t)
	s.buy(t) // from which the front learns which calls make orders
	before := s.front.count()
	lost := new(counter)
	s.front.meddles(func(w http.ResponseWriter, r *http.Request, perform func() *httptest.ResponseRecorder) {
		if s.front.isMaking(r) && lost.count() == 0 {
			lost.add()
			loses(w, perform)
		}
		write(w, perform(), nil)
	})
	defer s.front.meddles(nil)
	ask := s.ask()
	const most = 4
	for try := 1; ; try++ {
		session, err := s.sessions.Open(t.Context(), ask)
		var refused *checkout.Error
		switch {
		case err == nil:
			if made := s.front.count() - before; made != 1 || lost.count() != 1 {
				t.Errorf("%d orders were made, and %d calls lost; want one of each", made, lost.count())
			}
			fulfilled(t, "the order", s.deliverAll(t, s.pay(t, session.GatewayOrder, Exact)), 1)
			return
		case !errors.As(err, &refused) || refused.Status != http.StatusGatewayTimeout && refused.Status != http.StatusServiceUnavailable:
			t.Fatalf("try %d: %v, want an error that asks for another try", try, err)
		case try == most:
			t.Fatalf("try %d: %v", try, err)
		}
		s.advance(time.Minute + 5*time.Second)
	}
}

// foreignPage: buyers are sent to the gateway's own pages, and not to any that its API
// names.
func foreignPage(t *testing.T, s *stand) {
	s.checksOut(t)
	session, err := s.sessions.Open(t.Context(), s.ask())
	if err != nil {
		t.Fatal(err)
	}
	page, err := url.Parse(session.CheckoutURL)
	if err != nil {
		t.Fatal(err)
	}
	own := page.Scheme + "://" + page.Host
	usual := strings.TrimPrefix(s.account.Info.PageHosts[0], ".")
	labels := strings.Split(usual, ".")
	domain := strings.Join(labels[max(0, len(labels)-2):], ".")
	for what, other := range map[string]string{
		"another host":       "https://evil.example",
		"a subdomain's name": "https://" + usual + ".evil.example",
		"an end alike":       "https://evil" + domain,
		"a host as a user":   "https://" + page.Host + "@evil.example",
		"a user":             "https://jane:secret@" + usual,
		"without TLS":        "http://evil.example",
		"a script":           "javascript:alert(1)//",
		"a back slash":       `https://evil.example\\@` + page.Host,
	} {
		altered := new(counter)
		s.front.meddles(altering(func(_ *http.Request, answer []byte) []byte {
			return []byte(strings.ReplaceAll(string(answer), own, other))
		}, altered))
		session, err := s.sessions.Open(t.Context(), s.ask())
		switch {
		case altered.count() == 0:
			t.Errorf("%s: no answer was altered: none names %s", what, own)
		case err != nil:
			t.Errorf("%s: opening the checkout: %v", what, err)
		case s.isSafe(session.CheckoutURL) == nil && !strings.HasPrefix(session.CheckoutURL, own+"/"):
			t.Errorf("%s: buyers are sent to %s", what, session.CheckoutURL)
		}
	}
	s.front.meddles(nil)
}
