package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/coinpayments"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox/engine"
)

func (s *Sandbox) routeControl(mux *http.ServeMux) {
	post := func(path string, act func(*http.Request) (any, error)) {
		mux.Handle("POST "+path, s.engine.Guarded(act))
	}
	get := func(path string, act func(*http.Request) (any, error)) {
		mux.Handle("GET "+path, s.engine.Guarded(act))
	}
	post("/sandbox/pay", s.controlPay)
	post("/sandbox/activate", s.controlActivate)
	get("/sandbox/deliveries", s.controlDeliveries)
	post("/sandbox/faults", s.controlFault)
	get("/sandbox/faults", func(*http.Request) (any, error) { return s.Faults(), nil })
	mux.Handle("DELETE /sandbox/faults", s.engine.Guarded(func(*http.Request) (any, error) {
		s.ClearFaults()
		return engine.Done, nil
	}))
	post("/sandbox/hold", s.controlHold)
	post("/sandbox/release", s.controlRelease)
	post("/sandbox/advance", s.controlAdvance)
	post("/sandbox/reset", s.controlReset)
	post("/sandbox/webhook", s.controlWebhook)
	mux.HandleFunc("/sandbox/", func(w http.ResponseWriter, r *http.Request) {
		for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodDelete} {
			if _, pattern := mux.Handler(&http.Request{Method: method, URL: r.URL, Host: r.Host}); pattern == method+" "+r.URL.Path {
				w.Header().Set("Allow", method)
				engine.WriteJSON(w, http.StatusMethodNotAllowed, object{"error": r.URL.Path + ": use " + method})
				return
			}
		}
		engine.WriteJSON(w, http.StatusNotFound, object{"error": r.URL.Path + " is no control call: GET / lists them"})
	})
	post("/sandbox/risk", s.controlRisk)
	post("/sandbox/risky-address", s.controlRiskyAddress)
	post("/sandbox/price", s.controlPrice)
	post("/sandbox/credit", s.controlCredit)
	s.routePayouts(post)
}

