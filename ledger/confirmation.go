package ledger

import "time"

// Confirmation is what the gateway's own records said about an event, in the words
// of the headers that the app gets.
type Confirmation struct {
	// At is when the gateway was asked.
	At time.Time `json:"at"`

	Coin     string `json:"coin,omitempty"`
	Chain    string `json:"chain,omitempty"`
	TxID     string `json:"txid,omitempty"`
	Amount   string `json:"amount,omitempty"`
	Fee      string `json:"fee,omitempty"`
	USDPrice string `json:"usd_price,omitempty"`
	// Risk is that of the webhook and the record together.
	Risk Risk `json:"risky,omitempty"`

	// OrderState and the following are the order's, where there is one.
	OrderState    string `json:"order_state,omitempty"`
	OrderDue      string `json:"order_amount_due,omitempty"`
	OrderPaid     string `json:"order_amount_paid,omitempty"`
	OrderCurrency string `json:"order_currency,omitempty"`
	OrderLate     bool   `json:"order_late,omitempty"`

	// Fulfill, Credit and Payout are what the event carries; see [Flag].
	Fulfill bool   `json:"fulfill,omitempty"`
	Credit  bool   `json:"credit,omitempty"`
	Payout  string `json:"payout,omitempty"`
	// Reason is why a payment does not fulfil its order, in one word.
	Reason string `json:"reason,omitempty"`
}
