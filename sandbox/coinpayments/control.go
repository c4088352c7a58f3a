package coinpayments

import (
	"net/http"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/engine"
)

// ControlPath is where the control calls of this gateway begin.
const ControlPath = "/sandbox/coinpayments/"

// routeControl adds the control calls. What is the same for both gateways (faults,
// deliveries, hold, release, advance, reset) is not among them.
func (s *Sandbox) routeControl(mux *http.ServeMux) {
	for name, act := range map[string]func(*http.Request) (any, error){
		"pay": s.controlPay,
	} {
		mux.Handle("POST "+ControlPath+name, s.engine.Guarded(act))
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
		Confirmations *int           `json:"confirmations"`
		Late          bool           `json:"late"`
		Instant       bool           `json:"instant"`
		Wait          engine.Wait    `json:"wait"`
	}
	if err := engine.Read(r, &in); err != nil {
		return nil, err
	}
	p := Payment{
		OrderID: in.OrderID, InvoiceID: in.InvoiceID, Address: in.Address, Coin: in.Coin, Status: in.Status,
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
