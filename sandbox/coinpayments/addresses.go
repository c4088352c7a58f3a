package coinpayments

import "github.com/seed-338f6760/caddy-ccpayment/sandbox/engine"

// view is an address as the API answers it.
func (a *address) view() object {
	return object{
		"addressId": a.id, "label": orNull(a.label), "address": a.text, "notificationUrl": orNull(a.hookURL),
		"rentedTill": stamp(a.rentedTill),
	}
}

func createAddress(c *call) (reply, error) {
	w, err := c.wallet()
	if err != nil {
		return reply{}, err
	}
	var in struct {
		Label           string `json:"label"`
		NotificationURL string `json:"notificationUrl"`
		WebhookURL      string `json:"webhookUrl"`
	}
	if len(c.body) > 0 {
		if err := c.read(&in); err != nil {
			return reply{}, err
		}
	}
	if in.NotificationURL == "" {
		in.NotificationURL = in.WebhookURL
	}
	if in.NotificationURL != "" && !engine.IsHTTP(in.NotificationURL) {
		return reply{}, invalid("notificationUrl", "must be an absolute http or https address")
	}
	a := c.st.addAddress(w, in.Label, in.NotificationURL, c.now)
	return created(object{"addressId": a.id, "networkAddress": a.text, "rentedTill": stamp(a.rentedTill)})
}

func listAddresses(c *call) (reply, error) {
	w, err := c.wallet()
	if err != nil {
		return reply{}, err
	}
	return listPage(c, w.addresses, func(a *address) any { return a.view() })
}

func countAddresses(c *call) (reply, error) {
	w, err := c.wallet()
	if err != nil {
		return reply{}, err
	}
	return ok(len(w.addresses))
}

// address finds the address that the path names.
func (c *call) address() (*address, error) {
	w, err := c.wallet()
	if err != nil {
		return nil, err
	}
	if a := w.address(c.PathValue("address")); a != nil {
		return a, nil
	}
	return nil, notFound("the wallet has no address %s", c.PathValue("address"))
}

func findAddress(c *call) (reply, error) {
	a, err := c.address()
	if err != nil {
		return reply{}, err
	}
	return ok(a.view())
}

// readHookURL reads where webhooks of a wallet or address go from now on.
func (c *call) readHookURL() (string, error) {
	var in struct {
		NotificationURL string `json:"notificationUrl"`
		WebhookURL      string `json:"webhookUrl"`
	}
	if err := c.read(&in); err != nil {
		return "", err
	}
	if in.NotificationURL == "" {
		in.NotificationURL = in.WebhookURL
	}
	if !engine.IsHTTP(in.NotificationURL) {
		return "", invalid("notificationUrl", "must be an absolute http or https address")
	}
	return in.NotificationURL, nil
}

func setWalletHook(c *call) (reply, error) {
	w, err := c.wallet()
	if err != nil {
		return reply{}, err
	}
	url, err := c.readHookURL()
	if err != nil {
		return reply{}, err
	}
	w.hookURL = url
	return ok(nil)
}

func setAddressHook(c *call) (reply, error) {
	a, err := c.address()
	if err != nil {
		return reply{}, err
	}
	url, err := c.readHookURL()
	if err != nil {
		return reply{}, err
	}
	a.hookURL = url
	return ok(nil)
}
