package ccpayment_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

const storedSite = `http://:$PORT {
	bind 127.0.0.1
	ccpayment_webhook /hook $APP {
		confirm off
		$WEBHOOK
	}
	respond 404
}`

func awaitCalls(t *testing.T, s *server, n int) []received {
	t.Helper()
	await(t, fmt.Sprintf("%d calls of the app", n), func() bool { return len(s.app.received()) >= n })
	return s.app.wants(t, n)
}

// TestStoreAndForward: the event is acknowledged, and handed over in the
// background as it came in.
func TestStoreAndForward(t *testing.T) {
	s := start(t, setup{site: storedSite, webhook: "token t0ken"})
	d := delivery{path: "/hook?from=ccpayment", header: http.Header{"X-Sneaky": {"1"}, "Ccpayment-Fulfill": {"true"}}}
	s.deliver(d).wants(t, http.StatusOK)
	got := awaitCalls(t, s, 1)[0]
	if got.method != http.MethodPost || got.uri != "/hook?from=ccpayment" || got.host != s.addr || got.body != d.withDefaults().body {
		t.Errorf("the app got %+v", got)
	}
	for name, want := range map[string]string{
		"Authorization": "Bearer t0ken", "Ccpayment-Attempt": "1", "Ccpayment-Attempt-Reason": "initial",
		"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http", "X-Forwarded-Host": s.addr, "X-Sneaky": "", "Ccpayment-Fulfill": "",
	} {
		if got.header.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, got.header.Get(name), want)
		}
	}
	s.deliverAgain(d).wants(t, http.StatusOK)
	s.app.wants(t, 1)
}

// TestAppDown: what the app refuses comes again, and CCPayment need not know.
func TestAppDown(t *testing.T) {
	for name, no := range map[string]http.HandlerFunc{
		"500": status(http.StatusInternalServerError),
		"302": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login", http.StatusFound) },
		"404": status(http.StatusNotFound),
		"429": status(http.StatusTooManyRequests),
		"dies in the middle": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("half"))
			panic(http.ErrAbortHandler)
		},
		"hangs up": func(w http.ResponseWriter, _ *http.Request) {
			if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
				_ = conn.Close()
			}
		},
		"is slow":              func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"says the wrong thing": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("sorry")) },
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, setup{site: storedSite, app: no, webhook: "ack taken\ntimeout 200ms\nretry {\nfirst 20ms\n}"})
			s.deliver(delivery{}).wants(t, http.StatusOK)
			await(t, "two attempts", func() bool { return len(s.app.received()) >= 2 })
			taken := make(chan http.Header, 100)
			s.app.answers(func(w http.ResponseWriter, r *http.Request) {
				_, _ = w.Write([]byte("taken"))
				taken <- r.Header
			})
			if got := <-taken; got.Get("Ccpayment-Attempt-Reason") != "retry" {
				t.Errorf("the app got %v", got)
			}
		})
	}
}

// TestReloadHandsOn: the routes of a new configuration take over what the old
// one has not handed over; one that fails changes nothing.
func TestReloadHandsOn(t *testing.T) {
	usual := setup{site: storedSite, app: status(http.StatusInternalServerError), webhook: "retry {\nfirst 20ms\n}"}
	s := start(t, usual)
	s.deliver(delivery{}).wants(t, http.StatusOK)
	await(t, "an attempt", func() bool { return len(s.app.received()) >= 1 })
	s.load(setup{site: storedSite, webhook: "token new\nretry {\nfirst 20ms\n}"})
	s.app.answers(nil)
	await(t, "the new token", func() bool {
		all := s.app.received()
		return all[len(all)-1].header.Get("Authorization") == "Bearer new"
	})
	calls := len(s.app.received())
	s.deliverAgain(delivery{timestamp: fmt.Sprint(time.Now().Unix())}).wants(t, http.StatusOK)
	s.app.wants(t, calls)
}

// TestPanicInDeliver: a handler's panic costs one attempt, and not the process.
func TestPanicInDeliver(t *testing.T) {
	s := start(t, setup{site: `http://:$PORT {
		bind 127.0.0.1
		ccpayment_webhook /hook {
			confirm off
			deliver {
				route {
					test_panic
					reverse_proxy $APP
				}
			}
			retry {
				first 20ms
			}
		}
	}`})
	setPanicking(true)
	s.deliver(delivery{}).wants(t, http.StatusOK)
	await(t, "the panic", func() bool { return strings.Contains(s.logs(), "handing over panicked") })
	s.app.wants(t, 0)
	setPanicking(false)
	got := awaitCalls(t, s, 1)[0].header
	if got.Get("Ccpayment-Attempt") == "1" || got.Get("Ccpayment-Attempt-Reason") != "retry" {
		t.Errorf("it is attempt %s, %s", got.Get("Ccpayment-Attempt"), got.Get("Ccpayment-Attempt-Reason"))
	}
}
