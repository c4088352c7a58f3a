// Package subcommand is where packages that do not import Caddy leave their
// commands for `caddy ccpayment`, which adds them to its own.
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

// ExitError is an error with the exit code that the process shall end with. A
// command returns it from RunE; whoever runs the command finds it with
// errors.As, shows Err and exits with Code.
type ExitError struct {
	Code int
	Err  error
}

func (e *ExitError) Error() string { return e.Err.Error() }

// Unwrap returns what went wrong.
func (e *ExitError) Unwrap() error { return e.Err }

// Fail makes an error that ends the process with a code.
func Fail(code int, format string, args ...any) error {
	return &ExitError{Code: code, Err: fmt.Errorf(format, args...)}
}

var makers []func() *cobra.Command

// Register leaves a command. It is for init functions.
func Register(command func() *cobra.Command) { makers = append(makers, command) }

// All makes all commands anew, in the order in which they were left.
func All() []*cobra.Command {
	commands := make([]*cobra.Command, 0, len(makers))
	for _, command := range makers {
		commands = append(commands, command())
	}
	return commands
}
