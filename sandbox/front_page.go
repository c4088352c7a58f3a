package sandbox

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/coinpayments"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox/engine"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox/hosted"
)

// frontRows is how many orders and deliveries the front page lists.
const frontRows = 20

// What to put into a Caddyfile, with the API's base address.
const (
	caddyfile = `{
	ccpayment {
		app_id     {env.CCPAYMENT_APP_ID}
		app_secret {env.CCPAYMENT_APP_SECRET}
		base_url   %s
	}
}
`
	coinsCaddyfile = `{
	ccpayment {
		account coins {
			gateway coinpayments {
				client_id     {env.COINPAYMENTS_CLIENT_ID}
				client_secret {env.COINPAYMENTS_CLIENT_SECRET}
				base_url      %s
			}
			webhook_url http://localhost:8080/coins-hook
		}
	}
}
`
)

// serveFront shows browsers the front page, and says to programs in JSON what this
// server is. The page links to every order, so it is only for those who may
// control the sandbox.
func (s *Sandbox) serveFront(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Vary", "Accept")
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		s.serveOverview(w, r)
		return
	}
	if err := s.engine.Allows(r); err != nil {
		s.engine.Written(hosted.WriteError(w, hosted.Error{Status: http.StatusForbidden, Message: engine.Sentence(err)}))
		return
	}
	s.engine.Written(hosted.WriteOverview(w, s.frontPage(r)))
}

func (s *Sandbox) frontPage(r *http.Request) hosted.Overview {
	orders := append(s.latestOrders(), s.coins.LatestOrders(frontRows)...)
	slices.SortStableFunc(orders, func(a, b hosted.Order) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return hosted.Overview{
		Gateways: s.gateways(s.engine.BaseURL(r)), Now: s.Now(),
		Orders: orders[:min(len(orders), frontRows)], Deliveries: latestDeliveries(s.Deliveries()),
	}
}

// gateways are what one needs to use them, at a base address. Credentials stay in the
// environment.
func (s *Sandbox) gateways(base string) []hosted.Gateway {
	s.mu.Lock()
	defer s.mu.Unlock()
	api := base + strings.TrimSuffix(apiPrefix, "/")
	return []hosted.Gateway{
		{
			Name: names[gatewayName], IDName: "App id", ID: s.opts.AppID, SecretName: "App secret", APIURL: api,
			WebhookURL: s.opts.WebhookURL,
			Webhooks:   "nowhere yet: start the sandbox with --webhook, or give a notifyUrl with the order",
			Caddyfile:  fmt.Sprintf(caddyfile, api),
		},
		{
			Name: names[coinpayments.Name], IDName: "Client id", ID: s.coins.ClientID(), SecretName: "Client secret",
			APIURL:    base + coinpayments.BasePath,
			Webhooks:  "where each invoice, wallet or the integration says, by the API",
			Caddyfile: fmt.Sprintf(coinsCaddyfile, base+coinpayments.BasePath),
		},
	}
}

// names are what the gateways are called where people read.
var names = map[string]string{gatewayName: "CCPayment", coinpayments.Name: "CoinPayments"}

// latestOrders lists CCPayment's orders, the newest first.
func (s *Sandbox) latestOrders() []hosted.Order {
	s.mu.Lock()
	defer s.mu.Unlock()
	newest := func(a, b *order) int { return b.createdAt.Compare(a.createdAt) }
	list := []hosted.Order{}
	for _, o := range slices.SortedFunc(maps.Values(s.st.orders), newest) {
		if len(list) == frontRows {
			break
		}
		v := s.view(o)
		row := hosted.Order{
			Gateway: names[gatewayName], OrderID: o.id, Product: o.product, Price: money(v.Price, v.Symbol),
			State: pageState(&v), CreatedAt: o.createdAt,
		}
		if o.url != "" {
			row.PageURL = pagePath(&v)
		}
		list = append(list, row)
	}
	return list
}

// latestDeliveries lists the latest try of each webhook, the newest first, of a log that
// begins with the newest.
func latestDeliveries(log []Delivery) []hosted.Delivery {
	type webhook struct{ gateway, kind, record, status string }
	list, seen := []hosted.Delivery{}, map[webhook]bool{}
	for _, d := range log {
		if len(list) == frontRows {
			break
		}
		which := webhook{d.Gateway, d.Type, d.RecordID, d.Status}
		if seen[which] {
			continue
		}
		seen[which] = true
		row := hosted.Delivery{
			Gateway: names[d.Gateway], Type: d.Type, Status: d.Status, OrderID: d.OrderID, RecordID: d.RecordID, At: d.At,
			Attempt: d.Attempt, HTTPStatus: d.HTTPStatus, Problem: cmp.Or(d.Error, d.Note), Acknowledged: d.OK,
		}
		if d.NextAt != nil {
			row.NextRetry = *d.NextAt
		}
		list = append(list, row)
	}
	return list
}
