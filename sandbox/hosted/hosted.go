// Package hosted renders the pages that the sandbox shows in a browser: the
// checkout where one plays the buyer, the front page, and errors. It holds no
// state and knows nothing of the sandbox: callers fill a view model with text
// that is ready to show, and get HTML that works without JavaScript.
//
// Whoever serves the pages mounts [Assets] at [AssetsPath].
package hosted

import (
	"bytes"
	"cmp"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"
)

//go:embed templates/*.html
var templateFiles embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"asset":     func(name string) string { return AssetsPath + assets.names[name] },
	"clock":     func(t time.Time) string { return t.Format("15:04:05") },
	"stamp":     func(t time.Time) string { return t.Format(time.RFC3339) },
	"day":       func(t time.Time) string { return t.Format("2 Jan 15:04:05") },
	"disc":      disc,
	"duration":  duration,
	"first":     func(s string) string { return firstLetter(s) },
	"labelled":  func(id, label, value string) copied { return copied{id, label, value} },
	"qr":        qrCode,
	"seconds":   func(d time.Duration) int { return max(1, int(d.Round(time.Second).Seconds())) },
	"stateName": State.name,
	"stateTone": State.tone,
}).ParseFS(templateFiles, "templates/*.html"))

// policy lets pages load their own CSS, script and images, post forms to the
// same host, and nothing else.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// WriteCheckout writes the checkout page with the HTTP status. The error is
// that of rendering (nothing was written then) or of writing to the client.
func WriteCheckout(w http.ResponseWriter, status int, c Checkout) error {
	return write(w, status, "checkout.html", c)
}

// WriteOverview writes the sandbox's front page with status 200. Errors are
// those of [WriteCheckout].
func WriteOverview(w http.ResponseWriter, o Overview) error {
	return write(w, http.StatusOK, "overview.html", o)
}

// WriteError writes the page of an error with its status. Errors are those of
// [WriteCheckout].
func WriteError(w http.ResponseWriter, e Error) error {
	e.Status = cmp.Or(e.Status, http.StatusInternalServerError)
	return write(w, e.Status, "error.html", e)
}

func write(w http.ResponseWriter, status int, name string, view any) error {
	var page bytes.Buffer
	if err := templates.ExecuteTemplate(&page, name, view); err != nil {
		return fmt.Errorf("hosted page %s: %w", name, err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(page.Len()))
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if _, err := page.WriteTo(w); err != nil {
		return fmt.Errorf("hosted page %s: %w", name, err)
	}
	return nil
}

// Error is what the page of an error says.
type Error struct {
	// Status is the HTTP status; 0 counts as 500.
	Status int
	// Title is short: "No such checkout". Empty, it is the status's own text.
	Title string
	// Message says what was wrong and what to do.
	Message string
}

// Heading is the title, or the status's own text.
func (e Error) Heading() string {
	return cmp.Or(e.Title, http.StatusText(e.Status), "Error")
}

// copied is a value with a button that copies it.
type copied struct{ ID, Label, Value string }

// duration says d in words: "9 d 23 h", "1 h 05 min", "14 min 09 s", "9 s".
// The page's script counts down in the same words.
func duration(d time.Duration) string {
	s := max(0, int(d/time.Second))
	switch {
	case s >= 86400:
		return fmt.Sprintf("%d d %d h", s/86400, s%86400/3600)
	case s >= 3600:
		return fmt.Sprintf("%d h %02d min", s/3600, s%3600/60)
	case s >= 60:
		return fmt.Sprintf("%d min %02d s", s/60, s%60)
	default:
		return fmt.Sprintf("%d s", s)
	}
}

func firstLetter(s string) string {
	for _, r := range strings.ToUpper(s) {
		return string(r)
	}
	return "?"
}
