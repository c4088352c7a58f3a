package sandbox

import (
	"bytes"
	"encoding/json"
	"io"
	"net/mail"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/engine"
)

// Amounts are bounded before they are parsed: a number of a million digits
// must cost nothing.
const maxAmountDigits = engine.MaxAmountDigits

// params reads the parameters of one call. Its methods keep the first rule
// that is broken, so that a handler reads them all and then asks broken once.
type params struct {
	fields map[string]json.RawMessage
	asked  map[string]bool // what a handler looked for
	err    error
}

// ignored lists the names that nobody looked for: the API ignores them, and a
// typing error would go unnoticed.
func (p *params) ignored() []string {
	var names []string
	for name := range p.fields {
		if !p.asked[name] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// parseParams reads a JSON object, or nothing for a call without
// parameters. A name that appears twice is refused: which of the two counts
// would depend on the reader.
func parseParams(body []byte) (*params, error) {
	p := &params{fields: map[string]json.RawMessage{}, asked: map[string]bool{}}
	if isNothing(body) {
		return p, nil
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return nil, refuse(codeInvalid, "body: must be a JSON object, or empty")
	}
	for dec.More() {
		key, err := dec.Token()
		name, isText := key.(string)
		if err != nil || !isText {
			return nil, refuse(codeInvalid, "body: not valid JSON")
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, refuse(codeInvalid, "body: not valid JSON at %q", name)
		}
		if _, twice := p.fields[name]; twice {
			return nil, refuse(codeInvalid, "%s: appears twice", name)
		}
		p.fields[name] = value
	}
	if _, err := dec.Token(); err != nil {
		return nil, refuse(codeInvalid, "body: not valid JSON")
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, refuse(codeInvalid, "body: more than one JSON value")
	}
	return p, nil
}

// isNothing reports whether a body has no parameters: it is empty, or null or [],
// as CCPayment's own PHP software sends it.
func isNothing(body []byte) bool {
	var compact bytes.Buffer
	if json.Compact(&compact, body) != nil {
		return len(bytes.TrimSpace(body)) == 0
	}
	return compact.String() == "null" || compact.String() == "[]"
}

// broken returns the first rule that a parameter broke, or nil.
func (p *params) broken() error { return p.err }

// reject keeps a broken rule unless there is an earlier one.
func (p *params) reject(code int, format string, args ...any) {
	if p.err == nil {
		p.err = refuse(code, format, args...)
	}
}

// has reports whether a parameter is there and neither null nor "".
func (p *params) has(name string) bool {
	p.asked[name] = true
	raw, ok := p.fields[name]
	return ok && string(raw) != "null" && string(raw) != `""`
}

// require rejects a call without the parameter, and reports whether it is there.
func (p *params) require(name string) bool {
	if !p.has(name) {
		p.reject(codeInvalid, "%s: required", name)
		return false
	}
	return true
}

// hasNumber is has for numbers and times, where 0 stands for none.
func (p *params) hasNumber(name string) bool {
	return p.has(name) && strings.Trim(string(p.fields[name]), `"`) != "0"
}

// requireNumber is require for numbers and times.
func (p *params) requireNumber(name string) bool {
	if !p.hasNumber(name) {
		p.reject(codeInvalid, "%s: required", name)
		return false
	}
	return true
}

// optional reads a text of at most limit characters; "" when it is absent.
func (p *params) optional(name string, limit int) string {
	if !p.has(name) {
		return ""
	}
	var text string
	if err := json.Unmarshal(p.fields[name], &text); err != nil {
		p.reject(codeInvalid, "%s: must be a string", name)
		return ""
	}
	if n := utf8.RuneCountInString(text); n > limit {
		p.reject(codeInvalid, "%s: at most %d characters, got %d", name, limit, n)
		return ""
	}
	return text
}

// firstOf is optional for a parameter that has several names.
func (p *params) firstOf(limit int, names ...string) string {
	for _, name := range names {
		if p.has(name) {
			return p.optional(name, limit)
		}
	}
	return ""
}

// text reads a required text of at most limit characters.
func (p *params) text(name string, limit int) string {
	p.require(name)
	return p.optional(name, limit)
}

// optionalID reads an orderId or referenceId: 3–64 characters, or absent.
func (p *params) optionalID(name string) string { return p.sized(name, 3, 64) }

// id reads a required orderId or referenceId: 3–64 characters.
func (p *params) id(name string) string {
	p.require(name)
	return p.optionalID(name)
}

// optionalUser reads a userId: 5–64 characters that do not begin with "sys".
func (p *params) optionalUser(name string) string {
	user := p.sized(name, 5, 64)
	if strings.HasPrefix(user, "sys") {
		p.reject(codeInvalid, "%s: cannot start with \"sys\"", name)
		return ""
	}
	return user
}

// user reads a required userId.
func (p *params) user(name string) string {
	p.require(name)
	return p.optionalUser(name)
}

func (p *params) sized(name string, least, most int) string {
	if !p.has(name) {
		return ""
	}
	var text string
	if err := json.Unmarshal(p.fields[name], &text); err != nil {
		p.reject(codeInvalid, "%s: must be a string", name)
		return ""
	}
	if n := utf8.RuneCountInString(text); n < least || n > most {
		p.reject(codeInvalid, "%s: %d–%d characters, got %d", name, least, most, n)
		return ""
	}
	return text
}

// either reads a record by recordId or orderId, of which exactly one is
// given.
func (p *params) either() (recordID, orderID string) {
	recordID, orderID = p.optional("recordId", 64), p.optionalID("orderId")
	if (recordID == "") == (orderID == "") {
		p.reject(codeInvalid, "pass either recordId or orderId, and not both")
	}
	return recordID, orderID
}

// optionalNumber reads a whole number above 0, sent as a JSON number or as a
// string of digits; 0 when it is absent.
func (p *params) optionalNumber(name string) int64 {
	if !p.hasNumber(name) {
		return 0
	}
	n, ok := wholeNumber(strings.Trim(string(p.fields[name]), `"`))
	if !ok {
		p.reject(codeInvalid, "%s: must be a whole number above 0", name)
		return 0
	}
	return n
}

// wholeNumber reads digits that are written in one way only: no sign, no zeros
// in front.
func wholeNumber(digits string) (int64, bool) {
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, err == nil && n > 0 && strconv.FormatInt(n, 10) == digits
}

// flag reads a boolean; false when it is absent.
func (p *params) flag(name string) bool {
	if !p.has(name) {
		return false
	}
	var on bool
	if err := json.Unmarshal(p.fields[name], &on); err != nil {
		p.reject(codeInvalid, "%s: must be true or false", name)
	}
	return on
}

// amount reads a required amount above 0 with at most decimals digits after
// the point.
func (p *params) amount(name string, decimals int) decimal.Decimal {
	if !p.require(name) {
		return decimal.Zero
	}
	var text string
	if err := json.Unmarshal(p.fields[name], &text); err != nil {
		p.reject(codeInvalid, "%s: must be a string such as \"10.5\"", name)
		return decimal.Zero
	}
	value, err := engine.ParseAmount(text)
	switch {
	case err != nil:
		p.reject(codeInvalid, "%s: %v", name, err)
	case !value.IsPositive():
		p.reject(codeInvalid, "%s: must be above 0", name)
	case -int(value.Exponent()) > decimals:
		p.reject(codeInvalid, "%s: at most %d decimals, got %d", name, decimals, -value.Exponent())
	}
	return value
}

// optionalTime reads a Unix time in whole seconds, ten digits, as a number or a
// text; the zero time when it is absent.
func (p *params) optionalTime(name string) time.Time {
	if !p.hasNumber(name) {
		return time.Time{}
	}
	raw := strings.Trim(string(p.fields[name]), `"`)
	seconds, err := strconv.ParseInt(raw, 10, 64)
	if err != nil || len(raw) != 10 {
		p.reject(codeInvalid, "%s: must be a Unix time in seconds, ten digits", name)
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}

// link reads an optional http(s) address of at most 150 characters.
func (p *params) link(name string) string { return p.linkOf(name, 150) }

func (p *params) linkOf(name string, limit int) string {
	text := p.optional(name, limit)
	if text == "" {
		return ""
	}
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		p.reject(codeInvalid, "%s: must be an absolute http or https address", name)
		return ""
	}
	return text
}

// email reads an optional e-mail address of at most 120 characters.
func (p *params) email(name string) string {
	text := p.optional(name, 120)
	if text == "" {
		return ""
	}
	if parsed, err := mail.ParseAddress(text); err != nil || parsed.Address != text {
		p.reject(codeInvalid, "%s: must be an e-mail address", name)
		return ""
	}
	return text
}

// ids reads an optional list of record or order ids; more than limit of them
// is 11010.
func (p *params) ids(name string, limit int) []string {
	return p.list(name, limit, "strings", func(raw json.RawMessage) (string, bool) {
		var text string
		err := json.Unmarshal(raw, &text)
		return text, err == nil && text != "" && len(text) <= 256
	})
}

// numbers reads an optional list of ids that are whole numbers.
func (p *params) numbers(name string, limit int) []string {
	return p.list(name, limit, "whole numbers", func(raw json.RawMessage) (string, bool) {
		digits := strings.Trim(string(raw), `"`)
		_, ok := wholeNumber(digits)
		return digits, ok
	})
}

// objects reads a list of least to most objects, each with parameters of its own.
func (p *params) objects(name string, least, most int) []*params {
	var raw []json.RawMessage
	if p.has(name) {
		if err := json.Unmarshal(p.fields[name], &raw); err != nil {
			p.reject(codeInvalid, "%s: must be a list of objects", name)
			return nil
		}
	}
	if len(raw) < least || len(raw) > most {
		p.reject(codeInvalid, "%s: %d–%d at once, got %d", name, least, most, len(raw))
		return nil
	}
	items := make([]*params, 0, len(raw))
	for i, one := range raw {
		item, err := parseParams(one)
		if err != nil {
			p.reject(codeInvalid, "%s[%d]: must be an object, in which nothing stands twice", name, i)
			return nil
		}
		items = append(items, item)
	}
	return items
}

func (p *params) list(
	name string, limit int, what string, read func(json.RawMessage) (string, bool),
) []string {
	if !p.has(name) {
		return nil
	}
	var raw []json.RawMessage
	if err := json.Unmarshal(p.fields[name], &raw); err != nil {
		p.reject(codeInvalid, "%s: must be a list of %s", name, what)
		return nil
	}
	if len(raw) > limit {
		p.reject(codeTooMany, "%s: at most %d at once, got %d", name, limit, len(raw))
		return nil
	}
	values := make([]string, 0, len(raw))
	for _, one := range raw {
		value, good := read(one)
		if !good {
			p.reject(codeInvalid, "%s: must be a list of %s", name, what)
			return nil
		}
		values = append(values, value)
	}
	return values
}

// oneOf reads an optional word from a set, of which the first is the default.
func (p *params) oneOf(name string, words ...string) string {
	text := p.optional(name, 64)
	if text == "" {
		return words[0]
	}
	for _, word := range words {
		if text == word {
			return word
		}
	}
	p.reject(codeInvalid, "%s: must be one of %s", name, strings.Join(words, ", "))
	return words[0]
}
