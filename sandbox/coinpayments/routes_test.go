package coinpayments_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	client "github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox/coinpayments"
)

var placeholder = regexp.MustCompile(`{[^}]*}`)

// TestEveryRouteOfTheClient: what the client and the API proxy call is served.
func TestEveryRouteOfTheClient(t *testing.T) {
	w := start(t)
	for _, route := range client.Routes() {
		path := strings.TrimPrefix(placeholder.ReplaceAllString(route.Pattern, "x"), "/api")
		got := w.call(route.Method, path, "{}")
		if got.status == 404 && strings.Contains(got.Str("detail"), "is no route") || got.status == 405 {
			t.Errorf("%s: %d %s", route, got.status, got.Str("detail"))
		}
	}
}

// TestAnswersWithoutAnExample: the client reads the answers that the reference has no example of.
func TestAnswersWithoutAnExample(t *testing.T) {
	w := start(t)
	api, err := client.New(client.Credentials{ClientID: clientID, ClientSecret: secret}, client.WithBaseURL(w.url+coinpayments.BasePath))
	if err != nil {
		t.Fatal(err)
	}
	if fee, err := api.BlockchainFee(t.Context(), "1002"); err != nil || !fee.Equal(decimal.RequireFromString("0.0001")) {
		t.Errorf("the fee is %s, %v", fee, err)
	}
	id, _ := w.wallet("1002", "")
	if err := w.Credit(id, decimal.New(3, 0)); err != nil {
		t.Fatal(err)
	}
	balance, err := api.WalletBalance(t.Context(), id, time.Now().Add(time.Hour))
	if err != nil || !balance.ConfirmedBalance.Value.Equal(decimal.New(3, 0)) || balance.ConfirmedBalance.CurrencySymbol != "LTCT" {
		t.Errorf("the balance is %+v, %v", balance, err)
	}
}
