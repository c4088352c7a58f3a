package coinpayments

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
)

// APIURL implements [gateway.Checker].
func (v *V2) APIURL() string { return v.Client().BaseURL() }

// Check implements [gateway.Checker]: it lists an invoice, for which the integration needs
// no permission but that to list them, and the webhooks that are registered.
func (v *V2) Check(ctx context.Context) []gateway.Finding {
	const part = "Account"
	for _, err := range v.Client().Invoices(ctx, coinpayments.InvoiceFilter{PageSize: 1}) {
		if err != nil {
			return []gateway.Finding{{Part: part, Text: v.whyNot(err)}}
		}
		break
	}
	account := gateway.Finding{Part: part, OK: true, Text: fmt.Sprintf("%s may call %s", v.Client().ClientID(), v.APIURL())}
	return []gateway.Finding{account, v.checkRegistered(ctx)}
}

// whyNot says what to do about a call that was made to look at the account.
func (v *V2) whyNot(err error) string {
	var refused *coinpayments.Error
	switch {
	case errors.Is(err, coinpayments.ErrUnauthorized):
		return fmt.Sprintf("wrong instance, clock, secret or IP list: %s answered 401; credentials work on one of the instances a, b and c only, "+
			"the clock must be right, client_secret be the one that the dashboard last showed, and the integration's list of IP addresses, if it has one, have this machine's (%v)",
			v.APIURL(), err)
	case errors.As(err, &refused):
		return fmt.Sprintf("%v: %s", err, refused.Hint())
	default:
		return fmt.Sprintf("CoinPayments cannot be reached at %s: check the network and the instance (%v)", v.APIURL(), err)
	}
}

// checkRegistered compares the webhooks of the integration with the account's webhook URL.
// There need be none: invoices that are made here name that URL.
func (v *V2) checkRegistered(ctx context.Context) gateway.Finding {
	const part = "Registered"
	isKnown := func(url string) bool {
		return url == v.options.WebhookURL ||
			slices.ContainsFunc(v.options.PreviousWebhookURLs, func(p gateway.PreviousURL) bool { return p.URL == url })
	}
	count := 0
	var others []string
	for hook, err := range v.Client().Webhooks(ctx, "") {
		switch {
		case errors.Is(err, coinpayments.ErrForbidden):
			return gateway.Finding{Part: part, OK: true, Text: "not compared: the integration has not the permission getWebhooks"}
		case err != nil:
			return gateway.Finding{Part: part, Text: v.whyNot(err)}
		}
		count++
		if !isKnown(hook.NotificationsURL) {
			others = append(others, hook.NotificationsURL)
		}
	}
	switch {
	case len(others) > 0:
		return gateway.Finding{Part: part, Text: fmt.Sprintf("in CoinPayments' dashboard webhooks go to %s, and webhook_url is %s: the two must be the same to the letter, "+
			"or such webhooks are refused; correct one of them, or name it as previous_webhook_url", strings.Join(others, ", "), v.options.WebhookURL)}
	case count == 0:
		return gateway.Finding{Part: part, OK: true, Text: "no webhook, and none is needed: invoices name webhook_url"}
	default:
		return gateway.Finding{Part: part, OK: true, Text: fmt.Sprintf("%d to webhook_url", count)}
	}
}

// Probe implements [gateway.Checker]. CoinPayments has no ping: it is a signed webhook
// without an event, which is refused only where its signature is right.
func (v *V2) Probe() gateway.Probe {
	return gateway.Probe{
		Body: []byte(`{}`), Want: fmt.Sprintf("%d and %q", http.StatusBadRequest, gateway.ErrUnreadable),
		IsWanted: func(status int, body []byte) bool {
			return status == http.StatusBadRequest && strings.Contains(string(body), gateway.ErrUnreadable.Error())
		},
	}
}
