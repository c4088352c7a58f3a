package ccpayment_test

import (
	"net/http"
	"strings"
	"testing"
)

// says is an app that responds with a status and a text.
func says(code int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = w.Write([]byte(text))
	}
}

const noteDelivered = "events {\n on ccpayment_delivered test_notes\n }"

// TestCase12_SignAsksForTheWord: an app that verifies as CCPayment's receivers do also says
// no as they do, with a 200 and other words. It is not delivered then, in both modes.
func TestCase12_SignAsksForTheWord(t *testing.T) {
	const no = "<b>Error</b>: the order 4711 cannot be read just now, sorry"
	takeNotes(t, false)
	s := start(t, setup{global: noteDelivered, site: storedSite, webhook: "sign ccpayment\nretry {\nfirst 10ms\n}", app: says(http.StatusOK, no)})
	s.deliver(delivery{}).wants(t, http.StatusOK)
	await(t, "several attempts", func() bool { return len(s.app.received()) >= 3 })
	s.app.answers(says(http.StatusOK, `{"msg":"success"}`))
	await(t, "it is delivered", func() bool { return len(notesOf("ccpayment_delivered")) > 0 })
	logs := s.logs()
	if n := strings.Count(logs, "set `ack 2xx` if any 2xx of it is a yes"); n != 1 {
		t.Errorf("the default was warned about %d times", n)
	}
	if n := strings.Count(logs, `"response":"<b>Error</b>: the order 4711 cannot be r"`) +
		strings.Count(logs, `"response":"\u003cb\u003eError\u003c/b\u003e: the order 4711 cannot be r"`); n != 1 {
		t.Errorf("the first 40 bytes of the app's no stand there %d times", n)
	}
	if strings.Contains(logs, "just now, sorry") {
		t.Error("more of the app's response is logged")
	}

	s.load(setup{webhook: "sign ccpayment", app: nil})
	s.app.answers(says(http.StatusOK, no))
	s.deliverAgain(delivery{body: deposit("r2", "Success")}).wants(t, http.StatusBadGateway)
}

// TestWebPage: where any 2xx is a yes, a web page is one, too, and is warned of once; what
// only has elements in it is none.
func TestWebPage(t *testing.T) {
	for text, times := range map[string]int{
		"<!DOCTYPE html>\n<title>Shop</title>" + strings.Repeat("x", 1<<20): 1, "\n <html lang=en>": 1, "ok <b>stored</b>": 0, "": 0,
	} {
		s := start(t, setup{app: says(http.StatusOK, text)})
		s.deliver(delivery{}).wants(t, http.StatusOK)
		s.deliver(delivery{body: deposit("r2", "Success")}).wants(t, http.StatusOK)
		if n := strings.Count(s.logs(), "2xx is a web page, and counts as a yes"); n != times {
			t.Errorf("%.40q is warned of %d times", text, n)
		}
	}
	s := start(t, setup{webhook: "ack stored", app: says(http.StatusOK, "<html>stored</html>")})
	s.deliver(delivery{}).wants(t, http.StatusOK)
	if strings.Contains(s.logs(), "is a web page") {
		t.Error("a page with the word that `ack` asks for is warned of")
	}
}

// TestCase12_OwnWords: what `ack` says counts, also with `sign ccpayment`, and other
// signatures ask for no word.
func TestCase12_OwnWords(t *testing.T) {
	for _, test := range []struct {
		options, says string
		want          int
	}{
		{"sign ccpayment\nack 2xx", "error", http.StatusOK},
		{"sign ccpayment\nack taken", "taken", http.StatusOK},
		{"sign ccpayment\nack taken", "Success", http.StatusBadGateway},
		{"sign standard whsec_bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3", "thanks", http.StatusOK},
	} {
		s := start(t, setup{webhook: test.options, app: says(http.StatusOK, test.says)})
		s.deliver(delivery{}).wants(t, test.want)
		if strings.Contains(s.logs(), "acknowledges an event with a 2xx whose body has this word") {
			t.Errorf("%q: what is set is warned about", test.options)
		}
	}
}

