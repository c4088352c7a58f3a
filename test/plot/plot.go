// Package plot draws the plots of docs/, as SVG that can be read on light and dark pages.
package plot

import (
	"bytes"
	"cmp"
	"fmt"
	"html"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Series is one line of a plot.
type Series struct {
	Name   string
	Values []float64
}

// Bar is one of a plot.
type Bar struct {
	Name   string
	Value  float64
	Colour string
}

// Colours are those of series, in their order.
var Colours = []string{"#6b7280", "#2f81f7", "#e8590c", "#2da44e", "#a475f9", "#d4a72c", "#db61a2"}

const (
	plotWidth, plotHeight = 900, 400
	left, right           = 64, 610
	top, bottom           = 56, 344
)

// drawing begins a plot that can be read on light and dark pages.
func drawing(title string, height int) *bytes.Buffer {
	var svg bytes.Buffer
	fmt.Fprintf(&svg, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%[1]d" height="%[2]d" role="img" font-family="system-ui, sans-serif" font-size="13">
<style>.page{fill:#fff}text{fill:#1f2328}.grid{stroke:#d1d9e0}@media(prefers-color-scheme:dark){.page{fill:#0d1117}text{fill:#e6edf3}.grid{stroke:#3d444d}}</style>
<title>%[3]s</title><rect class="page" width="100%%" height="100%%"/>
<text x="16" y="26" font-size="16" font-weight="600">%[3]s</text>
`, plotWidth, height, html.EscapeString(title))
	return &svg
}

func label(svg *bytes.Buffer, x, y float64, anchor, text string) {
	fmt.Fprintf(svg, `<text x="%.1f" y="%.1f" text-anchor="%s">%s</text>`+"\n", x, y, anchor, html.EscapeString(text))
}

// Lines plots series over named points, on a logarithmic scale in whole
// decades. The names stand at the right, from the highest to the lowest.
func Lines(title, across, unit string, places []string, all []Series) []byte {
	svg := drawing(title, plotHeight)
	low, high := math.Inf(1), math.Inf(-1)
	for _, s := range all {
		low, high = min(low, slices.Min(s.Values)), max(high, slices.Max(s.Values))
	}
	first, last := math.Floor(math.Log10(low)), math.Ceil(math.Log10(high)+1e-9)
	y := func(v float64) float64 { return bottom - (math.Log10(v)-first)/(last-first)*(bottom-top) }
	x := func(i int) float64 { return left + (right-left)*(float64(i)+0.5)/float64(len(places)) }
	for e := first; e <= last; e++ {
		at := y(math.Pow(10, e))
		fmt.Fprintf(svg, `<path class="grid" d="M%d %.1fH%d"/>`+"\n", left, at, right)
		label(svg, left-8, at+4, "end", decade(e))
	}
	label(svg, left-8, top-14, "end", unit)
	for i, place := range places {
		label(svg, x(i), bottom+20, "middle", place)
	}
	label(svg, (left+right)/2, bottom+42, "middle", across)
	type name struct {
		y    float64
		text string
		of   int
	}
	var names []name
	for n, s := range all {
		var path bytes.Buffer
		for i, v := range s.Values {
			fmt.Fprintf(&path, "%c%.1f %.1f", "ML"[min(i, 1)], x(i), y(v))
			fmt.Fprintf(svg, `<circle cx="%.1f" cy="%.1f" r="3.5" fill="%s"/>`+"\n", x(i), y(v), Colours[n%len(Colours)])
		}
		fmt.Fprintf(svg, `<path d="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", path.String(), Colours[n%len(Colours)])
		names = append(names, name{y(s.Values[len(s.Values)-1]), s.Name, n})
	}
	slices.SortFunc(names, func(a, b name) int { return cmp.Compare(a.y, b.y) })
	const apart = 18
	for i := range names { // down from the one above, but not below the axis
		if i > 0 {
			names[i].y = max(names[i].y, names[i-1].y+apart)
		}
		names[i].y = min(names[i].y, bottom-float64(len(names)-1-i)*apart)
		fmt.Fprintf(svg, `<rect x="%d" y="%.1f" width="10" height="10" fill="%s"/>`+"\n", right+8, names[i].y-5, Colours[names[i].of%len(Colours)])
		label(svg, right+24, names[i].y+4, "start", names[i].text)
	}
	svg.WriteString("</svg>\n")
	return svg.Bytes()
}

// Bars plots one value of each series, with the value at the bar's end.
func Bars(title, unit string, all []Bar) []byte {
	const begin, end, row = 300, 810, 26
	svg := drawing(title+", "+unit, 56+row*len(all))
	var high float64
	for _, b := range all {
		high = max(high, b.Value)
	}
	for i, b := range all {
		y := float64(44 + row*i)
		label(svg, begin-10, y+15, "end", strings.ReplaceAll(b.Name, "`", ""))
		width := (end - begin) * b.Value / high
		fmt.Fprintf(svg, `<rect x="%d" y="%.1f" width="%.1f" height="%d" fill="%s"/>`+"\n", begin, y+1, max(width, 1), row-8, b.Colour)
		label(svg, begin+width+8, y+15, "start", Thousands(b.Value))
	}
	svg.WriteString("</svg>\n")
	return svg.Bytes()
}

// decade writes ten to the power of e.
func decade(e float64) string {
	if e < 0 {
		return strconv.FormatFloat(math.Pow(10, e), 'f', -1, 64)
	}
	return Thousands(math.Pow(10, e))
}

// Thousands writes a whole number with its commas.
func Thousands(f float64) string {
	text := strconv.FormatInt(int64(f+0.5), 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
