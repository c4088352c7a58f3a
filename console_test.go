package ccpayment_test

import (
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// consoleSite has the page under several prefixes: for alice and bob, for rita who may
// only look, for nobody, and for whoever basic_auth knows (ops, with the password ops).
const consoleSite = `http://:$PORT {
	bind 127.0.0.1
	ccpayment_webhook /hook $APP {
		$WEBHOOK
	}
	handle_path /alice/* {
		ccpayment_console {
			user alice
		}
	}
	handle /shop/bob/* {
		ccpayment_console {
			user bob
		}
	}
	handle_path /rita/* {
		ccpayment_console {
			user rita
			access read
		}
	}
	handle_path /nobody/* {
		ccpayment_console
	}
	handle_path /somebody/* {
		ccpayment_console {
			user "cert:{http.request.tls.client.serial}"
		}
	}
	handle_path /guarded* {
		basic_auth {
			ops $2a$04$sybOKfGZW4t4GYeXvpl53.JOxEmiYMjb0R1.ObZtfLOpFZdxjaw16
		}
		ccpayment_console
	}
	respond 404
}`

// consoleShop is a shop with the page.
type consoleShop struct{ *shop }

func newConsole(t *testing.T, webhook string) consoleShop {
	t.Helper()
	box, c, base := newSandbox(t, 1)
	s := &shop{box: box, c: c}
	s.server = start(t, setup{global: adminOn, account: "base_url " + base, site: consoleSite, webhook: webhook})
	if err := box.SetWebhookURL("http://" + s.addr + "/hook"); err != nil {
		t.Fatal(err)
	}
	return consoleShop{s}
}

// browse makes a request of the page, with more headers, given as names and values.
func (s consoleShop) browse(method, path, body string, headers ...string) reply {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, "http://"+s.addr+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	client := *s.client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return reply{response.StatusCode, response.Header, string(text)}
}

// view gets a page that is to be answered with 200 and have the texts.
func (s consoleShop) view(path string, wants ...string) string {
	s.t.Helper()
	got := s.browse(http.MethodGet, path, "")
	if got.status != http.StatusOK {
		s.t.Fatalf("%s: %d %s", path, got.status, got.body)
	}
	for _, want := range wants {
		if !strings.Contains(got.body, want) {
			s.t.Errorf("%s lacks %q", path, want)
		}
	}
	return got.body
}

// ours is what a browser adds to a form of the page.
var ours = []string{"Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin"}

// post sends a form of the page, given as names and values.
func (s consoleShop) post(path string, fields ...string) reply {
	s.t.Helper()
	return s.browse(http.MethodPost, path, form(fields...), ours...)
}

func form(fields ...string) string {
	values := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		values.Set(fields[i], fields[i+1])
	}
	return values.Encode()
}

var everyConsolePage = []string{"", "events", "held", "missing", "many", "export", "order"}

// TestConsoleUnderAnyPrefix: each page is served where the directive is, whether the prefix
// is stripped or not, and its links stay there.
func TestConsoleUnderAnyPrefix(t *testing.T) {
	s := newConsole(t, "")
	for _, prefix := range []string{"/alice/", "/shop/bob/"} {
		for _, view := range everyConsolePage {
			body := s.view(prefix + view)
			for _, to := range regexp.MustCompile(`(?:href|src|action)="([^"]*)"`).FindAllStringSubmatch(body, -1) {
				if to[1] == "data:," || to[1] == "#main" {
					continue
				}
				if !strings.HasPrefix(to[1], "./") {
					t.Errorf("%s%s leads to %s", prefix, view, to[1])
				} else if got := s.browse(http.MethodGet, prefix+strings.TrimPrefix(html.UnescapeString(to[1]), "./"), ""); got.status != http.StatusOK {
					t.Errorf("%s of %s%s: %d", to[1], prefix, view, got.status)
				}
			}
		}
	}
	if got := s.browse(http.MethodGet, "/guarded", "", "Authorization", "Basic b3BzOm9wcw=="); got.status != http.StatusPermanentRedirect || got.header.Get("Location") != "./guarded/" {
		t.Errorf("without a slash: %d to %q", got.status, got.header.Get("Location"))
	}
	for _, path := range []string{"/alice/nothing", "/alice/events/..%2f..%2fetc", "/alice/templates/now.html", "/alice/console.go", "/shop/bob/Events"} {
		if got := s.browse(http.MethodGet, path, ""); got.status != http.StatusNotFound {
			t.Errorf("%s: %d", path, got.status)
		}
	}
}

