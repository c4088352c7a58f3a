package sandbox

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/engine"
)

// The statuses of a transaction.
const (
	statusProcessing = "Processing"
	statusSuccess    = "Success"
	statusFailed     = "Failed"
)

// The kinds of deposit, which are also the types of their webhooks.
const (
	kindOrder  = "ApiDeposit"
	kindDirect = "DirectDeposit"
	kindUser   = "UserDeposit"
)

// confirmation is how long a deposit stays in Processing, at speed 1.
const confirmation = 3 * time.Second

// acceptedAfter is how long an order's address is watched after the order
// expired.
const acceptedAfter = 7 * 24 * time.Hour

// feeRate is CCPayment's share of a deposit.
var feeRate = decimal.RequireFromString("0.005")

// deposit is one payment that arrived.
type deposit struct {
	recordID  string
	kind      string
	coin      *coin
	network   *network
	to        *address
	from      string // empty on UTXO chains
	txID      string
	amount    decimal.Decimal
	fee       decimal.Decimal
	usd       decimal.Decimal // the coin's price at receipt
	rate      decimal.Decimal // worth of a coin in what the order is priced in; of orders only
	status    string
	risky     bool
	credited  bool
	swept     bool      // it was aggregated
	seenAt    time.Time // when it was recorded; a late one arrives as if afterwards
	arrivedAt time.Time
	order     *order
	reference string
	user      string
	late      bool
	final     chan struct{} // closed once the last webhook was tried
}

// receive records a deposit that was just seen on its chain and announces it.
// The lock is held.
//
// A deposit to an address that was unbound belongs to the merchant and names
// neither reference nor user. One that comes more than seven days after its
// order expired is credited to the merchant and has a record without an order,
// but no webhook: the address is no longer watched; nor is one that was flagged as
// risky. (The pages do not say what
// happens then; this is the reading that loses no money.)
func (s *Sandbox) receive(d *deposit, goal string, confirm time.Duration) {
	st, now := s.st, s.engine.Now()
	d.recordID, d.txID, d.seenAt = st.recordID(now), engine.NewTxID(), now
	if d.network.chain.family != "BTC" {
		d.from = engine.NewAddress(d.network.chain.family)
	}
	d.status, d.usd, d.final = statusProcessing, st.price(d.coin), make(chan struct{})
	d.fee = d.amount.Mul(feeRate).RoundCeil(int32(d.network.precision))
	if d.arrivedAt.IsZero() {
		d.arrivedAt = now
	}
	watched := true
	switch a := d.to; {
	case a.order != nil && d.arrivedAt.Sub(a.order.expiresAt) > acceptedAfter:
		d.kind, watched = kindDirect, false
	case a.order != nil:
		d.kind, d.order = kindOrder, a.order
		d.rate = st.rateOf(a.order, d.coin, d.arrivedAt)
		d.late = d.arrivedAt.After(a.order.expiresAt)
		a.order.deposits = append(a.order.deposits, d)
	case a.unbound:
		d.kind = kindDirect
	case a.userID != "":
		d.kind, d.user = kindUser, a.userID
	default:
		d.kind, d.reference = kindDirect, a.referenceID
	}
	watched = watched && !d.to.risky
	st.deposits = append(st.deposits, d)
	st.byRecord[d.recordID] = d

	if watched {
		s.announce(d)
	}
	if goal == statusProcessing {
		s.closeAfter(d, watched)
		return
	}
	s.engine.At(now.Add(confirm), func(context.Context, time.Time) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.st == st {
			s.finish(d, goal, watched)
		}
	})
}

// finish ends a deposit that is still processing, credits it and announces it.
// The lock is held.
func (s *Sandbox) finish(d *deposit, status string, watched bool) {
	if d.status != statusProcessing {
		return
	}
	d.status = status
	s.settle(d)
	if watched {
		s.announce(d)
	}
	s.closeAfter(d, watched)
}

// settle makes the balance agree with the deposit: what succeeded and is not
// risky counts, less the service fee. The lock is held.
func (s *Sandbox) settle(d *deposit) {
	counts := d.status == statusSuccess && !d.risky
	if counts == d.credited {
		return
	}
	d.credited = counts
	user, net := s.opts.AppID, d.amount.Sub(d.fee)
	if d.user != "" {
		user = d.user
	}
	if !counts {
		net = net.Neg()
	}
	s.st.credit(user, d.coin, net)
}

// announce sends the webhook of a deposit's present status.
func (s *Sandbox) announce(d *deposit) {
	status := d.status
	n := &notice{
		kind: d.kind, status: status, recordID: d.recordID, url: d.to.notifyURL, createdAt: d.seenAt,
		message: func() object { return d.message(status) },
	}
	if d.order != nil {
		n.orderID, n.url = d.order.id, d.order.notifyURL
	}
	s.notify(n)
}

// message is the "msg" of a deposit's webhook. It has an amount only where the
// pages' example has one, which is a user's deposit.
func (d *deposit) message(status string) object {
	msg := object{
		"recordId": d.recordID, "coinId": d.coin.id, "coinSymbol": d.coin.inRecords(),
		"status": status, "isFlaggedAsRisky": d.risky,
	}
	switch d.kind {
	case kindOrder:
		msg["orderId"] = d.order.id
	case kindUser:
		msg["userId"], msg["amount"] = d.user, d.amount
	default:
		msg["referenceId"] = d.reference
	}
	return msg
}

// closeAfter ends the waiting of Pay when the latest webhook was tried. The
// lock is held.
func (s *Sandbox) closeAfter(d *deposit, watched bool) {
	select {
	case <-d.final:
		return
	default:
	}
	last := s.st.latest[d.recordID]
	if !watched || last == nil {
		close(d.final)
		return
	}
	engine.CloseAfter(last.sent, d.final)
}

// Finish ends a deposit that was paid with the status "processing". The status
// is "success" or "failed".
func (s *Sandbox) Finish(recordID, status string) error {
	goal, err := parseStatus(status)
	if err != nil || goal == statusProcessing {
		return fmt.Errorf(`status: must be "success" or "failed", got %q`, status)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.st.byRecord[recordID]
	if d == nil {
		return fmt.Errorf("record_id: no deposit has the record id %q", recordID)
	}
	if d.status != statusProcessing {
		return fmt.Errorf("record_id: the deposit is %s already", d.status)
	}
	s.finish(d, goal, s.st.latest[recordID] != nil)
	return nil
}

// SetRisky flags a deposit as risky, or clears it. A flagged deposit does not
// count towards the balance; a cleared one does from then on. As with
// CCPayment, no webhook is sent for it: the record has to be read.
func (s *Sandbox) SetRisky(recordID string, risky bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.st.byRecord[recordID]
	if d == nil {
		return fmt.Errorf("record_id: no deposit has the record id %q", recordID)
	}
	d.risky = risky
	s.settle(d)
	return nil
}

func parseStatus(text string) (string, error) {
	switch strings.ToLower(text) {
	case "", "success":
		return statusSuccess, nil
	case "failed":
		return statusFailed, nil
	case "processing":
		return statusProcessing, nil
	}
	return "", fmt.Errorf(`status: must be "success", "failed" or "processing", got %q`, text)
}
