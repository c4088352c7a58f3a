//go:build unix && frameworks

package receivers_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	// What the binary is built from: without it a change there would leave a
	// cached result of these tests standing.
	_ "github.com/seed-338f6760/caddy-ccpayment"
	"github.com/seed-338f6760/caddy-ccpayment/internal/needs"
	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	_ "github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// The frameworks of docs/frameworks.md: `make frameworks`. They are no part of
// `make test`, because few machines have them all.

// framework is an example around which a whole framework runs.
type framework struct {
	name string
	run  func(t *testing.T, dir, port string) []string
	file string // what the shop adds
	// csrf is what excepts the hook from the CSRF check, and plain the same without it.
	csrf, plain string
	// refused is the status without it.
	refused int
	traps   []trap
}

// trap is a mistake in the framework's settings, and what the ledger says of it.
type trap struct {
	name, file, old, new string
	also                 [2]string // likewise
	options              string    // of reverse_proxy
	cause                string
}

var frameworks = []framework{
	{
		name: "django", file: "hook.py", csrf: "@csrf_exempt\n@require_POST\ndef hook(", plain: "@require_POST\ndef hook(", refused: http.StatusForbidden,
		run: func(t *testing.T, dir, port string) []string {
			return []string{needDjango(t), "-B", filepath.Join(dir, "shop.py"), "runserver", "--noreload", "127.0.0.1:" + port}
		},
		traps: []trap{
			{name: "host", options: "header_up Host shop.example.com", cause: "the app answered 400"},
			{name: "slash", file: "shop.py", old: `path("hook"`, new: `path("hook/"`, cause: "the app answered 301 to /hook/: enter that path"},
			{name: "slash, DEBUG", file: "shop.py", old: "    path(\"hook\"", new: "    path(\"hook/\"", also: [2]string{"MIDDLEWARE=[", "DEBUG=True, MIDDLEWARE=["}, cause: "the app answered 500"},
			{
				name: "https", file: "shop.py", old: "MIDDLEWARE=[", new: `SECURE_SSL_REDIRECT=True, MIDDLEWARE=["django.middleware.security.SecurityMiddleware", `,
				cause: "the app answered 301 to https://$SITE/hook: it wants https: set `header_up X-Forwarded-Proto https` in reverse_proxy",
			},
		},
	},
	{
		name: "rails", file: "hook.rb", csrf: "  skip_forgery_protection\n", refused: http.StatusUnprocessableEntity,
		run: func(t *testing.T, dir, port string) []string {
			needRails(t)
			return []string{"env", "RAILS_ENV=production", needs.Command(t, "puma"), "-q", "-b", "tcp://127.0.0.1:" + port, filepath.Join(dir, "config.ru")}
		},
		traps: []trap{
			{
				name: "host", file: "config.ru", old: "config.eager_load = false", new: `config.eager_load = false; config.hosts = ["localhost"]`,
				options: "header_up Host shop.example.com", cause: "the app answered 403: has it the same token?",
			},
			{
				name: "https", file: "config.ru", old: "config.eager_load = false", new: "config.eager_load = false; config.force_ssl = true",
				cause: "the app answered 308 to https://$SITE/hook: it wants https: set `header_up X-Forwarded-Proto https` in reverse_proxy",
			},
		},
	},
	{
		name: "laravel", file: "hook.php", csrf: "Route::post('/hook', $hook)->withoutMiddleware(VerifyCsrfToken::class);", plain: "Route::post('/hook', $hook);", refused: 419,
		run: func(t *testing.T, dir, port string) []string {
			return []string{needLaravel(t), "-S", "127.0.0.1:" + port, filepath.Join(dir, "index.php")}
		},
	},
}

// The tests of the other receivers hold for these as well.
func init() {
	var more []language
	for _, f := range frameworks {
		more = append(more, language{name: f.name, sql: pythonSQL, keepsColumns: f.name == "rails", command: func(t *testing.T, port string) []string { return f.run(t, f.name, port) }})
	}
	languages = append(more, languages...) // PHP stays the last
}

func needDjango(t *testing.T) string {
	t.Helper()
	for _, python := range []string{"python3", "/usr/bin/python3"} { // the first may be another than Debian's
		if exec.Command(python, "-c", "import django.conf").Run() == nil {
			return python
		}
	}
	needs.Missing(t, "python3-django")
	return ""
}

func needRails(t *testing.T) {
	t.Helper()
	if exec.Command("ruby", "-e", "require 'action_controller/railtie'; require 'sqlite3'").Run() != nil {
		needs.Missing(t, "ruby-rails with ruby-sqlite3")
	}
}

func needLaravel(t *testing.T) string {
	t.Helper()
	php := needPHP(t)
	if exec.Command(php, "-r", "require 'Illuminate/autoload.php';").Run() != nil {
		needs.Missing(t, "php-laravel-framework")
	}
	return php
}

