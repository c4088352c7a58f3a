package examplegateway_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/seed-338f6760/caddy-ccpayment"
	examplegateway "github.com/seed-338f6760/caddy-ccpayment/examples/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

const secret = "secret-of-m-1"

// patience is longer than anything here takes.
const patience = 20 * time.Second

// paid is a webhook of a payment of an order of ours.
const paid = `{"type":"payment","payment":{"id":"p1","order":"shop-1","status":"paid","currency":"EUR","amount":"10.00"}}`

// TestPayment: the app is told once to fulfil a paid order, however many copies come
// at once, later, and after a reload; and the gateway gets its own yes.
func TestPayment(t *testing.T) {
	s := start(t, "")
	s.api.has("p1", "shop-1", "paid", "EUR", "10.00", "10.00")
	var copies sync.WaitGroup
	for range 8 {
		copies.Go(func() { s.deliver(paid).wants(t, 200, "OK") })
	}
	copies.Wait()
	s.deliver(paid).wants(t, 200, "OK")
	s.load()
	s.deliver(paid).wants(t, 200, "OK")

	calls := s.app.got()
	if len(calls) != 1 {
		t.Fatalf("the app was called %d times", len(calls))
	}
	for name, want := range map[string]string{
		"Ccpayment-Fulfill": "true", "Ccpayment-Confirmed": "true", "Ccpayment-Order-Id": "1", "Ccpayment-Record-Id": "p1",
		"Ccpayment-Order-State": "paid", "Ccpayment-Amount": "10", "Ccpayment-Order-Currency": "EUR", "Ccpayment-Risky": "",
	} {
		if got := calls[0].Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	s.neutral()
}

// TestPending: a payment that is not finished tells the app nothing to do, and its
// end does; a payment in another currency pays nothing.
func TestPending(t *testing.T) {
	s := start(t, "")
	s.api.has("p1", "shop-1", "pending", "EUR", "10.00", "10.00")
	s.deliver(strings.Replace(paid, `"paid"`, `"pending"`, 1)).wants(t, 200, "OK")
	s.deliver(paid).wants(t, 503, "")
	s.api.has("p1", "shop-1", "paid", "EUR", "10.00", "10.00")
	s.deliver(paid).wants(t, 200, "OK")
	s.api.has("p2", "shop-2", "paid", "USD", "10.00", "10.00")
	s.deliver(strings.NewReplacer("p1", "p2", "shop-1", "shop-2", "EUR", "USD").Replace(paid)).wants(t, 200, "OK")
	calls := s.app.got()
	if len(calls) != 3 {
		t.Fatalf("the app was called %d times", len(calls))
	}
	for i, want := range []string{"", "true", ""} {
		if got := calls[i].Header.Get("Ccpayment-Fulfill"); got != want {
			t.Errorf("call %d has Ccpayment-Fulfill %q, want %q", i, got, want)
		}
	}
	if got := calls[2].Header.Get("Ccpayment-Reason"); got != "other_unit" {
		t.Errorf("dollars for an order in euros have the reason %q", got)
	}
}

// TestHalves: the payment that completes an order tells the app to fulfil it, and the
// half before it does not.
func TestHalves(t *testing.T) {
	s := start(t, "")
	half := func(id string) string {
		return fmt.Sprintf(`{"id":%q,"order":"shop-1","status":"paid","currency":"EUR","amount":"5.00"}`, id)
	}
	var list []string
	for _, id := range []string{"p1", "p2"} {
		list = append(list, half(id))
		s.api.says("payments/"+id, 200, half(id))
		s.api.says("orders/shop-1", 200, `{"id":"shop-1","currency":"EUR","amount":"10.00","payments":[`+strings.Join(list, ",")+`]}`)
		s.deliver(`{"type":"payment","payment":`+half(id)+`}`).wants(t, 200, "OK")
	}
	var told []string
	for _, call := range s.app.got() {
		told = append(told, call.Header.Get("Ccpayment-Order-State")+call.Header.Get("Ccpayment-Fulfill"))
	}
	if got := strings.Join(told, ", "); got != "partial, paidtrue" {
		t.Errorf("the app was told %s", got)
	}
}

// TestRefused: what the gateway did not sign, or what can be read in two ways, is
// refused, and neither the app nor the API hears of it.
func TestRefused(t *testing.T) {
	s := start(t, "")
	s.api.has("p1", "shop-1", "paid", "EUR", "10.00", "10.00")
	now := strconv.FormatInt(time.Now().Unix(), 10)
	good := sign(secret, now, paid)
	twice := func(key, more string) string { return strings.Replace(paid, key, more+","+key, 1) }
	type headers = map[string][]string
	const sig, at = "X-Example-Signature", "X-Example-Timestamp"
	for name, c := range map[string]struct {
		body   string
		header headers
		status int
	}{
		"forged":                  {paid, headers{sig: {sign("guess", now, paid)}, at: {now}}, 401},
		"another body":            {paid + " ", headers{sig: {good}, at: {now}}, 401},
		"another time":            {paid, headers{sig: {good}, at: {"1" + now}}, 401},
		"digits moved":            {now[9:] + "." + paid, headers{sig: {good}, at: {now[:9]}}, 401},
		"old":                     {`{"type":"note"}`, headers{sig: {sign(secret, "1000000000", `{"type":"note"}`)}, at: {"1000000000"}}, 401},
		"no signature":            {paid, headers{at: {now}}, 400},
		"no time":                 {paid, headers{sig: {good}}, 400},
		"two signatures":          {paid, headers{sig: {good, good}, at: {now}}, 400},
		"two times":               {paid, headers{sig: {good}, at: {now, now}}, 400},
		"short":                   {paid, headers{sig: {good[:62]}, at: {now}}, 400},
		"not hex":                 {paid, headers{sig: {"zz" + good[2:]}, at: {now}}, 400},
		"in capitals":             {paid, headers{sig: {strings.ToUpper(good)}, at: {now}}, 400},
		"signed time":             {paid, headers{sig: {sign(secret, "+"+now, paid)}, at: {"+" + now}}, 400},
		"not JSON":                {paid[1:], nil, 400},
		"cut off":                 {paid[:len(paid)-1], nil, 400},
		"not UTF-8":               {strings.Replace(paid, "{", "{\"note\":\"\xff\",", 1), nil, 400},
		"a list":                  {"[" + paid + "]", nil, 400},
		"no payment":              {`{"type":"payment"}`, nil, 400},
		"a text for the payment":  {`{"type":"payment","payment":"{}"}`, nil, 400},
		"type twice":              {twice(`"type"`, `"type":"note"`), nil, 400},
		"payment twice":           {twice(`"payment":{`, `"payment":{}`), nil, 400},
		"id twice":                {twice(`"id"`, `"id":"p2"`), nil, 400},
		"id twice, in disguise":   {twice(`"id"`, `"\u0069d":"p2"`), nil, 400},
		"order twice":             {twice(`"order"`, `"order":"shop-2"`), nil, 400},
		"status twice":            {twice(`"status"`, `"status":"failed"`), nil, 400},
		"a path for an id":        {strings.Replace(paid, "p1", "../orders/shop-1", 1), nil, 400},
		"an amount that explodes": {strings.Replace(paid, "10.00", "1e999999999", 1), nil, 400},
		"an amount that is long":  {strings.Replace(paid, "10.00", strings.Repeat("9", 60), 1), nil, 400},
	} {
		if c.header == nil {
			c.header = headers{sig: {sign(secret, now, c.body)}, at: {now}}
		}
		answer := s.send(c.body, c.header)
		if answer.status != c.status || answer.body == "OK" {
			t.Errorf("%s: answered %d %q, want %d", name, answer.status, answer.body, c.status)
		}
	}
	if calls, asked := s.app.got(), s.api.got(); len(calls)+len(asked) > 0 {
		t.Errorf("the app was called %d times, and the API %d times", len(calls), len(asked))
	}
	s.neutral()
}

// TestBehind: while the API does not know the payment, or does not say what the
// webhook says, the app is not called; later it is.
func TestBehind(t *testing.T) {
	s := start(t, "")
	s.deliver(paid).wants(t, 503, "")
	s.api.has("p1", "shop-1", "paid", "EUR", "10.00", "10.00")
	s.api.says("payments/p1", 500, s.api.text("payments/p1"))
	s.deliver(paid).wants(t, 503, "")
	s.api.has("p2", "shop-1", "paid", "EUR", "10.00", "10.00")
	s.api.says("payments/p1", 200, s.api.text("payments/p2"))
	s.deliver(paid).wants(t, 503, "")
	s.api.has("p1", "shop-1", "paid", "EUR", "10.00", "10.00")
	s.api.says("payments/p1", 200, strings.Replace(s.api.text("payments/p1"), "10.00", "1e999999999", 1))
	s.deliver(paid).wants(t, 503, "")
	if calls := s.app.got(); len(calls) > 0 {
		t.Fatal("the app was called:", calls[0].Header)
	}
	s.api.has("p1", "shop-1", "paid", "EUR", "10.00", "10.00")
	s.deliver(paid).wants(t, 200, "OK")
	if calls := s.app.got(); len(calls) != 1 || calls[0].Header.Get("Ccpayment-Fulfill") != "true" {
		t.Fatalf("the app was called %d times", len(calls))
	}
	s.neutral()
}

// TestBackground: with deliver the gateway has its yes at once, and the app is called
// once the API knows the payment.
func TestBackground(t *testing.T) {
	s := start(t, "deliver {\n reverse_proxy $APP\n }\n retry {\n first 50ms\n max 100ms\n }")
	s.deliver(paid).wants(t, 200, "OK")
	until(t, "the API was asked twice", func() bool { return len(s.api.got()) > 1 })
	if calls := s.app.got(); len(calls) > 0 {
		t.Fatal("the app was called:", calls[0].Header)
	}
	s.api.has("p1", "shop-1", "paid", "EUR", "10.00", "10.00")
	until(t, "the app was called", func() bool { return len(s.app.got()) > 0 })
	s.deliver(paid).wants(t, 200, "OK")
	if calls := s.app.got(); len(calls) != 1 || calls[0].Header.Get("Ccpayment-Fulfill") != "true" {
		t.Fatalf("the app was called %d times", len(calls))
	}
	s.neutral()
}

// TestMistakes: a configuration that cannot work is refused, and says why.
func TestMistakes(t *testing.T) {
	t.Setenv("EXAMPLE_SECRET", secret)
	block := func(api, secret string) string {
		return "gateway example {\n merchant_id m-1\n api " + api + "\n secret " + secret + "\n }"
	}
	const api = "http://127.0.0.1:1"
	dir := t.TempDir()
	site := "http://127.0.0.1:1 {\n ccpayment_webhook /hook {\n account shop\n$OPTIONS\n }\n}\n"
	good := block(api, "{env.EXAMPLE_SECRET}")
	for options, want := range map[string]string{
		good + "|retry {\n first 1s\n }":                     "retry needs deliver: without it, Example Pay's retries are the retries",
		good + "|scheme rsa":                                 "Example Pay has one way to sign",
		good + "|sign example":                               "Example Pay's signature cannot be made here",
		good + "|allow_ips example":                          "Example Pay publishes no addresses",
		good + "\nwebhook_url https://shop.example/hook|":    "",
		"app_id a\n" + good:                                  "the account has a gateway: app_id and the like stand in its block",
		block(api, "{env.EXAMPLE_UNSET_SECRET}"):             `account "shop": secret is missing`,
		"gateway example {\n api " + api + "\n secret x\n }": `account "shop": merchant_id is missing`,
		block(api, "x\nsecret x"):                            "secret is given twice",
		block(api, "x\npassword x"):                          "password is given twice, or is none of merchant_id, secret and api",
		block("http://example.org", "x"):                     "neither https nor http://127.0.0.1:<port>",
		block("http://127.0.0.1:1@example.org", "x"):         "neither https nor http://127.0.0.1:<port>",
		"gateway nowhere":                                    "module not registered: ccpayment.gateways.nowhere",
	} {
		account, directive, _ := strings.Cut(options, "|")
		text := "{\n admin off\n storage file_system " + dir + "\n ccpayment {\n store bolt {\n path " + dir + "/ledger.db\n }\n account shop {\n" + account + "\n }\n }\n}\n" +
			strings.Replace(site, "$OPTIONS", directive, 1)
		config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), nil)
		if err == nil {
			err = validate(config)
		}
		if want == "" {
			if err != nil {
				t.Errorf("%s\nis refused: %v", options, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\nis answered with %v, want %s", options, err, want)
		} else if strings.Contains(err.Error(), "CCPayment") {
			t.Errorf("%s\nis at another gateway than %v", options, err)
		}
	}
}

// TestCaddyfile: the Caddyfile beside this file is one, and what it becomes has the
// placeholder and not the secret.
func TestCaddyfile(t *testing.T) {
	t.Setenv("EXAMPLE_SECRET", secret)
	t.Setenv("SHOP_TOKEN", "token")
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	text, err := os.ReadFile("Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	config, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt(text, map[string]any{"filename": "Caddyfile"})
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	if !bytes.Contains(config, []byte(`"secret":"{env.EXAMPLE_SECRET}"`)) || bytes.Contains(config, []byte(secret)) {
		t.Errorf("it becomes %s", config)
	}
	if err := validate(config); err != nil {
		t.Error(err)
	}
	readme, err := os.ReadFile("README.md")
	if err != nil || !bytes.Contains(readme, text) {
		t.Error("the README shows another Caddyfile", err)
	}
}

// TestAPI: the secret goes to the API alone; what it has not is not found; and a call
// ends in time. Without a client and an observer, too.
func TestAPI(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	t.Cleanup(elsewhere.Close)
	done := make(chan struct{})
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/payments/moved":
			http.Redirect(w, r, elsewhere.URL, http.StatusFound)
		case "/payments/slow":
			<-done
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(api.Close)
	t.Cleanup(func() { close(done) })
	module := examplegateway.Module{MerchantID: "m-1", Secret: secret, API: api.URL}
	var codes []string
	for _, o := range []gateway.OpenOptions{
		{Timeout: 2 * time.Second},
		{Timeout: 2 * time.Second, HTTP: new(http.Client), Observe: func(c gateway.Call) { codes = append(codes, c.Endpoint+" "+c.Code) }},
	} {
		account, err := module.Open(o)
		if err != nil {
			t.Fatal(err)
		}
		ask := func(id string) error {
			_, err := account.Record(t.Context(), gateway.Notice{Type: "payment", RecordID: id})
			return err
		}
		if err := ask("gone"); !errors.Is(err, gateway.ErrNotFound) {
			t.Errorf("what is not there is answered with %v", err)
		}
		if _, err := account.Order(t.Context(), "../payments/moved", nil); !errors.Is(err, gateway.ErrNotFound) {
			t.Errorf("an order by a path is answered with %v", err)
		}
		if err := ask("moved"); err == nil || errors.Is(err, gateway.ErrNotFound) {
			t.Errorf("a redirect is answered with %v", err)
		}
		begun := time.Now()
		if err := ask("slow"); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) > 20*time.Second {
			t.Errorf("an answer that does not come is answered after %s with %v", time.Since(begun), err)
		}
	}
	if got := strings.Join(codes, ", "); got != "payments http_404, payments http_302, payments timeout" {
		t.Errorf("observed: %s", got)
	}
}

// TestKept: what the gateway says of itself holds together, a body is read again as it
// was, and what names no record is told apart.
func TestKept(t *testing.T) {
	account, err := (&examplegateway.Module{MerchantID: "m-1", Secret: secret, API: "https://pay.example"}).Open(gateway.OpenOptions{Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if id := account.Info().AccountID; id != "example:m-1" {
		t.Errorf("the account is %s, as one of another gateway may be", id)
	}
	if bytes.Equal(account.Key("a"), account.Key("b")) || !bytes.Equal(account.Key("a"), account.Key("a")) {
		t.Error("keys do not belong to their purposes")
	}
	digests := make(map[string]bool)
	for _, body := range []string{`{"type":"note"}`, `{"type":"note","id":"1"}`, `{"type":"refund","id":"1"}`} {
		first, err1 := account.Read([]byte(body))
		again, err2 := account.Read([]byte(body))
		if err1 != nil || err2 != nil || first != again || first.Digest == "" || digests[first.Digest] {
			t.Errorf("%s is read as %+v and %+v: %v, %v", body, first, again, err1, err2)
		}
		digests[first.Digest] = true
	}
	n, err := account.Read([]byte(paid))
	if want := (gateway.Notice{Type: "payment", Status: "paid", RecordID: "p1", OrderID: "shop-1", CoinID: "EUR", Risk: ledger.NotRisky}); err != nil || n != want {
		t.Errorf("read %+v, %v", n, err)
	}
}

func sign(secret, at, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(at + "." + body))
	return hex.EncodeToString(mac.Sum(nil))
}

func validate(config []byte) error {
	var c caddy.Config
	if err := json.Unmarshal(config, &c); err != nil {
		return err
	}
	return caddy.Validate(&c)
}

// server is Caddy in this process, with an app behind it and an API beside it.
type server struct {
	t         *testing.T
	api       *api
	app       *recorder
	addr, dir string
	config    []byte
	answers   strings.Builder
	mu        sync.Mutex
}

// start runs Caddy until the test ends, with more options of the directive.
func start(t *testing.T, options string) *server {
	t.Helper()
	t.Setenv("EXAMPLE_SECRET", secret)
	s := &server{t: t, dir: t.TempDir(), api: newAPI(t), app: newRecorder(t)}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = listener.Addr().String()
	listener.Close()
	text := strings.NewReplacer("$OPTIONS", options).Replace(caddyfile)
	text = strings.NewReplacer("$ADDR", s.addr, "$DIR", s.dir, "$API", s.api.URL, "$APP", s.app.Listener.Addr().String()).Replace(text)
	if s.config, _, err = caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
	})
	s.load()
	return s
}

