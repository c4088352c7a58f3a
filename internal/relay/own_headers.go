package relay

import (
	"io"
	"net/http"
	"strings"
)

// headerPrefix begins the names of the headers that tell the app what was
// verified. A client must never be able to send one.
const headerPrefix = "Ccpayment"

// IsHeader reports whether an app may take the name for one of ours. Any
// character after the prefix that is not alphanumeric counts: CGI and its successors
// turn a dash into an underscore, and some turn every such character into one.
func IsHeader(name string) bool {
	n := len(headerPrefix)
	return len(name) > n && strings.EqualFold(name[:n], headerPrefix) && !isAlphanumeric(name[n])
}

// IsSent reports whether a delivery can have a header that the receiver of a webhook, or
// the route, gives it.
func IsSent(name string) bool {
	switch name {
	case "Content-Type", "User-Agent", "Idempotency-Key", "Authorization", "Appid", "Timestamp", "Sign", "Webhook-Id", "Webhook-Timestamp", "Webhook-Signature":
		return true
	default:
		return IsHeader(name)
	}
}

func isAlphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// RemoveHeaders removes such headers from a request, and such trailers once its body is
// read.
func RemoveHeaders(r *http.Request) {
	removeOurs(r.Header)
	if r.Trailer != nil {
		removeOurs(r.Trailer)
		r.Body = &guardedBody{ReadCloser: r.Body, trailer: r.Trailer}
	}
}

func removeOurs(header http.Header) {
	for name := range header {
		if IsHeader(name) {
			delete(header, name)
		}
	}
}

// guardedBody removes trailers when they are there: once the body has been
// read, and not only those that were announced. Without any announced, net/http
// shows handlers no trailers at all.
type guardedBody struct {
	io.ReadCloser
	trailer http.Header
}

func (b *guardedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		removeOurs(b.trailer)
	}
	return n, err
}
