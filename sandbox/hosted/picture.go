package hosted

import (
	"fmt"
	"hash/fnv"
	"html/template"
	"strconv"
	"strings"

	"rsc.io/qr"
)

// quiet is the white border, in modules, that scanners need around a code.
const quiet = 4

// qrCode draws text as a QR code in SVG, one path of horizontal runs. The
// colours are fixed: scanners want dark on light in dark mode as well.
func qrCode(text, label string) (template.HTML, error) {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return "", fmt.Errorf("QR code: %w", err)
	}
	var path strings.Builder
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			if !code.Black(x, y) {
				continue
			}
			run := 1
			for code.Black(x+run, y) {
				run++
			}
			fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", x+quiet, y+quiet, run, run)
			x += run
		}
	}
	side := strconv.Itoa(code.Size + 2*quiet)
	// Everything but the label is made of digits here, and the label is escaped.
	return template.HTML(`<svg class="qr" role="img" aria-label="` + template.HTMLEscapeString(label) + //nolint:gosec // see above
		`" viewBox="0 0 ` + side + ` ` + side + `" shape-rendering="crispEdges">` +
		`<rect width="` + side + `" height="` + side + `" fill="#fff"/>` +
		`<path d="` + path.String() + `" fill="#000"/></svg>`), nil
}

// discs is how many colours the style sheet has for coins.
const discs = 8

// disc gives a coin its colour, the same each time.
func disc(symbol string) string {
	switch strings.ToUpper(symbol) {
	case "USDT":
		return "disc-0"
	case "BTC":
		return "disc-1"
	case "ETH":
		return "disc-2"
	case "TRX":
		return "disc-3"
	case "USDC":
		return "disc-4"
	}
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(strings.ToUpper(symbol)))
	return "disc-" + strconv.Itoa(int(sum.Sum32()%discs))
}
