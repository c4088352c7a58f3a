package coinpayments

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/engine"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox/hosted"
)

// maxForm bounds the forms of hosted pages, in bytes.
const maxForm = 16 << 10

// pages is where the hosted pages are, as on CoinPayments' checkout host.
const pages = "/checkout/"

// pagePath is the path of an invoice's page.
func pagePath(id string) string { return pages + "?invoice-id=" + id }

// routePages adds what buyers open in a browser.
func (s *Sandbox) routePages(mux *http.ServeMux) {
	mux.HandleFunc("GET "+pages+"{$}", s.servePage)
	mux.HandleFunc("GET "+pages+"button/{id}", s.serveButton)
	mux.HandleFunc("POST "+pages+"{id}/pay", s.serveForm(s.payForm))
	mux.HandleFunc("POST "+pages+"{id}/coin", s.serveForm(s.coinForm))
}

func (s *Sandbox) servePage(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	i := s.st.find(r.URL.Query().Get("invoice-id"))
	if i == nil {
		s.mu.Unlock()
		s.noPage(w)
		return
	}
	page := s.page(i)
	s.mu.Unlock()
	if r.URL.Query().Has("change") && page.Picker != nil && page.Payable() {
		// The choice is left alone until somebody makes it.
		page.Due, page.Controls, page.Refresh = nil, nil, 0
	}
	s.written(hosted.WriteCheckout(w, http.StatusOK, page))
}

func (s *Sandbox) noPage(w http.ResponseWriter) {
	s.written(hosted.WriteError(w, hosted.Error{
		Status: http.StatusNotFound, Title: "No such checkout",
		Message: "The sandbox forgets its invoices when it stops or is reset. Create the invoice again, and open its new page.",
	}))
}

// refused puts what was wrong with a form into its page.
type refused func(page *hosted.Checkout, reason string)

// serveForm answers a form: with the page again if it worked, and if not with the page
// and what is wrong, as refused shows it.
func (s *Sandbox) serveForm(act func(*http.Request, string) (refused, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := s.engine.AllowsForm(r); err != nil {
			s.written(hosted.WriteError(w, hosted.Error{Status: http.StatusForbidden, Message: engine.Sentence(err)}))
			return
		}
		s.mu.Lock()
		i := s.st.find(r.PathValue("id"))
		s.mu.Unlock()
		if i == nil {
			s.noPage(w)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := r.ParseForm(); err != nil {
			s.written(hosted.WriteError(w, hosted.Error{Status: http.StatusBadRequest, Message: "The form cannot be read."}))
			return
		}
		if show, err := act(r, i.id); err != nil {
			s.mu.Lock()
			page := s.page(i)
			s.mu.Unlock()
			show(&page, engine.Sentence(err))
			s.written(hosted.WriteCheckout(w, http.StatusUnprocessableEntity, page))
			return
		}
		http.Redirect(w, r, pagePath(i.id), http.StatusSeeOther)
	}
}

// coinForm chooses the coin that an invoice is paid in.
func (s *Sandbox) coinForm(r *http.Request, id string) (refused, error) {
	show := func(page *hosted.Checkout, reason string) {
		page.Due, page.Controls = nil, nil
		if page.Picker != nil {
			page.Picker.Error = reason
		}
	}
	c := currencyByID(r.PostForm.Get("with"))
	if c == nil {
		return show, errors.New("choose a coin and a network")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.choose(s.st.find(id), c, "")
	return show, err
}

// payForm makes a payment arrive.
func (s *Sandbox) payForm(r *http.Request, id string) (refused, error) {
	typed := strings.TrimSpace(r.PostForm.Get("amount"))
	show := func(page *hosted.Checkout, reason string) {
		if page.Controls != nil {
			page.Controls.Error, page.Controls.Amount = reason, typed
		}
	}
	p, err := s.way(r.PostForm.Get("pay"), id, typed)
	if err == nil {
		_, err = s.Pay(r.Context(), p)
	}
	return show, err
}

// way is the payment that a button of the page makes.
func (s *Sandbox) way(button, id, typed string) (Payment, error) {
	p := Payment{InvoiceID: id}
	s.mu.Lock()
	due := s.due(s.st.find(id))
	s.mu.Unlock()
	half := decimal.New(5, -1)
	switch button {
	case hosted.PayExact:
		p.Amount = due
	case hosted.PayLess:
		p.Amount = s.fine(id, due.Mul(half))
	case hosted.PayMore:
		p.Amount = s.fine(id, due.Add(due.Mul(half)))
	case hosted.PayLate:
		p.Amount, p.Late = due, true
	case hosted.PayFail:
		p.Amount, p.Status = due, "failed"
	case hosted.PayCustom:
		amount, err := engine.ReadAmount("amount", typed)
		p.Amount = amount
		return p, err
	default:
		return p, errors.New("there is no such way to pay")
	}
	return p, nil
}

// written logs a page that could not be written; the client may have left.
func (s *Sandbox) written(err error) {
	if err != nil {
		s.engine.Log.Warn("page", slog.String("error", err.Error()))
	}
}
