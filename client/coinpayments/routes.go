package coinpayments

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Route is one route of the API.
type Route struct {
	Method string
	// Pattern is its path, such as /api/v2/merchant/invoices/{id}.
	Pattern string
	// Open: CoinPayments answers without a signature, and gets none.
	Open bool
	// Repeatable: making the call twice is as good as making it once. The others move
	// money or create something, and are never sent again by themselves.
	Repeatable bool
}

// String is the method and the pattern, as errors and [Call] name the route.
func (r Route) String() string { return r.Method + " " + r.Pattern }

// path fills the pattern's names with values that are escaped already.
func (r Route) path(values []string) string {
	var b strings.Builder
	for rest := r.Pattern; ; {
		before, after, found := strings.Cut(rest, "{")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteString(values[0])
		values = values[1:]
		_, rest, _ = strings.Cut(after, "}")
	}
}

func read(pattern string) Route { return Route{Method: "GET", Pattern: pattern, Repeatable: true} }

func open(pattern string) Route {
	return Route{Method: "GET", Pattern: pattern, Repeatable: true, Open: true}
}

func create(pattern string) Route { return Route{Method: "POST", Pattern: pattern} }

// preview is a POST that changes nothing, or the same again.
func preview(pattern string) Route {
	return Route{Method: "POST", Pattern: pattern, Repeatable: true}
}

func replace(pattern string) Route { return Route{Method: "PUT", Pattern: pattern, Repeatable: true} }

// The routes of the typed methods.
var (
	routeCurrencies            = open("/api/v2/currencies")
	routeCurrency              = open("/api/v2/currencies/{id}")
	routeLatestBlock           = open("/api/v2/currencies/blockchain-nodes/{id}/latest-block-number")
	routeRequiredConfirmations = open("/api/v2/currencies/required-confirmations")
	routeConversions           = open("/api/v2/currencies/conversions")
	routeConversionLimits      = open("/api/v2/currencies/limits/{from}/{to}")
	routeMerchantCurrencies    = read("/api/v1/merchant/currencies")
	routeRates                 = open("/api/v2/rates")
	routeBlockchainFee         = open("/api/v2/fees/blockchain/{id}")

	routeCreateInvoice   = create("/api/v2/merchant/invoices")
	routeInvoices        = read("/api/v2/merchant/invoices")
	routeInvoice         = read("/api/v2/merchant/invoices/{id}")
	routeCancelInvoice   = create("/api/v1/merchant/invoices/{id}/cancel")
	routeInvoicePayouts  = read("/api/v2/merchant/invoices/{id}/payouts")
	routeInvoiceHistory  = read("/api/v2/merchant/invoices/{id}/history")
	routeBuyNowButton    = create("/api/v2/merchant/invoices/buy-now-button")
	routeCreatePayment   = create("/api/v1/invoices/{id}/payments")
	routePaymentCurrency = open("/api/v1/invoices/{id}/payment-currencies/{currency}")
	routePaymentStatus   = open("/api/v1/invoices/{id}/payment-currencies/{currency}/status")

	routeCreateWallet  = create("/api/v2/merchant/wallets")
	routeWallets       = read("/api/v2/merchant/wallets")
	routeWalletCount   = read("/api/v2/merchant/wallets/count")
	routeWallet        = read("/api/v2/merchant/wallets/{id}")
	routeWalletBalance = read("/api/v2/merchant/wallets/{id}/balance/{date}")
	routeCreateAddress = create("/api/v2/merchant/wallets/{id}/addresses")
	routeAddresses     = read("/api/v2/merchant/wallets/{id}/addresses")
	routeAddressCount  = read("/api/v2/merchant/wallets/{id}/addresses/count")
	routeAddress       = read("/api/v2/merchant/wallets/{id}/addresses/{addressId}")

	routeTransactions              = read("/api/v2/merchant/wallets/{id}/transactions")
	routeTransactionCount          = read("/api/v2/merchant/wallets/{id}/transactions/count")
	routeTransaction               = read("/api/v2/merchant/wallets/{id}/transaction")
	routeSpendRequest              = create("/api/v2/merchant/wallets/{id}/spend/request")
	routeSpendConfirmation         = create("/api/v2/merchant/wallets/{id}/spend/confirmation")
	routeConsolidation             = read("/api/v2/merchant/wallets/{id}/consolidation")
	routeConsolidate               = create("/api/v2/merchant/wallets/{id}/consolidation/{to}")
	routeConsolidationPreview      = preview("/api/v2/merchant/wallets/consolidation-preview")
	routeConsolidateWallets        = create("/api/v2/merchant/wallets/consolidation/{to}")
	routeConsolidationTransactions = read("/api/v2/merchant/wallets/{id}/consolidation-transactions/{spendId}")

	routeWalletWebhook  = replace("/api/v2/merchant/wallets/{id}/webhook")
	routeAddressWebhook = replace("/api/v2/merchant/wallets/{id}/addresses/{addressId}/webhook")
	routeWebhooks       = read("/api/v1/merchant/clients/{clientId}/webhooks")
	routeCreateWebhook  = create("/api/v1/merchant/clients/{clientId}/webhooks")
	routeUpdateWebhook  = replace("/api/v1/merchant/clients/{clientId}/webhooks/{webhookId}")
	routeDeleteWebhook  = Route{Method: "DELETE", Pattern: "/api/v1/merchant/clients/{clientId}/webhooks/{webhookId}", Repeatable: true}

	routeAccess    = read("/api/v1/merchant/clients/access-control")
	routeSetAccess = preview("/api/v1/merchant/clients/access-control")
)

