package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"html/template"
	"net/url"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"
)

// product is something to buy. Prices are in US dollars, and are known here
// alone: what a buyer sends is only how many.
type product struct {
	ID, Name, About string
	Price           decimal.Decimal
	Picture         template.HTML
}

const currency = "USD"

var products = []product{
	{
		"cap", "Cap", "Cotton, one size", decimal.RequireFromString("49.90"),
		`<path d="M14 40a18 18 0 0 1 36 0"/><path d="M14 40h38q6 0 8 7H14z"/><path d="M32 18v4"/>`,
	},
	{
		"mug", "Mug", "Holds a third of a litre", decimal.RequireFromString("14.50"),
		`<path d="M16 18h26v26q0 6-6 6H22q-6 0-6-6z"/><path d="M42 24h5q5 0 5 6v2q0 6-6 6h-4"/>`,
	},
	{
		"bag", "Bag", "For all the rest", decimal.RequireFromString("22.00"),
		`<path d="M14 26h36l-3 26H17z"/><path d="M24 32v-9q0-9 8-9t8 9v9"/>`,
	},
}

// line is how many of a product are bought.
type line struct {
	Product string `json:"product"`
	Count   int    `json:"count"`
}

// order is what a buyer wants. What is shipped and paid follows from the events.
type order struct {
	ID    string          `json:"id"`
	Cart  string          `json:"cart"`
	Lines []line          `json:"lines"`
	Total decimal.Decimal `json:"total"`

	Shipped bool   `json:"-"`
	State   string `json:"-"` // as Caddy said last; empty: nothing heard yet
	Refunds bool   `json:"-"` // and that the gateway sends money back
	Due     string `json:"-"`
	Paid    string `json:"-"`
}

// newOrder prices a cart. The id cannot be guessed: it opens the order's page.
func newOrder(cart string, lines []line) order {
	o := order{ID: "order-" + strings.ToLower(rand.Text()[:12]), Cart: cart, Lines: lines}
	for _, l := range lines {
		for _, p := range products {
			if p.ID == l.Product {
				o.Total = o.Total.Add(p.Price.Mul(decimal.NewFromInt(int64(l.Count))))
			}
		}
	}
	return o
}

// mostOfOne is how many of a product can be bought at once.
const mostOfOne = 9

// readLines reads from a form how many of each product are bought.
func readLines(form url.Values) ([]line, error) {
	var lines []line
	for _, p := range products {
		text := form.Get(p.ID)
		if text == "" || text == "0" {
			continue
		}
		count, err := strconv.Atoi(text)
		if err != nil || count < 0 || count > mostOfOne {
			return nil, fmt.Errorf("of %s you can buy 1 to %d", p.Name, mostOfOne)
		}
		lines = append(lines, line{p.ID, count})
	}
	if lines == nil {
		return nil, errors.New("your cart is empty")
	}
	return lines, nil
}

// what names the goods, for people.
func (o order) what() string {
	parts := make([]string, 0, len(o.Lines))
	for _, l := range o.Lines {
		for _, p := range products {
			if p.ID == l.Product {
				parts = append(parts, fmt.Sprintf("%d × %s", l.Count, p.Name))
			}
		}
	}
	return strings.Join(parts, ", ")
}

// show is the state that the order's page begins with.
func (o order) show() string {
	switch {
	case o.Shipped:
		return "paid"
	case o.State == "":
		return "unpaid"
	case o.Refunds && (o.State == "processing" || o.State == "unpaid"): // on its way back, or back
		return "returned"
	default:
		return o.State
	}
}
