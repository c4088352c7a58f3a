package relay

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// LimitBodyTime gives the body of a request so long to arrive, or the server's own time if
// that is shorter: a sender who never ends it must not hold a connection for ever, also where
// it is refused, because the server reads what is left before it answers. The server ends the
// limit with the body.
func LimitBodyTime(w http.ResponseWriter, r *http.Request, within time.Duration) {
	server, _ := r.Context().Value(http.ServerContextKey).(*http.Server)
	if server != nil && 0 < server.ReadTimeout && server.ReadTimeout <= within {
		return
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(within)) // what cannot have one waits as before
}

// ReadBody reads the body of a request, which may have so many bytes at most. It returns
// an *http.MaxBytesError where it has more.
func ReadBody(w http.ResponseWriter, r *http.Request, most int64) ([]byte, error) {
	// A large Content-Length alone must not allocate memory; few webhooks have more.
	const usual = 4 << 10
	return readAll(http.MaxBytesReader(w, r.Body, most), min(max(r.ContentLength, 0), usual))
}

// readAll is io.ReadAll for what has about so many bytes.
func readAll(r io.Reader, size int64) ([]byte, error) {
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
