package cli

import (
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// table is what a command prints for people, row by row.
type table [][]string

func (t *table) add(cells ...string) { *t = append(*t, cells) }

// print aligns the columns.
func (t table) print() {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, row := range t {
		for i, cell := range row {
			if i > 0 {
				fmt.Fprint(w, "\t")
			}
			fmt.Fprint(w, printable(cell))
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush() // into memory
	for line := range strings.Lines(text.String()) {
		fmt.Fprintln(os.Stdout, strings.TrimRight(line, " \n"))
	}
}

// printAbout prints a line for each name and value, without those that are empty.
func printAbout(lines [][2]string) {
	var about table
	for _, line := range lines {
		if line[1] != "" {
			about.add(line[0], line[1])
		}
	}
	about.print()
}

// printable keeps what others wrote from steering the terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\u00b7'
		}
		return r
	}, text)
}

// localTime is a time as people here read it.
func localTime(at time.Time) string { return at.Local().Format(time.RFC3339) }

func localTimeOf(at *time.Time) string {
	if at == nil {
		return ""
	}
	return localTime(*at)
}

// yesOrNothing is what a flag is in a table.
func yesOrNothing(set bool) string {
	if set {
		return "yes"
	}
	return ""
}
