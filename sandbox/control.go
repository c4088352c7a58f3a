package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// How long POST /sandbox/pay waits by default, and at most.
const (
	defaultWait = 10 * time.Second
	maxWait     = 5 * time.Minute
)

func (s *Sandbox) routeControl(mux *http.ServeMux) {
	post := func(path string, act func(*http.Request) (any, error)) {
		mux.Handle("POST "+path, s.guarded(act))
	}
	get := func(path string, act func(*http.Request) (any, error)) {
		mux.Handle("GET "+path, s.guarded(act))
	}
	post("/sandbox/pay", s.controlPay)
	post("/sandbox/activate", s.controlActivate)
	get("/sandbox/deliveries", s.controlDeliveries)
	post("/sandbox/faults", s.controlFault)
	get("/sandbox/faults", func(*http.Request) (any, error) { return s.Faults(), nil })
	mux.Handle("DELETE /sandbox/faults", s.guarded(func(*http.Request) (any, error) {
		s.ClearFaults()
		return done, nil
	}))
	post("/sandbox/advance", s.controlAdvance)
	post("/sandbox/reset", s.controlReset)
	post("/sandbox/webhook", s.controlWebhook)
	mux.HandleFunc("/sandbox/", func(w http.ResponseWriter, r *http.Request) {
		for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodDelete} {
			if _, pattern := mux.Handler(&http.Request{Method: method, URL: r.URL, Host: r.Host}); pattern == method+" "+r.URL.Path {
				w.Header().Set("Allow", method)
				writeJSON(w, http.StatusMethodNotAllowed, object{"error": r.URL.Path + ": use " + method})
				return
			}
		}
		writeJSON(w, http.StatusNotFound, object{"error": r.URL.Path + " is no control call: GET / lists them"})
	})
	post("/sandbox/risk", s.controlRisk)
	post("/sandbox/risky-address", s.controlRiskyAddress)
	post("/sandbox/price", s.controlPrice)
	post("/sandbox/credit", s.controlCredit)
	s.routePayouts(post)
}

// done is the response of an endpoint that has nothing to return.
var done = object{"ok": true}

// guarded serves a control call in JSON, and refuses calls from pages of other sites.
func (s *Sandbox) guarded(act func(*http.Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.allows(r); err != nil {
			writeJSON(w, http.StatusForbidden, object{"error": err.Error()})
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		value, err := act(r)
		if err != nil {
			writeJSON(w, http.StatusBadRequest, object{"error": err.Error()})
			return
		}
		writeJSON(w, http.StatusOK, value)
	})
}

