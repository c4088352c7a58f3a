package worlds

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/settle"
)

const (
	accountID = "sim:m-1"

	typePayment, typeDeposit = "payment", "deposit"

	processing, success, failed = "processing", "success", "failed"
)

// bank is the gateway: what was ordered there, and what was paid. Its records and lists may
// know later of a payment than its webhooks.
type bank struct {
	*world
	mu       sync.Mutex
	orders   map[string]*sale
	payments map[string]*payment
}

// sale is an order at the gateway.
type sale struct {
	id, own        string // its id here, and the app's
	terms          ledger.Terms
	due            decimal.Decimal
	madeAt, expiry time.Time
	payments       []*payment
}

// payment is one of an order, or a deposit of a user.
type payment struct {
	id, kind, user    string
	of                *sale // nil: it is a deposit
	amount            decimal.Decimal
	last              string // its last status
	madeAt, doneAt    time.Time
	knownLag, doneLag time.Duration
	risky             bool
	clearedAt         time.Time // from when a risky one is not risky any more; zero: it stays so
}

func newBank(w *world) *bank {
	return &bank{world: w, orders: make(map[string]*sale), payments: make(map[string]*payment)}
}

// statusAt is the status that the gateway's API knows of at a time; empty: it knows no such
// payment.
func (p *payment) statusAt(at time.Time) string {
	switch {
	case at.Before(p.madeAt.Add(p.knownLag)):
		return ""
	case at.Before(p.doneAt.Add(p.doneLag)):
		return processing
	default:
		return p.last
	}
}

// riskAt is whether the gateway flags the payment as risky at a time.
func (p *payment) riskAt(at time.Time) ledger.Risk {
	if p.risky && (p.clearedAt.IsZero() || at.Before(p.clearedAt)) {
		return ledger.Risky
	}
	return ledger.NotRisky
}

// paid is what counts of an order by a time, in truth. What came late may have to be released
// by an operator.
func (s *sale) paid(holdsLate bool, released []string, at time.Time) (sum decimal.Decimal) {
	for _, p := range s.payments {
		isHeld := holdsLate && p.madeAt.After(s.expiry) && !slices.Contains(released, p.id)
		if p.last == success && !at.Before(p.doneAt) && !isHeld && p.riskAt(at) == ledger.NotRisky {
			sum = sum.Add(p.amount)
		}
	}
	return sum
}

// body is the webhook of a payment in a status, at a time.
func (p *payment) body(status string, at time.Time) []byte {
	n := map[string]string{
		"type": p.kind, "id": p.id, "status": status, "amount": p.amount.String(), "user": p.user, "risk": string(p.riskAt(at)),
	}
	if p.of != nil {
		n["order"] = p.of.id
	}
	body, err := json.Marshal(n)
	if err != nil {
		panic(err)
	}
	return body
}

// branch is the gateway as one life of a process reaches it.
type branch struct {
	*bank
	life *life
}

// call is a call of the gateway's API. Where the error is errLost and did is true, it was
// performed all the same.
func (b *branch) call(ctx context.Context, op, what string, do func() error) (did bool, err error) {
	l := b.life
	perform := func() error {
		b.mu.Lock()
		defer b.mu.Unlock()
		return do()
	}
	n := l.nth(l.name + op + what)
	there := time.Millisecond + l.DrawTime(40*time.Millisecond, l.name, op, what, n)
	if l.hasFaults() && l.has("calls") && l.Draw(12, "slow", l.name, op, what, n) == 0 {
		there = l.DrawTime(25*time.Second, "slowly", l.name, op, what, n)
	}
	if until, is := l.stoppedUntil(); is {
		l.pause(until-l.since(), op, what, n)
	}
	select {
	case <-time.After(there):
	case <-ctx.Done():
		return l.Draw(2, "performed", l.name, op, what, n) == 0 && perform() == nil, ctx.Err()
	}
	fault := uint64(0)
	if l.hasFaults() && l.has("calls") {
		fault = l.Draw(100, "call", l.name, op, what, n)
	}
	switch {
	case l.isDead.Load():
		return false, errDead
	case fault >= 95:
		return false, errLost
	}
	err = perform()
	l.log("%s asks %s %s: %v", l.name, op, what, err)
	time.Sleep(time.Millisecond + l.DrawTime(20*time.Millisecond, "back", l.name, op, what, n))
	if fault >= 90 || l.isDead.Load() {
		return true, errLost
	}
	return true, err
}

