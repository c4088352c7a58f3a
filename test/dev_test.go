package test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
)

// TestDevCommand: an app that answers 402 and takes a webhook needs nothing else
// to be paid in the sandbox, and what happened is printed.
func TestDevCommand(t *testing.T) {
	t.Parallel()
	var fulfilled atomic.Int32
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/buy":
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusPaymentRequired)
			io.WriteString(w, `{"order_id":"order-7","price":"49.90","currency":"USD","return_url":"http://shop.example/thanks"}`)
		case r.URL.Path == "/camel":
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusPaymentRequired)
			io.WriteString(w, `{"orderId":"order-8","price":"49.90"}`)
		case r.URL.Path == "/page":
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusPaymentRequired)
		case r.URL.Path == "/free":
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusPaymentRequired)
			io.WriteString(w, `{"order_id":"order-9","price":"free"}`)
		case r.URL.Path == "/hook" && r.Header.Get("Authorization") != "Bearer dev":
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path == "/hook" && r.Header.Get("Ccpayment-Fulfill") == "true" && r.Header.Get("Ccpayment-Order-Id") == "order-7":
			fulfilled.Add(1)
		}
	}))
	defer app.Close()
	p, site, control := startDev(t, app)
	var checkout struct {
		URL   string `json:"checkout_url"`
		Token string `json:"status_token"`
	}
	ask(t, http.MethodPost, site+"/buy", "", http.StatusCreated, &checkout)
	if !strings.HasPrefix(checkout.URL, control) {
		t.Errorf("the checkout is at %q", checkout.URL)
	}
	ask(t, http.MethodPost, control+"/sandbox/pay", `{"order_id":"order-7","wait":true}`, http.StatusOK, nil)
	processtest.Until(t, "the app is told to fulfil", func() bool { return fulfilled.Load() > 0 })
	var status struct {
		State     string `json:"state"`
		Fulfilled bool   `json:"fulfilled"`
	}
	// Once the app has said yes, and that is on disk.
	processtest.Until(t, "the buyer's page is told that it is paid", func() bool {
		ask(t, http.MethodGet, site+"/status?t="+checkout.Token, "", http.StatusOK, &status)
		return status.State == "paid" && status.Fulfilled
	})
	for _, step := range []string{"made: ", "CCPayment sends ApiDeposit Success", "ApiDeposit Success handed over", "paid: "} {
		line := regexp.MustCompile(`(?m)^[0-9:]{8}  order-7 +` + step)
		processtest.Until(t, "dev prints "+step, func() bool { return line.MatchString(p.Output.String()) })
	}

	for path, says := range map[string]string{
		"/camel": "asks for no checkout, and was passed on: it has no order id: it is called order_id, not orderId",
		"/page":  "asks for no checkout, and was passed on: it is not JSON",
	} {
		ask(t, http.MethodPost, site+path, "", http.StatusPaymentRequired, nil)
		processtest.Until(t, "dev says why "+path+" is passed on", func() bool { return strings.Contains(p.Output.String(), "402 to "+path+" "+says) })
	}
	browser, err := http.NewRequestWithContext(t.Context(), http.MethodGet, site+"/free", nil)
	if err != nil {
		t.Fatal(err)
	}
	browser.Header.Set("Accept", "text/html")
	response, err := processtest.Once.Do(browser)
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil || response.StatusCode < 400 || !strings.Contains(string(page), "price: \"free\" is not") {
		t.Errorf("the browser gets %d %q, %v", response.StatusCode, page, err)
	}
	named := regexp.MustCompile(`(?m)^[0-9:]{8}  order-9 +no checkout`)
	processtest.Until(t, "dev names the order", func() bool { return named.MatchString(p.Output.String()) })
	wantIn(t, p.Output.String(), "export CCPAYMENT_BASE_URL="+control+"/ccpayment/v2", "export CCPAYMENT_APP_SECRET=")

	app.Close()
	ask(t, http.MethodPost, site+"/buy", "", http.StatusBadGateway, nil)
	processtest.Until(t, "dev says that the app is away", func() bool {
		text := p.Output.String() // a connection that was kept is closed, or none can be made
		return strings.Contains(text, "your app cannot be reached") || strings.Contains(text, "your app closed the connection without an answer")
	})
	p.End(t, syscall.SIGINT)
	if p.Err != nil {
		t.Errorf("it ended with %v", p.Err)
	}
	if fulfilled.Load() != 1 {
		t.Errorf("the app was told %d times to fulfil", fulfilled.Load())
	}
}

func withoutShopToken() []string {
	env := os.Environ()
	for i, variable := range env {
		if strings.HasPrefix(variable, "SHOP_TOKEN=") {
			env[i] = "SHOP_TOKEN="
		}
	}
	return env
}

