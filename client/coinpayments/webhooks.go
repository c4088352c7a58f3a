package coinpayments

import (
	"context"
	"encoding/json"
	"iter"
)

// Notification is an event that webhooks are sent for.
type Notification string

// The documented events of invoices (reference, Webhooks). An invoice's webhooks write
// them in another case.
const (
	NotifyInvoiceCreated   Notification = "invoiceCreated"
	NotifyInvoicePending   Notification = "invoicePending" // for each confirmation anew
	NotifyInvoicePaid      Notification = "invoicePaid"
	NotifyInvoiceCompleted Notification = "invoiceCompleted"
	NotifyInvoiceCancelled Notification = "invoiceCancelled"
	NotifyInvoiceTimedOut  Notification = "invoiceTimedOut"
)

// Notifications are all documented events.
func Notifications() []Notification {
	return []Notification{
		NotifyInvoiceCreated, NotifyInvoicePending, NotifyInvoicePaid, NotifyInvoiceCompleted, NotifyInvoiceCancelled, NotifyInvoiceTimedOut,
	}
}

func writeWebhook(o *object, url string, notifications []Notification) {
	if url == "" {
		o.wrong("notificationsUrl", "is missing")
	}
	o.link("notificationsUrl", url)
	if len(notifications) == 0 {
		o.wrong("notifications", "is empty")
	}
	o.value("notifications", notifications)
}

// ClientWebhook is where webhooks about all invoices of an integration go.
type ClientWebhook struct {
	ID               string         `json:"id"`
	NotificationsURL string         `json:"notificationsUrl"` // what is signed in each webhook
	Notifications    []Notification `json:"notifications"`
	CreatedFromUI    bool           `json:"createdFromUI"` // in the dashboard
	Raw              json.RawMessage
}

// Webhooks lists the webhooks of the integration, those for one event or, where it is
// empty, all (GET /api/v1/merchant/clients/{clientId}/webhooks; reference, Client Webhooks,
// Get webhooks).
func (c *Client) Webhooks(ctx context.Context, event Notification) iter.Seq2[ClientWebhook, error] {
	return pages[ClientWebhook]{
		client: c, route: routeWebhooks,
		id: func(w ClientWebhook) string { return w.ID },
		write: func(p *params) {
			p.segment("clientId", c.clientID, 100)
			p.ask("type", string(event))
		},
	}.all(ctx)
}

// CreateWebhook has webhooks about all invoices of the integration sent to a URL, and
// returns the webhook's id; empty where CoinPayments does not say it (POST
// /api/v1/merchant/clients/{clientId}/webhooks; reference, Client Webhooks, Create
// Webhook). It is never sent twice: see [OutcomeUnknownError].
func (c *Client) CreateWebhook(ctx context.Context, url string, notifications []Notification) (id string, err error) {
	p := c.params(routeCreateWebhook)
	p.segment("clientId", c.clientID, 100)
	p.reference = url
	writeWebhook(p.object(), url, notifications)
	answer := struct {
		ID string `json:"id"`
	}{}
	err = c.ask(ctx, p, &orNothing{&answer})
	return answer.ID, err
}

// UpdateWebhook replaces the URL and the events of a webhook (PUT
// /api/v1/merchant/clients/{clientId}/webhooks/{webhookId}; reference, Client Webhooks,
// Update Webhook).
func (c *Client) UpdateWebhook(ctx context.Context, id, url string, notifications []Notification) error {
	p := c.params(routeUpdateWebhook)
	p.segment("clientId", c.clientID, 100)
	p.id("webhookId", id)
	writeWebhook(p.object(), url, notifications)
	return c.ask(ctx, p, nil)
}

// DeleteWebhook ends a webhook (DELETE
// /api/v1/merchant/clients/{clientId}/webhooks/{webhookId}; reference, Client Webhooks,
// Delete Webhook).
func (c *Client) DeleteWebhook(ctx context.Context, id string) error {
	p := c.params(routeDeleteWebhook)
	p.segment("clientId", c.clientID, 100)
	p.id("webhookId", id)
	return c.ask(ctx, p, nil)
}

// SetWalletWebhook has webhooks about a wallet's transactions sent to a URL (PUT
// /api/v2/merchant/wallets/{id}/webhook; reference, Wallet Webhooks, Update wallet webhook
// URL).
func (c *Client) SetWalletWebhook(ctx context.Context, walletID, url string) error {
	p := c.params(routeWalletWebhook)
	p.id("walletId", walletID)
	return c.setWebhook(ctx, p, url)
}

// SetAddressWebhook has webhooks about an address's transactions sent to a URL (PUT
// /api/v2/merchant/wallets/{id}/addresses/{addressId}/webhook; reference, Wallet Webhooks,
// Update address webhook URL).
func (c *Client) SetAddressWebhook(ctx context.Context, walletID, addressID, url string) error {
	p := c.params(routeAddressWebhook)
	p.id("walletId", walletID)
	p.id("addressId", addressID)
	return c.setWebhook(ctx, p, url)
}

func (c *Client) setWebhook(ctx context.Context, p *params, url string) error {
	if url == "" {
		p.fail("notificationUrl", "is missing")
	}
	p.object().link("notificationUrl", url)
	return c.ask(ctx, p, nil)
}
