package coinpayments

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
)

const (
	// listPage is how many records a page has.
	listPage = 100
	// listGrace is longer than the first tries of a webhook take. One that comes later is a copy
	// of what the app was told.
	listGrace = 10 * time.Minute
)

// Grace implements [gateway.Lister].
func (v *V2) Grace() time.Duration { return listGrace }

// errUnlisted: no webhook tells of a record as it is.
var errUnlisted = errors.New("no webhook tells of it")

// List implements [gateway.Lister] by the lists of invoices, of wallets and of the
// transactions of each. What no webhook tells of is not among them.
func (v *V2) List(ctx context.Context, from, to time.Time, turn func(context.Context) error) iter.Seq2[gateway.Listed, error] {
	return func(yield func(gateway.Listed, error) bool) {
		invoices := v.Client().Invoices(ctx, coinpayments.InvoiceFilter{From: from, To: to, PageSize: listPage}, coinpayments.BeforePage(turn))
		if !listed(invoices, v.listInvoice, yield) {
			return
		}
		var wallets []coinpayments.Wallet
		for wallet, err := range v.Client().Wallets(ctx, coinpayments.BeforePage(turn)) {
			if errors.Is(err, coinpayments.ErrForbidden) {
				return // the integration has nothing to do with wallets
			}
			if err != nil {
				yield(gateway.Listed{}, explain(err))
				return
			}
			wallets = append(wallets, wallet)
		}
		for _, wallet := range wallets {
			list := func(t coinpayments.Transaction) (gateway.Listed, error) {
				if t.DateCreated.Before(from.Truncate(time.Second)) || t.DateCreated.After(to) {
					return gateway.Listed{}, errUnlisted
				}
				return v.listTransaction(wallet.WalletID, t)
			}
			if !listed(v.transactions(ctx, wallet.WalletID, from, turn), list, yield) {
				return
			}
		}
	}
}

// disorder is how much older than the one before a transaction may be in a list that is
// in the order of time.
const disorder = time.Hour

// transactions yields the transactions of a wallet that were made since a time, and may yield
// older ones. The list takes no times (API reference, Wallets, Get Wallet Transactions), and
// may have the latest first or last: where it has more than a page, no more of it is read
// than has to be. turn is called before each page.
func (v *V2) transactions(ctx context.Context, walletID string, from time.Time, turn func(context.Context) error) iter.Seq2[coinpayments.Transaction, error] {
	return func(yield func(coinpayments.Transaction, error) bool) {
		from = from.Add(-disorder)
		var page []time.Time
		isRising, isFalling, isFirst := true, true, true
		for t, err := range v.Client().Transactions(ctx, walletID, coinpayments.BeforePage(turn)) {
			if !yield(t, err) || err != nil {
				return
			}
			if n := len(page); n > 0 {
				isRising = isRising && !t.DateCreated.Before(page[n-1].Add(-disorder))
				isFalling = isFalling && !t.DateCreated.After(page[n-1].Add(disorder))
			}
			if page = append(page, t.DateCreated); len(page)%listPage > 0 {
				continue
			}
			isOld := !slices.ContainsFunc(page[len(page)-listPage:], func(at time.Time) bool { return !at.Before(from) })
			way := t.DateCreated.Compare(page[0])
			switch {
			case isOld && isFalling && way < 0:
				return
			case isOld && isRising && isFirst && way > 0:
				v.latest(ctx, walletID, from, turn)(yield)
				return
			}
			isFirst = false
		}
	}
}

// latest yields the end of a list that has the latest transactions last.
func (v *V2) latest(ctx context.Context, walletID string, from time.Time, turn func(context.Context) error) iter.Seq2[coinpayments.Transaction, error] {
	return func(yield func(coinpayments.Transaction, error) bool) {
		var none coinpayments.Transaction
		err := turn(ctx)
		old, all := listPage, 0 // so many are old, of so many
		if err == nil {
			all, err = v.Client().CountTransactions(ctx, walletID)
		}
		for end := all; err == nil && end-old > listPage; {
			middle := old + (end-old)/2
			isOld := false
			for t, failed := range v.Client().TransactionsFrom(ctx, walletID, middle, coinpayments.BeforePage(turn)) {
				isOld, err = failed == nil && t.DateCreated.Before(from), failed
				break
			}
			if isOld {
				old = middle
			} else {
				end = middle
			}
		}
		if err != nil {
			yield(none, err)
			return
		}
		v.Client().TransactionsFrom(ctx, walletID, old, coinpayments.BeforePage(turn))(yield)
	}
}

// listed yields what records come to. It is false where nothing more is to follow.
func listed[T any](records iter.Seq2[T, error], list func(T) (gateway.Listed, error), yield func(gateway.Listed, error) bool) bool {
	for record, err := range records {
		if err != nil {
			yield(gateway.Listed{}, explain(err))
			return false
		}
		one, err := list(record)
		if errors.Is(err, errUnlisted) {
			continue
		}
		if !yield(one, err) {
			return false
		}
	}
	return true
}

// FindRecord implements [gateway.Lister].
func (v *V2) FindRecord(ctx context.Context, n gateway.Notice) (l gateway.Listed, err error) {
	switch n.Type {
	case invoiceType:
		invoice, err := v.Client().Invoice(ctx, n.RecordID)
		if err != nil {
			return l, explain(err)
		}
		l, err = v.listInvoice(invoice)
		return l, unlisted(err)
	case depositType, withdrawalType:
		t, err := v.Client().Transaction(ctx, n.WalletID, coinpayments.ByTransaction(n.RecordID))
		if err != nil {
			return l, explain(err)
		}
		l, err = v.listTransaction(n.WalletID, t)
		return l, unlisted(err)
	default:
		return l, fmt.Errorf("CoinPayments lists no records of %.40q", n.Type)
	}
}