// changed is a copy of a folder with one text replaced.
func changed(t *testing.T, source, file, old, with string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(source)); err != nil {
		t.Fatal(err)
	}
	if file == "" {
		return dir
	}
	path := filepath.Join(dir, file)
	text, err := os.ReadFile(path)
	if err != nil || strings.Count(string(text), old) != 1 {
		t.Fatalf("%s should have %q once: %v", path, old, err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), old, with, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// start starts the example that stands in a folder.
func (f framework) start(t *testing.T, dir string) *app {
	t.Helper()
	a := &app{inbox: filepath.Join(t.TempDir(), "inbox"), language: language{name: f.name, sql: pythonSQL, command: func(t *testing.T, port string) []string {
		return append([]string{"env", "CCPAYMENT_APP_ID=" + appID, "CCPAYMENT_APP_SECRET=" + appSecret}, f.run(t, dir, port)...)
	}}}
	a.launch(t)
	processtest.Until(t, f.name+" answers", func() bool {
		select {
		case <-a.exited:
			t.Fatalf("%s ended\n%s", f.name, a.output.String())
		default:
		}
		connection, err := net.Dial("tcp", a.address()) // a request might be redirected
		if err == nil {
			connection.Close()
		}
		return err == nil
	})
	return a
}

func (a *app) address() string {
	return strings.TrimSuffix(strings.TrimPrefix(a.url, "http://"), "/hook")
}

const appID, appSecret = "app-123", "secret-456"

// built is the folder of the Caddy that was built here, if one was.
var built string

var binary = sync.OnceValues(func() (string, error) {
	if caddy := os.Getenv("CADDY"); caddy != "" {
		return filepath.Abs(caddy)
	}
	dir, err := os.MkdirTemp("", "ccpayment-frameworks-")
	if err != nil {
		return "", err
	}
	built = dir
	caddy := filepath.Join(dir, "caddy")
	out, err := exec.Command("go", "build", "-tags", "nobadger,nomysql,nopgx", "-o", caddy, "../../cmd/caddy").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building Caddy: %w\n%s", err, out)
	}
	return caddy, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	_ = os.RemoveAll(built) // nobody needs it any more
	os.Exit(code)
}

// front is a Caddy in front of an app, with the sandbox in CCPayment's place.
type front struct {
	site, admin, sandbox string // addresses
	env                  []string
	caddy                string
}

// newFront starts both. In the site, $APP is the app's address, and webhooks go to path.
func newFront(t *testing.T, site, path string) *front {
	t.Helper()
	caddy, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	ports := processtest.Ports(t, 3)
	f := &front{caddy: caddy, site: "127.0.0.1:" + ports[0], admin: "127.0.0.1:" + ports[1], sandbox: "127.0.0.1:" + ports[2]}
	f.env = append(os.Environ(), "CCPAYMENT_APP_ID="+appID, "CCPAYMENT_APP_SECRET="+appSecret, "SHOP_TOKEN="+token, "XDG_DATA_HOME="+t.TempDir())
	file := filepath.Join(t.TempDir(), "Caddyfile")
	config := fmt.Sprintf("{\n\tadmin %s\n\tpersist_config off\n\tccpayment {\n\t\tbase_url http://%s/ccpayment/v2\n\t\twebhook_url http://%s%s\n\t}\n}\nhttp://%s {\n%s\n}\n",
		f.admin, f.sandbox, f.site, path, f.site, site)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, start := range []struct {
		answers string
		args    []string
	}{
		{"http://" + f.sandbox + "/sandbox/deliveries", []string{"ccpayment", "sandbox", "--listen", f.sandbox, "--speed", "20"}},
		{"http://" + f.admin + "/config/", []string{"run", "--config", file, "--adapter", "caddyfile"}},
	} {
		p := processtest.Start(t, f.env, caddy, start.args...)
		t.Cleanup(func() {
			p.End(t, syscall.SIGTERM)
			if t.Failed() {
				t.Logf("output of caddy %s:\n%s", start.args[0], p.Output.Tail())
			}
		})
		p.Answers(t, start.answers)
	}
	return f
}

// run runs a command of Caddy's.
func (f *front) run(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command(f.caddy, append([]string{"ccpayment"}, args...)...)
	cmd.Env = f.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return string(out)
}

type shownEvent struct {
	ID, State, Status string
	Attempts          int
	RecordID          string `json:"record_id"`
	LastError         string `json:"last_error"`
}

func (f *front) events(t *testing.T) []shownEvent {
	t.Helper()
	res, err := processtest.Once.Get("http://" + f.admin + "/ccpayment/events")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var list struct{ Events []shownEvent }
	if err := json.NewDecoder(res.Body).Decode(&list); err != nil {
		t.Fatal(err)
	}
	return list.Events
}

// delivered waits until all events are, and returns them.
func (f *front) delivered(t *testing.T, n int) []shownEvent {
	t.Helper()
	var events []shownEvent
	processtest.Until(t, "all is delivered", func() bool {
		events = f.events(t)
		for _, e := range events {
			if e.State != "delivered" && e.State != "superseded" {
				return false
			}
		}
		return len(events) >= n
	})
	return events
}

// buy clicks on the button of the app's page and returns the address of the checkout page.
func (f *front) buy(t *testing.T) string {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	buyer := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := buyer.Get("http://" + f.site + "/")
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	field := regexp.MustCompile(`type="hidden" name="(\w+)" value="([^"]+)"`).FindSubmatch(page)
	if field == nil {
		t.Fatalf("the page has no CSRF token: %s", page)
	}
	for _, form := range []url.Values{{}, {string(field[1]): {string(field[2])}}} {
		req, err := http.NewRequest(http.MethodPost, "http://"+f.site+"/buy", strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Accept", "text/html")
		res, err = buyer.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if len(form) == 0 && res.StatusCode < 400 {
			t.Errorf("a buyer's form without a CSRF token: status %d", res.StatusCode)
		}
	}
	checkout := res.Header.Get("Location")
	if res.StatusCode != http.StatusSeeOther || !strings.HasPrefix(checkout, "http://"+f.sandbox+"/") {
		t.Fatalf("the buyer gets %d to %q", res.StatusCode, checkout)
	}
	return checkout
}

// pay pays the order in the sandbox, and returns when its webhooks are acknowledged.
func (f *front) pay(t *testing.T, order string) {
	t.Helper()
	res, err := processtest.Once.Post("http://"+f.sandbox+"/sandbox/pay", "application/json", strings.NewReader(fmt.Sprintf(`{"order_id":%q,"wait":true}`, order)))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if text, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusOK || !strings.Contains(string(text), `"ok":true`) {
		t.Fatalf("paying: %d %s, %v", res.StatusCode, text, err)
	}
}

// A payment, from the buyer's click to the row in the table fulfilled: it is there once,
// however often the event comes.
func TestFrameworkPaid(t *testing.T) {
	t.Parallel()
	for _, f := range frameworks {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			for path, options := range map[string]string{"/hook": "ack Success", "/signed": "sign ccpayment"} {
				t.Run(path, func(t *testing.T) {
					t.Parallel()
					a := f.start(t, f.name)
					c := newFront(t, fmt.Sprintf("ccpayment_webhook %s %s {\ntoken {env.SHOP_TOKEN}\n%s\n}\nccpayment_checkout\nreverse_proxy %s", path, a.address(), options, a.address()), path)
					c.buy(t)
					c.pay(t, "order-1")
					paid := c.delivered(t, 1)
					a.wantDone(t, "fulfilled order-1")
					for _, e := range paid {
						if e.LastError != "" || e.Attempts > 1 {
							t.Errorf("it was not taken at once: %+v", e)
						}
					}

					// A copy is not even delivered; a replay is, with the same key.
					before := a.effects(t)
					for _, e := range paid {
						c.run(t, "trigger", "ApiDeposit", "--to", "http://"+c.site+path, "--status", e.Status, "--record-id", e.RecordID, "--order-id", "order-1")
						if e.State == "delivered" {
							c.run(t, "events", "replay", e.ID, "--reason", "test", "--address", c.admin)
						}
					}
					processtest.Until(t, "the replays are delivered", func() bool {
						for _, e := range c.delivered(t, len(paid)) {
							if e.State == "delivered" && e.Attempts != 2 {
								return false
							}
						}
						return true
					})
					a.wantEffects(t, before)
					if again := c.delivered(t, 1); len(again) != len(paid) {
						t.Errorf("the copy is another event: %+v", again)
					}
				})
			}
		})
	}
}

