package ccpayment_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// deadConsole is a console with so many dead events, each of a record of its own but for
// the last two, which are the statuses of one record.
func deadConsole(t *testing.T, n int) consoleShop {
	t.Helper()
	s := consoleShop{&shop{server: start(t, setup{
		global: adminOn, site: strings.Replace(consoleSite, "$WEBHOOK", "confirm off", 1), app: status(http.StatusGone),
	})}}
	for i := range n {
		s.deliver(delivery{body: deposit(fmt.Sprintf("r%d", i), "Processing")}).wants(t, http.StatusOK)
	}
	s.deliver(delivery{body: deposit(fmt.Sprintf("r%d", n-1), "Success")}).wants(t, http.StatusOK)
	await(t, "all are dead", func() bool { return len(s.list("state=dead").Events) == n+1 })
	return s
}

// TestConsoleMany: what a filter selects is counted first, and then done in the background,
// in order of each record, to that and to nothing that came since.
func TestConsoleMany(t *testing.T) {
	s := deadConsole(t, 4)
	s.view("/alice/many?text=r3&state=dead", "2 events", "Replay all", "Discard all")
	counted := s.view("/alice/many?state=dead", "5 events")
	until := html.UnescapeString(regexp.MustCompile(`name="until" value="([^"]+T[^"]+)"`).FindStringSubmatch(counted)[1])
	for what, fields := range map[string][]string{
		"no filter":    {"step", "replay", "reason", "x", "until", until},
		"no count":     {"step", "replay", "reason", "x", "state", "dead"},
		"no reason":    {"step", "replay", "state", "dead", "until", until},
		"no step":      {"reason", "x", "state", "dead", "until", until},
		"a wrong time": {"step", "replay", "reason", "x", "state", "dead", "until", "soon"},
	} {
		if got := s.post("/alice/many", fields...); got.status != http.StatusBadRequest {
			t.Errorf("%s: %d", what, got.status)
		}
	}
	before := len(s.app.received())
	s.deliver(delivery{body: deposit("later", "Success")}).wants(t, http.StatusOK)
	await(t, "the later one is dead", func() bool { return len(s.list("state=dead").Events) == 6 })
	s.app.answers(nil)
	if got := s.post("/alice/many", "step", "replay", "reason", "mended", "state", "dead", "until", until); got.status != http.StatusSeeOther {
		t.Fatalf("it was not begun: %d %s", got.status, got.body)
	}
	told := func() (statuses []string) { // of the record with two
		for _, r := range s.app.received()[before:] {
			if r.header.Get("Ccpayment-Record-Id") == "r3" {
				statuses = append(statuses, r.header.Get("Ccpayment-Status"))
			}
		}
		return statuses
	}
	await(t, "all were told", func() bool { return len(s.list("state=delivered").Events) >= 4 && slices.Contains(told(), "Success") })
	await(t, "the page says so", func() bool {
		return strings.Contains(s.browse(http.MethodGet, "/shop/bob/many", "").body, "Replay done")
	})
	s.view("/shop/bob/many", "5 of 5 done", "by alice", "mended (alice)")
	if l := s.list("state=dead"); len(l.Events) != 1 || l.Events[0].RecordID != "later" {
		t.Errorf("what came after the count: %+v", l)
	}
	if came := told(); slices.Contains(came[slices.Index(came, "Success"):], "Processing") {
		t.Errorf("the record's statuses came as %q", came)
	}
}

// TestConsoleTwice: what is asked for once more by a form that was sent already, or by somebody who
// has not seen what happened since, is not done: an app could book it twice.
func TestConsoleTwice(t *testing.T) {
	s := deadConsole(t, 1)
	s.app.answers(nil)
	counted := s.view("/alice/many?since=1h&text=r0", "2 events")
	fields := []string{"step", "replay", "reason", "mended"}
	form := regexp.MustCompile(`(?s)<form method="post" action="./many">.*?</form>`).FindString(counted)
	for _, field := range regexp.MustCompile(`name="(since|until|text|counted)" value="([^"]*)"`).FindAllStringSubmatch(form, -1) {
		if fields = append(fields, field[1], html.UnescapeString(field[2])); field[1] == "since" && field[2] == "1h" {
			t.Error("what was counted since an hour ago is another when the form is sent")
		}
	}
	if got := s.post("/alice/many", fields...); got.status != http.StatusSeeOther {
		t.Fatalf("it was not begun: %d %s", got.status, got.body)
	}
	await(t, "it is done", func() bool { return strings.Contains(s.browse(http.MethodGet, "/alice/many", "").body, "Replay done") })
	id := s.awaitState("status=success", "delivered")
	await(t, "nothing is on its way", func() bool {
		return len(s.list("state=delivering").Events)+len(s.list("state=retrying").Events) == 0
	})
	told := len(s.app.received())
	if got := s.post("/alice/many", fields...); got.status != http.StatusConflict || !strings.Contains(got.body, "done already") {
		t.Errorf("once more: %d %s", got.status, got.body)
	}
	if got := s.post("/alice/stop", "begun", "2026-01-01T00:00:00Z"); got.status != http.StatusConflict {
		t.Errorf("stopping another work: %d", got.status)
	}

	// Two people have the page of one delivered event open.
	page := s.view("/alice/event?id=" + id)
	step := []string{"id", id, "route", "webhook", "step", "replay", "reason", "once more"}
	for _, name := range []string{"state", "attempts"} {
		step = append(step, name, regexp.MustCompile(`name="` + name + `" value="([^"]*)"`).FindStringSubmatch(page)[1])
	}
	if got := s.post("/alice/event", step...); got.status != http.StatusSeeOther {
		t.Fatalf("the first: %d %s", got.status, got.body)
	}
	await(t, "it is delivered again", func() bool { return len(s.app.received()) == told+1 })
	s.awaitState("id="+id, "delivered")
	if got := s.post("/shop/bob/event", step...); got.status != http.StatusConflict || !strings.Contains(got.body, "when you saw it") {
		t.Errorf("the second: %d %s", got.status, got.body)
	}
	if n := len(s.app.received()); n != told+1 {
		t.Errorf("the app was told %d times more", n-told)
	}
}

