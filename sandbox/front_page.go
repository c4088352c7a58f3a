package sandbox

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/engine"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox/hosted"
)

// frontRows is how many orders and deliveries the front page lists.
const frontRows = 20

// caddyfile is what the front page says to put into a Caddyfile. Credentials
// stay in the environment.
const caddyfile = `{
	ccpayment {
		app_id     {env.CCPAYMENT_APP_ID}
		app_secret {env.CCPAYMENT_APP_SECRET}
		base_url   %
	}
}
`

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
		s.written(hosted.WriteError(w, hosted.Error{Status: http.StatusForbidden, Message: engine.Sentence(err)}))
		return
	}
	s.written(hosted.WriteOverview(w, s.frontPage(r)))
}

func (s *Sandbox) frontPage(r *http.Request) hosted.Overview {
	base := s.engine.BaseURL(r) + strings.TrimSuffix(apiPrefix, "/")
	orders, deliveries := s.latestOrders(), latestDeliveries(s.Deliveries())
	s.mu.Lock()
	defer s.mu.Unlock()
	page := hosted.Overview{
		AppID: s.opts.AppID, APIURL: base, WebhookURL: s.opts.WebhookURL,
		Caddyfile: strings.Replace(caddyfile, "%", base, 1), Now: s.engine.Now(),
		Orders: orders, Deliveries: deliveries,
	}
	return page
}

// latestOrders lists orders, the newest first.
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
			OrderID: o.id, Product: o.product, Price: money(v.Price, v.Symbol),
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
	type webhook struct{ kind, record, status string }
	list, seen := []hosted.Delivery{}, map[webhook]bool{}
	for _, d := range log {
		if len(list) == frontRows {
			break
		}
		which := webhook{d.Type, d.RecordID, d.Status}
		if seen[which] {
			continue
		}
		seen[which] = true
		row := hosted.Delivery{
			Type: d.Type, Status: d.Status, OrderID: d.OrderID, RecordID: d.RecordID, At: d.At,
			Attempt: d.Attempt, HTTPStatus: d.HTTPStatus, Problem: cmp.Or(d.Error, d.Note), Acknowledged: d.OK,
		}
		if d.NextAt != nil {
			row.NextRetry = *d.NextAt
		}
		list = append(list, row)
	}
	return list
}