// allows refuses what a web page elsewhere could send: requests from another
// origin, and names that were made to resolve to this machine.
func (s *Sandbox) allows(r *http.Request) error {
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	ip := net.ParseIP(host)
	loopback := host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
	public := s.public != nil && strings.EqualFold(host, s.public.Hostname())
	if !loopback && !public {
		return fmt.Errorf("host %q: control is for loopback and the public URL's host only", host)
	}
	guard := http.NewCrossOriginProtection()
	if s.public != nil {
		// A proxy in front may pass its own Host on.
		if err := guard.AddTrustedOrigin(s.public.Scheme + "://" + s.public.Host); err != nil {
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

// numeral is a number that was sent as one or as a text.
type numeral string

// UnmarshalJSON takes both; readAmount judges what it is.
func (n *numeral) UnmarshalJSON(data []byte) error {
	*n = numeral(strings.Trim(string(data), `"`))
	return nil
}

// read reads a JSON object into a struct. Unknown fields are refused: a typing
// error must not go unnoticed.
func read(r *http.Request, into any) error {
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

func (s *Sandbox) controlPay(r *http.Request) (any, error) {
	var in struct {
		OrderID string          `json:"order_id"`
		Address string          `json:"address"`
		Memo    string          `json:"memo"`
		Amount  numeral         `json:"amount"` // a text or a number
		Coin    json.RawMessage `json:"coin"`
		Chain   string          `json:"chain"`
		Status  string          `json:"status"`
		Risky   bool            `json:"risky"`
		Late    bool            `json:"late"`
		Wait    json.RawMessage `json:"wait"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	p := Payment{
		OrderID: in.OrderID, Address: in.Address, Memo: in.Memo,
		Chain: in.Chain, Status: in.Status, Risky: in.Risky, Late: in.Late,
	}
	var err error
	if in.Amount != "" {
		if p.Amount, err = readAmount("amount", string(in.Amount)); err != nil {
			return nil, err
		}
	}
	if p.Coin, err = readCoin(in.Coin); err != nil {
		return nil, err
	}
	if p.Wait, err = readWait(in.Wait); err != nil {
		return nil, err
	}
	return s.Pay(r.Context(), p)
}

func readAmount(field, text string) (decimal.Decimal, error) {
	value, err := parseAmount(text)
	if err != nil {
		return decimal.Zero, fmt.Errorf("%s: %w", field, err)
	}
	if !value.IsPositive() {
		return decimal.Zero, fmt.Errorf("%s: must be above 0", field)
	}
	return value, nil
}

// readCoin reads a symbol or an id, the latter as a number or a text.
func readCoin(raw json.RawMessage) (string, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return "", nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err == nil {
		return text, nil
	}
	if _, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
		return string(raw), nil
	}
	return "", errors.New(`coin: must be a symbol such as "USDT" or an id such as 1280`)
}

// readWait reads true, or a duration such as "5s".
func readWait(raw json.RawMessage) (time.Duration, error) {
	switch string(raw) {
	case "", "null", "false":
		return 0, nil
	case "true":
		return defaultWait, nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err == nil {
		if d, err := time.ParseDuration(text); err == nil && d > 0 && d <= maxWait {
			return d, nil
		}
	}
	return 0, fmt.Errorf(`wait: must be true, or a duration such as "5s" of at most %s`, maxWait)
}

func (s *Sandbox) controlActivate(r *http.Request) (any, error) {
	if err := read(r, &struct{}{}); err != nil {
		return nil, err
	}
	return s.Activate(r.Context()), nil
}

func (s *Sandbox) controlDeliveries(r *http.Request) (any, error) {
	query := r.URL.Query()
	for name := range query {
		if name != "record_id" && name != "order_id" && name != "type" {
			return nil, fmt.Errorf("%s: not a filter; use record_id, order_id or type", name)
		}
	}
	matches := func(name, value string) bool { return !query.Has(name) || strings.EqualFold(query.Get(name), value) }
	list := s.deliveries(func(d *Delivery) bool {
		return matches("record_id", d.RecordID) && matches("order_id", d.OrderID) && matches("type", d.Type)
	})
	return object{"deliveries": list}, nil
}

func (s *Sandbox) controlFault(r *http.Request) (any, error) {
	var in struct {
		Fault
		Drop json.RawMessage `json:"drop"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	switch string(in.Drop) {
	case "", "null", "false":
	case "true":
		in.Fault.Drop = dropAfter
	default:
		if err := json.Unmarshal(in.Drop, &in.Fault.Drop); err != nil {
			return nil, errors.New(`drop: must be true, "after" or "before"`)
		}
	}
	if err := s.SetFaults(in.Fault); err != nil {
		return nil, err
	}
	return done, nil
}

func (s *Sandbox) controlAdvance(r *http.Request) (any, error) {
	var in struct {
		Seconds numeral `json:"seconds"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	seconds, err := parseAmount(string(in.Seconds))
	if err != nil || seconds.GreaterThan(decimal.New(1, 9)) {
		return nil, errors.New("seconds: must be a number from 0 to 1000000000")
	}
	s.Advance(time.Duration(seconds.Mul(decimal.New(int64(time.Second), 0)).IntPart()))
	return object{"now": s.Now().UTC().Format(time.RFC3339)}, nil
}

func (s *Sandbox) controlReset(r *http.Request) (any, error) {
	if err := read(r, &struct{}{}); err != nil {
		return nil, err
	}
	s.Reset()
	return done, nil
}

func (s *Sandbox) controlRisk(r *http.Request) (any, error) {
	var in struct {
		RecordID string `json:"record_id"`
		Risky    *bool  `json:"risky"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	if in.Risky == nil {
		return nil, errors.New("risky: pass true or false")
	}
	return done, s.SetRisky(in.RecordID, *in.Risky)
}

func (s *Sandbox) controlWebhook(r *http.Request) (any, error) {
	var in struct {
		URL string `json:"url"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	return done, s.SetWebhookURL(in.URL)
}

func (s *Sandbox) controlPrice(r *http.Request) (any, error) {
	var in struct {
		Coin json.RawMessage `json:"coin"`
		USD  numeral         `json:"usd"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	c, err := oneCoin(in.Coin)
	if err != nil {
		return nil, err
	}
	usd, err := readAmount("usd", string(in.USD))
	if err != nil {
		return nil, err
	}
	return done, s.SetPrice(c.id, usd)
}

func (s *Sandbox) controlCredit(r *http.Request) (any, error) {
	var in struct {
		UserID string          `json:"user_id"`
		Coin   json.RawMessage `json:"coin"`
		Amount numeral         `json:"amount"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	c, err := oneCoin(in.Coin)
	if err != nil {
		return nil, err
	}
	amount, err := readAmount("amount", string(in.Amount))
	if err != nil {
		return nil, err
	}
	if in.UserID == "" {
		in.UserID = s.AppID()
	}
	return done, s.Credit(in.UserID, c.id, amount)
}

// oneCoin reads a coin that must be named, and by its id if its symbol is not
// enough.
func oneCoin(raw json.RawMessage) (*coin, error) {
	name, err := readCoin(raw)
	if err != nil {
		return nil, err
	}
	switch found := coinsNamed(name, ""); {
	case name == "":
		return nil, errors.New("coin: name a coin by its symbol or id")
	case len(found) == 0:
		return nil, fmt.Errorf("coin: no coin is called %q", name)
	case len(found) > 1:
		return nil, fmt.Errorf("coin: %q is the symbol of several coins; name one by its id", name)
	default:
		return found[0], nil
	}
}

// serveOverview says what this server is.
func (s *Sandbox) serveOverview(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, object{
		"name": "CCPayment sandbox", "api": apiPrefix, "app_id": s.AppID(),
		"control": []string{
			"POST /sandbox/pay", "POST /sandbox/activate", "GET /sandbox/deliveries",
			"POST|GET|DELETE /sandbox/faults", "POST /sandbox/advance", "POST /sandbox/reset",
			"POST /sandbox/risk", "POST /sandbox/risky-address", "POST /sandbox/price", "POST /sandbox/credit",
			"POST /sandbox/webhook", "POST /sandbox/approval", "POST /sandbox/withdrawal",
			"POST /sandbox/auto-withdrawal", "POST /sandbox/risk-refund",
		},
	})
}
