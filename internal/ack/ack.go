// Package ack reads the response by which the receiver of a webhook acknowledges it. The
// plugin judges an app's responses by it, and the sandbox those of a webhook's receiver.
package ack

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
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
// case, and is no JSON that says no. The error is [ErrNoWord] or a [*DeniedError].
func Judge(body []byte, text string) error {
	if denied := denial(body); denied != nil {
		return denied
	}
	if !has(strings.ToLower(string(body)), strings.ToLower(text)) {
		return ErrNoWord
	}
	return nil
}

// HasExact reports whether a body has the text as a whole word, in the same case.
func HasExact(body []byte, text string) bool { return has(string(body), text) }

// has reports whether the body has the text as a whole word that is not a name with the
// value no, as in success=false.
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
		end := i + len(text)
		if !joins(body[:i], text) && !joins(text, body[end:]) && !isNo.MatchString(body[end:min(len(body), end+100)]) {
			return true
		}
		_, size := utf8.DecodeRuneInString(body[i:])
		from = i + size
	}
}

// isNo matches what follows the name of a field whose value is no.
var isNo = regexp.MustCompile(`^["']?\s*[:=]\s*["']?(?i:false|no|null|0)\b`)

// joins reports whether two neighbours are parts of one word.
func joins(left, right string) bool {
	last, _ := utf8.DecodeLastRuneInString(left)
	first, _ := utf8.DecodeRuneInString(right)
	return left != "" && right != "" && inWord(last) && inWord(first)
}

func inWord(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }

// isError matches a text that reports a failure.
var isError = regexp.MustCompile(`(?i)\b(err|error|errors|fail|failed|failure|failing|invalid|unsuccessful|false)\b`)

// denial returns the field by which a JSON object says no: success is false, or status or
// result is an error; nil: none. Of an object that was cut off, it reads the beginning.
func denial(body []byte) *DeniedError {
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
		case "success":
			no = isFalse(value)
		case "status", "result":
			no = value == false || isFailure(value)
		}
		if no {
			return &DeniedError{Field: strings.ToLower(field), Value: brief(value)}
		}
	}
	return nil
}

func isFalse(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case bool:
		return !v
	case json.Number:
		n, err := v.Float64()
		return err == nil && n == 0
	case string:
		text := strings.ToLower(strings.TrimSpace(v))
		return text == "" || text == "false" || text == "no" || text == "0"
	default:
		return false
	}
}

// isFailure reports whether a status is an error: a text that says so, or an HTTP status
// of one.
func isFailure(value any) bool {
	switch v := value.(type) {
	case json.Number:
		n, err := v.Float64()
		return err == nil && n >= 400 && n < 600
	case string:
		return isError.MatchString(v) // "0" is many an API's code for no error
	default:
		return false
	}
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
