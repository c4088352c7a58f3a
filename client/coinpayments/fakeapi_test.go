package coinpayments_test

import (
	"net/http"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
	"github.com/seed-338f6760/caddy-ccpayment/internal/apiclient/apiclienttest"
)

const (
	clientID = "dc6a16e545c34187ba21a9edbbe484a5"
	secret   = "b3JkaW5hcnkgdGV4dCwgbm90IGRlY29kZWQgYmFzZTY0IQ=="
)

var credentials = coinpayments.Credentials{ClientID: clientID, ClientSecret: secret}

// fakeAPI is a CoinPayments that gives one answer to everything, and keeps what it was
// sent.
type fakeAPI struct{ *apiclienttest.API }

func newFakeAPI(t testing.TB, answer http.HandlerFunc) fakeAPI {
	t.Helper()
	return fakeAPI{apiclienttest.NewAPI(t, answer)}
}

// dial returns a client that calls api with the credentials of the tests.
func (api fakeAPI) dial(t testing.TB, options ...coinpayments.Option) *coinpayments.Client {
	t.Helper()
	options = append([]coinpayments.Option{coinpayments.WithBaseURL(api.URL + "/coinpayments")}, options...)
	c, err := coinpayments.New(credentials, options...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var (
	say       = apiclienttest.Say
	sayWith   = apiclienttest.SayWith
	sayInTurn = apiclienttest.SayInTurn
)
