package ccpayment_test

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
	"go.uber.org/goleak"

	_ "github.com/seed-338f6760/caddy-ccpayment"
	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
)

func TestMain(m *testing.M) {
	// Caddy's storage ends the watch over its lock file some seconds late.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/caddyserver/certmagic.keepLockfileFresh"))
}

const (
	appID  = "app-123"
	secret = "secret-456"
	// patience is longer than anything here takes; only a failing test uses it up.
	patience = processtest.Patience
)

// setup is what a test's Caddyfile has beyond the usual. In every text $APP is
// the app's address, $PORT and $ADMIN are free ports, and $DIR is a new folder.
type setup struct {
	global  string // global options
	account string // options of the global option ccpayment
	store   string // instead of the usual store
	webhook string // options of the directive
	confirm bool   // leave confirm at its default, on; only in the usual site
	site    string // instead of the usual site
	app     http.HandlerFunc
}

const usualSite = `http://:$PORT {
	bind 127.0.0.1
	ccpayment_webhook /hook {
		$CONFIRM
		$WEBHOOK
	}
	reverse_proxy $APP
}`

func (s setup) caddyfile() string {
	site, store := s.site, s.store
	if site == "" {
		site = usualSite
	}
	if store == "" {
		store = "store bolt {\n path $DIR/ledger.db\n }"
	}
	global := s.global
	if !strings.Contains(global, "admin ") {
		global += "\nadmin off"
	}
	confirm := "confirm off"
	if s.confirm {
		confirm = ""
	}
	return "{\n" + global + `
	auto_https off
	persist_config off
	storage file_system $DIR/storage
	grace_period 5s
	log {
		level DEBUG
		format json
		output file $DIR/caddy.log {
			roll_disabled
		}
	}
	ccpayment {
		app_id ` + appID + `
		app_secret ` + secret + "\n" + store + "\n" + s.account + `
	}
}
` + strings.NewReplacer("$CONFIRM", confirm, "$WEBHOOK", s.webhook).Replace(site) + "\n"
}

// server is Caddy in this process, with an app behind it.
type server struct {
	t      *testing.T
	app    *app
	dir    string
	addr   string
	admin  string
	client *http.Client
	names  *strings.Replacer

	isLoaded bool
}

// start runs Caddy until the test ends.
func start(t *testing.T, s setup) *server {
	t.Helper()
	srv := &server{t: t, app: newApp(t, s.app), dir: t.TempDir()}
	srv.addr, srv.admin = freeAddr(t), freeAddr(t)
	srv.client = newClient(t)
	srv.names = strings.NewReplacer("$APP", srv.app.Listener.Addr().String(), "$DIR", srv.dir,
		"$PORT", port(srv.addr), "$ADMIN", srv.admin)
	t.Cleanup(func() {
		// Stop leaves the admin endpoint running; a configuration without one ends it.
		if err := caddy.Load([]byte(`{"admin":{"disabled":true,"config":{"persist":false}}}`), true); err != nil {
			t.Errorf("ending the admin endpoint: %v", err)
		}
		if err := caddy.Stop(); err != nil {
			t.Errorf("stopping Caddy: %v", err)
		}
	})
	srv.load(s)
	return srv
}

// load replaces the running configuration.
func (s *server) load(setup setup) {
	s.t.Helper()
	before := 0
	if s.isLoaded {
		before = listeners(s.addr)
	}
	if err := caddy.Load(adapt(s.t, s.names.Replace(setup.caddyfile())), true); err != nil {
		s.t.Fatalf("loading the configuration: %v", err)
	}
	// Caddy closes the former listener behind a reload, and with it resets the
	// connections that it had not yet taken.
	s.client.CloseIdleConnections()
	if s.isLoaded {
		await(s.t, "the former listener is closed", func() bool { return listeners(s.addr) <= max(before, 1) })
	}
	s.isLoaded = true
}