// typed are the routes that have a method, in the reference's order.
var typed = []Route{
	routeCurrencies, routeCurrency, routeLatestBlock, routeRequiredConfirmations, routeConversions, routeConversionLimits,
	routeMerchantCurrencies, routeRates, routeBlockchainFee,
	routeCreateWallet, routeWallets, routeWalletCount, routeWallet, routeWalletBalance,
	routeCreateAddress, routeAddresses, routeAddressCount, routeAddress,
	routeTransactions, routeTransactionCount, routeTransaction, routeSpendRequest, routeSpendConfirmation,
	routeConsolidation, routeConsolidate, routeConsolidationPreview, routeConsolidateWallets, routeConsolidationTransactions,
	routeCreateInvoice, routeInvoices, routeInvoice, routeCancelInvoice, routeInvoicePayouts, routeInvoiceHistory, routeBuyNowButton,
	routeCreatePayment, routePaymentCurrency, routePaymentStatus,
	routeWebhooks, routeCreateWebhook, routeUpdateWebhook, routeDeleteWebhook, routeWalletWebhook, routeAddressWebhook,
	routeAccess, routeSetAccess,
}

// byLabel are the v3 routes of wallets, which name a wallet by its label and currency.
var byLabel = []Route{
	read("/api/v3/merchant/wallets"),
	replace("/api/v3/merchant/wallets"), // gives the same wallet and address again
	read("/api/v3/merchant/wallets/count"),
	preview("/api/v3/merchant/wallets/consolidation-preview"),
	create("/api/v3/merchant/wallets/consolidation/{to}"),
	read("/api/v3/merchant/wallets/{label}/{currency}/addresses"),
	read("/api/v3/merchant/wallets/{label}/{currency}/addresses/count"),
	read("/api/v3/merchant/wallets/{label}/{currency}/addresses/{addressLabel}"),
	replace("/api/v3/merchant/wallets/{label}/{currency}/addresses/{addressLabel}/webhook"),
	replace("/api/v3/merchant/wallets/{label}/{currency}/webhook"),
	read("/api/v3/merchant/wallets/{label}/{currency}/transactions"),
	read("/api/v3/merchant/wallets/{label}/{currency}/transactions/count"),
	read("/api/v3/merchant/wallets/{label}/{currency}/transaction"),
	create("/api/v3/merchant/wallets/{label}/{currency}/spend/request"),
	create("/api/v3/merchant/wallets/{label}/{currency}/spend/confirmation"),
	read("/api/v3/merchant/wallets/{label}/{currency}/consolidation"),
	create("/api/v3/merchant/wallets/{label}/{currency}/consolidation/{to}"),
	read("/api/v3/merchant/wallets/{label}/{currency}/consolidation-transactions/{spendId}"),
}

