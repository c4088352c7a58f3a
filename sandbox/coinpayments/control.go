package coinpayments

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/engine"
)

// ControlPath is where the control calls of this gateway begin. What is the same for both
// gateways is not among them.
const ControlPath = "/sandbox/coinpayments/"

// ControlCalls are what can be posted behind ControlPath.
func (s *Sandbox) ControlCalls() map[string]func(*http.Request) (any, error) {
	return map[string]func(*http.Request) (any, error){
		"pay":        s.controlPay,
		"confirm":    s.controlConfirm,
		"fail":       s.controlStep(s.Fail),
		"accept":     s.controlStep(s.Accept),
		"complete":   s.controlStep(s.Complete),
		"cancel":     s.controlStep(s.Cancel),
		"timeout":    s.controlTimeOut,
		"refund":     s.controlStep(s.Refund),
		"copy":       s.controlCopy,
		"answer":     s.controlAnswer,
		"settings":   s.controlSettings,
		"price":      s.controlPrice,
		"credit":     s.controlCredit,
		"approval":   engine.Approval(s.SetApproval),
		"withdrawal": engine.Withdrawal(s.SettleWithdrawal),
	}
}

func (s *Sandbox) routeControl(mux *http.ServeMux) {
	for name, act := range s.ControlCalls() {
		mux.Handle("POST "+ControlPath+name, s.engine.Guarded(act))
	}
}

// which is what a control call is about: an invoice by the merchant's number or its own
// id, or a record, which is an invoice or a transaction.
type which struct {
	OrderID   string `json:"order_id"`
	InvoiceID string `json:"invoice_id"`
	RecordID  string `json:"record_id"`
}

// id is the one that was named.
func (w *which) id() (string, error) {
	id, named := "", 0
	for _, text := range []string{w.OrderID, w.InvoiceID, w.RecordID} {
		if text != "" {
			id, named = text, named+1
		}
	}
	if named != 1 {
		return "", errors.New("pass one of order_id, invoice_id and record_id")
	}
	return id, nil
}

// controlStep serves a step that takes no more than an id.
func (s *Sandbox) controlStep(do func(string) error) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		var in which
		if err := engine.Read(r, &in); err != nil {
			return nil, err
		}
		id, err := in.id()
		if err != nil {
			return nil, err
		}
		return engine.Done, do(id)
	}
}

func (s *Sandbox) controlPay(r *http.Request) (any, error) {
	var in struct {
		OrderID       string         `json:"order_id"`
		InvoiceID     string         `json:"invoice_id"`
		Address       string         `json:"address"`
		Amount        engine.Numeral `json:"amount"`
		Coin          string         `json:"coin"`
		Status        string         `json:"status"`
		Type          string         `json:"type"`
		Confirmations *int           `json:"confirmations"`
		Late          bool           `json:"late"`
		Instant       bool           `json:"instant"`
		Wait          engine.Wait    `json:"wait"`
	}
	if err := engine.Read(r, &in); err != nil {
		return nil, err
	}
	p := Payment{
		OrderID: in.OrderID, InvoiceID: in.InvoiceID, Address: in.Address, Coin: in.Coin, Status: in.Status, Type: in.Type,
		Late: in.Late, Instant: in.Instant,
	}
	var err error
	if in.Amount != "" {
		if p.Amount, err = engine.ReadAmount("amount", string(in.Amount)); err != nil {
			return nil, err
		}
	}
	if in.Confirmations != nil {
		if p.Confirmations = *in.Confirmations; p.Confirmations == 0 {
			p.Confirmations = -1
		}
	}
	if p.Wait, err = in.Wait.Duration(); err != nil {
		return nil, err
	}
	return s.Pay(r.Context(), p)
}

func (s *Sandbox) controlConfirm(r *http.Request) (any, error) {
	var in struct {
		which
		Confirmations int `json:"confirmations"`
	}
	if err := engine.Read(r, &in); err != nil {
		return nil, err
	}
	id, err := in.id()
	switch {
	case err != nil:
		return nil, err
	case in.Confirmations < 0:
		return nil, errors.New("confirmations: must be 1 or more, or 0 for all that are missing")
	}
	return engine.Done, s.Confirm(id, in.Confirmations)
}

func (s *Sandbox) controlTimeOut(r *http.Request) (any, error) {
	var in struct {
		which
		Payment bool `json:"payment"`
	}
	if err := engine.Read(r, &in); err != nil {
		return nil, err
	}
	id, err := in.id()
	if err != nil {
		return nil, err
	}
	return engine.Done, s.TimeOut(id, in.Payment)
}

