package coinpayments

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
)

// samples are the webhooks that can be made up, each with its usual status: those about
// invoices, and those about transactions, by their types.
var samples = func() map[string]string {
	usual := make(map[string]string)
	for _, notice := range notices {
		if notice.typ == invoiceType {
			usual[notice.name] = notice.status
		}
	}
	for _, typ := range slices.Concat(receives, spends) {
		usual[strings.ToUpper(string(typ[:1]))+string(typ[1:])] = succeeded
	}
	return usual
}()

// SampleTypes implements [gateway.Sampler].
func (v *V2) SampleTypes() []string { return slices.Sorted(maps.Keys(samples)) }

// Sample implements [gateway.Sampler]. Each copy about an invoice has an id and a time of
// its own. The invoice is over 49.90 USD, and the transaction of 0.15 LTCT.
func (v *V2) Sample(s gateway.Sample, now time.Time) (func() []byte, error) {
	if s.Risky {
		return nil, errors.New("CoinPayments flags no payment as risky")
	}
	if s.RecordID = plainID(s.RecordID); s.RecordID == "" {
		s.RecordID = plainID(newID())
	}
	if s.Status == "" {
		s.Status = samples[s.Type]
	}
	if strings.HasPrefix(s.Type, invoiceType) {
		return v.sampleInvoice(s), nil
	}
	body, err := sampleTransaction(s)
	return func() []byte { return body }, err
}

// noticeTime is the form of the timestamp of a notice.
const noticeTime = "2006-01-02T15:04:05.0000000-07:00"

func (v *V2) sampleInvoice(s gateway.Sample) func() []byte {
	invoice := hookInvoice{
		InvoiceID: s.OrderID, ID: s.RecordID, ClientID: plainID(v.info.AccountID), CustomData: map[string]string{orderKey: s.OrderID},
		Amount: hookAmount{Total: "4990"}, State: s.Status, Payments: []struct{}{},
	}
	invoice.Amount.Currency.ID = "5057"
	return func() []byte {
		return marshal(hookNotice{newID(), s.Type, time.Now().UTC().Format(noticeTime), invoice})
	}
}

// sampleTransaction is a webhook about a transaction, which has its status by its
// confirmations.
func sampleTransaction(s gateway.Sample) ([]byte, error) {
	transaction := struct {
		WalletID       string `json:"walletId"`
		Address        string `json:"address"`
		TransactionID  string `json:"transactionId"`
		SpendRequestID string `json:"spendRequestId,omitempty"`
		Type           string `json:"transactionType"`
		Amount         string `json:"amount"`
		Symbol         string `json:"symbol"`
		Confirmations  int    `json:"confirmations"`
		Required       int    `json:"requiredConfirmations"`
	}{plainID(newID()), s.ReferenceID, s.RecordID, "", s.Type, "0.15", "LTCT", 3, 3}
	if isOf(spends, s.Type) {
		transaction.Address, transaction.SpendRequestID = "address-1", s.ReferenceID
	}
	switch s.Status {
	case succeeded:
	case processing:
		transaction.Confirmations = 1
	default:
		return nil, fmt.Errorf("the status of a transaction's webhook is %s or %s: there is none about another", processing, succeeded)
	}
	return marshal(transaction), nil
}

func marshal(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic("a sample is no JSON: " + err.Error())
	}
	return text
}

// newID returns an id of 32 hex digits.
func newID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}

// Acknowledges implements [gateway.Sampler]: the body does not count.
func (v *V2) Acknowledges(status int, _ []byte) bool {
	return status >= http.StatusOK && status < http.StatusMultipleChoices
}
