package checkout

import (
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Session is a checkout session: an order at the gateway, and the checkout page
// where a buyer pays it.
type Session struct {
	ledger.GatewayOrder
	// OrderID is the app's own, without the account's prefix.
	OrderID string
	// Symbol is what people call the price's unit, PaySymbol the coin to pay in;
	// PaySymbol is empty where the buyer picks it.
	Symbol, PaySymbol string
	// Price is what is left to pay.
	Price string
	// Token is what the buyer's page asks for the order's status with.
	Token string
	// IsNew: this call made the order at the gateway. Of the calls that share one
	// session, one at most has it.
	IsNew bool
}

// View is a checkout session in JSON, for programs.
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

// ViewOf returns the session for programs.
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
