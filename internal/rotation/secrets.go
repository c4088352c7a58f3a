// Package rotation is about what an account has replaced and honours for a while longer:
// secrets, and the URLs that webhooks are sent to.
package rotation

import (
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/options"
	"github.com/seed-338f6760/caddy-ccpayment/internal/placeholder"
)

// PreviousSecret is the option previous_secret: a secret that was replaced.
type PreviousSecret struct {
	// The secret. Required.
	Secret string `json:"secret,omitempty"`

	// When it stops verifying, in RFC 3339. Default: when it is removed here.
	Until string `json:"until,omitempty"`
}

// Secret is a secret that was replaced.
type Secret struct {
	Secret string
	Until  time.Time // zero: no end
}

// ReadSecret reads `previous_secret <secret> [<until>]`, which is repeatable.
func ReadSecret(d options.Dispenser, to *[]PreviousSecret) error {
	secret, until, err := read(d)
	if err == nil {
		*to = append(*to, PreviousSecret{secret, until})
	}
	return err
}

// read reads the arguments of an option about something that was replaced.
func read(d options.Dispenser) (what, until string, err error) {
	args := d.RemainingArgs()
	if len(args) < 1 || len(args) > 2 {
		return "", "", d.ArgErr()
	}
	if len(args) == 2 {
		until = args[1]
	}
	return args[0], until, nil
}

// Secrets resolves the placeholders in secrets. One of which gone says that its error
// means that it is no more is left out.
func Secrets(repl placeholder.Replacer, list []PreviousSecret, gone func(error) bool) ([]Secret, error) {
	var secrets []Secret
	for _, p := range list {
		secret, err := placeholder.Secret(repl, "secret", p.Secret)
		var end time.Time
		if err == nil {
			end, err = until(repl, p.Until)
		}
		switch {
		case gone(err):
		case err != nil:
			return nil, fmt.Errorf("previous_secret: %w", err)
		default:
			secrets = append(secrets, Secret{secret, end})
		}
	}
	return secrets, nil
}

// until resolves the end of something that was replaced; zero: it has none.
func until(repl placeholder.Replacer, text string) (time.Time, error) {
	text, err := placeholder.Optional(repl, "until", text)
	if err != nil || text == "" {
		return time.Time{}, err
	}
	end, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return end, fmt.Errorf("the end %q is not a time like 2026-01-31T12:00:00Z", text)
	}
	return end, nil
}

// WarnQuoted logs a warning for each credential, by its option, that has the quotes of an
// env file.
func WarnQuoted(o gateway.OpenOptions, credentials map[string]string, previous []Secret) {
	if o.Logger == nil {
		return
	}
	warn := func(option, value string) {
		if placeholder.IsQuoted(value) {
			o.Logger.Warn(placeholder.QuotedWarning, zap.String("option", option), zap.String("account", o.Account))
		}
	}
	for option, value := range credentials {
		warn(option, value)
	}
	for _, p := range previous {
		warn("previous_secret", p.Secret)
	}
}

// WarnGone logs a warning where the files of previous secrets are gone.
func WarnGone(o gateway.OpenOptions, gone int) {
	if gone <= 0 || o.Logger == nil {
		return
	}
	o.Logger.Warn("the file of a previous secret is gone: it verifies webhooks for file_grace, and then no more; "+
		"remove previous_secret before the configuration is loaded again",
		zap.String("account", o.Account), zap.Int("secrets", gone), zap.Duration("file_grace", o.Grace))
}

// Ended reports whether something that is honoured until a time is not any more; zero: it
// has no end.
func Ended(until, now time.Time) bool { return !until.IsZero() && now.After(until) }
