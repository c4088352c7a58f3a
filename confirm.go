package ccpayment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/settle"
)

// policy is what the operator chose about confirmed money.
type policy struct {
	holdRisky bool
	// order is what the ledger knows of the event's order; nil: nothing.
	order *ledger.Order
	settle.Policy
}

// confirmation is what the gateway's own records say of an event.
type confirmation struct {
	// asked: there was something to ask, and the gateway agreed.
	asked bool
	// risk is that of the webhook and of the record together.
	risk   ledger.Risk
	record recordFacts
	order  *orderFacts
	// flag is what the event tells the app if it is earned and nothing else has
	// told it; its value is that of the header.
	flag      *ledger.Flag
	flagValue string
	earned    bool
	// mayFulfil: the flag was Fulfill, before it was looked at who has it.
	mayFulfil bool
	// isLeft: the order is paid, and another payment is to carry the flag.
	isLeft bool
	// askedAt is when the gateway was asked.
	askedAt time.Time
	// reason is why a payment does not fulfil its order, in one word.
	reason string
	// terms are those of our checkout that the order was settled by; nil: none.
	terms *ledger.Terms
	// told is what the app is told of all this.
	told *ledger.Confirmation
	// rawRecord and rawOrder are as the gateway answered.
	rawRecord, rawOrder json.RawMessage
}

// recordFacts are of the confirmed record.
type recordFacts struct {
	coin, chain, txID     string
	amount, fee, usdPrice decimal.Decimal
}

// orderFacts are of the confirmed order, settled.
type orderFacts struct {
	settle.Result
	currency string
	payments []ledger.OrderPayment
}

// heldError: the event must wait for an operator.
type heldError struct{ cause string }

func (e *heldError) Error() string { return e.cause }

func mismatch(format string, args ...any) error {
	return &heldError{"mismatch: " + fmt.Sprintf(format, args...)}
}

// behind is an answer that does not agree yet, and may do so later.
func behind(format string, args ...any) error {
	return fmt.Errorf("CCPayment's records are behind: "+format, args...)
}

func (*gatewayV2) canConfirm(typ string) bool { return slices.Contains(knownTypes, typ) }

// confirm asks CCPayment about an event. An error that is a heldError means
// that the two contradict each other, or that a person must look; any other,
// that nothing is known for sure yet.
func (g *gatewayV2) confirm(ctx context.Context, d delivery, p policy, now time.Time) (confirmation, error) {
	switch d.event.Type {
	case "DirectDeposit", "ApiDeposit", "UserDeposit":
		return g.confirmDeposit(ctx, d, p, now)
	case "ApiWithdrawal", "UserWithdrawal":
		return g.confirmWithdrawal(ctx, d)
	default:
		return confirmation{risk: d.event.Risk}, nil // there is nothing to ask
	}
}

func (g *gatewayV2) confirmDeposit(ctx context.Context, d delivery, p policy, now time.Time) (confirmation, error) {
	e := d.event
	var c confirmation
	if !e.HasID() {
		return c, mismatch("the webhook names no record")
	}
	records := g.reads.deposit
	if e.Type == "UserDeposit" {
		records = g.reads.userDeposit
	}
	record, err := records.get(ctx, e.Record.ID)
	if err != nil {
		return c, explainAPI("record", err)
	}
	err = errors.Join(
		agree("coin", d.coinID, record.CoinID),
		agree("order", e.GatewayOrderID, record.OrderID),
		agree("reference", e.ReferenceID, record.ReferenceID),
		agree("user", e.UserID, record.UserID),
	)
	if err != nil {
		return c, err
	}
	if err := agreeKind(e, record); err != nil {
		return c, err
	}
	if err := agreeStatus(e.Status, record.Status); err != nil {
		return c, err
	}
	known := risk(e.Risk, record.Risk)
	if e.Released && record.Risk == client.RiskNone {
		known = ledger.NotRisky // CCPayment has cleared it since the webhook
	}
	c = confirmation{asked: true, rawRecord: record.Raw, risk: known, record: recordFacts{
		coin: record.CoinSymbol, chain: record.Chain, txID: record.TxID,
		amount: record.Amount, fee: record.ServiceFee, usdPrice: record.CoinUSDPrice,
	}}
	if p.holdRisky && c.risk != ledger.NotRisky {
		// Settled all the same, as far as that can be had now: a buyer whose
		// payment is held must not be asked to pay again.
		if e.Type == "ApiDeposit" {
			settled, _ := g.settleOrder(ctx, e, record, c, p, now)
			c.order = settled.order
		}
		return c, &heldError{"risky: CCPayment flags the payment, or does not say that it is clean"}
	}
	success := client.Status(e.Status).Is(client.StatusSuccess)
	if success && !record.Amount.IsPositive() {
		return c, behind("the record is Success and has no amount")
	}
	if e.Type == "ApiDeposit" {
		return g.settleOrder(ctx, e, record, c, p, now)
	}
	if success {
		flag := ledger.CreditOf(e.Record)
		c.flag, c.flagValue, c.earned = &flag, "true", c.risk == ledger.NotRisky
	}
	return c, nil
}

