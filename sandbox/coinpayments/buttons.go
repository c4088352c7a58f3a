package coinpayments

import (
	"fmt"
	"html"
	"net/http"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/hosted"
)

// createButton makes a buy-now button, of which each click makes an invoice. The
// reference does not show the answer: it is the button's HTML, as a JSON text.
func createButton(c *call) (reply, error) {
	var in asked
	if err := c.read(&in); err != nil {
		return reply{}, err
	}
	of := &invoice{}
	if err := c.fill(of, &in); err != nil {
		return reply{}, err
	}
	id := newID()
	c.st.buttons[id] = of
	return ok(fmt.Sprintf(`<a href="%s" target="_blank">Buy now with CoinPayments</a>`,
		html.EscapeString(c.base+pages+"button/"+id)))
}

// serveButton makes the invoice of a button that was clicked, and opens its page.
func (s *Sandbox) serveButton(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	of := s.st.buttons[r.PathValue("id")]
	if of == nil {
		s.mu.Unlock()
		s.engine.Written(hosted.WriteError(w, hosted.Error{Status: http.StatusNotFound, Title: "No such button"}))
		return
	}
	made := *of
	s.enter(&made, s.engine.BaseURL(r))
	s.mu.Unlock()
	http.Redirect(w, r, pagePath(made.id), http.StatusSeeOther)
}
