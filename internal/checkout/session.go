package checkout

import (
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Session is a checkout session: an order at the gateway, and the checkout page
// where a buyer pays it.
type Session struct {
	ledger.GatewayOrder
	// OrderID is the app's id of the order, without the account's prefix.
	OrderID string
	// Symbol is the symbol of the price's unit, PaySymbol that of the coin to pay in;
	// PaySymbol is empty where the buyer picks the coin.
	Symbol, PaySymbol string
	// Price is what is left to pay, in the unit of Symbol.
	Price string
	// Token is the status token, by which the buyer's page reads the order's status.
	Token string
	// IsNew: this call made the order at the gateway. It is set for one at most of the
	// calls that share one session.
	IsNew bool
}

// View is a checkout session in JSON.
type View struct {
	OrderID     string     `json:"order_id"`
	CheckoutURL string     `json:"checkout_url"`
	Token       string     `json:"status_token"`
	ExpiresAt   *time.Time `json:"expires_at,omitempty"`
	Price       string     `json:"price"`
	Currency    string     `json:"currency"`
	Address     string     `json:"address,omitempty"`
	Memo        string     `json:"memo,omitempty"`
	Amount      string     `json:"amount,omitempty"`
	Coin        string     `json:"coin,omitempty"`
	Chain       string     `json:"chain,omitempty"`
}

// ViewOf returns the session as it is written in JSON.
func ViewOf(s Session) View {
	v := View{
		OrderID: s.OrderID, CheckoutURL: s.CheckoutURL, Token: s.Token, Price: s.Price, Currency: s.Symbol,
		Address: s.Address, Memo: s.Memo, Amount: s.Amount, Coin: s.PaySymbol, Chain: s.Terms.Chain,
	}
	if !s.ExpiresAt.IsZero() {
		at := s.ExpiresAt.UTC()
		v.ExpiresAt = &at
	}
	return v
}
