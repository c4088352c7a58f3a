package gatewaytest

import (
	"net/http"
	"net/http/httptest"
	"sync"
)

// front stands before the gateway's API.
type front struct {
	http.Handler
	made func(*http.Request, []byte) bool

	mu     sync.Mutex
	meddle meddler
	orders int             // made so far
	makes  map[string]bool // the calls that make orders, by method and path
}

// meddler serves a call in the gateway's place. perform has the gateway perform it.
type meddler func(w http.ResponseWriter, r *http.Request, perform func() *httptest.ResponseRecorder)

// meddles sets what becomes of the calls from now on; nil: nothing.
func (f *front) meddles(with meddler) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.meddle = with
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	meddle := f.meddle
	f.mu.Unlock()
	perform := func() *httptest.ResponseRecorder {
		answer := httptest.NewRecorder()
		f.Handler.ServeHTTP(answer, r)
		if f.made != nil && f.made(r, answer.Body.Bytes()) {
			f.mu.Lock()
			f.orders++
			f.makes[r.Method+" "+r.URL.Path] = true
			f.mu.Unlock()
		}
		return answer
	}
	if meddle == nil {
		write(w, perform(), nil)
		return
	}
	meddle(w, r, perform)
}

// count returns how many orders were made.
func (f *front) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.orders
}

// isMaking reports whether a call is one of those that make orders.
func (f *front) isMaking(r *http.Request) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.makes[r.Method+" "+r.URL.Path]
}

func write(w http.ResponseWriter, answer *httptest.ResponseRecorder, body []byte) {
	if body == nil {
		body = answer.Body.Bytes()
	}
	for name, values := range answer.Header() {
		if name != "Content-Length" {
			w.Header()[name] = values
		}
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(body)
}

// altering returns a meddler that alters answers, and counts those that it has changed.
func altering(alter Alter, changed *counter) meddler {
	return func(w http.ResponseWriter, r *http.Request, perform func() *httptest.ResponseRecorder) {
		answer := perform()
		was := answer.Body.String()
		body := alter(r, answer.Body.Bytes())
		if string(body) != was {
			changed.add()
		}
		write(w, answer, append([]byte{}, body...))
	}
}

// counter counts what happens at once.
type counter struct {
	mu sync.Mutex
	n  int
}

func (c *counter) add() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
}

func (c *counter) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

// cut cuts the connection of a call.
func cut() { panic(http.ErrAbortHandler) }
