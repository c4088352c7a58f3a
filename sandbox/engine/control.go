package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// How long a payment's control call waits by default, and at most.
const (
	defaultWait = 10 * time.Second
	maxWait     = 5 * time.Minute
)

// MaxAmountDigits bounds the digits of an amount.
const MaxAmountDigits = 40

var plainNumber = regexp.MustCompile(`^(0|[1-9][0-9]*)(\.[0-9]+)?$`)

// Done is the response of a control call that has nothing to return.
var Done = Object{"ok": true}

// Guarded serves a control call in JSON, and refuses calls from pages of other sites.
func (e *Engine) Guarded(act func(*http.Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := e.Allows(r); err != nil {
			WriteJSON(w, http.StatusForbidden, Object{"error": err.Error()})
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, MaxBody)
		value, err := act(r)
		if err != nil {
			WriteJSON(w, http.StatusBadRequest, Object{"error": err.Error()})
			return
		}
		WriteJSON(w, http.StatusOK, value)
	})
}

// Allows refuses what a web page elsewhere could send: requests from another
// origin, and names that were made to resolve to this machine.
func (e *Engine) Allows(r *http.Request) error {
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	ip := net.ParseIP(host)
	loopback := host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
	public := e.public != nil && strings.EqualFold(host, e.public.Hostname())
	if !loopback && !public {
		return fmt.Errorf("host %q: control is for loopback and the public URL's host only", host)
	}
	guard := http.NewCrossOriginProtection()
	if e.public != nil {
		// A proxy in front may pass its own Host on.
		if err := guard.AddTrustedOrigin(e.public.Scheme + "://" + e.public.Host); err != nil {
			return err
		}
	}
	if guard.Check(r) != nil {
		return errors.New("this request comes from a page of another site")
	}
	return nil
}

// jsonKind names a Go type as people who write JSON do.
func jsonKind(t reflect.Type) string {
	switch {
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Int:
		return "whole number"
	default:
		return t.Kind().String()
	}
}

// Numeral is a number that was sent as one or as a text.
type Numeral string

// UnmarshalJSON takes both; ReadAmount judges what it is.
func (n *Numeral) UnmarshalJSON(data []byte) error {
	*n = Numeral(strings.Trim(string(data), `"`))
	return nil
}

// Read reads a JSON object into a struct. Unknown fields are refused: a typing
// error must not go unnoticed.
func Read(r *http.Request, into any) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return errors.New("the body cannot be read, or is over 1 MiB")
	}
	if len(bytes.TrimSpace(body)) == 0 {
		body = []byte("{}")
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return fmt.Errorf("%s: must be a %s, not a %s", wrong.Field, jsonKind(wrong.Type), wrong.Value)
		}
		return fmt.Errorf("the body must be a JSON object with known fields only: %w", err)
	}
	if dec.More() {
		return errors.New("the body holds more than one JSON value")
	}
	return nil
}

// ReadAmount reads an amount above 0 from a field of a control call.
func ReadAmount(field, text string) (decimal.Decimal, error) {
	value, err := ParseAmount(text)
	if err != nil {
		return decimal.Zero, fmt.Errorf("%s: %w", field, err)
	}
	if !value.IsPositive() {
		return decimal.Zero, fmt.Errorf("%s: must be above 0", field)
	}
	return value, nil
}

// Wait is how long a control call waits: true, or a duration such as "5s".
type Wait json.RawMessage

// UnmarshalJSON keeps what was sent; Duration judges it.
func (w *Wait) UnmarshalJSON(data []byte) error {
	*w = append((*w)[:0], data...)
	return nil
}

// Duration reads it; zero is not at all.
func (w *Wait) Duration() (time.Duration, error) {
	switch string(*w) {
	case "", "null", "false":
		return 0, nil
	case "true":
		return defaultWait, nil
	}
	var text string
	if err := json.Unmarshal(*w, &text); err == nil {
		if d, err := time.ParseDuration(text); err == nil && d > 0 && d <= maxWait {
			return d, nil
		}
	}
	return 0, fmt.Errorf(`wait: must be true, or a duration such as "5s" of at most %s`, maxWait)
}

// Await waits until a payment's last webhook was tried, for so long at most.
func (e *Engine) Await(ctx context.Context, final <-chan struct{}, wait time.Duration) {
	if wait <= 0 {
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-final:
	case <-timer.C:
	case <-ctx.Done():
	case <-e.ctx.Done():
	}
}

// ParseAmount reads a plain decimal number of at most 40 digits.
func ParseAmount(text string) (decimal.Decimal, error) {
	if len(text) > MaxAmountDigits+1 {
		return decimal.Zero, fmt.Errorf("at most %d digits", MaxAmountDigits)
	}
	if !plainNumber.MatchString(text) {
		return decimal.Zero, fmt.Errorf("must be a plain decimal number such as \"10.5\"")
	}
	return decimal.NewFromString(text)
}

// Approval serves a control call that says whether withdrawals wait for approval.
func Approval(set func(needed bool)) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		var in struct {
			Needed *bool `json:"needed"`
		}
		if err := Read(r, &in); err != nil {
			return nil, err
		}
		if in.Needed == nil {
			return nil, errors.New("needed: pass true or false")
		}
		set(*in.Needed)
		return Done, nil
	}
}

// Withdrawal serves a control call that decides what becomes of a withdrawal.
func Withdrawal(settle func(id, status string) error) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		var in struct {
			RecordID string `json:"record_id"`
			Status   string `json:"status"`
		}
		if err := Read(r, &in); err != nil {
			return nil, err
		}
		return Done, settle(in.RecordID, in.Status)
	}
}
