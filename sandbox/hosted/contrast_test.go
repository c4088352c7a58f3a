package hosted_test

import (
	"math"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/hosted"
)

// TestContrast computes the contrast of the colours that meet on the pages, as
// WCAG 2 does: 4.5 for text, 3 for the edges of controls and their marks.
func TestContrast(t *testing.T) {
	w := httptest.NewRecorder()
	hosted.Assets().ServeHTTP(w, httptest.NewRequest(http.MethodGet, asset(t, ".css"), nil))
	css := w.Body.String()
	lightRules, rest, found := strings.Cut(css, "@media (prefers-color-scheme: dark)")
	darkRules, _, ended := strings.Cut(rest, "\n}\n")
	if !found || !ended {
		t.Fatal("the style sheet has no dark scheme")
	}
	light, dark := colours(lightRules), colours(darkRules)
	if len(light) < 20 || len(light) != len(dark) {
		t.Errorf("%d colours for light, %d for dark", len(light), len(dark))
	}

	text := map[string][]string{
		"ink": {"page", "card", "well", "sand"}, "quiet": {"page", "card", "well"}, "accent": {"page", "card"}, "accent-ink": {"accent"},
		"good": {"good-tint", "card"}, "busy": {"busy-tint", "card"}, "warn": {"warn-tint", "card"}, "bad": {"bad-tint", "card", "sand"},
		"calm": {"calm-tint", "card"}, "good-tint": {"good"}, "sand-ink": {"sand"},
	}
	edges := map[string][]string{"edge": {"card", "sand", "warn-tint"}, "accent": {"line", "well"}, "sand-ink": {"card"}}
	for scheme, palette := range map[string]map[string]string{"light": light, "dark": dark} {
		check := func(pairs map[string][]string, least float64) {
			for front, grounds := range pairs {
				for _, ground := range grounds {
					if palette[front] == "" || palette[ground] == "" {
						t.Fatalf("%s: no colour %s or %s", scheme, front, ground)
					}
					if got := contrast(t, palette[front], palette[ground]); got < least {
						t.Errorf("%s: %s on %s is %.2f, want %.1f", scheme, front, ground, got, least)
					}
				}
			}
		}
		check(text, 4.5)
		check(edges, 3)
	}
	discs := regexp.MustCompile(`--disc: (#[0-9a-f]{6})`).FindAllStringSubmatch(css, -1)
	if len(discs) != 8 {
		t.Errorf("%d colours for coins", len(discs))
	}
	for _, disc := range discs {
		if got := contrast(t, "#ffffff", disc[1]); got < 4.5 {
			t.Errorf("white on %s is %.2f", disc[1], got)
		}
	}
}

// colours are the custom properties that hold one.
func colours(rules string) map[string]string {
	found := make(map[string]string)
	for _, m := range regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{6});`).FindAllStringSubmatch(rules, -1) {
		found[m[1]] = m[2]
	}
	return found
}

func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	x, y := luminance(t, a), luminance(t, b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	var sum float64
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(colour[1+2*i:3+2*i], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		c := float64(n) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}
