package relay

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"sync"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// ReadAll is io.ReadAll for what has about so many bytes.
func ReadAll(r io.Reader, size int64) ([]byte, error) {
	all := make([]byte, 0, size+1)
	for {
		n, err := r.Read(all[len(all):cap(all)])
		all = all[:len(all)+n]
		switch {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, err
		case len(all) == cap(all):
			all = append(all, 0)[:len(all)]
		}
	}
}

// rewindingBody is a body that can be read again after it was closed, which
// reverse_proxy does when it tries another upstream. An abandoned
// transport may still be reading then, hence the lock.
type rewindingBody struct {
	// lives is asked before each read, which is right before what was read is sent.
	lives func() bool

	mu     sync.Mutex
	reader bytes.Reader
}

// Body returns what makes the body of a request to the app, as often as that is sent. It
// breaks off where the attempt is no longer this process's, so that nothing is sent that
// had not begun to be.
func (m *Message) Body() func() io.ReadCloser {
	lives, body := m.Lives, m.Event.Body
	return func() io.ReadCloser { return &rewindingBody{lives: lives, reader: *bytes.NewReader(body)} }
}

func (b *rewindingBody) Read(p []byte) (int, error) {
	if b.lives != nil && !b.lives() {
		return 0, ledger.ErrNoSession
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.reader.Read(p)
}

func (b *rewindingBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, err := b.reader.Seek(0, io.SeekStart)
	return err
}

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
