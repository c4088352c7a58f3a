//go:build unix

// Package receivers_test runs the example receivers as the programs they are and checks
// that each applies an event once, whatever arrives how often and in which order.
package receivers_test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/internal/needs"
	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
)

const token = "correct-horse-battery"

// language is one example: how it is started and how its effects are read.
type language struct {
	name, file string // the file that has to be short
	command    func(t *testing.T, port string) []string
	sql        func(t *testing.T, db, script string) [][]string // nil: one file per event
	// keepsColumns: it reads the names of a table's columns once.
	keepsColumns bool
}

var languages = []language{
	{name: "node", file: "node/receive.mjs", command: func(t *testing.T, _ string) []string {
		return []string{needs.Command(t, "node"), "node/receive.mjs"}
	}},
	{name: "go", file: "go/receive.go", command: func(t *testing.T, _ string) []string {
		binary := filepath.Join(t.TempDir(), "receive")
		if out, err := exec.Command(needs.Command(t, "go"), "build", "-o", binary, "./go").CombinedOutput(); err != nil {
			t.Fatalf("go build: %v\n%s", err, out)
		}
		return []string{binary}
	}},
	{name: "python", file: "python/receive.py", sql: pythonSQL, command: func(t *testing.T, _ string) []string {
		return []string{needPython(t), "python/receive.py"}
	}},
	{name: "php", file: "php/receive.php", sql: phpSQL, command: func(t *testing.T, port string) []string {
		return []string{needPHP(t), "-S", "127.0.0.1:" + port, "php/receive.php"}
	}},
}

func each(t *testing.T, check func(t *testing.T, a *app)) {
	t.Helper()
	for _, l := range languages {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			a := &app{language: l, inbox: filepath.Join(t.TempDir(), "inbox")}
			if l.sql == nil {
				if err := os.Mkdir(a.inbox, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			a.start(t)
			check(t, a)
		})
	}
}

func TestFirstAndRepeat(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, a *app) {
		first := event(1, "rec-1", "Processing", 1000)
		a.send(t, first, http.StatusOK)
		a.wantKeys(t, 1)
		before := a.effects(t)

		// No gateway changes an event's body under its key. The test does, to see
		// that the key decides: nothing of the repeat may take effect.
		again := event(1, "rec-1", "Success", 2000)
		for range 3 {
			a.send(t, again, http.StatusOK)
		}
		a.wantEffects(t, before)

		a.wantDone(t)

		a.send(t, event(2, "rec-1", "Success", 3000).fulfils("o-1"), http.StatusOK)
		a.wantKeys(t, 1, 2)
		a.wantDone(t, "fulfilled o-1")
	})
}

// An event that was taken without a flag may come again with it: its order's price was
// lowered, or an operator replays it. The order or the record decides then, and not the key.
func TestFlagOnRepeat(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, a *app) {
		part, deposit := event(1, "rec-1", "Success", 1000), event(2, "rec-2", "Success", 1000)
		a.send(t, part, http.StatusOK)
		a.send(t, deposit, http.StatusOK)
		a.wantDone(t)

		a.send(t, part.fulfils("o-1"), http.StatusOK)
		a.send(t, deposit.credits("buyer-1"), http.StatusOK)
		a.wantKeys(t, 1, 2)
		a.wantDone(t, "credited rec-2 buyer-1 USDT 3.50", "fulfilled o-1")

		before := a.effects(t)
		for range 2 {
			for _, again := range []delivery{part, part.fulfils("o-1"), deposit, deposit.credits("buyer-1")} {
				a.send(t, again, http.StatusOK)
			}
			a.wantEffects(t, before)
			a.kill(t)
			a.start(t)
		}
	})
}

func TestConcurrentCopies(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, a *app) {
		var wg sync.WaitGroup
		for copyNo := range 20 {
			wg.Go(func() {
				e := event(1, "rec-1", "Success", 1000)
				if copyNo%2 == 0 { // whichever is first
					e = e.fulfils("o-1")
				}
				if status, err := a.post(e); err != nil || status != http.StatusOK {
					t.Errorf("copy %d: status %d, error %v; want 200", copyNo, status, err)
				}
			})
		}
		wg.Wait()
		a.wantKeys(t, 1)
		a.wantDone(t, "fulfilled o-1")
	})
}

