package coinpayments

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/shopspring/decimal"
)

// Consolidation is what it costs, or cost, to move the balances of permanent addresses
// into a wallet's own. Addresses are moved whole.
type Consolidation struct {
	ActivationFee       decimal.Decimal        `json:"activationFee"` // once for each address
	TransferFee         decimal.Decimal        `json:"transferFee"`
	TotalFee            decimal.Decimal        `json:"totalFee"`
	Available           decimal.Decimal        `json:"available"`
	NewReceivedInternal decimal.Decimal        `json:"newReceivedInternal"`
	NewReceivedExternal decimal.Decimal        `json:"newReceivedExternal"`
	Addresses           []AddressConsolidation `json:"addresses"`
	Raw                 json.RawMessage
}

// AddressConsolidation is the part of one address.
type AddressConsolidation struct {
	WalletID            string          `json:"walletId"`
	AddressID           string          `json:"addressId"`
	Address             string          `json:"address"`
	ActivationFee       decimal.Decimal `json:"activationFee"` // 0: it is active already
	TransferFee         decimal.Decimal `json:"transferFee"`
	TotalFee            decimal.Decimal `json:"totalFee"`
	Available           decimal.Decimal `json:"available"`
	NewReceivedInternal decimal.Decimal `json:"newReceivedInternal"`
	NewReceivedExternal decimal.Decimal `json:"newReceivedExternal"`
}

// WalletAddresses are addresses of a wallet, by their ids; none stands for all.
type WalletAddresses struct {
	WalletID   string
	AddressIDs []string
}

// Consolidation says what it would cost to consolidate a wallet's addresses, or those
// named by their ids (GET /api/v2/merchant/wallets/{id}/consolidation; reference, Wallets,
// Get details of wallet consolidation).
func (c *Client) Consolidation(ctx context.Context, walletID string, addressIDs ...string) (Consolidation, error) {
	p := c.params(routeConsolidation)
	p.id("walletId", walletID)
	p.ask("addressIds", strings.Join(addressIDs, ","))
	return c.consolidation(ctx, p)
}

// Consolidate moves the balances of a wallet's addresses, or of those named by their
// ids, into another wallet (POST /api/v2/merchant/wallets/{id}/consolidation/{to};
// reference, Wallets, Execute wallet consolidation). It is never sent twice: see
// [OutcomeUnknownError], and look at the wallets' transactions.
func (c *Client) Consolidate(ctx context.Context, fromWalletID, toWalletID string, addressIDs ...string) (Consolidation, error) {
	p := c.params(routeConsolidate)
	p.id("walletId", fromWalletID)
	p.id("to", toWalletID)
	p.reference = fromWalletID
	p.ask("addressIds", strings.Join(addressIDs, ","))
	return c.consolidation(ctx, p)
}

// PreviewConsolidation says what it would cost to consolidate several wallets of one
// currency (POST /api/v2/merchant/wallets/consolidation-preview; reference, Wallets,
// Wallets consolidation preview). It changes nothing.
func (c *Client) PreviewConsolidation(ctx context.Context, from []WalletAddresses) (Consolidation, error) {
	p := c.params(routeConsolidationPreview)
	writeWallets(p.object(), from)
	return c.consolidation(ctx, p)
}

// ConsolidateWallets moves the balances of several wallets of one currency into another
// (POST /api/v2/merchant/wallets/consolidation/{to}; reference, Wallets, Execute wallets
// consolidation). It is never sent twice: see [OutcomeUnknownError], and look at the
// wallets' transactions.
func (c *Client) ConsolidateWallets(ctx context.Context, toWalletID string, from []WalletAddresses) (Consolidation, error) {
	p := c.params(routeConsolidateWallets)
	p.id("to", toWalletID)
	p.reference = toWalletID
	writeWallets(p.object(), from)
	return c.consolidation(ctx, p)
}

func (c *Client) consolidation(ctx context.Context, p *params) (Consolidation, error) {
	var answer Consolidation
	err := c.ask(ctx, p, &answer)
	return answer, err
}

func writeWallets(o *object, from []WalletAddresses) {
	if len(from) == 0 {
		o.wrong("wallets", "is empty")
	}
	o.children("wallets", len(from), func(i int, o *object) {
		if from[i].WalletID == "" {
			o.wrong("walletId", "is missing")
		}
		o.word("walletId", from[i].WalletID, 100)
		if len(from[i].AddressIDs) > 0 {
			o.value("addresses", from[i].AddressIDs)
		}
	})
}

// ConsolidationTransactions gives the transactions that brought addresses' balances
// together for a withdrawal (GET
// /api/v2/merchant/wallets/{id}/consolidation-transactions/{spendId}; reference, Wallets,
// Consolidation).
func (c *Client) ConsolidationTransactions(ctx context.Context, walletID, spendRequestID string) ([]Transaction, error) {
	return collect(ctx, pages[Transaction]{
		client: c, route: routeConsolidationTransactions,
		id: func(t Transaction) string { return t.ID },
		write: func(p *params) {
			p.id("walletId", walletID)
			p.id("spendRequestId", spendRequestID)
		},
	})
}
