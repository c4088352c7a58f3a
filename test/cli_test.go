package test

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
	"github.com/seed-338f6760/caddy-ccpayment/store/bolt"
)

var update = flag.Bool("update", false, "write what the commands print to testdata/cli")

// cliCaddyfile stores and forwards, and confirms with the sandbox.
const cliCaddyfile = `{
	admin {$ADMIN}
	auto_https disable_redirects
	ccpayment {
		base_url {$CCPAYMENT_BASE_URL}
		store bolt {
			path {$LEDGER}
		}
	}
}
http://127.0.0.1:{$PORT} {
	ccpayment_webhook /hook {
		token ` + token + `
		deliver {
			reverse_proxy {$APP}
		}
	}
	respond 200
}
`

// cliShop is a running Caddy, a CCPayment, and an app whose response the test sets.
type cliShop struct {
	*server
	box    *sandbox.Sandbox
	answer atomic.Int64
	names  map[string]string // what stands for ids in golden files
}

func newCLIShop(t *testing.T) *cliShop {
	t.Helper()
	s := &cliShop{names: make(map[string]string)}
	s.answer.Store(http.StatusOK)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(int(s.answer.Load()))
	}))
	t.Cleanup(app.Close)
	s.server = newServer(t, app.Listener.Addr().String())
	var err error
	if s.box, err = sandbox.New(sandbox.Options{AppID: appID, AppSecret: appSecret, WebhookURL: s.hook}); err != nil {
		t.Fatal(err)
	}
	api := httptest.NewServer(s.box)
	t.Cleanup(func() { api.Close(); s.box.Close() })
	s.env = append(s.env, "CCPAYMENT_BASE_URL="+api.URL+"/ccpayment/v2", "TZ=UTC")
	s.start(cliCaddyfile)
	return s
}

// run runs a command, with its exit code, and returns what it printed.
func (s *cliShop) run(want int, args ...string) (stdout, stderr string) {
	s.t.Helper()
	stdout, stderr, code := ccpaymentIn(s.t, s.env, "", args...)
	if code != want || strings.Contains(stdout+stderr, appSecret) {
		s.t.Fatalf("%v: exit code %d, want %d; it printed\n%s%s", args, code, want, stdout, stderr)
	}
	return stdout, stderr
}

// ask runs a command that asks the Caddy that runs.
func (s *cliShop) ask(want int, args ...string) (stdout, stderr string) {
	s.t.Helper()
	return s.run(want, append(args, "--address", s.admin)...)
}

// golden compares what a command prints with a file.
func (s *cliShop) golden(name string, args ...string) {
	s.t.Helper()
	got, _ := s.ask(0, args...)
	command := "$ caddy ccpayment"
	for _, arg := range args {
		if strings.Contains(arg, " ") {
			arg = strconv.Quote(arg)
		}
		command += " " + arg
	}
	got = s.plain(command + "\n" + got)
	file := filepath.Join("testdata", "cli", name+".golden")
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			s.t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			s.t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		s.t.Fatal(err)
	}
	if got != string(want) {
		s.t.Errorf("%s: it prints\n%s\nwant\n%s", name, got, want)
	}
}

