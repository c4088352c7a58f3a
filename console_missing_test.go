package ccpayment_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// TestConsoleMissing: the page has what the gateway has and the app was not told of, and
// somebody who may change things has it looked for at once.
func TestConsoleMissing(t *testing.T) {
	site := strings.Replace(closeSite, "/hook $APP", "/hook", 1) // where nobody can be told
	s := newLossy(t, site, "every off\ngrace 1ms", nil)
	c := consoleShop{s.shop}
	c.view("/alice/missing", "0 missing since", "never yet", "Look now")
	s.lose()
	record := s.sell("order-1")
	look := func(what string) {
		t.Helper()
		await(t, "the page has "+what, func() bool {
			if got := c.post("/alice/missing"); got.status != http.StatusSeeOther && got.status != http.StatusConflict {
				t.Errorf("looking: %d %s", got.status, got.body)
			}
			return strings.Contains(c.view("/rita/missing"), what)
		})
	}
	look("1 missing since")
	c.view("/alice/missing", record, "it was asked for once more", "order-1")
	c.view("/alice/", "1 missing</a>: the gateways have a record")
	if got := c.post("/rita/missing"); got.status != http.StatusForbidden {
		t.Errorf("a reader looks: %d", got.status)
	}
	if strings.Contains(c.view("/rita/missing"), "Look now") {
		t.Error("a reader gets the button")
	}
	if !strings.Contains(s.logs(), `"msg":"an operator has the gateways' records looked at","user":"alice"`) {
		t.Error("the log does not say who looked")
	}
	s.box.ClearFaults()
	look("0 missing since")
	s.wantFulfilled(1)

	s.lose()
	record = s.sell("order-2")
	look("1 missing since")
	if got := c.post("/rita/dismiss", "record_id", record, "reason", "by hand"); got.status != http.StatusForbidden {
		t.Errorf("a reader dismisses: %d", got.status)
	}
	if got := c.post("/alice/dismiss", "record_id", record); got.status != http.StatusBadRequest {
		t.Errorf("without a reason: %d %s", got.status, got.body)
	}
	await(t, "it is dismissed", func() bool { // once no look is at work
		return c.post("/alice/dismiss", "record_id", record, "reason", "by hand").status == http.StatusSeeOther
	})
	c.view("/alice/missing", "0 missing since")
	if got := c.post("/alice/dismiss", "record_id", record, "reason", "by hand"); got.status != http.StatusNotFound {
		t.Errorf("dismissing it again: %d %s", got.status, got.body)
	}
	look("0 missing since")
	s.wantFulfilled(1)
}

// TestConsoleMissingInTrouble: a look that the gateway cuts off says so.
func TestConsoleMissingInTrouble(t *testing.T) {
	const page = "	ccpayment_checkout\n	handle_path /alice/* {\n		ccpayment_console {\n			user alice\n		}\n	}\n"
	s := newLossy(t, strings.Replace(lossySite, "	ccpayment_checkout\n", page, 1), "every off\ngrace 1ms", nil)
	c := consoleShop{s.shop}
	if err := s.box.SetFaults(sandbox.Fault{Endpoint: "getAppDepositRecordList", HTTPStatus: http.StatusInternalServerError, Times: -1}); err != nil {
		t.Fatal(err)
	}
	await(t, "the page says that it broke off", func() bool {
		c.post("/alice/missing")
		return strings.Contains(c.view("/alice/missing"), "The last look broke off")
	})
}