// listeners counts the sockets that listen on an IPv4 address, where the system
// has a list of them; elsewhere Caddy's listeners share one.
func listeners(addr string) int {
	sockets, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		return 0
	}
	host, port, _ := net.SplitHostPort(addr)
	number, _ := strconv.Atoi(port)
	return strings.Count(string(sockets), fmt.Sprintf(" %08X:%04X 00000000:0000 0A ",
		binary.NativeEndian.Uint32(net.ParseIP(host).To4()), number))
}

func adapt(t *testing.T, caddyfile string) []byte {
	t.Helper()
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), nil)
	if err != nil {
		t.Fatalf("adapting: %v\n%s", err, caddyfile)
	}
	return config
}

func freeAddr(t *testing.T) string {
	t.Helper()
	return net.JoinHostPort("127.0.0.1", processtest.Ports(t, 1)[0])
}

func port(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}

func newClient(t *testing.T) *http.Client {
	transport := &http.Transport{MaxIdleConnsPerHost: 1000, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

// app is the app behind Caddy. It records every request before it responds.
type app struct {
	*httptest.Server

	mu       sync.Mutex
	requests []received
	answer   http.HandlerFunc
}

type received struct {
	method, uri, host string
	header, trailer   http.Header
	body              string
}

func newApp(t *testing.T, answer http.HandlerFunc) *app {
	a := &app{}
	a.answers(answer)
	a.Server = httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(a.Close)
	return a
}

func (a *app) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	a.mu.Lock()
	a.requests = append(a.requests, received{r.Method, r.RequestURI, r.Host, r.Header.Clone(), r.Trailer.Clone(), string(body)})
	answer := a.answer
	a.mu.Unlock()
	answer(w, r)
}

// answers sets how the app responds from now on; nil: with 200.
func (a *app) answers(answer http.HandlerFunc) {
	if answer == nil {
		answer = status(http.StatusOK)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer = answer
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func (a *app) received() []received {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]received(nil), a.requests...)
}

// wants fails the test unless the app was called n times, and returns the calls.
func (a *app) wants(t *testing.T, n int) []received {
	t.Helper()
	got := a.received()
	if len(got) != n {
		t.Fatalf("the app was called %d times, want %d: %+v", len(got), n, got)
	}
	return got
}

// delivery is a webhook as CCPayment sends it, or as an attacker does. An empty field
// is as CCPayment has it.
type delivery struct {
	method    string
	path      string
	appID     string
	secret    string
	timestamp string
	body      string
	header    http.Header // set last; a header without values is removed
}

func (d delivery) withDefaults() delivery {
	for _, option := range []struct {
		field *string
		value string
	}{
		{&d.method, http.MethodPost},
		{&d.path, "/hook"},
		{&d.appID, appID},
		{&d.secret, secret},
		{&d.timestamp, unix(0)},
		{&d.body, deposit("r1", "Success")},
	} {
		if *option.field == "" {
			*option.field = option.value
		}
	}
	return d
}

// sign returns the signature of the delivery.
func (d delivery) sign() string {
	return client.Sign(client.Credentials{AppID: d.appID, AppSecret: d.secret}, d.timestamp, []byte(d.body))
}

// raw returns the delivery as the text of a request over HTTP/1.1, with more
// header lines, that ends the connection.
func (d delivery) raw(lines ...string) string {
	d = d.withDefaults()
	lines = append([]string{
		d.method + " " + d.path + " HTTP/1.1", "Host: shop.example", "Connection: close",
		"Content-Type: application/json", "Content-Length: " + strconv.Itoa(len(d.body)),
		"Appid: " + d.appID, "Timestamp: " + d.timestamp, "Sign: " + d.sign(),
	}, lines...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n" + d.body
}

// unix is a time, so far from now, as the Timestamp header says it.
func unix(away time.Duration) string {
	return strconv.FormatInt(time.Now().Add(away).Unix(), 10)
}

func deposit(record, status string) string {
	return fmt.Sprintf(`{"type":"ApiDeposit","msg":{"recordId":%q,"orderId":"o-%s","status":%q,"isFlaggedAsRisky":false}}`, record, record, status)
}

// reply is an HTTP response as the client sees it.
type reply struct {
	status int
	header http.Header
	body   string
}

// wants fails the test unless the reply has this status, with Success exactly
// where it is 200, and Retry-After exactly where the sender may try again.
func (r reply) wants(t *testing.T, status int) {
	t.Helper()
	if r.status != status {
		t.Fatalf("answer %d %q, want %d", r.status, r.body, status)
	}
	if yes := r.body == "Success"; yes != (status == http.StatusOK) || !yes && strings.Contains(r.body, "Success") {
		t.Errorf("answer %d has the body %q", r.status, r.body)
	}
	if got, want := r.header.Get("Retry-After") != "", status >= 500; got != want {
		t.Errorf("answer %d has Retry-After %q", r.status, r.header.Get("Retry-After"))
	}
	if got := r.header.Get("Content-Type"); got != "text/plain; charset=utf-8" {
		t.Errorf("answer %d has Content-Type %q", r.status, got)
	}
}

func (s *server) deliver(d delivery) reply {
	s.t.Helper()
	reply, err := s.tryDeliver(d)
	if err != nil {
		s.t.Fatalf("delivering: %v", err)
	}
	return reply
}

// deliverAgain delivers after a reload, which may close connections: then, like
// CCPayment, it tries again.
func (s *server) deliverAgain(d delivery) (answer reply) {
	s.t.Helper()
	await(s.t, "Caddy answers", func() bool {
		var err error
		answer, err = s.tryDeliver(d)
		return err == nil
	})
	return answer
}

func (s *server) tryDeliver(d delivery) (reply, error) {
	d = d.withDefaults()
	request, err := http.NewRequest(d.method, "http://"+s.addr+d.path, strings.NewReader(d.body))
	if err != nil {
		return reply{}, err
	}
	request.Header = http.Header{
		"Content-Type": {"application/json"}, "User-Agent": {"CCPayment"},
		"Appid": {d.appID}, "Timestamp": {d.timestamp}, "Sign": {d.sign()},
	}
	for name, values := range d.header {
		request.Header[name] = values
	}
	response, err := s.client.Do(request)
	if err != nil {
		return reply{}, err
	}
	return readReply(response)
}

func readReply(response *http.Response) (reply, error) {
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return reply{response.StatusCode, response.Header, string(body)}, err
}

// begin sends a webhook in the background and returns the channel of its reply.
func (s *server) begin(d delivery) <-chan reply {
	answer := make(chan reply, 1)
	go func() {
		reply, err := s.tryDeliver(d)
		if err != nil {
			s.t.Errorf("delivering: %v", err)
		}
		answer <- reply
	}()
	return answer
}

// send writes a raw request and returns the raw response.
func (s *server) send(request string) string {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, request); err != nil {
		s.t.Fatalf("sending: %v", err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil && len(answer) == 0 { // a server that reads no further may reset the connection
		s.t.Fatalf("reading the answer: %v", err)
	}
	return string(answer)
}

// sendRaw is send that returns the parsed response.
func (s *server) sendRaw(request string) reply {
	s.t.Helper()
	answer := s.send(request)
	response, err := http.ReadResponse(bufio.NewReader(strings.NewReader(answer)), nil)
	if err != nil {
		s.t.Fatalf("reading the answer %q: %v", answer, err)
	}
	reply, err := readReply(response)
	if err != nil {
		s.t.Fatalf("reading the answer %q: %v", answer, err)
	}
	return reply
}

// logs returns what Caddy has logged.
func (s *server) logs() string {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, "caddy.log"))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

func get[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case value := <-from:
		return value
	case <-time.After(patience):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

// await returns when the condition holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	processtest.Until(t, what, holds)
}
