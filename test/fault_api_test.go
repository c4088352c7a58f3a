package test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
)

// says answers with a text, whatever was asked.
func says(text string) lie {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

// wrongAPI are ways in which CCPayment's API can be out of order, and what the
// log says of each. (Answers that contradict the webhook are tested with the
// handler: such an event is held for a person.)
var wrongAPI = []struct {
	name string
	lie  lie
	says string
}{
	{"down", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
	{"slow", func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then is the caller's leaving noticed
		<-r.Context().Done()
	}, "context deadline exceeded"},
	{"HTML", says("<html>We will be back soon</html>"), "the answer is not CCPayment's"},
	{"half an answer", says(`{"code":10000,"msg":"Success","data":{"record":`), "the answer is not CCPayment's"},
	{"an answer without data", says(`{"code":10000,"msg":"Success"}`), "asking CCPayment for the record"},
	{"an answer without end", func(w http.ResponseWriter, _ *http.Request) {
		for err := error(nil); err == nil; {
			_, err = w.Write(make([]byte, 64<<10))
		}
	}, "the answer is longer than"},
}

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
			for _, wrong := range wrongAPI {
				t.Run(wrong.name, func(t *testing.T) {
					id := "order-" + strings.ReplaceAll(wrong.name, " ", "-")
					s.order(id)
					s.lies.Store(&wrong.lie)
					defer s.lies.Store(nil)
					before := len(s.Output.String())
					record := s.pay(id)
					processtest.Until(t, "the log says "+wrong.says, func() bool {
						for line := range strings.Lines(s.Output.String()[before:]) {
							if strings.Contains(line, "an event cannot be confirmed now") && strings.Contains(line, wrong.says) {
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
