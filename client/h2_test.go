package client_test

import (
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/internal/apiclient/apiclienttest"
)

// TestHTTP2NeverSendsAgain: net/http repeats a request by itself when its
// stream is reset, even one that the server has read. Not with a withdrawal.
func TestHTTP2NeverSendsAgain(t *testing.T) {
	for _, code := range []http2.ErrCode{http2.ErrCodeProtocol, http2.ErrCodeRefusedStream, http2.ErrCodeInternal} {
		api := apiclienttest.NewResettingAPI(t, code)
		c, err := client.New(client.Credentials{AppID: appID, AppSecret: secret}, client.WithBaseURL(api.URL),
			client.WithHTTPClient(api.Client(t)), client.WithTimeout(5*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Withdraw(t.Context(), client.WithdrawalRequest{
			OrderID: "payout-1", CoinID: usdt, Chain: "TRX", Address: "TRPKg7eGMy9aZS2RumSPeWoyVkDqTVwLgL", Amount: amount("25"),
		})
		if !errors.Is(err, client.ErrOutcomeUnknown) {
			t.Errorf("%v: %v", code, err)
		}
		if n := api.Requests(); n != 1 {
			t.Errorf("%v: the withdrawal was sent %d times", code, n)
		}
	}
}

// TestUntrustedServer: a certificate that is not trusted ends the handshake
// before anything is sent.
func TestUntrustedServer(t *testing.T) {
	api := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a request came") }))
	t.Cleanup(api.Close)
	c, err := client.New(client.Credentials{AppID: appID, AppSecret: secret}, client.WithBaseURL(api.URL), client.WithTries(1))
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.WithdrawToCwallet(t.Context(), cwallet)
	var certificate *tls.CertificateVerificationError
	if !errors.As(err, &certificate) || errors.Is(err, client.ErrOutcomeUnknown) {
		t.Errorf("the error is %v", err)
	}
}

// TestAnotherRecord: an answer about something else is none.
func TestAnotherRecord(t *testing.T) {
	c := newFakeAPI(t, say(`{"code":10000,"data":{"record":{"recordId":"other","orderId":"payout-other","status":"Success"},"asset":{"coinId":7}}}`)).dial(t)
	var senseless *client.AnswerError
	if _, err := c.WithdrawalRecord(t.Context(), client.ByOrder("payout-1")); !errors.As(err, &senseless) {
		t.Errorf("by order: %v", err)
	}
	if _, err := c.DepositRecord(t.Context(), "mine"); !errors.As(err, &senseless) {
		t.Errorf("by record: %v", err)
	}
	if _, err := c.Balance(t.Context(), usdt); !errors.As(err, &senseless) {
		t.Errorf("of a coin: %v", err)
	}
}

// TestProofTakesTime: that an order is not there proves nothing as long as the
// request may still be carried out.
func TestProofTakesTime(t *testing.T) {
	began := time.Now()
	_, err := newFakeAPI(t, cut).dial(t).WithdrawToCwallet(t.Context(), cwallet)
	var unknown *client.OutcomeUnknownError
	if !errors.As(err, &unknown) || unknown.ProvenAfter.Sub(began) < 4*time.Minute {
		t.Errorf("the error is %+v", err)
	}
}
