package client_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/internal/apiclient/apiclienttest"
)

// fakeAPI is a CCPayment that gives one answer to everything, and keeps what it
// was sent.
type fakeAPI struct{ *apiclienttest.API }

func newFakeAPI(t testing.TB, answer http.HandlerFunc) fakeAPI {
	t.Helper()
	return fakeAPI{apiclienttest.NewAPI(t, answer)}
}

// sent returns the requests that reached the server so far.
func (api fakeAPI) sent() []apiclienttest.Request { return api.Sent() }

// dial returns a client that calls api with the credentials of the tests.
func (api fakeAPI) dial(t testing.TB, options ...client.Option) *client.Client {
	t.Helper()
	options = append([]client.Option{client.WithBaseURL(api.URL + "/ccpayment/v2")}, options...)
	c, err := client.New(client.Credentials{AppID: appID, AppSecret: secret}, options...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var (
	say       = apiclienttest.Say
	sayWith   = apiclienttest.SayWith
	sayInTurn = apiclienttest.SayInTurn
	cut       = apiclienttest.Cut
	hang      = apiclienttest.Hang
)

// agreed is an answer that satisfies all endpoints but getWithdrawFee.
const agreed = `{"code":10000,"msg":"success","data":{
	"recordId":"20240312090950176747809258812620","record":{"recordId":"20240312090950176747809258812620"},
	"address":"TAkmn3f8bgwMAwdVrGfUVSRg4W2XwqgHGc","invoiceUrl":"https://pay.example/1",
	"orderId":"order-1","batchOrderId":"order-1","chain":"TRX","price":"1","amountToPay":"1","addrIsValid":true,"records":[],"coinIdOut":1329,
	"coin":{"coinId":1280},"asset":{"coinId":1280},
	"addressInfoResults":[{"seq":1,"codes":[]},{"seq":7,"codes":[14024]}],"coinChainList":[],
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
