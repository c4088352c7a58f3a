// Package placeholder replaces the placeholders in modules' options that are known when
// the configuration is loaded, such as {env.NAME}.
package placeholder

import (
	"fmt"
	"strings"
)

// Replacer is the part of Caddy's replacer that is used.
type Replacer interface {
	ReplaceOrErr(input string, errOnEmpty, errOnUnknown bool) (string, error)
}

// Required replaces the placeholders in the option name's text. An empty result is an
// error.
func Required(repl Replacer, name, text string) (string, error) {
	value, err := Optional(repl, name, text)
	if err == nil && value == "" {
		err = fmt.Errorf("%s is empty", name)
	}
	return value, err
}

// Optional replaces the placeholders in the option name's text, which may be empty. A
// placeholder that is unknown or has an empty value is an error.
func Optional(repl Replacer, name, text string) (string, error) {
	value, err := repl.ReplaceOrErr(text, true, true)
	if err != nil {
		if strings.Contains(text, "{env.") {
			err = fmt.Errorf("%v (a running Caddy keeps the environment that it was started with: restart it, or use a file, {file./path}, which is read again when it changes)", err)
		}
		return "", fmt.Errorf("%s: %v", name, err)
	}
	value = strings.TrimSpace(value)
	if text != "" && value == "" {
		return "", fmt.Errorf("%s is blank", name)
	}
	return value, nil
}

// RequiredList replaces the placeholders in texts, each as [Required] does.
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

// IsQuoted reports whether a value begins and ends with a quote, as one from an env file
// does whose reader takes quotes for a part of the value.
func IsQuoted(value string) bool {
	return len(value) > 1 && (value[0] == '"' || value[0] == '\'') && value[len(value)-1] == value[0]
}

// QuotedWarning is what the log says of an option with such a value.
const QuotedWarning = "a secret begins and ends with a quote: quotes in an env file are part of the value, take them out"
