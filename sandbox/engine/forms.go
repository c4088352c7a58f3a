package engine

import (
	"log/slog"
	"net/http"
	"strings"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/hosted"
)

// maxForm bounds the forms of hosted pages, in bytes.
const maxForm = 16 << 10

// Refused puts what was wrong with a form into its page.
type Refused func(page *hosted.Checkout, reason string)

// Form is one that a buyer sent from a checkout page.
type Form struct {
	Page func() hosted.Checkout // what is shown where the form is refused
	Act  func() (Refused, error)
	Back string // the page's path, which is shown where it worked
}

// ServeForm answers a form of the page that find finds: with the page again if it worked,
// and if not with the page and what is wrong, as Refused shows it.
func (e *Engine) ServeForm(w http.ResponseWriter, r *http.Request, find func() (Form, bool)) {
	if err := e.allowsForm(r); err != nil {
		e.Written(hosted.WriteError(w, hosted.Error{Status: http.StatusForbidden, Message: Sentence(err)}))
		return
	}
	form, ok := find()
	if !ok {
		e.NoCheckout(w)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		e.Written(hosted.WriteError(w, hosted.Error{Status: http.StatusBadRequest, Message: "The form cannot be read."}))
		return
	}
	if show, err := form.Act(); err != nil {
		page := form.Page()
		show(&page, Sentence(err))
		e.Written(hosted.WriteCheckout(w, http.StatusUnprocessableEntity, page))
		return
	}
	http.Redirect(w, r, form.Back, http.StatusSeeOther) //nolint:gosec // to a page that was found
}

// NoCheckout answers with 404 where no order has the page.
func (e *Engine) NoCheckout(w http.ResponseWriter) {
	e.Written(hosted.WriteError(w, hosted.Error{
		Status: http.StatusNotFound, Title: "No such checkout",
		Message: "The sandbox forgets its orders when it stops or is reset. Create the order again, and open its new page.",
	}))
}

// Written logs a page that could not be written; the client may have left.
func (e *Engine) Written(err error) {
	if err != nil {
		e.Log.Warn("page", slog.String("error", err.Error()))
	}
}

// Sentence writes an error for people.
func Sentence(err error) string {
	text := err.Error()
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

// allowsForm refuses forms of other sites, as Allows does. The pages
// have a no-referrer policy, so browsers send "Origin: null" with their forms; a
// client that does not send Sec-Fetch-Site either has to know the page's token.
func (e *Engine) allowsForm(r *http.Request) error {
	if r.Header.Get("Origin") == "null" {
		r = r.Clone(r.Context())
		r.Header.Del("Origin")
	}
	return e.Allows(r)
}
