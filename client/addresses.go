package client

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// Address is where a payer sends coins.
type Address struct {
	Address string `json:"address"`
	// Memo must stand in the payment where it is not empty (XRP, XLM, TON, …);
	// without it the payment is lost.
	Memo string `json:"memo"`
	Raw  json.RawMessage
}

func (a *Address) check() error {
	if a.Address == "" {
		return errors.New("it has no address")
	}
	return nil
}

// AddressRequest asks for a permanent address.
type AddressRequest struct {
	ReferenceID string // whose address it is in your system: 3 to 64 characters
	Chain       string // symbol of the chain, such as TRX or POLYGON
	NotifyURL   string // webhooks go here instead of to the console's URL; optional, at most 150 characters
}

// PermanentAddress gives the deposit address of a reference id on a chain, and
// makes it at the first call (getOrCreateAppDepositAddress). Payments come as
// DirectDeposit webhooks. An account has 1000 addresses unless CCPayment grants
// more ([ErrPaymentAddressNumTooMuch]).
func (c *Client) PermanentAddress(ctx context.Context, r AddressRequest) (Address, error) {
	p := c.params(endpointPermanentAddress)
	p.reference("referenceId", r.ReferenceID)
	p.plain("chain", r.Chain)
	p.link("notifyUrl", r.NotifyURL)
	var answer Address
	err := c.ask(ctx, p, "", &answer)
	return answer, err
}

// UserAddressRequest asks for an address of a user's wallet.
type UserAddressRequest struct {
	UserID    string // 5 to 64 characters, not beginning with "sys", not the app id
	Chain     string // symbol of the chain
	NotifyURL string // webhooks go here instead of to the console's URL; optional, at most 150 characters
}

// UserDepositAddress gives the deposit address of a user on a chain, and makes
// it, and the user, at the first call (getOrCreateUserDepositAddress). Payments
// come as UserDeposit webhooks. An account has 1000 user addresses.
func (c *Client) UserDepositAddress(ctx context.Context, r UserAddressRequest) (Address, error) {
	p := c.params(endpointUserDepositAddress)
	p.user("userId", r.UserID, false)
	p.plain("chain", r.Chain)
	p.link("notifyUrl", r.NotifyURL)
	var answer Address
	err := c.ask(ctx, p, "", &answer)
	return answer, err
}

// Unbinding is what [Client.UnbindAddress] took apart.
type Unbinding struct {
	Unbound []struct {
		Chain   string `json:"chain"`
		Address string `json:"address"`
	} `json:"unbound"`
	UnboundAt   time.Time `json:"unboundAt"`
	UserID      string    `json:"userID"`
	ReferenceID string    `json:"referenceID"`
	Raw         json.RawMessage
}

// UnbindAddress takes a deposit address away from the user or reference it
// belongs to, as one does with a risky address (addressUnbinding). On a chain
// of the Ethereum kind the same address goes on all of them. What is still paid
// to it goes to the merchant.
func (c *Client) UnbindAddress(ctx context.Context, chain, address string) (Unbinding, error) {
	p := c.params(endpointUnbindAddress)
	p.plain("chain", chain)
	p.plain("address", address)
	var answer Unbinding
	err := c.ask(ctx, p, "", &answer)
	return answer, err
}

// AddressIsValid reports whether an address can be paid to on a chain
// (checkWithdrawalAddressValidity).
func (c *Client) AddressIsValid(ctx context.Context, chain, address string) (bool, error) {
	p := c.params(endpointCheckAddress)
	p.plain("chain", chain)
	p.plain("address", address)
	var answer struct {
		Valid bool `json:"addrIsValid"`
	}
	err := c.ask(ctx, p, "", &answer)
	return answer.Valid, err
}
