package ccpayment

import (
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/internal/placeholder"
	"github.com/seed-338f6760/caddy-ccpayment/internal/secrets"
)

// watch has a secret read again by apply when a file changes that one of the texts
// names by a placeholder. A command, which ends soon, watches nothing.
func (a *App) watch(name string, apply func() error, texts ...string) {
	if a.secrets != nil {
		a.secrets.Watch(secrets.Source{Name: name, Files: secrets.Files(texts...), Apply: apply})
	}
}

// followed returns what read makes of texts that are secrets, now and after a file
// that they name has changed. Where read fails later, what it returned before stays.
func followed[T any](a *App, name string, read func() (T, error), texts ...string) (func() T, error) {
	var current atomic.Pointer[T]
	apply := func() error {
		a.warnQuoted(name, texts)
		value, err := read()
		if err == nil {
			current.Store(&value)
		}
		return err
	}
	a.watch(name, apply, texts...)
	return func() T { return *current.Load() }, apply()
}

// warnQuoted logs a warning for each text that has the quotes of an env file.
func (a *App) warnQuoted(name string, texts []string) {
	repl := caddy.NewReplacer()
	for _, text := range texts {
		if value, err := placeholder.Optional(repl, name, text); err == nil && placeholder.IsQuoted(value) {
			a.logger.Warn(placeholder.QuotedWarning, zap.String("option", name))
		}
	}
}
