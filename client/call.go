package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/seed-338f6760/caddy-ccpayment/internal/apiclient"
)

const (
	// maxAnswer is how many bytes a response may have: many times the longest there is,
	// the token list.
	maxAnswer = 8 << 20
	codeOK    = 10000
	// blockedFor is how long no call is made after CCPayment blocked the
	// address: its block lasts days, and each further call may prolong it.
	blockedFor = time.Hour
)

// Call makes a call by the name of its endpoint, such as "getCoinList", with
// parameters that are a JSON object or nothing (also null or []), and returns the response's data.
// It is for programs that pass calls on; the typed methods say what the
// parameters are and check them. Retries and errors are as theirs.
func (c *Client) Call(ctx context.Context, endpoint string, parameters json.RawMessage) (json.RawMessage, error) {
	if _, ok := endpoints[endpoint]; !ok {
		return nil, fmt.Errorf("ccpayment has no endpoint %.60q", endpoint)
	}
	var known struct {
		OrderID      string `json:"orderId"`
		BatchOrderID string `json:"batchOrderId"`
	}
	if isNothing(parameters) {
		parameters = nil
	}
	if len(parameters) > 0 {
		if !bytes.HasPrefix(bytes.TrimSpace(parameters), []byte("{")) {
			return nil, &ArgumentError{Endpoint: endpoint, Field: "the body", Problem: "is not a JSON object"}
		}
		if err := refuseRepeated(parameters); err != nil {
			return nil, &ArgumentError{Endpoint: endpoint, Field: "the body", Problem: err.Error()}
		}
		if err := decode(parameters, &known); err != nil {
			return nil, &ArgumentError{Endpoint: endpoint, Field: "the body", Problem: err.Error()}
		}
	}
	return c.call(ctx, endpoint, cmp.Or(known.OrderID, known.BatchOrderID), parameters)
}

// isNothing reports whether parameters are null or an empty list: CCPayment's own
// PHP software writes so for none.
func isNothing(parameters json.RawMessage) bool {
	var compact bytes.Buffer
	if json.Compact(&compact, parameters) != nil {
		return false
	}
	return compact.String() == "null" || compact.String() == "[]"
}

// refuseRepeated refuses an object in which any name stands twice: which of the
// two counts would depend on the reader.
func refuseRepeated(object json.RawMessage) error {
	if !json.Valid(object) {
		return errors.New("it is not JSON")
	}
	var members map[string]json.RawMessage
	return decode(object, &members)
}

// ask makes a call with checked parameters and reads the response's data into answer.
func (c *Client) ask(ctx context.Context, p *params, orderID string, answer any) error {
	body, err := p.finish()
	if err != nil {
		return err
	}
	data, err := c.call(ctx, p.endpoint, orderID, body)
	if err != nil {
		return err
	}
	if len(data) == 0 {
		data = json.RawMessage("null")
	}
	err = decode(data, answer)
	if checked, ok := answer.(interface{ check() error }); ok && err == nil {
		err = checked.check()
	}
	if err == nil {
		return nil
	}
	err = &AnswerError{Endpoint: p.endpoint, Err: err}
	if endpoints[p.endpoint].repeatable {
		return err
	}
	return outcomeUnknown(p.endpoint, orderID, err)
}

func (c *Client) params(endpoint string) *params { return &params{endpoint: endpoint, appID: c.appID} }

// outcome says what a failed try means for what happened at CCPayment.
type outcome int

const (
	refused   outcome = iota // nothing happened, and the same call will be refused again
	later                    // nothing happened, and the same call may work in a moment
	unclear                  // the call may have been performed; a repeated one may show it
	senseless                // the call may have been performed; a repeated one has the same response
)

// call tries until it has a response, or must not or cannot try again.
func (c *Client) call(ctx context.Context, endpoint, orderID string, body []byte) (json.RawMessage, error) {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval = 250 * time.Millisecond
	wait.MaxInterval = 5 * time.Second
	for try := 1; ; try++ {
		data, happened, err := c.try(ctx, endpoint, body)
		switch {
		case err == nil:
			return data, nil
		case happened >= unclear && !endpoints[endpoint].repeatable:
			return nil, outcomeUnknown(endpoint, orderID, err)
		case happened == refused || happened == senseless || try >= c.tries:
			return nil, err
		case !apiclient.Sleep(ctx, wait.NextBackOff()):
			if ctx.Err() != nil {
				err = errors.Join(err, context.Cause(ctx))
			}
			return nil, err
		}
	}
}

