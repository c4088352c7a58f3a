package plot

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"time"
)

// Event is something that happened, or lasted. A plot of times has a row for each name.
type Event struct {
	Name string
	// To is when it was over; zero: it was a moment.
	From, To time.Time
}

// Count is a number that grows by one at each of some times, which are in order.
type Count struct {
	Name string
	At   []time.Time
}

// steps is how many points a count's line has at most: more make the file larger, and no
// difference to the eye.
const steps = 400

// Times plots counts over the time, with what happened meanwhile in rows below them.
func Times(title string, counts []Count, events []Event) []byte {
	var names []string
	var first, last time.Time
	extend := func(at time.Time) {
		if first.IsZero() || at.Before(first) {
			first = at
		}
		if at.After(last) {
			last = at
		}
	}
	for _, c := range counts {
		for _, at := range c.At {
			extend(at)
		}
	}
	for _, e := range events {
		extend(e.From)
		if !e.To.IsZero() {
			extend(e.To)
		}
		if !slices.Contains(names, e.Name) {
			names = append(names, e.Name)
		}
	}
	const row, floor, ceiling, begin, end = 20, 300, 56, 130, 870
	svg := drawing(title, floor+50+row*len(names))
	seconds := max(last.Sub(first).Seconds(), 1)
	x := func(at time.Time) float64 { return begin + (end-begin)*at.Sub(first).Seconds()/seconds }
	most := 1
	for _, c := range counts {
		most = max(most, len(c.At))
	}
	y := func(n int) float64 { return floor - (floor-ceiling)*float64(n)/float64(most) }
	for n := 0; n <= most; n += round(float64(most) / 4) {
		fmt.Fprintf(svg, `<path class="grid" d="M%d %.1fH%d"/>`+"\n", begin, y(n), end)
		label(svg, begin-8, y(n)+4, "end", Thousands(float64(n)))
	}
	for s := 0; float64(s) <= seconds; s += round(seconds / 8) {
		label(svg, begin+(end-begin)*float64(s)/seconds, floor+18, "middle", fmt.Sprint(s, " s"))
	}
	for n, c := range counts {
		colour := Colours[(n+1)%len(Colours)]
		fmt.Fprintf(svg, `<path d="%s" fill="none" stroke="%s" stroke-width="%d"/>`+"\n", c.path(x, y), colour, 4-2*n)
		fmt.Fprintf(svg, `<rect x="%d" y="%d" width="10" height="10" fill="%s"/>`+"\n", begin+20, ceiling+4+18*n, colour)
		label(svg, begin+36, float64(ceiling+14+18*n), "start", c.Name)
	}
	for n, name := range names {
		top := float64(floor + 32 + row*n)
		label(svg, begin-8, top+12, "end", name)
		fmt.Fprintf(svg, `<path class="grid" d="M%d %.1fH%d"/>`+"\n", begin, top+8, end)
		var path bytes.Buffer
		for _, e := range events {
			if width := 1.5; e.Name == name {
				if e.To.After(e.From) {
					width = max(width, x(e.To)-x(e.From))
				}
				fmt.Fprintf(&path, "M%.1f %.1fh%.1fv12h-%.1fz", x(e.From), top+2, width, width)
			}
		}
		fmt.Fprintf(svg, `<path d="%s" fill="%s"/>`+"\n", path.String(), Colours[(n+3)%len(Colours)])
	}
	svg.WriteString("</svg>\n")
	return svg.Bytes()
}

// path is the line of a count.
func (c Count) path(x func(time.Time) float64, y func(int) float64) string {
	var path bytes.Buffer
	every := max(len(c.At)/steps, 1)
	for i, at := range c.At {
		switch {
		case i == 0:
			fmt.Fprintf(&path, "M%.1f %.1f", x(at), y(1))
		case i%every == 0 || i == len(c.At)-1:
			fmt.Fprintf(&path, "H%.1fV%.1f", x(at), y(i+1))
		}
	}
	return path.String()
}

// round returns 1, 2 or 5 times a power of ten that is at least so much.
func round(least float64) int {
	power := math.Pow(10, math.Floor(math.Log10(max(least, 1))))
	for _, times := range []float64{1, 2, 5} {
		if times*power >= least {
			return int(times * power)
		}
	}
	return int(10 * power)
}
