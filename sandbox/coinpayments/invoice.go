package coinpayments

import (
	"context"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/engine"
)

// The statuses of an invoice, as the API writes them.
const (
	statusUnpaid    = "unpaid"
	statusPending   = "pending"
	statusPaid      = "paid"
	statusCompleted = "completed"
	statusCancelled = "cancelled"
	statusTimedOut  = "timedOut"
)

// invoice is what a merchant asks a buyer to pay.
type invoice struct {
	id      string // with dashes
	number  string // the merchant's invoiceId; empty if there is none
	suffix  string // tells invoices of one number apart
	po      string
	pageURL string

	currency  *currency
	total     decimal.Decimal
	breakdown breakdown
	items     []item
	custom    map[string]string

	description string
	asked       details // what is only kept and given back

	success, cancel string // where the page leads back to
	hooks           []hook

	status      string
	createdAt   time.Time
	expiresAt   time.Time
	confirmedAt time.Time
	completedAt time.Time
	cancelledAt time.Time

	payments []*payment // oldest first
	history  []happened
	events   []*event        // the webhooks' events so far, oldest first
	last     *engine.Webhook // the latest of them

	own *ownPage // of a payment on the merchant's own page

	answered
}

// breakdown are the parts of an invoice's total.
type breakdown struct{ subtotal, shipping, handling, tax, discount decimal.Decimal }

// item is a line of an invoice.
type item struct {
	CustomID       string          `json:"customId,omitempty"`
	SKU            string          `json:"sku,omitempty"`
	Name           string          `json:"name"`
	Description    string          `json:"description,omitempty"`
	Quantity       quantity        `json:"quantity"`
	OriginalAmount decimal.Decimal `json:"originalAmount"`
	Amount         decimal.Decimal `json:"amount"` // of the whole line
	Tax            decimal.Decimal `json:"tax"`
}

// happened is an entry of an invoice's history.
type happened struct {
	At   time.Time
	Type string
}

// open reports whether an invoice can still be paid.
func (i *invoice) open() bool { return i.status == statusUnpaid || i.status == statusPending }

// active is the payment that the buyer is shown, or nil.
func (i *invoice) active() *payment {
	for _, p := range i.payments {
		if p.active {
			return p
		}
	}
	return nil
}

// orderID is the merchant's id of an invoice for the log.
func (i *invoice) orderID() string {
	if i.number != "" {
		return i.number
	}
	return i.id
}

// find finds an invoice by its id, with dashes or without.
func (st *state) find(id string) *invoice { return st.byID[undashed(id)] }

// enter gives an invoice what makes it one, keeps it and announces it. The base is where
// its page is found. The lock is held.
func (s *Sandbox) enter(i *invoice, base string) {
	st, now := s.st, s.engine.Now()
	i.id, i.status, i.createdAt = newUUID(), statusUnpaid, now
	i.expiresAt, i.pageURL = now.Add(st.settings.InvoiceLifetime), base+pagePath(i.id)
	if i.po == "" {
		i.po = strings.ToUpper(newID()[:16])
	}
	i.suffix = st.suffix(i.number)
	st.invoices = append(st.invoices, i)
	st.byID[undashed(i.id)] = i
	s.happen(i, "created")
	s.announce(i, eventCreated)
	s.engine.At(i.expiresAt, s.task(func(time.Time) {
		if i.status == statusUnpaid {
			s.timeOut(i)
		}
	}))
}

// task makes a task that is forgotten with the state that it was made in. It is told when
// it was due.
func (s *Sandbox) task(do func(due time.Time)) func(context.Context, time.Time) {
	st := s.st
	return func(_ context.Context, due time.Time) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.st == st {
			do(due)
		}
	}
}

// happen adds to an invoice's history.
func (s *Sandbox) happen(i *invoice, what string) {
	i.history = append(i.history, happened{s.engine.Now(), what})
}

// timeOut ends an invoice whose time is up. The lock is held.
func (s *Sandbox) timeOut(i *invoice) {
	i.status = statusTimedOut
	s.happen(i, "timedOut")
	for _, p := range i.payments {
		s.endPayment(p, stateTimedOutWaiting)
	}
	s.announce(i, eventTimedOut)
}

// cancelNow ends an invoice that the merchant cancels. What was paid of it waits to be
// refunded. The lock is held.
func (s *Sandbox) cancelNow(i *invoice) {
	i.status, i.cancelledAt = statusCancelled, s.engine.Now()
	s.happen(i, "cancelled")
	for _, p := range i.payments {
		s.endPayment(p, stateCancelledWaiting)
	}
	s.announce(i, eventCancelled)
}

func cancelInvoice(c *call) (reply, error) {
	i := c.st.find(c.PathValue("id"))
	switch {
	case i == nil:
		return reply{}, notFound("no invoice has the id %s", c.PathValue("id"))
	case !i.open():
		return reply{}, refuse(400, "the invoice is %s and cannot be cancelled", i.status)
	}
	c.s.cancelNow(i)
	return ok(nil)
}
