// Package subcommand is the registry in which packages that do not import Caddy register
// subcommands of `caddy ccpayment`.
package subcommand

import (
	"fmt"

	"github.com/spf13/cobra"
)

// The exit codes of `caddy ccpayment`, for scripts.
const (
	ExitUsage       = 2
	ExitUnreachable = 4
)

// ExitError is an error with the process's exit code. A command returns it from RunE;
// the caller of the command finds it with errors.As, prints Err and exits with Code.
type ExitError struct {
	Code int
	Err  error
}

func (e *ExitError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *ExitError) Unwrap() error { return e.Err }

// Fail returns an [*ExitError] with a formatted error.
func Fail(code int, format string, args ...any) error {
	return &ExitError{Code: code, Err: fmt.Errorf(format, args...)}
}

var makers []func() *cobra.Command

// Register registers a function that makes a command. It is for init functions.
func Register(command func() *cobra.Command) { makers = append(makers, command) }

// All makes all registered commands, in the order of their registration.
func All() []*cobra.Command {
	commands := make([]*cobra.Command, 0, len(makers))
	for _, command := range makers {
		commands = append(commands, command())
	}
	return commands
}