// Info implements [gateway.Gateway].
func (b *branch) Info() gateway.Info {
	return gateway.Info{
		Name: "sim", Title: "Sim Pay", AccountID: accountID,
		Types: []gateway.Type{
			{Name: typePayment, Kind: gateway.Payment, BookedBy: gateway.ByOrder},
			{Name: typeDeposit, Kind: gateway.Deposit, BookedBy: gateway.ByUser},
		},
		Statuses: []gateway.Status{
			{Name: processing, Rank: 2, Stage: gateway.Open},
			{Name: success, Rank: 3, Stage: gateway.Success},
			{Name: failed, Rank: 3, Stage: gateway.Failed},
		},
		Ack:    gateway.Ack{Body: "OK"},
		Limits: gateway.Limits{ShortestOrderID: 3, LongestOrderID: 48, LongestProduct: 120, LongestExpiry: 24 * time.Hour},
	}
}

// Key implements [gateway.Gateway].
func (b *branch) Key(purpose string) []byte { return gateway.DeriveKey("secret", accountID, purpose) }

// Verify implements [gateway.Webhooks]: in a world nobody forges.
func (b *branch) Verify(_ gateway.Request, now time.Time) (time.Time, error) { return now, nil }

// Read implements [gateway.Webhooks].
func (b *branch) Read(body []byte) (gateway.Notice, error) {
	var n struct{ Type, ID, Status, Order, User, Risk string }
	if err := json.Unmarshal(body, &n); err != nil {
		return gateway.Notice{}, fmt.Errorf("%w: %w", gateway.ErrUnreadable, err)
	}
	return gateway.Notice{Type: n.Type, RecordID: n.ID, Status: n.Status, OrderID: n.Order, UserID: n.User, Risk: ledger.Risk(n.Risk)}, nil
}

// Record implements [gateway.Records].
func (b *branch) Record(ctx context.Context, n gateway.Notice) (r gateway.Record, err error) {
	_, err = b.call(ctx, "Record", n.RecordID, func() error {
		p := b.payments[n.RecordID]
		if p == nil || p.statusAt(time.Now()) == "" {
			return gateway.ErrNotFound
		}
		r = gateway.Record{
			ID: p.id, Status: p.statusAt(time.Now()), Amount: p.amount, Coin: "USDT", UserID: p.user, ArrivedAt: p.madeAt, Risk: p.riskAt(time.Now()),
		}
		if p.of != nil {
			r.OrderID = p.of.id
		}
		return nil
	})
	return r, err
}

// Order implements [gateway.Records].
func (b *branch) Order(ctx context.Context, id string, _ *ledger.GatewayOrder) (o gateway.Order, err error) {
	_, err = b.call(ctx, "Order", id, func() error {
		s := b.orders[id]
		if s == nil {
			return gateway.ErrNotFound
		}
		o = gateway.Order{Due: settle.Order{Due: s.due, ExpiresAt: s.expiry}, Currency: "USD", Terms: s.terms, CheckoutURL: "https://pay.example/" + id}
		for _, p := range s.payments {
			if status := p.statusAt(time.Now()); status != "" {
				risk := p.riskAt(time.Now())
				o.Payments = append(o.Payments, gateway.OrderPayment{Risk: risk, Payment: settle.Payment{
					RecordID: p.id, Amount: p.amount, ArrivedAt: p.madeAt, Clean: risk == ledger.NotRisky, Finished: status != processing, Failed: status == failed,
				}})
			}
		}
		return nil
	})
	return o, err
}

