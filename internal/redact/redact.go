// Package redact keeps out of the log what it must not have.
package redact

import (
	"regexp"
	"strings"
)

var emailAddress = regexp.MustCompile(`[^\s"'<>(),;:=\\]+@[^\s"'<>(),;:=\\]+`)

// Emails replaces e-mail addresses in a text that quotes what others wrote. Some
// shops use the buyer's address as an order's or a user's id.
func Emails(text string) string {
	if !strings.Contains(text, "@") {
		return text
	}
	return emailAddress.ReplaceAllLiteralString(text, "REDACTED")
}
