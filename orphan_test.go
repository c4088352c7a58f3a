package ccpayment_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestRouteRemoved: a configuration that knows a route no more says at its start
// how many events wait there, and one that knows it again delivers them.
func TestRouteRemoved(t *testing.T) {
	const warning = "events of a route that is not configured wait"
	before := setup{global: adminOn, site: storedSite, app: status(http.StatusServiceUnavailable), webhook: "retry {\nfirst 20ms\n}"}
	s := start(t, before)
	for _, record := range []string{"r1", "r2"} {
		s.deliver(delivery{body: deposit(record, "Success")}).wants(t, http.StatusOK)
		s.awaitState("record_id="+record, "retrying")
	}
	s.load(before)
	if strings.Contains(s.logs(), warning) {
		t.Error("a warning of a route that is configured")
	}

	renamed := before
	renamed.webhook = "route renamed"
	s.load(renamed)
	await(t, "the warning", func() bool { return strings.Contains(s.logs(), warning) })
	for line := range strings.Lines(s.logs()) {
		if strings.Contains(line, warning) && !strings.Contains(line, `"route":"webhook","pending":2`) {
			t.Errorf("the warning is %s", line)
		}
	}

	s.app.answers(nil)
	s.load(before)
	s.awaitState("record_id=r1", "delivered")
	s.awaitState("record_id=r2", "delivered")
	s.load(renamed)
	if n := strings.Count(s.logs(), warning); n != 1 {
		t.Errorf("%d warnings, want the one while events waited", n)
	}
}
