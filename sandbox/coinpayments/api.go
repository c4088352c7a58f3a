package coinpayments

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/engine"
)

type object = engine.Object

// call is one API call that was let in. The handler holds the lock, so it must not wait
// for anything.
type call struct {
	*http.Request
	s     *Sandbox
	st    *state
	body  []byte
	query url.Values
	now   time.Time // sandbox time
	base  string    // scheme and host for links to hosted pages
	v1    bool      // amounts in minor units
}

// reply is what a handler answers.
type reply struct {
	status int
	body   any // nil: none
}

func ok(body any) (reply, error)      { return reply{http.StatusOK, body}, nil }
func created(body any) (reply, error) { return reply{http.StatusCreated, body}, nil }

// route is one endpoint: the versions of the API that have it, separated by spaces, its
// path behind them, and whether it is called without a signature. Faults name it.
type route struct {
	name, method, versions, path string
	open                         bool
	handle                       func(*call) (reply, error)
}

// routeAPI adds every endpoint.
func (s *Sandbox) routeAPI(mux *http.ServeMux) {
	for _, r := range routes {
		for _, version := range strings.Fields(r.versions) {
			path := r.path
			if version == "v3" {
				path = strings.Replace(path, "/wallets/{id}", "/wallets/{label}/{currency}", 1)
			}
			mux.HandleFunc(r.method+" "+BasePath+"/api/"+version+path, s.serve(r, version == "v1"))
		}
	}
	mux.HandleFunc(BasePath+"/", func(w http.ResponseWriter, r *http.Request) {
		_ = writeProblem(w, r.URL.Path, notFound("%s %s is no route of the API", r.Method, r.URL.Path))
	})
}

func (s *Sandbox) serve(to route, v1 bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		fault := s.engine.Strike(Name+"/"+to.name, Name)
		if fault != nil {
			s.engine.Log.Info("call", slog.String("endpoint", to.name), slog.String("fault", fault.Effect()))
			if fault.Before(w, r, func() {
				_ = writeProblem(w, r.URL.Path, refuse(fault.HTTPStatus, "a fault that was set"))
			}) {
				return
			}
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, engine.MaxBody))
		status, answer := 0, []byte(nil)
		if err != nil {
			err = refuse(http.StatusBadRequest, "the body cannot be read, or is over 1 MiB")
		} else {
			status, answer, err = s.act(to, r, body, v1)
		}
		if fault != nil && fault.LosesAnswer() {
			panic(http.ErrAbortHandler)
		}
		if rest := s.opts.Latency - time.Since(began); rest > 0 {
			engine.Pause(r, rest)
		}
		if err != nil {
			p := writeProblem(w, r.URL.Path, err)
			s.engine.Log.Info("call", slog.String("endpoint", to.name), slog.Int("http", p.Status), slog.String("msg", p.Detail))
			return
		}
		s.engine.Log.Info("call", slog.String("endpoint", to.name), slog.Int("http", status))
		if answer != nil {
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
		}
		w.WriteHeader(status)
		_, _ = w.Write(answer) //nolint:gosec // JSON, labelled so; a caller who left is no concern
	}
}

// act checks a call and carries it out. The answer is written while the lock is held, so
// that handlers may return what they keep.
func (s *Sandbox) act(to route, r *http.Request, body []byte, v1 bool) (int, []byte, error) {
	if !to.open {
		if err := s.authenticate(r, body); err != nil {
			return 0, nil, err
		}
	}
	if s.limit != nil && !s.limit.Allow() {
		return 0, nil, refuse(http.StatusTooManyRequests, "more than %d calls a second", s.opts.RateLimit)
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return 0, nil, refuse(http.StatusBadRequest, "the query cannot be read")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	answer, err := to.handle(&call{
		Request: r, s: s, st: s.st, body: body, query: query, now: s.engine.Now(), base: s.engine.BaseURL(r), v1: v1,
	})
	if err != nil || answer.body == nil {
		return answer.status, nil, err
	}
	written, err := json.Marshal(answer.body)
	return answer.status, written, err
}

// read reads a call's body.
func (c *call) read(into any) error {
	if err := json.Unmarshal(c.body, into); err != nil {
		if wrong, ok := jsonMistake(err); ok {
			return invalid(wrong.Field, "The JSON value could not be converted: it is a %s.", wrong.Value)
		}
		return refuse(http.StatusBadRequest, "the body must be a JSON object")
	}
	return nil
}
