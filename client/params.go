package client

import (
	"encoding/json"
	"errors"
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

// params builds the JSON object of one request, parameter by parameter, and
// keeps the first rule that is broken. What it builds is what is signed and
// sent.
type params struct {
	endpoint string
	appID    string
	body     []byte
	err      error
}

func (p *params) fail(field, format string, args ...any) {
	if p.err == nil {
		p.err = &ArgumentError{Endpoint: p.endpoint, Field: field, Problem: fmt.Sprintf(format, args...)}
	}
}

// finish returns the body; nothing at all where no parameter was given, as
// CCPayment's own samples send it.
func (p *params) finish() ([]byte, error) {
	if p.err != nil || p.body == nil {
		return nil, p.err
	}
	return append(p.body, '}'), nil
}

// add appends a parameter whose value is JSON already.
func (p *params) add(name string, value []byte) {
	if p.body == nil {
		p.body = append(p.body, '{')
	} else {
		p.body = append(p.body, ',')
	}
	p.body = append(strconv.AppendQuote(p.body, name), ':')
	p.body = append(p.body, value...)
}

func (p *params) addJSON(name string, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		p.fail(name, "cannot be written as JSON: %v", err)
		return
	}
	p.add(name, text)
}

// text is a required text of least to most characters.
func (p *params) text(name, value string, least, most int) {
	switch n := utf8.RuneCountInString(value); {
	case value == "":
		p.fail(name, "is missing")
	case !utf8.ValidString(value):
		p.fail(name, "is not UTF-8")
	case strings.ContainsFunc(value, unicode.IsControl):
		p.fail(name, "holds a control character")
	case n < least || n > most:
		p.fail(name, "has %d to %d characters, not %d", least, most, n)
	default:
		p.addJSON(name, value)
	}
}

func (p *params) optionalText(name, value string, least, most int) {
	if value != "" {
		p.text(name, value, least, most)
	}
}

// word is a required text that somebody compares: what cannot be seen in it
// would make two of what looks like one.
func (p *params) word(name, value string, least, most int) {
	invisible := func(r rune) bool { return !unicode.IsPrint(r) }
	if value != "" && (strings.ContainsFunc(value, invisible) || strings.TrimSpace(value) != value) {
		p.fail(name, "holds a character that cannot be seen, or begins or ends with a space")
		return
	}
	p.text(name, value, least, most)
}

// plain is a required text for which the reference gives no length.
func (p *params) plain(name, value string) { p.word(name, value, 1, 1000) }

func (p *params) optionalPlain(name, value string) {
	if value != "" {
		p.plain(name, value)
	}
}

// reference is an id of ours: an order id or a reference id.
func (p *params) reference(name, value string) { p.word(name, value, 3, 64) }

func (p *params) optionalReference(name, value string) {
	if value != "" {
		p.reference(name, value)
	}
}

// user is a user id; the merchant's own, its app id, only where it may stand.
func (p *params) user(name, value string, merchantToo bool) {
	switch own := value == p.appID; {
	case own && merchantToo:
		p.addJSON(name, value)
	case own:
		p.fail(name, "is the app id, which is the merchant's own user id")
	case strings.HasPrefix(value, "sys"):
		p.fail(name, `begins with "sys", which CCPayment keeps for itself`)
	default:
		p.word(name, value, 5, 64)
	}
}

// isNumber reports whether a text is an id of CCPayment's, written as
// CCPayment writes it.
func isNumber(value string) bool {
	n, err := strconv.ParseUint(value, 10, 63)
	return err == nil && n > 0 && strconv.FormatUint(n, 10) == value
}

// number is a required id of CCPayment's: digits, sent as a JSON number.
func (p *params) number(name, value string) {
	switch {
	case value == "":
		p.fail(name, "is missing")
	case !isNumber(value):
		p.fail(name, "is not a number: %.30q", value)
	default:
		p.add(name, []byte(value))
	}
}

func (p *params) optionalNumber(name, value string) {
	if value != "" {
		p.number(name, value)
	}
}

// optionalNumberText is an id of CCPayment's that the reference has as a text.
func (p *params) optionalNumberText(name, value string) {
	if value != "" && !isNumber(value) {
		p.fail(name, "is not a number: %.30q", value)
		return
	}
	p.optionalPlain(name, value)
}

