package coinpayments

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"time"
)

// WalletRequest asks for a wallet (reference, Wallets, Create wallet).
type WalletRequest struct {
	Currency string // id
	Label    string // at most 100 characters
	// UsePermanentAddresses keeps the addresses of account-based coins, which otherwise
	// go back to CoinPayments when they are not used. Their funds must be consolidated
	// before they can be spent.
	UsePermanentAddresses bool
	WebhookURL            string // optional: where webhooks about deposits go
}

// CreatedWallet is a wallet that was made.
type CreatedWallet struct {
	WalletID string `json:"walletId"`
	Address  string `json:"address"` // its first; empty where the chain has none yet
	Raw      json.RawMessage
}

// CreateWallet makes a wallet (POST /api/v2/merchant/wallets; reference, Wallets, Create
// wallet). Only the integration that made it can use it. It is never sent twice: see
// [OutcomeUnknownError].
func (c *Client) CreateWallet(ctx context.Context, r WalletRequest) (CreatedWallet, error) {
	p := c.params(routeCreateWallet)
	p.reference = r.Label
	o := p.object()
	o.currency("currency", r.Currency)
	o.text("label", r.Label, 100)
	o.flag("usePermanentAddresses", r.UsePermanentAddresses)
	o.link("webhookUrl", r.WebhookURL)
	var answer createdWallet
	err := c.ask(ctx, p, &answer)
	return answer.CreatedWallet, err
}

type createdWallet struct{ CreatedWallet }

func (a *createdWallet) check() error {
	if a.WalletID == "" {
		return errNoID
	}
	return nil
}

// Wallet is a wallet with what is in it. Its balances have their amounts, in whole
// units, in Value.
type Wallet struct {
	WalletID                 string     `json:"walletId"`
	WalletType               WalletType `json:"walletType"`
	CurrencyID               string     `json:"currencyId"`
	IsActive                 bool       `json:"isActive"`
	IsLocked                 bool       `json:"isLocked"` // for legal reasons
	Label                    string     `json:"label"`
	DepositAddress           string     `json:"depositAddress"` // the last one
	ConfirmedBalance         Money      `json:"confirmedBalance"`
	UnconfirmedBalance       Money      `json:"unconfirmedBalance"`
	ConfirmedNativeBalance   Money      `json:"confirmedNativeBalance"` // in the account's own currency
	UnconfirmedNativeBalance Money      `json:"unconfirmedNativeBalance"`
	IsVaultLocked            bool       `json:"isVaultLocked"`
	VaultLockoutEndDateTime  time.Time  `json:"vaultLockoutEndDateTime"`
	HasPermanentAddresses    bool       `json:"hasPermanentAddresses"`
	HasActiveAddress         bool       `json:"hasActiveAddress"`
	ClientID                 string     `json:"clientId"`
	Raw                      json.RawMessage
}

// WalletType is how a wallet is signed for, such as singleSigCryptoWallet.
type WalletType string

// Wallet gives a wallet (GET /api/v2/merchant/wallets/{id}; reference, Wallets, Get
// wallet by Id).
func (c *Client) Wallet(ctx context.Context, walletID string) (Wallet, error) {
	p := c.params(routeWallet)
	p.id("walletId", walletID)
	answer := walletAnswer{asked: walletID}
	err := c.ask(ctx, p, &answer)
	return answer.Wallet, err
}

type walletAnswer struct {
	asked string
	Wallet
}

func (a *walletAnswer) check() error { return checkID(a.WalletID, a.asked) }

// Wallets lists the integration's wallets (GET /api/v2/merchant/wallets; reference,
// Wallets, Get wallets).
func (c *Client) Wallets(ctx context.Context, options ...ListOption) iter.Seq2[Wallet, error] {
	return pages[Wallet]{
		client: c, route: routeWallets, limit: mostItems, skip: true,
		id:    func(w Wallet) string { return w.WalletID },
		write: func(*params) {},
	}.all(ctx, options...)
}

// CountWallets counts the integration's wallets (GET /api/v2/merchant/wallets/count).
func (c *Client) CountWallets(ctx context.Context) (int, error) {
	return c.count(ctx, c.params(routeWalletCount))
}