// ask sends a request and reads the answer's JSON.
func ask(t *testing.T, method, url, body string, status int, answer any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := processtest.Once.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != status {
		t.Fatalf("%s answers %d, not %d: %s (%v)", url, response.StatusCode, status, text, err)
	}
	if answer == nil {
		return
	}
	if err := json.Unmarshal(text, answer); err != nil {
		t.Fatalf("%s: %v in %s", url, err, text)
	}
}

// startDev runs dev in front of an app, and returns it with the addresses of Caddy and of
// the sandbox.
func startDev(t *testing.T, app *httptest.Server, args ...string) (p *processtest.Process, site, sandbox string) {
	t.Helper()
	port := processtest.Ports(t, 1)[0]
	args = append([]string{"ccpayment", "dev", "--to", app.Listener.Addr().String(), "--listen", ":" + port}, args...)
	p = startProcess(t, binary, withoutShopToken(), args...)
	said := regexp.MustCompile(`the sandbox +(http://[0-9.:]+)`)
	processtest.Until(t, "dev says where the sandbox is", func() bool { return said.MatchString(p.Output.String()) })
	return p, "http://127.0.0.1:" + port, said.FindStringSubmatch(p.Output.String())[1]
}

// TestDevAtCoinPayments: the same app is paid at CoinPayments.
func TestDevAtCoinPayments(t *testing.T) {
	t.Parallel()
	var told atomic.Value // the headers of the event that says so
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path != "/hook":
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusPaymentRequired)
			fmt.Fprintf(w, `{"order_id":%q,"price":"49.90","currency":"USD","return_url":"http://shop.example/thanks"}`, strings.TrimPrefix(r.URL.Path, "/"))
		case r.Header.Get("Ccpayment-Fulfill") == "true":
			told.Store(r.Header)
		}
	}))
	defer app.Close()
	p, site, control := startDev(t, app, "--gateway", "coinpayments")
	var checkout struct {
		URL   string `json:"checkout_url"`
		Token string `json:"status_token"`
	}
	ask(t, http.MethodPost, site+"/order-7", "", http.StatusCreated, &checkout)
	if !strings.HasPrefix(checkout.URL, control+"/checkout/?invoice-id=") {
		t.Errorf("the checkout is at %q", checkout.URL)
	}
	ask(t, http.MethodPost, control+"/sandbox/coinpayments/pay", `{"order_id":"order-7","wait":true}`, http.StatusOK, nil)
	processtest.Until(t, "the app is told to fulfil", func() bool { return told.Load() != nil })
	for name, want := range map[string]string{
		"Ccpayment-Gateway": "coinpayments", "Ccpayment-Kind": "payment", "Ccpayment-Order-Id": "order-7", "Authorization": "Bearer dev",
	} {
		if got := told.Load().(http.Header).Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for _, step := range []string{"made: ", "CoinPayments sends InvoicePaid Paid, Caddy keeps it", "Invoice Paid handed over, the order is paid", "paid: "} {
		line := regexp.MustCompile(`(?m)^[0-9:]{8}  order-7 +` + step)
		processtest.Until(t, "dev prints "+step, func() bool { return line.MatchString(p.Output.String()) })
	}
	var status struct {
		State string `json:"state"`
	}
	if ask(t, http.MethodGet, site+"/status?t="+checkout.Token, "", http.StatusOK, &status); status.State != "paid" {
		t.Errorf("the buyer's page is told %q", status.State)
	}
	ask(t, http.MethodPost, site+"/order-8", "", http.StatusCreated, nil)
	ask(t, http.MethodPost, control+"/sandbox/coinpayments/pay", `{"order_id":"order-8","coin":"LTCT","wait":true}`, http.StatusOK, nil)
	why := regexp.MustCompile(`(?m)^[0-9:]{8}  order-8 +Invoice Paid handed over, the order is unpaid, and not fulfilled by it \(test_coin\)`)
	processtest.Until(t, "dev prints why the test coin fulfils nothing", func() bool { return why.MatchString(p.Output.String()) })
	env := os.Environ()
	for _, export := range regexp.MustCompile(`export (COINPAYMENTS_\w+=\S+)`).FindAllStringSubmatch(p.Output.String(), -1) {
		env = append(env, export[1])
	}
	flags := regexp.MustCompile(`call and trigger (--config \S+), doctor (--config \S+ --address \S+),`).FindStringSubmatch(p.Output.String())
	if len(flags) != 3 {
		t.Fatalf("it names no flags: %s", p.Output.String())
	}
	for says, args := range map[string][]string{
		`"invoiceId": "order-7"`: append([]string{"call", "GET", "/api/v2/merchant/invoices"}, strings.Fields(flags[1])...),
		"200 OK":                 append([]string{"trigger", "InvoicePaid", "--to", site + "/hook"}, strings.Fields(flags[1])...),
		"Ledger     ok":          append([]string{"doctor"}, strings.Fields(flags[2])...),
	} {
		stdout, stderr, code := ccpaymentIn(t, env, "", args...)
		if code != 0 || !strings.Contains(stdout, says) {
			t.Errorf("%q ends with %d: %s%s", args, code, stdout, stderr)
		}
	}
	p.End(t, syscall.SIGINT)
}

