package console

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/internal/adminapi"
	"github.com/seed-338f6760/caddy-ccpayment/internal/redact"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

type orderView struct {
	adminapi.OrderDetails
	Rows   []payment
	Events []item
	// FulfilledLink is the address of the event that fulfilled it; empty: none has.
	FulfilledLink string
	// MayClose: it is open, and one may close it.
	MayClose bool
}

// Named is an event that names the order in the form that closes it, because its id may be a
// buyer's e-mail address; nil: no event of it has come.
func (v orderView) Named() *item {
	if len(v.Events) == 0 {
		return nil
	}
	return &v.Events[0]
}

// payment is a payment of an order, with what is known of its transaction.
type payment struct {
	ledger.OrderPayment
	Coin, Chain, TxID, Explorer string
	// Event is the address of the event that told of it last.
	Event string
}

type findView struct{}

// showOrder shows the order that the parameters name: by its id and account, or by one of
// its events. Without any it asks for them.
func (v *visit) showOrder() (answer, error) {
	if len(given(v.query)) == 0 {
		return answer{template: "find.html", page: page{Title: "Find an order", At: "order", View: findView{}}}, nil
	}
	order, err := v.order(v.query)
	if err != nil {
		return answer{}, err
	}
	details, err := v.Orders.Describe(v.ctx, v.o, order, order.Account)
	if err != nil {
		return answer{}, err
	}
	view := orderView{OrderDetails: details, MayClose: !v.ReadOnly && order.Checkout != nil && order.Closed == nil}
	var events []ledger.Event
	for _, of := range order.Events {
		e, err := v.o.Ledger.Load(v.ctx, of.Key(order.AppID))
		if err != nil {
			return answer{}, err
		}
		events = append(events, e)
	}
	if view.Events, err = v.items(events...); err != nil {
		return answer{}, err
	}
	known := make(map[string]payment)
	for n, i := range view.Events {
		e := events[n]
		if i.ID == order.FulfilledBy {
			view.FulfilledLink = i.Link()
		}
		p := payment{Event: i.Link()}
		if c := e.Confirmation; c != nil {
			p.Coin, p.Chain, p.TxID, p.Explorer = c.Coin, c.Chain, c.TxID, explorer(c.Chain, c.TxID)
		}
		known[e.ID] = p
	}
	for _, p := range order.Payments {
		row := known[p.RecordID]
		row.OrderPayment = p
		view.Rows = append(view.Rows, row)
	}
	told := ""
	if order.Closed != nil && v.query.Has("closed") {
		told = "The order is closed."
	}
	return answer{template: "order.html", page: page{Title: "Order", At: "order", Told: told, View: view}}, nil
}

// closeOrder closes the order that its form names.
func (v *visit) closeOrder() (answer, error) {
	form := v.r.PostForm
	reason, err := v.reason()
	if err != nil {
		return answer{}, err
	}
	force := form.Get("force") != ""
	order, err := v.order(form)
	if err == nil {
		_, err = v.o.Close(v.ctx, order, order.Account, reason, force)
	}
	v.log("closing an order", err, zap.String("reason", redact.Emails(form.Get("reason"))),
		zap.String("order_id", redact.Emails(cmp.Or(order.OwnID, form.Get("id")))), zap.Bool("force", force))
	if err != nil {
		return answer{}, err
	}
	if event := form.Get("event"); event != "" {
		return answer{location: link("order", "event", event, "route", form.Get("route"), "closed", "yes")}, nil
	}
	return answer{location: link("order", "id", form.Get("id"), "account", accountLabel(form.Get("account")), "closed", "yes")}, nil
}

// order returns the order that the values of an address or a form name.
func (v *visit) order(values url.Values) (ledger.Order, error) {
	if id := values.Get("event"); id != "" {
		e, err := v.event(id, values.Get("route"))
		if err != nil {
			return ledger.Order{}, err
		}
		order, err := v.o.Ledger.Order(v.ctx, e.InOrder())
		if errors.Is(err, ledger.ErrNotFound) {
			return order, &adminapi.Error{Status: http.StatusNotFound, Err: errors.New("the ledger knows nothing of the event's order yet")}
		}
		return order, err
	}
	return adminapi.FindOrder(v.ctx, v.o, values.Get("id"), adminapi.AccountNamed(values.Get("account")))
}

// explorers are public pages of transactions, by the chain's symbol at the gateways.
var explorers = map[string]string{
	"ARBITRUM": "https://arbiscan.io/tx/", "AVAXC": "https://snowtrace.io/tx/", "BASE": "https://basescan.org/tx/",
	"BSC": "https://bscscan.com/tx/", "BTC": "https://mempool.space/tx/", "DOGE": "https://blockchair.com/dogecoin/transaction/",
	"ETH": "https://etherscan.io/tx/", "LTC": "https://blockchair.com/litecoin/transaction/", "OPTIMISM": "https://optimistic.etherscan.io/tx/",
	"POLYGON": "https://polygonscan.com/tx/", "SOL": "https://solscan.io/tx/", "TON": "https://tonviewer.com/transaction/",
	"TRX": "https://tronscan.org/#/transaction/",
}

// explorer is the public page of a transaction; empty: its chain is not known.
func explorer(chain, txID string) string {
	base := explorers[strings.ToUpper(chain)]
	if base == "" || txID == "" {
		return ""
	}
	return base + url.PathEscape(txID)
}
