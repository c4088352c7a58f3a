package sandbox

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/engine"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox/hosted"
)

// routePages adds what people open in a browser.
func (s *Sandbox) routePages(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", s.serveFront)
	mux.Handle("GET "+hosted.AssetsPath, hosted.Assets())
	for _, kind := range []string{invoicePages, orderPages} {
		mux.HandleFunc("GET "+kind+"{token}", s.servePage(kind))
		mux.HandleFunc("POST "+kind+"{token}/pay", s.serveForm(kind, s.payForm))
	}
	mux.HandleFunc("POST "+invoicePages+"{token}/coin", s.serveForm(invoicePages, s.coinForm))
}

// Where the pages of invoices and of deposit orders are.
const (
	invoicePages = "/i/"
	orderPages   = "/c/"
)

// pagePath is the path of an order's page.
func pagePath(v *Checkout) string {
	if v.Invoice {
		return invoicePages + v.Token
	}
	return orderPages + v.Token
}

// page looks up the order of a page.
func (s *Sandbox) page(r *http.Request, kind string) (Checkout, bool) {
	v, err := s.Checkout(r.PathValue("token"))
	return v, err == nil && strings.HasPrefix(pagePath(&v), kind)
}

func (s *Sandbox) servePage(kind string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, ok := s.page(r, kind)
		if !ok {
			s.engine.NoCheckout(w)
			return
		}
		page := s.checkoutPage(&v)
		if r.URL.Query().Has("change") && page.Picker != nil && page.Payable() {
			// The choice is left alone until somebody makes it.
			page.Due, page.Controls, page.Refresh = nil, nil, 0
		}
		s.engine.Written(hosted.WriteCheckout(w, http.StatusOK, page))
	}
}

// serveForm answers a form by what it does with an order.
func (s *Sandbox) serveForm(kind string, act func(*http.Request, *Checkout) (engine.Refused, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.engine.ServeForm(w, r, func() (engine.Form, bool) {
			v, ok := s.page(r, kind)
			return engine.Form{
				Page: func() hosted.Checkout { return s.checkoutPage(&v) },
				Act:  func() (engine.Refused, error) { return act(r, &v) },
				Back: pagePath(&v),
			}, ok
		})
	}
}

// coinForm chooses the coin of an invoice.
func (s *Sandbox) coinForm(r *http.Request, v *Checkout) (engine.Refused, error) {
	show := func(page *hosted.Checkout, reason string) {
		page.Due, page.Controls = nil, nil
		if page.Picker != nil {
			page.Picker.Error = reason
		}
	}
	id, onChain, _ := strings.Cut(r.PostForm.Get("with"), "/")
	coinID, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return show, errors.New("choose a coin and a network")
	}
	_, err = s.ChooseCoin(v.Token, coinID, onChain)
	return show, err
}

// scenarios are the ways to pay by what the page's buttons post.
var scenarios = map[string]string{
	hosted.PayExact:     ScenarioExact,
	hosted.PayLess:      ScenarioUnder,
	hosted.PayMore:      ScenarioOver,
	hosted.PayLate:      ScenarioLate,
	hosted.PayWrongCoin: ScenarioWrongCoin,
	hosted.PayRisky:     ScenarioRisky,
	hosted.PayFail:      ScenarioFailed,
}

// payForm makes a payment arrive.
func (s *Sandbox) payForm(r *http.Request, v *Checkout) (engine.Refused, error) {
	typed, with := strings.TrimSpace(r.PostForm.Get("amount")), r.PostForm.Get("with")
	show := func(page *hosted.Checkout, reason string) {
		if page.Controls == nil {
			return
		}
		page.Controls.Error, page.Controls.Amount = reason, typed
		for i, option := range page.Controls.Options {
			page.Controls.Options[i].Selected = option.Value == with || with == "" && option.Selected
		}
	}
	way := r.PostForm.Get("pay")
	if scenario, known := scenarios[way]; known {
		_, err := s.PayScenario(r.Context(), v.Token, scenario)
		return show, err
	}
	if way != hosted.PayCustom {
		return show, errors.New("there is no such way to pay")
	}
	amount, err := engine.ReadAmount("amount", typed)
	if err != nil {
		return show, err
	}
	coin, onChain, _ := strings.Cut(with, "/")
	_, err = s.Pay(r.Context(), Payment{OrderID: v.OrderID, Amount: amount, Coin: coin, Chain: onChain})
	return show, err
}
