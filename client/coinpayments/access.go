package coinpayments

import (
	"context"
	"strings"
)

// Permission is something that an integration may do, such as createInvoice,
// listInvoices, spendRequest, or all.
type Permission string

type permissions struct {
	Flags []Permission `json:"flags"`
}

// Access gives what the integration may do (GET
// /api/v1/merchant/clients/access-control).
func (c *Client) Access(ctx context.Context) ([]Permission, error) {
	var answer permissions
	if err := c.ask(ctx, c.params(routeAccess), &answer); err != nil {
		return nil, err
	}
	var all []Permission
	for _, flags := range answer.Flags {
		for flag := range strings.SplitSeq(string(flags), ",") { // flags may stand in one text
			all = append(all, Permission(strings.TrimSpace(flag)))
		}
	}
	return all, nil
}

// SetAccess replaces what the integration may do (POST
// /api/v1/merchant/clients/access-control).
func (c *Client) SetAccess(ctx context.Context, may ...Permission) error {
	p := c.params(routeSetAccess)
	o := p.object()
	if len(may) == 0 {
		o.wrong("flags", "is empty")
	}
	texts := make([]string, len(may))
	for i, permission := range may {
		texts[i] = string(permission)
	}
	o.text("flags", strings.Join(texts, ", "), 1000)
	return c.ask(ctx, p, nil)
}
