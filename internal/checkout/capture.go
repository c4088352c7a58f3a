package checkout

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"strings"
)

// Capture is a response writer that passes an app's response on as it comes, and
// captures one that may ask for a checkout.
type Capture struct {
	http.ResponseWriter
	status int // the status that asks for a checkout

	decided  bool
	captured bool
	refused  bool        // it has the status, and was passed on at once
	header   http.Header // of a captured response
	body     bytes.Buffer
	flushed  bool // the app did, while the response was captured
}

// NewCapture returns a Capture of responses with this status.
func NewCapture(w http.ResponseWriter, status int) *Capture {
	return &Capture{ResponseWriter: w, status: status}
}

// Captured reports whether the response was captured, and not passed on.
func (w *Capture) Captured() bool { return w.captured }

// Refused reports whether the response has the status and was passed on at once, for its
// headers.
func (w *Capture) Refused() bool { return w.refused }

// Response returns the captured response's headers.
func (w *Capture) Response() http.Header { return w.header }

// Body returns the captured response's body.
func (w *Capture) Body() []byte { return w.body.Bytes() }

// Unwrap is for [http.ResponseController].
func (w *Capture) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Push implements [http.Pusher], for Caddy's push.
func (w *Capture) Push(target string, options *http.PushOptions) error {
	if pusher, ok := w.ResponseWriter.(http.Pusher); ok {
		return pusher.Push(target, options)
	}
	return http.ErrNotSupported
}

// WriteHeader decides whether the response is captured.
func (w *Capture) WriteHeader(status int) {
	if w.decided {
		return
	}
	if status >= 100 && status < 200 {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	w.decided = true
	if w.captured = status == w.status && MayAsk(w.Header()); w.captured {
		w.header = w.Header().Clone()
		return
	}
	w.refused = status == w.status
	w.ResponseWriter.WriteHeader(status)
}

func (w *Capture) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.captured && len(p) > LargestRequest-w.body.Len() {
		if err := w.PassOn(); err != nil {
			return 0, err
		}
	}
	if !w.captured {
		return w.ResponseWriter.Write(p)
	}
	return w.body.Write(p)
}

// ReadFrom lets the system copy large responses that are passed on.
func (w *Capture) ReadFrom(r io.Reader) (int64, error) {
	w.WriteHeader(http.StatusOK)
	if !w.captured {
		return io.Copy(w.ResponseWriter, r)
	}
	return io.Copy(struct{ io.Writer }{w}, r)
}

// FlushError flushes a response that is passed on.
func (w *Capture) FlushError() error {
	w.WriteHeader(http.StatusOK)
	if w.captured {
		w.flushed = true
		return nil
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// PassOn sends what was captured of a response that turned out to ask for no checkout.
// What the app writes from then on passes.
func (w *Capture) PassOn() error {
	w.captured = false
	trailers := w.Header().Clone()
	clear(w.Header())
	maps.Copy(w.Header(), w.header)
	w.ResponseWriter.WriteHeader(w.status)
	_, err := w.ResponseWriter.Write(w.body.Bytes())
	w.body = bytes.Buffer{}
	maps.Copy(w.Header(), trailers)
	if err != nil || !w.flushed {
		return err
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// IsKept reports whether a header of an app's response stays in the response that is
// made of it: the app's cookies, and what it says of who may read the response and what
// the page may do.
func IsKept(name string) bool {
	switch name {
	case "Set-Cookie", "Vary", "Content-Security-Policy", "Content-Security-Policy-Report-Only", "Server-Timing", "Timing-Allow-Origin":
		return true
	}
	return strings.HasPrefix(name, "Access-Control-")
}
