package ccpayment_test

import (
	"net/http"
	"testing"
)

// TestRetryBudget: what the app refuses on a pass-through route counts, with the time that
// CCPayment's own retries have left, until the app has taken it.
func TestRetryBudget(t *testing.T) {
	s := start(t, setup{global: adminOn, webhook: "route budget", app: status(http.StatusInternalServerError)})
	routes := func() (refused int, left *float64) {
		t.Helper()
		var status struct {
			Routes []struct {
				Refused int
				Left    *float64 `json:"retries_left_seconds"`
			}
		}
		s.ask(http.MethodGet, "status", "", http.StatusOK, &status)
		return status.Routes[0].Refused, status.Routes[0].Left
	}
	if refused, left := routes(); refused != 0 || left != nil {
		t.Errorf("at first %d are refused, with %v", refused, left)
	}
	s.deliver(delivery{body: deposit("r1", "Success")}).wants(t, http.StatusBadGateway)
	refused, left := routes()
	if refused != 1 || left == nil || *left > 1890 || *left < 1800 {
		t.Errorf("%d are refused, with %v", refused, left)
	}
	if got := s.scrape()[`caddy_ccpayment_retry_budget_seconds{route="budget"}`]; got < 1800 {
		t.Errorf("the metric is %v", got)
	}
	s.app.answers(nil)
	s.deliver(delivery{body: deposit("r1", "Success")}).wants(t, http.StatusOK)
	if refused, left := routes(); refused != 0 || left != nil {
		t.Errorf("then %d are refused, with %v", refused, left)
	}
}
