package confirm

import "github.com/seed-338f6760/caddy-ccpayment/ledger"

// Header is a header of the request to the app about what was confirmed.
type Header struct{ Name, Value string }

// Headers returns the headers of the request to the app about what was confirmed. A
// flag that is not set and a text that is empty have no header.
func Headers(c *ledger.Confirmation) []Header {
	if c == nil {
		return nil
	}
	var list []Header
	add := func(name, value string) {
		if value != "" {
			list = append(list, Header{name, value})
		}
	}
	flag := func(name string, set bool) {
		if set {
			add(name, "true")
		}
	}
	flag("Ccpayment-Confirmed", true)
	add("Ccpayment-Coin", c.Coin)
	add("Ccpayment-Chain", c.Chain)
	add("Ccpayment-Txid", c.TxID)
	add("Ccpayment-Amount", c.Amount)
	add("Ccpayment-Fee", c.Fee)
	add("Ccpayment-Usd-Price", c.USDPrice)
	add("Ccpayment-Order-State", c.OrderState)
	add("Ccpayment-Order-Amount-Due", c.OrderDue)
	add("Ccpayment-Order-Amount-Paid", c.OrderPaid)
	add("Ccpayment-Order-Currency", c.OrderCurrency)
	flag("Ccpayment-Order-Late", c.OrderLate)
	flag("Ccpayment-Fulfill", c.Fulfill)
	flag("Ccpayment-Credit", c.Credit)
	add("Ccpayment-Payout", c.Payout)
	add("Ccpayment-Reason", c.Reason)
	return list
}
