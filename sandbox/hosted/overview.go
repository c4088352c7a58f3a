package hosted

import (
	"net/url"
	"strings"
	"time"
)

// Overview is the sandbox's front page. It has no room for secrets: the terminal prints
// those.
type Overview struct {
	Gateways []Gateway
	Now      time.Time
	// Orders and Deliveries are listed as given; newest first reads best.
	Orders     []Order
	Deliveries []Delivery
}

// Gateway is what one needs to use one of the sandbox's gateways.
type Gateway struct {
	// Name is the gateway's: "CCPayment". IDName is what it calls the id: "App id".
	Name, IDName, ID string
	// SecretName is what it calls the secret.
	SecretName string
	// APIURL is the base address of the API, WebhookURL where events go. If that is empty,
	// Webhooks says where they do.
	APIURL, WebhookURL, Webhooks string
	// Caddyfile is the lines to put into a Caddyfile, without the secret.
	Caddyfile string
}

// Order is a line of the overview. Gateway is the name of the one that it was made at.
type Order struct {
	Gateway, OrderID, Product, Price string
	State                            State
	CreatedAt                        time.Time
	// PageURL is the path or address of the hosted page; empty where the order
	// has none. Others than http, https and paths show no link.
	PageURL string
}

// Delivery is the latest attempt to deliver a webhook.
type Delivery struct {
	// Gateway is the name of the one that sends it, Type the event's ("ApiDeposit"), Status
	// the one it tells of.
	Gateway, Type, Status string
	OrderID, RecordID     string
	At                    time.Time
	// Attempt counts from 1.
	Attempt int
	// HTTPStatus is the answer's; 0 means that there was none, and Problem says
	// why. Problem also says why an answer did not count, or what is odd about it.
	HTTPStatus   int
	Problem      string
	Acknowledged bool
	// NextRetry is zero where no more attempts follow.
	NextRetry time.Time
}

// Link is PageURL if it is safe to link to, or empty.
func (o Order) Link() string {
	if strings.HasPrefix(o.PageURL, "/") && !strings.HasPrefix(o.PageURL, "//") && !strings.Contains(o.PageURL, `\`) {
		return o.PageURL
	}
	return webLink(o.PageURL)
}

// Tone picks the colour and mark of a delivery.
func (d Delivery) Tone() string {
	switch {
	case d.Acknowledged:
		return "good"
	case d.NextRetry.IsZero():
		return "bad"
	default:
		return "warn"
	}
}

// Verdict says how the delivery stands.
func (d Delivery) Verdict() string {
	switch {
	case d.Acknowledged:
		return "Acknowledged"
	case d.NextRetry.IsZero():
		return "Given up"
	default:
		return "Will retry"
	}
}

// webLink returns raw if it is an absolute http or https address, or else an
// empty string, which shows no link.
func webLink(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "http" && u.Scheme != "https") {
		return ""
	}
	return u.String()
}
