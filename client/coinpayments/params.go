package coinpayments

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/mail"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/internal/apiclient"
)

// params builds one request, parameter by parameter, and keeps the first rule that
// is broken. What it builds is what is signed and sent.
type params struct {
	route     Route
	reference string
	path      []string // values of the pattern's names
	query     []byte
	body      *object
	err       error
}

func (c *Client) params(route Route) *params { return &params{route: route} }

func (p *params) fail(field, format string, args ...any) {
	if p.err == nil {
		p.err = &ArgumentError{Route: p.route.String(), Field: field, Problem: fmt.Sprintf(format, args...)}
	}
}

// finish returns the request.
func (p *params) finish() (*request, error) {
	if p.err != nil {
		return nil, p.err
	}
	r := &request{route: p.route, target: p.route.path(p.path), reference: p.reference}
	if len(p.query) > 0 {
		r.target += "?" + string(p.query)
	}
	if p.body != nil {
		r.body = p.body.finish()
	}
	return r, nil
}

// id is the next value of the path: an id of CoinPayments'.
func (p *params) id(name, value string) {
	switch {
	case value == "":
		p.fail(name, "is missing")
	case len(value) > 100 || strings.ContainsFunc(value, func(r rune) bool { return !isIDRune(r) }):
		p.fail(name, "is no id: %.60q", value)
	}
	p.path = append(p.path, value)
}

func isIDRune(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '-' || r == '_'
}

// segment is the next value of the path: any text but the dots that lead elsewhere.
func (p *params) segment(name, value string, most int) {
	p.checkText(name, value, most)
	if value == "." || value == ".." {
		p.fail(name, "is %q, which leads to another path", value)
	}
	p.path = append(p.path, url.PathEscape(value))
}

// currency is the next value of the path: a currency's id.
func (p *params) currency(name, value string) {
	p.checkCurrency(name, value)
	p.path = append(p.path, url.PathEscape(value))
}

// checkCurrency refuses what is no id of a currency: a coin's number, and the contract
// of a token behind a colon.
func (p *params) checkCurrency(name, value string) {
	coin, contract, isToken := strings.Cut(value, ":")
	number, err := strconv.ParseUint(coin, 10, 31)
	switch {
	case value == "":
		p.fail(name, "is missing")
	case err != nil || strconv.FormatUint(number, 10) != coin, isToken && contract == "", len(value) > 200,
		strings.ContainsFunc(contract, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"\,?#%`, r) }):
		p.fail(name, "is no id of a currency, like 5057 or 4:0xdac17f958d2ee523a2206206994597c13d831ec7: %.60q", value)
	}
}

// ask appends a parameter to the query; none where it is empty.
func (p *params) ask(name, value string) {
	if value == "" {
		return
	}
	p.checkText(name, value, 1000)
	if len(p.query) > 0 {
		p.query = append(p.query, '&')
	}
	// A space as %20, which means a space everywhere.
	p.query = append(append(p.query, name...), '=')
	p.query = append(p.query, strings.ReplaceAll(url.QueryEscape(value), "+", "%20")...)
}

func (p *params) askTime(name string, at time.Time) {
	if !at.IsZero() {
		p.ask(name, at.UTC().Format(time.RFC3339))
	}
}

func (p *params) askCurrencies(name string, ids []string) {
	for _, id := range ids {
		p.checkCurrency(name, id)
	}
	p.ask(name, strings.Join(ids, ","))
}

func (p *params) checkText(name, value string, most int) {
	switch n := utf8.RuneCountInString(value); {
	case value == "":
		p.fail(name, "is missing")
	case !utf8.ValidString(value):
		p.fail(name, "is not UTF-8")
	case n > most:
		p.fail(name, "has at most %d characters, not %d", most, n)
	case strings.ContainsFunc(value, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' }):
		p.fail(name, "holds a control character")
	}
}

// object builds a JSON object of the body. Its at is where it stands there, for
// errors: empty, or "items[0].".
type object struct {
	*params
	at   string
	json []byte
}

// object begins the body.
func (p *params) object() *object {
	p.body = &object{params: p}
	return p.body
}

func (o *object) finish() []byte {
	if o.json == nil {
		return []byte("{}")
	}
	return append(o.json, '}')
}

func (o *object) wrong(name, format string, args ...any) { o.fail(o.at+name, format, args...) }

// raw appends a member whose value is JSON already.
func (o *object) raw(name string, value []byte) {
	separator := byte(',')
	if o.json == nil {
		separator = '{'
	}
	o.json = append(append(strconv.AppendQuote(append(o.json, separator), name), ':'), value...)
}

func (o *object) value(name string, value any) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		o.wrong(name, "cannot be written as JSON: %v", err)
		return
	}
	o.raw(name, bytes.TrimRight(text.Bytes(), "\n"))
}

