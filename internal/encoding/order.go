package encoding

import (
	"fmt"
	"slices"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// The version begins the value of an order. Its fields follow, and a checksum. An order
// that needs no later version is written in the first, which earlier programs read.
const (
	orderVersion = 1
	// withRefs is the version of orders that the gateway has its own id of, or that end.
	withRefs = 2
	// withAccounts is the version of orders that several accounts share.
	withAccounts = 3
	// withClosing is the version of orders that were closed, or that tell when they expire.
	withClosing = 4
)

// EncodeOrder returns the value of an order that is to stand under the key at.
func EncodeOrder(at []byte, o *ledger.Order) ([]byte, error) {
	c := coder{value: make([]byte, 0, 512)}
	c.version = orderVersion
	if hasRefs(o.Checkout) {
		c.version = withRefs
	}
	if hasAccounts(o) {
		c.version = withAccounts
	}
	if o.Closed != nil || tells(o.Checkout) {
		c.version = withClosing
	}
	c.value = append(c.value, c.version)
	orderFields(&c, o)
	if c.err != nil {
		return nil, fmt.Errorf("encoding order %s: %w", o.ID, c.err)
	}
	return Seal(at, c.value), nil
}

// tells reports whether the app is to be told when one of a checkout's orders expires.
func tells(c *ledger.Checkout) bool {
	return c != nil && slices.ContainsFunc(c.Generations, func(g ledger.GatewayOrder) bool { return g.Tells })
}

// hasRefs reports whether a checkout has what the first version of orders lacks.
func hasRefs(c *ledger.Checkout) bool {
	return c != nil && (!c.EndAt.IsZero() || slices.ContainsFunc(c.Generations, func(g ledger.GatewayOrder) bool { return g.Ref != "" || g.Ended }))
}

// hasAccounts reports whether an order has what the second version of orders lacks.
func hasAccounts(o *ledger.Order) bool {
	isOther := func(g ledger.GatewayOrder) bool { return g.AppID != "" || g.Terms.Unit != "" }
	return o.Checkout != nil && (o.Checkout.Terms.Unit != "" || slices.ContainsFunc(o.Checkout.Generations, isOther)) ||
		slices.ContainsFunc(o.Payments, func(p ledger.OrderPayment) bool { return p.AppID != "" }) ||
		slices.ContainsFunc(o.Events, func(e ledger.OrderEvent) bool { return e.AppID != "" })
}

// DecodeOrder reads an order.
func DecodeOrder(at, value []byte) (ledger.Order, error) {
	var o ledger.Order
	whole, ok := Unseal(at, value)
	if !ok {
		return o, ledger.ErrDamaged
	}
	if err := checkVersion(whole, orderVersion, withClosing); err != nil {
		return o, err
	}
	c := newReader(whole[1:])
	c.version = whole[0]
	orderFields(c, &o)
	return o, c.end()
}

// orderFields are an order's, in the order in which they stand in the value.
func orderFields(c *coder, o *ledger.Order) {
	c.text(&o.AppID)
	c.text(&o.ID)
	c.text(&o.Account)
	c.text(&o.OwnID)
	optional(c, &o.Checkout, checkoutFields)
	c.text(&o.State)
	c.text(&o.Due)
	c.text(&o.Paid)
	c.text(&o.Currency)
	c.flag(&o.Late)
	c.time(&o.ReadAt)
	list(c, &o.Payments, paymentFields)
	list(c, &o.Released, (*coder).text)
	c.text(&o.FulfilledBy)
	c.flag(&o.Abandoned)
	list(c, &o.Events, orderEventFields)
	list(c, &o.Steps, stepFields)
	if c.version >= withClosing {
		optional(c, &o.Closed, closingFields)
	}
}

func closingFields(c *coder, f *ledger.Closing) {
	c.time(&f.At)
	c.text(&f.Reason)
	c.flag(&f.Forced)
	c.flag(&f.Ended)
}

func checkoutFields(c *coder, f *ledger.Checkout) {
	termsFields(c, &f.Terms)
	c.text(&f.Symbol)
	list(c, &f.Generations, gatewayOrderFields)
	if c.version >= withRefs {
		c.time(&f.EndAt)
	}
}

func termsFields(c *coder, t *ledger.Terms) {
	c.text(&t.Price)
	c.text(&t.FiatID)
	c.text(&t.CoinID)
	c.text(&t.PayCoinID)
	c.text(&t.Chain)
	if c.version >= withAccounts {
		c.text(&t.Unit)
	}
}

func gatewayOrderFields(c *coder, g *ledger.GatewayOrder) {
	c.text(&g.ID)
	termsFields(c, &g.Terms)
	c.time(&g.CreatedAt)
	c.time(&g.ExpiresAt)
	c.text(&g.CheckoutURL)
	c.text(&g.Address)
	c.text(&g.Memo)
	c.text(&g.Amount)
	if c.version >= withRefs {
		c.text(&g.Ref)
		c.flag(&g.Ended)
	}
	if c.version >= withAccounts {
		c.text(&g.AppID)
	}
	if c.version >= withClosing {
		c.flag(&g.Tells)
	}
}

func paymentFields(c *coder, p *ledger.OrderPayment) {
	c.text(&p.RecordID)
	c.text(&p.Verdict)
	c.text(&p.Amount)
	if c.version >= withAccounts {
		c.text(&p.AppID)
	}
}

func orderEventFields(c *coder, e *ledger.OrderEvent) {
	c.text(&e.Route)
	c.text(&e.Type)
	c.text(&e.RecordID)
	c.text(&e.Status)
	c.text((*string)(&e.Risk))
	if c.version >= withAccounts {
		c.text(&e.AppID)
	}
}

func stepFields(c *coder, s *ledger.OrderStep) {
	c.time(&s.At)
	c.text(&s.State)
	c.text(&s.Paid)
	c.text(&s.Cause)
}
