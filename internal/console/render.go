package console

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/adminapi"
	"github.com/seed-338f6760/caddy-ccpayment/internal/palette"
	"github.com/seed-338f6760/caddy-ccpayment/internal/redact"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed assets/console.css
var rules []byte

//go:embed assets/console.js
var script []byte

// assets are the files that pages refer to, by their names.
var assets = map[string]asset{
	"console.css": {"text/css; charset=utf-8", slices.Concat(palette.CSS, rules)},
	"console.js":  {"text/javascript; charset=utf-8", script},
}

type asset struct {
	mediaType string
	content   []byte
}

func (a asset) write(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Content-Type", a.mediaType)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.content))
	return nil
}

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"account": accountLabel,
	"bytes":   sizeText,
	"clock":   func(t time.Time) string { return t.Local().Format("2 Jan 15:04:05") },
	"full":    func(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") },
	"link":    link,
	"safe":    redact.Emails,
	"stamp":   func(t time.Time) string { return t.Format(time.RFC3339) },
	"tone":    tone,
	"span":    spanText,
	"list":    func(list ...string) []string { return list },
}).ParseFS(templateFiles, "templates/*.html"))

// page is what every page has beside its view.
type page struct {
	Title string
	// At is the entry of the menu that the page is in.
	At       string
	User     string
	ReadOnly bool
	// Zone names the zone of all times.
	Zone string
	// Told is what was just done; empty: nothing.
	Told string
	View any
}

func (v *visit) write(w http.ResponseWriter, a answer) error {
	switch {
	case a.stream != nil:
		return a.stream(w)
	case a.location != "":
		w.Header().Set("Location", a.location)
		w.WriteHeader(http.StatusSeeOther)
		return nil
	}
	a.page.User, a.page.ReadOnly = v.user, v.ReadOnly
	return writePage(w, http.StatusOK, a.template, a.page)
}

// writeRefusal writes the page of an error.
func writeRefusal(w http.ResponseWriter, user string, err error) error {
	var refused *adminapi.Error
	if !errors.As(err, &refused) {
		return err
	}
	return writePage(w, refused.Status, "error.html", page{
		Title: http.StatusText(refused.Status), User: user, View: refused,
	})
}

func writePage(w http.ResponseWriter, status int, name string, p page) error {
	p.Zone = time.Now().Format("MST (-07:00)")
	var text bytes.Buffer
	if err := templates.ExecuteTemplate(&text, name, p); err != nil {
		return fmt.Errorf("the page %s: %w", name, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(text.Len()))
	w.WriteHeader(status)
	if _, err := text.WriteTo(w); err != nil {
		return fmt.Errorf("the page %s: %w", name, err)
	}
	return nil
}

// link is the relative address of a view with parameters, given as names and values. What
// is empty is left out.
func link(view string, parameters ...string) string {
	query := url.Values{}
	for i := 0; i+1 < len(parameters); i += 2 {
		if parameters[i+1] != "" {
			query.Set(parameters[i], parameters[i+1])
		}
	}
	return address(view, query)
}

func address(view string, query url.Values) string {
	if len(query) == 0 {
		return "./" + view
	}
	return "./" + view + "?" + query.Encode()
}

// accountLabel names an account for people.
func accountLabel(name string) string {
	if name == "" {
		return ledger.DefaultAccount
	}
	return name
}

// tone picks the colour of a state.
func tone(state ledger.State) string {
	switch state {
	case ledger.Delivered:
		return "good"
	case ledger.Held:
		return "warn"
	case ledger.Dead:
		return "bad"
	case ledger.Ignored, ledger.Superseded, ledger.Discarded:
		return "calm"
	default:
		return "busy"
	}
}

// spanText says how long something took or lasts, in one unit.
func spanText(d time.Duration) string {
	d = d.Abs()
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	default:
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	}
}

func sizeText(n int64) string {
	for _, unit := range []string{"bytes", "kB", "MB"} {
		if n < 10_000 {
			return fmt.Sprintf("%d %s", n, unit)
		}
		n /= 1000
	}
	return fmt.Sprintf("%d GB", n)
}

// oneLine keeps a text from looking like several.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, text)
}
