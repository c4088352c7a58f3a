package ccpayment_test

import (
	"net/http"
	"strings"
	"testing"
)

// answered is what the admin endpoint has of an event's attempts.
type answered struct {
	Sent *struct {
		Method, URL string
		Headers     map[string]string
	}
	Answers []struct {
		Attempt, Status int
		Location, Body  string
		Cut             bool
	}
}

// TestConsoleAnswers: each attempt keeps what the app answered, without what authorizes us,
// and the page and the admin endpoint show it with what was sent.
func TestConsoleAnswers(t *testing.T) {
	const token = "t0ken-of-the-shop"
	options := "confirm off\ntoken " + token + "\nsign ccpayment\nack 2xx\n"
	for name, site := range map[string]string{
		"stored": strings.Replace(consoleSite, "$WEBHOOK", options+"retry {\nfirst 10ms\n}", 1),
		"passed": strings.NewReplacer("/hook $APP {", "/hook {", "$WEBHOOK", options, "	respond 404", "	reverse_proxy /hook $APP").Replace(consoleSite),
	} {
		t.Run(name, func(t *testing.T) {
			s := consoleShop{&shop{server: start(t, setup{
				global: adminOn, site: site,
				app: func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Set-Cookie", "session=s3cret")
					switch r.Header.Get("Ccpayment-Attempt") {
					case "1":
						w.WriteHeader(http.StatusInternalServerError)
						_, _ = w.Write([]byte("<script>alert(1)</script> eve@example.com " + r.Header.Get("Authorization") + " " + r.Header.Get("Sign") + "\x1b[2J"))
					case "2":
						w.Header().Set("Location", "/login?next=s3cret")
						w.WriteHeader(http.StatusFound)
					default:
						_, _ = w.Write([]byte("thank you, " + strings.Repeat("x", 3<<10)))
					}
				},
			})}}
			for range 3 { // in store-and-forward the others are copies
				if _, err := s.tryDeliver(delivery{}); err != nil {
					t.Fatal(err)
				}
			}
			id := s.awaitState("", "delivered")
			var got answered
			s.ask(http.MethodGet, "events/"+id, "", http.StatusOK, &got)
			if len(got.Answers) != 3 || got.Answers[0].Status != 500 || got.Answers[1].Status != 302 || got.Answers[2].Status != 200 {
				t.Fatalf("the answers are %+v", got.Answers)
			}
			first, last := got.Answers[0], got.Answers[2]
			if want := "<script>alert(1)</script> eve@example.com Bearer REDACTED REDACTED\ufffd[2J"; first.Body != want || first.Cut {
				t.Errorf("the first answer is %q, want %q", first.Body, want)
			}
			if got.Answers[1].Location != "/login" || len(last.Body) != 2<<10 || !last.Cut {
				t.Errorf("the answers are %+v", got.Answers)
			}
			if h := got.Sent.Headers; got.Sent.Method != http.MethodPost || !strings.HasSuffix(got.Sent.URL, "/hook") || h["Idempotency-Key"] != id || h["Ccpayment-Attempt"] != "3" ||
				h["Ccpayment-Attempt-Reason"] != "retry" || h["Ccpayment-Type"] != "ApiDeposit" || h["Authorization"]+h["Sign"] != "" {
				t.Errorf("sent was %+v", got.Sent)
			}
			calls := s.app.received()
			for name, value := range got.Sent.Headers {
				if is := calls[len(calls)-1].header.Get(name); is != value {
					t.Errorf("%s is said to be %q, and was %q", name, value, is)
				}
			}
			page := s.view("/alice/event?id="+id, "The app answered 500", "&lt;script&gt;alert(1)", "REDACTED", "The app answered 302", "<code>/login</code>",
				"The app answered 200", "There was more", "Ccpayment-Attempt-Reason", "What was sent")
			for _, hidden := range []string{token, "s3cret", "eve@example.com", "<script>alert", calls[0].header.Get("Sign")} {
				if strings.Contains(page, hidden) {
					t.Errorf("the page has %s", hidden)
				}
			}
		})
	}
}

// TestConsolePlainYes: an app that only says yes costs the ledger nothing.
func TestConsolePlainYes(t *testing.T) {
	s := consoleShop{&shop{server: start(t, setup{
		global: adminOn, site: strings.Replace(consoleSite, "$WEBHOOK", "confirm off", 1), app: says(http.StatusOK, "OK"),
	})}}
	s.deliver(delivery{}).wants(t, http.StatusOK)
	id := s.awaitState("", "delivered")
	var got answered
	if s.ask(http.MethodGet, "events/"+id, "", http.StatusOK, &got); len(got.Answers) != 0 {
		t.Errorf("the answers are %+v", got.Answers)
	}
	s.view("/alice/event?id="+id, "with a plain yes")
}