// unlisted is a record that no webhook tells of for who asks for it by its id.
func unlisted(err error) error {
	if errors.Is(err, errUnlisted) {
		return gateway.Tag(gateway.ErrNotFound, err)
	}
	return err
}

// listInvoice is an invoice as its webhook would tell of it (API reference, Client Webhooks).
// One that is to be paid out is paid.
func (v *V2) listInvoice(i coinpayments.Invoice) (gateway.Listed, error) {
	state := statusName(string(i.Status))
	if i.Status.Is(coinpayments.InvoiceScheduledForPayout) {
		state = statusName(string(coinpayments.InvoicePaid))
	}
	for _, notice := range notices {
		if notice.typ != invoiceType || notice.status != state {
			continue
		}
		amount := hookAmount{Total: json.Number(i.Amount.Total.Shift(int32(i.Currency.DecimalPlaces)).Truncate(0).String())} //nolint:gosec // at most 18
		id, contract, isToken := strings.Cut(i.Currency.ID, ":")
		if amount.Currency.ID = json.Number(id); isToken {
			amount.Currency.Contract = &contract
		}
		invoice := hookInvoice{
			InvoiceID: i.InvoiceID, ID: i.ID, ClientID: plainID(v.info.AccountID), CustomData: i.CustomData,
			Amount: amount, State: state, Payments: []struct{}{},
		}
		l, err := v.hooked(hookNotice{newID(), notice.name, time.Now().UTC().Format(noticeTime), invoice}, i.Created)
		if err != nil {
			l.Notice = gateway.Notice{Type: invoiceType, RecordID: i.ID, OrderID: i.InvoiceID}
		}
		l.Marks = []string{invoiceMark + l.Notice.RecordID, gateway.OrderMark(l.Notice.OrderID)}
		return l, err
	}
	return gateway.Listed{}, errUnlisted
}

// hookNotice is a webhook about an invoice, with amounts in the smallest unit (API reference,
// Client Webhooks).
type (
	hookNotice struct {
		ID        string      `json:"id"`
		Type      string      `json:"type"`
		Timestamp string      `json:"timestamp"`
		Invoice   hookInvoice `json:"invoice"`
	}
	hookInvoice struct {
		InvoiceID  string            `json:"invoiceId"`
		ID         string            `json:"id"`
		ClientID   string            `json:"merchantClientId"`
		CustomData map[string]string `json:"customData"`
		Amount     hookAmount        `json:"amount"`
		State      string            `json:"state"`
		Payments   []struct{}        `json:"payments"`
	}
	hookAmount struct {
		Currency struct {
			ID       json.Number `json:"id"`
			Contract *string     `json:"smartContract"`
		} `json:"currency"`
		Total json.Number `json:"total"`
	}
)

// listTransaction is a transaction of a wallet as its webhook would tell of it (API reference,
// Wallet Webhooks). No webhook tells that a withdrawal has failed: its body is that of one which
// is not done, and the status says what became of it. A deposit that fails is nobody's money,
// and one that pays an invoice is told of by that.
func (v *V2) listTransaction(walletID string, t coinpayments.Transaction) (gateway.Listed, error) {
	isInvoice := t.IsInvoicePaymentSend != nil && *t.IsInvoicePaymentSend
	status := transactionStatus(t)
	isSpend := isOf(spends, string(t.Type))
	if isInvoice || !isSpend && (status == failed || !isOf(receives, string(t.Type))) {
		return gateway.Listed{}, errUnlisted
	}
	hook := struct {
		WalletID       string `json:"walletId"`
		Address        string `json:"address"`
		TransactionID  string `json:"transactionId"`
		TxHash         string `json:"txHash,omitempty"`
		SpendRequestID string `json:"spendRequestId,omitempty"`
		Type           string `json:"transactionType"`
		Amount         string `json:"amount"`
		Symbol         string `json:"symbol"`
		Confirmations  int    `json:"confirmations"`
		Required       int    `json:"requiredConfirmations"`
	}{
		walletID, t.ToAddress, t.ID, t.TxHash, t.SpendRequestID, strings.ToUpper(string(t.Type[:1])) + string(t.Type[1:]),
		t.ToAmount.String(), cmp.Or(t.ToCurrencySymbol, t.FromCurrencySymbol), t.Confirmations, t.RequiredConfirmations,
	}
	switch {
	case status == succeeded:
		hook.Confirmations = max(hook.Confirmations, hook.Required)
	case hook.Confirmations >= hook.Required: // it is on its chain, and not done yet
		hook.Required = hook.Confirmations + 1
	}
	l, err := v.hooked(hook, t.DateCreated)
	if err != nil {
		l.Notice = gateway.Notice{Type: depositType, RecordID: t.ID, WalletID: walletID}
		if isSpend {
			l.Notice.Type = withdrawalType
		}
	}
	if status == failed {
		l.Notice.Status = failed
	}
	switch n := l.Notice; {
	case n.ReferenceID == "":
	case n.Type == depositType:
		l.Marks = []string{markOfAddress(n.ReferenceID)}
	default:
		l.Marks = []string{spendMark + n.ReferenceID}
	}
	return l, err
}

// hooked reads the webhook as one that came, so that the two have one key.
func (v *V2) hooked(webhook any, made time.Time) (l gateway.Listed, err error) {
	l.Body, l.MadeAt = marshal(webhook), made
	l.Notice, err = v.Read(l.Body)
	return l, err
}
