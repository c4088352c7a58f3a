// Package hint says what may be meant by what somebody wrote.
package hint

import (
	"slices"
	"strings"
)

// Nearest returns the names of symbols that begin as the text does, for the end of an error.
func Nearest(text string, names []string) string {
	var near []string
	for length := min(len(text), 3); length > 0 && len(near) == 0; length-- {
		for _, name := range names {
			if len(name) >= length && strings.EqualFold(name[:length], text[:length]) && !slices.Contains(near, name) {
				near = append(near, name)
			}
		}
	}
	if len(near) == 0 {
		return ""
	}
	return ": is one of these meant, " + strings.Join(near[:min(len(near), 5)], ", ") + "?"
}
