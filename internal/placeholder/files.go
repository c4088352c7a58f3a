package placeholder

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var filePlaceholder = regexp.MustCompile(`\{file\.([^{}]+)\}`)

// part is a part of a text: one that names a file, or what stands between such.
type part struct{ text, file string }

func split(text string) []part {
	var parts []part
	at := 0
	for _, match := range filePlaceholder.FindAllStringSubmatchIndex(text, -1) {
		if match[0] > 0 && text[match[0]-1] == '\\' {
			continue // it is escaped, and stays as it is
		}
		parts = append(parts, part{text: text[at:match[0]]}, part{file: text[match[2]:match[3]]})
		at = match[1]
	}
	return append(parts, part{text: text[at:]})
}

// Files returns the files that Caddy's placeholders {file.…} in the texts name, each
// once.
func Files(texts ...string) []string {
	var files []string
	for _, text := range texts {
		for _, p := range split(text) {
			if p.file != "" && !slices.Contains(files, p.file) {
				files = append(files, p.file)
			}
		}
	}
	return files
}

// WithFiles returns a replacer that gets from read what the placeholders {file.…} stand
// for, and the others from repl. Its errors wrap those of read.
func WithFiles(repl Replacer, read func(file string) ([]byte, error)) Replacer {
	return withFiles{repl, read}
}

type withFiles struct {
	repl Replacer
	read func(string) ([]byte, error)
}

func (r withFiles) ReplaceOrErr(input string, errOnEmpty, errOnUnknown bool) (string, error) {
	var out strings.Builder
	for _, p := range split(input) {
		if p.file == "" {
			text, err := r.repl.ReplaceOrErr(p.text, errOnEmpty, errOnUnknown)
			if err != nil {
				return "", err
			}
			out.WriteString(text)
			continue
		}
		text, err := r.read(p.file)
		if err != nil {
			return "", err
		}
		// The line's end is not part of it, as in Caddy's own replacer.
		text = bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
		if len(text) == 0 && errOnEmpty {
			return "", fmt.Errorf("%s is empty", p.file)
		}
		out.Write(text)
	}
	return out.String(), nil
}
