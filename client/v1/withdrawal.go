package v1

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/internal/apiclient"
)

// Withdraw is the name of the endpoint that pays out.
const Withdraw = "withdraw"

// WithdrawalRequest pays coins out to an address on a chain, or to an account of Cwallet.
type WithdrawalRequest struct {
	MerchantOrderID string // your id of it, never used before: CCPayment's webhooks and console name it
	TokenID         string // CCPayment's id of the coin on the chain; for Cwallet, any of the coin's
	Address         string // on the chain; for Cwallet the id or e-mail address of the account
	Value           decimal.Decimal
	Memo            string // required where the chain has memos: without it the coins may be lost
	// MerchantPaysFee adds the network fee to what the merchant pays; else it is taken
	// from Value.
	MerchantPaysFee bool
}

// Withdrawal is a payment out that CCPayment has taken on. Webhooks of the type API
// Withdrawal report its progress.
type Withdrawal struct {
	OrderID         string          `json:"order_id"`  // CCPayment's own
	RecordID        string          `json:"record_id"` // may be empty
	NetworkFee      decimal.Decimal `json:"network_fee"`
	NetworkCoinID   string          `json:"network_coin_id"` // of the coin that the fee is in
	NetworkSymbol   string          `json:"network_symbol" also:"network_fee_crypto"`
	NetworkFeeValue decimal.Decimal `json:"network_fee_value"` // the fee in US dollars
	NetReceivable   decimal.Decimal `json:"net_receivable"`    // what arrives
	Raw             json.RawMessage
}

var decoder apiclient.Decoder

// CreateWithdrawal pays out from the merchant's balance (POST withdraw; V1
// documentation, Create a withdrawal order). It is sent once: where its outcome is not
// known, the error is a [client.OutcomeUnknownError], and V1 has no call here that tells
// it. Its webhook does, and CCPayment's console, which both name MerchantOrderID. Never
// make the withdrawal again under another id before.
func (c *Client) CreateWithdrawal(ctx context.Context, r WithdrawalRequest) (Withdrawal, error) {
	var made Withdrawal
	body, err := r.body()
	if err != nil {
		return made, err
	}
	_, made, err = c.withdraw(ctx, r.MerchantOrderID, body)
	return made, err
}

// withdraw makes the call and returns the answer's data and what it says. An answer that
// names no withdrawal does not prove that there is one, nor that there is none.
func (c *Client) withdraw(ctx context.Context, orderID string, body []byte) (data json.RawMessage, made Withdrawal, err error) {
	if data, err = c.call(ctx, orderID, body); err != nil {
		return nil, made, err
	}
	if len(data) == 0 {
		data = json.RawMessage("null")
	}
	if err = decoder.Decode(data, &made); err == nil && made.OrderID == "" {
		err = errors.New("it has no order_id")
	}
	if err != nil {
		return nil, made, outcomeUnknown(orderID, &client.AnswerError{Endpoint: Withdraw, Err: err})
	}
	return data, made, nil
}

// Call makes a call by the name of its endpoint, of which there is one, "withdraw", with
// parameters that are a JSON object, and returns the answer's data. It is for programs
// that pass calls on. Errors are those of CreateWithdrawal.
func (c *Client) Call(ctx context.Context, endpoint string, parameters json.RawMessage) (json.RawMessage, error) {
	if endpoint != Withdraw {
		return nil, fmt.Errorf("ccpayment V1 has no endpoint %.60q here, only %s", endpoint, Withdraw)
	}
	var members map[string]json.RawMessage // of which none stands twice
	var known struct {
		MerchantOrderID string `json:"merchant_order_id"`
	}
	err := errors.New("is not a JSON object")
	if IsObject(parameters) {
		if err = decoder.Decode(parameters, &members); err == nil {
			err = decoder.Decode(parameters, &known)
		}
	}
	switch {
	case err != nil:
		return nil, wrong("the body", "%v", err)
	case known.MerchantOrderID == "":
		return nil, wrong("merchant_order_id", "is missing")
	}
	data, _, err := c.withdraw(ctx, known.MerchantOrderID, parameters)
	return data, err
}

// body checks the request and writes it as it is signed and sent.
func (r WithdrawalRequest) body() ([]byte, error) {
	for _, field := range []struct {
		name, value string
		isOptional  bool
	}{
		{"merchant_order_id", r.MerchantOrderID, false},
		{"token_id", r.TokenID, false},
		{"address", r.Address, false},
		{"memo", r.Memo, true},
	} {
		if field.value == "" && field.isOptional {
			continue
		}
		if problem := misspelt(field.value); problem != "" {
			return nil, wrong(field.name, "%s", problem)
		}
	}
	switch v := r.Value; {
	case !v.IsPositive():
		return nil, wrong("value", "is not more than 0")
	case v.Exponent() < -1000 || v.Exponent() > 1000 || len(strings.ReplaceAll(v.String(), ".", "")) > apiclient.MaxDigits:
		return nil, wrong("value", "has more than %d digits", apiclient.MaxDigits)
	}
	return json.Marshal(struct {
		TokenID         string `json:"token_id"`
		Address         string `json:"address"`
		MerchantOrderID string `json:"merchant_order_id"`
		MerchantPaysFee bool   `json:"merchant_pays_fee,omitempty"`
		Value           string `json:"value"`
		Memo            string `json:"memo,omitempty"`
	}{r.TokenID, r.Address, r.MerchantOrderID, r.MerchantPaysFee, r.Value.String(), r.Memo})
}

// longestText is more than any of the texts has.
const longestText = 1000

// misspelt says what is wrong with a text that somebody compares; empty: nothing. What
// cannot be seen in it would make two of what looks like one.
func misspelt(text string) string {
	invisible := func(r rune) bool { return !unicode.IsPrint(r) }
	switch n := utf8.RuneCountInString(text); {
	case text == "":
		return "is missing"
	case n > longestText:
		return fmt.Sprintf("has at most %d characters, not %d", longestText, n)
	case !utf8.ValidString(text) || strings.ContainsFunc(text, invisible) || strings.TrimSpace(text) != text:
		return "holds a character that cannot be seen, or begins or ends with a space"
	default:
		return ""
	}
}

func wrong(field, format string, args ...any) error {
	return &client.ArgumentError{Endpoint: Withdraw, Field: field, Problem: fmt.Sprintf(format, args...)}
}
