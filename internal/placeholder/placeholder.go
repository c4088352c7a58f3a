// Package placeholder resolves the options of modules, which may be placeholders
// that are known when the configuration is loaded, such as {env.NAME}.
package placeholder

import (
	"fmt"
	"strings"
)

// Replacer is Caddy's.
type Replacer interface {
	ReplaceOrErr(input string, errOnEmpty, errOnUnknown bool) (string, error)
}

// Required resolves a text that must not be empty.
func Required(repl Replacer, name, text string) (string, error) {
	value, err := Optional(repl, name, text)
	if err == nil && value == "" {
		err = fmt.Errorf("%s is empty", name)
	}
	return value, err
}

// Optional resolves a text that may be absent. A placeholder that resolves to
// nothing is an error: it was meant to hold something.
func Optional(repl Replacer, name, text string) (string, error) {
	value, err := repl.ReplaceOrErr(text, true, true)
	if err != nil {
		return "", fmt.Errorf("%s: %v", name, err)
	}
	value = strings.TrimSpace(value)
	if text != "" && value == "" {
		return "", fmt.Errorf("%s is blank", name)
	}
	return value, nil
}

// RequiredList resolves texts of which none may be empty.
func RequiredList(repl Replacer, name string, texts []string) ([]string, error) {
	var values []string
	for _, text := range texts {
		value, err := Required(repl, name, text)
		if err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	return values, nil
}
