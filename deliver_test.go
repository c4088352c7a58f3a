package ccpayment_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/store/bolt"
)

const storedSite = `http://:$PORT {
	bind 127.0.0.1
	ccpayment_webhook /hook $APP {
		confirm off
		$WEBHOOK
	}
	respond 404
}`

func awaitCalls(t *testing.T, s *server, n int) []received {
	t.Helper()
	await(t, fmt.Sprintf("%d calls of the app", n), func() bool { return len(s.app.received()) >= n })
	return s.app.wants(t, n)
}

// TestStoreAndForward: the event is acknowledged, and delivered in the
// background as it came in.
func TestStoreAndForward(t *testing.T) {
	s := start(t, setup{site: storedSite, webhook: "token t0ken"})
	d := delivery{path: "/hook?from=ccpayment", header: http.Header{"X-Sneaky": {"1"}, "Ccpayment-Fulfill": {"true"}}}
	s.deliver(d).wants(t, http.StatusOK)
	got := awaitCalls(t, s, 1)[0]
	if got.method != http.MethodPost || got.uri != "/hook?from=ccpayment" || got.host != s.addr || got.body != d.withDefaults().body {
		t.Errorf("the app got %+v", got)
	}
	for name, want := range map[string]string{
		"Authorization": "Bearer t0ken", "Ccpayment-Attempt": "1", "Ccpayment-Attempt-Reason": "initial",
		"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http", "X-Forwarded-Host": s.addr, "X-Sneaky": "", "Ccpayment-Fulfill": "",
	} {
		if got.header.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, got.header.Get(name), want)
		}
	}
	s.deliverAgain(d).wants(t, http.StatusOK)
	s.app.wants(t, 1)
}

// TestAppDown: an event that the app refuses is delivered again, without CCPayment.
func TestAppDown(t *testing.T) {
	for name, no := range map[string]http.HandlerFunc{
		"500": status(http.StatusInternalServerError),
		"302": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login", http.StatusFound) },
		"404": status(http.StatusNotFound),
		"429": status(http.StatusTooManyRequests),
		"dies in the middle": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("half"))
			panic(http.ErrAbortHandler)
		},
		"hangs up": func(w http.ResponseWriter, _ *http.Request) {
			if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
				_ = conn.Close()
			}
		},
		"is slow":              func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"says the wrong thing": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("sorry")) },
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, setup{site: storedSite, app: no, webhook: "ack taken\ntimeout 200ms\nretry {\nfirst 20ms\n}"})
			s.deliver(delivery{}).wants(t, http.StatusOK)
			await(t, "two attempts", func() bool { return len(s.app.received()) >= 2 })
			taken := make(chan http.Header, 100)
			s.app.answers(func(w http.ResponseWriter, r *http.Request) {
				_, _ = w.Write([]byte("taken"))
				taken <- r.Header
			})
			if got := <-taken; got.Get("Ccpayment-Attempt-Reason") != "retry" {
				t.Errorf("the app got %v", got)
			}
		})
	}
}