// WalletBalance is what was in a wallet at a time.
type WalletBalance struct {
	ConfirmedBalance         Money `json:"confirmedBalance"`
	ConfirmedNativeBalance   Money `json:"confirmedNativeBalance"` // in the account's own currency
	UnconfirmedBalance       Money `json:"unconfirmedBalance"`
	UnconfirmedNativeBalance Money `json:"unconfirmedNativeBalance"`
	Raw                      json.RawMessage
}

// WalletBalance gives what was in a wallet at a time (GET
// /api/v2/merchant/wallets/{id}/balance/{date}). The reference has no example of its
// answer: look into Raw.
func (c *Client) WalletBalance(ctx context.Context, walletID string, at time.Time) (WalletBalance, error) {
	p := c.params(routeWalletBalance)
	p.id("walletId", walletID)
	if at.IsZero() {
		p.fail("date", "is missing")
	}
	p.segment("date", at.UTC().Format(time.RFC3339), 40)
	var answer WalletBalance
	err := c.ask(ctx, p, &answer)
	return answer, err
}

func (b *WalletBalance) check() error {
	if b.ConfirmedBalance.CurrencyID == "" {
		return errors.New("it has no confirmedBalance")
	}
	return nil
}

// AddressRequest asks for an address in a wallet (reference, Wallets, Create address).
type AddressRequest struct {
	Label           string // optional; at most 300 characters
	NotificationURL string // optional: where webhooks about deposits to it go
}

// CreatedAddress is an address that was made.
type CreatedAddress struct {
	AddressID      string `json:"addressId"`
	NetworkAddress string `json:"networkAddress"`
	// RentedTill is when the address goes back to CoinPayments; the zero time: it stays.
	RentedTill time.Time `json:"rentedTill"`
	Raw        json.RawMessage
}

// CreateAddress makes an address in a wallet (POST
// /api/v2/merchant/wallets/{id}/addresses; reference, Wallets, Create address). It is
// never sent twice: see [OutcomeUnknownError].
func (c *Client) CreateAddress(ctx context.Context, walletID string, r AddressRequest) (CreatedAddress, error) {
	p := c.params(routeCreateAddress)
	p.id("walletId", walletID)
	p.reference = r.Label
	o := p.object()
	o.optionalText("label", r.Label, 300)
	o.link("notificationUrl", r.NotificationURL)
	var answer createdAddress
	err := c.ask(ctx, p, &answer)
	return answer.CreatedAddress, err
}

type createdAddress struct{ CreatedAddress }

func (a *createdAddress) check() error {
	if a.NetworkAddress == "" {
		return errors.New("it has no address")
	}
	return nil
}

// WalletAddress is an address of a wallet.
type WalletAddress struct {
	AddressID       string    `json:"addressId"`
	Label           string    `json:"label"`
	Address         string    `json:"address"`
	NotificationURL string    `json:"notificationUrl"`
	RentedTill      time.Time `json:"rentedTill"` // when it goes back to CoinPayments; the zero time: it stays
	Raw             json.RawMessage
}

// Address gives an address of a wallet (GET
// /api/v2/merchant/wallets/{id}/addresses/{addressId}; reference, Wallets, Get address by
// Id).
func (c *Client) Address(ctx context.Context, walletID, addressID string) (WalletAddress, error) {
	p := c.params(routeAddress)
	p.id("walletId", walletID)
	p.id("addressId", addressID)
	answer := addressAnswer{asked: addressID}
	err := c.ask(ctx, p, &answer)
	return answer.WalletAddress, err
}

type addressAnswer struct {
	asked string
	WalletAddress
}

func (a *addressAnswer) check() error { return checkID(a.AddressID, a.asked) }

// Addresses lists the addresses of a wallet (GET
// /api/v2/merchant/wallets/{id}/addresses; reference, Wallets, Get addresses).
func (c *Client) Addresses(ctx context.Context, walletID string) iter.Seq2[WalletAddress, error] {
	return pages[WalletAddress]{
		client: c, route: routeAddresses, limit: mostItems, skip: true,
		id:    func(a WalletAddress) string { return a.AddressID },
		write: func(p *params) { p.id("walletId", walletID) },
	}.all(ctx)
}

// CountAddresses counts the addresses of a wallet (GET
// /api/v2/merchant/wallets/{id}/addresses/count).
func (c *Client) CountAddresses(ctx context.Context, walletID string) (int, error) {
	p := c.params(routeAddressCount)
	p.id("walletId", walletID)
	return c.count(ctx, p)
}
