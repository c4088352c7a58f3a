package ccpayment_test

import (
	"testing"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// TestTestCoins: a coin that is worth nothing fulfils an order, and is credited, only on an
// account that is for tests, whose events all say so.
func TestTestCoins(t *testing.T) {
	for option, want := range map[string]struct{ testing, flag, reason string }{"": {"", "", "test_coin"}, "testing on": {"true", "true", ""}} {
		t.Run(option, func(t *testing.T) {
			box, c, base := newSandbox(t, 1)
			s := start(t, setup{account: "base_url " + base + "\n" + option, confirm: true})
			if err := box.SetWebhookURL("http://" + s.addr + "/hook"); err != nil {
				t.Fatal(err)
			}
			address, err := c.PermanentAddress(t.Context(), client.AddressRequest{ReferenceID: "user-1", Chain: "ETH_SEPOLIA"})
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.CreateInvoice(t.Context(), client.InvoiceRequest{OrderID: "order-1", Price: decimal.New(1, 0), PriceCoinID: "1891"})
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range []sandbox.Payment{{OrderID: "order-1", Coin: "TETH"}, {Address: address.Address, Coin: "TETH", Amount: decimal.New(1, 0)}} {
				p.Instant, p.Wait = true, patience
				if _, err := box.Pay(t.Context(), p); err != nil {
					t.Fatal(err)
				}
			}
			calls := s.app.wants(t, 4) // each was first processing
			calls[1].says(t, map[string]string{"Ccpayment-Fulfill": want.flag, "Ccpayment-Reason": want.reason, "Ccpayment-Coin": "TETH"})
			calls[3].says(t, map[string]string{"Ccpayment-Credit": want.flag, "Ccpayment-Reason": want.reason, "Ccpayment-Reference-Id": "user-1"})
			for _, call := range calls {
				call.says(t, map[string]string{"Ccpayment-Testing": want.testing})
			}
		})
	}
}
