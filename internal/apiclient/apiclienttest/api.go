// Package apiclienttest is what the tests of the clients of payment APIs share: servers in
// the place of an API, and a comparison of what a client read with what it was sent.
package apiclienttest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// API is a server that gives one answer to everything, and keeps what it was sent.
type API struct {
	*httptest.Server
	mu       sync.Mutex
	requests []Request
}

// Request is a request as it reached the server.
type Request struct {
	Method string
	URI    string // as it stood in the request line
	Header http.Header
	Body   []byte
}

// NewAPI starts a server, which ends with the test.
func NewAPI(t testing.TB, answer http.HandlerFunc) *API {
	t.Helper()
	api := &API{}
	api.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("reading the request: %v", err)
		}
		api.mu.Lock()
		api.requests = append(api.requests, Request{r.Method, r.RequestURI, r.Header.Clone(), body})
		api.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(api.Close)
	return api
}

// Sent returns the requests that reached the server so far.
func (api *API) Sent() []Request {
	api.mu.Lock()
	defer api.mu.Unlock()
	return append([]Request(nil), api.requests...)
}

// Say answers with a body, as JSON over HTTP 200.
func Say(body string) http.HandlerFunc { return SayWith(http.StatusOK, "application/json", body) }

// SayWith answers with a body.
func SayWith(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// SayInTurn gives each answer once, and the last one from then on.
func SayInTurn(answers ...http.HandlerFunc) http.HandlerFunc {
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

// Cut closes the connection without an answer.
func Cut(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// Hang answers nothing until the client goes away.
func Hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// Truncate breaks the body off.
func Truncate(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, body)
	}
}

// Transport is a function as a transport of somebody else's.
type Transport func(*http.Request) (*http.Response, error)

// RoundTrip implements [http.RoundTripper].
func (f Transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
