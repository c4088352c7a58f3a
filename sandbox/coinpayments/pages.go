package coinpayments

import (
	"errors"
	"net/http"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/engine"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox/hosted"
)

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
		s.engine.NoCheckout(w)
		return
	}
	page := s.page(i)
	s.mu.Unlock()
	if r.URL.Query().Has("change") && page.Picker != nil && page.Payable() {
		// The choice is left alone until somebody makes it.
		page.Due, page.Controls, page.Refresh = nil, nil, 0
	}
	s.engine.Written(hosted.WriteCheckout(w, http.StatusOK, page))
}

// serveForm answers a form by what it does with an invoice.
func (s *Sandbox) serveForm(act func(*http.Request, string) (engine.Refused, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.engine.ServeForm(w, r, func() (engine.Form, bool) {
			s.mu.Lock()
			defer s.mu.Unlock()
			i := s.st.find(r.PathValue("id"))
			if i == nil {
				return engine.Form{}, false
			}
			return engine.Form{
				Page: func() hosted.Checkout {
					s.mu.Lock()
					defer s.mu.Unlock()
					return s.page(i)
				},
				Act:  func() (engine.Refused, error) { return act(r, i.id) },
				Back: pagePath(i.id),
			}, true
		})
	}
}

// coinForm chooses the coin that an invoice is paid in.
func (s *Sandbox) coinForm(r *http.Request, id string) (engine.Refused, error) {
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
func (s *Sandbox) payForm(r *http.Request, id string) (engine.Refused, error) {
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