// numbers is a required list of CCPayment's ids.
func (p *params) numbers(name string, values []string) {
	if len(values) == 0 {
		p.fail(name, "is empty")
	}
	for _, value := range values {
		if !isNumber(value) {
			p.fail(name, "holds %.30q, which is not a number", value)
		}
	}
	p.add(name, []byte("["+strings.Join(values, ",")+"]"))
}

func (p *params) optionalList(name string, values []string, most int) {
	switch {
	case len(values) > most:
		p.fail(name, "has at most %d entries, not %d", most, len(values))
	case len(values) > 0:
		p.addJSON(name, values)
	}
}

// objects is a list of n objects, each of which write writes. A rule that one of them
// breaks is told with its place.
func (p *params) objects(name string, n int, write func(i int, item *params)) {
	list := []byte{'['}
	for i := range n {
		item := &params{endpoint: p.endpoint, appID: p.appID}
		write(i, item)
		object, err := item.finish()
		var broken *ArgumentError
		if errors.As(err, &broken) {
			p.fail(fmt.Sprintf("%s[%d].%s", name, i, broken.Field), "%s", broken.Problem)
			return
		}
		if i > 0 {
			list = append(list, ',')
		}
		list = append(list, object...)
	}
	p.add(name, append(list, ']'))
}

// count is a required number of things, or the number of one, from 1 to most.
func (p *params) count(name string, value, most int) {
	if value < 1 || value > most {
		p.fail(name, "is from 1 to %d, not %d", most, value)
		return
	}
	p.optionalCount(name, value, most)
}

// optionalCount is a number of things, from 1 to most; 0 is none.
func (p *params) optionalCount(name string, value, most int) {
	switch {
	case value == 0:
	case value < 0 || value > most:
		p.fail(name, "is from 1 to %d, not %d", most, value)
	default:
		p.add(name, strconv.AppendInt(nil, int64(value), 10))
	}
}

// amount is a required positive number with at most that many decimals.
func (p *params) amount(name string, value decimal.Decimal, decimals int32) {
	if !value.IsPositive() {
		p.fail(name, "is not more than 0")
		return
	}
	p.optionalAmount(name, value, decimals)
}

func (p *params) optionalAmount(name string, value decimal.Decimal, decimals int32) {
	switch {
	case value.IsZero():
	case value.IsNegative():
		p.fail(name, "is less than 0")
	case value.Exponent() < -1000 || value.Exponent() > 1000 || len(strings.ReplaceAll(value.Abs().String(), ".", "")) > apiclient.MaxDigits:
		p.fail(name, "has more than %d digits", apiclient.MaxDigits)
	case !value.Equal(value.Truncate(decimals)):
		p.fail(name, "has more than %d decimals: %s", decimals, value)
	default:
		p.addJSON(name, value.String())
	}
}

// coinDecimals is the most that any coin has.
const coinDecimals = 18

func (p *params) optionalTime(name string, value time.Time) {
	switch {
	case value.IsZero():
	case value.Unix() < 1e9 || value.Unix() > 9_999_999_999:
		p.fail(name, "is not a time with 10 digits of Unix seconds: %s", value)
	default:
		p.add(name, strconv.AppendInt(nil, value.Unix(), 10))
	}
}

// span is a range of time, either end of which may be open; most is 0 where
// the reference gives no limit.
func (p *params) span(fromName, toName string, from, to time.Time, most time.Duration) {
	p.optionalTime(fromName, from)
	p.optionalTime(toName, to)
	switch {
	case from.IsZero() || to.IsZero():
	case to.Before(from):
		p.fail(toName, "is before %s", fromName)
	case most > 0 && to.Sub(from) > most:
		p.fail(toName, "is more than %s after %s", most, fromName)
	}
}

func (p *params) flag(name string, value bool) {
	if value {
		p.add(name, []byte("true"))
	}
}

// link is an optional absolute URL of at most 150 characters.
func (p *params) link(name, value string) { p.linkOf(name, value, 150) }

func (p *params) linkOf(name, value string, most int) {
	if value == "" {
		return
	}
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		p.fail(name, "is not an http or https URL: %.60q", value)
		return
	}
	p.text(name, value, 1, most)
}

// email is an optional e-mail address of at most 120 characters.
func (p *params) email(name, value string) {
	if value == "" {
		return
	}
	if address, err := mail.ParseAddress(value); err != nil || address.Address != value {
		p.fail(name, "is not an e-mail address")
		return
	}
	p.text(name, value, 3, 120)
}
