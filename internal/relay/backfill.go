package relay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/failpoint"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// mostLooked is among how many of the ledger's latest events the route's latest is looked
// for, because each of these is read, for each event that Caddy makes by itself.
const mostLooked = 100

// Backfill records the event of a record at the gateway of which no webhook came, on a
// route with an App. It is sent in a request like that of the route's latest event, where
// that is one of the ledger's latest, or else in one to hook, the URL or the path of the
// route.
func (r *Route) Backfill(ctx context.Context, listed gateway.Listed, hook string, l *ledger.Ledger) (ledger.Verdict, error) {
	request, err := r.usualRequest(ctx, hook, l)
	if err != nil {
		return 0, err
	}
	e := r.Event(listed.Notice, request, listed.Body, r.Now())
	ignore, err := r.ignore(ctx, &e, l)
	if err != nil {
		return 0, err
	}
	e.NextReason = ledger.Backfill
	verdict, err := l.Accept(ctx, e, ignore)
	failpoint.Reach("backfilled")
	return verdict, err
}

// usualRequest is the request of a webhook that Caddy makes by itself.
func (r *Route) usualRequest(ctx context.Context, hook string, l *ledger.Ledger) (ledger.Request, error) {
	request := ledger.Request{
		Method: http.MethodPost, RemoteAddr: "127.0.0.1:0", ContentType: "application/json", UserAgent: "caddy-ccpayment",
	}
	page, err := l.List(ctx, ledger.Query{Route: r.Name, Limit: 1, Most: mostLooked})
	if err != nil && !errors.Is(err, ledger.ErrDamaged) && !errors.Is(err, ledger.ErrLater) { // else the hook says as much
		return request, err
	}
	if len(page.Events) > 0 {
		latest := page.Events[0].Request
		request.URI, request.Host, request.TLS = latest.URI, latest.Host, latest.TLS
		return request, nil
	}
	u, err := url.Parse(hook)
	if err != nil {
		return request, fmt.Errorf("the address of the route's webhooks: %w", err)
	}
	request.URI, request.Host, request.TLS = cmp.Or(u.RequestURI(), "/"), u.Host, u.Scheme == "https"
	return request, nil
}
