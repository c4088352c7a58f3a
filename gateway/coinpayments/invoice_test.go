package coinpayments

import (
	"testing"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
)

// TestCurrencyIDs: the contract of a token counts without case where it is hexadecimal, and
// with it elsewhere.
func TestCurrencyIDs(t *testing.T) {
	terms := func(id string) string {
		order := new(V2).order(coinpayments.Invoice{Currency: coinpayments.InvoiceCurrency{ID: id}, Amount: coinpayments.InvoiceAmount{Total: decimal.New(1, 0)}})
		return order.Terms.CoinID
	}
	for _, test := range []struct {
		a, b string
		same bool
	}{
		{"4:0xDAC17F958D2ee523a2206206994597c13d831ec7", "4:0xdac17f958d2ee523a2206206994597c13d831ec7", true},
		{"4:0XDAC1", "4:0xdac1", true},
		{"9:TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", "9:tr7nhqjekqxgtci8q8zy4pl8otszgjlj6t", false},
		{"4:0xdac1", "35:0xdac1", false},
		{"5057", "5195", false},
	} {
		if same := terms(test.a) == terms(test.b); same != test.same {
			t.Errorf("%s and %s are the same: %v", test.a, test.b, same)
		}
	}
}
