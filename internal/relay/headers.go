package relay

import "strings"

const hexDigits = "0123456789ABCDEF"

// HeaderText returns a value as it can stand in a header and be read back: a
// byte that is not printable ASCII, a percent sign, and a space at either end
// are percent-encoded.
func HeaderText(value string) string {
	clean := func(i int) bool {
		c := value[i]
		edge := i == 0 || i == len(value)-1
		return c > 0x20 && c < 0x7f && c != '%' || c == ' ' && !edge
	}
	dirty := 0
	for i := range len(value) {
		if !clean(i) {
			dirty++
		}
	}
	if dirty == 0 {
		return value
	}
	var b strings.Builder
	b.Grow(len(value) + 2*dirty)
	for i := range len(value) {
		if c := value[i]; clean(i) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hexDigits[c>>4], hexDigits[c&0xf]})
		}
	}
	return b.String()
}
