// Package placeholder replaces the placeholders in modules' options that are known when
// the configuration is loaded, such as {env.NAME}.
package placeholder

import (
	"fmt"
	"strings"
	"unicode"
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
// placeholder that is unknown or has an empty value is an error, and so is a shell's variable.
func Optional(repl Replacer, name, text string) (string, error) {
	value, err := repl.ReplaceOrErr(text, true, true)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, explain(text, err))
	}
	value = strings.TrimSpace(value)
	if text != "" && value == "" {
		return "", fmt.Errorf("%s is blank", name)
	}
	if shellVariable.MatchString(value) {
		return "", fmt.Errorf("%s is a $ and a name, as a shell writes a variable, which Caddy takes for the value itself: write {env.NAME}", name)
	}
	return value, nil
}

// Fixed is [Optional] for a text that nobody who sends a request may have a hand in: a
// placeholder of the request is an error.
func Fixed(repl Replacer, name, text string) (string, error) {
	value, err := Optional(repl, name, text)
	if err != nil {
		return "", fmt.Errorf("%w; only placeholders that are known at load may stand here, such as {env.NAME}", err)
	}
	if strings.ContainsAny(value, "{}") {
		return "", fmt.Errorf("%s: %q has a placeholder of the request, which a buyer could choose: use a fixed text, or let the app say it with 402", name, text)
	}
	return value, nil
}

// Switch is [Optional] for an option that is on or off; empty: off.
func Switch(repl Replacer, name, text string) (bool, error) {
	value, err := Optional(repl, name, text)
	if err == nil && value != "" && value != "on" && value != "off" {
		err = fmt.Errorf("unknown %s %q: use on or off", name, value)
	}
	return value == "on", err
}

// RequiredList replaces the placeholders in texts, each as [Required] does.
func RequiredList(repl Replacer, name string, texts []string) ([]string, error) {
	return each(Required, repl, name, texts)
}

// SecretList replaces the placeholders in texts, each as [Secret] does.
func SecretList(repl Replacer, name string, texts []string) ([]string, error) {
	return each(Secret, repl, name, texts)
}

func each(replace func(Replacer, string, string) (string, error), repl Replacer, name string, texts []string) ([]string, error) {
	var values []string
	for _, text := range texts {
		value, err := replace(repl, name, text)
		if err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	return values, nil
}

// Secret is [Required] for a secret, which is one line of text: see [CheckSecret].
func Secret(repl Replacer, name, text string) (string, error) {
	value, err := OptionalSecret(repl, name, text)
	if err == nil && value == "" {
		err = fmt.Errorf("%s is empty", name)
	}
	return value, err
}

// OptionalSecret is [Optional] for a secret.
func OptionalSecret(repl Replacer, name, text string) (string, error) {
	value, err := Optional(repl, name, text)
	if err == nil {
		err = CheckSecret(name, value)
	}
	if err != nil {
		return "", err
	}
	return value, nil
}

// CheckSecret returns why a value cannot be a secret, without saying the value. A file
// of NULs, which a power cut leaves behind, is the empty key to an HMAC, which everybody
// knows; a byte order mark or a second line makes a secret that nobody else has.
func CheckSecret(name, value string) error {
	for _, r := range value {
		switch {
		case r == 0:
			return fmt.Errorf("%s holds NUL characters, as a file may after a power cut: write it again", name)
		case r == '\n' || r == '\r':
			return fmt.Errorf("%s has more than one line", name)
		case r == '\ufeff':
			return fmt.Errorf("%s has a byte order mark: save the file as UTF-8 without one", name)
		case unicode.IsControl(r):
			return fmt.Errorf("%s holds control characters", name)
		}
	}
	return nil
}

// IsQuoted reports whether a value begins and ends with a quote, as one from an env file
// does whose reader takes quotes for a part of the value.
func IsQuoted(value string) bool {
	return len(value) > 1 && (value[0] == '"' || value[0] == '\'') && value[len(value)-1] == value[0]
}

// QuotedWarning is what the log says of an option with such a value.
const QuotedWarning = "a secret begins and ends with a quote: quotes in an env file are part of the value, take them out"
