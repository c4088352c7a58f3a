package coinpayments

import (
	"errors"
	"io"
	"net/http"
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

// TestCurrenciesOnLaterPages: a currency is found on whichever page of the list it is, and so is
// one that makes a symbol ambiguous; a list that is the same for each page is one page.
func TestCurrenciesOnLaterPages(t *testing.T) {
	const (
		token  = `{"id":"9:0xfa4e","type":"token","symbol":"USD","decimalPlaces":2,"status":"active"}`
		zloty  = `{"id":"5040","type":"fiat","symbol":"PLN","status":"active"}`
		dollar = `{"id":"5057","type":"fiat","symbol":"USD","decimalPlaces":2,"status":"active"}`
		one    = `{"id":"7","type":"crypto","symbol":"TWO","status":"active"}`
		other  = `{"id":"8","type":"crypto","symbol":"TWO","status":"active"}`
		goesOn = `],"paging":{"cursor":{"after":"next"}}}`
	)
	listOf := func(page func(r *http.Request) string) *V2 {
		api := apiclienttest.NewAPI(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, page(r)) })
		return open(t, Config{BaseURL: api.URL})
	}
	v := listOf(func(r *http.Request) string {
		asked := r.URL.Query()
		first, second := token+","+one, other
		if asked.Get("types") == "fiat" {
			first, second = zloty, dollar
		}
		if asked.Get("after") == "" {
			return `{"items":[` + first + goesOn
		}
		return `{"items":[` + second + `]}`
	})
	terms, err := v.Terms(t.Context(), gateway.Price{Amount: "1", Currency: "USD"})
	if err != nil || terms.CoinID != "5057" {
		t.Errorf("a price in dollars is in %+v, %v", terms, err)
	}
	if terms, err := v.Terms(t.Context(), gateway.Price{Amount: "1", Currency: "TWO"}); err == nil {
		t.Errorf("an ambiguous symbol is taken for %+v", terms)
	}
	same := listOf(func(*http.Request) string { return `{"items":[` + dollar + goesOn })
	if _, err := same.Terms(t.Context(), gateway.Price{Amount: "1", Currency: "USD"}); err != nil {
		t.Error(err)
	}
}