const caddyfile = `{
	admin off
	auto_https off
	persist_config off
	storage file_system $DIR/storage
	log {
		level DEBUG
		output file $DIR/caddy.log
	}
	ccpayment {
		store bolt {
			path $DIR/ledger.db
		}
		account shop {
			gateway example {
				merchant_id m-1
				secret {env.EXAMPLE_SECRET}
				api $API
			}
			order_prefix shop-
		}
	}
}
http://$ADDR {
	bind 127.0.0.1
	log
	ccpayment_webhook /hook {
		account shop
		$OPTIONS
	}
	reverse_proxy $APP
}
`

func (s *server) load() {
	s.t.Helper()
	if err := caddy.Load(s.config, true); err != nil {
		s.t.Fatal(err)
	}
}

type reply struct {
	status int
	body   string
	header http.Header
}

// wants fails the test unless the answer is this one; the body only where it is a yes.
func (r reply) wants(t *testing.T, status int, body string) {
	t.Helper()
	if r.status != status || body != "" && r.body != body || body == "" && r.body == "OK" {
		t.Errorf("answered %d %q, want %d %q", r.status, r.body, status, body)
	}
	if again := r.header.Get("Retry-After") != ""; again != (status >= 500) {
		t.Errorf("answered %d, and to try again: %t", r.status, again)
	}
}

