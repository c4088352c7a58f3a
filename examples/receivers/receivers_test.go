//go:build unix

// Package receivers_test runs the example receivers as the programs they are and checks
// that each applies an event once, whatever arrives how often and in which order.
package receivers_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const token = "correct-horse-battery"

// language is one example: how it is started and how its effects are read.
type language struct {
	name, file string
	command    func(t *testing.T, port string) []string
	sql        func(t *testing.T, db, script string) [][]string // nil: one file per event
}

var languages = []language{
	{name: "node", file: "node/receive.mjs", command: func(t *testing.T, _ string) []string {
		return []string{need(t, "node"), "node/receive.mjs"}
	}},
	{name: "go", file: "go/receive.go", command: func(t *testing.T, _ string) []string {
		binary := filepath.Join(t.TempDir(), "receive")
		if out, err := exec.Command(need(t, "go"), "build", "-o", binary, "./go").CombinedOutput(); err != nil {
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

		// No gateway changes an event under its key. The test does, to see that
		// the key alone decides: nothing of the repeat may take effect.
		again := event(1, "rec-1", "Failed", 2000)
		for range 3 {
			a.send(t, again, http.StatusOK)
		}
		a.wantEffects(t, before)

		a.send(t, event(2, "rec-1", "Success", 3000), http.StatusOK)
		a.wantKeys(t, 1, 2)
		a.wantState(t, "rec-1 ApiDeposit Success 3000")
	})
}

func TestConcurrentCopies(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, a *app) {
		var wg sync.WaitGroup
		for copyNo := range 20 {
			wg.Go(func() {
				// Another sequence in each copy shows whose effect was applied, and to which row it belongs.
				if status, err := a.post(event(1, "rec-1", "Success", 1000+copyNo)); err != nil || status != http.StatusOK {
					t.Errorf("copy %d: status %d, error %v; want 200", copyNo, status, err)
				}
			})
		}
		wg.Wait()
		a.wantKeys(t, 1)
		if a.sql == nil {
			return
		}
		for _, row := range a.sql(t, a.inbox, "SELECT seq, CAST(body AS TEXT) FROM record_state, inbox") {
			if !strings.Contains(row[1], `"seq":`+row[0]+`}`) {
				t.Errorf("inbox row and effect come from different copies: seq %s, body %s", row[0], row[1])
			}
		}
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

func TestLowerSequenceDoesNotOverwrite(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, a *app) {
		a.send(t, event(1, "rec-1", "Success", 1000), http.StatusOK)
		a.send(t, event(2, "rec-1", "Processing", 999), http.StatusOK) // lower as a number, higher as a text
		a.send(t, event(3, "rec-2", "Processing", 5), http.StatusOK)   // sequences of other records do not matter
		a.send(t, event(4, "", "", 0), http.StatusOK)                  // an event of no record
		a.wantKeys(t, 1, 2, 3, 4)
		a.wantState(t, "rec-1 ApiDeposit Success 1000", "rec-2 ApiDeposit Processing 5")
	})
}

