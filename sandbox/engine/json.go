package engine

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// MaxBody bounds the body of a call, in bytes.
const MaxBody = 1 << 20

// Object is a JSON object.
type Object = map[string]any

// WriteJSON answers with a status and a JSON value.
func WriteJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(value) // a caller who left is no concern
}

// Marshal writes JSON as JavaScript does, and so the gateways: some receivers verify the
// signature over a body that they have parsed and written again, so no character may be
// escaped that need not be.
func Marshal(value any) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value) // texts and numbers always marshal
	return []byte(lineSeparators.Replace(strings.TrimSuffix(b.String(), "\n")))
}

// lineSeparators writes the two as they are that Go always escapes. An escaped backslash
// in front of a u is not the beginning of such an escape.
var lineSeparators = strings.NewReplacer(`\\`, `\\`, `\u2028`, "\u2028", `\u2029`, "\u2029")

// Pause waits, but no longer than the caller does.
func Pause(r *http.Request, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	}
}

// BaseURL is where hosted pages are found from outside.
func (e *Engine) BaseURL(r *http.Request) string {
	if e.public != nil {
		return e.public.String()
	}
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// PublicURL is the base of hosted pages if one was set.
func (e *Engine) PublicURL() string {
	if e.public == nil {
		return ""
	}
	return e.public.String()
}