// What is set up wrongly leaves nothing at the app: the event is retried, and its cause says
// what it mostly is.
func TestFrameworkTraps(t *testing.T) {
	t.Parallel()
	for _, f := range frameworks {
		wrong := fmt.Sprintf("the app answered %d: ", f.refused)
		traps := append([]trap{
			{name: "csrf", file: f.file, old: f.csrf, new: f.plain, cause: wrong},
			{name: "token", cause: "the app answered 401: has it the same token?"},
		}, f.traps...)
		for _, trap := range traps {
			t.Run(f.name+" "+trap.name, func(t *testing.T) {
				t.Parallel()
				dir := changed(t, f.name, trap.file, trap.old, trap.new)
				if trap.also[0] != "" {
					dir = changed(t, dir, trap.file, trap.also[0], trap.also[1])
				}
				a := f.start(t, dir)
				sent := "{env.SHOP_TOKEN}"
				if trap.name == "token" {
					sent = "another"
				}
				c := newFront(t, fmt.Sprintf("ccpayment_webhook /hook {\nconfirm off\ntoken %s\ndeliver {\nreverse_proxy %s {\n%s\n}\n}\nretry {\nfirst 50ms\n}\n}", sent, a.address(), trap.options), "/hook")
				c.run(t, "trigger", "ApiDeposit", "--to", "http://"+c.site+"/hook", "--order-id", "order-1")
				var e shownEvent
				processtest.Until(t, "it is retried", func() bool { e = c.events(t)[0]; return e.Attempts >= 3 })
				if want := strings.ReplaceAll(trap.cause, "$SITE", c.site); (e.State != "retrying" && e.State != "delivering") || !strings.HasPrefix(e.LastError, want) {
					t.Errorf("%+v\nwant the cause %q", e, want)
				}
				t.Log(e.LastError)
				a.wantKeys(t)
			})
		}
	}
}