func (g *gatewayV2) confirmWithdrawal(ctx context.Context, d delivery) (confirmation, error) {
	e := d.event
	var c confirmation
	if !e.HasID() {
		return c, mismatch("the webhook names no record")
	}
	records := g.reads.withdrawal
	if e.Type == "UserWithdrawal" {
		records = g.reads.userWithdrawal
	}
	record, err := records.get(ctx, e.Record.ID)
	if err != nil {
		return c, explainAPI("record", err)
	}
	err = errors.Join(
		agree("coin", d.coinID, record.CoinID),
		agree("order", e.GatewayOrderID, record.OrderID),
		agree("user", e.UserID, record.UserID),
	)
	if err != nil {
		return c, err
	}
	if err := agreeStatus(e.Status, record.Status); err != nil {
		return c, err
	}
	c = confirmation{asked: true, rawRecord: record.Raw, risk: ledger.NotRisky, record: recordFacts{
		coin: record.CoinSymbol, chain: record.Chain, txID: record.TxID, amount: record.Amount, fee: record.Fee.Amount,
	}}
	flag := ledger.PayoutOf(e.Record)
	c.earned = true
	switch status := client.Status(e.Status); {
	case status.Is(client.StatusSuccess):
		c.flag, c.flagValue = &flag, "sent"
	case status.Final():
		c.flag, c.flagValue = &flag, "failed"
	}
	return c, nil
}

// agree compares what both sides say; where one is silent there is nothing to
// compare.
func agree(what, webhook, record string) error {
	if webhook == "" || record == "" || webhook == record {
		return nil
	}
	return mismatch("the %s is %.80q in the webhook and %.80q in the record", what, webhook, record)
}

// agreeKind refuses a record that is of another kind than the webhook says: a
// payment of an order must not be credited to a reference as well.
func agreeKind(e ledger.Event, record client.DepositRecord) error {
	switch {
	case e.Type == "DirectDeposit" && (record.OrderID != "" || record.UserID != ""):
		return mismatch("the record is of an order or a user, and the webhook of a permanent address")
	case e.Type == "DirectDeposit" && e.ReferenceID != record.ReferenceID:
		return mismatch("the reference is %.80q in the webhook and %.80q in the record", e.ReferenceID, record.ReferenceID)
	case e.Type == "UserDeposit" && e.UserID != record.UserID:
		return mismatch("the user is %.80q in the webhook and %.80q in the record", e.UserID, record.UserID)
	case e.Type == "ApiDeposit" && (record.ReferenceID != "" && record.OrderID == "" || record.UserID != ""):
		return mismatch("the record is of a permanent address or a user, and the webhook of an order")
	}
	return nil
}

// agreeStatus refuses a record that contradicts the webhook or is behind it.
// One that is ahead agrees: the event stays what it is.
func agreeStatus(webhook string, record client.Status) error {
	said, known := client.Status(webhook), statusRank(strings.ToLower(string(record)))
	switch rank := statusRank(strings.ToLower(webhook)); {
	case rank == 0:
		return nil // a status that nobody knows cannot be compared
	case said.Final() && record.Final() && !said.Is(record):
		return mismatch("the status is %s in the webhook and %.40q in the record", webhook, record)
	case known < rank:
		return behind("the status is %s in the webhook and %.40q in the record", webhook, record)
	}
	return nil
}

// statusRank orders the statuses of a record; see [ledger.Options].
func statusRank(status string) int {
	switch status {
	case "waitingapproval":
		return 1
	case "pending", "processing":
		return 2
	case "success", "failed", "rejected":
		return 3
	default:
		return 0
	}
}

// risk joins what both sides say: risky if either does; and where the webhook
// is silent, the record decides.
func risk(webhook ledger.Risk, record client.Risk) ledger.Risk {
	switch {
	case webhook == ledger.Risky || record == client.RiskFlagged:
		return ledger.Risky
	case webhook == ledger.NotRisky || record == client.RiskNone:
		return ledger.NotRisky
	default:
		return ledger.RiskUnknown
	}
}

// explainAPI says why an answer does not confirm, and what to do about it.
func explainAPI(what string, err error) error {
	if errors.Is(err, client.ErrNotFound) {
		return behind("it knows no such %s", what)
	}
	var refusal *client.Error
	if errors.As(err, &refusal) {
		return fmt.Errorf("asking CCPayment for the %s: %w (%s)", what, err, refusal.Hint())
	}
	return fmt.Errorf("asking CCPayment for the %s: %w", what, err)
}
