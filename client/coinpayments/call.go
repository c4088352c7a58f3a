package coinpayments

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

	"github.com/cenkalti/backoff/v5"

	"github.com/seed-338f6760/caddy-ccpayment/internal/apiclient"
)

const (
	// maxAnswer is how many bytes a response may have: many times the longest there is,
	// the list of currencies.
	maxAnswer = 8 << 20
	// mostPause is how long a call waits at most because CoinPayments asked for it.
	mostPause = time.Minute
)

// request is a call whose parameters are checked: what is signed and sent.
type request struct {
	route Route
	// target is the path with its query, escaped.
	target string
	body   []byte
	// reference is what to look up where the outcome is unknown.
	reference string
}

// ask makes a call with checked parameters and reads the response into answer; nil
// where nothing is read.
func (c *Client) ask(ctx context.Context, p *params, answer any) error {
	r, err := p.finish()
	if err != nil {
		return err
	}
	data, err := c.call(ctx, r)
	if err != nil || answer == nil {
		return err
	}
	if reader, ok := answer.(interface{ read([]byte) error }); ok {
		err = reader.read(data)
	} else {
		err = decode(data, answer)
	}
	if checked, ok := answer.(interface{ check() error }); ok && err == nil {
		err = checked.check()
	}
	if err == nil {
		return nil
	}
	err = &AnswerError{Route: r.route.String(), Err: err}
	if r.route.Repeatable {
		return err
	}
	return outcomeUnknown(r, err)
}

// orNothing is an answer that may be left out.
type orNothing struct{ answer any }

func (a *orNothing) read(data []byte) error {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil
	}
	return decode(data, a.answer)
}

// rawText is an answer that is text, or JSON of a text.
type rawText string

func (a *rawText) read(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) == nil {
		data = []byte(text)
	}
	*a = rawText(data)
	if len(bytes.TrimSpace(data)) == 0 {
		return errors.New("it is empty")
	}
	return nil
}

// outcome says what a failed try means for what happened at CoinPayments.
type outcome int

const (
	refused   outcome = iota // nothing happened, and the same call will be refused again
	unsent                   // it did not leave
	later                    // nothing happened, and the same call may work in a moment
	unclear                  // the call may have been performed; a repeated one may show it
	senseless                // the call may have been performed; a repeated one has the same response
)

