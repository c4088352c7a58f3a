// Package palette has the colours of all pages, by day and by night: of the operator's and
// of the sandbox's, which are one family.
package palette

import _ "embed"

// CSS is the beginning of a style sheet that uses the colours by their names.
//
//go:embed palette.css
var CSS []byte