// text is a required text.
func (o *object) text(name, value string, most int) {
	o.checkText(o.at+name, value, most)
	o.value(name, value)
}

func (o *object) optionalText(name, value string, most int) {
	if value != "" {
		o.text(name, value, most)
	}
}

// word is an optional text that somebody compares: what cannot be seen in it would
// make two of what looks like one.
func (o *object) word(name, value string, most int) {
	if strings.ContainsFunc(value, func(r rune) bool { return !unicode.IsPrint(r) }) || strings.TrimSpace(value) != value {
		o.wrong(name, "holds a character that cannot be seen, or begins or ends with a space")
	}
	o.optionalText(name, value, most)
}

func (o *object) currency(name, value string) {
	o.checkCurrency(o.at+name, value)
	o.value(name, value)
}

func (o *object) optionalCurrency(name, value string) {
	if value != "" {
		o.currency(name, value)
	}
}

// amount is a required positive number in whole units, written as a text with the
// decimals that it came with.
func (o *object) amount(name string, value decimal.Decimal) {
	if !value.IsPositive() {
		o.wrong(name, "is not more than 0")
	}
	o.optionalAmount(name, value)
}

func (o *object) optionalAmount(name string, value decimal.Decimal) {
	switch {
	case value.IsZero():
	case value.IsNegative():
		o.wrong(name, "is less than 0")
	case value.Exponent() < -mostDecimals || value.Exponent() > mostDecimals ||
		len(strings.ReplaceAll(value.String(), ".", "")) > apiclient.MaxDigits:
		o.wrong(name, "has more than %d digits or %d decimals", apiclient.MaxDigits, mostDecimals)
	default:
		o.value(name, value.StringFixed(max(0, -value.Exponent())))
	}
}

// mostDecimals is more than any coin has.
const mostDecimals = 30

func (o *object) optionalTime(name string, at time.Time) {
	if !at.IsZero() {
		o.value(name, at.UTC().Format(time.RFC3339Nano))
	}
}

func (o *object) flag(name string, value bool) {
	if value {
		o.raw(name, []byte("true"))
	}
}

// link is an optional absolute URL, kept byte for byte.
func (o *object) link(name, value string) {
	if value == "" {
		return
	}
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		o.wrong(name, "is not an http or https URL: %.60q", value)
	}
	o.text(name, value, 2000)
}

// email is an optional e-mail address.
func (o *object) email(name, value string) {
	if value == "" {
		return
	}
	if address, err := mail.ParseAddress(value); err != nil || address.Address != value {
		o.wrong(name, "is not an e-mail address")
	}
	o.text(name, value, 320)
}

// child appends an object, and leaves an empty one out.
func (o *object) child(name string, fill func(*object)) {
	child := &object{params: o.params, at: o.at + name + "."}
	fill(child)
	if child.json != nil {
		o.raw(name, child.finish())
	}
}

// children appends a list of n objects; none where n is 0.
func (o *object) children(name string, n int, fill func(int, *object)) {
	if n == 0 {
		return
	}
	list := []byte{'['}
	for i := range n {
		child := &object{params: o.params, at: fmt.Sprintf("%s%s[%d].", o.at, name, i)}
		fill(i, child)
		if i > 0 {
			list = append(list, ',')
		}
		list = append(list, child.finish()...)
	}
	o.raw(name, append(list, ']'))
}
