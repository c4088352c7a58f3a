package coinpayments

import (
	"errors"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/apiclient/apiclienttest"
)

// TestDeletedCurrencies: what CoinPayments has no more is neither priced in nor paid in,
// however it is named.
func TestDeletedCurrencies(t *testing.T) {
	api := apiclienttest.NewAPI(t, apiclienttest.Say(`[
		{"id":"5057","type":"fiat","symbol":"USD","decimalPlaces":2,"status":"active"},
		{"id":"4","type":"crypto","symbol":"ETH","decimalPlaces":18,"status":"active"},
		{"id":"4:0xdac1","type":"token","symbol":"USDT.ERC20","decimalPlaces":6,"status":"Deleted"}]`))
	v := open(t, Config{BaseURL: api.URL})
	for field, price := range map[string]gateway.Price{
		"currency": {Amount: "1", Currency: "USDT.ERC20"},
		"coin":     {Amount: "1", Currency: "USD", Coin: "coin:4:0xdac1"},
		"chain":    {Amount: "1", Currency: "USD", Coin: "USDT", Chain: "ETH"},
	} {
		terms, err := v.Terms(t.Context(), price)
		var wrong *gateway.FieldError
		if !errors.As(err, &wrong) || wrong.Field != field {
			t.Errorf("%+v: %+v, %v", price, terms, err)
		}
	}
	if _, err := v.Terms(t.Context(), gateway.Price{Amount: "1", Currency: "USD", Coin: "ETH"}); err != nil {
		t.Error(err)
	}
}
