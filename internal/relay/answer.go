package relay

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

const (
	// mostKept is how many bytes the ledger keeps of an app's answer, and mostLocation of
	// where a redirect leads to.
	mostKept     = 2 << 10
	mostLocation = 500
	// longestYes is how long an acknowledgement in one word is at most.
	longestYes = 16
)

// secrets are what authorizes our requests, which an app may send back.
type secrets [][]byte

// secretsOf returns the secrets among the headers of a request.
func secretsOf(sent []Field) (all secrets) {
	for _, f := range sent {
		switch f.Name {
		case "Authorization":
			all = append(all, []byte(strings.TrimPrefix(f.Value, "Bearer ")))
		case "Sign":
			all = append(all, []byte(f.Value))
		case "Webhook-Signature": // of several secrets, each with its version
			for signature := range strings.FieldsSeq(f.Value) {
				_, value, _ := strings.Cut(signature, ",")
				all = append(all, []byte(value))
			}
		}
	}
	return all
}

// longest is the length of the longest of them.
func (s secrets) longest() (n int) {
	for _, secret := range s {
		n = max(n, len(secret))
	}
	return n
}

// beginning returns about so many bytes of the beginning of a body, with REDACTED in the
// place of secrets. To find one that the end would cut off, body must have as many bytes
// more as the longest of them.
func (s secrets) beginning(body []byte, most int) string {
	end := cut(string(body), most)
	last := ""
	for i := 0; i < len(s); i++ {
		n := len(s[i])
		if n == 0 {
			continue
		}
		from := max(end-n+1, 0)
		if at := bytes.Index(body[from:min(end+n-1, len(body))], s[i]); at >= 0 && from+at < end {
			end, i, last = from+at, -1, redacted // in front of it another may be cut off now
		}
	}
	text := string(body[:end])
	for _, secret := range s {
		if len(secret) > 0 {
			text = strings.ReplaceAll(text, string(secret), redacted)
		}
	}
	return text + last
}

const redacted = "REDACTED"

// answerOf is what the ledger keeps of the app's response; nil: nothing, because the app
// gave none, or one that only says yes.
func answerOf(w Response, s secrets) *ledger.Answer {
	isYes := w.Status >= 200 && w.Status < 300 && isWord(w.Body)
	if w.Status == 0 || isYes {
		return nil
	}
	answer := &ledger.Answer{Status: w.Status}
	if w.Status >= 300 && w.Status < 400 {
		answer.Location = whereTo(w.Header, s)
	}
	text := legible(s.beginning(w.Body, mostKept))
	answer.Body = text[:cut(text, mostKept)]
	answer.Cut = len(w.Body) > mostKept || len(answer.Body) < len(text)
	return answer
}

// isWord reports whether an answer is empty or one word, such as OK.
func isWord(body []byte) bool {
	word := bytes.TrimSpace(body)
	return len(word) <= longestYes && !bytes.ContainsFunc(word, func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsLetter(r) })
}

// whereTo is where a redirect leads to, without what may be secret or somebody's name.
func whereTo(header http.Header, s secrets) string {
	to, err := url.Parse(header.Get("Location"))
	if err != nil {
		return ""
	}
	to.User, to.RawQuery, to.Fragment, to.ForceQuery = nil, "", "", false
	shown := to.String()
	shown = legible(s.beginning([]byte(shown), len(shown)))
	return shown[:cut(shown, mostLocation)]
}

// legible is a text in which nothing steers who reads it, and all is valid UTF-8.
func legible(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t', unicode.IsPrint(r):
			return r
		case r == '\r':
			return -1
		default:
			return utf8.RuneError
		}
	}, text)
}

// cut is where a text of at most so many bytes ends, between two characters.
func cut(text string, most int) int {
	if len(text) <= most {
		return len(text)
	}
	end := most
	for end > max(most-utf8.UTFMax, 0) && !utf8.RuneStart(text[end]) {
		end--
	}
	return end
}
