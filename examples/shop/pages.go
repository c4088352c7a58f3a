package main

import (
	"cmp"
	"crypto/rand"
	"embed"
	"encoding/json"
	"html/template"
	"log"
	"net/http"

	"github.com/shopspring/decimal"
)

//go:embed pages
var files embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{"money": money}).ParseFS(files, "pages/*.html"))

// money writes an amount as prices are written.
func money(amount any) (string, error) {
	switch a := amount.(type) {
	case decimal.Decimal:
		return a.StringFixed(2) + " " + currency, nil
	default:
		d, err := decimal.NewFromString(amount.(string))
		return d.StringFixed(2) + " " + currency, err
	}
}

// shop is the buyers' side.
type shop struct{ journal *journal }

func (s shop) routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", s.products)
	mux.HandleFunc("POST /buy", s.buy)
	mux.HandleFunc("GET /orders/{id}", s.order)
	mux.HandleFunc("GET /orders/{id}/pay", s.choose)
	mux.HandleFunc("GET /inbox", func(w http.ResponseWriter, _ *http.Request) {
		show(w, http.StatusOK, "inbox.html", s.journal.seen())
	})
	mux.HandleFunc("GET /events", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(s.journal.seen())
	})
	for _, name := range []string{"shop.css", "order.js"} {
		mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, r *http.Request) {
			http.ServeFileFS(w, r, files, "pages/"+name)
		})
	}
}

// show writes a page.
func show(w http.ResponseWriter, status int, name string, data any) {
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", "default-src 'self'; img-src 'self' data:")
	// The address of an order's page is its key.
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if err := templates.ExecuteTemplate(w, name, data); err != nil {
		log.Printf("showing %s: %v", name, err)
	}
}

// shelf is what the first page shows. The cart's number makes a form that is
// sent twice the same order.
type shelf struct {
	Products []product
	Cart     string
	Most     int
	Problem  string
}

func (s shop) products(w http.ResponseWriter, _ *http.Request) {
	show(w, http.StatusOK, "products.html", shelf{products, rand.Text(), mostOfOne, ""})
}

// terms are what Caddy makes a checkout of.
type terms struct {
	Account   string          `json:"account"`
	OrderID   string          `json:"order_id"`
	Price     decimal.Decimal `json:"price"`
	Currency  string          `json:"currency"`
	Product   string          `json:"product"`
	ReturnURL string          `json:"return_url"`
	CloseURL  string          `json:"close_url"`
}

// buy responds 402 Payment Required: Caddy takes that response and sends the buyer to
// pay at the account that the buyer chose. The form has the goods of a new order, or the
// id of a known one, which is to be paid now, or of which the rest is. Without a choice
// it sends the buyer to make one.
func (s shop) buy(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<16)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "the form cannot be read", http.StatusBadRequest)
		return
	}
	o, known := s.journal.find(r.PostForm.Get("order"))
	if !known {
		cart := cmp.Or(r.PostForm.Get("cart"), rand.Text())
		lines, err := readLines(r.PostForm)
		if err != nil {
			show(w, http.StatusUnprocessableEntity, "products.html", shelf{products, cart, mostOfOne, err.Error()})
			return
		}
		if o, err = s.journal.order(cart, lines); err != nil {
			log.Fatalf("writing the journal: %v", err)
		}
	}
	if o.Shipped {
		http.Redirect(w, r, "/orders/"+o.ID, http.StatusSeeOther)
		return
	}
	if !r.PostForm.Has("account") {
		http.Redirect(w, r, "/orders/"+o.ID+"/pay", http.StatusSeeOther)
		return
	}
	at := gatewayOf(r.PostForm)
	if at == nil {
		http.Error(w, "there is no such way to pay", http.StatusBadRequest)
		return
	}
	page := cmp.Or(r.Header.Get("X-Forwarded-Proto"), "http") + "://" + r.Host + "/orders/" + o.ID + "?account=" + at.Account
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusPaymentRequired)
	_ = json.NewEncoder(w).Encode(terms{
		Account: at.Account, OrderID: o.ID, Price: o.Total, Currency: currency, Product: o.what(), ReturnURL: page, CloseURL: page,
	})
}

// choice is what the page shows on which the buyer chooses a gateway.
type choice struct {
	ID, What string
	Total    decimal.Decimal
	Gateways []gateway
}

func (s shop) choose(w http.ResponseWriter, r *http.Request) {
	o, known := s.journal.find(r.PathValue("id"))
	switch {
	case !known:
		http.NotFound(w, r)
	case o.Shipped:
		http.Redirect(w, r, "/orders/"+o.ID, http.StatusSeeOther)
	default:
		show(w, http.StatusOK, "choose.html", choice{o.ID, o.what(), o.Total, gateways})
	}
}

// orderPage is what an order's page shows. All its texts are in the page, and
// the one of the order's state is visible, so that it works without scripts.
type orderPage struct {
	ID, What, State string
	Total           decimal.Decimal
	Due, Paid       string
	At              *gateway // where the buyer comes back from; nil: from nowhere
}

func (s shop) order(w http.ResponseWriter, r *http.Request) {
	o, known := s.journal.find(r.PathValue("id"))
	if !known {
		http.NotFound(w, r)
		return
	}
	show(w, http.StatusOK, "order.html", orderPage{
		ID: o.ID, What: o.what(), State: o.show(), Total: o.Total,
		Due: cmp.Or(o.Due, o.Total.String()), Paid: cmp.Or(o.Paid, "0"), At: gatewayOf(r.URL.Query()),
	})
}
