package hosted_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"rsc.io/qr"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/hosted"
)

// asset is the path of the asset with the extension, as pages refer to it.
func asset(t *testing.T, extension string) string {
	t.Helper()
	p := checkout(t, pages()["waiting"])
	for _, n := range p.all("") {
		for _, key := range []string{"href", "src"} {
			if v := attr(n, key); strings.HasPrefix(v, hosted.AssetsPath) && strings.HasSuffix(v, extension) {
				return v
			}
		}
	}
	t.Fatalf("no page refers to an asset %s", extension)
	return ""
}

func TestHeaders(t *testing.T) {
	for status, write := range map[int]func(http.ResponseWriter) error{
		http.StatusOK:                  func(w http.ResponseWriter) error { return hosted.WriteOverview(w, overview()) },
		http.StatusUnprocessableEntity: func(w http.ResponseWriter) error { return hosted.WriteCheckout(w, 422, pages()["long"]) },
		http.StatusNotFound:            func(w http.ResponseWriter) error { return hosted.WriteError(w, hosted.Error{Status: 404}) },
		http.StatusInternalServerError: func(w http.ResponseWriter) error { return hosted.WriteError(w, hosted.Error{}) },
	} {
		w := httptest.NewRecorder()
		if err := write(w); err != nil {
			t.Fatal(err)
		}
		if w.Code != status {
			t.Errorf("status %d, want %d", w.Code, status)
		}
		for name, want := range map[string]string{
			"Content-Type": "text/html; charset=utf-8",
			"Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; " +
				"form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
			"Referrer-Policy":        "no-referrer",
			"X-Content-Type-Options": "nosniff",
			"Cache-Control":          "no-store",
			"Content-Length":         strconv.Itoa(w.Body.Len()),
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%d: %s: %q, want %q", status, name, got, want)
			}
		}
	}
}

func TestErrorsAreReported(t *testing.T) {
	c := pages()["waiting"]
	c.Due.Address = strings.Repeat("a", 5000)
	w := httptest.NewRecorder()
	if err := hosted.WriteCheckout(w, http.StatusOK, c); err == nil || !strings.Contains(err.Error(), "QR code") {
		t.Errorf("an address that fits no QR code: %v", err)
	}
	if w.Body.Len() > 0 || len(w.Header()) > 0 {
		t.Error("half a page was written")
	}
	if err := hosted.WriteOverview(brokenWriter{httptest.NewRecorder()}, overview()); !errors.Is(err, errBroken) {
		t.Errorf("a client that went away: %v", err)
	}
}

var errBroken = errors.New("broken")

type brokenWriter struct{ http.ResponseWriter }

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestAssets(t *testing.T) {
	get := func(method, path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		hosted.Assets().ServeHTTP(w, httptest.NewRequest(method, path, nil))
		return w
	}
	for extension, media := range map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"} {
		w := get(http.MethodGet, asset(t, extension))
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") != media || w.Body.Len() == 0 {
			t.Errorf("%s: %d %s", extension, w.Code, w.Header().Get("Content-Type"))
		}
		if got := w.Header().Get("Cache-Control"); !strings.Contains(got, "immutable") || !strings.Contains(got, "max-age=31536000") {
			t.Errorf("%s: Cache-Control %q", extension, got)
		}
	}
	for _, path := range []string{"", "page.css", "../hosted.go", "templates/error.html"} {
		if w := get(http.MethodGet, hosted.AssetsPath+path); w.Code != http.StatusNotFound || w.Header().Get("Cache-Control") != "" {
			t.Errorf("%q: %d %s", path, w.Code, w.Header().Get("Cache-Control"))
		}
	}
	if w := get(http.MethodPost, asset(t, ".css")); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d", w.Code)
	}
}

func TestQRCodeHoldsTheAddress(t *testing.T) {
	want, err := qr.Encode(address, qr.M)
	if err != nil {
		t.Fatal(err)
	}
	p := checkout(t, pages()["waiting"])
	svg := p.with("class", "qr")
	if attr(svg, "role") != "img" || attr(svg, "aria-label") == "" {
		t.Error("the code has no name")
	}
	side := want.Size + 8
	if got := attr(svg, "viewbox") + attr(svg, "viewBox"); got != fmt.Sprintf("0 0 %d %d", side, side) {
		t.Errorf("viewBox %q lacks the quiet zone", got)
	}
	var ground, ink string
	dark := make(map[[2]int]bool)
	for child := range svg.ChildNodes() {
		switch child.Data {
		case "rect":
			ground = attr(child, "fill")
		case "path":
			ink = attr(child, "fill")
			for run := range strings.SplitSeq(strings.TrimSuffix(attr(child, "d"), "z"), "z") {
				var x, y, width, back int
				if _, err := fmt.Sscanf(run, "M%d %dh%dv1h%d", &x, &y, &width, &back); err != nil || back != -width {
					t.Fatalf("path %q: %v", run, err)
				}
				for i := range width {
					dark[[2]int{x + i - 4, y - 4}] = true
				}
			}
		}
	}
	if ground != "#fff" || ink != "#000" {
		t.Errorf("%s on %s does not scan in dark mode", ink, ground)
	}
	for y := -4; y < want.Size+4; y++ {
		for x := -4; x < want.Size+4; x++ {
			if dark[[2]int{x, y}] != want.Black(x, y) {
				t.Fatalf("module %d, %d differs", x, y)
			}
		}
	}
}
