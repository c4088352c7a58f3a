package ccpayment

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/tidwall/gjson"
)

// offerFields are the fields of an app's answer, and of the door of ccpayment_api.
var offerFields = []string{
	"order_id", "price", "currency", "product", "buyer_email", "return_url", "close_url", "expires_in", "coin", "chain",
}

// largestOffer is how much of an app's answer is read.
const largestOffer = 64 << 10

// interceptor passes an app's answer on as it comes, and keeps one that asks for
// a checkout.
type interceptor struct {
	*caddyhttp.ResponseWriterWrapper
	status int // that asks for a checkout

	decided bool
	taken   bool
	header  http.Header // of a taken answer
	body    bytes.Buffer
	large   bool
}

// WriteHeader decides once, when the answer's header is known.
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
	if w.taken = status == w.status && isJSON; w.taken {
		w.header = w.Header().Clone()
		return
	}
	w.ResponseWriterWrapper.WriteHeader(status)
}

func (w *interceptor) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if !w.taken {
		return w.ResponseWriterWrapper.Write(p)
	}
	w.keep(p)
	return len(p), nil
}

func (w *interceptor) keep(p []byte) {
	room := largestOffer - w.body.Len()
	w.large = w.large || len(p) > room
	w.body.Write(p[:min(len(p), room)])
}

// ReadFrom lets large answers be copied by the system where they pass.
func (w *interceptor) ReadFrom(r io.Reader) (int64, error) {
	w.WriteHeader(http.StatusOK)
	if !w.taken {
		return w.ResponseWriterWrapper.ReadFrom(r)
	}
	return io.Copy(struct{ io.Writer }{w}, r)
}

// FlushError flushes an answer that passes.
func (w *interceptor) FlushError() error {
	w.WriteHeader(http.StatusOK)
	if w.taken {
		return nil
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// passOn sends a taken answer that turned out to ask for no checkout.
func (w *interceptor) passOn() error {
	clear(w.Header())
	for name, values := range w.header {
		w.Header()[name] = values
	}
	w.ResponseWriterWrapper.WriteHeader(w.status)
	_, err := w.ResponseWriter.Write(w.body.Bytes())
	return err
}

// errNoOffer: a taken answer has no order id: it is the app's own affair.
var errNoOffer = errors.New("the answer has no order id")

// fromAnswer reads the offer of an app's answer.
func (h *Checkout) fromAnswer(w *interceptor) (offer, error) {
	body := w.body.Bytes()
	unusable := func(format string, args ...any) error {
		return &checkoutError{
			status: http.StatusBadGateway, code: "bad_terms", text: "the order's terms cannot be used",
			cause: fmt.Errorf("the app's answer: "+format, args...),
		}
	}
	switch encoding := w.header.Get("Content-Encoding"); {
	case w.large:
		return offer{}, unusable("it is larger than %d bytes", largestOffer)
	case strings.EqualFold(encoding, "gzip"):
		reader, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return offer{}, unusable("%w", err)
		}
		if body, err = io.ReadAll(io.LimitReader(reader, largestOffer+1)); err != nil || len(body) > largestOffer {
			return offer{}, unusable("unpacked, it is broken or larger than %d bytes", largestOffer)
		}
	case encoding != "" && !strings.EqualFold(encoding, "identity"):
		return offer{}, unusable("its encoding %.20q is neither none nor gzip", encoding)
	}
	o, err := readOffer(body, h.paths)
	if err != nil && !errors.Is(err, errNoOffer) {
		err = unusable("%w", err)
	}
	return o, err
}

// ownPaths find the fields under their own names.
var ownPaths = func() map[string]string {
	paths := make(map[string]string)
	for _, name := range offerFields {
		paths[name] = name
	}
	return paths
}()

// readOffer reads an offer's fields where the paths say.
func readOffer(body []byte, paths map[string]string) (offer, error) {
	if !json.Valid(body) {
		return offer{}, errors.New("it is not JSON")
	}
	object := gjson.ParseBytes(body)
	if !object.IsObject() {
		return offer{}, errNoOffer
	}
	if name := repeatedKey(body); name != "" {
		return offer{}, fmt.Errorf("the key %.60q stands in it twice", name)
	}
	field := func(name string) string { return text(object.Get(paths[name])) }
	if field("order_id") == "" {
		return offer{}, errNoOffer
	}
	o := offer{
		orderID: field("order_id"), price: field("price"), currency: field("currency"), coin: field("coin"), chain: field("chain"),
		product: field("product"), buyerEmail: field("buyer_email"), returnURL: field("return_url"), closeURL: field("close_url"),
	}
	if in := field("expires_in"); in != "" {
		seconds, err := strconv.ParseUint(in, 10, 31)
		if err != nil || seconds == 0 {
			return offer{}, fmt.Errorf("expires_in %.40q is no number of seconds", in)
		}
		o.expires = time.Duration(seconds) * time.Second
	}
	return o, nil
}

// repeatedKey returns a key that an object in a valid JSON text has twice.
func repeatedKey(body []byte) string {
	type level struct {
		keys  map[string]bool // nil: a list
		value bool            // the next text is a value, not a key
	}
	var open []*level
	decoder := json.NewDecoder(bytes.NewReader(body))
	for {
		token, err := decoder.Token()
		if err != nil {
			return ""
		}
		if token == json.Delim('}') || token == json.Delim(']') {
			open = open[:len(open)-1]
			continue
		}
		if len(open) > 0 {
			at := open[len(open)-1]
			if key, ok := token.(string); ok && at.keys != nil && !at.value {
				if at.keys[key] {
					return key
				}
				at.keys[key], at.value = true, true
				continue
			}
			at.value = false
		}
		switch token {
		case json.Delim('{'):
			open = append(open, &level{keys: make(map[string]bool)})
		case json.Delim('['):
			open = append(open, new(level))
		}
	}
}
