package history

import (
	"slices"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// fulfilment checks which events told the app to fulfil each order.
func (c *check) fulfilment() {
	carriers := make(map[string][]string) // the events that fulfil an order, by its id
	for _, id := range sorted(c.attempts) {
		attempts := c.attempts[id]
		with := slices.ContainsFunc(attempts, func(a Attempt) bool { return a.Fulfill })
		without := slices.ContainsFunc(attempts, func(a Attempt) bool { return !a.Fulfill })
		if with && without {
			c.broken(FulfilsOnce, "%s of order %s says Fulfill on some of its attempts only", c.name(id), attempts[0].Order)
		}
		if with {
			carriers[attempts[0].Order] = append(carriers[attempts[0].Order], id)
		}
	}
	for _, order := range sorted(carriers) {
		if ids := carriers[order]; len(ids) > 1 {
			c.broken(FulfilsOnce, "order %s is fulfilled by %d events: %v", order, len(ids), ids)
		}
		if !slices.Contains(c.Paid, order) {
			c.broken(Fulfils, "order %s is fulfilled, and was not paid", order)
		}
	}
	orders := make(map[string]ledger.Order)
	for _, o := range c.Orders {
		orders[o.OwnID] = o
	}
	for _, order := range c.Paid {
		ids := carriers[order]
		if len(ids) == 0 {
			c.broken(Fulfils, "order %s is paid, and no event fulfilled it", order)
			continue
		}
		if c.applied[ids[0]] == 0 {
			c.broken(Fulfils, "order %s is paid, and %s, which fulfils it, was not applied", order, c.name(ids[0]))
		}
		if by := orders[order].FulfilledBy; by != ids[0] {
			c.broken(Fulfils, "the ledger says that order %s was fulfilled by %q, and the app was told so by %s", order, by, ids[0])
		}
	}
}
