package coinpayments

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/strictjson"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// notices are the types of notices about invoices, each with the event that it is: its
// type, and its status where the notice has no other. CoinPayments writes them in another
// case than its reference does, and calls those of payments by either name.
var notices = []struct{ name, typ, status string }{
	{"InvoicePending", invoiceType, "Pending"},
	{"InvoicePaid", invoiceType, "Paid"},
	{"InvoiceCompleted", invoiceType, "Completed"},
	{"InvoiceCreated", invoiceType, "Unpaid"},
	{"InvoiceCancelled", invoiceType, "Cancelled"},
	{"InvoiceTimedOut", invoiceType, "TimedOut"},
	{"PaymentCreated", paymentType, "Created"},
	{"PaymentTimedOut", paymentType, "TimedOut"},
	{"InvoicePaymentCreated", paymentType, "Created"},
	{"InvoicePaymentTimedOut", paymentType, "TimedOut"},
}

// Read implements [gateway.Webhooks]. The notice's own id and time are not read, as each
// copy has others, and neither are amounts, which are in units of their own.
func (v *V2) Read(body []byte) (gateway.Notice, error) {
	root, err := strictjson.Object(body)
	if err != nil {
		return gateway.Notice{}, unreadable(err)
	}
	var o outer
	if err := o.read(root); err != nil {
		return gateway.Notice{}, unreadable(err)
	}
	n := gateway.Notice{Risk: ledger.NotRisky} // CoinPayments flags no payments
	switch {
	case o.invoice.IsObject():
		err = readInvoice(&n, strictjson.Text(o.typ), o.invoice)
	case o.transactionID.Exists():
		err = readTransaction(&n, o)
	default:
		err = readOther(&n, strictjson.Text(o.typ), root)
	}
	if err != nil {
		return gateway.Notice{}, unreadable(err)
	}
	return n, nil
}

func unreadable(err error) error { return fmt.Errorf("%w: %w", gateway.ErrUnreadable, err) }

// outer is what is read of a webhook itself: of a notice about an invoice the first two
// (API reference, Client Webhooks), of one about a transaction the rest (Wallet Webhooks).
type outer struct {
	typ, invoice                                         gjson.Result
	transactionID, transactionType, wallet, address      gjson.Result
	spendRequestID, confirmations, requiredConfirmations gjson.Result
}

func (o *outer) read(root gjson.Result) error {
	return strictjson.Read(root,
		strictjson.Field{Key: "type", Value: &o.typ}, strictjson.Field{Key: "invoice", Value: &o.invoice},
		strictjson.Field{Key: "transactionId", Value: &o.transactionID}, strictjson.Field{Key: "transactionType", Value: &o.transactionType},
		strictjson.Field{Key: "walletId", Value: &o.wallet}, strictjson.Field{Key: "address", Value: &o.address},
		strictjson.Field{Key: "spendRequestId", Value: &o.spendRequestID},
		strictjson.Field{Key: "confirmations", Value: &o.confirmations},
		strictjson.Field{Key: "requiredConfirmations", Value: &o.requiredConfirmations})
}

// readInvoice reads a notice about an invoice or one of its payments.
func readInvoice(n *gateway.Notice, typ string, invoice gjson.Result) error {
	var id, number, custom, state, payments gjson.Result
	err := strictjson.Read(invoice, strictjson.Field{Key: "id", Value: &id}, strictjson.Field{Key: "invoiceId", Value: &number},
		strictjson.Field{Key: "customData", Value: &custom}, strictjson.Field{Key: "state", Value: &state},
		strictjson.Field{Key: "payments", Value: &payments})
	if err != nil {
		return err
	}
	if n.OrderID, err = orderID(custom, strictjson.Text(number)); err != nil {
		return err
	}
	n.Type, n.Status, n.RecordID = typ, statusName(strictjson.Text(state)), plainID(strictjson.Text(id))
	if n.RecordID == "" {
		return errors.New("it does not say which invoice it is about")
	}
	if typ == "" {
		n.Type = invoiceType
	}
	for _, known := range notices {
		if !strings.EqualFold(known.name, typ) {
			continue
		}
		n.Type = known.typ
		if known.typ == paymentType {
			n.Status, n.Digest = known.status, known.status+" of "+n.RecordID // where it does not name the payment
			n.RecordID, err = paymentID(payments)
		} else if n.Status == "" {
			n.Status = known.status
		}
		break
	}
	if err == nil && n.Type == invoiceType && n.Status == "" {
		err = errors.New("it says neither the invoice's state nor what happened")
	}
	return err
}