// Terms implements [gateway.Checkouts].
func (b *branch) Terms(_ context.Context, p gateway.Price) (gateway.Terms, error) {
	amount, err := gateway.ParseAmount(p.Amount, 2, "fiat")
	return gateway.Terms{Terms: ledger.Terms{Price: amount.String(), FiatID: "1033"}, Amount: amount, Symbol: "USD", Fiat: true, Decimals: 2}, err
}

// Create implements [gateway.Checkouts].
func (b *branch) Create(ctx context.Context, o gateway.NewOrder) (c gateway.Checkout, err error) {
	did, err := b.call(ctx, "Create", o.ID, func() error {
		if b.orders[o.ID] != nil {
			return gateway.ErrDuplicate
		}
		terms := o.Terms.Terms
		terms.Price = o.Amount.String()
		s := &sale{id: o.ID, terms: terms, due: o.Amount, madeAt: time.Now(), expiry: o.Expires}
		b.orders[o.ID] = s
		c = gateway.Checkout{URL: "https://pay.example/" + o.ID, ExpiresAt: s.expiry}
		return nil
	})
	if err != nil && (did || ctx.Err() != nil) && err != gateway.ErrDuplicate {
		err = gateway.Tag(gateway.ErrOutcomeUnknown, err)
	}
	return c, err
}

func (b *branch) listed(p *payment) gateway.Listed {
	body := p.body(p.statusAt(time.Now()), time.Now())
	n, err := b.Read(body)
	if err != nil {
		panic(err)
	}
	one := gateway.Listed{Notice: n, Body: body, MadeAt: p.madeAt}
	if p.of != nil {
		one.Marks = []string{gateway.OrderMark(p.of.id)}
	}
	return one
}

// List implements [gateway.Lister].
func (b *branch) List(ctx context.Context, from, to time.Time, turn func(context.Context) error) iter.Seq2[gateway.Listed, error] {
	return func(yield func(gateway.Listed, error) bool) {
		if err := turn(ctx); err != nil {
			yield(gateway.Listed{}, err)
			return
		}
		var all []gateway.Listed
		_, err := b.call(ctx, "List", "", func() error {
			for _, p := range b.payments {
				if p.statusAt(time.Now()) != "" && !p.madeAt.Before(from) && !p.madeAt.After(to) {
					all = append(all, b.listed(p))
				}
			}
			slices.SortFunc(all, func(a, b gateway.Listed) int { return a.MadeAt.Compare(b.MadeAt) })
			return nil
		})
		if err != nil {
			yield(gateway.Listed{}, err)
			return
		}
		for _, one := range all {
			if !yield(one, nil) {
				return
			}
		}
	}
}

// FindRecord implements [gateway.Lister].
func (b *branch) FindRecord(ctx context.Context, n gateway.Notice) (one gateway.Listed, err error) {
	_, err = b.call(ctx, "FindRecord", n.RecordID, func() error {
		p := b.payments[n.RecordID]
		if p == nil || p.statusAt(time.Now()) == "" {
			return gateway.ErrNotFound
		}
		one = b.listed(p)
		return nil
	})
	return one, err
}

// Grace implements [gateway.Lister].
func (b *branch) Grace() time.Duration { return 2 * time.Minute }

// Resend implements [gateway.Resender].
func (b *branch) Resend(ctx context.Context, r gateway.ResendRequest) (n int, err error) {
	_, err = b.call(ctx, "Resend", fmt.Sprint(r.RecordIDs), func() error {
		for _, id := range r.RecordIDs {
			p := b.payments[id]
			if p == nil {
				continue
			}
			if status, which := p.statusAt(time.Now()), b.nth("resent"+id); status != "" {
				n++
				go func() {
					time.Sleep(b.DrawTime(10*time.Second, "resend", id, which))
					b.send(p, status, 100+which, 1000)
				}()
			}
		}
		return nil
	})
	return n, err
}

// Interface guards
var (
	_ gateway.Gateway   = (*branch)(nil)
	_ gateway.Checkouts = (*branch)(nil)
	_ gateway.Lister    = (*branch)(nil)
	_ gateway.Resender  = (*branch)(nil)
)