// try sends one request and reads the response.
func (c *Client) try(ctx context.Context, endpoint string, body []byte) (json.RawMessage, outcome, error) {
	if err := ctx.Err(); err != nil {
		return nil, refused, fmt.Errorf("ccpayment %s: not sent: %w", endpoint, context.Cause(ctx))
	}
	if until := c.blockedUntil.Load(); until != nil && time.Now().Before(*until) {
		return nil, refused, &Error{
			Code: int(ErrMaliciousReq), Endpoint: endpoint,
			Msg: "not sent: CCPayment blocked this IP address; calls go out again from " + until.UTC().Format(time.RFC3339),
		}
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	request, err := c.newRequest(ctx, endpoint, body)
	if err != nil {
		return nil, refused, fmt.Errorf("ccpayment %s: not sent: %w", endpoint, err)
	}
	began := time.Now()
	data, happened, err := c.send(request, endpoint, &connected)
	if c.observe != nil {
		c.observe(Call{Endpoint: endpoint, Code: codeText(err), Took: time.Since(began)})
	}
	if errors.Is(err, ErrMaliciousReq) {
		until := time.Now().Add(blockedFor)
		c.blockedUntil.Store(&until)
	}
	return data, happened, err
}

func (c *Client) send(request *http.Request, endpoint string, connected *atomic.Bool) (json.RawMessage, outcome, error) {
	response, err := c.http.Do(request)
	if err != nil {
		happened := unclear
		if !connected.Load() && apiclient.NeverSent(c.http, err) {
			happened = later
		}
		return nil, happened, fmt.Errorf("ccpayment %s: %w", endpoint, err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return nil, unclear, fmt.Errorf("ccpayment %s: reading the answer: %w", endpoint, err)
	}
	data, happened, err := readAnswer(endpoint, response.StatusCode, answer)
	var failure *Error
	if errors.As(err, &failure) && failure.Code == 0 && !hasPath(c.baseURL) {
		failure.Msg += "; the base URL " + c.baseURL + " has no path: CCPayment's ends in /ccpayment/v2"
	}
	return data, happened, err
}

// newRequest signs exactly the bytes that it sends.
func (c *Client) newRequest(ctx context.Context, endpoint string, body []byte) (*http.Request, error) {
	timestamp := strconv.FormatInt(time.Now().Unix(), 10)
	sign, err := c.sign(timestamp, body)
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.baseURL+"/"+endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if !endpoints[endpoint].repeatable {
		// With a body it can rewind, net/http sends again by itself, over HTTP/2
		// even what the server has read to its end.
		request.GetBody = nil
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Appid", c.appID)
	request.Header.Set("Timestamp", timestamp)
	request.Header.Set("Sign", sign)
	return request, nil
}

// readAnswer takes the envelope {"code","msg","data"} apart. The content type
// is not looked at: CCPayment labels its JSON as HTML now and then.
func readAnswer(endpoint string, httpStatus int, body []byte) (json.RawMessage, outcome, error) {
	var envelope struct {
		Code string          `json:"code"`
		Msg  string          `json:"msg"`
		Data json.RawMessage `json:"data"`
	}
	failure := &Error{Endpoint: endpoint, HTTPStatus: httpStatus}
	doubt := senseless
	if httpStatus >= 500 {
		doubt = unclear
	}
	if len(body) > maxAnswer {
		failure.Msg = fmt.Sprintf("the answer is longer than %d bytes", maxAnswer)
		return nil, doubt, failure
	}
	err := decode(body, &envelope)
	if err == nil {
		failure.Code, err = strconv.Atoi(envelope.Code)
	}
	if err != nil {
		failure.Code = 0
		failure.Msg = fmt.Sprintf("the answer is not CCPayment's: %.80q", body)
		return nil, doubt, failure
	}
	failure.Msg = apiclient.Line(envelope.Msg)
	switch code := CodeError(failure.Code); {
	case failure.Code == codeOK && httpStatus >= 200 && httpStatus < 300:
		return envelope.Data, 0, nil
	case code == ErrRateLimit || code == ErrFrequentOperation:
		return nil, later, failure
	case code == ErrInternal:
		return nil, unclear, failure
	case codes[code].name == "" || code == ErrFailed:
		return nil, doubt, failure
	case (httpStatus < 200 || httpStatus > 299) && (httpStatus < 400 || httpStatus > 499) && !endpoints[endpoint].repeatable:
		return nil, doubt, failure // who answers so may not be who acted
	default:
		return nil, refused, failure
	}
}
