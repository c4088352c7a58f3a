package coinpayments

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/strictjson"
)

// groups are the groups of the routes that are no GET, by their method and path without
// the version. The paths of v3 have a wallet's label and currency in the place of its id.
var groups = map[string]gateway.Group{
	"POST /merchant/invoices":                gateway.GroupDeposit,
	"POST /merchant/invoices/{id}/cancel":    gateway.GroupDeposit,
	"POST /merchant/invoices/buy-now-button": gateway.GroupDeposit,
	"POST /invoices/{id}/payments":           gateway.GroupDeposit,
	"POST /merchant/wallets/{id}/addresses":  gateway.GroupDeposit,

	"POST /merchant/wallets/consolidation-preview":   gateway.GroupRead,
	"POST /merchant/wallets/consolidation/{to}":      gateway.GroupWithdraw,
	"POST /merchant/wallets/{id}/consolidation/{to}": gateway.GroupWithdraw,
	"POST /merchant/wallets/{id}/spend/request":      gateway.GroupWithdraw,
	"POST /merchant/wallets/{id}/spend/confirmation": gateway.GroupWithdraw,
	"POST /merchant/clients/access-control":          gateway.GroupWithdraw, // says what the integration may do

	"POST /merchant/wallets": gateway.GroupWallet,
	"PUT /merchant/wallets":  gateway.GroupWallet,

	"PUT /merchant/wallets/{id}/webhook":                       gateway.GroupWebhook,
	"PUT /merchant/wallets/{id}/addresses/{addressId}/webhook": gateway.GroupWebhook,
	"POST /merchant/clients/{clientId}/webhooks":               gateway.GroupWebhook,
	"PUT /merchant/clients/{clientId}/webhooks/{webhookId}":    gateway.GroupWebhook,
	"DELETE /merchant/clients/{clientId}/webhooks/{webhookId}": gateway.GroupWebhook,
}

// lists are the routes whose answers are CoinPayments' own lists.
var lists = []string{"GET /currencies", "GET /currencies/required-confirmations", "GET /currencies/conversions"}

// The keys by which a body says where webhooks are sent to, by the routes that take them.
const (
	invoiceHooks = "webhooks"
	clientHook   = "notificationsUrl"
	addressHook  = "notificationUrl"
	walletHook   = "webhookUrl"
	buttonHook   = "ipnUrl"
)

var notifying = map[string]string{
	"POST /merchant/invoices":                                  invoiceHooks,
	"POST /merchant/invoices/buy-now-button":                   buttonHook,
	"POST /merchant/wallets":                                   walletHook,
	"PUT /merchant/wallets":                                    walletHook,
	"POST /merchant/wallets/{id}/addresses":                    addressHook,
	"PUT /merchant/wallets/{id}/webhook":                       addressHook,
	"PUT /merchant/wallets/{id}/addresses/{addressId}/webhook": addressHook,
	"POST /merchant/clients/{clientId}/webhooks":               clientHook,
	"PUT /merchant/clients/{clientId}/webhooks/{webhookId}":    clientHook,
}

// What is made at CoinPayments is marked by one of these and CoinPayments' own id. An invoice
// of which the answer was lost is marked as an order, by the id that the app gave it.
const (
	invoiceMark = "invoice "
	addressMark = "address "
	spendMark   = "spend "
)

// makes returns the marks of what a call makes, by its body and its answer.
func makes(route string, body, answer []byte) (marks []string) {
	mark := func(prefix, id string) {
		if id != "" {
			marks = append(marks, prefix+plainID(id))
		}
	}
	switch route {
	case "POST /merchant/invoices":
		for _, id := range gjson.GetBytes(answer, "invoices.#.id").Array() {
			mark(invoiceMark, strictjson.Text(id))
		}
		if len(marks) > 0 {
			return marks
		}
		fallthrough
	case "POST /merchant/invoices/buy-now-button":
		id, err := orderID(gjson.GetBytes(body, "customData"), strictjson.Text(gjson.GetBytes(body, "invoiceId")))
		if err == nil && id != "" {
			marks = append(marks, gateway.OrderMark(id))
		}
	case "POST /merchant/wallets/{id}/addresses":
		if address := strictjson.Text(gjson.GetBytes(answer, "networkAddress")); address != "" {
			marks = append(marks, markOfAddress(address))
		}
	case "POST /merchant/wallets/{id}/spend/request":
		mark(spendMark, strictjson.Text(gjson.GetBytes(answer, "spendRequestId")))
	case "POST /merchant/wallets/{id}/spend/confirmation":
		mark(spendMark, strictjson.Text(gjson.GetBytes(body, "spendRequestId")))
	}
	return marks
}

// markOfAddress is the mark of an address: one in hexadecimal is the same in any case.
func markOfAddress(address string) string {
	if strings.HasPrefix(address, "0x") {
		address = strings.ToLower(address)
	}
	return addressMark + address
}

// keyOf is what the tables above call a route.
func keyOf(r coinpayments.Route) string {
	_, path, _ := strings.Cut(strings.TrimPrefix(r.Pattern, "/api/"), "/")
	path = strings.NewReplacer("{label}/{currency}", "{id}", "{addressLabel}", "{addressId}").Replace(path)
	return r.Method + " /" + path
}

func endpoint(r coinpayments.Route) gateway.Endpoint {
	key := keyOf(r)
	e := gateway.Endpoint{
		Name: r.String(), Method: r.Method, Group: groups[key], Lists: slices.Contains(lists, key),
		WebhookKeys: []string{invoiceHooks, clientHook, addressHook, walletHook, buttonHook},
		PayoutKeys:  []string{"payoutOverrides"},
	}
	switch {
	case r.Method == http.MethodGet:
		e.Group = gateway.GroupRead
	case e.Group == "":
		e.Group = gateway.GroupWithdraw // until somebody has thought about it
	}
	return e
}

// Endpoints implements [gateway.API].
func (v *V2) Endpoints() []gateway.Endpoint {
	routes := coinpayments.Routes()
	all := make([]gateway.Endpoint, len(routes))
	for i, r := range routes {
		all[i] = endpoint(r)
	}
	return all
}

// FindEndpoint implements [gateway.API] by the routes of the API, each with all of its
// path.
func (v *V2) FindEndpoint(method, path string) (gateway.Endpoint, bool) {
	r, err := coinpayments.FindRoute(method, plainPath(path))
	return endpoint(r), err == nil
}

// plainPath is an escaped path in the one form that is signed and sent: a letter that was
// escaped is the letter. A path in which an escape could be read twice is none.
func plainPath(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		text, err := url.PathUnescape(part)
		if err != nil || strings.Contains(text, "%") {
			return ""
		}
		if parts[i] = url.PathEscape(text); text == "" && i > 0 {
			return ""
		}
	}
	return strings.Join(parts, "/")
}
