// Package fault is what tests break around Caddy: its disk, its clock, and the gateway's API.
package fault

import (
	"io"
	"net/http"
)

// API is a way in which CCPayment's API can be out of order.
type API struct {
	Name string
	// Answer answers a call instead.
	Answer http.HandlerFunc
	// Says is what the log says of it.
	Says string
}

// says answers with a text, whatever was asked.
func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

// APIs are such ways. (Answers that contradict the webhook are none: such an event is held
// for a person.)
var APIs = []API{
	{"down", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
	{"slow", func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then is the caller's leaving noticed
		<-r.Context().Done()
	}, "context deadline exceeded"},
	{"HTML", says("<html>We will be back soon</html>"), "the answer is not CCPayment's"},
	{"half an answer", says(`{"code":10000,"msg":"Success","data":{"record":`), "the answer is not CCPayment's"},
	{"an answer without data", says(`{"code":10000,"msg":"Success"}`), "asking CCPayment for the record"},
	{"an answer without end", func(w http.ResponseWriter, _ *http.Request) {
		for err := error(nil); err == nil; {
			_, err = w.Write(make([]byte, 64<<10))
		}
	}, "the answer is longer than"},
}
