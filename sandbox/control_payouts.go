package sandbox

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/engine"
)

// routePayouts adds the control calls for money that leaves.
func (s *Sandbox) routePayouts(post func(path string, act func(*http.Request) (any, error))) {
	post("/sandbox/withdrawal", engine.Withdrawal(s.SettleWithdrawal))
	post("/sandbox/approval", engine.Approval(s.SetApproval))
	post("/sandbox/auto-withdrawal", s.controlAutoWithdrawal)
	post("/sandbox/risk-refund", s.controlRiskRefund)
	post("/sandbox/aggregate", s.controlAggregate)
	post("/sandbox/account", s.controlAccount)
}

func (s *Sandbox) controlAutoWithdrawal(r *http.Request) (any, error) {
	var in struct {
		Coin    json.RawMessage `json:"coin"`
		Chain   string          `json:"chain"`
		Address string          `json:"address"`
		Memo    string          `json:"memo"`
		Amount  engine.Numeral  `json:"amount"`
	}
	if err := engine.Read(r, &in); err != nil {
		return nil, err
	}
	name, err := readCoin(in.Coin)
	if err != nil {
		return nil, err
	}
	amount, err := engine.ReadAmount("amount", string(in.Amount))
	if err != nil {
		return nil, err
	}
	id, err := s.AutoWithdraw(AutoWithdrawal{
		Coin: name, Chain: in.Chain, Address: in.Address, Memo: in.Memo, Amount: amount,
	})
	return object{"record_id": id}, err
}

func (s *Sandbox) controlRiskRefund(r *http.Request) (any, error) {
	var in struct {
		RecordID string `json:"record_id"`
	}
	if err := engine.Read(r, &in); err != nil {
		return nil, err
	}
	id, err := s.RefundRisky(in.RecordID)
	return object{"record_id": id}, err
}

func (s *Sandbox) controlAggregate(r *http.Request) (any, error) {
	if err := engine.Read(r, &struct{}{}); err != nil {
		return nil, err
	}
	return object{"addresses": s.Aggregate()}, nil
}

func (s *Sandbox) controlAccount(r *http.Request) (any, error) {
	var in Account
	if err := engine.Read(r, &in); err != nil {
		return nil, err
	}
	if in.CallsPerDay < 0 || in.SwapsPerDay < 0 {
		return nil, errors.New("calls_per_day and swaps_per_day: must not be below 0")
	}
	s.SetAccount(in)
	return engine.Done, nil
}
