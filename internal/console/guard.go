package console

import (
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/seed-338f6760/caddy-ccpayment/internal/adminapi"
)

// policy lets the page load its own style sheet, script and images, post to itself, and
// nothing else; no other page may frame it.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// secure sets the headers that every answer has, whatever it is.
func secure(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Frame-Options", "DENY") // for browsers that do not know frame-ancestors
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin") // an Origin comes with POST, and nothing leaves the site
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

var errNoUser = errors.New("nobody has said who you are: put basic_auth, forward_auth, or whatever knows your people, in front of ccpayment_console, " +
	"or name with `user` the placeholder that says who it is")

func forbidden(text string) error {
	return &adminapi.Error{Status: http.StatusForbidden, Err: errors.New(text)}
}

// longestForm is far more than any form of the page has.
const longestForm = 64 << 10

// mayPost checks that a page of ours sent a form, on behalf of somebody who may change
// things, and reads the form.
func (h *Handler) mayPost(r *http.Request) error {
	if !fromOurs(r) {
		return forbidden("this was not sent by a page of this site: open the page here, and try again")
	}
	if h.ReadOnly {
		return forbidden("you may look, and change nothing: `access` is read")
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		return &adminapi.Error{Status: http.StatusUnsupportedMediaType, Err: errors.New("send the form as application/x-www-form-urlencoded")}
	}
	r.Body = http.MaxBytesReader(nil, r.Body, longestForm)
	if err := r.ParseForm(); err != nil {
		return &adminapi.Error{Status: http.StatusBadRequest, Err: errors.New("the form cannot be read: open the page again")}
	}
	return nil
}

// fromOurs reports whether a page of the same origin sent the request. Every browser of
// today says so in Sec-Fetch-Site where the connection is safe, and where it does not, in
// Origin; what has neither is no form of ours.
func fromOurs(r *http.Request) bool {
	if site := r.Header.Values("Sec-Fetch-Site"); len(site) > 0 {
		return len(site) == 1 && site[0] == "same-origin"
	}
	given := r.Header.Values("Origin")
	if len(given) != 1 {
		return false
	}
	origin, err := url.Parse(given[0])
	// Behind a proxy that ends TLS we see plain HTTP, and the browser https.
	isSafe := err == nil && (origin.Scheme == "https" || origin.Scheme == "http" && r.TLS == nil)
	return isSafe && origin.Host != "" && strings.EqualFold(origin.Host, r.Host)
}