func (s *Sandbox) controlPay(r *http.Request) (any, error) {
	var in struct {
		OrderID string          `json:"order_id"`
		Address string          `json:"address"`
		Memo    string          `json:"memo"`
		Amount  engine.Numeral  `json:"amount"` // a text or a number
		Coin    json.RawMessage `json:"coin"`
		Chain   string          `json:"chain"`
		Status  string          `json:"status"`
		Risky   bool            `json:"risky"`
		Late    bool            `json:"late"`
		Wait    engine.Wait     `json:"wait"`
	}
	if err := engine.Read(r, &in); err != nil {
		return nil, err
	}
	p := Payment{
		OrderID: in.OrderID, Address: in.Address, Memo: in.Memo,
		Chain: in.Chain, Status: in.Status, Risky: in.Risky, Late: in.Late,
	}
	var err error
	if in.Amount != "" {
		if p.Amount, err = engine.ReadAmount("amount", string(in.Amount)); err != nil {
			return nil, err
		}
	}
	if p.Coin, err = readCoin(in.Coin); err != nil {
		return nil, err
	}
	if p.Wait, err = in.Wait.Duration(); err != nil {
		return nil, err
	}
	return s.Pay(r.Context(), p)
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

func (s *Sandbox) controlActivate(r *http.Request) (any, error) {
	if err := engine.Read(r, &struct{}{}); err != nil {
		return nil, err
	}
	return s.Activate(r.Context()), nil
}

func (s *Sandbox) controlDeliveries(r *http.Request) (any, error) {
	query := r.URL.Query()
	for name := range query {
		if name != "record_id" && name != "order_id" && name != "type" && name != "gateway" {
			return nil, fmt.Errorf("%s: not a filter; use record_id, order_id, type or gateway", name)
		}
	}
	matches := func(name, value string) bool { return !query.Has(name) || strings.EqualFold(query.Get(name), value) }
	list := s.engine.Deliveries(func(d *Delivery) bool {
		return matches("record_id", d.RecordID) && matches("order_id", d.OrderID) && matches("type", d.Type) &&
			matches("gateway", d.Gateway)
	})
	return object{"deliveries": list}, nil
}

func (s *Sandbox) controlFault(r *http.Request) (any, error) {
	fault, err := engine.ReadFault(r)
	if err != nil {
		return nil, err
	}
	if err := s.SetFaults(fault); err != nil {
		return nil, err
	}
	return engine.Done, nil
}

func (s *Sandbox) controlHold(r *http.Request) (any, error) {
	if err := engine.Read(r, &struct{}{}); err != nil {
		return nil, err
	}
	s.Hold()
	return engine.Done, nil
}

func (s *Sandbox) controlRelease(r *http.Request) (any, error) {
	var in struct {
		Reverse bool `json:"reverse"`
	}
	if err := engine.Read(r, &in); err != nil {
		return nil, err
	}
	return object{"released": s.Release(in.Reverse)}, nil
}

func (s *Sandbox) controlAdvance(r *http.Request) (any, error) {
	var in struct {
		Seconds engine.Numeral `json:"seconds"`
	}
	if err := engine.Read(r, &in); err != nil {
		return nil, err
	}
	seconds, err := engine.ParseAmount(string(in.Seconds))
	if err != nil || seconds.GreaterThan(decimal.New(1, 9)) {
		return nil, errors.New("seconds: must be a number from 0 to 1000000000")
	}
	s.Advance(time.Duration(seconds.Mul(decimal.New(int64(time.Second), 0)).IntPart()))
	return object{"now": s.Now().UTC().Format(time.RFC3339)}, nil
}

func (s *Sandbox) controlReset(r *http.Request) (any, error) {
	if err := engine.Read(r, &struct{}{}); err != nil {
		return nil, err
	}
	s.Reset()
	return engine.Done, nil
}

func (s *Sandbox) controlRisk(r *http.Request) (any, error) {
	var in struct {
		RecordID string `json:"record_id"`
		Risky    *bool  `json:"risky"`
	}
	if err := engine.Read(r, &in); err != nil {
		return nil, err
	}
	if in.Risky == nil {
		return nil, errors.New("risky: pass true or false")
	}
	return engine.Done, s.SetRisky(in.RecordID, *in.Risky)
}

func (s *Sandbox) controlWebhook(r *http.Request) (any, error) {
	var in struct {
		URL string `json:"url"`
	}
	if err := engine.Read(r, &in); err != nil {
		return nil, err
	}
	return engine.Done, s.SetWebhookURL(in.URL)
}

func (s *Sandbox) controlPrice(r *http.Request) (any, error) {
	var in struct {
		Coin json.RawMessage `json:"coin"`
		USD  engine.Numeral  `json:"usd"`
	}
	if err := engine.Read(r, &in); err != nil {
		return nil, err
	}
	c, err := oneCoin(in.Coin)
	if err != nil {
		return nil, err
	}
	usd, err := engine.ReadAmount("usd", string(in.USD))
	if err != nil {
		return nil, err
	}
	return engine.Done, s.SetPrice(c.id, usd)
}

func (s *Sandbox) controlCredit(r *http.Request) (any, error) {
	var in struct {
		UserID string          `json:"user_id"`
		Coin   json.RawMessage `json:"coin"`
		Amount engine.Numeral  `json:"amount"`
	}
	if err := engine.Read(r, &in); err != nil {
		return nil, err
	}
	c, err := oneCoin(in.Coin)
	if err != nil {
		return nil, err
	}
	amount, err := engine.ReadAmount("amount", string(in.Amount))
	if err != nil {
		return nil, err
	}
	if in.UserID == "" {
		in.UserID = s.AppID()
	}
	return engine.Done, s.Credit(in.UserID, c.id, amount)
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
	calls := make([]string, 0, len(s.coins.ControlCalls()))
	for name := range s.coins.ControlCalls() {
		calls = append(calls, "POST "+coinpayments.ControlPath+name)
	}
	slices.Sort(calls)
	engine.WriteJSON(w, http.StatusOK, object{
		"name": "CCPayment sandbox", "api": apiPrefix, "app_id": s.AppID(),
		"coinpayments": object{"api": coinpayments.BasePath + "/api/", "client_id": s.coins.ClientID()},
		"control": append([]string{
			"POST /sandbox/pay", "POST /sandbox/activate", "GET /sandbox/deliveries",
			"POST|GET|DELETE /sandbox/faults", "POST /sandbox/hold", "POST /sandbox/release", "POST /sandbox/advance", "POST /sandbox/reset",
			"POST /sandbox/risk", "POST /sandbox/risky-address", "POST /sandbox/price", "POST /sandbox/credit",
			"POST /sandbox/webhook", "POST /sandbox/approval", "POST /sandbox/withdrawal",
			"POST /sandbox/auto-withdrawal", "POST /sandbox/risk-refund", "POST /sandbox/aggregate", "POST /sandbox/account",
			"POST /sandbox/v1/webhook", "GET /sandbox/v1/tokens",
		}, calls...),
	})
}