func (s *Sandbox) controlCopy(r *http.Request) (any, error) {
	var in struct {
		which
		Type  string `json:"type"`
		Times int    `json:"times"`
	}
	if err := engine.Read(r, &in); err != nil {
		return nil, err
	}
	id, err := in.id()
	switch {
	case err != nil:
		return nil, err
	case in.Times < 0 || in.Times > 1000:
		return nil, errors.New("times: must be 1 to 1000")
	}
	sent, err := s.Copy(id, in.Type, in.Times)
	return object{"sent": sent}, err
}

func (s *Sandbox) controlAnswer(r *http.Request) (any, error) {
	var in struct {
		which
		Frozen *bool           `json:"frozen"`
		Set    json.RawMessage `json:"set"`
	}
	if err := engine.Read(r, &in); err != nil {
		return nil, err
	}
	id, err := in.id()
	switch {
	case err != nil && (in.which != which{} || in.Set != nil):
		return nil, err
	case (in.Frozen == nil) == (in.Set == nil):
		return nil, errors.New("pass frozen, true or false, or what to set")
	case in.Frozen != nil:
		return engine.Done, s.Freeze(id, *in.Frozen)
	}
	return engine.Done, s.Lie(id, in.Set)
}

// controlSettings changes the settings that are named, and answers all.
func (s *Sandbox) controlSettings(r *http.Request) (any, error) {
	var in struct {
		UnderpaymentPercent *engine.Numeral `json:"underpayment_percent"`
		UnderpaymentAmount  *engine.Numeral `json:"underpayment_amount"`
		CompleteAfter       *string         `json:"complete_after"`
		PaymentLifetime     *string         `json:"payment_lifetime"`
		InvoiceLifetime     *string         `json:"invoice_lifetime"`
		SearchDelay         *string         `json:"search_delay"`
		PayoutWallet        *string         `json:"payout_wallet"`
		StaleRetries        *bool           `json:"stale_retries"`
	}
	if err := engine.Read(r, &in); err != nil {
		return nil, err
	}
	set := s.Settings()
	for _, amount := range []struct {
		name string
		text *engine.Numeral
		into *decimal.Decimal
	}{
		{"underpayment_percent", in.UnderpaymentPercent, &set.UnderpaymentPercent},
		{"underpayment_amount", in.UnderpaymentAmount, &set.UnderpaymentAmount},
	} {
		if amount.text != nil {
			value, err := engine.ParseAmount(string(*amount.text))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", amount.name, err)
			}
			*amount.into = value
		}
	}
	for _, span := range []struct {
		name string
		text *string
		into *time.Duration
	}{
		{"complete_after", in.CompleteAfter, &set.CompleteAfter},
		{"payment_lifetime", in.PaymentLifetime, &set.PaymentLifetime},
		{"invoice_lifetime", in.InvoiceLifetime, &set.InvoiceLifetime},
		{"search_delay", in.SearchDelay, &set.SearchDelay},
	} {
		switch {
		case span.text == nil:
		case *span.text == "never" && span.name == "complete_after":
			*span.into = -1
		default:
			value, err := time.ParseDuration(*span.text)
			if err != nil || value < 0 {
				return nil, fmt.Errorf(`%s: must be a duration such as "90s"`, span.name)
			}
			*span.into = value
		}
	}
	if in.PayoutWallet != nil {
		set.PayoutWallet = *in.PayoutWallet
	}
	if in.StaleRetries != nil {
		set.StaleRetries = *in.StaleRetries
	}
	if err := s.Set(set); err != nil {
		return nil, err
	}
	completes := set.CompleteAfter.String()
	if set.CompleteAfter < 0 {
		completes = "never"
	}
	return object{
		"underpayment_percent": set.UnderpaymentPercent, "underpayment_amount": set.UnderpaymentAmount,
		"complete_after": completes, "payment_lifetime": set.PaymentLifetime.String(),
		"invoice_lifetime": set.InvoiceLifetime.String(), "search_delay": set.SearchDelay.String(),
		"payout_wallet": set.PayoutWallet, "stale_retries": set.StaleRetries,
	}, nil
}

func (s *Sandbox) controlPrice(r *http.Request) (any, error) {
	var in struct {
		Coin string         `json:"coin"`
		USD  engine.Numeral `json:"usd"`
	}
	if err := engine.Read(r, &in); err != nil {
		return nil, err
	}
	usd, err := engine.ReadAmount("usd", string(in.USD))
	if err != nil {
		return nil, err
	}
	return engine.Done, s.SetPrice(in.Coin, usd)
}

func (s *Sandbox) controlCredit(r *http.Request) (any, error) {
	var in struct {
		WalletID string         `json:"wallet_id"`
		Amount   engine.Numeral `json:"amount"`
	}
	if err := engine.Read(r, &in); err != nil {
		return nil, err
	}
	amount, err := engine.ReadAmount("amount", string(in.Amount))
	if err != nil {
		return nil, err
	}
	return engine.Done, s.Credit(in.WalletID, amount)
}
