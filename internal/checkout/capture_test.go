package checkout

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
)

// pushing is a response writer of HTTP/2.
type pushing struct {
	http.ResponseWriter
	target string
}

func (w *pushing) Push(target string, _ *http.PushOptions) error {
	w.target = target
	return nil
}

// TestPush: what the site pushes goes to the client, where the client takes it.
func TestPush(t *testing.T) {
	w := &pushing{ResponseWriter: httptest.NewRecorder()}
	if err := NewCapture(w, http.StatusPaymentRequired).Push("/style.css", nil); err != nil || w.target != "/style.css" {
		t.Errorf("pushed %q, %v", w.target, err)
	}
	if err := NewCapture(httptest.NewRecorder(), http.StatusPaymentRequired).Push("/style.css", nil); !errors.Is(err, http.ErrNotSupported) {
		t.Errorf("without HTTP/2: %v", err)
	}
}