// orderID is the order's id at the gateway: what our checkout has put into customData, or
// else the number of the invoice. The number may end like one with a suffix and be whole,
// so none is cut off.
func orderID(custom gjson.Result, number string) (string, error) {
	var id gjson.Result
	if custom.IsObject() {
		if err := strictjson.Read(custom, strictjson.Field{Key: orderKey, Value: &id}); err != nil {
			return "", err
		}
	}
	if text := strictjson.Text(id); text != "" {
		return text, nil
	}
	return number, nil
}

// orderKey is the key of the order's id in customData.
const orderKey = "order_id"

// paymentID is the id of the payment that a notice is about: of several the active one,
// or the last.
func paymentID(payments gjson.Result) (id string, err error) {
	isFound := false
	payments.ForEach(func(_, payment gjson.Result) bool {
		var name, active gjson.Result
		err = strictjson.Read(payment, strictjson.Field{Key: "id", Value: &name}, strictjson.Field{Key: "isActive", Value: &active})
		if !isFound {
			id, isFound = plainID(strictjson.Text(name)), active.Type == gjson.True
		}
		return err == nil
	})
	return id, err
}

// readTransaction reads a notice about a transaction of a wallet. There is one for each
// confirmation.
func readTransaction(n *gateway.Notice, o outer) error {
	n.RecordID, n.WalletID = plainID(strictjson.Text(o.transactionID)), strictjson.Text(o.wallet)
	n.Type, n.Status = strictjson.Text(o.transactionType), processing
	if n.RecordID == "" || n.Type == "" {
		return errors.New("it does not say which transaction it is about, or of what type that is")
	}
	switch {
	case isOf(receives, n.Type):
		n.Type, n.ReferenceID = depositType, strictjson.Text(o.address)
	case isOf(spends, n.Type):
		n.Type, n.ReferenceID = withdrawalType, plainID(strictjson.Text(o.spendRequestID))
	}
	if count(o.confirmations) >= count(o.requiredConfirmations) {
		n.Status = succeeded
	}
	return nil
}

// The types of transactions that are deposits and withdrawals (API reference, Wallets).
// Those of the same user are no customer's.
var (
	receives = []coinpayments.TransactionType{
		coinpayments.InternalReceive, coinpayments.UTXOExternalReceive, coinpayments.AccountBasedExternalReceive,
		coinpayments.AccountBasedExternalTokenReceive, coinpayments.SameUserReceive,
	}
	spends = []coinpayments.TransactionType{
		coinpayments.InternalSpend, coinpayments.ExternalSpend, coinpayments.AccountBasedTokenSpend, coinpayments.SameUserSpend,
	}
)

func isOf(types []coinpayments.TransactionType, typ string) bool {
	for _, t := range types {
		if t.Is(coinpayments.TransactionType(typ)) {
			return true
		}
	}
	return false
}

// count reads a number of confirmations; 0 where there is none.
func count(value gjson.Result) int {
	n, err := strconv.Atoi(strictjson.Text(value))
	if err != nil {
		return 0
	}
	return n
}

// readOther reads a notice about something that is not known. What it says, but for its
// own id and time, is its name.
func readOther(n *gateway.Notice, typ string, root gjson.Result) error {
	known := func() bool {
		for _, k := range notices {
			if strings.EqualFold(k.name, typ) {
				return true
			}
		}
		return false
	}
	if typ == "" || known() {
		return errors.New("there is neither an invoice in it nor a transaction")
	}
	sum := sha256.New()
	root.ForEach(func(key, value gjson.Result) bool {
		if key.Str != "id" && key.Str != "timestamp" {
			fmt.Fprintf(sum, "%d:%s,%d:%s,", len(key.Str), key.Str, len(value.Raw), value.Raw)
		}
		return true
	})
	n.Type, n.Digest = typ, hex.EncodeToString(sum.Sum(nil))
	return nil
}

// statusName is a status as it is documented, in whatever case it came; one that is not
// documented stays as it came.
func statusName(text string) string {
	for _, s := range statuses {
		if strings.EqualFold(s.Name, text) {
			return s.Name
		}
	}
	return text
}

// plainID is an id of CoinPayments' in one form: as a UUID, where it is one that was
// written without its dashes, and in lower case. Another id stays as it is.
func plainID(text string) string {
	const digits, dashes = 32, 4
	if len(text) != digits && len(text) != digits+dashes {
		return text
	}
	var id [digits + dashes]byte
	at := 0
	for i := range len(text) {
		c := text[i]
		switch {
		case c == '-' && len(text) > digits:
			continue
		case c >= 'A' && c <= 'F':
			c += 'a' - 'A'
		case (c < '0' || c > '9') && (c < 'a' || c > 'f'):
			return text
		}
		if at == 8 || at == 13 || at == 18 || at == 23 {
			id[at] = '-'
			at++
		}
		if at == len(id) {
			return text
		}
		id[at] = c
		at++
	}
	if at != len(id) || string(id[:]) == text {
		return text
	}
	return string(id[:])
}