// routes are all that [Client.Call] makes: the typed ones, the v1 of those that are v2,
// and those by label.
var routes = func() []Route {
	all := slices.Clone(typed)
	for _, r := range typed {
		rest, isV2 := strings.CutPrefix(r.Pattern, "/api/v2/")
		if !isV2 || strings.HasSuffix(r.Pattern, "/count") { // the counts are new in v2
			continue
		}
		r.Pattern = "/api/v1/" + rest
		all = append(all, r)
	}
	return append(all, byLabel...)
}()

// Routes returns the routes that [Client.Call] makes.
func Routes() []Route { return slices.Clone(routes) }

// FindRoute finds the route of a call by its method and its path, which is escaped as in a
// URL and without a query. A path with an empty part, with one of dots, or with an escaped
// slash in it is none: what it means depends on who reads it. Neither is one that would be
// another route's as well, or that only differs from one's in case.
func FindRoute(method, path string) (Route, error) {
	parts := strings.Split(path, "/")
	for _, part := range parts[1:] {
		if !validPart(part) {
			return Route{}, fmt.Errorf("coinpayments has no route %.10s %.100q", method, path)
		}
	}
	var found Route
	best, isSure := -1, false
	for _, r := range routes {
		if r.Method != method {
			continue
		}
		switch literal, isExact := r.matches(parts); {
		case literal > best:
			found, best, isSure = r, literal, isExact
		case literal == best:
			isSure = false
		}
	}
	if !isSure {
		return Route{}, fmt.Errorf("coinpayments has no route %.10s %.100q", method, path)
	}
	return found, nil
}

// Reference is what a call of the route is about, and so what to look up where its answer
// is lost: the id of the spend request in its body, the poNumber or else the invoiceId of
// an invoice, else the first id in its path. Empty: there is none.
func (r Route) Reference(path string, body json.RawMessage) string {
	var known struct {
		PONumber       string `json:"poNumber"`
		InvoiceID      string `json:"invoiceId"`
		SpendRequestID string `json:"spendRequestId"`
	}
	if len(body) > 0 && lenient.Decode(body, &known) == nil {
		if reference := cmp.Or(known.SpendRequestID, known.PONumber, known.InvoiceID); reference != "" {
			return reference
		}
	}
	parts := strings.Split(path, "/")
	for i, part := range strings.Split(r.Pattern, "/") {
		if !strings.HasPrefix(part, "{") || i >= len(parts) {
			continue
		}
		if id, err := url.PathUnescape(parts[i]); err == nil {
			return id
		}
		return parts[i]
	}
	return ""
}

// matches counts the parts of a path that are the pattern's own, in whatever case, and
// reports whether they are in its case; -1: the path is another route's.
func (r Route) matches(parts []string) (literal int, isExact bool) {
	pattern := strings.Split(r.Pattern, "/")
	if len(pattern) != len(parts) {
		return -1, false
	}
	isExact = true
	for i, part := range pattern {
		switch {
		case strings.EqualFold(part, parts[i]):
			literal++
			isExact = isExact && part == parts[i]
		case !strings.HasPrefix(part, "{"):
			return -1, false
		}
	}
	return literal, isExact
}

// validPart reports whether a part of a path has one meaning only.
func validPart(part string) bool {
	if strings.ContainsFunc(part, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"#?<>[]\^`+"`{|}", r) }) {
		return false
	}
	plain, err := url.PathUnescape(part)
	return err == nil && plain != "" && plain != "." && plain != ".." && !strings.ContainsAny(plain, "/\\\x00")
}

// validQuery reports whether a query is escaped, so that it is sent as it is signed.
func validQuery(query string) bool {
	if strings.ContainsFunc(query, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"#<>`, r) }) {
		return false
	}
	_, err := url.ParseQuery(query)
	return err == nil
}
