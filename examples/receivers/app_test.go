//go:build unix

package receivers_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/needs"
	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
)

// A delivery is one request as the gateway sends it.
type delivery struct {
	key, auth, record, status string
	seq                       int
	more                      map[string]string // headers behind Ccpayment-
}

func event(n int, record, status string, seq int) delivery {
	return delivery{key: key(n), auth: "Bearer " + token, record: record, status: status, seq: seq}
}

func (d delivery) fulfils(order string) delivery {
	d.more = map[string]string{"Fulfill": "true", "Order-Id": order}
	return d
}

func (d delivery) credits(buyer string) delivery {
	d.more = map[string]string{"Credit": "true", "Reference-Id": buyer, "Coin": "USDT", "Amount": "3.50"}
	return d
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
		processtest.Until(t, a.name+" answers", func() bool {
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
	port := processtest.Ports(t, 1)[0]
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

var client = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

func (a *app) post(d delivery) (int, error) {
	status, _, err := a.exchange(d)
	return status, err
}

// answer posts a delivery and returns the body of the response.
func (a *app) answer(t *testing.T, d delivery) string {
	t.Helper()
	_, text, err := a.exchange(d)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (a *app) exchange(d delivery) (int, string, error) {
	body := fmt.Sprintf(`{"type":"ApiDeposit","seq":%d}`, d.seq)
	req, err := http.NewRequest(http.MethodPost, a.url, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Content-Type", "application/json")
	for name, value := range map[string]string{"Authorization": d.auth, "Idempotency-Key": d.key, "Ccpayment-Record-Id": d.record, "Ccpayment-Status": d.status} {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	for name, value := range d.more {
		req.Header.Set("Ccpayment-"+name, value)
	}
	req.Header.Set("Ccpayment-Type", "ApiDeposit")
	req.Header.Set("Ccpayment-Record-Seq", strconv.Itoa(d.seq))
	res, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return res.StatusCode, string(text), err
}

func (a *app) send(t *testing.T, d delivery, want int) {
	t.Helper()
	if status, err := a.post(d); err != nil || status != want {
		t.Errorf("event %q (%s %d): status %d, error %v; want %d", d.key, d.status, d.seq, status, err, want)
	}
}

// effects lists what the app has kept, one text for each: whole files, or the rows of all tables.
func (a *app) effects(t *testing.T) []string {
	t.Helper()
	var all []string
	if a.sql != nil {
		if _, err := os.Stat(a.inbox); os.IsNotExist(err) {
			return nil
		}
		script := `SELECT 'event', idempotency_key, CAST(body AS TEXT), '', '' FROM inbox
			UNION ALL SELECT 'fulfilled', order_id, '', '', '' FROM fulfilled
			UNION ALL SELECT 'credited', record_id, buyer, coin, amount FROM credited ORDER BY 1, 2`
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
		name, _, _ := strings.Cut(file.Name(), ".") // behind the key the flag, if there is one
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
	if a.sql == nil {
		have = slices.Compact(have) // an event with a flag has a file of its own
	}
	for _, n := range numbers {
		want = append(want, key(n))
	}
	if strings.Join(have, " ") != strings.Join(want, " ") {
		t.Errorf("events in the inbox\n have %q\n want %q", have, want)
	}
}

// wantDone checks what was shipped and credited; where the app leaves that to a worker, what the files tell him.
func (a *app) wantDone(t *testing.T, want ...string) {
	t.Helper()
	var have []string
	for _, effect := range a.effects(t) {
		file, isEvent := strings.CutPrefix(effect, "event ")
		switch {
		case !isEvent:
			have = append(have, effect)
		case a.sql == nil:
			_, content, _ := strings.Cut(file, " ")
			have = append(have, told(t, content)...)
		}
	}
	slices.Sort(have)
	if a.sql == nil {
		have = slices.Compact(have) // a worker ships no order twice
	}
	if !slices.Equal(have, want) {
		t.Errorf("what was done\n have %q\n want %q", have, want)
	}
}

// told reads an event's file as a worker does.
func told(t *testing.T, content string) []string {
	t.Helper()
	var file struct {
		Fulfill, Credit bool
		Headers         map[string]string
	}
	if request, err := http.ReadRequest(bufio.NewReader(strings.NewReader(content))); err == nil {
		file.Headers = map[string]string{}
		for name := range request.Header {
			file.Headers[strings.ToLower(name)] = request.Header.Get(name)
		}
		file.Fulfill, file.Credit = file.Headers["ccpayment-fulfill"] == "true", file.Headers["ccpayment-credit"] == "true"
	} else if err := json.Unmarshal([]byte(content), &file); err != nil {
		t.Fatalf("an event's file is neither a request nor JSON: %v\n%s", err, content)
	}
	header := func(name string) string { return file.Headers["ccpayment-"+name] }
	switch {
	case file.Fulfill:
		return []string{"fulfilled " + header("order-id")}
	case file.Credit:
		return []string{strings.Join([]string{"credited", header("record-id"), header("reference-id"), header("coin"), header("amount")}, " ")}
	default:
		return nil
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
	python := needs.Command(t, "python3")
	if exec.Command(python, "-c", "import sqlite3").Run() != nil {
		needs.Missing(t, "python3 with its sqlite3 module")
	}
	return python
}

func needPHP(t *testing.T) string {
	t.Helper()
	php := needs.Command(t, "php")
	if out, err := exec.Command(php, "-m").Output(); err != nil || !strings.Contains(string(out), "pdo_sqlite") {
		needs.Missing(t, "php with pdo_sqlite")
	}
	return php
}