// TestConsoleExport: the file has what the filter selects, and no cell that a spreadsheet
// would run.
func TestConsoleExport(t *testing.T) {
	s := deadConsole(t, 2)
	evil := `=HYPERLINK("http://evil.example")`
	s.deliver(delivery{body: `{"type":"ApiDeposit","msg":{"recordId":"evil","orderId":` + fmt.Sprintf("%q", evil) + `,"status":"Success","isFlaggedAsRisky":false}}`}).wants(t, http.StatusOK)
	s.deliver(delivery{body: `{"type":"ApiDeposit","msg":{"recordId":"mail","orderId":"bob@example.com","status":"Success","isFlaggedAsRisky":false}}`}).wants(t, http.StatusOK)
	await(t, "all are dead", func() bool { return len(s.list("state=dead").Events) == 5 })
	got := s.browse(http.MethodGet, "/rita/export?what=events&state=dead", "")
	rows, err := csv.NewReader(strings.NewReader(got.body)).ReadAll()
	if err != nil || got.status != http.StatusOK || len(rows) != 6 {
		t.Fatalf("%d, %v, %d rows: %s", got.status, err, len(rows), got.body)
	}
	if d := got.header.Get("Content-Disposition"); d != `attachment; filename="events.csv"` {
		t.Errorf("it is %q", d)
	}
	if strings.Contains(got.body, "bob@") {
		t.Error("the console's export has an e-mail address")
	}
	order := slices.Index(rows[0], "order_id")
	if i := slices.IndexFunc(rows, func(row []string) bool { return row[order] == "'"+evil }); i < 0 {
		t.Errorf("the formula is not inert: %s", got.body)
	}
	for _, path := range []string{"http://" + s.admin + "/ccpayment/export/events?format=jsonl&record_id=evil"} {
		response, err := s.client.Get(path)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		var row map[string]string
		if err := json.NewDecoder(response.Body).Decode(&row); err != nil || row["order_id"] != evil || row["state"] != "dead" {
			t.Errorf("%s: %v %v", path, err, row)
		}
	}
	for _, bad := range []string{"what=orders&type=x", "what=secrets", "what=events&format=xls", "what=events&state=broken"} {
		if got := s.browse(http.MethodGet, "/alice/export?"+bad, ""); got.status != http.StatusBadRequest && got.status != http.StatusNotFound {
			t.Errorf("%s: %d", bad, got.status)
		}
	}
}

// TestConsoleEscapes: whatever an outsider writes is shown as text, and no e-mail address
// is shown at all.
func TestConsoleEscapes(t *testing.T) {
	const evil = `"><script>alert(1)</script><img src=x onerror=alert(2)>' javascript:alert(3)`
	s := consoleShop{&shop{server: start(t, setup{
		global: adminOn, site: strings.Replace(consoleSite, "$WEBHOOK", "confirm off\nretry {\nfirst 1h\n}", 1),
		app: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/"+url.PathEscape(evil)+"?buyer=eve@example.com")
			w.WriteHeader(http.StatusFound)
		},
	})}}
	quoted, err := json.Marshal(evil)
	if err != nil {
		t.Fatal(err)
	}
	text := string(quoted)
	s.deliver(delivery{
		body: `{"type":` + text + `,"msg":{"recordId":` + text + `,"orderId":` + text + `,"referenceId":"eve@example.com","userId":` + text +
			`,"status":` + text + `,"isFlaggedAsRisky":false}}`,
		header: http.Header{"User-Agent": {"<script>alert(4)</script>"}},
	}).wants(t, http.StatusOK)
	await(t, "it failed", func() bool { l := s.list(""); return len(l.Events) == 1 && l.Events[0].State == "retrying" })
	id := s.list("").Events[0].ID
	q := url.QueryEscape(evil)
	for _, path := range []string{
		"", "events", "events?state=retrying", "event?id=" + id, "event?id=" + id + "&did=" + q, "event?id=" + q, "event?id=" + id + "&route=" + q,
		"order?event=" + id, "order?id=" + q, "order?id=1&account=" + q, "many?text=" + q, "many?type=" + q, "export?text=" + q, "events?text=" + q,
		"events?state=" + q, "events?" + q + "=1", "events?since=" + q, "events?cursor=" + q, "events?route=" + q, "held?" + q + "=1", q,
		"export?what=" + q, "export?what=events&format=" + q,
	} {
		got := s.browse(http.MethodGet, "/alice/"+path, "")
		for _, live := range []string{"<script>alert", "<img src=x", "href=\"javascript:", "eve@example.com"} {
			if strings.Contains(got.body, live) {
				t.Errorf("%s (%d) has %s", path, got.status, live)
			}
		}
		if got.header.Get("Content-Type") != "text/html; charset=utf-8" {
			t.Errorf("%s is %s", path, got.header.Get("Content-Type"))
		}
	}
	s.view("/alice/event?id="+id, "&lt;script&gt;alert(1)", "REDACTED", "the app answered 302")
}
