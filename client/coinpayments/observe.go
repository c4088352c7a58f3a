package coinpayments

import (
	"errors"
	"strconv"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/apiclient"
)

// Call is one request that was sent, as [WithObserver] reports it. A call that is retried
// is several.
type Call struct {
	// Route is the route's method and pattern, such as
	// GET /api/v2/merchant/invoices/{id}.
	Route string
	// Code is the answer's HTTP status, 200 for every success. Where there was none:
	// `timeout`, `canceled`, or `network`.
	Code string
	// Took is the time from sending to the end of the response.
	Took time.Duration
}

// WithObserver sets a function that is called after every request that was sent, for
// metrics. It runs on the goroutine of the caller, which waits for it.
func WithObserver(observe func(Call)) Option {
	return func(c *Client) error {
		if observe == nil {
			return errors.New("the observer is nil")
		}
		c.observe = observe
		return nil
	}
}

// codeText is the code of a try that ended in the error. It has few values.
func codeText(err error) string {
	var answered *Error
	switch {
	case err == nil:
		return "200"
	case errors.As(err, &answered):
		return strconv.Itoa(answered.Status)
	default:
		return apiclient.Failure(err)
	}
}
