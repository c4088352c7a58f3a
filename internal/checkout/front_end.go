package checkout

import (
	"fmt"
	"html"
	"net/http"
	"strings"
)

// FrontEnd is what made a request, by how it is sent to another page.
type FrontEnd int

const (
	Program FrontEnd = iota // it is not: it reads JSON
	navigation
	htmx
	inertia
	turbo
)

// FrontEndOf returns what made a request. respond is one of auto, redirect and json, and
// auto tells by the request's headers. A browser refuses to follow a redirect to the
// gateway's page for a script, so that each library is answered in its own way.
func FrontEndOf(r *http.Request, respond string) FrontEnd {
	accept, mode := r.Header.Get("Accept"), r.Header.Get("Sec-Fetch-Mode")
	switch {
	case respond == "json":
		return Program
	case r.Header.Get("HX-Request") == "true":
		return htmx
	case r.Header.Get("X-Inertia") == "true":
		return inertia
	case strings.Contains(accept, turboStream), r.Header.Get("Turbo-Frame") != "":
		return turbo
	case respond == "redirect", mode == "navigate":
		return navigation
	case mode == "" && strings.Contains(accept, "text/html") && !strings.EqualFold(r.Header.Get("X-Requested-With"), "XMLHttpRequest"):
		return navigation // of an old browser, or on plain http
	default:
		return Program
	}
}

const turboStream = "text/vnd.turbo-stream.html"

// Redirect sends the buyer to a page that has been checked.
func (to FrontEnd) Redirect(w http.ResponseWriter, link string) error {
	switch header := w.Header(); to {
	case htmx:
		header.Set("HX-Redirect", link)
		w.WriteHeader(http.StatusOK)
	case inertia:
		header.Set("X-Inertia-Location", link)
		w.WriteHeader(http.StatusConflict)
	case turbo:
		// Turbo follows a redirect by a script's request. This element navigates, and
		// needs no script that a Content-Security-Policy would have to allow.
		header.Set("Content-Type", turboStream+"; charset=utf-8")
		_, err := fmt.Fprintf(w, `<turbo-stream action="append" targets="head"><template><meta http-equiv="refresh" content="0;url=%s"></template></turbo-stream>`+"\n",
			html.EscapeString(link))
		return err
	default:
		header.Set("Location", link)
		w.WriteHeader(http.StatusSeeOther)
	}
	return nil
}

// NeverBuys reports whether a method makes no order, whatever the app responds: HEAD and
// TRACE look, and OPTIONS is a browser's that asks whether a page may buy.
func NeverBuys(method string) bool {
	return method == http.MethodHead || method == http.MethodOptions || method == http.MethodTrace
}

// IsPrefetch reports whether the browser, or a library in the page, fetches the page
// ahead of a visit.
func IsPrefetch(r *http.Request) bool {
	// Turbo sends X-Sec-Purpose, because a script may not send Sec-Purpose.
	for _, name := range []string{"Sec-Purpose", "X-Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"} {
		if purpose := strings.ToLower(r.Header.Get(name)); strings.Contains(purpose, "prefetch") || strings.Contains(purpose, "preview") {
			return true
		}
	}
	return r.Header.Get("HX-Preloaded") == "true"
}
