package coinpayments

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/engine"
)

// wallet holds one currency of the merchant's. Only wallets that were made by the API are
// in it.
type wallet struct {
	id        string
	currency  *currency
	label     string
	permanent bool   // its addresses keep what they receive until it is consolidated
	hookURL   string // as it was registered
	base      decimal.Decimal
	createdAt time.Time

	addresses    []*address     // oldest first; the last one is shown
	transactions []*transaction // oldest first
}

// rented is how long an address of a chain that has no coins of its own per address is
// the merchant's, unless it is permanent. A deposit renews it.
const rented = 30 * 24 * time.Hour

// address is where deposits to a wallet arrive.
type address struct {
	id         string
	wallet     *wallet
	label      string
	text       string
	hookURL    string // its own, as it was registered; empty: the wallet's
	rentedTill time.Time
	held       decimal.Decimal // of a permanent address, until it is consolidated
	activated  bool
}

// utxo reports whether a currency's addresses are the merchant's for good.
func (c *currency) utxo() bool { return slices.Contains(c.capabilities(), "utxo") }

// confirmed is what a wallet holds, and pending what is on its way to it.
func (w *wallet) confirmed() decimal.Decimal {
	whole := w.base
	for _, a := range w.addresses {
		whole = whole.Add(a.held)
	}
	return whole
}

func (w *wallet) pending() decimal.Decimal {
	sum := decimal.Zero
	for _, t := range w.transactions {
		if t.incoming && t.status == txPendingReceive {
			sum = sum.Add(t.amount)
		}
	}
	return sum
}

// view is a wallet as the API answers it.
func (w *wallet) view(c *call) object {
	view := object{
		"walletId": w.id, "walletType": "singleSigCryptoWallet", "currencyId": w.currency.id, "isActive": true, "isLocked": false,
		"label": w.label, "depositAddress": w.addresses[len(w.addresses)-1].text,
		"isVaultLocked": false, "vaultLockoutEndDateTime": nil, "hasPermanentAddresses": w.permanent,
		"hasActiveAddress": true, "clientId": dashed(c.s.client),
	}
	maps.Copy(view, c.balances(w, w.confirmed(), w.pending()))
	if c.v1 {
		view["currencyId"], _ = strconv.Atoi(w.currency.coin())
		view["contractAddress"] = orNull(w.currency.contract())
	}
	return view
}

// askedWallet is the body of a new wallet. In v1 the currency's number is apart from its
// contract.
type askedWallet struct {
	Currency        string `json:"currency"`
	CurrencyID      int    `json:"currencyId"`
	ContractAddress string `json:"contractAddress"`
	Label           string `json:"label"`
	AddressLabel    string `json:"addressLabel"` // in v3
	WebhookURL      string `json:"webhookUrl"`
	Permanent       bool   `json:"usePermanentAddresses"`
}

// readWallet reads what a new wallet is to be.
func (c *call) readWallet() (*askedWallet, *currency, error) {
	in := &askedWallet{}
	if err := c.read(in); err != nil {
		return nil, nil, err
	}
	id := in.Currency
	if c.v1 && id == "" {
		id = strings.TrimSuffix(strconv.Itoa(in.CurrencyID)+":"+in.ContractAddress, ":")
	}
	one := currencyByID(id)
	switch {
	case one == nil || !one.payable():
		return nil, nil, invalid("currency", "no wallet can hold %q", id)
	case in.Label == "":
		return nil, nil, invalid("label", "is required")
	case in.WebhookURL != "" && !engine.IsHTTP(in.WebhookURL):
		return nil, nil, invalid("webhookUrl", "must be an absolute http or https address")
	}
	return in, one, nil
}

// addWallet makes a wallet and its first address.
func (c *call) addWallet(in *askedWallet, one *currency) *wallet {
	w := &wallet{
		id: newUUID(), currency: one, label: in.Label, permanent: in.Permanent && !one.utxo(), hookURL: in.WebhookURL,
		createdAt: c.now,
	}
	c.st.wallets = append(c.st.wallets, w)
	c.st.addAddress(w, in.AddressLabel, "", c.now)
	return w
}

// addAddress makes an address of a wallet.
func (st *state) addAddress(w *wallet, label, hookURL string, now time.Time) *address {
	a := &address{id: newUUID(), wallet: w, label: label, text: engine.NewAddress(w.currency.family), hookURL: hookURL}
	if !w.permanent && !w.currency.utxo() {
		a.rentedTill = now.Add(rented)
	}
	w.addresses = append(w.addresses, a)
	st.deposits[sameCase(a.text)] = a
	return a
}

func createWallet(c *call) (reply, error) {
	in, one, err := c.readWallet()
	if err != nil {
		return reply{}, err
	}
	w := c.addWallet(in, one)
	return created(object{"walletId": w.id, "address": w.addresses[0].text})
}

