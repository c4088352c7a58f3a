package gatewaytest

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// ahead: where the API knows more than the webhook, the event keeps its own status and
// fulfils nothing before its turn.
func ahead(t *testing.T, s *stand) {
	_, list := s.paid(t)
	opens := 0
	for _, w := range list {
		isOpen := s.account.Info.Confirms(w.notice.Type) && s.account.Info.Stage(w.notice.Status) == gateway.Open
		if !isOpen {
			continue
		}
		opens++
		for _, call := range s.deliverAll(t, []webhook{w}) {
			if call.Get("Ccpayment-Status") != w.notice.Status || call.Get("Ccpayment-Fulfill") != "" || call.Get("Ccpayment-Confirmed") != "true" {
				t.Errorf("the API is ahead of %s, and the app gets %v", w.notice.Status, call)
			}
		}
	}
	if opens == 0 {
		t.Error("no webhook came before that of the success")
	}
	fulfilled(t, "the success", s.deliverAll(t, list), 1)
}

// behind: where the API is level with a payment under way it confirms that, and no more;
// the webhook of the success waits until the API is there.
func behind(t *testing.T, s *stand) {
	s.shops(t)
	if len(s.Features.Behind) == 0 {
		t.Error("nothing says how the API is behind")
	}
	for what, alter := range s.Features.Behind {
		t.Run(what, func(t *testing.T) {
			_, list := s.paid(t)
			altered := new(counter)
			s.front.meddles(altering(alter, altered))
			defer s.front.meddles(nil)
			for _, w := range list {
				status, calls := s.deliver(t, w, http.StatusOK)
				if isSuccess := s.isSuccess(w); isSuccess && (status != http.StatusServiceUnavailable || len(calls) > 0) {
					t.Errorf("the API is behind: %s got %d, and the app %v", w.notice.Status, status, calls)
				} else if !isSuccess && status != http.StatusOK {
					t.Errorf("the API is level with %s, which got %d", w.notice.Status, status)
				}
				fulfilled(t, "while the API is behind", calls, 0)
			}
			if altered.count() == 0 {
				t.Error("no answer was altered")
			}
			s.front.meddles(nil)
			fulfilled(t, "when the API has caught up", s.deliverAll(t, list), 1)
		})
	}
}

// troubles are ways in which an API answers nothing that can be used.
var troubles = map[string]meddler{
	"no answer":        func(http.ResponseWriter, *http.Request, func() *httptest.ResponseRecorder) { cut() },
	"HTTP 500":         says(http.StatusInternalServerError, "oops"),
	"HTTP 502, a page": says(http.StatusBadGateway, "<html>bad gateway</html>"),
	"HTTP 401":         says(http.StatusUnauthorized, `{}`),
	"HTTP 429":         says(http.StatusTooManyRequests, `{}`),
	"a page":           says(http.StatusOK, "<html>maintenance</html>"),
	"nothing":          says(http.StatusOK, ""),
	"null":             says(http.StatusOK, "null"),
	"an empty object":  says(http.StatusOK, "{}"),
	"an empty list":    says(http.StatusOK, "[]"),
	"half an answer": func(w http.ResponseWriter, _ *http.Request, perform func() *httptest.ResponseRecorder) {
		answer := perform()
		write(w, answer, answer.Body.Bytes()[:answer.Body.Len()/2])
	},
	"a redirect": func(w http.ResponseWriter, r *http.Request, _ func() *httptest.ResponseRecorder) {
		http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusTemporaryRedirect)
	},
}

func says(status int, body string) meddler {
	return func(w http.ResponseWriter, _ *http.Request, _ func() *httptest.ResponseRecorder) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// down: while the API cannot be asked, or answers nonsense, nothing is delivered and
// nothing acknowledged. Afterwards it is as if nothing had been.
func down(t *testing.T, s *stand) {
	s.shops(t)
	for what, trouble := range troubles {
		t.Run(what, func(t *testing.T) {
			_, list := s.paid(t)
			last := list[len(list)-1]
			s.front.meddles(trouble)
			defer s.front.meddles(nil)
			if status, calls := s.deliver(t, last, http.StatusOK); status != http.StatusServiceUnavailable || len(calls) > 0 {
				t.Errorf("the webhook got %d, want 503, and the app %v", status, calls)
			}
			s.front.meddles(nil)
			fulfilled(t, "afterwards", s.deliverAll(t, list), 1)
		})
	}
}

// lying: an API that contradicts the webhook, or what the checkout has asked for, has the
// event held for an operator, and no copy of it is delivered.
func lying(t *testing.T, s *stand) {
	s.shops(t)
	if len(s.Lies) == 0 {
		t.Error("nothing says how the API may lie")
	}
	for what, lie := range s.Lies {
		t.Run(what, func(t *testing.T) {
			order, list := s.paid(t)
			last := list[len(list)-1]
			altered := new(counter)
			s.front.meddles(altering(lie, altered))
			defer s.front.meddles(nil)
			if status, calls := s.deliver(t, last, http.StatusOK); status != http.StatusOK || len(calls) > 0 {
				t.Errorf("the webhook got %d, want 200, and the app %v", status, calls)
			}
			if altered.count() == 0 {
				t.Error("no answer was altered")
			}
			s.front.meddles(nil)
			if calls := s.deliverAll(t, s.repeats(t, order.ID, last, 2)); len(calls) > 0 {
				t.Errorf("a copy of a held event was delivered: %v", calls)
			}
			page, err := s.store.List(t.Context(), ledger.Query{State: ledger.Held, RecordID: last.notice.RecordID, Limit: 10})
			if err != nil || len(page.Events) != 1 {
				t.Errorf("held are %d events, %v", len(page.Events), err)
			}
		})
	}
}