// deliver sends a webhook as the gateway does.
func (s *server) deliver(body string) reply {
	now := strconv.FormatInt(time.Now().Unix(), 10)
	return s.send(body, http.Header{"X-Example-Signature": {sign(secret, now, body)}, "X-Example-Timestamp": {now}})
}

func (s *server) send(body string, header http.Header) reply {
	var answer reply
	until(s.t, "Caddy answers", func() bool { // a reload may close connections
		request, err := http.NewRequest(http.MethodPost, "http://"+s.addr+"/hook", strings.NewReader(body))
		if err != nil {
			return false
		}
		request.Header, request.Close = header.Clone(), true
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return false
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		answer = reply{response.StatusCode, string(text), response.Header}
		return err == nil
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers.WriteString(answer.body + "\n")
	return answer
}

// aSignature stands in the access log where it shows a webhook.
var aSignature = regexp.MustCompile(`"X-Example-Signature":\["[0-9a-f]{64}"\]`)

// neutral fails the test where an answer or a log line speaks of another gateway, or
// shows the secret or a signature.
func (s *server) neutral() {
	s.t.Helper()
	logs, err := os.ReadFile(filepath.Join(s.dir, "caddy.log"))
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(s.answers.String() + string(logs)) {
		if strings.Contains(line, "CCPayment") || strings.Contains(line, secret) || aSignature.MatchString(line) {
			s.t.Errorf("said: %s", line)
		}
	}
}

// recorder is a server that notes what it is asked.
type recorder struct {
	*httptest.Server
	mu    sync.Mutex
	calls []*http.Request
}

func newRecorder(t *testing.T) *recorder {
	r := new(recorder)
	r.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) { r.note(request) }))
	t.Cleanup(r.Close)
	return r
}

