package client_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/client"
)

// fakeAPI is a CCPayment that gives one answer to everything, and keeps what it
// was sent.
type fakeAPI struct {
	*httptest.Server
	mu       sync.Mutex
	requests []sentRequest
}

type sentRequest struct {
	method string
	path   string
	header http.Header
	body   []byte
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
		api.requests = append(api.requests, sentRequest{r.Method, r.RequestURI, r.Header.Clone(), body})
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
func (api *fakeAPI) dial(t testing.TB, options ...client.Option) *client.Client {
	t.Helper()
	options = append([]client.Option{client.WithBaseURL(api.URL + "/ccpayment/v2")}, options...)
	c, err := client.New(client.Credentials{AppID: appID, AppSecret: secret}, options...)
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

// agreed is an answer that satisfies all endpoints but getWithdrawFee.
const agreed = `{"code":10000,"msg":"success","data":{
	"recordId":"20240312090950176747809258812620","record":{"recordId":"20240312090950176747809258812620"},
	"address":"TAkmn3f8bgwMAwdVrGfUVSRg4W2XwqgHGc","invoiceUrl":"https://pay.example/1",
	"orderId":"order-1","price":"1","amountToPay":"1","addrIsValid":true,"records":[],"coinIdOut":1329,
	"coin":{"coinId":1280},"asset":{"coinId":1280},
	"coins":[],"assets":[],"fiats":[],"chains":[],"cwalletUserId":"9558861"}}`

// agree answers so that every endpoint is satisfied: one of them has a fee of
// another shape than the others.
func agree(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/getWithdrawFee") {
		say(`{"code":10000,"data":{"fee":{"coinId":1280}}}`)(w, r)
		return
	}
	say(agreed)(w, r)
}

const html = "<html><body>502 Bad Gateway</body></html>"

// cut closes the connection without an answer.
func cut(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// hang answers nothing until the client goes away.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
