package rotation

import (
	"fmt"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/options"
	"github.com/seed-338f6760/caddy-ccpayment/internal/placeholder"
)

// WebhookURLs are the options of an account about where webhooks are sent to.
type WebhookURLs struct {
	// The public URL that webhooks of orders made here are sent to. A gateway that
	// signs it needs it as it is registered there, byte for byte. Default: the one that
	// is set in the gateway's console.
	WebhookURL string `json:"webhook_url,omitempty"`

	// The URLs that it has replaced, for a gateway that signs them.
	PreviousWebhookURLs []PreviousURL `json:"previous_webhook_urls,omitempty"`
}

// PreviousURL is the option previous_webhook_url: a URL that was replaced.
type PreviousURL struct {
	// The URL. Required.
	URL string `json:"url,omitempty"`

	// When webhooks that are signed for it stop being taken, in RFC 3339. Default: when
	// it is removed here.
	Until string `json:"until,omitempty"`
}

// IsSet reports whether any option is given.
func (w *WebhookURLs) IsSet() bool { return w.WebhookURL != "" || w.PreviousWebhookURLs != nil }

// ReadOption reads an option, where it is one of these.
func (w *WebhookURLs) ReadOption(d options.Dispenser) (isOurs bool, err error) {
	switch d.Val() {
	case "webhook_url":
		return true, options.Text(d, &w.WebhookURL)
	case "previous_webhook_url":
		url, until, err := read(d)
		if err == nil {
			w.PreviousWebhookURLs = append(w.PreviousWebhookURLs, PreviousURL{url, until})
		}
		return true, err
	}
	return false, nil
}

// Resolve replaces the options' placeholders and has each URL checked under its option's
// name.
func (w *WebhookURLs) Resolve(repl placeholder.Replacer, check func(option, url string) error) (url string, previous []gateway.PreviousURL, err error) {
	if url, err = placeholder.Optional(repl, "webhook_url", w.WebhookURL); err == nil {
		err = check("webhook_url", url)
	}
	if err != nil {
		return "", nil, err
	}
	for _, p := range w.PreviousWebhookURLs {
		var old gateway.PreviousURL
		if old.URL, err = placeholder.Required(repl, "previous_webhook_url", p.URL); err == nil {
			err = check("previous_webhook_url", old.URL)
		}
		if err != nil {
			return "", nil, err
		}
		if old.Until, err = until(repl, p.Until); err != nil {
			return "", nil, fmt.Errorf("previous_webhook_url: %w", err)
		}
		previous = append(previous, old)
	}
	return url, previous, nil
}
