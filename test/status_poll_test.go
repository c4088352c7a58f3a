package test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// buyers is a site whose buyers pay a fixed price and wait for their payment.
const buyers = `http://127.0.0.1:{$PORT} {
	ccpayment_webhook /hook {$APP}
	ccpayment_status /status
	ccpayment_checkout /buy {
		price 5
	}
	respond ok
}
`

var inFlight = regexp.MustCompile(`(?m)^caddy_http_requests_in_flight\{.*\} 1$`)

// poll is the reply to a buyer's page that waits.
type poll struct {
	status int
	body   string
	err    error
	at     time.Time
}

// startPoll orders something and has the buyer's page wait for the payment, as long as
// it may. It returns when Caddy has the request.
func startPoll(t *testing.T) (s *server, config string, reply <-chan poll) {
	t.Helper()
	box, err := sandbox.New(sandbox.Options{AppID: appID, AppSecret: appSecret})
	if err != nil {
		t.Fatal(err)
	}
	api := httptest.NewServer(box)
	t.Cleanup(func() { api.Close(); box.Close() })
	s = newServer(t, startApp(t).url)
	config = strings.Replace(globals, "ccpayment {", "ccpayment {\n\t\tbase_url "+api.URL+"/ccpayment/v2", 1) + buyers
	s.start(config)
	root := strings.TrimSuffix(s.hook, "/hook")
	response, err := processtest.Once.Post(root+"/buy", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var order struct {
		Token string `json:"status_token"`
	}
	if err := json.NewDecoder(response.Body).Decode(&order); err != nil || response.StatusCode != http.StatusCreated {
		t.Fatalf("no order: %d %v", response.StatusCode, err)
	}
	done := make(chan poll, 1)
	go func() {
		response, err := processtest.Once.Get(root + "/status?wait=55s&t=" + order.Token)
		p := poll{err: err}
		if err == nil {
			defer response.Body.Close()
			var text []byte
			text, p.err = io.ReadAll(response.Body)
			p.status, p.body = response.StatusCode, string(text)
		}
		p.at = time.Now()
		done <- p
	}()
	processtest.Until(t, "Caddy has the request that waits", func() bool {
		response, err := processtest.Once.Get("http://" + s.admin + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		return err == nil && inFlight.Match(text)
	})
	return s, config, done
}

// wants fails the test unless the page got the order's state as it is.
func (p poll) wants(t *testing.T) {
	t.Helper()
	if p.err != nil || p.status != http.StatusOK || !strings.Contains(p.body, `"state":"unpaid"`) {
		t.Errorf("the page that waited got %d %s, %v", p.status, p.body, p.err)
	}
}

// atOnce is far less than the page would wait, and than Docker waits before it kills.
const atOnce = 8 * time.Second

// Case 21: a buyer's page that waits for a payment does not hold up the end of Caddy,
// with no grace_period.
func TestCase21_ExitWithAnOpenPoll(t *testing.T) {
	t.Parallel()
	s, _, reply := startPoll(t)
	began := time.Now()
	s.End(t, syscall.SIGTERM)
	if took := time.Since(began); s.Err != nil || took > atOnce {
		t.Errorf("Caddy ended after %s with %v\n%s", took, s.Err, s.Output.Tail())
	}
	(<-reply).wants(t)
}

// Case 21: nor does it keep a configuration that was replaced.
func TestCase21_ReloadWithAnOpenPoll(t *testing.T) {
	t.Parallel()
	s, config, reply := startPoll(t)
	began := time.Now()
	if err := s.load(config + "# another\n"); err != nil {
		t.Fatal(err)
	}
	p := <-reply
	p.wants(t)
	if took := p.at.Sub(began); took > atOnce {
		t.Errorf("the page got its answer %s after the reload", took)
	}
	s.stop()
}
