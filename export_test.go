package ccpayment

import "time"

// SetBodyTimeout sets how long the body of a webhook may take, and returns what sets it back.
func SetBodyTimeout(d time.Duration) (back func()) {
	usual := bodyTimeout
	bodyTimeout = d
	return func() { bodyTimeout = usual }
}