func TestRefusesStrangers(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, a *app) {
		for _, auth := range []string{"", "Bearer", "Bearer ", "Bearer wrong", token, "Bearer " + token + "x", "Bearer " + token[1:]} {
			e := event(1, "rec-1", "Success", 1000)
			e.auth = auth
			a.send(t, e, http.StatusUnauthorized)
		}
		keys := []string{""}
		if a.sql == nil { // here the key becomes a file's name
			keys = append(keys, ".", "..", "x", "../outside"+strings.Repeat("-", 26), "outside")
		}
		for _, key := range keys {
			e := event(1, "rec-1", "Success", 1000)
			e.key = key
			a.send(t, e, http.StatusUnauthorized)
		}
		if outside, _ := filepath.Glob(filepath.Join(filepath.Dir(a.inbox), "outside*")); len(outside) > 0 {
			t.Errorf("a key led out of the inbox: %v", outside)
		}
		a.wantKeys(t)
		a.send(t, event(1, "rec-1", "Success", 1000), http.StatusOK)
		a.wantKeys(t, 1)
	})
}

// Fulfill and Credit decide, each once, and nothing else that an event says.
func TestFlagsAloneDecide(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, a *app) {
		a.send(t, event(1, "rec-1", "Success", 1000), http.StatusOK)
		a.send(t, event(2, "", "", 0), http.StatusOK) // an event of no record
		a.wantDone(t)
		a.send(t, event(3, "rec-1", "Success", 999).fulfils("o-1"), http.StatusOK) // whatever came before
		a.send(t, event(4, "rec-2", "Success", 5).fulfils("o-1"), http.StatusOK)   // of a ledger that was lost
		a.send(t, event(5, "rec-3", "Success", 5).credits("buyer-1"), http.StatusOK)
		a.send(t, event(6, "rec-4", "Success", 5).fulfils("o-2"), http.StatusOK)
		a.wantKeys(t, 1, 2, 3, 4, 5, 6)
		a.wantDone(t, "credited rec-3 buyer-1 USDT 3.50", "fulfilled o-1", "fulfilled o-2")
	})
}

func TestSurvivesRestart(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, a *app) {
		a.send(t, event(1, "rec-1", "Success", 1000).fulfils("o-1"), http.StatusOK)
		before := a.effects(t)
		a.kill(t)
		a.start(t)
		a.wantEffects(t, before)
		a.send(t, event(1, "rec-1", "Failed", 2000).fulfils("o-1"), http.StatusOK)
		a.wantEffects(t, before)
		a.send(t, event(2, "rec-1", "Failed", 3000), http.StatusOK)
		a.wantKeys(t, 1, 2)
	})
}

// An event that cannot be stored is not acknowledged and leaves nothing behind:
// its key in the inbox without its effect would swallow every repeat.
func TestCannotStore(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, a *app) {
		a.send(t, event(1, "rec-1", "Processing", 1000), http.StatusOK)
		aside := a.inbox + ".aside"
		if a.sql == nil {
			if err := os.Rename(a.inbox, aside); err != nil {
				t.Fatal(err)
			}
		} else {
			a.sql(t, a.inbox, "ALTER TABLE fulfilled RENAME COLUMN order_id TO id")
		}
		for range 2 {
			if status, err := a.post(event(2, "rec-1", "Success", 2000).fulfils("o-1")); err != nil || status < 500 {
				t.Errorf("event that cannot be stored: status %d, error %v; want 5xx", status, err)
			}
		}
		if a.sql == nil {
			if err := os.Rename(aside, a.inbox); err != nil {
				t.Fatal(err)
			}
		} else {
			a.sql(t, a.inbox, "ALTER TABLE fulfilled RENAME COLUMN id TO order_id")
		}
		a.wantKeys(t, 1)
		if a.keepsColumns {
			a.kill(t)
			a.start(t)
		}
		a.send(t, event(2, "rec-1", "Success", 2000).fulfils("o-1"), http.StatusOK)
		a.wantKeys(t, 1, 2)
		a.wantDone(t, "fulfilled o-1")
	})
}

