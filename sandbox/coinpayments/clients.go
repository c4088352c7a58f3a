package coinpayments

// clientHook is a webhook of the integration.
type clientHook struct {
	id string
	hook
}
