package relay

import (
	"bytes"
	"net/http"
)

// Recorder is a response writer that captures the app's response, of which
// nothing may reach the gateway. It has a header map of its own, because Caddy's
// ResponseRecorder would share the real response's.
type Recorder struct {
	// Capture is how many bytes of the body to keep.
	Capture int

	header http.Header
	status int
	body   bytes.Buffer
}

// Response returns what was written so far.
func (w *Recorder) Response() Response {
	return Response{Status: w.status, Header: w.header, Body: w.body.Bytes()}
}

func (w *Recorder) Header() http.Header {
	if w.header == nil {
		w.header = make(http.Header)
	}
	return w.header
}

func (w *Recorder) WriteHeader(status int) {
	// Informational responses (1xx) come before the final one.
	if w.status == 0 && status >= 200 {
		w.status = status
	}
}

func (w *Recorder) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	w.body.Write(p[:min(len(p), w.Capture-w.body.Len())])
	return len(p), nil
}

// Flush does nothing: there is nobody to flush to. It keeps handlers that
// stream from failing.
func (w *Recorder) Flush() {}

// Interface guards
var _ http.Flusher = (*Recorder)(nil)
