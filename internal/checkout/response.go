package checkout

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"github.com/seed-338f6760/caddy-ccpayment/internal/redact"
)

// ErrNotAsking: by its headers, a response asks for no checkout; see [MayAsk].
var ErrNotAsking = errors.New("it is not JSON, is too large, or is encoded in another way than gzip, br or zstd")

// MayAsk reports whether a response with these headers may ask for a checkout.
func MayAsk(header http.Header) bool {
	contentType, _, _ := mime.ParseMediaType(header.Get("Content-Type"))
	isJSON := contentType == "application/json" || strings.HasSuffix(contentType, "+json")
	length, err := strconv.ParseInt(header.Get("Content-Length"), 10, 64)
	isLarge := err == nil && length > LargestRequest
	return isJSON && !isLarge && slices.Contains([]string{"", "identity", "gzip", "br", "zstd"}, encodingOf(header))
}

func encodingOf(header http.Header) string {
	return strings.ToLower(strings.Join(header.Values("Content-Encoding"), ", "))
}

// NotJSONError is [ErrNoRequest] of a response that says it is JSON and is not.
type NotJSONError struct {
	// Begins are its first bytes, at most 40, for the log: without e-mail addresses.
	Begins string
}

func (*NotJSONError) Error() string { return "the response is not JSON" }

func (*NotJSONError) Unwrap() error { return ErrNoRequest }

// FromResponse reads the checkout request in an app's response, with the gjson paths of
// its fields. The error is [ErrNoRequest] where the response asks for no checkout, and
// else an [*Error].
func FromResponse(header http.Header, raw []byte, paths map[string]string) (Request, error) {
	body, err := decode(encodingOf(header), raw)
	if err != nil {
		return Request{}, &NotJSONError{Begins: excerpt(raw)}
	}
	if len(body) > LargestRequest {
		return Request{}, fmt.Errorf("%w: it is too large", ErrNoRequest)
	}
	request, err := ReadRequest(body, paths)
	switch {
	case errors.Is(err, ErrNotJSON):
		return request, &NotJSONError{Begins: excerpt(body)}
	case err != nil && !errors.Is(err, ErrNoRequest):
		err = BadTerms(fmt.Errorf("the app's answer: %w", err))
	}
	return request, err
}

// longestExcerpt is how many bytes of a response that is not JSON are logged.
const longestExcerpt = 40

// excerpt returns the beginning of a body. It looks for addresses in more of it, so that
// none is cut before its @.
func excerpt(body []byte) string {
	text := redact.Emails(string(body[:min(len(body), 10*longestExcerpt)]))
	return text[:min(len(text), longestExcerpt)]
}

// largestWindow is how much of a text a zstd encoder may look back at, as RFC 9659 has it
// for HTTP. The decoder allocates what the first bytes announce. The formats of brotli and
// gzip let them announce 16 MiB and 32 KiB at most.
const largestWindow = 8 << 20

// decode returns the text of an encoded body. Of a text that is larger than a request
// may be it returns only more than that.
func decode(encoding string, body []byte) ([]byte, error) {
	var text io.Reader = bytes.NewReader(body)
	switch encoding {
	case "gzip":
		reader, err := gzip.NewReader(text)
		if err != nil {
			return nil, err
		}
		text = reader
	case "br":
		text = brotli.NewReader(text)
	case "zstd":
		reader, err := zstd.NewReader(text, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(largestWindow))
		if err != nil {
			return nil, err
		}
		defer reader.Close()
		text = reader
	}
	return io.ReadAll(io.LimitReader(text, LargestRequest+1))
}
