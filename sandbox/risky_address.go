package sandbox

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/engine"
)

// kindRiskyAddress is the type of the webhook about an address. CCPayment's reference
// names none; this is its heading in one word.
const kindRiskyAddress = "RiskyAddress"

// The forms of the webhook about an address: in the envelope of all webhooks, or flat, as
// CCPayment's reference prints it, without type and msg.
const (
	formEnvelope = "envelope"
	formFlat     = "flat"
)

// FlagAddress flags one of the merchant's deposit addresses as risky and sends the webhook
// that says so. Deposits to it send none from then on. The form is "envelope", as other
// webhooks are, or "flat", as CCPayment's reference prints this one.
func (s *Sandbox) FlagAddress(address, memo, form string) error {
	if form == "" {
		form = formEnvelope
	}
	if form != formEnvelope && form != formFlat {
		return fmt.Errorf(`form: must be "envelope" or "flat", got %q`, form)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.st.addresses.find(address, memo)
	if a == nil {
		return fmt.Errorf("address: the merchant has no address %q with the memo %q", address, memo)
	}
	if len(a.chains) == 0 {
		return errors.New("address: it is on no chain")
	}
	a.risky = true
	now := s.engine.Now()
	msg := object{"chainId": a.chains[0], "address": a.text, "riskAt": now.Unix()}
	n := &notice{
		kind: kindRiskyAddress, flat: form == formFlat, url: a.notifyURL, createdAt: now,
		message: func() object { return msg },
	}
	if a.order != nil {
		n.orderID, n.url = a.order.id, a.order.notifyURL
	}
	s.notify(n)
	return nil
}

func (s *Sandbox) controlRiskyAddress(r *http.Request) (any, error) {
	var in struct {
		Address string `json:"address"`
		Memo    string `json:"memo"`
		Form    string `json:"form"`
	}
	if err := engine.Read(r, &in); err != nil {
		return nil, err
	}
	return engine.Done, s.FlagAddress(in.Address, in.Memo, in.Form)
}