var (
	timeText = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)
	idText   = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b\d{32}\b`)
	txidText = regexp.MustCompile(`(Ccpayment-Txid: )\S+`)
	sizeText = regexp.MustCompile(`[0-9.]+ [KMGT]iB`)
	addrText = regexp.MustCompile(`127\.0\.0\.1:\d+`)
)

// plain replaces times and ids by texts of the same width.
func (s *cliShop) plain(text string) string {
	text = timeText.ReplaceAllString(text, "2026-01-31T12:00:00Z")
	text = txidText.ReplaceAllString(text, "${1}5f2b…")
	text = sizeText.ReplaceAllString(text, "64 KiB")
	text = addrText.ReplaceAllString(text, "127.0.0.1:2019")
	return idText.ReplaceAllStringFunc(text, func(id string) string {
		if s.names[id] == "" {
			n := len(s.names) + 1
			if strings.Contains(id, "-") {
				s.names[id] = fmt.Sprintf("00000000-0000-5000-8000-%012d", n)
			} else {
				s.names[id] = fmt.Sprintf("20260131120000%018d", n)
			}
		}
		return s.names[id]
	})
}

// pay makes an order and pays it, and returns the id of the event of its
// Success, once that is in the state.
func (s *cliShop) pay(order string, payment sandbox.Payment, state string) string {
	s.t.Helper()
	s.run(0, "call", "createAppOrderDepositAddress", `{"orderId":"`+order+`","coinId":1280,"chain":"TRX","price":"10"}`)
	payment.OrderID, payment.Status = order, "processing"
	paid, err := s.box.Pay(s.t.Context(), payment)
	if err != nil {
		s.t.Fatal(err)
	}
	processtest.Until(s.t, "the Processing is settled", func() bool {
		e := s.event("record_id=" + paid.RecordID)
		return e.State == "delivered" || e.State == "held" || e.State == "dead"
	})
	if err := s.box.Finish(paid.RecordID, "success"); err != nil {
		s.t.Fatal(err)
	}
	s.await(order, state)
	return s.event("status=success&order_id=" + order).ID
}

func (s *cliShop) await(order, state string) {
	s.t.Helper()
	processtest.Until(s.t, order+" is "+state, func() bool { return s.event("status=success&order_id="+order).State == state })
}

type shownEvent struct{ ID, State string }

// event is the only one of the query, or none.
func (s *cliShop) event(query string) shownEvent {
	s.t.Helper()
	response, err := processtest.Once.Get("http://" + s.admin + "/ccpayment/events?" + query)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	var list struct{ Events []shownEvent }
	if err := json.NewDecoder(response.Body).Decode(&list); err != nil {
		s.t.Fatal(err)
	}
	if len(list.Events) != 1 {
		return shownEvent{}
	}
	return list.Events[0]
}

// TestEventCommands: what an operator sees and does, from held and from dead to
// delivered, and what is final.
func TestEventCommands(t *testing.T) {
	t.Parallel()
	s := newCLIShop(t)
	s.golden("nothing", "events", "list")
	s.golden("no_orders", "orders", "list")

	held := s.pay("order-1", sandbox.Payment{Risky: true}, "held")
	s.golden("held", "events", "list", "--status", "Success", "--state", "held")
	s.golden("held_order", "orders", "show", "order-1")
	s.golden("released", "events", "release", held, "--reason", "I know them", "--accept")
	s.await("order-1", "delivered")
	s.golden("released_event", "events", "show", held)
	_, stderr := s.ask(3, "events", "release", held, "--reason", "again")
	wantIn(t, stderr, "only held ones are released", "events list")

	s.answer.Store(http.StatusGone)
	dead := s.pay("order-2", sandbox.Payment{}, "dead")
	s.pay("order-3", sandbox.Payment{}, "dead")
	stdout, _ := s.ask(0, "orders", "show", "order-2")
	wantIn(t, stdout, "Carried by  "+dead+" (not accepted by the app yet)\n")
	s.golden("dead", "events", "list", "--status", "success", "--state", "dead")
	s.golden("status_dead", "status")
	_, stderr = s.ask(3, "events", "discard", dead, "--reason", "broken")
	wantIn(t, stderr, "carries fulfill of order-2", "--force")
	s.answer.Store(http.StatusOK)
	s.golden("replayed", "events", "replay", dead, "--reason", "the app is mended")
	s.await("order-2", "delivered")
	s.golden("replayed_event", "events", "show", dead)

	s.golden("dry_run", "events", "replay", "--order-id", "order-3", "--dry-run")
	s.await("order-3", "dead")
	s.golden("replayed_all", "events", "replay", "--order-id", "order-3")
	s.await("order-3", "delivered")
	s.golden("orders", "orders", "list")
	s.golden("order", "orders", "show", "order-2")
	_, stderr = s.ask(3, "orders", "close", "order-2", "--reason", "x")
	wantIn(t, stderr, "the order was made without a checkout")

	late := s.pay("order-4", sandbox.Payment{Risky: true}, "held")
	s.golden("discarded", "events", "discard", late, "--reason", "refunded")
	for _, step := range []string{"replay", "release", "discard"} {
		_, stderr = s.ask(3, "events", step, late, "--reason", "x")
		wantIn(t, stderr, "the event is discarded")
	}
	s.golden("discarded_event", "events", "show", late)

	stdout, _ = s.ask(0, "events", "export", "--order-id", "order-2", "--status", "success")
	wantIn(t, stdout, "id,account,route,type,status,state,", dead+",,webhook,ApiDeposit,Success,delivered,", ",order-2,")
	if lines := strings.Count(stdout, "\n"); lines != 2 {
		t.Errorf("the export has %d lines:\n%s", lines, stdout)
	}
	stdout, _ = s.ask(0, "events", "export", "--payments", "--text", "order-2", "--format", "jsonl")
	wantIn(t, stdout, `"event_id":"`+dead+`"`, `"coin":"USDT"`, `"amount":"10"`, `"fulfill":"true"`, `"usd_value":"`)
	stdout, _ = s.ask(0, "orders", "export", "--state", "paid")
	wantIn(t, stdout, "order_id,account,state,amount_due,", "\norder-2,,paid,10,10,")
	_, stderr = s.ask(2, "orders", "export", "--format", "xls")
	wantIn(t, stderr, "use csv or jsonl")

	stdout, _ = s.ask(0, "events", "list", "--limit", "3", "--json")
	var page struct {
		Events []shownEvent
		Next   string
	}
	if err := json.Unmarshal([]byte(stdout), &page); err != nil || len(page.Events) != 3 || page.Next == "" {
		t.Errorf("it prints %s: %v", stdout, err)
	}
	for args, path := range map[string]string{
		"status": "status", "events show " + dead: "events/" + dead, "orders show order-2": "orders/order-2", "orders list": "orders",
	} {
		stdout, _ := s.ask(0, append(strings.Fields(args), "--json")...)
		response, err := processtest.Once.Get("http://" + s.admin + "/ccpayment/" + path)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || stdout != string(answer) {
			t.Errorf("%s --json prints\n%s\nwant\n%s", args, stdout, answer)
		}
	}
	_, stderr = s.ask(3, "events", "replay", dead, "00000000-0000-5000-8000-000000000000")
	wantIn(t, stderr, "knows no event 00000000")
	_, stderr = s.ask(3, "events", "show", "nonsense")
	wantIn(t, stderr, "knows no event nonsense", "events list")
}

