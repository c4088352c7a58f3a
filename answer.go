package ccpayment

import (
	"io"
	"net/http"
	"strconv"
	"time"
)

// answer is what CCPayment gets.
type answer struct {
	status     int
	outcome    string // for metrics and logs
	text       string
	json       bool
	retryAfter bool
	allow      string
	cause      error // for the log, never sent
}

var (
	tooLarge  = answer{status: http.StatusRequestEntityTooLarge, outcome: "too_large", text: "the body is too large"}
	activated = answer{status: http.StatusOK, outcome: "activated", text: `{"msg":"Success"}`, json: true}
)

// success is the one text that CCPayment takes for a yes.
func success(outcome string) answer {
	return answer{status: http.StatusOK, outcome: outcome, text: "Success"}
}

func badRequest(outcome string, err error) answer {
	return answer{status: http.StatusBadRequest, outcome: outcome, text: err.Error(), cause: err}
}

// retryAfter is how soon CCPayment may try again. It keeps to a schedule of its
// own, the first step of which this is.
const retryAfter = 30 * time.Second

func (a answer) write(w http.ResponseWriter) {
	header := w.Header()
	contentType := "text/plain; charset=utf-8"
	if a.json {
		contentType = "application/json"
	}
	header.Set("Content-Type", contentType)
	header.Set("Content-Length", strconv.Itoa(len(a.text)))
	if a.allow != "" {
		header.Set("Allow", a.allow)
	}
	if a.retryAfter {
		header.Set("Retry-After", strconv.Itoa(int(retryAfter.Seconds())))
	}
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.text) // the sender is gone: it will try again
}