// Without a token nobody could be told from the gateway, so nothing may be taken at all.
func TestNeedsToken(t *testing.T) {
	t.Parallel()
	for _, l := range languages {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			a := &app{language: l, inbox: t.TempDir(), noToken: true}
			if l.sql != nil {
				a.inbox = filepath.Join(a.inbox, "inbox.db")
			}
			a.launch(t)
			e := event(1, "rec-1", "Success", 1000)
			e.auth = "Bearer "
			processtest.Until(t, "the app ends or answers 500", func() bool {
				select {
				case <-a.exited:
					return a.cmd.ProcessState.ExitCode() > 0
				default:
					status, err := a.post(e)
					if err == nil && status != http.StatusInternalServerError {
						t.Fatalf("status %d without a token, want 500", status)
					}
					return err == nil
				}
			})
		})
	}
}

// Apache and CGI do not show PHP the header Authorization, or under another name.
func TestCase17_AuthorizationInPHP(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]struct{ script, disabled string }{
		"renamed":          {`$_SERVER['REDIRECT_HTTP_AUTHORIZATION'] = $_SERVER['HTTP_AUTHORIZATION'] ?? ''; unset($_SERVER['HTTP_AUTHORIZATION']);`, "getallheaders"},
		"by getallheaders": {`unset($_SERVER['HTTP_AUTHORIZATION']);`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			prepended := filepath.Join(t.TempDir(), "before.php")
			if err := os.WriteFile(prepended, []byte("<?php "+before.script), 0o600); err != nil {
				t.Fatal(err)
			}
			l := language{name: "php", sql: phpSQL, command: func(t *testing.T, port string) []string {
				return []string{needPHP(t), "-d", "auto_prepend_file=" + prepended, "-d", "disable_functions=" + before.disabled, "-S", "127.0.0.1:" + port, "php/receive.php"}
			}}
			a := &app{language: l, inbox: filepath.Join(t.TempDir(), "inbox")}
			a.launch(t)
			processtest.Until(t, "php answers", func() bool { _, err := a.post(delivery{}); return err == nil })
			e := event(1, "rec-1", "Success", 1000)
			e.auth = "Bearer wrong"
			if a.send(t, e, http.StatusUnauthorized); before.disabled == "" {
				e.auth = ""
				a.send(t, e, http.StatusUnauthorized)
			}
			a.send(t, event(1, "rec-1", "Success", 1000), http.StatusOK)
			a.wantKeys(t, 1)
		})
	}
}

// The PHP example says a word when an event is stored, and only then: neither its source
// nor what PHP says when a script dies has it. The guide names the same word for ack.
func TestCase18_WordOfPHP(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../docs/receiving.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("\\back (\\S+)\n").FindSubmatch(guide)
	if found == nil {
		t.Fatal("the guide sets no ack for PHP")
	}
	word := string(found[1])
	if source, err := os.ReadFile("php/receive.php"); err != nil || strings.Contains(strings.ToLower(string(source)), word) {
		t.Errorf("a server that sends the source would say %s: %v", word, err)
	}
	l := languages[len(languages)-1]
	a := &app{language: l, inbox: filepath.Join(t.TempDir(), "inbox")}
	a.start(t)
	for _, want := range []struct {
		delivery
		says bool
	}{{event(1, "rec-1", "Success", 1000), true}, {event(1, "rec-1", "Success", 1000), true}, {delivery{key: key(2), auth: "Bearer wrong"}, false}} {
		if text := a.answer(t, want.delivery); strings.Contains(text, word) != want.says {
			t.Errorf("%+v is answered %q", want.delivery, text)
		}
	}
	a.sql(t, a.inbox, "ALTER TABLE inbox RENAME COLUMN idempotency_key TO id")
	if text := a.answer(t, event(3, "rec-3", "Success", 1000)); strings.Contains(text, word) {
		t.Errorf("a script that died says %q", text)
	}
}

// The recipes of docs/frameworks.md are what `make frameworks` runs.
func TestFrameworksPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/frameworks.md")
	if err != nil {
		t.Fatal(err)
	}
	var sources string
	for _, file := range []string{"django/hook.py", "rails/hook.rb", "laravel/hook.php", "../wordpress/testdata/wc-api.php"} {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		sources += string(source)
	}
	blocks := regexp.MustCompile("(?s)```(?:python|ruby|php)\n(.*?)```").FindAllSubmatch(page, -1)
	if len(blocks) != 10 {
		t.Errorf("the page has %d pieces of code, want 10", len(blocks))
	}
	for _, block := range blocks {
		if !strings.Contains(sources, string(block[1])) {
			t.Errorf("not from the examples:\n%s", block[1])
		}
	}
}

