package adminapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Client makes requests of a running Caddy's [Handler].
type Client struct {
	// Address is that of Caddy's admin endpoint, for errors.
	Address string
	// Do makes a request of it. A response with an error's status is an error.
	Do func(method, uri string, body io.Reader) (*http.Response, error)
}

// AnswerError: an answer cannot be read, or broke off.
type AnswerError struct{ Err error }

// Error is for people.
func (e *AnswerError) Error() string { return e.Err.Error() }

// Unwrap returns what went wrong.
func (e *AnswerError) Unwrap() error { return e.Err }

// ReadError reads the error that answered a request. It is false where the body is
// not Caddy's.
func ReadError(status int, body []byte) (*Error, bool) {
	var refusal struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(body, &refusal) != nil || refusal.Error == "" {
		return nil, false
	}
	return &Error{status, errors.New(refusal.Error)}, true
}

// Answer is the JSON of a T, as it was received.
type Answer[T any] []byte

// Read decodes the answer. The error is an [*AnswerError].
func (a Answer[T]) Read() (T, error) {
	var value T
	if err := json.Unmarshal(a, &value); err != nil {
		return value, &AnswerError{fmt.Errorf("the running Caddy's answer cannot be read: is it of another version? (%w)", err)}
	}
	return value, nil
}

// Page is one page of a list, whose entries are not decoded.
type Page struct {
	Events, Orders []json.RawMessage
	Damaged        []string
	Next           string
}

// Status asks how the routes and the ledger stand.
func (c *Client) Status() (Answer[Status], error) { return c.get("status", nil) }

// Page asks for a page of a list: events or orders.
func (c *Client) Page(list string, query url.Values) (Answer[Page], error) { return c.get(list, query) }

// Event asks for all of an event; route may be empty.
func (c *Client) Event(id, route string) (Answer[EventDetails], error) {
	return c.get("events/"+url.PathEscape(id), parameter("route", route))
}

// Order asks for all of an order of an account; empty: the default one.
func (c *Client) Order(id, account string) (Answer[OrderDetails], error) {
	return c.get("orders/"+escapeOrder(id), parameter("account", account))
}

// Close closes an order of an account; empty: the default one.
func (c *Client) Close(id, account string, request Close) (Answer[OrderDetails], error) {
	return c.post("orders/"+escapeOrder(id)+"/close", parameter("account", account), request)
}

// escapeOrder escapes an order's id in a path. A dot, too, is escaped: a path with . or ..
// in it would be another's.
func escapeOrder(id string) string { return strings.ReplaceAll(url.PathEscape(id), ".", "%2E") }

// Step takes an event through the step replay, release or discard; route may be
// empty.
func (c *Client) Step(name, id, route string, s Step) (Answer[StepResult], error) {
	return c.post("events/"+url.PathEscape(id)+"/"+name, parameter("route", route), s)
}

// ReplayAll replays many events.
func (c *Client) ReplayAll(all ReplayAll) (Answer[Replayed], error) {
	return c.post("events/replay", nil, all)
}

// Reconcile asks for a look at the records of accounts, now.
func (c *Client) Reconcile(ask Reconcile) (Answer[Reconciled], error) {
	return c.post("reconcile", nil, ask)
}

// Dismiss has a record that is missing or unfinished waited for no more.
func (c *Client) Dismiss(ask Dismiss) (Answer[Reconciled], error) {
	return c.post("reconcile/dismiss", nil, ask)
}

// Backup asks for a copy of the ledger. The caller closes it.
func (c *Client) Backup() (io.ReadCloser, error) {
	response, err := c.Do(http.MethodGet, Prefix+"backup", nil)
	if err != nil {
		return nil, err
	}
	return response.Body, nil
}

// Export asks for a list as a file: events, orders or payments. The caller closes it.
func (c *Client) Export(what string, query url.Values) (io.ReadCloser, error) {
	response, err := c.Do(http.MethodGet, Prefix+"export/"+what+"?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	return response.Body, nil
}

// parameter is a query of one parameter, or of none where the value is empty.
func parameter(name, value string) url.Values {
	if value == "" {
		return nil
	}
	return url.Values{name: {value}}
}

func (c *Client) get(path string, query url.Values) ([]byte, error) {
	return c.ask(http.MethodGet, path, query, nil)
}

func (c *Client) post(path string, query url.Values, value any) ([]byte, error) {
	body, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	return c.ask(http.MethodPost, path, query, bytes.NewReader(body))
}

func (c *Client) ask(method, path string, query url.Values, body io.Reader) ([]byte, error) {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	response, err := c.Do(method, Prefix+path, body)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, &AnswerError{fmt.Errorf("reading the answer of the Caddy at %s: %w", c.Address, err)}
	}
	return text, nil
}