// TestReloadHandsOn: a new configuration delivers the events that the old one has not;
// a configuration that fails changes nothing.
func TestReloadHandsOn(t *testing.T) {
	s := start(t, setup{site: storedSite, webhook: "retry {\nfirst 20ms\n}", app: func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer new" {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}})
	s.deliver(delivery{}).wants(t, http.StatusOK)
	await(t, "an attempt", func() bool { return len(s.app.received()) >= 1 })
	s.load(setup{site: storedSite, webhook: "token new\nretry {\nfirst 20ms\n}"})
	await(t, "the new token", func() bool {
		all := s.app.received()
		return all[len(all)-1].header.Get("Authorization") == "Bearer new"
	})
	calls := len(s.app.received())
	s.deliverAgain(delivery{timestamp: fmt.Sprint(time.Now().Unix())}).wants(t, http.StatusOK)
	s.app.wants(t, calls)
}

// TestPanicInDeliver: a handler's panic costs one attempt, and not the process.
func TestPanicInDeliver(t *testing.T) {
	s := start(t, setup{site: `http://:$PORT {
		bind 127.0.0.1
		ccpayment_webhook /hook {
			confirm off
			deliver {
				route {
					test_panic
					reverse_proxy $APP
				}
			}
			retry {
				first 20ms
			}
		}
	}`})
	setPanicking(true)
	s.deliver(delivery{}).wants(t, http.StatusOK)
	await(t, "the panic", func() bool { return strings.Contains(s.logs(), "handing over panicked") })
	s.app.wants(t, 0)
	setPanicking(false)
	got := awaitCalls(t, s, 1)[0].header
	if got.Get("Ccpayment-Attempt") == "1" || got.Get("Ccpayment-Attempt-Reason") != "retry" {
		t.Errorf("it is attempt %s, %s", got.Get("Ccpayment-Attempt"), got.Get("Ccpayment-Attempt-Reason"))
	}
}

// TestOverTLS: an event that came over https is delivered as such, and not as early
// data.
func TestOverTLS(t *testing.T) {
	site := strings.NewReplacer("bind 127.0.0.1", "bind 127.0.0.1\ntls $DIR/cert.pem $DIR/key.pem", "http://:$PORT", "https://localhost:$PORT",
		"/hook $APP", "/hook", "confirm off", "confirm off\ndeliver {\n@local remote_ip 127.0.0.1\nreverse_proxy @local $APP\n}").Replace(storedSite)
	s := start(t, setup{site: "http://:$PORT {\n bind 127.0.0.1\n respond 200\n}"})
	certify(t, s.dir)
	s.load(setup{site: site})
	s.client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{InsecureSkipVerify: true, ServerName: "localhost"} //nolint:gosec // a certificate of the test's own
	d := delivery{}.withDefaults()
	r, err := http.NewRequest(http.MethodPost, "https://localhost:"+port(s.addr)+d.path, strings.NewReader(d.body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"Appid": {d.appID}, "Timestamp": {d.timestamp}, "Sign": {d.sign()}, "Content-Type": {"application/json"}}
	response, err := s.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	got := awaitCalls(t, s, 1)[0].header
	if response.StatusCode != http.StatusOK || got.Get("X-Forwarded-Proto") != "https" || got.Get("Early-Data") != "" {
		t.Errorf("%d, and the app got %v", response.StatusCode, got)
	}
}

// certify writes a certificate for localhost and its key into the folder.
func certify(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: cert}, "key.pem": {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestReloadFromTheApp: an app may reload Caddy while it has an event.
func TestReloadFromTheApp(t *testing.T) {
	usual := setup{site: storedSite}
	s := start(t, usual)
	var once sync.Once
	s.app.answers(func(http.ResponseWriter, *http.Request) {
		once.Do(func() { s.load(setup{site: storedSite, webhook: "token new"}) })
	})
	s.deliver(delivery{}).wants(t, http.StatusOK)
	record := 1
	await(t, "the new token", func() bool {
		record++
		_, _ = s.tryDeliver(delivery{body: fmt.Sprintf(`{"type":"ApiDeposit","msg":{"recordId":"%d","status":"Success"}}`, record)})
		all := s.app.received()
		return len(all) > 0 && all[len(all)-1].header.Get("Authorization") == "Bearer new"
	})
	for _, c := range s.app.received() {
		if c.header.Get("Ccpayment-Attempt") != "1" {
			t.Errorf("the app got attempt %s", c.header.Get("Ccpayment-Attempt"))
		}
	}
}

// TestFailedStart: a configuration that does not start delivers nothing.
func TestFailedStart(t *testing.T) {
	s := start(t, setup{site: "http://:$PORT {\n bind 127.0.0.1\n respond 200\n}", store: "store bolt {\n path $DIR/other.db\n }"})
	store, err := bolt.Open(filepath.Join(s.dir, "ledger.db"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	e := ledger.Event{
		Key:        ledger.Key{Record: ledger.Record{Route: "webhook", AppID: appID, Type: "ApiDeposit", ID: "1"}, Status: "success", Risk: ledger.NotRisky},
		Status:     "Success",
		ReceivedAt: time.Now(),
		Request:    ledger.Request{Method: http.MethodPost, URI: "/hook", Host: s.addr, RemoteAddr: "127.0.0.1:1"},
		Body:       []byte(`{"type":"ApiDeposit","msg":{"recordId":"1","status":"Success"}}`),
	}
	err = store.Accept(t.Context(), e.Key, func(*ledger.Event) *ledger.Change {
		return &ledger.Change{Event: e, Transitions: []ledger.Transition{{At: e.ReceivedAt, State: ledger.Received, Next: e.ReceivedAt}}}
	})
	if err := errors.Join(err, store.Close()); err != nil {
		t.Fatal(err)
	}
	failing := setup{site: storedSite + "\nhttp://" + s.app.Listener.Addr().String() + " {\n respond 200\n}"}
	for range 5 { // apps start in any order
		if err := caddy.Load(adapt(t, s.names.Replace(failing.caddyfile())), true); err == nil {
			t.Fatal("a port that is taken was no mistake")
		}
	}
	s.app.wants(t, 0)
	s.load(setup{site: storedSite})
	awaitCalls(t, s, 1)
}
