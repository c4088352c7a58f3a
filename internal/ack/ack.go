// Package ack reads the response by which the receiver of a webhook acknowledges it. The
// plugin judges an app's responses by it, and the sandbox those of a webhook's receiver.
package ack

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limit is how many bytes of a response's body are searched.
const Limit = 64 << 10

// ErrNoWord: the text does not stand in the body.
var ErrNoWord = errors.New("without the text")

// DeniedError: the body is JSON that says no.
type DeniedError struct {
	// Field is the name of the field that says so, Value what it says.
	Field, Value string
}

func (e *DeniedError) Error() string { return fmt.Sprintf("%s is %s", e.Field, e.Value) }

// Judge returns nil where a body acknowledges: it has the text as a whole word, in any
// case, that says yes, and is no JSON that says no. The error is [ErrNoWord] or a
// [*DeniedError].
func Judge(body []byte, text string) error {
	text = strings.ToLower(text)
	if denied := denial(body, text); denied != nil {
		return denied
	}
	if !has(strings.ToLower(string(body)), text) {
		return ErrNoWord
	}
	return nil
}

// HasExact reports whether a body has the text as a whole word that says yes, in the
// same case.
func HasExact(body []byte, text string) bool { return has(string(body), text) }

func has(body, text string) bool {
	if text == "" {
		return false
	}
	for from := 0; ; {
		i := strings.Index(body[from:], text)
		if i < 0 {
			return false
		}
		i += from
		if saysYes(body, text, i) {
			return true
		}
		_, size := utf8.DecodeRuneInString(body[i:])
		from = i + size
	}
}

// saysYes reports whether the text, which stands at i, is a whole word there, and
// neither negated, as in "not success", nor a name whose value is no, as in
// success=false.
func saysYes(body, text string, i int) bool {
	before, after := body[:i], body[i+len(text):]
	return !joins(before, text) && !joins(text, after) &&
		!negates.MatchString(before[max(0, len(before)-20):]) && !isNo.MatchString(after[:min(len(after), 100)])
}

// The words by which a value says no: some as its first word, whatever follows, and some
// only alone, because "no errors" and "0 failed" say yes.
const (
	firstWords = `(?:false|err|errors?|fail(?:s|ed|ing|ure)?|invalid|unsuccessful|rejected|denied|refused)(?:[^\pL]|$)`
	loneWords  = `(?:no|n|not|null|none|off|0(?:\.0+)?)\s*[.!]?\s*`
)

var (
	// isError and isEmpty match a value that says no, the latter of a field that asks
	// for yes or no.
	isError = regexp.MustCompile(`(?i)^[^\pL\pN]*` + firstWords)
	isEmpty = regexp.MustCompile(`(?i)^\s*(?:` + loneWords + `)?$`)
	// isNo matches what follows the name of a field whose value is no.
	isNo = regexp.MustCompile(`(?i)^\s*(?:["']?\s*(?::|=>?)|>)\s*["']?(?:` + firstWords + `|` + loneWords + `(?:["'<,;&})\]\r\n]|$))`)
	// negates matches what stands before a word that is negated, or the end of an element.
	negates = regexp.MustCompile(`(?i)(?:\b(?:no|not|without)\s+(?:an?\s+|any\s+)?|</)$`)
)

// joins reports whether two neighbours are parts of one word.
func joins(left, right string) bool {
	last, _ := utf8.DecodeLastRuneInString(left)
	first, _ := utf8.DecodeRuneInString(right)
	return left != "" && right != "" && inWord(last) && inWord(first)
}

func inWord(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }

// denial returns the field by which a JSON object says no; nil: none. A field that begins
// with the text, in lower case, says yes. Of an object that was cut off, it reads the
// beginning.
func denial(body []byte, text string) *DeniedError {
	decoder := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(body, []byte("\uFEFF"))))
	decoder.UseNumber()
	if first, err := decoder.Token(); err != nil || first != json.Delim('{') {
		return nil
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil
		}
		var value any
		if decoder.Decode(&value) != nil {
			return nil
		}
		field, _ := name.(string)
		var no bool
		switch strings.ToLower(field) {
		case "success", "ok":
			no = isFalse(value) || isFailure(value)
		case "status", "result", "code":
			no = isFailure(value) || isHTTPError(value)
		}
		if said, _ := value.(string); no && !begins(strings.ToLower(said), text) {
			return &DeniedError{Field: strings.ToLower(field), Value: brief(value)}
		}
	}
	return nil
}

func begins(said, text string) bool {
	return text != "" && strings.HasPrefix(said, text) && saysYes(said, text, 0)
}

// isFalse reports whether the answer to yes or no is no.
func isFalse(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case json.Number:
		n, err := v.Float64()
		return err == nil && n == 0
	case string:
		return isEmpty.MatchString(v)
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	default:
		return false
	}
}

// isFailure reports whether a value is false, or a text whose first word says no.
func isFailure(value any) bool {
	text, _ := value.(string)
	return value == false || isError.MatchString(text) // "0" is many an API's code for no error
}

// isHTTPError reports whether a value is an HTTP status of an error.
func isHTTPError(value any) bool {
	n, err := strconv.ParseFloat(fmt.Sprint(value), 64)
	return err == nil && n >= 400 && n < 600
}

// brief is a value as a cause can quote it.
func brief(value any) string {
	const longest = 40
	text, err := json.Marshal(value)
	if err != nil || len(text) > longest {
		return "an error"
	}
	return string(text)
}
