package coinpayments_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
)

const (
	clientID = "dc6a16e545c34187ba21a9edbbe484a5"
	secret   = "b3JkaW5hcnkgdGV4dCwgbm90IGRlY29kZWQgYmFzZTY0IQ=="
)

var credentials = coinpayments.Credentials{ClientID: clientID, ClientSecret: secret}

// fakeAPI is a CoinPayments that answers everything in one way, and keeps what it was
// sent.
type fakeAPI struct {
	*httptest.Server
	mu       sync.Mutex
	requests []sentRequest
}

type sentRequest struct {
	method string
	uri    string // as it stood in the request line
	header http.Header
	body   string
}

func newFakeAPI(t testing.TB, answer http.HandlerFunc) *fakeAPI {
	t.Helper()
	api := &fakeAPI{}
	api.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("reading the request: %v", err)
		}
		api.mu.Lock()
		api.requests = append(api.requests, sentRequest{r.Method, r.RequestURI, r.Header.Clone(), string(body)})
		api.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(api.Close)
	return api
}

// sent returns the requests that reached the server so far.
func (api *fakeAPI) sent() []sentRequest {
	api.mu.Lock()
	defer api.mu.Unlock()
	return append([]sentRequest(nil), api.requests...)
}

// dial returns a client that calls api with the credentials of the tests.
func (api *fakeAPI) dial(t testing.TB, options ...coinpayments.Option) *coinpayments.Client {
	t.Helper()
	options = append([]coinpayments.Option{coinpayments.WithBaseURL(api.URL + "/coinpayments")}, options...)
	c, err := coinpayments.New(credentials, options...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// say answers with a body, as JSON over HTTP 200.
func say(body string) http.HandlerFunc { return sayWith(http.StatusOK, "application/json", body) }

func sayWith(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// sayInTurn gives each answer once, and the last one from then on.
func sayInTurn(answers ...http.HandlerFunc) http.HandlerFunc {
	var mu sync.Mutex
	return func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		answer := answers[0]
		if len(answers) > 1 {
			answers = answers[1:]
		}
		mu.Unlock()
		answer(w, r)
	}
}