// putWallet makes a wallet and an address of it, or returns those that have the labels.
func putWallet(c *call) (reply, error) {
	in, one, err := c.readWallet()
	if err != nil {
		return reply{}, err
	}
	w := c.st.labelled(in.Label, one)
	if w == nil {
		w = c.addWallet(in, one)
	}
	a := w.address(in.AddressLabel)
	if a == nil {
		a = c.st.addAddress(w, in.AddressLabel, "", c.now)
	}
	return ok(object{"walletId": w.id, "addressId": a.id, "address": a.text})
}

// labelled finds a wallet by its label and currency, or returns nil.
func (st *state) labelled(label string, one *currency) *wallet {
	at := slices.IndexFunc(st.wallets, func(w *wallet) bool { return w.label == label && w.currency == one })
	if at < 0 {
		return nil
	}
	return st.wallets[at]
}

// wallet finds the wallet that the path names by its id, or in v3 by label and currency.
func (c *call) wallet() (*wallet, error) {
	if label := c.PathValue("label"); label != "" {
		if w := c.st.labelled(label, currencyByID(c.PathValue("currency"))); w != nil {
			return w, nil
		}
		return nil, notFound("no wallet in %s has the label %s", c.PathValue("currency"), label)
	}
	return c.walletByID(c.PathValue("id"))
}

func (c *call) walletByID(id string) (*wallet, error) {
	if w := c.st.wallet(id); w != nil {
		return w, nil
	}
	return nil, notFound("no wallet has the id %s", id)
}

// wallet finds a wallet by its id, or returns nil.
func (st *state) wallet(id string) *wallet {
	at := slices.IndexFunc(st.wallets, func(w *wallet) bool { return undashed(w.id) == undashed(id) })
	if at < 0 {
		return nil
	}
	return st.wallets[at]
}

// address finds an address of a wallet by its id, its label or its text, or returns nil.
func (w *wallet) address(name string) *address {
	at := slices.IndexFunc(w.addresses, func(a *address) bool {
		return undashed(a.id) == undashed(name) || a.label == name || sameCase(a.text) == sameCase(name)
	})
	if at < 0 {
		return nil
	}
	return w.addresses[at]
}

func listWallets(c *call) (reply, error) {
	return listPage(c, c.st.wallets, func(w *wallet) any { return w.view(c) })
}

func countWallets(c *call) (reply, error) { return ok(len(c.st.wallets)) }

func findWallet(c *call) (reply, error) {
	w, err := c.wallet()
	if err != nil {
		return reply{}, err
	}
	return ok(w.view(c))
}

// walletBalance is what a wallet held at a moment.
func walletBalance(c *call) (reply, error) {
	w, err := c.wallet()
	if err != nil {
		return reply{}, err
	}
	moment, err := readTime(c.PathValue("date"))
	if err != nil {
		return reply{}, invalid("date", "must be a time such as 2026-01-15T09:30:00Z")
	}
	balance := w.confirmed()
	for _, t := range w.transactions {
		if t.completedAt.After(moment) {
			balance = balance.Sub(t.change())
		}
	}
	return ok(c.balances(w, balance, decimal.Zero))
}

// balances are a wallet's, in its currency and in US dollars.
func (c *call) balances(w *wallet, confirmed, pending decimal.Decimal) object {
	balance := func(of *currency, amount decimal.Decimal) object {
		value := of.text(amount)
		if c.v1 {
			value = of.minor(amount).String()
		}
		return object{"value": value, "currencyId": of.id, "currencySymbol": of.symbol}
	}
	native := func(amount decimal.Decimal) object {
		return balance(currencyByID("5057"), amount.Mul(c.st.price(w.currency)).Truncate(2))
	}
	return object{
		"confirmedBalance": balance(w.currency, confirmed), "unconfirmedBalance": balance(w.currency, pending),
		"confirmedNativeBalance": native(confirmed), "unconfirmedNativeBalance": native(pending),
	}
}

// listPage answers the part of a list that skip and take name: at most a hundred.
func listPage[T any](c *call, all []T, show func(T) any) (reply, error) {
	skip, take := 0, maxPageSize
	for _, n := range []struct {
		name string
		into *int
	}{{"skip", &skip}, {"take", &take}} {
		text := c.query.Get(n.name)
		if text == "" {
			continue
		}
		value, err := strconv.Atoi(text)
		if err != nil || value < 0 {
			return reply{}, invalid(n.name, "must be a whole number from 0")
		}
		*n.into = value
	}
	skip, take = min(skip, len(all)), min(take, maxPageSize)
	list := []any{}
	for _, one := range all[skip:min(skip+take, len(all))] {
		list = append(list, show(one))
	}
	return reply{http.StatusOK, list}, nil
}

// Credit adds to what a wallet holds, without a transaction or a webhook.
func (s *Sandbox) Credit(walletID string, amount decimal.Decimal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.st.wallet(walletID)
	switch {
	case w == nil:
		return fmt.Errorf("wallet_id: no wallet has the id %q", walletID)
	case !amount.IsPositive() || !amount.Equal(amount.Truncate(int32(w.currency.decimals))):
		return fmt.Errorf("amount: must be above 0 and have at most %d decimals", w.currency.decimals)
	}
	w.base = w.base.Add(amount)
	return nil
}
