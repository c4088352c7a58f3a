package ccpayment

import "github.com/seed-338f6760/caddy-ccpayment/gateway"

// alike returns the options that all Caddys which share a ledger must have
// alike, by what each option is: where they differ, it depends on which of them a webhook
// meets what becomes of it. Secrets are not among them, nor what each may have its own of,
// such as addresses, times that a request may take, and limits.
func (a *App) alike() map[string]any {
	options := map[string]any{"retention": a.ledger.Driver.Retention()}
	for _, account := range a.opened() {
		options["app_id of the "+gateway.Label(account.Name)] = []string{account.Info.Name, account.Info.AccountID}
		options["order_prefix of the "+gateway.Label(account.Name)] = account.OrderPrefix
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, h := range a.handlers {
		for name, value := range h.route.Options() {
			options[name+" of the route "+h.route.Name] = value
		}
	}
	return options
}
