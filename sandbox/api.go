package sandbox

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/engine"
)

const (
	apiPrefix = "/ccpayment/v2/"
)

// call is one API call whose headers were found right. The handler holds the
// sandbox's lock, so it must not wait for anything.
type call struct {
	*params
	s        *Sandbox
	st       *state
	endpoint string
	now      time.Time // sandbox time
	base     string    // scheme and host for links to hosted pages
}

// handler acts on a call and returns what "data" shall hold, or an error from
// refuse.
type handler func(*call) (any, error)

// object is a JSON object of an answer.
type object = engine.Object

// endpoints are all that the API has, by name.
var endpoints = merge(
	orderEndpoints,
	invoiceEndpoints,
	permanentEndpoints,
	recordEndpoints,
	catalogueEndpoints,
	balanceEndpoints,
	toolEndpoints,
	webhookEndpoints,
	payoutEndpoints,
)

func merge(tables ...map[string]handler) map[string]handler {
	all := map[string]handler{}
	for _, table := range tables {
		maps.Copy(all, table)
	}
	return all
}

// answer is the envelope of every answer of the API.
type answer struct {
	Code int    `json:"code"`
	Msg  string `json:"msg"`
	Data any    `json:"data"`
}

func (s *Sandbox) serveAPI(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	name := strings.TrimPrefix(r.URL.Path, apiPrefix)
	handle, known := endpoints[name]
	if !known {
		engine.WriteJSON(w, http.StatusNotFound, answer{Code: codeNotFound, Msg: "no endpoint is called " + name})
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		engine.WriteJSON(w, http.StatusMethodNotAllowed, answer{Code: codeInvalid, Msg: "call " + name + " with POST"})
		return
	}

	fault := s.engine.Strike(name)
	if fault != nil {
		s.engine.Log.Info("call", slog.String("endpoint", name), slog.String("fault", fault.Effect()))
		if fault.Before(w, r, func() { answerFault(w, fault) }) {
			return
		}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, engine.MaxBody))
	var reply []byte
	if err != nil {
		err = refuse(codeInvalid, "body: cannot be read, or is over 1 MiB")
	} else {
		reply, err = s.act(name, handle, r, body)
	}
	if fault != nil && fault.LosesAnswer() {
		panic(http.ErrAbortHandler)
	}
	s.linger(r, began)

	code, msg := codeSuccess, codes[codeSuccess]
	if err != nil {
		code, msg = explain(err)
		reply, _ = json.Marshal(answer{Code: code, Msg: msg})
	}
	s.engine.Log.Info("call", slog.String("endpoint", name), slog.Int("code", code), slog.String("msg", msg))
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = w.Write(reply) //nolint:gosec // JSON, labelled so; a caller who left is no concern
}

// act checks a call and carries it out. The answer is written while the lock
// is held, so that handlers may return what they keep.
func (s *Sandbox) act(name string, handle handler, r *http.Request, body []byte) ([]byte, error) {
	if err := s.authenticate(r.Header, body, s.signedByMerchant); err != nil {
		return nil, err
	}
	if s.limit != nil && !s.limit.Allow() {
		return nil, refuse(codeRateLimit, "more than %d calls a second", s.opts.RateLimit)
	}
	p, err := parseParams(body)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.st.admit(s.engine.Now()); err != nil {
		return nil, err
	}
	data, err := handle(&call{params: p, s: s, st: s.st, endpoint: name, now: s.engine.Now(), base: s.engine.BaseURL(r)})
	if err != nil {
		return nil, err
	}
	if names := p.ignored(); len(names) > 0 {
		s.engine.Log.Warn("ignored", slog.String("endpoint", name), slog.String("parameters", strings.Join(names, ", ")))
	}
	return json.Marshal(answer{Code: codeSuccess, Msg: codes[codeSuccess], Data: data})
}

// explain splits an error of a handler into the code and message to answer.
func explain(err error) (int, string) {
	if broken, ok := errors.AsType[*refusal](err); ok {
		return broken.code, broken.msg
	}
	return 11002, err.Error()
}

// linger makes a call last as long as the options want.
func (s *Sandbox) linger(r *http.Request, began time.Time) {
	if rest := s.opts.Latency - time.Since(began); rest > 0 {
		engine.Pause(r, rest)
	}
}
