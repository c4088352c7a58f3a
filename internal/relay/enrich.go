package relay

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/tidwall/gjson"

	"github.com/seed-338f6760/caddy-ccpayment/internal/confirm"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// enriched is the body that an app gets with `body enriched`: the webhook's, and the
// gateway's record and order by which the event was confirmed; null where it was
// not.
type enriched struct {
	Type       json.RawMessage `json:"type"`
	Msg        json.RawMessage `json:"msg"`
	Record     json.RawMessage `json:"record"`
	Order      json.RawMessage `json:"order"`
	Settlement *settlement     `json:"settlement"`
	EventID    string          `json:"event_id"`
	Fulfill    bool            `json:"fulfill"`
	Credit     bool            `json:"credit"`
}

// settlement is the sum of an order's payments, with the same values as the headers.
type settlement struct {
	State      string `json:"state"`
	AmountDue  string `json:"amount_due"`
	AmountPaid string `json:"amount_paid"`
	Currency   string `json:"currency"`
	Late       bool   `json:"late"`
	Reason     string `json:"reason"`
}

// enrich returns the enriched body for an event's.
func enrich(event ledger.Event, id string, f *confirm.Finding, c *ledger.Confirmation) ([]byte, error) {
	e := enriched{EventID: id}
	parts := gjson.GetManyBytes(event.Body, "type", "msg")
	if e.Type, e.Msg = raw(parts[0].Raw), raw(parts[1].Raw); e.Msg == nil {
		// The webhook has no envelope: it is the message.
		typ, err := json.Marshal(event.Type)
		if err != nil {
			return nil, fmt.Errorf("enriching the body: %w", err)
		}
		e.Type, e.Msg = typ, event.Body
	}
	if c != nil {
		e.Record, e.Fulfill, e.Credit = f.Record.Raw, c.Fulfill, c.Credit
		if f.Order != nil {
			e.Order = f.Order.Raw
			e.Settlement = &settlement{c.OrderState, c.OrderDue, c.OrderPaid, c.OrderCurrency, c.OrderLate, c.Reason}
		}
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(e); err != nil {
		return nil, fmt.Errorf("enriching the body: %w", err)
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

func raw(text string) json.RawMessage {
	if text == "" {
		return nil
	}
	return json.RawMessage(text)
}
