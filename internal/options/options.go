// Package options reads the options of directives.
package options

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Dispenser is the part of Caddy's dispenser of tokens that is used.
type Dispenser interface {
	Val() string
	AllArgs(targets ...*string) bool
	RemainingArgs() []string
	ArgErr() error
	Errf(format string, args ...any) error
}

// BlockDispenser is the part of Caddy's dispenser that reads blocks.
type BlockDispenser interface {
	Dispenser
	Next() bool
	NextArg() bool
	NextBlock(nesting int) bool
}

// Block reads a directive that has no arguments, and a block of options with one text each.
func Block(d BlockDispenser, texts map[string]*string) error {
	d.Next() // consume the directive's name
	if d.NextArg() {
		return d.ArgErr()
	}
	for d.NextBlock(0) {
		option := d.Val()
		text, ok := texts[option]
		if !ok {
			return Unknown(d, option, strings.Join(slices.Sorted(maps.Keys(texts)), ", "))
		}
		if err := Text(d, text); err != nil {
			return err
		}
	}
	return nil
}

// Unknown is the error for an option that a block does not have.
func Unknown(d Dispenser, option, allowed string) error {
	return d.Errf("unknown option %q: use one of %s", option, allowed)
}

// Once reads the single argument of an option that may be given only once.
func Once(d Dispenser, given bool) (string, error) {
	option := d.Val()
	if given {
		return "", d.Errf("%s is given twice", option)
	}
	var text string
	if !d.AllArgs(&text) {
		if len(d.RemainingArgs()) == 0 {
			return "", noValue(d, option)
		}
		return "", d.ArgErr()
	}
	if strings.TrimSpace(text) == "" {
		return "", d.Errf("%s is empty", option)
	}
	return text, nil
}

// noValue is the error for an option without arguments. Caddy has put the value of a
// variable, {$NAME}, in its place by then: of one that is empty nothing is left.
func noValue(d Dispenser, option string) error {
	return d.Errf("wrong argument count: %s has no value; is it a variable that is empty or not set?", option)
}

// Text reads an option with a single argument.
func Text(d Dispenser, to *string) (err error) {
	*to, err = Once(d, *to != "")
	return err
}

// TextAndMore reads an option with at least one argument: the first, and the others. One of
// them may be empty if there are more than one.
func TextAndMore(d Dispenser, to *string, more *[]string) error {
	option := d.Val()
	if *to != "" || *more != nil {
		return d.Errf("%s is given twice", option)
	}
	args := d.RemainingArgs()
	if len(args) == 0 {
		return noValue(d, option)
	}
	isEmpty := false
	for _, text := range args {
		if text = strings.TrimSpace(text); text == "" && (isEmpty || len(args) == 1) {
			return d.Errf("%s is empty", option)
		}
		isEmpty = isEmpty || text == ""
	}
	if *to = args[0]; len(args) > 1 {
		*more = args[1:]
	}
	return nil
}

// Texts reads an option's arguments, at least one.
func Texts(d Dispenser, to *[]string) error {
	option := d.Val()
	if *to != nil {
		return d.Errf("%s is given twice", option)
	}
	if *to = d.RemainingArgs(); len(*to) == 0 {
		return noValue(d, option)
	}
	return nil
}

// Duration reads an option that is a time longer than zero. parse knows days, as Caddy's
// own does.
func Duration[T ~int64](d Dispenser, to *T, parse func(string) (time.Duration, error)) error {
	option := d.Val()
	text, err := Once(d, *to != 0)
	if err != nil {
		return err
	}
	duration, err := DurationText(text).Parse(option, parse)
	if err != nil {
		return d.Errf("%v", err)
	}
	*to = T(duration)
	return nil
}

// DurationText is a duration as it is written, such as 30m or 1d, which may have placeholders
// known at load; empty: there is none. In JSON it may be a number of nanoseconds, too, as
// Caddy's own durations may.
type DurationText string

// UnmarshalJSON implements json.Unmarshaler.
func (t *DurationText) UnmarshalJSON(text []byte) error {
	nanoseconds, err := strconv.ParseInt(string(text), 10, 64)
	switch {
	case err != nil:
		return json.Unmarshal(text, (*string)(t))
	case nanoseconds == 0:
		*t = ""
	default:
		*t = DurationText(time.Duration(nanoseconds).String())
	}
	return nil
}

// MarshalJSON implements json.Marshaler.
func (t DurationText) MarshalJSON() ([]byte, error) {
	if duration, err := time.ParseDuration(string(t)); err == nil {
		return json.Marshal(duration)
	}
	return json.Marshal(string(t))
}

// Parse parses the duration of an option, once its placeholders are replaced. It must be
// longer than zero, unless it is empty.
func (t DurationText) Parse(option string, parse func(string) (time.Duration, error)) (time.Duration, error) {
	if t == "" {
		return 0, nil
	}
	duration, err := parse(string(t))
	switch {
	case err != nil:
		return 0, fmt.Errorf("%s: %v", option, err)
	case duration <= 0:
		return 0, fmt.Errorf("%s must be longer than zero", option)
	}
	return duration, nil
}

// LateDuration reads an option that is a duration, whose placeholders are replaced at load.
// Where it has none it is checked at once.
func LateDuration(d Dispenser, to *DurationText, parse func(string) (time.Duration, error)) error {
	option := d.Val()
	if err := Text(d, (*string)(to)); err != nil || strings.Contains(string(*to), "{") {
		return err
	}
	duration, err := to.Parse(option, parse)
	if err != nil {
		return d.Errf("%v", err)
	}
	*to = DurationText(duration.String())
	return nil
}

// groups matches the groups of routes that the Caddyfile's adapter makes.
var groups = regexp.MustCompile(`"group":"group[0-9]+"`)

// WithoutGroups returns a handler's configuration with its groups numbered by themselves. The
// adapter numbers them through the whole configuration, so that a snippet has others at each
// site.
func WithoutGroups(config []byte) string {
	known := make(map[string]string)
	return string(groups.ReplaceAllFunc(config, func(group []byte) []byte {
		if known[string(group)] == "" {
			known[string(group)] = fmt.Sprintf(`"group":"%d"`, len(known)+1)
		}
		return []byte(known[string(group)])
	}))
}