const consolePolicy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// TestConsoleIsGuarded: without a user there is nothing, and every answer keeps the
// browser from framing, caching and running what is not ours.
func TestConsoleIsGuarded(t *testing.T) {
	s := newConsole(t, "")
	for _, view := range append([]string{"console.css", "nothing"}, everyConsolePage...) {
		got := s.browse(http.MethodGet, "/nobody/"+view, "")
		if got.status != http.StatusForbidden {
			t.Errorf("%s without a user: %d", view, got.status)
		}
		if view == "" && (!strings.Contains(got.body, "basic_auth") || !strings.Contains(got.body, "forward_auth")) {
			t.Errorf("it does not say how to guard it: %s", got.body)
		}
	}
	if got := s.browse(http.MethodGet, "/somebody/", ""); got.status != http.StatusForbidden {
		t.Errorf("with a user of whom a part is not known: %d", got.status)
	}
	if err := validate(t, t.TempDir(), "ccpayment_console", "user {http.auth.user.id", nil); err == nil || !strings.Contains(err.Error(), "brace that is not closed") {
		t.Errorf("a user with half a placeholder: %v", err)
	}
	if got := s.browse(http.MethodGet, "/guarded/", ""); got.status != http.StatusUnauthorized {
		t.Errorf("without a password: %d", got.status)
	}
	if got := s.browse(http.MethodGet, "/guarded/", "", "Authorization", "Basic b3BzOm9wcw=="); got.status != http.StatusOK || !strings.Contains(got.body, `<span class="who">ops`) {
		t.Errorf("with a password: %d %s", got.status, got.body)
	}
	for _, path := range []string{"/alice/", "/alice/events", "/alice/console.css", "/alice/nothing", "/nobody/", "/alice/event?id=x", "/alice/export?what=events"} {
		h := s.browse(http.MethodGet, path, "").header
		for name, want := range map[string]string{
			"Content-Security-Policy": consolePolicy, "X-Frame-Options": "DENY", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Set-Cookie": "",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s has %s %q", path, name, got)
			}
		}
	}
	if got := s.browse(http.MethodPut, "/alice/events", ""); got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") == "" {
		t.Errorf("PUT: %d, %v", got.status, got.header)
	}
	if got := s.browse(http.MethodGet, "/alice/stop", ""); got.status != http.StatusMethodNotAllowed {
		t.Errorf("GET of what only POST does: %d", got.status)
	}
}

// TestConsoleForgeries: what another site has a browser send changes nothing, and neither
// does one who may only look.
func TestConsoleForgeries(t *testing.T) {
	s := newConsole(t, "")
	id := s.heldPayment(sandbox.Payment{OrderID: "order-1", Risky: true})
	discard := form("id", id, "route", "webhook", "step", "discard", "state", "held", "reason", "attack", "force", "yes")
	const typ, urlencoded = "Content-Type", "application/x-www-form-urlencoded"
	here, elsewhere := "http://"+s.addr, "https://evil.example"
	for name, c := range map[string]struct {
		path   string
		header []string
		want   int
	}{
		"neither":             {"/alice/event", []string{typ, urlencoded}, 403},
		"cross-site":          {"/alice/event", []string{typ, urlencoded, "Sec-Fetch-Site", "cross-site", "Origin", here}, 403},
		"same-site":           {"/alice/event", []string{typ, urlencoded, "Sec-Fetch-Site", "same-site"}, 403},
		"typed":               {"/alice/event", []string{typ, urlencoded, "Sec-Fetch-Site", "none"}, 403},
		"both":                {"/alice/event", []string{typ, urlencoded, "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Site", "cross-site"}, 403},
		"other origin":        {"/alice/event", []string{typ, urlencoded, "Origin", elsewhere}, 403},
		"null origin":         {"/alice/event", []string{typ, urlencoded, "Origin", "null"}, 403},
		"a longer origin":     {"/alice/event", []string{typ, urlencoded, "Origin", here + ".evil.example"}, 403},
		"user in the origin":  {"/alice/event", []string{typ, urlencoded, "Origin", "http://" + s.addr + "@evil.example"}, 403},
		"another port":        {"/alice/event", []string{typ, urlencoded, "Origin", "http://127.0.0.1:1"}, 403},
		"text":                {"/alice/event", []string{typ, "text/plain", "Origin", elsewhere}, 403},
		"text of ours":        {"/alice/event", []string{typ, "text/plain", "Sec-Fetch-Site", "same-origin"}, 415},
		"no type":             {"/alice/event", []string{"Sec-Fetch-Site", "same-origin"}, 415},
		"a reader":            {"/rita/event", append([]string{"Origin", here}, ours...), 403},
		"a reader, many":      {"/rita/many", ours, 403},
		"nobody":              {"/nobody/event", ours, 403},
		"nobody by a header":  {"/nobody/event", append([]string{"X-User", "alice", "Remote-User", "alice"}, ours...), 403},
		"to a page that asks": {"/alice/events", ours, 405},
	} {
		if got := s.browse(http.MethodPost, c.path, discard, c.header...); got.status != c.want {
			t.Errorf("%s: %d, want %d: %s", name, got.status, c.want, got.body)
		}
	}
	s.awaitState("status=success&order_id=order-1", "held")
	if body := s.view("/rita/event?id="+id, "read only"); strings.Contains(body, `method="post"`) {
		t.Error("a reader gets forms")
	}
	// An old browser, over plain HTTP, says only where the form is from.
	got := s.browse(http.MethodPost, "/alice/event", discard, typ, urlencoded, "Origin", here)
	if got.status != http.StatusSeeOther {
		t.Errorf("with our origin: %d %s", got.status, got.body)
	}
	s.awaitState("status=success&order_id=order-1", "discarded")
}

