package ccpayment

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
)

// alike returns digests of the options that all Caddys which share a ledger must have
// alike, by what each option is: where they differ, it depends on which of them a webhook
// meets what becomes of it. Secrets are not among them, nor what each may have its own of,
// such as addresses, times that a request may take, and limits.
func (a *App) alike() map[string]string {
	options := map[string]string{"retention": digestOf(a.ledger.Driver.Retention())}
	for _, account := range a.opened() {
		options["app_id of the "+gateway.Label(account.Name)] = digestOf(account.Info.Name, account.Info.AccountID)
		options["order_prefix of the "+gateway.Label(account.Name)] = digestOf(account.OrderPrefix)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, h := range a.handlers {
		for name, value := range h.route.Options() {
			options[name+" of the route "+h.route.Name] = digestOf(value)
		}
	}
	return options
}

// digestOf tells options' values apart, in a few letters.
func digestOf(values ...any) string {
	text, _ := json.Marshal(values) // of numbers, texts and lists of them, which is always possible
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}
