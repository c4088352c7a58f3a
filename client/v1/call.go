package v1

import (
	"bytes"
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

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/internal/apiclient"
)

const (
	// maxAnswer is how many bytes an answer may have: many times the longest there is.
	maxAnswer = 1 << 20
	// requestLife is how long a signed request can be performed: two minutes by its
	// timestamp, and as much again for clocks that differ, and a margin. An answer is as
	// old at most.
	requestLife = 5 * time.Minute
)

// The codes that are known (V1 documentation, Create a withdrawal order). Of the second,
// integrators say that the address which calls is not on the merchant's list.
const (
	codeOK          = 10000
	codeService     = 224066
	codeIPNotListed = 224076
)

// ErrAnswerSignature is what [errors.Is] finds in a [client.OutcomeUnknownError] whose
// answer is not one that CCPayment has signed: somebody in between may have written it.
var ErrAnswerSignature = errors.New("the answer is not signed by CCPayment, so that nothing it says counts")

// call makes a call, once.
func (c *Client) call(ctx context.Context, orderID string, body []byte) (json.RawMessage, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("ccpayment %s: not sent: %w", Withdraw, context.Cause(ctx))
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	request, err := c.newRequest(ctx, body)
	if err != nil {
		return nil, fmt.Errorf("ccpayment %s: not sent: %w", Withdraw, err)
	}
	began := time.Now()
	data, err := c.send(request)
	if c.observe != nil {
		c.observe(client.Call{Endpoint: Withdraw, Code: codeText(err), Took: time.Since(began)})
	}
	var refused *client.Error
	switch {
	case err == nil:
		return data, nil
	case !connected.Load() && apiclient.NeverSent(c.http, err),
		errors.As(err, &refused) && refused.Code == codeIPNotListed && !errors.Is(err, ErrAnswerSignature):
		return nil, err
	default:
		return nil, outcomeUnknown(orderID, err)
	}
}

func outcomeUnknown(orderID string, err error) error {
	unknown := &client.OutcomeUnknownError{Endpoint: Withdraw, OrderID: orderID, ProvenAfter: time.Now().Add(requestLife), Err: err}
	var answered *client.Error
	if errors.As(err, &answered) && answered.Code != codeOK && !errors.Is(err, ErrAnswerSignature) {
		unknown.Code, unknown.Msg = answered.Code, answered.Msg
	}
	return unknown
}

// newRequest signs exactly the bytes that it sends.
func (c *Client) newRequest(ctx context.Context, body []byte) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.baseURL+"/"+Withdraw, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	// With a body it can rewind, net/http sends again by itself, over HTTP/2 even what the
	// server has read to its end.
	request.GetBody = nil
	timestamp := strconv.FormatInt(time.Now().Unix(), 10)
	request.Header.Set("Content-Type", "application/json; charset=utf-8")
	request.Header.Set("Appid", c.appID)
	request.Header.Set("Timestamp", timestamp)
	request.Header.Set("Sign", c.key.Sign(timestamp, body))
	return request, nil
}

func (c *Client) send(request *http.Request) (json.RawMessage, error) {
	response, err := c.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ccpayment %s: %w", Withdraw, err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("ccpayment %s: reading the answer: %w", Withdraw, err)
	}
	failure := &client.Error{Endpoint: Withdraw, HTTPStatus: response.StatusCode}
	if len(answer) > maxAnswer {
		failure.Msg = fmt.Sprintf("the answer is longer than %d bytes", maxAnswer)
		return nil, failure
	}
	data := readAnswer(answer, failure)
	if err := c.verify(response.Header, answer); err != nil {
		return nil, fmt.Errorf("%w: %w: %w", ErrAnswerSignature, err, failure)
	}
	if failure.Code != codeOK || response.StatusCode < 200 || response.StatusCode > 299 {
		return nil, failure
	}
	return data, nil
}

// readAnswer takes the envelope {"code","msg","data"} apart: code and msg into the
// failure that the answer is if it is no success.
func readAnswer(body []byte, failure *client.Error) (data json.RawMessage) {
	var envelope struct {
		Code int             `json:"code"`
		Msg  string          `json:"msg"`
		Data json.RawMessage `json:"data"`
	}
	if err := decoder.Decode(body, &envelope); err != nil || envelope.Code == 0 {
		failure.Msg = fmt.Sprintf("the answer is not CCPayment's: %.80q", body)
		return nil
	}
	failure.Code, failure.Msg = envelope.Code, apiclient.Line(envelope.Msg)
	if failure.Code == codeIPNotListed {
		failure.Msg += "; add this machine's public IP address to the list under Dashboard > Developer"
	}
	return envelope.Data
}

// verify checks that CCPayment has signed an answer, a moment ago (V1 documentation,
// Create a withdrawal order, Remarks).
func (c *Client) verify(header http.Header, answer []byte) error {
	signed, err := client.ReadSignatureHeaders(header)
	switch {
	case err != nil:
		return err
	case signed.AppID != c.appID || !c.key.Matches(signed.Timestamp, answer, signed.Sign):
		return client.ErrSignature
	}
	if age := time.Since(signed.Time).Abs(); age > requestLife {
		return fmt.Errorf("%w: it is %s away from now", client.ErrStale, age.Round(time.Second))
	}
	return nil
}

// codeText is the code of a call that ended in the error, for the observer. It has few
// values.
func codeText(err error) string {
	var answered *client.Error
	switch {
	case err == nil:
		return strconv.Itoa(codeOK)
	case !errors.As(err, &answered):
		return apiclient.Failure(err)
	case errors.Is(err, ErrAnswerSignature), answered.Code == 0, answered.Code == codeOK:
		return "http_" + strconv.Itoa(answered.HTTPStatus)
	case answered.Code == codeService, answered.Code == codeIPNotListed:
		return strconv.Itoa(answered.Code)
	default:
		return "other"
	}
}