func (r *recorder) note(request *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, request)
}

func (r *recorder) got() []*http.Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]*http.Request(nil), r.calls...)
}

// api is Example Pay's API. What it was not told of it does not know.
type api struct {
	recorder
	answers map[string]reply
}

func newAPI(t *testing.T) *api {
	a := &api{answers: make(map[string]reply)}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.note(r)
		a.mu.Lock()
		answer, known := a.answers[strings.TrimPrefix(r.URL.Path, "/")]
		a.mu.Unlock()
		switch {
		case r.Header.Get("Authorization") != "Bearer "+secret:
			w.WriteHeader(http.StatusUnauthorized)
		case !known:
			w.WriteHeader(http.StatusNotFound)
		default:
			w.WriteHeader(answer.status)
			fmt.Fprint(w, answer.body)
		}
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *api) says(path string, status int, body string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answers[path] = reply{status: status, body: body}
}

func (a *api) text(path string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.answers[path].body
}

// has makes a payment and its order, which is due in euros.
func (a *api) has(id, order, status, currency, amount, due string) {
	payment := fmt.Sprintf(`{"id":%q,"order":%q,"status":%q,"currency":%q,"amount":%q}`, id, order, status, currency, amount)
	a.says("payments/"+id, 200, payment)
	a.says("orders/"+order, 200, fmt.Sprintf(`{"id":%q,"currency":"EUR","amount":%q,"payments":[%s]}`, order, due, payment))
}

func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Error("in vain:", what) // from whatever goroutine
			return
		}
	}
}
