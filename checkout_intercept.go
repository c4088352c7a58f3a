package ccpayment

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/seed-338f6760/caddy-ccpayment/internal/checkout"
)

// interceptor is a response writer that passes an app's response on as it comes, and
// captures one that asks for a checkout.
type interceptor struct {
	*caddyhttp.ResponseWriterWrapper
	status int // the status that asks for a checkout

	decided  bool
	captured bool
	header   http.Header // of a captured response
	body     bytes.Buffer
	large    bool
}

// WriteHeader decides whether the response is captured.
func (w *interceptor) WriteHeader(status int) {
	if w.decided {
		return
	}
	if status >= 100 && status < 200 {
		w.ResponseWriterWrapper.WriteHeader(status)
		return
	}
	w.decided = true
	contentType, _, _ := mime.ParseMediaType(w.Header().Get("Content-Type"))
	isJSON := contentType == "application/json" || strings.HasSuffix(contentType, "+json")
	if w.captured = status == w.status && isJSON; w.captured {
		w.header = w.Header().Clone()
		return
	}
	w.ResponseWriterWrapper.WriteHeader(status)
}

func (w *interceptor) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if !w.captured {
		return w.ResponseWriterWrapper.Write(p)
	}
	w.keep(p)
	return len(p), nil
}

func (w *interceptor) keep(p []byte) {
	room := checkout.LargestRequest - w.body.Len()
	w.large = w.large || len(p) > room
	w.body.Write(p[:min(len(p), room)])
}

// ReadFrom lets the system copy large responses that are passed on.
func (w *interceptor) ReadFrom(r io.Reader) (int64, error) {
	w.WriteHeader(http.StatusOK)
	if !w.captured {
		return w.ResponseWriterWrapper.ReadFrom(r)
	}
	return io.Copy(struct{ io.Writer }{w}, r)
}

// FlushError flushes a response that is passed on.
func (w *interceptor) FlushError() error {
	w.WriteHeader(http.StatusOK)
	if w.captured {
		return nil
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// passOn sends a captured response that turned out to ask for no checkout.
func (w *interceptor) passOn() error {
	clear(w.Header())
	for name, values := range w.header {
		w.Header()[name] = values
	}
	w.ResponseWriterWrapper.WriteHeader(w.status)
	_, err := w.ResponseWriter.Write(w.body.Bytes())
	return err
}

// fromResponse reads the checkout request in an app's captured response. The error is
// [checkout.ErrNoRequest] where the response asks for no checkout.
func (h *Checkout) fromResponse(w *interceptor) (checkout.Request, error) {
	body := w.body.Bytes()
	unusable := func(format string, args ...any) error {
		return checkout.BadTerms(fmt.Errorf("the app's answer: "+format, args...))
	}
	switch encoding := w.header.Get("Content-Encoding"); {
	case w.large:
		return checkout.Request{}, unusable("it is larger than %d bytes", checkout.LargestRequest)
	case strings.EqualFold(encoding, "gzip"):
		reader, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return checkout.Request{}, unusable("%w", err)
		}
		if body, err = io.ReadAll(io.LimitReader(reader, checkout.LargestRequest+1)); err != nil || len(body) > checkout.LargestRequest {
			return checkout.Request{}, unusable("unpacked, it is broken or larger than %d bytes", checkout.LargestRequest)
		}
	case encoding != "" && !strings.EqualFold(encoding, "identity"):
		return checkout.Request{}, unusable("its encoding %.20q is neither none nor gzip", encoding)
	}
	request, err := checkout.ReadRequest(body, h.paths)
	if err != nil && !errors.Is(err, checkout.ErrNoRequest) {
		err = unusable("%w", err)
	}
	return request, err
}