func TestSurvivesRestart(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, a *app) {
		a.send(t, event(1, "rec-1", "Success", 1000), http.StatusOK)
		before := a.effects(t)
		a.kill(t)
		a.start(t)
		a.wantEffects(t, before)
		a.send(t, event(1, "rec-1", "Failed", 2000), http.StatusOK)
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
			a.sql(t, a.inbox, "ALTER TABLE record_state RENAME COLUMN seq TO sequence")
		}
		for range 2 {
			if status, err := a.post(event(2, "rec-1", "Success", 2000)); err != nil || status < 500 {
				t.Errorf("event that cannot be stored: status %d, error %v; want 5xx", status, err)
			}
		}
		if a.sql == nil {
			if err := os.Rename(aside, a.inbox); err != nil {
				t.Fatal(err)
			}
		} else {
			a.sql(t, a.inbox, "ALTER TABLE record_state RENAME COLUMN sequence TO seq")
		}
		a.wantKeys(t, 1)
		a.send(t, event(2, "rec-1", "Success", 2000), http.StatusOK)
		a.wantKeys(t, 1, 2)
		a.wantState(t, "rec-1 ApiDeposit Success 2000")
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
			until(t, "the app to end or to answer 500", func() bool {
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

// Imports, and closing brackets that the formatter puts on lines of their own, say nothing; the rest counts.
func TestShort(t *testing.T) {
	silent := regexp.MustCompile(`^\s*((//|#).*|""".*"""|[\])};,]*|<\?php|package \w+|import .*|from .* import .*|"[a-z/]+")$`)
	for _, l := range languages {
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
		if lines < 5 || lines >= 20 {
			t.Errorf("%s has %d lines of code, want fewer than 20", l.file, lines)
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
begin, inbox, *effects, commit = [s.strip() for s in re.sub("--.*", "", transaction).split(";") if s.strip()]
def event(key, record, status, seq):
    values = {"key": key, "type": "ApiDeposit", "record_id": record, "status": status, "seq": seq, "order_id": "o-1", "body": "{}"}
    use = lambda sql: db.execute(sql, {k: v for k, v in values.items() if ":" + k in sql}).rowcount
    db.execute(begin)
    if use(inbox) == 1 and record:
        for sql in effects:
            use(sql)
    db.execute(commit)
for e in [("k1", "r1", "Processing", 10), ("k2", "r1", "Success", 20), ("k1", "r1", "Processing", 10),
          ("k2", "r1", "Success", 20), ("k3", "r1", "Pending", 15), ("k4", None, "", None)]:
    event(*e)
print(json.dumps([" ".join(map(str, row)) for sql in ("SELECT idempotency_key FROM inbox ORDER BY 1",
    "SELECT record_id, type, status, seq FROM record_state", "SELECT idempotency_key, kind FROM outbox ORDER BY id")
    for row in db.execute(sql)]))`
	out, err := exec.Command(needPython(t), "-c", script, blocks[0][1], blocks[1][1]).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := `["k1", "k2", "k3", "k4", "r1 ApiDeposit Success 20", "k1 status-mail", "k2 status-mail"]`
	if got := strings.TrimSpace(string(out)); got != want {
		t.Errorf("after the guide's SQL\n have %s\n want %s", got, want)
	}
}

// A delivery is one request as the gateway sends it.
type delivery struct {
	key, auth, record, status string
	seq                       int
}

func event(n int, record, status string, seq int) delivery {
	return delivery{key: key(n), auth: "Bearer " + token, record: record, status: status, seq: seq}
}

func key(n int) string { return fmt.Sprintf("11111111-2222-5333-8444-%012d", n) }

// An app is one example while it runs.
type app struct {
	language
	inbox   string
	noToken bool
	url     string
	cmd     *exec.Cmd
	output  bytes.Buffer // read it only after exited
	exited  chan struct{}
}

// start returns when the app answers. A free port may be taken by the time the app wants it, so it has three tries.
func (a *app) start(t *testing.T) {
	t.Helper()
	for try := 1; ; try++ {
		a.launch(t)
		ended := false
		until(t, a.name+" to answer", func() bool {
			select {
			case <-a.exited:
				ended = true
				return true
			default:
				status, err := a.post(delivery{})
				return err == nil && status == http.StatusUnauthorized
			}
		})
		if !ended {
			return
		}
		if try == 3 {
			t.Fatalf("%s ended: %v\n%s", a.name, a.cmd.ProcessState, a.output.String())
		}
	}
}

func (a *app) launch(t *testing.T) {
	t.Helper()
	port := freePort(t)
	a.url = "http://127.0.0.1:" + port + "/hook"
	args := a.command(t, port)
	a.cmd = exec.Command(args[0], args[1:]...)
	a.cmd.Env = append(os.Environ(), "PORT="+port, "INBOX="+a.inbox, "SHOP_TOKEN="+token, "PHP_CLI_SERVER_WORKERS=4")
	if a.noToken {
		a.cmd.Env = append(a.cmd.Env, "SHOP_TOKEN=")
	}
	a.output.Reset()
	a.cmd.Stdout, a.cmd.Stderr = &a.output, &a.output
	a.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // php's workers are processes of their own
	if err := a.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	cmd, exited := a.cmd, make(chan struct{})
	a.exited = exited
	go func() {
		_ = cmd.Wait() // killed on purpose
		close(exited)
	}()
	t.Cleanup(func() {
		a.kill(t)
		if t.Failed() {
			t.Logf("output of %s:\n%s", a.name, a.output.String())
		}
	})
}

// kill ends the app at once: it gets no chance to tidy up.
func (a *app) kill(t *testing.T) {
	t.Helper()
	select {
	case <-a.exited: // its number may be another's by now
	default:
		_ = syscall.Kill(-a.cmd.Process.Pid, syscall.SIGKILL) // it may be ending by itself
		<-a.exited
	}
}

var ports sync.Map // given to an app before: two apps never share one

func freePort(t *testing.T) string {
	t.Helper()
	for {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_, port, _ := net.SplitHostPort(listener.Addr().String())
		if err := listener.Close(); err != nil {
			t.Fatal(err)
		}
		if _, given := ports.LoadOrStore(port, true); !given {
			return port
		}
	}
}

var client = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

func (a *app) post(d delivery) (int, error) {
	body := fmt.Sprintf(`{"type":"ApiDeposit","seq":%d}`, d.seq)
	req, err := http.NewRequest(http.MethodPost, a.url, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	for name, value := range map[string]string{"Authorization": d.auth, "Idempotency-Key": d.key, "Ccpayment-Record-Id": d.record, "Ccpayment-Status": d.status} {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	req.Header.Set("Ccpayment-Type", "ApiDeposit")
	req.Header.Set("Ccpayment-Record-Seq", strconv.Itoa(d.seq))
	res, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}

func (a *app) send(t *testing.T, d delivery, want int) {
	t.Helper()
	if status, err := a.post(d); err != nil || status != want {
		t.Errorf("event %q (%s %d): status %d, error %v; want %d", d.key, d.status, d.seq, status, err, want)
	}
}

// effects lists what the app has kept, one text for each: whole files, or the rows of both tables.
func (a *app) effects(t *testing.T) []string {
	t.Helper()
	var all []string
	if a.sql != nil {
		if _, err := os.Stat(a.inbox); os.IsNotExist(err) {
			return nil
		}
		script := `SELECT 'event', idempotency_key, CAST(body AS TEXT), '' , '' FROM inbox
			UNION ALL SELECT 'state', record_id, type, status, seq FROM record_state ORDER BY 1, 2`
		for _, row := range a.sql(t, a.inbox, script) {
			all = append(all, strings.TrimSpace(strings.Join(row, " ")))
		}
		return all
	}
	files, err := os.ReadDir(a.inbox)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		content, err := os.ReadFile(filepath.Join(a.inbox, file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(file.Name(), filepath.Ext(file.Name()))
		if !strings.Contains(strings.ReplaceAll(string(content), `\"`, `"`), `{"type":"ApiDeposit","seq":`) {
			t.Errorf("%s does not hold the event: %q", file.Name(), content)
		}
		if strings.Contains(string(content), token) {
			t.Errorf("%s holds the token", file.Name())
		}
		all = append(all, "event "+name+" "+string(content))
	}
	return all
}

func (a *app) wantEffects(t *testing.T, want []string) {
	t.Helper()
	if got := a.effects(t); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("effects\n have %q\n want %q", got, want)
	}
}

// wantKeys checks that exactly the events of these numbers are in the inbox, each once.
func (a *app) wantKeys(t *testing.T, numbers ...int) {
	t.Helper()
	var have, want []string
	for _, effect := range a.effects(t) {
		if fields := strings.Fields(effect); fields[0] == "event" {
			have = append(have, fields[1])
		}
	}
	for _, n := range numbers {
		want = append(want, key(n))
	}
	if strings.Join(have, " ") != strings.Join(want, " ") {
		t.Errorf("events in the inbox\n have %q\n want %q", have, want)
	}
}

// wantState checks the table of records, where the app has one.
func (a *app) wantState(t *testing.T, want ...string) {
	t.Helper()
	if a.sql == nil {
		return
	}
	var have []string
	for _, effect := range a.effects(t) {
		if state, ok := strings.CutPrefix(effect, "state "); ok {
			have = append(have, state)
		}
	}
	if strings.Join(have, "\n") != strings.Join(want, "\n") {
		t.Errorf("states of the records\n have %q\n want %q", have, want)
	}
}

func pythonSQL(t *testing.T, db, script string) [][]string {
	t.Helper()
	return rows(t, needPython(t), "-c", `import json, sqlite3, sys
with sqlite3.connect(sys.argv[1]) as db:
    print(json.dumps([[str(v) for v in row] for row in db.execute(sys.argv[2])]))`, db, script)
}

func phpSQL(t *testing.T, db, script string) [][]string {
	t.Helper()
	return rows(t, needPHP(t), "-r", `$rows = (new PDO("sqlite:$argv[1]"))->query($argv[2])->fetchAll(PDO::FETCH_NUM);
echo json_encode(array_map(fn($row) => array_map(strval(...), $row), $rows));`, "--", db, script)
}

func rows(t *testing.T, command ...string) (rows [][]string) {
	t.Helper()
	out, err := exec.Command(command[0], command[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", command, err, out)
	}
	if err := json.Unmarshal(out, &rows); err != nil {
		t.Fatalf("%v: %v\n%s", command, err, out)
	}
	return rows
}

func needPython(t *testing.T) string {
	t.Helper()
	python := need(t, "python3")
	if exec.Command(python, "-c", "import sqlite3").Run() != nil {
		missing(t, "python3 with its sqlite3 module")
	}
	return python
}

func needPHP(t *testing.T) string {
	t.Helper()
	php := need(t, "php")
	if out, err := exec.Command(php, "-m").Output(); err != nil || !strings.Contains(string(out), "pdo_sqlite") {
		missing(t, "php with pdo_sqlite")
	}
	return php
}

func need(t *testing.T, command string) string {
	t.Helper()
	path, err := exec.LookPath(command)
	if err != nil {
		missing(t, command)
	}
	return path
}

func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing, and CI has to have it", what)
	}
	t.Skipf("%s is missing here; CI installs it", what)
}

// until asks again and again whether the condition holds, and fails the test when it takes too long.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for late := time.After(30 * time.Second); !holds(); {
		select {
		case <-again.C:
		case <-late:
			t.Fatalf("waited too long for %s", what)
		}
	}
}