// TestCase12_NothingSecretIsShown: an app that sends our request back shows nothing of
// what authorizes it.
func TestCase12_NothingSecretIsShown(t *testing.T) {
	for _, header := range []string{"Authorization", "Sign"} {
		s := start(t, setup{webhook: "sign ccpayment\ntoken t0ken-of-the-shop", app: func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(r.Header.Get(header)))
		}})
		s.deliver(delivery{}).wants(t, http.StatusBadGateway)
		sent := strings.TrimPrefix(s.app.wants(t, 1)[0].header.Get(header), "Bearer ")
		_, line, _ := strings.Cut(s.logs(), `"response":"`)
		if line, _, _ = strings.Cut(line, "\n"); !strings.HasPrefix(strings.TrimPrefix(line, "Bearer "), "REDACTED") || strings.Contains(line, sent[:8]) {
			t.Errorf("of %s is shown: %s", header, line)
		}
	}
}

// TestCase13_AckWord: the word counts in any case, alone or in JSON, and JSON that says
// no is a no.
func TestCase13_AckWord(t *testing.T) {
	for text, want := range map[string]int{
		"success":                               http.StatusOK,
		"SUCCESS":                               http.StatusOK,
		`{"success":true}`:                      http.StatusOK,
		`{"code":0,"msg":"success"}`:            http.StatusOK,
		"Unsuccessful":                          http.StatusBadGateway,
		`{"success":false}`:                     http.StatusBadGateway,
		`{"success":false,"msg":"no Success"}`:  http.StatusBadGateway,
		`{"status":"error","msg":"success"}`:    http.StatusBadGateway,
		`{"result":"failed","event":"Success"}`: http.StatusBadGateway,
	} {
		s := start(t, setup{webhook: "ack Success", app: says(http.StatusOK, text)})
		if got := s.deliver(delivery{}); got.status != want {
			t.Errorf("%s: %d, want %d", text, got.status, want)
		}
	}
}

// TestCase11_Frameworks: 422 is retried for an hour like any other 4xx, and 410 alone is
// dead at once. The cause says what a response mostly means.
func TestCase11_Frameworks(t *testing.T) {
	for code, hint := range map[int]string{
		http.StatusUnprocessableEntity: "CSRF token", 419: "CSRF token", http.StatusForbidden: "CSRF token",
		http.StatusBadRequest: "the app answered 400", http.StatusNotFound: "POST route",
	} {
		takeNotes(t, false)
		s := start(t, setup{global: noteDelivered, site: storedSite, webhook: "retry {\nfirst 10ms\n}", app: status(code)})
		s.deliver(delivery{}).wants(t, http.StatusOK)
		await(t, "several attempts", func() bool { return len(s.app.received()) >= 3 })
		if logs := s.logs(); strings.Contains(logs, "an event is dead") || !strings.Contains(logs, hint) {
			t.Errorf("%d is dead, or its cause lacks %q:\n%s", code, hint, logs)
		}
		s.app.answers(nil)
		await(t, "it is delivered", func() bool { return len(notesOf("ccpayment_delivered")) > 0 })
	}
	s := start(t, setup{site: storedSite, app: status(http.StatusGone)})
	s.deliver(delivery{}).wants(t, http.StatusOK)
	await(t, "410 is dead", func() bool { return strings.Contains(s.logs(), "an event is dead") })
	s.app.wants(t, 1)
}

// TestCase15_Redirects: the cause has the Location, without its query, and what to enter.
func TestCase15_Redirects(t *testing.T) {
	for _, test := range []struct {
		code           int
		location, want string
	}{
		{308, "/hook/", "the app answered 308 to /hook/: enter that path"},
		{301, "http://shop.example/hook/", "the app answered 301 to http://shop.example/hook/: enter that path"},
		{302, "/login?next=/hook&token=s3cret", "the app answered 302 to /login: enter that path, or except this one from the login"},
		{301, "https://shop.example/hook", "the app answered 301 to https://shop.example/hook: it wants https: set `header_up X-Forwarded-Proto https` in reverse_proxy"},
		{301, "http://www.shop.example/hook", "the app answered 301 to http://www.shop.example/hook: it wants this host: set `header_up Host www.shop.example` in reverse_proxy"},
		{308, "hook/", "the app answered 308 to /hook/: enter that path"},
		{302, "", "the app answered 302"},
	} {
		s := start(t, setup{app: func(w http.ResponseWriter, _ *http.Request) {
			if test.location != "" {
				w.Header().Set("Location", test.location)
			}
			w.WriteHeader(test.code)
		}})
		s.deliver(delivery{}).wants(t, http.StatusBadGateway)
		if logs := s.logs(); !strings.Contains(logs, `"error":"`+test.want+`"`) { // to its end: no query
			t.Errorf("%d to %q has not the cause %q:\n%s", test.code, test.location, test.want, logs)
		}
	}
}
