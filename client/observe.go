package client

import (
	"errors"
	"strconv"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/apiclient"
)

// Call is one request that was sent, as [WithObserver] reports it. A call that is retried
// is several.
type Call struct {
	// Endpoint is the endpoint's name, such as getAppDepositRecord.
	Endpoint string
	// Code is CCPayment's code, such as 10000 for success or 12002, and `other`
	// where its reference has no such code. Where there was none: `http_` and
	// the status, `timeout`, `canceled`, or `network`.
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
		return strconv.Itoa(codeOK)
	case errors.As(err, &answered):
		return answered.codeText()
	default:
		return apiclient.Failure(err)
	}
}

func (e *Error) codeText() string {
	switch _, known := codes[CodeError(e.Code)]; {
	case known:
		return strconv.Itoa(e.Code)
	case e.Code == 0 || e.Code == codeOK:
		return "http_" + strconv.Itoa(e.HTTPStatus)
	default:
		return "other"
	}
}