// Case 27: commands and the endpoint understand times as people and queries write them,
// and name the zone where they do not.
func TestCase27_TimesOnTheCommandLine(t *testing.T) {
	t.Parallel()
	s := newCLIShop(t)
	id := s.pay("order-1", sandbox.Payment{}, "delivered")
	for _, since := range []string{"2026-01-31T12:00:00+02:00", "2026-01-31 12:00", "2026-01-31", "1d", "1d12h", "yesterday"} {
		for flag, want := range map[string]bool{"--since": true, "--until": false} {
			stdout, _ := s.ask(0, "events", "list", flag, since)
			if strings.Contains(stdout, id) != want {
				t.Errorf("%s %s lists\n%s", flag, since, stdout)
			}
		}
		stdout, _ := s.ask(0, "events", "replay", "--dry-run", "--state", "delivered", "--status", "success", "--since", since)
		wantIn(t, stdout, "1 would be replayed")
		query := "status=success&since=" + strings.ReplaceAll(since, " ", "%20") // but not the plus
		if got := s.event(query); got.ID != id {
			t.Errorf("%s is answered with %+v", query, got)
		}
	}
	for _, command := range [][]string{{"events", "list"}, {"events", "replay"}} {
		_, stderr := s.ask(2, append(command, "--since", "soon")...)
		wantIn(t, stderr, "--since", "yesterday", "what names no zone is in UTC")
	}
	_, stderr := s.run(2, "resend", "--since", "soon")
	wantIn(t, stderr, "--since", "yesterday", "what names no zone is in UTC")
	stdout, _ := s.run(0, "resend", "--since", "1d")
	wantIn(t, stdout, "CCPayment sends ")
}

// TestBackupCommand: the copy is a ledger, is its owner's alone, and never
// takes another file's place unasked.
func TestBackupCommand(t *testing.T) {
	t.Parallel()
	s := newCLIShop(t)
	s.pay("order-1", sandbox.Payment{}, "delivered")
	file := filepath.Join(t.TempDir(), "copy.db")
	s.ask(0, "backup", file)
	if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
		t.Errorf("the file's mode is %v, %v", info.Mode(), err)
	}
	_, stderr := s.ask(3, "backup", file)
	wantIn(t, stderr, "exists", "--force")
	s.ask(0, "backup", file, "--force")
	copied, err := bolt.Open(file, bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close()
	page, err := copied.List(t.Context(), ledger.Query{Limit: 10})
	if err != nil || len(page.Events) != 2 {
		t.Errorf("the copy has %d events, %v", len(page.Events), err)
	}

	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "half a ledger")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}))
	defer broken.Close()
	dir := t.TempDir()
	_, stderr = s.run(4, "backup", filepath.Join(dir, "copy.db"), "--address", broken.Listener.Addr().String())
	wantIn(t, stderr, "broke off")
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("it leaves %v, %v", left, err)
	}
}

// TestCommandsAlone: what is said where no Caddy runs, or another server, and
// where the command line is wrong.
func TestCommandsAlone(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	away := processtest.Ports(t, 1)[0]
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	silent := write("Caddyfile.silent", "{\n admin off\n}\n")
	found := write("Caddyfile.found", "{\n admin 127.0.0.1:"+away+"\n}\n")
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"status --address 127.0.0.1:" + away, 4, "start it, or name its admin endpoint"},
		{"status --config " + found, 4, "no Caddy answers at 127.0.0.1:" + away},
		{"status --config " + silent, 4, "admin off"},
		{"status --address " + other.Listener.Addr().String(), 4, "no Caddy with this plugin"},
		{"status --address a:b:c", 2, "is no address"},
		{"status now", 2, "unexpected argument"},
		{"status --account b", 2, "--account"},
		{"events", 2, "name a subcommand: discard, export, list"},
		{"events forge", 2, "unknown subcommand"},
		{"events --address 127.0.0.1:" + away, 2, "flags stand behind a subcommand: discard, export, list"},
		{"events list --limit 0", 2, "--limit"},
		{"events show", 2, "name one event"},
		{"events replay", 2, "--state dead"},
		{"events replay x --dry-run", 2, "either ids, or filters"},
		{"events release x", 2, "--reason"},
		{"orders show", 2, "name one order"},
		{"orders close", 2, "name one order"},
		{"orders close order-1", 2, "--reason"},
		{"backup", 2, "name one file"},
	} {
		_, stderr, code := ccpayment(t, "", strings.Fields(c.args)...)
		if code != c.code || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit code %d, want %d and %q; it printed\n%s", c.args, code, c.code, c.want, stderr)
		}
	}
}

func wantIn(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in\n%s", part, text)
		}
	}
}