// TestDevWebPage: Caddy takes any 2xx for a yes, and dev says so of an app that answers
// every path with its first page.
func TestDevWebPage(t *testing.T) {
	t.Parallel()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/buy" {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusPaymentRequired)
			io.WriteString(w, `{"order_id":"order-7","price":"49.90"}`)
			return
		}
		io.WriteString(w, "<!doctype html>\n<title>My app</title>")
	}))
	defer app.Close()
	p, site, control := startDev(t, app)
	ask(t, http.MethodPost, site+"/buy", "", http.StatusCreated, nil)
	ask(t, http.MethodPost, control+"/sandbox/pay", `{"order_id":"order-7","wait":true}`, http.StatusOK, nil)
	says := regexp.MustCompile(`(?m)^[0-9:]{8}  order-7 +the app's 2xx is a web page, and counts as a yes`)
	processtest.Until(t, "dev says so", func() bool { return says.MatchString(p.Output.String()) })
	p.End(t, syscall.SIGINT)
}

// TestDevCaddyfile: what it prints for going live is a Caddyfile that this
// Caddy takes.
func TestDevCaddyfile(t *testing.T) {
	t.Parallel()
	env := append(withCredentials(), "SHOP_TOKEN=token", "COINPAYMENTS_CLIENT_ID=6d50e13e28a14a5c8d1a3d1b1e5a0f11", "COINPAYMENTS_CLIENT_SECRET=x")
	for _, gateway := range []string{"ccpayment", "coinpayments"} {
		text, _, code := ccpayment(t, "", "dev", "--print-caddyfile", "--gateway", gateway)
		if given, _, _ := ccpayment(t, "", "dev", "--to", "localhost:3000", "--gateway", gateway, "--print-caddyfile"); given != text {
			t.Errorf("without --to it prints\n%s", text)
		}
		if isThere := strings.Contains(text, "gateway coinpayments {"); isThere != (gateway == "coinpayments") {
			t.Errorf("for %s it prints\n%s", gateway, text)
		}
		file := filepath.Join(t.TempDir(), "Caddyfile")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, errs, valid := caddy(t, env, "", "validate", "--config", file)
		if code != 0 || valid != 0 {
			t.Errorf("exit codes %d and %d\n%s\n%s", code, valid, text, errs)
		}
	}
}

// TestDevWithoutApp: it says that nobody answers, and begins all the same.
func TestDevWithoutApp(t *testing.T) {
	t.Parallel()
	ports := processtest.Ports(t, 2)
	p := startProcess(t, binary, withoutShopToken(), "ccpayment", "dev", "--to", "localhost:"+ports[0], "--listen", ":"+ports[1])
	processtest.Until(t, "dev says so", func() bool {
		return strings.Contains(p.Output.String(), "Nobody answers at localhost:"+ports[0]+" yet")
	})
	p.End(t, syscall.SIGINT)
}

func TestDevUsage(t *testing.T) {
	busy := httptest.NewServer(nil)
	defer busy.Close()
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"no app":         {nil, 2, "--to"},
		"the same port":  {[]string{"--to", "localhost:8080"}, 2, "one each"},
		"no gateway":     {[]string{"--to", "localhost:3000", "--gateway", "paypal"}, 2, "must be ccpayment or coinpayments"},
		"no port":        {[]string{"--to", "localhost"}, 2, "host and a port"},
		"a Caddyfile":    {[]string{"--to", "localhost:3000 {\n}"}, 2, "host and a port"},
		"for all to use": {[]string{"--to", "localhost:3000", "--listen", "0.0.0.0:8080"}, 2, "others could reach it"},
		"a busy port":    {[]string{"--to", "localhost:3000", "--listen", busy.Listener.Addr().String()}, 4, "in use"},
		"an argument":    {[]string{"localhost:3000"}, 2, "unknown argument"},
	} {
		t.Run(name, func(t *testing.T) {
			_, errs, code := ccpayment(t, "", append([]string{"dev"}, c.args...)...)
			if code != c.code || !strings.Contains(errs, c.says) {
				t.Errorf("exit code %d, want %d and %q; it printed\n%s", code, c.code, c.says, errs)
			}
		})
	}
}
