package test

import (
	"strings"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/test/fault"
)

// TestAPIOutOfOrder: while CCPayment's API does not respond, or lies, nothing is
// delivered as money; once it is in order, each payment is, without a restart.
func TestAPIOutOfOrder(t *testing.T) {
	t.Parallel()
	for way, stores := range ways {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			s := newShop(t, stores)
			s.stop()
			s.config = strings.Replace(s.config, "base_url", "api_timeout 300ms\n\t\tbase_url", 1)
			s.start(s.config)
			for _, wrong := range fault.APIs {
				t.Run(wrong.Name, func(t *testing.T) {
					id := "order-" + strings.ReplaceAll(wrong.Name, " ", "-")
					s.order(id)
					s.lies.Store(&wrong.Answer)
					defer s.lies.Store(nil)
					before := len(s.Output.String())
					record := s.pay(id)
					processtest.Until(t, "the log says "+wrong.Says, func() bool {
						for line := range strings.Lines(s.Output.String()[before:]) {
							if strings.Contains(line, "an event cannot be confirmed now") && strings.Contains(line, wrong.Says) {
								return true
							}
						}
						return false
					})
					for _, c := range s.app.received() {
						if c.record == record {
							t.Errorf("%+v is handed over", c)
						}
					}
					// A Processing is answered 200 once the Success has overtaken it.
					for _, d := range s.box.Deliveries() {
						if d.RecordID == record && d.Status == "Success" && d.HTTPStatus != 0 && d.OK != stores {
							t.Errorf("its delivery is answered %d", d.HTTPStatus)
						}
					}
					s.lies.Store(nil)
					if calls := s.succeeded(record); len(calls) != 1 || !calls[0].fulfill {
						t.Errorf("then the app was called %+v", calls)
					}
				})
			}
			s.stop()
		})
	}
}