// Imports, and closing brackets that the formatter puts on lines of their own, say nothing; the rest counts.
func TestShort(t *testing.T) {
	silent := regexp.MustCompile(`^\s*((//|#).*|""".*"""|[\])};,]*|<\?php|package \w+|import .*|from .* import .*|"[a-z/]+")$`)
	for _, l := range languages {
		if l.file == "" {
			continue // of a framework, which says more
		}
		source, err := os.ReadFile(l.file)
		if err != nil {
			t.Fatal(err)
		}
		lines := 0
		for line := range strings.Lines(string(source)) {
			if !silent.MatchString(strings.TrimRight(line, "\n")) {
				lines++
			}
		}
		if lines < 5 || lines >= 25 {
			t.Errorf("%s has %d lines of code, want fewer than 25", l.file, lines)
		}
		t.Logf("%s: %d lines of code", l.file, lines)
	}
}

// The SQL of the guide is run as it stands there.
func TestGuideSQLite(t *testing.T) {
	guide, err := os.ReadFile("../../docs/receiving.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(guide), "### SQLite\n")
	blocks := regexp.MustCompile("(?s)```sql\n(.*?)```").FindAllStringSubmatch(section, 2)
	if len(blocks) != 2 {
		t.Fatalf("want the tables and the transaction in the guide's SQLite section, have %d blocks", len(blocks))
	}
	script := `
import json, re, sqlite3, sys
tables, transaction = sys.argv[1:]
db = sqlite3.connect(":memory:", isolation_level=None)
db.executescript(tables)
flags, news = [[s for s in part.split(";") if s.strip()] for part in re.split("--.*go to COMMIT.*", transaction)]
begin, inbox, *flags = flags
*news, commit = news
def event(key, record, status, seq, fulfill=0, credit=0, order="o-1"):
    values = {"key": key, "type": "ApiDeposit", "record_id": record, "status": status, "seq": seq, "order_id": record and order,
              "body": "{}", "fulfill": fulfill, "credit": credit, "buyer": record and "b-1", "coin": record and "USDT", "amount": record and "3.50"}
    use = lambda sql: db.execute(sql, {k: v for k, v in values.items() if ":" + k in sql}).rowcount
    db.execute(begin)
    new = use(inbox) == 1
    for sql in flags + (news if new and record else []):
        use(sql)
    db.execute(commit)
for e in [("k1", "r1", "Processing", 10), ("k2", "r1", "Success", 20), ("k1", "r1", "Processing", 10),
          ("k2", "r1", "Success", 20), ("k3", "r1", "Pending", 15), ("k4", None, "", None), ("k4", None, "", None),
          ("k5", "r1", "Success", 5, 1), ("k6", "r1", "Success", 6, 1), ("k7", "r1", "Success", 7, 0, 1), ("k7", "r1", "Success", 7, 0, 1),
          # The flag on a repeat.
          ("k8", "r2", "Processing", 30), ("k8", "r2", "Success", 40, 1, 0, "o-2"), ("k8", "r2", "Success", 40, 1, 0, "o-2"),
          ("k9", "r3", "Success", 50), ("k9", "r3", "Success", 50, 0, 1), ("k9", "r3", "Success", 50, 0, 1)]:
    event(*e)
print(json.dumps([" ".join(map(str, row)) for sql in ("SELECT idempotency_key FROM inbox ORDER BY 1",
    "SELECT record_id, type, status, seq FROM record_state",
    "SELECT order_id, idempotency_key FROM fulfilled", "SELECT * FROM credited", "SELECT idempotency_key, kind FROM outbox ORDER BY id")
    for row in db.execute(sql)]))`
	out, err := exec.Command(needPython(t), "-c", script, blocks[0][1], blocks[1][1]).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := `["k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8", "k9", ` +
		`"r1 ApiDeposit Success 20", "r2 ApiDeposit Processing 30", "r3 ApiDeposit Success 50", ` +
		`"o-1 k5", "o-2 k8", "r1 ApiDeposit b-1 USDT 3.50 k7", "r3 ApiDeposit b-1 USDT 3.50 k9", ` +
		`"k1 status-mail", "k2 status-mail", "k8 status-mail", "k9 status-mail"]`
	if got := strings.TrimSpace(string(out)); got != want {
		t.Errorf("after the guide's SQL\n have %s\n want %s", got, want)
	}
}