// call tries until it has a response, or must not or cannot try again.
func (c *Client) call(ctx context.Context, r *request) ([]byte, error) {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval = 250 * time.Millisecond
	wait.MaxInterval = 5 * time.Second
	for try := 1; ; try++ {
		data, happened, err := c.try(ctx, r)
		switch {
		case err == nil:
			return data, nil
		case happened >= unclear && !r.route.Repeatable:
			return nil, outcomeUnknown(r, err)
		case happened == refused || happened == senseless || try >= c.tries,
			happened == later && !r.route.Repeatable:
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
func (c *Client) try(ctx context.Context, r *request) ([]byte, outcome, error) {
	if err := c.inTurn(ctx, r); err != nil {
		return nil, refused, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	signed, err := c.newRequest(ctx, r)
	if err != nil {
		return nil, refused, fmt.Errorf("coinpayments %s: not sent: %w", r.route, err)
	}
	began := time.Now()
	data, happened, err := c.send(signed, r.route, &connected)
	if c.observe != nil {
		c.observe(Call{Route: r.route.String(), Code: codeText(err), Took: time.Since(began)})
	}
	return data, happened, err
}

// inTurn waits until the call may be sent: no more than the limit per second, and none
// while CoinPayments has asked for a pause.
func (c *Client) inTurn(ctx context.Context, r *request) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("coinpayments %s: not sent: %w", r.route, context.Cause(ctx))
	}
	if until := c.pausedUntil.Load(); until != nil {
		if pause := time.Until(*until); pause > 0 && (pause > mostPause || !apiclient.Sleep(ctx, pause)) {
			if ctx.Err() != nil {
				return fmt.Errorf("coinpayments %s: not sent: %w", r.route, context.Cause(ctx))
			}
			return &Error{
				Status: http.StatusTooManyRequests, Route: r.route.String(), RetryAfter: pause,
				Detail: "not sent: CoinPayments asked for a pause; calls go out again from " + until.UTC().Format(time.RFC3339),
			}
		}
	}
	if err := c.limiter.Wait(ctx); err != nil {
		return fmt.Errorf("coinpayments %s: not sent: %w", r.route, err)
	}
	return nil
}

// pause holds all calls back for a while.
func (c *Client) pause(d time.Duration) {
	until := time.Now().Add(d)
	for {
		before := c.pausedUntil.Load()
		if before != nil && before.After(until) || c.pausedUntil.CompareAndSwap(before, &until) {
			return
		}
	}
}

func (c *Client) send(signed *http.Request, route Route, connected *atomic.Bool) ([]byte, outcome, error) {
	response, err := c.http.Do(signed)
	if err != nil {
		happened := unclear
		if !connected.Load() && apiclient.NeverSent(c.http, err) {
			happened = unsent
		}
		return nil, happened, fmt.Errorf("coinpayments %s: %w", route, err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil && response.StatusCode < 300 {
		return nil, unclear, fmt.Errorf("coinpayments %s: reading the answer: %w", route, err)
	}
	data, happened, err := readAnswer(route, response.StatusCode, answer)
	var failure *Error
	if errors.As(err, &failure) {
		failure.RetryAfter = retryAfter(response.Header.Get("Retry-After"), time.Now())
		switch {
		case failure.RetryAfter > 0 && (failure.Status == http.StatusTooManyRequests || failure.Status == http.StatusServiceUnavailable):
			c.pause(failure.RetryAfter)
		case failure.Status == http.StatusTooManyRequests:
			c.pause(time.Second)
		}
	}
	return data, happened, err
}

// newRequest signs exactly the bytes and the URL that it sends.
func (c *Client) newRequest(ctx context.Context, r *request) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, r.route.Method, c.baseURL+r.target, bytes.NewReader(r.body))
	if err != nil {
		return nil, err
	}
	if !r.route.Repeatable {
		// With a body it can rewind, or none at all, net/http sends again by itself, over
		// HTTP/2 even what the server has read to its end.
		request.Body, request.GetBody = io.NopCloser(bytes.NewReader(r.body)), nil
	}
	request.Header.Set("Accept", "application/json")
	if len(r.body) > 0 {
		request.Header.Set("Content-Type", "application/json")
	}
	if r.route.Open {
		return request, nil
	}
	timestamp := Timestamp(time.Now())
	request.Header.Set(HeaderClient, c.clientID)
	request.Header.Set(HeaderTimestamp, timestamp)
	request.Header.Set(HeaderSignature, c.key.Sign(r.route.Method, request.URL.String(), timestamp, r.body))
	return request, nil
}

// readAnswer takes an answer as what it says: any 2xx is a success.
func readAnswer(route Route, status int, body []byte) ([]byte, outcome, error) {
	failure := &Error{Route: route.String(), Status: status}
	if len(body) > maxAnswer {
		failure.Detail = fmt.Sprintf("the answer is longer than %d bytes", maxAnswer)
		return nil, senseless, failure
	}
	if status >= 200 && status < 300 {
		return body, 0, nil
	}
	failure.read(body)
	_, known := hints[StatusError(status)]
	switch {
	case status == http.StatusTooManyRequests:
		return nil, later, failure
	case known:
		return nil, refused, failure
	case status == http.StatusRequestTimeout || status >= 500:
		return nil, unclear, failure
	default:
		return nil, senseless, failure // who answers so may not be who acted
	}
}

// read takes the ProblemDetails of an answer that refuses.
func (e *Error) read(body []byte) {
	var problem struct {
		Type     string              `json:"type"`
		Title    string              `json:"title"`
		Detail   string              `json:"detail"`
		Instance string              `json:"instance"`
		Errors   map[string][]string `json:"errors"`
	}
	if err := lenient.Decode(body, &problem); err != nil {
		if len(bytes.TrimSpace(body)) > 0 {
			e.Detail = fmt.Sprintf("the answer is not CoinPayments': %.80q", body)
		}
		return
	}
	e.Type, e.Title = apiclient.Line(problem.Type), apiclient.Line(problem.Title)
	e.Detail, e.Instance = apiclient.Line(problem.Detail), apiclient.Line(problem.Instance)
	for name, texts := range problem.Errors {
		for _, text := range texts {
			if e.Fields == nil {
				e.Fields = make(map[string][]string)
			}
			name := apiclient.Line(name)
			e.Fields[name] = append(e.Fields[name], apiclient.Line(text))
		}
	}
}

// retryAfter reads the header of that name: seconds or a date. 0: it has none.
func retryAfter(text string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(text); err == nil && seconds > 0 {
		return min(time.Duration(min(seconds, 1<<20))*time.Second, time.Hour)
	}
	if at, err := http.ParseTime(text); err == nil && at.After(now) {
		return min(at.Sub(now), time.Hour)
	}
	return 0
}

// Call makes a call by its method and path, with a query and a body as they are to be
// sent, and returns the response's body. It is for programs that pass calls on; the
// typed methods say what the parameters are and check them. The route must be one of
// [Routes]; the path is escaped, as it stands in a URL. Retries and errors are as
// theirs.
func (c *Client) Call(ctx context.Context, method, path, query string, body json.RawMessage) (json.RawMessage, error) {
	route, err := FindRoute(method, path)
	if err != nil {
		return nil, err
	}
	if len(body) > 0 {
		if err := decode(body, &map[string]json.RawMessage{}); err != nil || bytes.TrimSpace(body)[0] != '{' {
			return nil, &ArgumentError{Route: route.String(), Field: "the body", Problem: "is not a JSON object with each key once"}
		}
	}
	target := path
	if query != "" {
		if !validQuery(query) {
			return nil, &ArgumentError{Route: route.String(), Field: "the query", Problem: "is not escaped as in a URL"}
		}
		target += "?" + query
	}
	return c.call(ctx, &request{route: route, target: target, body: body, reference: route.Reference(path, body)})
}
