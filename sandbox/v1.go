package sandbox

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/engine"
)

const (
	v1Gateway = "ccpayment_v1"
	v1Path    = "/ccpayment/v1/withdraw"
	// v1Withdraw is the endpoint's name for faults and in the log.
	v1Withdraw = "v1/withdraw"
	// kindV1Withdrawal is of withdrawals through V1. They have no webhooks by themselves:
	// SendV1 sends one.
	kindV1Withdrawal = "API Withdrawal"
)

// routeV1 adds what there is of CCPayment's deprecated V1 API, for the same merchant. Its
// answers have codes that no fault can set.
func (s *Sandbox) routeV1(mux *http.ServeMux) {
	s.engine.Endpoints(false, v1Withdraw, v1Gateway+"/webhook")
	mux.HandleFunc("POST "+v1Path, s.serveV1)
	mux.Handle("POST /sandbox/v1/webhook", s.engine.Guarded(s.controlV1Webhook))
	mux.Handle("GET /sandbox/v1/tokens", s.engine.Guarded(func(*http.Request) (any, error) { return object{"tokens": tokens()}, nil }))
}

// SignV1 makes the Sign header of V1: SHA-256 over app id, secret, timestamp and body with
// nothing between them, in lower-case hex.
func SignV1(appID, secret, timestamp string, body []byte) string {
	hash := sha256.New()
	hash.Write([]byte(appID + secret + timestamp))
	hash.Write(body)
	return hex.EncodeToString(hash.Sum(nil))
}

// signV1 adds the headers of an answer or a webhook, with the real time.
func (s *Sandbox) signV1(header http.Header, _ string, body []byte) {
	timestamp := strconv.FormatInt(time.Now().Unix(), 10)
	header.Set("Appid", s.opts.AppID)
	header.Set("Timestamp", timestamp)
	header.Set("Sign", SignV1(s.opts.AppID, s.opts.AppSecret, timestamp, body))
}

func (s *Sandbox) signedByV1(timestamp, sign string, body []byte) bool {
	return hmac.Equal([]byte(SignV1(s.opts.AppID, s.opts.AppSecret, timestamp, body)), []byte(sign))
}

// serveV1 answers a withdrawal. Every answer is signed.
func (s *Sandbox) serveV1(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	fault := s.engine.Strike(v1Withdraw)
	if fault != nil {
		s.engine.Log.Info("call", slog.String("endpoint", v1Withdraw), slog.String("fault", fault.Effect()))
		if fault.Before(w, r, func() { answerFault(w, fault) }) {
			return
		}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, engine.MaxBody))
	reply := answer{Code: codeSuccess, Msg: codes[codeSuccess]}
	if err != nil {
		err = refuse(codeInvalid, "body: cannot be read, or is over 1 MiB")
	} else {
		reply.Data, err = s.withdrawV1(r.Header, body)
	}
	if fault != nil && fault.LosesAnswer() {
		panic(http.ErrAbortHandler)
	}
	s.linger(r, began)
	if err != nil {
		reply.Data = nil
		reply.Code, reply.Msg = explain(err)
	}
	s.engine.Log.Info("call", slog.String("endpoint", v1Withdraw), slog.Int("code", reply.Code), slog.String("msg", reply.Msg))
	text, _ := json.Marshal(reply) // texts and numbers always marshal
	s.signV1(w.Header(), "", text)
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = w.Write(text) //nolint:gosec // JSON, labelled so; a caller who left is no concern
}

// withdrawV1 carries a withdrawal out by the rules of V2's, which it shares its balances,
// addresses and order ids with. CCPayment publishes no codes of V1's: those of V2 stand in
// their place.
func (s *Sandbox) withdrawV1(header http.Header, body []byte) (any, error) {
	if err := s.authenticate(header, body, s.signedByV1); err != nil {
		return nil, err
	}
	p, err := parseParams(body)
	if err != nil {
		return nil, err
	}
	w := &withdrawal{kind: kindV1Withdrawal, user: s.opts.AppID, address: p.text("address", 128), memo: p.memo("memo")}
	w.orderID = p.text("merchant_order_id", 64)
	w.coin, w.network = p.token("token_id")
	feeOnTop := p.flag("merchant_pays_fee")
	if w.network != nil {
		w.amount = p.payable("value", w.network.precision)
	}
	if err := p.broken(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.st.payouts.withdrawals.free(w.orderID); err != nil {
		return nil, err
	}
	if err := s.st.payFor(w, feeOnTop); err != nil {
		return nil, err
	}
	s.st.enter(s.engine.Now(), w)
	s.progress(w, statusProcessing)
	receives := w.amount
	if !feeOnTop {
		receives = receives.Sub(w.fee)
	}
	return object{
		"order_id": s.st.recordID(s.engine.Now()), "record_id": w.recordID,
		"network_fee": w.fee, "network_coin_id": tokenID(w.coin, w.network), "network_symbol": w.coin.symbol,
		"network_fee_value": w.fee.Mul(w.usd), "net_receivable": receives,
	}, nil
}

// memo reads a text that may be a number: the documentation calls it an integer, and
// writes it as a text.
func (p *params) memo(name string) string {
	if digits := string(p.fields[name]); digits != "" {
		if _, isNumber := wholeNumber(digits); isNumber {
			p.asked[name] = true
			return digits
		}
	}
	return p.optional(name, 64)
}

// tokenID is V1's id of a coin on a chain: here a UUID that is made of the two.
func tokenID(c *coin, n *network) string {
	sum := sha256.Sum256([]byte(strconv.FormatInt(c.id, 10) + " " + n.chain.symbol))
	id := hex.EncodeToString(sum[:16])
	return id[:8] + "-" + id[8:12] + "-" + id[12:16] + "-" + id[16:20] + "-" + id[20:]
}

// token reads a token_id; an unknown one is 13000. The network returned is nil only if
// broken says so too.
func (p *params) token(name string) (*coin, *network) {
	id := p.text(name, 64)
	if id == "" {
		return nil, nil
	}
	for i := range coins {
		for j := range coins[i].networks {
			if n := &coins[i].networks[j]; tokenID(&coins[i], n) == id {
				return &coins[i], n
			}
		}
	}
	p.reject(codeCoin, "%s: no token has the id %q; GET /sandbox/v1/tokens has them all", name, id)
	return nil, nil
}

// tokens lists the ids of all coins on all chains.
func tokens() []object {
	var list []object
	for i := range coins {
		for j := range coins[i].networks {
			n := &coins[i].networks[j]
			list = append(list, object{"token_id": tokenID(&coins[i], n), "coin": coins[i].symbol, "chain": n.chain.symbol})
		}
	}
	return list
}

// TokenID returns V1's token_id of a coin on a chain, by their symbols; empty: there is no
// such coin on it.
func TokenID(symbol, chain string) string {
	if found := coinsNamed(symbol, chain); len(found) == 1 {
		return tokenID(found[0], found[0].on(chain))
	}
	return ""
}
