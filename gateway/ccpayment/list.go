package ccpayment

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
)

const (
	// depositPage is how many deposits a page is asked for (API reference, Get Deposit Record
	// List).
	depositPage = 100
	// listGrace is a little more than the 31.5 minutes after which CCPayment gives a webhook
	// up.
	listGrace = 35 * time.Minute
)

// Grace implements [gateway.Lister].
func (v *V2) Grace() time.Duration { return listGrace }

// List implements [gateway.Lister] by getAppDepositRecordList and getAppWithdrawRecordList.
// The records of users' wallets can be listed for one user at a time only, and are not
// among them.
func (v *V2) List(ctx context.Context, from, to time.Time, turn func(context.Context) error) iter.Seq2[gateway.Listed, error] {
	during := client.Between{StartAt: from, EndAt: to}
	return func(yield func(gateway.Listed, error) bool) {
		deposits := v.Client().DepositRecords(ctx, client.DepositFilter{Between: during, PageSize: depositPage}, client.BeforePage(turn))
		if !listed(deposits, v.listDeposit, yield) {
			return
		}
		withdrawals := v.Client().WithdrawalRecords(ctx, client.WithdrawalFilter{Between: during}, client.BeforePage(turn))
		listed(withdrawals, v.listWithdrawal, yield)
	}
}

// listed yields what records come to. It is false where nothing more is to follow.
func listed[T any](records iter.Seq2[T, error], list func(T) (gateway.Listed, error), yield func(gateway.Listed, error) bool) bool {
	for record, err := range records {
		if err != nil {
			yield(gateway.Listed{}, explain(err))
			return false
		}
		if !yield(list(record)) {
			return false
		}
	}
	return true
}

// FindRecord implements [gateway.Lister].
func (v *V2) FindRecord(ctx context.Context, n gateway.Notice) (gateway.Listed, error) {
	switch n.Type {
	case apiDeposit, directDeposit:
		record, err := v.Client().DepositRecord(ctx, n.RecordID)
		if err != nil {
			return gateway.Listed{}, explain(err)
		}
		return v.listDeposit(record)
	case apiWithdrawal:
		record, err := v.Client().WithdrawalRecord(ctx, client.ByRecord(n.RecordID))
		if err != nil {
			return gateway.Listed{}, explain(err)
		}
		return v.listWithdrawal(record)
	default:
		return gateway.Listed{}, fmt.Errorf("CCPayment lists no records of %.40q", n.Type)
	}
}

// listedMessage is "msg" of a webhook about a record (API reference, Webhook Payload Examples).
type listedMessage struct {
	RecordID    string      `json:"recordId"`
	OrderID     string      `json:"orderId,omitempty"`
	ReferenceID string      `json:"referenceId,omitempty"`
	CoinID      json.Number `json:"coinId,omitempty"`
	CoinSymbol  string      `json:"coinSymbol,omitempty"`
	Status      string      `json:"status"`
	Risky       *bool       `json:"isFlaggedAsRisky,omitempty"`
}

// listDeposit is a payment as its webhook would tell of it. Payments to orders and to
// permanent addresses stand in one list.
func (v *V2) listDeposit(r client.DepositRecord) (gateway.Listed, error) {
	typ, mark, m := directDeposit, addressMark+r.ReferenceID, listedMessage{
		RecordID: r.RecordID, OrderID: r.OrderID, ReferenceID: r.ReferenceID, CoinID: json.Number(r.CoinID), CoinSymbol: r.CoinSymbol,
		Status: string(r.Status),
	}
	if r.OrderID != "" {
		typ, mark = apiDeposit, gateway.OrderMark(r.OrderID)
	}
	if r.Risk == client.RiskFlagged || r.Risk == client.RiskNone {
		isRisky := r.Risk == client.RiskFlagged
		m.Risky = &isRisky
	}
	return v.list(typ, m, mark, r.ArrivedAt)
}

func (v *V2) listWithdrawal(r client.WithdrawalRecord) (gateway.Listed, error) {
	return v.list(apiWithdrawal, listedMessage{
		RecordID: r.RecordID, OrderID: r.OrderID, CoinID: json.Number(r.CoinID), CoinSymbol: r.CoinSymbol, Status: string(r.Status),
	}, payoutMark+r.OrderID, r.CreatedAt)
}

// list writes the webhook and reads it as one that came, so that the two have one key.
func (v *V2) list(typ string, m listedMessage, mark string, made time.Time) (gateway.Listed, error) {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false) // some receivers verify over JSON that they write again
	err := encoder.Encode(struct {
		Type string        `json:"type"`
		Msg  listedMessage `json:"msg"`
	}{typ, m})
	if err != nil {
		return gateway.Listed{}, fmt.Errorf("writing the webhook of record %.60q: %w", m.RecordID, err)
	}
	l := gateway.Listed{Body: bytes.TrimSuffix(body.Bytes(), []byte("\n")), MadeAt: made}
	if !strings.HasSuffix(mark, " ") { // else it names nothing
		l.Marks = []string{mark}
	}
	if l.Notice, err = v.Read(l.Body); err != nil {
		l.Notice = gateway.Notice{Type: typ, RecordID: m.RecordID, OrderID: m.OrderID}
	}
	return l, err
}