// TestConsoleSteps: each step needs a reason, who did it stands in the history and in the
// log, and of two operators the second is told that the first was faster.
func TestConsoleSteps(t *testing.T) {
	s := newConsole(t, "")
	id := s.heldPayment(sandbox.Payment{OrderID: "order-1", Risky: true})
	s.view("/alice/held", "held, the oldest first", "ApiDeposit", "order-1", "The gateway is asked again.", "nothing brings it back")
	step := func(user, step string) []string {
		return []string{"id", id, "route", "webhook", "step", step, "state", "held", "reason", "we know them"}
	}
	if got := s.post("/alice/event", step("alice", "release")[:8]...); got.status != http.StatusBadRequest || !strings.Contains(got.body, "say why") {
		t.Errorf("without a reason: %d %s", got.status, got.body)
	}
	if got := s.post("/alice/event", step("alice", "steal")...); got.status != http.StatusBadRequest {
		t.Errorf("an unknown step: %d", got.status)
	}
	s.awaitState("status=success&order_id=order-1", "held")
	got := s.post("/alice/event", step("alice", "accept")...)
	if got.status != http.StatusSeeOther {
		t.Fatalf("accepting: %d %s", got.status, got.body)
	}
	s.awaitState("status=success&order_id=order-1", "delivered")
	s.view("/alice/"+strings.TrimPrefix(got.header.Get("Location"), "./"), "released: we know them (alice)", "released with its risk", "attempt 1")
	second := s.post("/shop/bob/event", step("bob", "discard")...)
	if second.status != http.StatusConflict || !strings.Contains(second.body, "the event is delivered by now, and was held") {
		t.Errorf("the second operator: %d %s", second.status, second.body)
	}
	log := s.logs()
	if !strings.Contains(log, `"msg":"an operator's step","user":"alice","step":"accept","reason":"we know them","event_id":"`+id) {
		t.Error("the log does not say who did what")
	}
	s.view("/alice/order?event="+id, "order-1", "review", "risky", "What happened")
	s.view("/alice/order?id=order-1&account=default", "order-1")
	if got := s.browse(http.MethodGet, "/alice/order?id=other", ""); got.status != http.StatusNotFound {
		t.Errorf("an order that is not known: %d", got.status)
	}
}

// TestConsoleTwoAtOnce: of two operators who decide at the same moment one is obeyed, and
// the other is told.
func TestConsoleTwoAtOnce(t *testing.T) {
	s := newConsole(t, "")
	for round := range 5 {
		order := fmt.Sprintf("order-%d", round)
		id := s.heldPayment(sandbox.Payment{OrderID: order, Risky: true})
		answers := make(chan reply, 2)
		for path, step := range map[string]string{"/alice/event": "accept", "/shop/bob/event": "discard"} {
			go func() {
				answers <- s.post(path, "id", id, "route", "webhook", "step", step, "state", "held", "reason", "at once")
			}()
		}
		first, second := get(t, answers), get(t, answers)
		if first.status+second.status != http.StatusSeeOther+http.StatusConflict {
			t.Errorf("they are answered %d and %d", first.status, second.status)
		}
	}
}
